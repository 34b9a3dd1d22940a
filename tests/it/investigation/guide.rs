//! A program that knows nothing but the guide drives an investigation, in a shell with a time limit.

use super::{Study, recorded};
use crate::support::{machine, trials};
use libtest_mimic::Trial;
use serde_json::Value;
use std::time::Duration;

pub fn trials() -> Vec<Trial> {
    trials![an_agent_drives_an_investigation_from_the_guide_alone]
}

/// Shells of agents stop what takes longer.
const LIMIT: Duration = Duration::from_secs(120);
/// More calls than any investigation of this size needs.
const MOST_CALLS: usize = 40;

/// What the guide calls its placeholders, filled in as an agent would who was told what to look at.
fn filled(word: &str, id: &str) -> String {
    match word {
        "SCENARIO" => "reading zones".to_owned(),
        "QUOTE" => "make it fast".to_owned(),
        "CONDITION" => "mean_ms < 20".to_owned(),
        "VERSION" => "v1".to_owned(),
        "ID" => id.to_owned(),
        "CHANGE" => "read another way".to_owned(),
        word => word.replace("WHY", "not asked for"),
    }
}

fn an_agent_drives_an_investigation_from_the_guide_alone() {
    let _machine = machine();
    let study = Study::new();
    let guide = study.perf(["guide", "investigation", "--json"]).succeeds().json();
    let steps = guide["result"]["investigation"]["steps"].as_array().expect("steps").clone();
    let ids = study.perf(["list", "--json"]).succeeds().ids();
    let mut calls = 0;
    let mut refused = Vec::new();
    for step in &steps {
        let argv: Vec<String> = words(&step["argv"]).iter().map(|word| filled(word, &ids[0])).collect();
        assert_eq!(argv[..2], ["cargo", "perf"]);
        if argv[2] == "experiment" {
            study.write("case.sh", &format!("{}\n# another way\n", study.read("case.sh")));
        }
        loop {
            calls += 1;
            assert!(calls < MOST_CALLS, "it never ends");
            // A true minute is measured elsewhere; the approval is what a user would give.
            let short: &[&str] = match argv[2].as_str() {
                "baseline" | "experiment" => &["--approve-short=a test", "--duration=3", super::NOISY],
                _ => &[],
            };
            let ended = study.perf(&argv[2..]).args(short).args(["--json"]).run();
            assert!(ended.wall < LIMIT, "{argv:?} took {:?}", ended.wall);
            match (argv[2].as_str(), ended.status.code()) {
                (_, Some(0)) => break,
                // What the guide says of a phase that this version does not carry out.
                ("next", Some(6)) => {
                    refused.push(argv.clone());
                    break;
                }
                ("wait", Some(75)) => {}
                _ => panic!("{argv:?}: {ended:#?}"),
            }
        }
    }
    let state = study.state();
    assert_eq!(state["status"], "complete", "{state}");
    assert_eq!(recorded(&state).len(), 10);
    assert_eq!(refused, [["cargo", "perf", "next"]], "and nothing else");
    study.perf(["log", "--check"]).succeeds();
}

fn words(argv: &Value) -> Vec<String> {
    argv.as_array().expect("words").iter().map(|word| word.as_str().expect("text").to_owned()).collect()
}
