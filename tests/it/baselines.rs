//! What becomes of stored baselines: listed, shown, removed, and never overwritten when they cannot be read.

use crate::support::sandbox::Sandbox;
use crate::support::{machine, trials};
use libtest_mimic::Trial;
use serde_json::{Value, json};

pub fn trials() -> Vec<Trial> {
    trials![
        baselines_are_listed_shown_and_removed,
        a_damaged_baseline_is_named_and_left_as_it_is,
        a_newer_baseline_is_not_read,
        a_damaged_baseline_is_not_replaced_by_measuring_again,
        a_newer_baseline_is_not_replaced_by_measuring_again,
    ]
}

const FILE: &str = ".claude/perf/baselines/v1.json";

fn baselines_are_listed_shown_and_removed() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let none = sandbox.perf(["baselines"]).succeeds();
    assert_eq!(none.stdout, "no baselines in .claude/perf/baselines\n");
    sandbox.perf(["baselines", "show", "v1"]).fails(6, "no baseline v1", "cargo perf baselines");
    sandbox.perf(["baselines", "remove", "v1"]).fails(6, "no baseline v1", "cargo perf baselines");
    sandbox.baseline("v2", "well_behaved").succeeds();
    sandbox.baseline("v1", "invalid_utf8").succeeds();
    for words in [&["baselines"][..], &["baselines", "list"]] {
        let list = sandbox.perf(words).succeeds().stdout;
        let lines: Vec<&str> = list.lines().collect();
        assert_eq!(lines.len(), 2, "{list}");
        assert!(lines[0].starts_with("v1  2") && lines[0].contains("invalid_utf8"), "{list}");
        assert!(lines[1].starts_with("v2  2") && lines[1].contains("well_behaved"), "{list}");
    }
    let shown = sandbox.perf(["baselines", "show", "v2"]).succeeds().stdout;
    for part in ["version   v2\n", "recorded  2", "command   cargo perf baseline v2", "well_behaved ("] {
        assert!(shown.contains(part), "{part:?} is not in {shown}");
    }
    sandbox.perf(["baselines", "remove", "v2"]).succeeds();
    let left = sandbox.perf(["baselines", "--json"]).succeeds().json();
    let labels: Vec<&Value> = left["result"]["baselines"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| &entry["version"])
        .collect();
    assert_eq!(labels, ["v1"]);
    assert!(!sandbox.path(".claude/perf/baselines/v2.json").exists());
}

fn a_damaged_baseline_is_named_and_left_as_it_is() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let text = {
        sandbox.baseline("v1", "well_behaved").succeeds();
        sandbox.read(FILE)
    };
    sandbox
        .write(".claude/perf/baselines/v2.json", &text.replace("\"version\": \"v1\"", "\"version\": \"v2\""));
    let half = &text[..text.len() / 2];
    let other_schema = text.replace("cargo-perf/baseline", "somebody/else");
    let renamed = text.replace("\"version\": \"v1\"", "\"version\": \"v3\"");
    for damage in [half, "", "null", "[]", "{}", &other_schema, &renamed] {
        sandbox.write(FILE, damage);
        sandbox.perf(["baselines", "show", "v1"]).fails(10, "v1.json is damaged", "cargo perf baselines");
        let list = sandbox.perf(["baselines"]).succeeds().stdout;
        assert!(list.contains("v2  2") && list.contains("v1  ") && list.contains("damaged"), "{list}");
        assert_eq!(sandbox.read(FILE), damage, "the file was touched");
    }
    sandbox.perf(["baselines", "remove", "v1"]).succeeds();
    assert!(!sandbox.path(FILE).exists());
}

/// Stores a baseline and alters it to be of a version that does not exist yet.
fn newer(sandbox: &Sandbox) {
    sandbox.baseline("v1", "well_behaved").succeeds();
    let mut stored = sandbox.stored("v1");
    stored["schema_version"]["major"] = json!(99);
    sandbox.write(FILE, &stored.to_string());
}

fn a_newer_baseline_is_not_read() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    newer(&sandbox);
    sandbox.perf(["baselines", "show", "v1"]).fails(10, "newer version", "update");
    let list = sandbox.perf(["baselines"]).succeeds().stdout;
    assert!(list.contains("newer version"), "{list}");
}

fn a_damaged_baseline_is_not_replaced_by_measuring_again() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    sandbox.write(FILE, "{\"half\": ");
    sandbox.baseline("v1", "well_behaved").unbuilt().fails(10, "v1.json is damaged", "cargo perf baselines");
}

fn a_newer_baseline_is_not_replaced_by_measuring_again() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    newer(&sandbox);
    sandbox.baseline("v1", "well_behaved").unbuilt().fails(10, "newer version", "update");
}
