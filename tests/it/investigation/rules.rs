//! Each rule that a phase of an investigation can break, broken: the command is refused, the rule is named, and
//! nothing is changed (S-01, C-04).

use super::{Study, recorded};
use crate::support::sandbox::NOISY;
use crate::support::{machine, trials};
use libtest_mimic::Trial;
use serde_json::json;
use std::fs;

pub fn trials() -> Vec<Trial> {
    trials![
        s10_a_tree_with_changes_in_no_commit_is_refused,
        k15_a_tree_with_changes_is_approved_on_record,
        k03_sources_that_change_meanwhile_are_refused,
        s08_another_benchmark_than_that_of_setup_is_refused,
        c03_a_short_run_is_approved_on_record,
        s29_another_label_than_that_of_setup_is_refused,
        k10_nothing_is_committed_while_somebody_measures,
        s33_a_missing_commit_is_shown_with_its_reason,
        flags_of_an_investigation_are_refused_where_none_is_open,
        s55_no_flag_switches_a_rule_off,
    ]
}

fn s10_a_tree_with_changes_in_no_commit_is_refused() {
    let _machine = machine();
    let study = Study::begun();
    study.write("new.txt", "untracked\n");
    study.measure().fails(5, "rule 6 (clean baseline) refuses", "PERF_ALLOW_DIRTY");
    fs::remove_file(study.path("new.txt")).expect("removed");
    let text = study.read("perf.toml");
    study.write("perf.toml", &format!("{text}# changed\n"));
    study.measure().fails(5, "perf.toml", "commit or stash");
    study.measure().env("PERF_ALLOW_DIRTY", "0").fails(5, "perf.toml", "commit or stash");
    study.commit_all();
    study.measure().succeeds();
}

fn k15_a_tree_with_changes_is_approved_on_record() {
    let _machine = machine();
    let study = Study::begun();
    study.write("new.txt", "untracked\n");
    study.measure().env("PERF_ALLOW_DIRTY", "1").succeeds();
    let approvals = study.state()["approvals"].clone();
    let dirty = approvals.as_array().expect("approvals").iter().find(|one| one["what"] == "dirty");
    assert_eq!(dirty.expect("recorded")["text"], "PERF_ALLOW_DIRTY=1", "{approvals}");
    assert!(study.log().contains("- rule 6 clean-baseline: waived - PERF_ALLOW_DIRTY=1"), "{}", study.log());
    assert_eq!(study.git_status(), ["new.txt".to_owned()].into());
}

fn k03_sources_that_change_meanwhile_are_refused() {
    let _machine = machine();
    let study = Study::new();
    study.write("meddle.sh", "#!/bin/sh\nif [ \"${PERF_RUN_DURATION%.*}\" -ge 2 ]; then echo x >>notes.txt; fi\nexec ./case.sh prints 'PERF_METRICS a=1'\n");
    study.write("notes.txt", "mine\n");
    study.commit_all();
    study.terms("a > 0").args(["--metric=a:ms:lower", "--command=sh ./meddle.sh"]).succeeds();
    let before = study.state();
    let ended = study.perf(["baseline", "--approve-short=a test", "--duration=2", NOISY]).run();
    ended.assert_refused(5, "sources changed while they were measured", "measure again");
    assert_eq!(study.state(), before);
    assert!(!study.path(".claude/perf/baselines/v1.json").exists());
}

fn s08_another_benchmark_than_that_of_setup_is_refused() {
    let _machine = machine();
    let study = Study::begun();
    study.measure().args(["--filter=block"]).fails(5, "setup chose line", "--expand");
    let answer = study.measure().args(["--filter=block", "--expand=to compare"]).succeeds().json();
    assert_eq!(answer["result"]["benches"][0]["id"], "block");
    let approvals = study.state()["approvals"].to_string();
    assert!(approvals.contains("to compare"), "{approvals}");
    assert!(study.log().contains("- rule 4 narrow-first: waived - to compare"));
}

