//! Judges comparisons that are drawn from the recordings: how often equal code is called changed, and how often
//! planted work is found.

use super::kernels::{KERNELS, Kernel};
use super::traces::{self, Condition, Round, Trace};
use crate::page::{Figure, Page, Row};
use crate::{Setting, say, start};
use cargo_perf_lab::failure::{Context, Failure, FailureKind};
use cargo_perf_lab::model::metric::Direction;
use cargo_perf_lab::model::verdict::{Terms, Verdict};
use cargo_perf_lab::stats::comparison::{Answer, Question, Ratios, answer};
use serde_json::{Value, json};
use std::fs;

/// Comparisons drawn from each recording; the seeds are 1, 2, 3 and so on.
const DRAWN: usize = 3000;
/// Seconds of the first series, and of the one that confirms it.
const SERIES_S: [f64; 2] = [60.0, 30.0];
const MOST_CHANGED: f64 = 0.015;
const MOST_CONFIRMED: f64 = 0.003;
const LEAST_FOUND: f64 = 0.9;
const LEAST_COVERED: f64 = 0.93;

/// What became of the comparisons of one recording.
#[derive(Debug, Default)]
struct Tally {
    drawn: usize,
    same_changed: usize,
    same_confirmed: usize,
    found: usize,
    found_twice: usize,
    wrong_sign: usize,
    covered: usize,
    detectable: Vec<f64>,
}

/// Judges all recordings that are there.
///
/// # Errors
/// `Blocked` when there is none; `State` for a damaged one.
pub fn measure(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    // Nothing here takes time that is measured, so that a shortened run draws as many.
    let drawn = DRAWN;
    let mut rows = Vec::new();
    let mut raw = Vec::new();
    for kernel in KERNELS {
        for condition in Condition::ALL {
            let Some(trace) = traces::read(&traces::file(kernel.name, condition))? else { continue };
            say(&format!("replay: {drawn} comparisons of {}, {}", kernel.name, condition.name()));
            expect_builds(&trace, kernel, condition)?;
            let tally = judge_all(&trace, kernel, drawn);
            rows.extend(tally.rows(kernel, condition));
            raw.push(tally.raw(kernel, condition, &trace));
        }
    }
    if rows.is_empty() {
        return Err(Failure::new(FailureKind::Blocked, "nothing is recorded yet")
            .hint("record with `cargo bench --bench figures -- record KERNEL quiet|build`"));
    }
    if setting.is_short() {
        expect_published(&rows)?;
    }
    Ok(vec![Figure {
        name: "replay",
        title: "Verdicts on recorded forks",
        how: format!(
            "Ten minutes a side of three builds of each kernel in `fixtures/kernels`, two of the same sources and one \
             with planted work, fork by fork in random order, on a machine that others use: once as quiet as it gets, \
             and once while builds run. From each recording {drawn} comparisons are drawn with seeds 1 to {drawn}: \
             at a random place a stretch of twice the forks of a series of 60 s, of which half are taken in their order, \
             and behind it another one for the second series of 30 s. No fork is set aside. They are judged as `compare` judges, one \
             benchmark at a time, at 99 % with a margin of 1 %. The recordings are in `fixtures/verdict-traces`."
        ),
        rows,
        raw: json!(raw),
    }])
}

/// Refuses a recording of a machine that builds on which no build is known to have ended.
fn expect_builds(trace: &Trace, kernel: Kernel, condition: Condition) -> Result<(), Failure> {
    if condition == Condition::Quiet || trace.builds > 0 {
        return Ok(());
    }
    Err(Failure::state(format!("the recording of {} knows of no build that ran meanwhile", kernel.name))
        .hint(format!("`cargo bench --bench figures -- record {} build` goes on with it", kernel.name)))
}

/// The same recordings, the same seeds and the same code say the same: what is published must still hold.
fn expect_published(rows: &[Row]) -> Result<(), Failure> {
    let document = Page::Verdicts.document();
    let text = fs::read_to_string(start::root().join(document))
        .context(FailureKind::Environment, || format!("{document} cannot be read"))?;
    match rows.iter().map(Row::render).find(|row| !text.contains(row)) {
        None => Ok(()),
        Some(row) => Err(Failure::state(format!("{document} does not say: {}", row.trim()))
            .hint("`cargo bench --bench figures -- replay engine live` writes it again")),
    }
}

