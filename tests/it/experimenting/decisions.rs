//! What follows from experiments, what is decided, and what is left of an investigation.

use super::Bench;
use crate::investigation::{NOISY, STATE};
use crate::support::cases::command;
use crate::support::{machine, trials};
use libtest_mimic::Trial;
use serde_json::{Value, json};

pub fn trials() -> Vec<Trial> {
    trials![
        s24_success_leads_to_stop_and_one_baseline_with_the_new_numbers,
        s24_an_improvement_that_does_not_suffice_leads_back,
        s24_changes_of_no_use_lead_to_stop_and_the_baseline_stays,
        s24_the_best_change_is_kept_whatever_came_last,
        s24_a_change_that_is_committed_is_not_consolidated_again,
        s24_disagreement_is_recorded_as_such,
        s24_a_baseline_of_the_same_sources_forgets_nothing,
        s25_a_baseline_behind_the_decision_wants_another_one,
        s24_what_is_kept_can_be_said,
        t08_what_is_gone_is_claimed_no_more,
        t08_a_report_of_an_earlier_investigation_is_about_that_one,
        k07_a_change_that_is_accepted_and_rejected_is_neither,
        s24_a_doubt_is_settled_by_another_try,
        s25_a_baseline_that_was_measured_since_is_not_written_over,
        s45_a_decision_needs_a_verdict_and_a_reason,
        s25_without_a_decision_to_stop_nothing_is_consolidated,
    ]
}

/// S-24, S-25, S-45, S-46, C-23.
fn s24_success_leads_to_stop_and_one_baseline_with_the_new_numbers() {
    let _machine = machine();
    let bench = Bench::new();
    bench.change("a=9");
    let answer = bench.experiment(&[]).succeeds().json();
    // What is printed to be pasted runs.
    let next: Vec<String> = serde_json::from_value(answer["next"]["argv"].clone()).expect("a command");
    assert_eq!(next[..4], ["cargo", "perf", "decide", "stop"]);
    let decided = bench.perf(&next[2..]).args(["--json"]).succeeds().json();
    let decision = &decided["result"]["decision"];
    assert_eq!((&decision["verdict"], &decision["agrees"]), (&json!("stop"), &json!(true)));
    assert_eq!(
        (&decision["recommendation"]["keep"], &decision["recommendation"]["success"]),
        (&json!("E1"), &json!(true))
    );
    let next: Vec<String> = serde_json::from_value(decided["next"]["argv"].clone()).expect("a command");
    assert_eq!(next, ["cargo", "perf", "consolidate"]);
    bench.perf(&next[2..]).succeeds();
    let state = bench.state();
    assert_eq!((&state["status"], &state["phase"]), (&json!("complete"), &json!("consolidation")));
    let stored = bench.stored("v1");
    assert_eq!(stored["benches"][0]["metrics"][0]["value"], 9.0);
    assert!(stored["benches"][0]["forks"].as_array().is_some_and(|forks| forks.len() >= 20));
    let listed = bench.perf(["baselines", "--json"]).succeeds().json();
    assert_eq!(listed["result"]["baselines"].as_array().map(Vec::len), Some(1), "{listed}");
    // The numbers of the first baseline are gone, as they have to be, and that is no damage.
    let checked = bench.perf(["log", "--check", "--json"]).succeeds().json()["result"].clone();
    assert!(
        checked["replaced"].to_string().contains("baseline: .claude/perf/baselines/v1.json#/benches/0"),
        "{checked}"
    );
    // S-46: what the origin's log says.
    for line in ["Version: v1", "Path: .claude/perf/baselines/v1.json"] {
        assert!(bench.log().contains(line), "{line} is not in {}", bench.log());
    }
    // C-23: nothing is written any more.
    let before = (bench.read(STATE), bench.log());
    bench.experiment(&[]).fails(6, "no investigation is open", "setup");
    bench.perf(["decide", "stop", "--rationale=x"]).fails(6, "no investigation is open", "setup");
    bench.perf(["consolidate"]).fails(6, "no investigation is open", "setup");
    assert_eq!((bench.read(STATE), bench.log()), before);
}

