//! A whole phase, killed at every place where it writes.

use super::{Study, recorded};
use crate::support::{machine, trials};
use libtest_mimic::Trial;
use std::fs;

pub fn trials() -> Vec<Trial> {
    trials![
        s30_setup_that_is_killed_anywhere_is_repaired_or_has_not_happened,
        s30_a_baseline_that_is_killed_anywhere_is_repaired_or_has_not_happened,
    ]
}

/// There are many runs here.
const SHORT: [&str; 2] = ["--approve-short=a test", "--duration=0.2"];
/// How many places a run passes; more would mean that the count does not work.
const MOST_PLACES: usize = 200;

fn s30_setup_that_is_killed_anywhere_is_repaired_or_has_not_happened() {
    let _machine = machine();
    each_place(|study| study.setup().args(["--id=killed"]).args(SHORT), &[], Study::new);
}

fn s30_a_baseline_that_is_killed_anywhere_is_repaired_or_has_not_happened() {
    let _machine = machine();
    let begun = || {
        let study = Study::new();
        study.setup().args(SHORT).succeeds();
        study
    };
    each_place(Study::measure, &["setup complete"], begun);
}

/// Kills the command at its first place, its second, and so on, each time in a new project, until it passes
/// fewer places than that; and expects each time that the next command puts things right.
fn each_place(
    command: impl Fn(&Study) -> crate::support::perf::Perf<'_>,
    before: &[&str],
    prepare: impl Fn() -> Study,
) {
    for place in 1..MOST_PLACES {
        let study = prepare();
        let ended = command(&study).env("CARGO_PERF_FAULT_AT", place.to_string()).run();
        if ended.status.code() == Some(0) {
            assert!(place > 10, "only {place} places were passed");
            return;
        }
        assert_eq!(ended.killed_by(), Some(libc::SIGKILL), "place {place}: {ended:#?}");
        // Looking changes nothing, and is never refused.
        let status = study.perf(["status", "--json"]).succeeds().json();
        let seen = match status["result"]["phases"].as_array() {
            Some(records) => records.len(),
            None => 0,
        };
        assert!(seen == before.len() || seen == before.len() + 1, "place {place}: {status}");
        if seen == before.len() {
            command(&study).succeeds();
        } else {
            study.perf(["log", "--check"]).succeeds();
            if before.is_empty() {
                study.measure().succeeds();
            } else {
                study.perf(["next", "--skip-phase=breaking-point=no load"]).succeeds();
            }
        }
        let state = study.state();
        assert_eq!(recorded(&state)[..before.len()], *before, "place {place}");
        assert_eq!(state["phases"].as_array().map(Vec::len), Some(seen + 1), "place {place}: {state}");
        study.perf(["log", "--check"]).succeeds();
        study.perf(["status", "--strict"]).succeeds();
        assert!(study.git_status().is_empty(), "place {place}: {:?}", study.git_status());
        let left: Vec<_> = fs::read_dir(study.path(".claude/perf"))
            .expect("the folder")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
            .filter(|name| !["investigation.json", "investigations", "baselines"].contains(&name.as_str()))
            .collect();
        assert!(left.is_empty(), "place {place}: {left:?}");
    }
    panic!("there are more than {MOST_PLACES} places");
}
