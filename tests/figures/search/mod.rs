//! Whether the search for a breaking point is right, and what it costs, on worlds that lie in a known way.

mod rivals;
mod simulated;
mod worlds;

use crate::page::{Figure, PEER, Row};
use crate::{Setting, say};
use cargo_perf_lab::failure::{Failure, FailureKind};
use serde_json::{Value, json};
use simulated::{MOST_PROBES, Searched, WORKS, Work, ours, rivals_of};
use std::time::Duration;

/// Searches of each work; the seeds are 1, 2, 3 and so on.
const SEARCHES: u64 = 500;
/// In a shortened run, and in one that must be right in all but one of them.
const FEWEST: u64 = 12;
/// The confidence of those who ask for nothing, and that of those who want to be surer.
const USUAL: f64 = 0.95;
const SURER: f64 = 0.98;
/// What the way up and the looks below add to the published probes, and how far both may be exceeded.
const ADDED_PROBES: f64 = 3.0 + 4.0;
const MOST_OF_PUBLISHED: f64 = 1.15;
const LEAST_NEAR: f64 = 0.9;
const LEAST_COVERED: f64 = 0.84;
const LEAST_COVERED_SURER: f64 = 0.95;
const LONGEST_STEP: Duration = Duration::from_millis(20);

/// Searches all works with ours and with the others.
///
/// # Errors
/// In a shortened run, when ours is wrong more often than chance explains.
pub fn measure(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let searches = if setting.is_short() { FEWEST } else { SEARCHES };
    let (mut rows, mut raw) = (Vec::new(), Vec::new());
    let mut slowest = Duration::ZERO;
    for work in &WORKS {
        say(&format!("search: {}", work.name));
        setting.interrupt.check()?;
        let usual = searched(work, searches, USUAL);
        if setting.is_short() {
            expect_right(work, &usual)?;
        }
        slowest = usual.iter().map(|one| one.slowest).fold(slowest, Duration::max);
        rows.extend(of_ours(work, &usual));
        raw.push(raw_of(work.name, "ours", &usual));
        if work.has_values() {
            let surer = searched(work, searches, SURER);
            rows.push(covered(work, &surer, "at 98 %", "at least 95 %", LEAST_COVERED_SURER));
            raw.push(raw_of(work.name, "ours at 98 %", &surer));
        }
        let others: Vec<_> = (1..=searches).map(|seed| rivals_of(work, seed)).collect();
        for index in 0..others[0].len() {
            let (name, found): (Vec<_>, Vec<Searched>) = others.iter().map(|one| one[index]).unzip();
            rows.push(of_other(work, name[0], &found));
            raw.push(raw_of(work.name, name[0], &found));
        }
    }
    rows.push(Row {
        figure: "the slowest step of all searches".to_owned(),
        value: format!("{:.1} ms", slowest.as_secs_f64() * 1e3),
        bound: "below 20 ms",
        met: slowest < LONGEST_STEP,
    });
    Ok(vec![Figure {
        name: "search",
        title: "Searches of worlds that lie",
        how: format!(
            "{searches} searches of each work with seeds 1 to {searches}, in 1..100000 with at most {MOST_PROBES} probes and a \
             tolerance of 5 %; the place where it breaks is drawn so that all ratios are as likely. Near is an answer within \
             5 % of the smallest failing load, or one load where that is more. Ours goes up by fours, confirms both \
             ends and looks at four loads more; the bound of its probes is 15 % above the published number with 3 and 4 \
             added for these. Naive is bisection of integers, majority of three the same with two of three answers, \
             and MLRsearch-like a bisection of ratios whose ends are confirmed by three trials each. An answer of these is \
             covered by the interval that they state, which is one load for the first two."
        ),
        rows,
        raw: json!(raw),
    }])
}

fn searched(work: &Work, searches: u64, confidence: f64) -> Vec<Searched> {
    (1..=searches).map(|seed| ours(work, seed, confidence)).collect()
}

/// A shortened run says little of shares, and is no run at all when hardly any search is right.
fn expect_right(work: &Work, found: &[Searched]) -> Result<(), Failure> {
    let right = found.iter().filter(|one| one.is_near() && one.is_covered()).count();
    if 4 * right >= 3 * found.len() {
        return Ok(());
    }
    let said = format!("{right} of {} searches of {:?} are right", found.len(), work.name);
    Err(Failure::new(FailureKind::Bug, said))
}

fn share(found: &[Searched], is: fn(&Searched) -> bool) -> f64 {
    found.iter().filter(|one| is(one)).count() as f64 / found.len() as f64
}

fn mean_probes(found: &[Searched]) -> f64 {
    found.iter().map(|one| one.probes as f64).sum::<f64>() / found.len() as f64
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn of_ours(work: &Work, found: &[Searched]) -> [Row; 3] {
    let near = share(found, Searched::is_near);
    let (probes, most) = (mean_probes(found), MOST_OF_PUBLISHED * (work.published_probes + ADDED_PROBES));
    [
        Row {
            figure: format!("{}: near", work.name),
            value: percent(near),
            bound: "at least 90 %",
            met: near >= LEAST_NEAR,
        },
        covered(work, found, "", "at least 84 %", LEAST_COVERED),
        Row {
            figure: format!("{}: probes, of at most {most:.1}", work.name),
            value: format!("{probes:.1}"),
            bound: "at most as many",
            met: probes <= most,
        },
    ]
}

fn covered(work: &Work, found: &[Searched], at: &str, bound: &'static str, least: f64) -> Row {
    let covered = share(found, Searched::is_covered);
    let figure = format!("{}: in the interval {at}", work.name);
    Row { figure: figure.trim_end().to_owned(), value: percent(covered), bound, met: covered >= least }
}

fn of_other(work: &Work, name: &str, found: &[Searched]) -> Row {
    let (near, covered) = (share(found, Searched::is_near), share(found, Searched::is_covered));
    Row {
        figure: format!("{}: {name}, near / covered / probes", work.name),
        value: format!("{} / {} / {:.1}", percent(near), percent(covered), mean_probes(found)),
        bound: PEER,
        met: true,
    }
}

fn raw_of(work: &str, way: &str, found: &[Searched]) -> Value {
    let one = |one: &Searched| {
        json!({
            "seed": one.seed,
            "breaks_at": one.breaks_at,
            "answer": one.said.map(|said| [said.smallest_failing, said.low, said.high]),
            "status": one.status.map(cargo_perf_lab::model::search::SearchStatus::name),
            "probes": one.probes,
        })
    };
    json!({"work": work, "way": way, "searches": found.iter().map(one).collect::<Vec<_>>()})
}