fn s24_an_improvement_that_does_not_suffice_leads_back() {
    let _machine = machine();
    let bench = Bench::saying("a=10", "a < 8.5", &["--metric=a:ms:lower"]);
    bench.change("a=9");
    bench.experiment(&[]).succeeds();
    let recommended = bench.perf(["decide", "--json"]).run();
    recommended.assert_refused(6, "nothing was decided", "cargo perf decide continue --rationale");
    let recommendation = recommended.json()["result"]["recommendation"].clone();
    assert_eq!((&recommendation["verdict"], &recommendation["success"]), (&json!("continue"), &json!(false)));
    assert!(
        recommendation["reasons"][0]
            .as_str()
            .is_some_and(|why| why.contains("does not hold, 9 ms against 8.5")),
        "{recommendation}"
    );
    let answer = bench.perf(["decide", "continue", "--rationale=more to come", "--json"]).succeeds().json();
    assert_eq!(answer["next"]["argv"], json!(["cargo", "perf", "experiment"]));
    assert_eq!(bench.state()["phase"], "optimization");
    bench.perf(["consolidate"]).fails(6, "consolidation comes after", "cargo perf experiment");
    bench.change("a=8");
    let answer = bench.experiment(&[]).succeeds().json();
    assert_eq!(answer["result"]["experiment"]["id"], "E2");
    bench.perf(["decide", "stop", "--rationale=done"]).succeeds();
    bench.perf(["consolidate"]).succeeds();
    assert_eq!(bench.stored("v1")["benches"][0]["metrics"][0]["value"], 8.0);
}

fn s24_changes_of_no_use_lead_to_stop_and_the_baseline_stays() {
    let _machine = machine();
    let bench = Bench::new();
    bench.write("unrelated", "of no effect\n");
    bench.experiment(&[]).succeeds();
    let before = bench.read(".claude/perf/baselines/v1.json");
    let recommended = bench.perf(["decide", "--json"]).run().json();
    let recommendation = &recommended["result"]["recommendation"];
    assert_eq!((&recommendation["verdict"], &recommendation["keep"]), (&json!("stop"), &Value::Null));
    bench.perf(["decide", "stop", "--rationale=nothing helps"]).succeeds();
    bench.perf(["consolidate"]).succeeds();
    assert_eq!(bench.read(".claude/perf/baselines/v1.json"), before);
}

fn s24_the_best_change_is_kept_whatever_came_last() {
    let _machine = machine();
    let bench = Bench::saying("a=10", "a < 6", &["--metric=a:ms:lower"]);
    for (says, expected) in [("a=5", ("stop", "E1")), ("a=9", ("stop", "E1")), ("a=4", ("stop", "E3"))] {
        bench.change(says);
        bench.experiment(&[]).succeeds();
        let recommended = bench.perf(["decide", "--json"]).run().json()["result"]["recommendation"].clone();
        assert_eq!(
            (&recommended["verdict"], &recommended["keep"]),
            (&json!(expected.0), &json!(expected.1)),
            "{says}"
        );
    }
    let report = bench.perf(["report", "--json"]).succeeds().json()["result"].clone();
    assert_eq!(report["recommendations"].as_array().map(Vec::len), Some(3), "each accepted one: {report}");
    bench.perf(["decide", "stop", "--rationale=enough"]).succeeds();
    bench.perf(["consolidate"]).succeeds();
    let report = bench.perf(["report", "--json"]).succeeds().json()["result"].clone();
    assert_eq!(report["recommendations"].as_array().map(Vec::len), Some(1), "what is kept: {report}");
    assert!(report["recommendations"][0]["text"].to_string().contains("cargo perf apply E3"), "{report}");
    let abandoned = report["abandoned"].to_string();
    assert_eq!(abandoned.matches("it was decided not to keep it").count(), 2, "{abandoned}");
}

fn s24_a_change_that_is_committed_is_not_consolidated_again() {
    let _machine = machine();
    let bench = Bench::new();
    bench.change("a=9");
    bench.experiment(&[]).succeeds();
    bench.perf(["decide", "continue", "--rationale=more"]).succeeds();
    bench.commit_all();
    bench.perf(["baseline", NOISY]).succeeds();
    bench.change("a=11");
    bench.experiment(&[]).succeeds();
    let recommended = bench.perf(["decide", "--json"]).run().json()["result"]["recommendation"].clone();
    assert_eq!((&recommended["verdict"], &recommended["keep"]), (&json!("stop"), &Value::Null));
    let before = bench.read(".claude/perf/baselines/v1.json");
    bench.perf(["decide", "stop", "--rationale=enough"]).succeeds();
    bench.perf(["consolidate"]).succeeds();
    assert_eq!(bench.read(".claude/perf/baselines/v1.json"), before);
}

