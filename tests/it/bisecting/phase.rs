//! The search as the third phase of an investigation: state, log, commit, and what comes next.

use super::SHORT;
use crate::investigation::Study;
use crate::support::{machine, trials};
use libtest_mimic::Trial;
use serde_json::{Value, json};

pub fn trials() -> Vec<Trial> {
    trials![
        s41_the_phase_is_stored_logged_and_committed,
        a_search_without_an_answer_is_no_phase_that_is_done,
        sources_that_are_in_no_commit_are_refused,
        without_terms_of_a_load_the_question_is_asked,
    ]
}

/// A study of `service` with its baseline.
fn studied() -> Study {
    let study = Study::of("load-cases");
    let setup = study.terms("p99_ms < 20").args(["--filter=service"]);
    let stored = setup.succeeds().json();
    assert_eq!(stored["result"]["benchmark"]["load"]["while"], "p99_ms < 10", "{stored}");
    // It waits instead of computing, which is no matter for runs that are counted.
    study.perf(["baseline", "--runs=3", crate::support::sandbox::NOISY]).run();
    study
}

fn s41_the_phase_is_stored_logged_and_committed() {
    let _machine = machine();
    let study = studied();
    let next = study.status()["next"]["argv"].clone();
    assert_eq!(next, json!(["cargo", "perf", "bisect-load"]), "what is declared of the load is enough");
    // Both the command and `next` carry it out.
    let answer = study.perf(["next", "--json"]).args(SHORT).succeeds().json();
    let state = study.state();
    let found = &state["breakingPoint"];
    assert_eq!((&found["status"], &found["condition"]), (&json!("found"), &json!("p99_ms < 10")));
    let low = found["interval"]["low"].as_u64().expect("a load");
    assert!((110..=120).contains(&low), "{found}");
    let history = state["breakingPointHistory"].as_array().expect("probes");
    assert_eq!(history.len(), answer["result"]["search"]["probes"].as_array().expect("probes").len());
    for name in ["value", "ok", "metrics", "duration", "reason", "attempt"] {
        assert!(history[0].get(name).is_some(), "{name}: {}", history[0]);
    }
    assert_eq!(state["phase"], "constraints");
    let log = study.log();
    let section = &log[log.find("## Breaking point").expect("a section")..];
    for part in
        ["Searched: the smallest load from 1 to 500 without p99_ms < 10", "Found: breaks at", "Probes: "]
    {
        assert!(section.contains(part), "{part} is not in {section}");
    }
    assert!(
        section.contains("waived") && section.contains("a test"),
        "the short probes were approved: {section}"
    );
    let subject = &study.subjects()[0];
    assert!(subject.contains("breaking-point") && subject.contains("breaks at"), "{subject}");
    let committed: Value =
        serde_json::from_str(&study.committed(crate::investigation::STATE)).expect("the state is JSON");
    assert_eq!(&committed["breakingPoint"], found);
    study.perf(["log", "--check"]).succeeds();
    let report = study.perf(["report"]).succeeds().stdout;
    assert!(report.contains("breaks at"), "{report}");
}

fn a_search_without_an_answer_is_no_phase_that_is_done() {
    let _machine = machine();
    let study = studied();
    let before = study.state();
    let ended = study.perf(["bisect-load", "--param-min=200"]).args(SHORT).run();
    ended.assert_refused(6, "already the smallest load fails", "--param-min");
    assert_eq!(study.state(), before);
    assert_eq!(study.subjects().len(), 3, "setup, baseline, and the first commit");
}

fn sources_that_are_in_no_commit_are_refused() {
    let _machine = machine();
    let study = studied();
    study.write("more", "a source");
    study.perf(["bisect-load"]).args(SHORT).fails(5, "rule 6 (clean baseline)", "PERF_ALLOW_DIRTY");
}

fn without_terms_of_a_load_the_question_is_asked() {
    let _machine = machine();
    let study = Study::measured();
    let question = study.status()["next"]["question"].as_str().expect("a question").to_owned();
    assert!(question.contains("cargo perf bisect-load --while"), "{question}");
    assert!(question.ends_with("cargo perf next --skip-phase 'breaking-point=why'"), "{question}");
}