fn judge_all(trace: &Trace, kernel: Kernel, drawn: usize) -> Tally {
    let mut tally = Tally { drawn, ..Tally::default() };
    let planted = (f64::from(kernel.planted) / 100.0).ln_1p();
    let rounds = SERIES_S.map(|seconds| trace.rounds_of(seconds));
    for seed in 1..=drawn as u64 {
        let mut random = fastrand::Rng::with_seed(seed);
        let series = draw(&trace.rounds, rounds, &mut random);
        let same = judge(&series, 1);
        tally.same_changed += usize::from(same.first.verdict.is_change());
        tally.same_confirmed += usize::from(same.said.verdict.is_change());
        let changed = judge(&series, 2);
        tally.found += usize::from(changed.first.verdict == Verdict::Regressed);
        tally.found_twice += usize::from(changed.said.verdict == Verdict::Regressed);
        tally.wrong_sign += usize::from(changed.first.verdict == Verdict::Improved);
        let ratio = |percent: f64| (percent / 100.0).ln_1p();
        let covers = changed
            .first
            .effect
            .is_some_and(|effect| ratio(effect.low) <= planted && planted <= ratio(effect.high));
        tally.covered += usize::from(covers);
        tally.detectable.extend(changed.first.detectable_percent);
    }
    tally
}

/// Two series, one right after the other: each is half of the rounds of its stretch of the recording, in their order.
fn draw<'t>(all: &'t [Round], rounds: [usize; 2], random: &mut fastrand::Rng) -> [Vec<&'t Round>; 2] {
    let whole = 2 * rounds.iter().sum::<usize>();
    let mut start = random.usize(0..=all.len().saturating_sub(whole));
    rounds.map(|rounds| {
        let end = (start + 2 * rounds).min(all.len());
        let mut chosen = random.choose_multiple(start..end, rounds);
        chosen.sort_unstable();
        start = end;
        chosen.into_iter().map(|at| &all[at]).collect()
    })
}

/// Judges `variant` against the first one.
fn judge(series: &[Vec<&Round>; 2], variant: usize) -> Answer {
    let ratios = |of: fn(&Round) -> &[f64; 3]| {
        let each = |rounds: &[&Round]| -> Vec<f64> {
            rounds.iter().map(|round| (of(round)[variant] / of(round)[0]).ln()).collect()
        };
        Ratios { first: each(&series[0]), second: each(&series[1]) }
    };
    let question = Question {
        better: Some(Direction::Lower),
        precision: 0.0,
        deciding: ratios(|round| &round.cost),
        other: Some(ratios(|round| &round.felt)),
        looks: vec![series[0].len()],
    };
    answer(&[question], &Terms::default()).remove(0)
}

impl Tally {
    fn share(&self, count: usize) -> f64 {
        count as f64 / self.drawn as f64
    }

    fn rows(&self, kernel: Kernel, condition: Condition) -> Vec<Row> {
        let name = format!("{}, {}", kernel.name, condition.name());
        let percent = |count: usize| format!("{:.2} %", 100.0 * self.share(count));
        vec![
            Row {
                figure: format!("{name}: equal code called changed by a first series"),
                value: percent(self.same_changed),
                bound: "at most 1.5 %",
                met: self.share(self.same_changed) <= MOST_CHANGED,
            },
            Row {
                figure: format!("{name}: and after confirmation"),
                value: percent(self.same_confirmed),
                bound: "at most 0.3 %",
                met: self.share(self.same_confirmed) <= MOST_CONFIRMED,
            },
            Row {
                figure: format!("{name}: {} % more work found in 60 s a side", kernel.planted),
                value: format!("{}, {} after confirmation", percent(self.found), percent(self.found_twice)),
                bound: "at least 90 %",
                met: self.share(self.found) >= LEAST_FOUND,
            },
            Row {
                figure: format!("{name}: called improved instead"),
                value: percent(self.wrong_sign),
                bound: "none",
                met: self.wrong_sign == 0,
            },
            Row {
                figure: format!("{name}: interval holds what was planted"),
                value: percent(self.covered),
                bound: "at least 93 %",
                met: self.share(self.covered) >= LEAST_COVERED,
            },
        ]
    }

    fn raw(&self, kernel: Kernel, condition: Condition, trace: &Trace) -> Value {
        let mut detectable = self.detectable.clone();
        detectable.sort_unstable_by(f64::total_cmp);
        json!({
            "kernel": kernel.name,
            "planted_percent": kernel.planted,
            "condition": condition.name(),
            "rounds": trace.rounds.len(),
            "measured_s": trace.measured_s(),
            "rounds_of_a_series": SERIES_S.map(|seconds| trace.rounds_of(seconds)),
            "drawn": self.drawn,
            "same_changed": self.same_changed,
            "same_confirmed": self.same_confirmed,
            "found": self.found,
            "found_twice": self.found_twice,
            "wrong_sign": self.wrong_sign,
            "covered": self.covered,
            "detectable_percent_median": detectable.get(detectable.len() / 2),
        })
    }
}