fn s24_a_baseline_of_the_same_sources_forgets_nothing() {
    let _machine = machine();
    let bench = Bench::saying("a=10", "a < 8.5", &["--metric=a:ms:lower"]);
    bench.change("a=9");
    bench.experiment(&[]).succeeds();
    bench.perf(["decide", "continue", "--rationale=more"]).succeeds();
    bench.change("a=10");
    bench.perf(["baseline", NOISY]).succeeds();
    bench.change("a=11");
    bench.experiment(&[]).succeeds();
    let recommended = bench.perf(["decide", "--json"]).run().json()["result"]["recommendation"].clone();
    assert_eq!((&recommended["verdict"], &recommended["keep"]), (&json!("continue"), &json!("E1")));
}

fn s25_a_baseline_behind_the_decision_wants_another_one() {
    let _machine = machine();
    let bench = Bench::new();
    bench.change("a=9");
    bench.experiment(&[]).succeeds();
    bench.perf(["decide", "stop", "--rationale=good"]).succeeds();
    bench.commit_all();
    bench.perf(["baseline", NOISY]).succeeds();
    let before = bench.read(".claude/perf/baselines/v1.json");
    bench.perf(["consolidate"]).fails(6, "consolidation comes after decision", "cargo perf decide");
    let recommended = bench.perf(["decide", "--json"]).run().json()["result"]["recommendation"].clone();
    assert_eq!((&recommended["verdict"], &recommended["keep"]), (&json!("stop"), &Value::Null));
    let why = recommended["why"].as_str().expect("a reason");
    assert!(why.contains("E1 meets the condition") && why.contains("on other sources since"), "{why}");
    bench.perf(["decide", "stop", "--rationale=committed"]).succeeds();
    bench.perf(["consolidate"]).succeeds();
    assert_eq!(bench.read(".claude/perf/baselines/v1.json"), before);
}

fn s24_what_is_kept_can_be_said() {
    let _machine = machine();
    let bench = Bench::new();
    bench.change("a=9");
    bench.experiment(&[]).succeeds();
    bench.perf(["decide", "stop", "--rationale=x", "--keep=E7"]).fails(
        2,
        "E7 is no accepted",
        "none or one of: E1",
    );
    let before = bench.read(".claude/perf/baselines/v1.json");
    let answer =
        bench.perf(["decide", "stop", "--rationale=too clever", "--keep=none", "--json"]).succeeds().json();
    assert_eq!(answer["result"]["decision"]["agrees"], false);
    bench.perf(["consolidate"]).succeeds();
    assert_eq!(bench.read(".claude/perf/baselines/v1.json"), before);
}

/// T-08: what was measured of an experiment is removed.
fn t08_what_is_gone_is_claimed_no_more() {
    let _machine = machine();
    let bench = Bench::new();
    bench.change("a=9");
    bench.experiment(&[]).succeeds();
    let file = bench.experiments()[0]["finding"]["comparison"]["path"].as_str().expect("a path").to_owned();
    let held = bench.read(&file);
    let report = || bench.perf(["report", "--json"]).succeeds().json()["result"].clone();
    assert_eq!(report()["recommendations"].as_array().map(Vec::len), Some(1));
    for lost in [None, Some(held.replace("\"candidate\"", "\"candidatE\""))] {
        match &lost {
            None => std::fs::remove_file(bench.path(&file)).expect("a file"),
            Some(changed) => bench.write(&file, changed),
        }
        let found = report();
        assert_eq!(found["recommendations"], json!([]), "{found}");
        assert!(!found["summary"]["findings"].to_string().contains("E1"), "{found}");
        let lacks = found["insufficient"].to_string();
        assert!(
            lacks.contains("what was measured of E1 is gone or was changed")
                && lacks.contains("cargo perf experiment --patch"),
            "{lacks}"
        );
        let text = bench.perf(["report"]).succeeds().stdout;
        assert!(!text.contains("accept, better"), "{text}");
    }
    bench.write(&file, &held);
    assert_eq!(report()["recommendations"].as_array().map(Vec::len), Some(1));
}

