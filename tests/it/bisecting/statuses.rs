//! How a search ends: each status with its exit code, and no number where there is no answer.

use super::{WHILE, counting, found};
use crate::support::sandbox::Sandbox;
use crate::support::{machine, trials};
use libtest_mimic::Trial;
use serde_json::{Value, json};

pub fn trials() -> Vec<Trial> {
    trials![
        s18_where_a_value_reaches_its_limit_is_found,
        s18_where_an_exit_code_changes_is_found_to_the_load,
        s18_a_range_that_passes_has_no_breaking_point,
        s18_a_range_that_fails_has_none_either,
        beyond_the_range_it_is_looked_for_where_asked,
        a_search_that_may_probe_little_says_so,
        a_search_that_may_last_little_says_so,
        one_wrong_answer_does_not_mislead_it,
        larger_loads_that_pass_again_are_told,
        a_generator_at_its_limit_is_no_breaking_point,
        a_machine_that_has_changed_says_nothing,
        hangs_and_kills_are_fails,
        decimals_and_negative_loads_are_searched,
    ]
}

/// The answer of a search that ends with `code`, and `status`.
fn ends(sandbox: &Sandbox, words: &[&str], flags: &[&str], (code, status): (i32, &str)) -> Value {
    let ended = sandbox.search(words).args(flags).args(["--json"]).run();
    assert_eq!(ended.status.code(), Some(code), "{ended:#?}");
    sandbox.assert_no_process_left();
    let answer = ended.json();
    assert_eq!(found(&answer)["status"], status, "{answer}");
    assert_eq!(
        (&answer["schema"], &answer["phase"]),
        (&json!("cargo-perf/bisect-load"), &json!("breaking-point"))
    );
    answer
}

/// The interval holds `edge` and is no wider than asked for.
fn expect_edge(answer: &Value, edge: f64) {
    let number = |name: &str| found(answer).pointer(name).and_then(Value::as_f64).expect("a number");
    let (low, high) = (number("/interval/low"), number("/interval/high"));
    assert!(low <= edge && edge <= high, "{edge} is not in {low} to {high}");
    assert!(high / low < 1.12, "{low} to {high} is wide");
    assert!(number("/safe") < edge && (low..=high).contains(&number("/smallest_failing")), "{answer}");
}

fn s18_where_a_value_reaches_its_limit_is_found() {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    let answer = ends(&sandbox, &["breaks", "120"], &[WHILE], (0, "found"));
    expect_edge(&answer, 120.0);
    assert!(counting(&answer).len() < 30, "a straight line: {answer}");
    // The run behind it was at the safe load, and each probe tells what it saw.
    let finish = counting(&answer).into_iter().find(|probe| probe["purpose"] == "finish").expect("a finish");
    assert_eq!((&finish["value"], &finish["ok"]), (&found(&answer)["safe"], &json!(true)));
    assert!(finish["duration_s"].as_f64().is_some_and(|seconds| seconds >= 0.2), "{finish}");
    assert!(finish["metrics"]["p99_ms"].as_f64().is_some_and(|value| value < 10.0), "{finish}");
    // People see the same, and the limit.
    let text = sandbox.search(&["breaks", "120"]).args([WHILE]).succeeds();
    assert!(text.stdout.contains("breaks at 1") && text.stdout.contains('│'), "{text:#?}");
    assert!(
        text.stderr.contains("plan: up to 40 probes") && text.stderr.contains("probe 1 at 1"),
        "{text:#?}"
    );
    // The fixture's own terms say the same in perf.toml.
    let own =
        sandbox.perf(["bisect-load", "--filter=service", "--json"]).args(super::SHORT).succeeds().json();
    expect_edge(&own, 120.0);
    assert_eq!(found(&own)["condition"], "p99_ms < 10");
}

fn s18_where_an_exit_code_changes_is_found_to_the_load() {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    let flags = ["--tolerance=0", "--param-max=300"];
    let answer = ends(&sandbox, &["exits", "97"], &flags, (0, "found"));
    let found = found(&answer);
    assert_eq!(found["interval"], json!({"low": 97, "high": 97, "open": false}), "{answer}");
    assert_eq!((&found["smallest_failing"], &found["safe"]), (&json!(97), &json!(96)));
}

fn s18_a_range_that_passes_has_no_breaking_point() {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    let answer = ends(&sandbox, &["exits", "900"], &[], (0, "max_passes"));
    expect_no_number(&answer);
    assert_eq!(found(&answer)["passes"], 500);
    assert!(answer["findings"][0]["text"].as_str().is_some_and(|text| text.contains("does not break")));
}

fn s18_a_range_that_fails_has_none_either() {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    let answer = ends(&sandbox, &["exits", "5"], &["--param-min=10"], (6, "min_fails"));
    expect_no_number(&answer);
    assert_eq!(counting(&answer).len(), 3, "once is no proof: {answer}");
    assert!(answer["error"]["hint"].as_str().is_some_and(|hint| hint.contains("--param-min")), "{answer}");
}

