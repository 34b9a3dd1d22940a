//! What is said of two sides, in words, numbers and exit codes.

use super::{Told, document, only};
use crate::support::cases::command;
use crate::support::sandbox::{NOISY, Sandbox};
use crate::support::{machine, trials};
use libtest_mimic::Trial;
use serde_json::{Value, json};

pub fn trials() -> Vec<Trial> {
    trials![
        what_became_worse_is_regressed_and_measured_twice,
        what_became_better_is_improved_by_its_declared_direction,
        what_is_the_same_is_unchanged_and_no_alarm,
        what_varies_more_than_it_changed_is_inconclusive,
        what_takes_one_of_two_values_is_shown_with_both,
        without_a_direction_there_is_no_verdict,
        a_metric_that_one_side_does_not_print_is_named,
        several_numbers_have_a_verdict_each_when_they_have_a_direction,
        a_verdict_that_was_changed_is_found,
        samples_that_were_changed_lead_to_another_verdict,
        the_same_seed_orders_pairs_alike,
        the_file_says_how_verdicts_are_made_and_flags_win,
        a_bench_with_more_to_do_is_found_in_real_builds,
    ]
}

fn what_became_worse_is_regressed_and_measured_twice() {
    let _machine = machine();
    let told = Told::of("a=10", "a=11");
    let ended = told.compare(&["--fail-on=regressed,inconclusive"]).run();
    assert_eq!(ended.status.code(), Some(3), "{ended:#?}");
    let answer = ended.json();
    assert_eq!((&answer["schema"], &answer["error"]), (&json!("cargo-perf/compare"), &Value::Null));
    let found = only(&answer);
    assert_eq!(found["verdict"], "regressed");
    let percent = found["effect"]["percent"].as_f64().expect("an effect");
    assert!((percent - 10.0).abs() < 1e-9, "{found}");
    assert_eq!(found["first"]["verdict"], "regressed");
    assert_eq!(found["views"][0]["values"], json!({"base": 10.0, "candidate": 11.0}));
    assert!(answer["findings"][0]["text"].as_str().is_some_and(|text| text.contains("regressed +10.0 %")));
    let stored = document(&told.0, &answer);
    let pairs = |series: &str| stored["benches"][0][series]["pairs"].as_array().map(Vec::len);
    assert_eq!((pairs("series"), pairs("confirmation")), (Some(10), Some(10)));
    // What is printed to be pasted runs.
    let next: Vec<String> = serde_json::from_value(answer["next"]["argv"].clone()).expect("a command");
    let verified = told.0.perf(&next[2..]).succeeds();
    assert!(verified.stdout.contains("every verdict follows from the samples"), "{verified:?}");
}

/// S-13.
fn what_became_better_is_improved_by_its_declared_direction() {
    let _machine = machine();
    let told = Told::of("a=10", "a=11");
    let ended = told.compare_declared("--metric=a:1/s:higher", &["--fail-on=regressed,inconclusive"]);
    assert_eq!(only(&ended.succeeds().json())["verdict"], "improved");
}

fn what_is_the_same_is_unchanged_and_no_alarm() {
    let _machine = machine();
    let told = Told::of("a=10", "a=10");
    let answer = told.compare(&["--fail-on=regressed,inconclusive"]).succeeds().json();
    assert_eq!(only(&answer)["verdict"], "unchanged");
    assert!(answer["result"]["notes"].to_string().contains("same sources"), "{answer}");
    assert_eq!(document(&told.0, &answer)["benches"][0].get("confirmation"), None);
}

/// The command of a case that prints one of these values of `a` in each run, in turn.
fn in_turn(sandbox: &Sandbox, values: &[u32]) -> String {
    let values: Vec<String> = values.iter().map(|value| format!("PERF_METRICS a={value}")).collect();
    let traces = sandbox.traces_of_runs().display().to_string();
    let words: Vec<&str> = ["turns", &traces].into_iter().chain(values.iter().map(String::as_str)).collect();
    command(&words)
}

