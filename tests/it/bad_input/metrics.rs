//! Programs that print no metrics, or such as nobody can trust.

use crate::support::cases::{SHORT, refused};
use crate::support::perf::Ended;
use crate::support::sandbox::Sandbox;
use crate::support::{machine, trials};
use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
    trials![
        no_marker_is_refused_and_the_line_that_helps_shown,
        metrics_on_standard_error_are_refused_and_the_stream_named,
        a_block_without_an_end_is_refused,
        an_end_without_a_block_is_refused,
        a_second_block_is_refused,
        an_empty_block_is_refused,
        a_block_that_is_no_json_is_refused_with_its_line,
        a_marker_without_metrics_is_refused,
        a_value_that_is_no_number_is_refused,
        a_value_that_no_float_holds_is_refused,
        a_value_in_another_notation_is_refused,
        a_value_with_its_unit_glued_to_it_is_refused,
        a_metric_that_is_given_twice_is_refused,
        a_scenario_without_a_name_or_metrics_is_refused,
        a_refused_metric_is_one_failure_under_json,
        a_program_that_fails_behind_its_metrics_is_refused_with_its_code,
        a_declared_metric_that_is_not_printed_is_refused_with_what_comes_near,
        metrics_that_differ_from_run_to_run_are_refused,
        refused_metrics_leave_the_baseline_that_was_to_be_replaced,
    ]
}

const CONTRACT: &str = "cargo perf guide contract";

/// Measures a program that prints these lines, and expects that it is refused.
fn unread(lines: &[&str], cause: &str, remedy: &str) -> Ended {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    let words: Vec<&str> = ["prints"].iter().chain(lines).copied().collect();
    refused(&sandbox, sandbox.case(&words).args(SHORT), 7, cause, remedy)
}

/// The same for one line of metrics each, with the words that say what was found and what was expected.
fn unread_lines(lines: &[&str], found: &str, expected: &str) {
    for line in lines {
        let ended = unread(&["starts", line], found, CONTRACT);
        assert!(ended.stderr.contains("line 2: "), "{line}: {}", ended.stderr);
        assert!(ended.stderr.contains(expected), "{line}: {}", ended.stderr);
    }
}

/// C-07.
fn no_marker_is_refused_and_the_line_that_helps_shown() {
    for lines in [&[][..], &["mean_ms=12"], &["# PERF_METRICSX a=1"]] {
        unread(lines, "printed no metrics", "PERF_METRICS mean_ms=12.5");
    }
}

fn metrics_on_standard_error_are_refused_and_the_stream_named() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    for line in ["PERF_METRICS a=1", "PERF_METRICS a=wrong"] {
        let perf = sandbox.case(&["prints_on_stderr", line]).args(SHORT);
        refused(&sandbox, perf, 7, "printed no metrics", "print them to standard output");
    }
}

fn a_block_without_an_end_is_refused() {
    let ended = unread(&["PERF_METRICS_START", "{\"a\": 1}"], "cannot be read", CONTRACT);
    assert!(ended.stderr.contains("expected a line `PERF_METRICS_END`"), "{}", ended.stderr);
}

fn an_end_without_a_block_is_refused() {
    unread_lines(&["PERF_METRICS_END"], "cannot be read", "expected a line `PERF_METRICS_START`");
}

fn a_second_block_is_refused() {
    let block = ["PERF_METRICS_START", "{\"a\": 1}", "PERF_METRICS_END"];
    let ended = unread(&[block, block].concat(), "cannot be read", CONTRACT);
    assert!(ended.stderr.contains("line 4: "), "{}", ended.stderr);
    assert!(ended.stderr.contains("expected one block"), "{}", ended.stderr);
}

/// C-08.
fn an_empty_block_is_refused() {
    unread(&["PERF_METRICS_START", "PERF_METRICS_END"], "the block is empty", CONTRACT);
    unread(&["PERF_METRICS_START", "{}", "PERF_METRICS_END"], "the block holds no metric", CONTRACT);
}

fn a_block_that_is_no_json_is_refused_with_its_line() {
    let blocks = [
        "{\"a\": 1,}",
        "[1]",
        "{\"a\": NaN}",
        "{\"a\": \"1\"}",
        "{\"a\": null}",
        "{\"a\": {\"b\": 1}}",
        "{\"scenarios\": [1]}",
    ];
    for block in blocks {
        let lines = ["starts", "PERF_METRICS_START", block, "PERF_METRICS_END"];
        let ended = unread(&lines, "cannot be read", CONTRACT);
        assert!(ended.stderr.contains("line 3: "), "{block}: {}", ended.stderr);
    }
}