fn expect_no_number(answer: &Value) {
    for name in ["smallest_failing", "interval", "safe"] {
        assert_eq!(found(answer)[name], Value::Null, "{answer}");
    }
}

fn beyond_the_range_it_is_looked_for_where_asked() {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    let answer = ends(&sandbox, &["breaks", "900"], &[WHILE, "--beyond-max=2000"], (0, "found"));
    expect_edge(&answer, 900.0);
}

fn a_search_that_may_probe_little_says_so() {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    let answer = ends(&sandbox, &["breaks", "120"], &[WHILE, "--max-probes=6"], (4, "budget"));
    assert_eq!((counting(&answer).len(), &answer["error"]), (6, &Value::Null));
    let interval = &found(&answer)["interval"];
    let within = |end: &str| interval[end].as_u64().expect("a load");
    assert!(within("low") <= 120 && 120 <= within("high"), "{answer}");
}

fn a_search_that_may_last_little_says_so() {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    let answer = ends(&sandbox, &["breaks", "120"], &[WHILE, "--max-time=0.5"], (4, "budget"));
    assert_eq!(found(&answer)["reason"], "the time is used up");
    assert!(counting(&answer).len() < 10, "{answer}");
}

/// In each of the first runs on the way up.
fn one_wrong_answer_does_not_mislead_it() {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    // The first run is the one that is only tried.
    for run in ["2", "4", "7"] {
        let traces = sandbox.out.join(format!("runs-{run}")).display().to_string();
        let words = ["exits_once", &traces, run, "120"];
        let answer = ends(&sandbox, &words, &["--param-max=1000"], (0, "found"));
        expect_edge(&answer, 120.0);
    }
}

fn larger_loads_that_pass_again_are_told() {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    let answer = ends(
        &sandbox,
        &["has_an_island", "40", "75"],
        &["--param-max=256", "--max-probes=80"],
        (4, "non_monotone"),
    );
    let found = found(&answer);
    assert!(found["interval"]["low"].as_u64().is_some_and(|low| low <= 40), "{answer}");
    assert!(found["recovers"].as_u64().is_some_and(|load| load >= 75), "{answer}");
}

fn a_generator_at_its_limit_is_no_breaking_point() {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    let answer = ends(&sandbox, &["cannot_send", "50"], &[WHILE], (8, "generator_limited"));
    expect_no_number(&answer);
    // Nor does it pass what nobody asked a condition of.
    expect_no_number(&ends(&sandbox, &["cannot_send", "50"], &[], (8, "generator_limited")));
    assert!(
        answer["error"]["message"].as_str().is_some_and(|text| text.contains("cannot be generated")),
        "{answer}"
    );
}

fn a_machine_that_has_changed_says_nothing() {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    let search = |name: &str, run: &str, expected| {
        let traces = sandbox.out.join(name).display().to_string();
        ends(&sandbox, &["drifts", &traces, run, "120"], &[WHILE], expected)
    };
    let steady = search("steady", "9999", (0, "found"));
    // Only the last probe, at the first load again, sees what has changed. One run was tried before.
    let last = (counting(&steady).len() + 1).to_string();
    let answer = search("drifting", &last, (4, "drifted"));
    expect_no_number(&answer);
}

fn hangs_and_kills_are_fails() {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    let flags = ["--param-max=64", "--timeout=1.5"];
    let answer = ends(&sandbox, &["hangs", "30"], &flags, (0, "found"));
    expect_edge(&answer, 30.0);
    let fail = counting(&answer).into_iter().find(|probe| probe["ok"] == false).expect("a fail");
    assert_eq!(fail["reason"], "it did not end in time");
    // The first kill may be anybody's, so that it is made once more before it counts.
    let answer = ends(&sandbox, &["is_killed", "30"], &flags, (0, "found"));
    expect_edge(&answer, 30.0);
    let attempts = found(&answer)["probes"].as_array().expect("probes").len();
    assert!(attempts > counting(&answer).len(), "{answer}");
}

fn decimals_and_negative_loads_are_searched() {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    let flags = [WHILE, "--param-min=0.25", "--param-max=8", "--step=0.25"];
    let answer = ends(&sandbox, &["breaks", "5"], &flags, (0, "found"));
    let low = found(&answer)["interval"]["low"].as_f64().expect("a load");
    assert!((4.5..=5.0).contains(&low) && (low * 4.0).fract() == 0.0, "{answer}");
    let flags = ["--param-min=-20", "--param-max=20", "--scale=linear", "--tolerance=0"];
    let answer = ends(&sandbox, &["exits", "-3"], &flags, (0, "found"));
    assert_eq!(found(&answer)["smallest_failing"], -3, "{answer}");
}
