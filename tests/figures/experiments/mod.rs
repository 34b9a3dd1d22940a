//! Whether `cargo perf experiment` is right about changes of which it is known what they do.

mod investigating;
mod kept;
mod planted;

use crate::page::{Figure, PEER, Row};
use crate::{Setting, say};
use cargo_perf_lab::failure::Failure;
use investigating::{Investigating, Said, is_noise};
use kept::Kept;
use planted::{Class, Planted, planted};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// Changes of each class.
const EACH: usize = 20;
/// Measured of each side, twice, where many are tried.
const SHORT: Duration = Duration::from_secs(10);

/// A change, and what was said of it; or why it could not be tried, which is not right either.
struct Tried {
    planted: Planted,
    said: Result<Said, String>,
}

impl Tried {
    fn is_right(&self) -> bool {
        let expected = match self.planted.class {
            Class::Tenth | Class::Quarter => ("accept", "improved"),
            Class::Nothing => ("reject", "unchanged"),
        };
        self.said.as_ref().is_ok_and(|said| (said.experiment.as_str(), said.number.as_str()) == expected)
    }

    fn is_opposite(&self) -> bool {
        self.said.as_ref().is_ok_and(|said| match self.planted.class {
            Class::Tenth | Class::Quarter => said.number == "regressed",
            Class::Nothing => said.experiment == "accept",
        })
    }
}

/// Tries changes, each in an investigation of its kernel. All of them take hours; what was said is kept, and
/// a run that was ended goes on behind the last seed that was tried.
///
/// # Errors
/// What cannot be built or measured.
pub fn measure(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let each = setting.repetitions(EACH, 1);
    let classes = Class::ALL.len();
    let shorts = (1..=each * classes).map(|seed| (seed as u64, Some(setting.measured(SHORT))));
    // With as many seconds as without approval: nothing else is in them when only the suite itself is tried.
    let full = if setting.is_short() { 0 } else { classes };
    let fulls = (1..=full).map(|number| ((each * classes + number) as u64, None));
    let mut investigations: BTreeMap<&'static str, Investigating<'_>> = BTreeMap::new();
    let mut tried = Vec::new();
    let mut kept = if setting.is_short() { None } else { Some(Kept::open(each * classes + full)?) };
    for (seed, short) in shorts.chain(fulls) {
        let planted = planted(seed)?;
        if let Some(said) = kept.as_ref().and_then(|kept| kept.said(seed)) {
            tried.push(Tried { planted, said });
            continue;
        }
        say(&format!("experiments: seed {seed} of {}", each * classes + full));
        let open = match investigations.remove(planted.kernel) {
            Some(open) => Ok(open),
            None => match Investigating::begin(planted.kernel, setting, seed) {
                // Whoever cannot have a baseline on such a machine can try no change either.
                Err(failure) if !is_noise(&failure) => return Err(failure),
                begun => begun,
            },
        };
        // Each seed counts, whatever becomes of it: a run that ends there would be one to be drawn again.
        let tried_out = open.and_then(|open| open.try_change(&planted, short).map(|said| (open, said)));
        let said = match tried_out {
            Ok((open, said)) => {
                investigations.insert(planted.kernel, open);
                Ok(said)
            }
            Err(failure) => {
                setting.interrupt.check()?;
                Err(failure.message)
            }
        };
        say(&format!("experiments: seed {seed}, {}: {}", planted.class.name(), told(&said)));
        if let Some(kept) = &mut kept {
            kept.keep(seed, &said)?;
        }
        tried.push(Tried { planted, said });
    }
    let full = tried.split_off(each * classes);
    Ok(vec![figure(&tried, &full)])
}

fn told(said: &Result<Said, String>) -> String {
    match said {
        Ok(said) => format!("{}, {}, {}", said.experiment, said.number, said.effect),
        Err(why) => format!("not tried, {why}"),
    }
}

fn figure(tried: &[Tried], full: &[Tried]) -> Figure {
    let right = |tried: &[&Tried]| (tried.iter().filter(|one| one.is_right()).count(), tried.len());
    let mut rows: Vec<Row> = Class::ALL
        .into_iter()
        .map(|class| {
            let of: Vec<&Tried> = tried.iter().filter(|one| one.planted.class == class).collect();
            let (count, all) = right(&of);
            Row {
                figure: format!("{}: right", class.name()),
                value: format!("{count} of {all}"),
                bound: "at least 18 of 20",
                met: count * 20 >= 18 * all,
            }
        })
        .collect();
    let (count, all) = right(&tried.iter().collect::<Vec<_>>());
    rows.push(Row {
        figure: "all together: right".to_owned(),
        value: format!("{count} of {all}"),
        bound: "at least 56 of 60",
        met: count * 60 >= 56 * all,
    });
    let opposite = tried.iter().chain(full).filter(|one| one.is_opposite()).count();
    rows.push(Row {
        figure: "the opposite of what is true".to_owned(),
        value: format!("{opposite} of {}", tried.len() + full.len()),
        bound: "none",
        met: opposite == 0,
    });
    let (count, all) = right(&full.iter().collect::<Vec<_>>());
    rows.push(Row {
        figure: "at 60 s a side and series, one of each class: right".to_owned(),
        value: format!("{count} of {all}"),
        bound: "all",
        met: count == all,
    });
    let all = || tried.iter().chain(full);
    let untried = all().filter(|one| one.said.is_err()).count();
    let again: usize = all().filter_map(|one| one.said.as_ref().ok()).map(|said| said.baselines_again).sum();
    rows.extend(
        [
            ("could not be tried, and counted as not right", format!("{untried} of {}", all().count())),
            ("baselines that had to be measured again before", again.to_string()),
        ]
        .map(|(figure, value)| Row { figure: figure.to_owned(), value, bound: PEER, met: true }),
    );
    let raw = |one: &Tried| {
        let said = one.said.as_ref();
        json!({
            "seed": one.planted.seed,
            "class": one.planted.class.name(),
            "kernel": one.planted.kernel,
            "verdict": said.ok().map(|said| &said.experiment),
            "number": said.ok().map(|said| &said.number),
            "effect": said.ok().map(|said| &said.effect),
            "baselines_again": said.ok().map(|said| said.baselines_again),
            "untried": said.err(),
        })
    };
    Figure {
        name: "experiments",
        title: "Changes whose effect is known",
        how: "Changes of `fixtures/kernels` by seeds 1 to 63: the classes take turns, the kernel of five and the form of \
              the change are drawn. Each is tried with `cargo perf experiment --patch` in an investigation of its kernel, \
              with a series of 10 s a side, which grows while it says nothing and ten minutes have not gone by, and one of half \
              as much; the last three with 60 s. Right is `accept` with `improved` for what saves \
              work, and `reject` with `unchanged` for what does nothing. When the control run disagrees with the stored \
              baseline, that is measured again, as the command says. A change that cannot be tried counts as not right. \
              Each seed is tried once; what was said is in `fixtures/experiments-said`."
            .to_owned(),
        rows,
        raw: json!(all().map(raw).collect::<Vec<_>>()),
    }
}