/// T-08: the state of an investigation moves, and two of one version share its baseline.
fn t08_a_report_of_an_earlier_investigation_is_about_that_one() {
    let _machine = machine();
    let bench = Bench::new();
    bench.change("a=9");
    bench.experiment(&[]).succeeds();
    bench.perf(["decide", "stop", "--rationale=good"]).succeeds();
    bench.perf(["consolidate"]).succeeds();
    let id = bench.id();
    let report = || bench.perf(["report", "--json", "--id", &id]).succeeds().json()["result"].clone();
    let numbers = "baseline v1 has the numbers of E1";
    assert!(report()["summary"]["findings"].to_string().contains(numbers));
    let command = command(&["reads", "says"]);
    let other = bench.terms("a < 9").args(["--metric=a:ms:lower", "--runs=10", "--id=other"]);
    other.args(["--command", &command]).succeeds();
    let found = report();
    assert!(found["summary"]["findings"].to_string().contains(numbers), "{found}");
    for said in ["summary", "recommendations", "abandoned"].map(|part| found[part].to_string()) {
        assert!(!said.contains("perf/investigation.json"), "{said}");
    }
    let page = bench.aside.join("page.html");
    bench.perf(["report", "--id", &id, "--html"]).args([&page]).succeeds();
    let html = std::fs::read_to_string(&page).expect("a page");
    // Its log says what was true then.
    let place = |file: &str| html.contains(&format!("<code>.claude/perf/{file}"));
    assert!(place(&format!("investigations/{id}.json#/")) && !place("investigation.json"), "{html}");
    // The other one measures the same version.
    bench.change("a=10");
    bench.perf(["baseline", NOISY]).succeeds();
    let found = report();
    assert!(!found["summary"]["findings"].to_string().contains(numbers), "{found}");
    let lacks = found["insufficient"].to_string();
    assert!(lacks.contains("baselines/v1.json is gone, or is not what this investigation stored"), "{lacks}");
    // A change that is gone cannot be applied.
    let recommended = found["recommendations"].to_string();
    assert!(recommended.contains("cargo perf apply E1"), "{recommended}");
    std::fs::remove_file(bench.path(format!(".claude/perf/experiments/{id}-E1.patch"))).expect("a patch");
    let recommended = report()["recommendations"].to_string();
    assert!(
        !recommended.contains("cargo perf apply")
            && recommended.contains(&format!("refs/perf-experiments/{id}/E1")),
        "{recommended}"
    );
}

/// K-07: whoever tries one change until it is accepted has found nothing.
fn k07_a_change_that_is_accepted_and_rejected_is_neither() {
    let _machine = machine();
    let bench = Bench::new();
    bench.change("a=9");
    bench.experiment(&[]).succeeds();
    bench.experiment(&[]).succeeds();
    // As if the machine had said something else then.
    let mut state = bench.state();
    state["experiments"][1]["finding"]["verdict"] = json!("reject");
    bench.write(STATE, &state.to_string());
    let decided = bench.perf(["decide", "--json"]).run().json()["result"]["recommendation"].clone();
    assert_eq!((&decided["verdict"], &decided["keep"]), (&json!("continue"), &Value::Null));
    let report = bench.perf(["report", "--json"]).succeeds().json()["result"].clone();
    assert_eq!(
        (&report["recommendations"], &report["insufficient"].as_array().map(Vec::len)),
        (&json!([]), &Some(1))
    );
    assert!(report["insufficient"].to_string().contains("what was said of it does not agree"), "{report}");
    bench.perf(["apply", "E1"]).fails(6, "what else was said of its change does not agree", "git apply");
    bench.perf(["decide", "stop", "--rationale=x", "--keep=E1"]).fails(2, "E1 is no accepted", "--keep none");
    bench.experiment(&[]).succeeds();
    let decided = bench.perf(["decide", "--json"]).run().json()["result"]["recommendation"].clone();
    assert_eq!((&decided["verdict"], &decided["keep"]), (&json!("stop"), &json!("E3")));
    let abandoned = bench.perf(["report", "--json"]).succeeds().json()["result"]["abandoned"].to_string();
    assert!(abandoned.contains("it counts less than the accept of the same change"), "{abandoned}");
}

/// The state is committed between two tries of one change, so its tree is never the same.
fn s24_a_doubt_is_settled_by_another_try() {
    let _machine = machine();
    let bench = Bench::new();
    bench.change("a=9");
    bench.experiment(&[]).succeeds();
    // As if nothing could have been told of it.
    let mut state = bench.state();
    state["experiments"][0]["finding"]["verdict"] = json!("inconclusive");
    state["experiments"][0]["finding"]["doubt"] = json!("noise");
    bench.write(STATE, &state.to_string());
    let recommended = || bench.perf(["decide", "--json"]).run().json()["result"]["recommendation"].clone();
    let why = recommended()["why"].to_string();
    assert!(why.contains("nothing can be told of E1 yet: try it for longer with --max-time"), "{why}");
    bench.experiment(&[]).succeeds();
    let found = recommended();
    assert_eq!((&found["verdict"], &found["keep"]), (&json!("stop"), &json!("E2")));
    let lacks = bench.perf(["report", "--json"]).succeeds().json()["result"]["insufficient"].to_string();
    assert!(!lacks.contains("E1"), "{lacks}");
}

