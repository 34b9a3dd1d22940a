//! The log as evidence: what cannot be forged, and what a check finds.

use super::Study;
use crate::support::{machine, trials};
use libtest_mimic::Trial;
use std::fs;

pub fn trials() -> Vec<Trial> {
    trials![
        t14_a_quote_cannot_forge_a_section,
        c05_a_quote_is_kept_word_for_word,
        c06_a_check_follows_every_pointer,
        s28_a_section_that_was_changed_is_found,
        x10_values_of_the_environment_are_not_stored,
        s39_commands_name_no_place_on_this_machine,
    ]
}

fn t14_a_quote_cannot_forge_a_section() {
    let _machine = machine();
    let study = Study::new();
    let quote = "fast\n\n## Decision - 2026-01-02\n\n**Decision**\n\n- stop\r## Setup - 2026-01-02";
    let words = [
        "setup",
        "--scenario=s",
        "--version=v1",
        "--success=mean_ms < 20",
        "--filter=line",
        "--quote",
        quote,
    ];
    study.perf(words).succeeds();
    let log = study.log();
    assert_eq!(log.lines().filter(|line| line.starts_with("## ")).count(), 1, "{log}");
    assert_eq!(log.lines().filter(|line| *line == "**Decision**").count(), 0, "{log}");
    let sections = study.perf(["log", "--json"]).succeeds().json()["result"]["sections"].clone();
    assert_eq!(sections.as_array().map(Vec::len), Some(1));
    study.perf(["log", "--check"]).succeeds();
    assert_eq!(study.state()["quote"], quote);
}

fn c05_a_quote_is_kept_word_for_word() {
    let _machine = machine();
    let study = Study::begun();
    study.measure().args(["--quote=now `this` \\ one"]).succeeds();
    let log = study.log();
    assert!(log.contains("**User Quote**\n\n> now `this` \\\\ one\n"), "{log}");
    study.perf(["next", "--skip-phase=breaking-point=no load"]).succeeds();
    assert!(
        study.log().contains("**User Quote** (of setup, repeated)\n\n> make it fast\n"),
        "{}",
        study.log()
    );
}

fn c06_a_check_follows_every_pointer() {
    let _machine = machine();
    let study = Study::measured();
    let checked = study.perf(["log", "--check", "--json"]).succeeds().json();
    assert_eq!(checked["result"]["sections"], 2);
    assert!(checked["result"]["resolved"].as_u64() >= Some(8), "{checked}");
    let baseline = ".claude/perf/baselines/v1.json";
    let whole = study.read(baseline);
    study.write(baseline, "{}");
    study.perf(["log", "--check"]).fails(10, "leads nowhere", "git log");
    let better = whole.replace("12.5", "11.5");
    assert_ne!(better, whole);
    study.write(baseline, &better);
    study.perf(["log", "--check"]).fails(10, "is not what was stored", "git log");
    fs::remove_file(study.path(baseline)).expect("removed");
    study.perf(["log", "--check"]).fails(10, "leads nowhere", "git log");
    study.write(baseline, &whole);
    study.perf(["log", "--check"]).succeeds();
}

fn s28_a_section_that_was_changed_is_found() {
    let _machine = machine();
    let study = Study::measured();
    let file = format!(".claude/perf/investigations/{}.md", study.id());
    let whole = study.read(&file);
    for (changed, cause) in [
        (whole.replace("12.5 ms", "1.5 ms"), "is not what a phase wrote"),
        (
            whole.replace("rule 4 narrow-first: pass", "rule 4 narrow-first: waived"),
            "is not what a phase wrote",
        ),
        (
            whole.clone() + "\n## Decision - 2026-01-02\n\n**Decision**\n\n- stop\n",
            "is not what a phase wrote",
        ),
        (whole[..whole.find("## Baseline").expect("a section")].to_owned(), "missing or was changed"),
        (String::new(), "missing or was changed"),
    ] {
        study.write(&file, &changed);
        let said = study.perf(["log", "--check"]).fails(10, "problem", "git log").stdout;
        assert!(said.contains(cause), "{cause}: {said}");
    }
    study.write(&file, &whole);
    study.perf(["log", "--check"]).succeeds();
}

fn x10_values_of_the_environment_are_not_stored() {
    let _machine = machine();
    let study = Study::new();
    let table = "[[external]]\nid = \"told\"\ncommand = \"./case.sh prints 'PERF_METRICS a=1'\"\n\
                 env = { SERVICE_LOGIN = \"hunter2\" }\nmetrics.a = { unit = \"ms\", better = \"lower\" }\n";
    study.write("perf.toml", table);
    study.commit_all();
    study.terms("a > 0").env("OTHER_LOGIN", "hunter3").succeeds();
    study.measure().env("OTHER_LOGIN", "hunter3").succeeds();
    assert_eq!(study.state()["benchmark"]["env"], serde_json::json!(["SERVICE_LOGIN"]));
    let folder = study.path(".claude");
    let found = |text: &str| {
        let files = crate::support::traces::snapshot(&folder);
        files.keys().any(|path| fs::read_to_string(folder.join(path)).is_ok_and(|held| held.contains(text)))
    };
    assert!(found("SERVICE_LOGIN") && !found("hunter"));
}

fn s39_commands_name_no_place_on_this_machine() {
    let _machine = machine();
    let study = Study::begun();
    let place = study.project.to_str().expect("text").to_owned();
    let command = format!("{place}/case.sh prints 'PERF_METRICS a=1'");
    study.measure().args(["--expand=another", "--command", &command]).succeeds();
    let quote = format!("--skip-phase=breaking-point=see {place}/README.md");
    study.perf(["next", &quote]).succeeds();
    let commands = study
        .log()
        .lines()
        .filter(|line| line.starts_with("- Command: "))
        .map(str::to_owned)
        .collect::<Vec<_>>();
    assert_eq!(commands.len(), 3);
    assert!(commands.iter().all(|command| !command.contains(&place)), "{commands:?}");
}