fn a_marker_without_metrics_is_refused() {
    unread_lines(&["PERF_METRICS", "PERF_METRICS  "], "cannot be read", "expected `PERF_METRICS name=number");
    unread_lines(&["PERF_METRICS a", "PERF_METRICS a = 1"], "\"a\" has no value", "expected `name=number`");
}

fn a_value_that_is_no_number_is_refused() {
    let lines = ["PERF_METRICS a=NaN", "PERF_METRICS a=inf", "PERF_METRICS a=-Infinity", "PERF_METRICS a="];
    unread_lines(&lines, "the value of a is", "expected a decimal number");
}

fn a_value_that_no_float_holds_is_refused() {
    unread_lines(&["PERF_METRICS a=1e999", "PERF_METRICS a=-1e999"], "e999\"", "a 64-bit float can hold");
}

fn a_value_in_another_notation_is_refused() {
    let lines = ["PERF_METRICS a=0x10", "PERF_METRICS a=1_000", "PERF_METRICS a=1,5", "PERF_METRICS a=.5"];
    unread_lines(&lines, "the value of a is", "expected a decimal number");
}

fn a_value_with_its_unit_glued_to_it_is_refused() {
    unread_lines(&["PERF_METRICS a=12ms", "PERF_METRICS a=5%"], "the value of a is", "such as `12`");
}

fn a_metric_that_is_given_twice_is_refused() {
    unread_lines(&["PERF_METRICS a=1 a=1"], "cannot be read", "expected every metric once");
    let ended = unread(&["PERF_METRICS a=1", "PERF_METRICS a=2"], "cannot be read", CONTRACT);
    assert!(ended.stderr.contains("expected every metric once"), "{}", ended.stderr);
    let block = ["PERF_METRICS_START", "{\"a\": 1, \"a\": 2}", "PERF_METRICS_END"];
    let ended = unread(&block, "cannot be read", CONTRACT);
    assert!(ended.stderr.contains("expected every metric once"), "{}", ended.stderr);
}

fn a_scenario_without_a_name_or_metrics_is_refused() {
    unread_lines(&["PERF_METRICS scenario= a=1"], "names no scenario", "expected `scenario=NAME` once");
    unread_lines(&["PERF_METRICS scenario=x"], "the scenario \"x\" has no metric", "PERF_METRICS name=");
    unread_lines(&["PERF_METRICS scenario=x scenario=y a=1"], "a second scenario", "once");
}

fn a_refused_metric_is_one_failure_under_json() {
    let error = unread(&["PERF_METRICS a=12ms"], "12ms", CONTRACT).json()["error"].clone();
    assert_eq!((&error["code"], &error["kind"]), (&7.into(), &"benchmark".into()));
    assert!(error["message"].as_str().is_some_and(|text| text.contains("12ms")), "{error}");
    assert!(error["hint"].as_str().is_some_and(|text| text.contains(CONTRACT)), "{error}");
}

fn a_program_that_fails_behind_its_metrics_is_refused_with_its_code() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    for flags in [&SHORT[..], &["--runs=3"]] {
        let perf = sandbox.case(&["exits", "3", "PERF_METRICS a=1"]).args(flags);
        refused(&sandbox, perf, 7, "exited with code 3", "its output is in ");
    }
}

fn a_declared_metric_that_is_not_printed_is_refused_with_what_comes_near() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    let words = ["prints", "PERF_METRICS mean_ms=1 other=2"];
    for (declared, near) in [
        ("--metric=mean_us:us:lower", "it prints mean_ms"),
        ("--metric=x::lower", "it prints mean_ms, other"),
    ] {
        let perf = sandbox.case(&words).args([declared]).args(SHORT);
        refused(&sandbox, perf, 7, "does not print it", near);
    }
}

fn metrics_that_differ_from_run_to_run_are_refused() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    let traces = sandbox.traces_of_runs();
    let words = ["turns", traces.to_str().expect("text"), "PERF_METRICS a=1", "PERF_METRICS a=1 b=2"];
    for flags in [&SHORT[..], &["--runs=3"]] {
        let perf = sandbox.case(&words).args(flags);
        refused(&sandbox, perf, 7, "prints other metrics from run to run: b", "the same metrics each time");
    }
    assert_eq!(sandbox.runs(), 4, "the second run is enough");
}

fn refused_metrics_leave_the_baseline_that_was_to_be_replaced() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    sandbox.case(&["prints", "PERF_METRICS a=1"]).args(SHORT).succeeds();
    let before = sandbox.stored("v1");
    let perf = sandbox.case(&["prints", "PERF_METRICS a=2ms"]).args(SHORT);
    refused(&sandbox, perf, 7, "2ms", CONTRACT);
    assert_eq!(sandbox.stored("v1"), before);
}