fn what_takes_one_of_two_values_is_shown_with_both() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    let command = in_turn(&sandbox, &[100, 151, 101, 150, 150, 100, 101]);
    let compare = ["compare", "--metric=a:ms:lower", "--runs=20", NOISY, "--seed=1", "--command"];
    let ended = sandbox.perf(compare).args([&command, "--json"]).succeeds();
    let answer = ended.json();
    let found = only(&answer);
    assert_eq!(found["verdict"], "inconclusive", "{found}");
    for side in ["base", "candidate"] {
        let modes = &found["modes"][side];
        let of = |name: &str| modes[name].as_f64().unwrap_or_else(|| panic!("no {name} in {found}"));
        assert!((of("lower") - 100.5).abs() < 1.0 && (of("upper") - 150.5).abs() < 1.0, "{found}");
        assert!((0.2..0.7).contains(&of("upper_share")), "{found}");
    }
    let shown = sandbox.perf(compare).args([command.as_str()]).succeeds();
    assert!(shown.stdout.contains("one of two values"), "{shown:#?}");
}

fn what_varies_more_than_it_changed_is_inconclusive() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    let command = in_turn(&sandbox, &[10, 14, 9, 13, 16, 8, 12]);
    let compare = ["compare", "--metric=a:ms:lower", "--runs=10", NOISY, "--seed=1", "--command"];
    let ended = sandbox.perf(compare).args([&command, "--fail-on=inconclusive"]).run();
    assert_eq!(ended.status.code(), Some(4), "{ended:#?}");
    assert!(ended.stdout.contains("a change that matters cannot be told from none"), "{ended:#?}");
    assert!(ended.stdout.contains("--max-time"), "{ended:#?}");
}

/// S-13.
fn without_a_direction_there_is_no_verdict() {
    let _machine = machine();
    let told = Told::of("a=10", "a=11");
    let command = command(&["reads", "says"]);
    let answer = told.0.perf(["compare", "--command", &command]).args(super::RUNS).succeeds().json();
    let found = only(&answer);
    assert_eq!((&found["verdict"], &found["why"]["kind"]), (&json!("inconclusive"), &json!("no-direction")));
    assert!(found["why_text"].as_str().is_some_and(|text| text.contains("--metric")), "{found}");
}

fn a_metric_that_one_side_does_not_print_is_named() {
    let _machine = machine();
    let told = Told::of("a=10 b=1", "a=10 c=1");
    let command = command(&["reads", "says"]);
    let told_so = told.0.perf(["compare", "--metric=a:ms:lower", "--runs=10", NOISY, "--command", &command]);
    let text = told_so.succeeds().stdout;
    assert!(
        text.contains("only the base prints b") && text.contains("only the candidate prints c"),
        "{text}"
    );
    assert_eq!(text.lines().filter(|line| line.contains("unchanged")).count(), 1, "{text}");
}

fn several_numbers_have_a_verdict_each_when_they_have_a_direction() {
    let _machine = machine();
    let told = Told::of("a=10 b=10 c=1", "a=11 b=11 c=2");
    let answer = told.compare(&["--metric=b:1/s:higher"]).succeeds().json();
    let found = answer["result"]["comparisons"].as_array().expect("comparisons");
    let verdicts: Vec<&Value> = found.iter().map(|found| &found["verdict"]).collect();
    assert_eq!(verdicts, ["regressed", "improved"]);
    // Numbers of different kinds have no mean, and those without a direction no verdict.
    assert_eq!(answer["result"]["geometric_mean_percent"], Value::Null);
}