fn c03_a_short_run_is_approved_on_record() {
    let _machine = machine();
    let study = Study::begun();
    study.perf(["baseline", "--duration=0.3", NOISY]).fails(5, "rule 2 (sixty seconds)", "--approve-short");
    study.perf(["baseline", "--duration=0.3", NOISY]).env("PERF_ALLOW_SHORT", "1").succeeds();
    assert_eq!(study.stored("v1")["duration"]["waiver"]["text"], "PERF_ALLOW_SHORT=1");
    assert!(study.log().contains("- rule 2 sixty-seconds: waived - PERF_ALLOW_SHORT=1"));
}

fn s29_another_label_than_that_of_setup_is_refused() {
    let _machine = machine();
    let study = Study::begun();
    study.measure().args(["v2"]).fails(2, "is about the version v1, not v2", "setup --resume --version");
    study.measure().args(["v1"]).succeeds();
}

fn k10_nothing_is_committed_while_somebody_measures() {
    let _machine = machine();
    let study = Study::measured();
    let mut other = study.perf(["baseline", "--approve-short=a test", "--duration=4", NOISY]).start();
    other.says("plan:");
    study.perf(["next", "--skip-phase=breaking-point=no load", "--no-wait"]).run().assert_refused(
        9,
        "another benchmark",
        "",
    );
    assert_eq!(recorded(&study.state()).len(), 2);
    assert_eq!(other.end().status.code(), Some(0));
}

fn s33_a_missing_commit_is_shown_with_its_reason() {
    let _machine = machine();
    let study = Study::begun();
    study.perf(["status", "--strict"]).succeeds();
    study.write(".git/MERGE_HEAD", &format!("{}\n", "0".repeat(40)));
    let answer = study.measure().succeeds().json();
    let checkpoint = answer["result"]["investigation"]["checkpoint"].clone();
    assert_eq!((&checkpoint["state"], &checkpoint["reason"]), (&json!("none"), &json!("in-progress")));
    let status = study.perf(["status"]).succeeds().stdout;
    assert!(status.contains("(in-progress)"), "{status}");
    study.perf(["status", "--strict"]).fails(8, "no checkpoint commit", "git status");
    fs::remove_file(study.path(".git/MERGE_HEAD")).expect("removed");
    // The next phase commits this one's files too.
    study.perf(["next", "--skip-phase=breaking-point=no load"]).succeeds();
    assert!(study.newest_commit_changed().contains(".claude/perf/baselines/v1.json"));
    study.perf(["status", "--strict"]).succeeds();
}

fn flags_of_an_investigation_are_refused_where_none_is_open() {
    let study = Study::new();
    for flag in ["--quote=x", "--skip-phase=profiling=x", "--checkpoint=off"] {
        let name = flag.split('=').next().expect("a name");
        study.perf(["baseline", "--filter=line", flag]).fails(2, name, "cargo perf setup");
    }
    study.perf(["log"]).fails(6, "no investigation is open", "setup");
    study.perf(["report"]).fails(6, "no investigation is open", "setup");
}

/// S-05, S-56: an approval has a text that is stored; nothing else loosens anything.
fn s55_no_flag_switches_a_rule_off() {
    let study = Study::new();
    for command in ["setup", "baseline", "next"] {
        let help = study.perf([command, "--help"]).succeeds().stdout;
        let flags = help.split_whitespace().filter_map(|word| word.strip_prefix("--"));
        for flag in flags {
            let name = flag.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            let loosens = [
                "force",
                "parallel",
                "jobs",
                "no-lock",
                "allow",
                "skip-lock",
                "no-check",
                "unsafe",
                "ignore",
            ];
            assert!(!loosens.iter().any(|word| name.contains(word)), "{command} --{name}");
        }
        assert!(help.contains("--approve-short <WHY>"), "{help}");
    }
}