/// It is of the same sources, and says something else.
fn s25_a_baseline_that_was_measured_since_is_not_written_over() {
    let _machine = machine();
    let bench = Bench::new();
    bench.change("a=9");
    let experiment = bench.perf(["experiment", "--accept-noise=a test", "--json"]);
    experiment.succeeds();
    bench.change("a=10");
    bench.perf(["baseline", NOISY]).succeeds();
    let file = ".claude/perf/baselines/v1.json";
    let mut stored: Value = serde_json::from_str(&bench.read(file)).expect("a baseline");
    stored["env"]["machine"]["cpu_model"] = json!("another one");
    bench.write(file, &stored.to_string());
    bench.perf(["decide", "stop", "--rationale=good"]).succeeds();
    let before = bench.read(file);
    let refused = bench.perf(["consolidate"]).run();
    refused.assert_refused(5, "is of another machine", "decide stop --keep none");
    assert_eq!(bench.read(file), before);
    bench.perf(["decide", "stop", "--rationale=good", "--keep=none"]).succeeds();
    bench.perf(["consolidate"]).succeeds();
    assert_eq!(bench.read(file), before);
}

fn s24_disagreement_is_recorded_as_such() {
    let _machine = machine();
    let bench = Bench::new();
    bench.change("a=9");
    bench.experiment(&[]).succeeds();
    let answer = bench.perf(["decide", "--verdict=continue", "--rationale=I want more", "--json"]).succeeds();
    assert!(answer.stdout.contains("\"agrees\":false"), "{answer:#?}");
    let log = bench.log();
    assert!(
        log.contains("decided: continue, I want more") && log.contains("not what was recommended"),
        "{log}"
    );
}

fn s45_a_decision_needs_a_verdict_and_a_reason() {
    let _machine = machine();
    let bench = Bench::new();
    bench.perf(["decide", "stop", "--rationale=x"]).fails(
        6,
        "decision comes after optimization",
        "cargo perf experiment",
    );
    bench.change("a=9");
    bench.experiment(&[]).succeeds();
    let before = (bench.read(STATE), bench.log());
    bench.perf(["decide", "banana", "--rationale=x"]).fails(2, "banana", "");
    bench.perf(["decide", "stop"]).fails(2, "needs a reason", "--rationale");
    bench.perf(["decide", "stop", "--rationale= "]).fails(2, "needs a reason", "--rationale");
    bench.perf(["decide", "stop", "--verdict=stop", "--rationale=x"]).fails(2, "verdict", "");
    // What is refused leaves no phase out either.
    bench.perf(["decide", "stop", "--rationale=x", "--keep=E9"]).fails(2, "E9 is no accepted", "E1");
    assert_eq!((bench.read(STATE), bench.log()), before);
    // the words of the origin.
    bench.perf(["decide", "abandon", "--rationale=enough"]).succeeds();
    assert_eq!(bench.state()["decision"]["verdict"], "stop");
}

fn s25_without_a_decision_to_stop_nothing_is_consolidated() {
    let _machine = machine();
    let bench = Bench::new();
    bench.change("a=9");
    bench.experiment(&[]).succeeds();
    let before = (bench.read(STATE), bench.log(), bench.read(".claude/perf/baselines/v1.json"));
    bench.perf(["consolidate"]).fails(6, "consolidation comes after decision", "cargo perf decide");
    assert_eq!((bench.read(STATE), bench.log(), bench.read(".claude/perf/baselines/v1.json")), before);
    bench.perf(["decide", "stop", "--rationale=good"]).succeeds();
    // What was stored of the experiment is gone.
    let file = bench.experiments()[0]["finding"]["comparison"]["path"].as_str().expect("a path").to_owned();
    let held = bench.read(&file);
    bench.write(&file, &held.replace("\"candidate\"", "\"candidatE\""));
    bench.perf(["consolidate"]).fails(10, "is not what was stored", "version control");
    bench.write(&file, &held);
    bench.perf(["consolidate"]).succeeds();
}