/// T-03: numbers can be computed again from what was measured.
fn a_verdict_that_was_changed_is_found() {
    let _machine = machine();
    let told = Told::of("a=10", "a=11");
    let answer = told.compare(&[]).succeeds().json();
    let file = answer["result"]["file"].as_str().expect("a file");
    let stored = told.0.read(file);
    assert_eq!(stored.matches(r#""verdict":"regressed""#).count(), 3, "{stored}");
    told.0.write(
        "target/changed.json",
        &stored.replacen(r#""verdict":"regressed""#, r#""verdict":"improved""#, 1),
    );
    let perf = told.0.perf(["verify", "target/changed.json"]);
    let ended = perf.fails(10, "is not what the samples say, at /benches/0/verdicts/0/verdict", "samples");
    assert!(ended.stdout.contains(r#"is "improved", and the samples say "regressed""#), "{ended:#?}");
}

fn samples_that_were_changed_lead_to_another_verdict() {
    let _machine = machine();
    let told = Told::of("a=10", "a=11");
    let answer = told.compare(&[]).succeeds().json();
    let mut stored = document(&told.0, &answer);
    for series in ["series", "confirmation"] {
        for pair in stored["benches"][0][series]["pairs"].as_array_mut().expect("pairs") {
            pair["candidate"]["metrics"]["a"] = json!(10.0);
        }
    }
    told.0.write("target/changed.json", &stored.to_string());
    let perf = told.0.perf(["verify", "target/changed.json", "--json"]);
    let answer = perf.fails(10, "is not what the samples say", "samples").json();
    let found = answer["result"]["differences"].as_array().expect("differences");
    let verdict = found.iter().find(|found| found["pointer"] == "/benches/0/verdicts/0/verdict");
    assert_eq!(verdict.map(|found| &found["computed"]), Some(&json!("unchanged")), "{answer}");
}

fn the_same_seed_orders_pairs_alike() {
    let _machine = machine();
    let told = Told::of("a=10", "a=10");
    let order = |seed: &str| -> Vec<Value> {
        let answer = told.compare(&[seed]).succeeds().json();
        let stored = document(&told.0, &answer);
        let pairs = stored["benches"][0]["series"]["pairs"].as_array().expect("pairs").clone();
        pairs.into_iter().map(|pair| pair["first"].clone()).collect()
    };
    let first = order("--seed=7");
    assert_eq!(order("--seed=7"), first);
    // Neither side always comes first, so that what the first does to the second is not taken for an effect.
    assert!(first.contains(&json!("base")) && first.contains(&json!("candidate")), "{first:?}");
}

fn the_file_says_how_verdicts_are_made_and_flags_win() {
    let _machine = machine();
    let told = Told::of("a=10", "a=11");
    let file =
        format!("{}\n[verdicts]\nmargin = 50\nconfidence = 95\nview = \"cost\"\n", told.0.read("perf.toml"));
    told.0.write("perf.toml", &file);
    let of = |arguments: &[&str]| {
        let answer = told.compare(arguments).run().json();
        let view = document(&told.0, &answer)["benches"][0]["view"].clone();
        (only(&answer)["verdict"].clone(), view, answer["result"]["terms"].clone())
    };
    let (verdict, view, terms) = of(&[]);
    assert_eq!((verdict, view), (json!("unchanged"), json!("cost")));
    assert_eq!(terms["margin_percent"], 50.0);
    assert!(terms["error"].as_f64().is_some_and(|error| (error - 0.05).abs() < 1e-9), "{terms}");
    let (verdict, view, _) = of(&["--margin=1", "--view=felt"]);
    assert_eq!((verdict, view), (json!("regressed"), json!("felt")));
}

fn a_bench_with_more_to_do_is_found_in_real_builds() {
    let _machine = machine();
    let sandbox = Sandbox::of("two-sides");
    let source = sandbox.read("src/lib.rs");
    sandbox.write("src/lib.rs", &source.replace("BLOCKS: u64 = 1000", "BLOCKS: u64 = 10_000"));
    let short = ["--approve-short=a test", "--duration=2", NOISY, "--json"];
    let perf = sandbox.perf(["compare", "--metric=digest_ns:ns:lower"]).args(short);
    let answer = perf.succeeds().json();
    let found = only(&answer);
    assert_eq!(found["verdict"], "regressed", "{found}");
    let percent = found["effect"]["percent"].as_f64().expect("an effect");
    assert!((400.0..1600.0).contains(&percent), "ten times the work took {percent} % more");
    let hashes = &found["executable_sha256"];
    assert!(hashes["base"].is_string() && hashes["base"] != hashes["candidate"], "{found}");
    // Only the library changed, and not what measures it.
    assert_eq!(found["source_differs"], false);
}
