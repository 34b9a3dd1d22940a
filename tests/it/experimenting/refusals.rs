//! What is no experiment: refused with its cause, and nothing changed.

use super::{Bench, untouched};
use crate::investigation::{NOISY, STATE, Study};
use crate::support::perf::Ended;
use crate::support::tools::git;
use crate::support::traces::snapshot;
use crate::support::{Outcome, machine, skip, trials};
use libtest_mimic::Trial;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

pub fn trials() -> Vec<Trial> {
    trials![
        s31_without_an_investigation_or_a_baseline_nothing_is_tried,
        s44_a_patch_that_is_none_or_does_not_apply_is_refused,
        s44_a_change_that_is_nothing_is_refused,
        s44_a_change_of_state_or_of_no_text_is_refused,
        s44_a_change_that_takes_files_away_needs_an_approval,
        k07_a_second_change_while_one_is_open_is_refused,
        s07_a_tree_that_changes_meanwhile_is_no_result,
        s10_a_baseline_of_other_sources_is_refused,
        s10_a_baseline_of_another_machine_is_refused,
        s10_a_control_run_that_disagrees_asks_for_a_new_baseline,
        s10_a_baseline_that_another_investigation_measured_is_refused,
        s44_a_change_of_what_both_sides_are_measured_with_is_refused,
        k06_a_hypothesis_that_nobody_wrote_is_refused,
        k13_a_change_that_adds_a_secret_is_refused,
        s44_a_change_of_a_mode_is_refused,
        s44_a_change_that_nobody_reads_is_refused,
        s07_a_state_that_was_put_back_loses_no_change,
        x10_a_check_of_a_place_on_this_machine_is_refused,
        k07_nothing_is_decided_while_an_experiment_is_open,
        s30_a_damaged_experiment_is_no_missing_one,
    ]
}

/// A refusal that changes nothing of what is stored or tracked.
fn refused(bench: &Bench, arguments: &[&str], code: i32, cause: &str, remedy: &str) -> Ended {
    let everything = || {
        let mut files = snapshot(&bench.project);
        files.retain(|path, _| !["target", ".git"].iter().any(|folder| path.starts_with(folder)));
        (files, bench.log(), untouched(bench))
    };
    let before = everything();
    let ended = bench.experiment(arguments).run();
    ended.assert_refused(code, cause, remedy);
    assert_eq!(everything(), before, "{arguments:?}");
    bench.assert_no_process_left();
    ended
}

fn s31_without_an_investigation_or_a_baseline_nothing_is_tried() {
    let _machine = machine();
    let study = Study::new();
    study.perf(["experiment"]).fails(6, "no investigation is open", "cargo perf setup");
    study.setup().succeeds();
    study.perf(["experiment"]).fails(6, "optimization comes after baseline", "cargo perf baseline");
    study.measure().succeeds();
    study.perf(["experiment"]).fails(6, "breaking-point", "--skip-phase");
    study.perf(["decide", "stop", "--rationale=x"]).fails(6, "decision comes after", "");
    study.perf(["consolidate"]).fails(6, "consolidation comes after", "");
}

fn s44_a_patch_that_is_none_or_does_not_apply_is_refused() {
    let _machine = machine();
    let bench = Bench::new();
    let patch = bench.patch("a=9");
    refused(&bench, &["--patch", "missing.patch"], 2, "missing.patch cannot be read", "--patch");
    bench.write("../aside/none.patch", "no patch at all\n");
    let none = bench.aside.join("none.patch").display().to_string();
    refused(&bench, &["--patch", &none], 2, "none.patch", "git diff");
    bench.write("../aside/empty.patch", "");
    let empty = bench.aside.join("empty.patch").display().to_string();
    refused(&bench, &["--patch", &empty], 2, "empty.patch", "git diff");
    let text = bench.read("../aside/change.patch").replace("-PERF_METRICS a=10", "-PERF_METRICS a=12");
    bench.write("../aside/other.patch", &text);
    let other = bench.aside.join("other.patch").display().to_string();
    refused(&bench, &["--patch", &other], 2, "does not apply", "");
    refused(&bench, &["--patch", &patch, "HEAD"], 2, "--patch", "");
    refused(&bench, &["no-such-branch"], 2, "no-such-branch", "git log");
}

fn s44_a_change_that_is_nothing_is_refused() {
    let _machine = machine();
    let bench = Bench::new();
    refused(&bench, &[], 2, "the change changes nothing", "--patch");
    refused(&bench, &["HEAD"], 2, "the change changes nothing", "--patch");
}

fn s44_a_change_of_state_or_of_no_text_is_refused() {
    let _machine = machine();
    let bench = Bench::new();
    let log = format!(".claude/perf/investigations/{}.md", bench.id());
    let text = bench.read(&log);
    let first = text.lines().next().expect("a line");
    bench.write(
        "../aside/state.patch",
        &format!(
            "diff --git a/{log} b/{log}\n--- a/{log}\n+++ b/{log}\n@@ -1,1 +1,1 @@\n-{first}\n+{first} forged\n"
        ),
    );
    let state = bench.aside.join("state.patch").display().to_string();
    refused(&bench, &["--patch", &state], 5, "a change of what is stored about experiments", "state folder");
    assert_eq!(bench.read(&log), text);
    bench.write("blob.bin", "zero \0 byte\n");
    refused(&bench, &[], 6, "or more than a megabyte of it: blob.bin", "baseline");
}

fn s44_a_change_that_takes_files_away_needs_an_approval() {
    let _machine = machine();
    let bench = Bench::new();
    std::fs::remove_file(bench.path("README.md")).expect("a file");
    refused(&bench, &[], 6, "takes files away: README.md", "--allow-deletions");
    let answer = bench.experiment(&["--allow-deletions", "nobody reads it"]).succeeds().json();
    assert_eq!(answer["result"]["experiment"]["finding"]["verdict"], "reject");
    let approvals = bench.state()["approvals"].to_string();
    assert!(approvals.contains("deletions") && approvals.contains("nobody reads it"), "{approvals}");
    assert!(!bench.path("README.md").exists(), "the tree is as it was");
}

fn k07_a_second_change_while_one_is_open_is_refused() {
    let _machine = machine();
    let bench = Bench::new();
    bench.change("a=9");
    let mut running = bench.experiment(&["--change=print less"]).start();
    running.says("plan: ");
    running.signal(Signal::INT);
    let ended = running.end();
    assert_eq!(ended.status.code(), Some(130), "{ended:#?}");
    bench.assert_no_process_left();
    assert_eq!(bench.experiments()[0]["status"], "open");
    bench.change("a=8");
    refused(&bench, &[], 5, "a second change while E1 is open, print less", "--abandon");
    refused(&bench, &["--continue", "--change=x"], 2, "--change", "");
    refused(&bench, &["--abandon", " "], 2, "--abandon needs a reason", "");
    bench.experiment(&["--abandon", "I thought better of it"]).succeeds();
    let given_up = bench.experiments()[0].clone();
    assert_eq!(
        (&given_up["status"], &given_up["abandoned"]["text"]),
        (&json!("abandoned"), &json!("I thought better of it"))
    );
    // Its change is not lost.
    let patch = bench.read(given_up["change"]["patch"]["path"].as_str().expect("a path"));
    assert!(patch.contains("+PERF_METRICS a=9"), "{patch}");
    refused(&bench, &["--continue"], 6, "no experiment is open", "cargo perf experiment");
    let answer = bench.experiment(&[]).succeeds().json();
    assert_eq!(answer["result"]["experiment"]["id"], "E2");
}

fn s07_a_tree_that_changes_meanwhile_is_no_result() {
    let _machine = machine();
    let bench = Bench::new();
    let patch = bench.patch("a=9");
    let mut running = bench.experiment(&["--patch", &patch, "--margin=2"]).start();
    running.says("plan: ");
    bench.write("notes", "written meanwhile\n");
    let ended = running.end();
    let on = "cargo perf experiment --continue --margin 2";
    ended.assert_refused(5, "the work tree changed while it was measured", on);
    assert_eq!(bench.experiments()[0]["status"], "open");
    // What was measured is not measured again by the command that was named.
    let answer = bench.experiment(&["--continue", "--margin=2"]).succeeds().json();
    assert_eq!(answer["result"]["experiment"]["finding"]["verdict"], "accept");
    assert!(answer["result"]["notes"].to_string().contains("went on later"), "{}", answer["result"]["notes"]);
}

fn s10_a_baseline_of_other_sources_is_refused() {
    let _machine = machine();
    let bench = Bench::new();
    bench.write("case.sh", &format!("{}\n# another comment\n", bench.read("case.sh")));
    bench.commit_all();
    bench.change("a=9");
    refused(&bench, &[], 5, "v1, which was measured on other sources", "cargo perf baseline");
}

fn s10_a_baseline_of_another_machine_is_refused() {
    let _machine = machine();
    let bench = Bench::new();
    let file = ".claude/perf/baselines/v1.json";
    let mut stored: Value = serde_json::from_str(&bench.read(file)).expect("a baseline");
    bench.change("a=9");
    for (class, field) in [("machine", "cpu_model"), ("soft", "governor")] {
        let before = stored["env"][class][field].clone();
        stored["env"][class][field] = json!("another one");
        bench.write(file, &stored.to_string());
        let cause = format!("another machine: {field} was another one");
        refused(&bench, &[], 5, &cause, "cargo perf baseline");
        stored["env"][class][field] = before;
    }
}

fn s10_a_control_run_that_disagrees_asks_for_a_new_baseline() -> Outcome {
    let _machine = machine();
    let bench = Bench::new();
    let file = ".claude/perf/baselines/v1.json";
    let mut stored: Value = serde_json::from_str(&bench.read(file)).expect("a baseline");
    for value in stored["benches"][0]["metrics"][0]["values"].as_array_mut().expect("values") {
        *value = json!(8.0);
    }
    bench.write(file, &stored.to_string());
    bench.change("a=9");
    let ended = bench.perf(["experiment", "--json"]).run();
    if ended.status.code() == Some(8) {
        return skip("s10_a_control_run_that_disagrees", "the machine swaps, or has no processor for itself");
    }
    ended.assert_refused(
        5,
        "a is 10 now and 8 in the baseline v1, 25.0 % away",
        "cargo perf experiment --continue",
    );
    // As it says, word for word: the experiment must still be there.
    assert!(
        ended.stderr.contains("git stash push --include-untracked -- :/ ':(exclude,top).claude/perf'"),
        "{ended:#?}"
    );
    git(&bench.project, &["stash", "push", "--include-untracked", "--", ":/", ":(exclude,top).claude/perf"]);
    assert_eq!(bench.read("says"), "PERF_METRICS a=10\n");
    bench.perf(["baseline", NOISY]).succeeds();
    let answer = bench.experiment(&["--continue"]).succeeds().json();
    assert_eq!(answer["result"]["experiment"]["finding"]["control"]["stored"], 10.0);
    // What was measured beside the other baseline says nothing beside this one.
    assert!(
        !answer["result"]["notes"].to_string().contains("went on later"),
        "{}",
        answer["result"]["notes"]
    );
    Ok(())
}

/// As two investigations of one version leave it.
fn s10_a_baseline_that_another_investigation_measured_is_refused() {
    let _machine = machine();
    let bench = Bench::new();
    let file = ".claude/perf/baselines/v1.json";
    let mut stored: Value = serde_json::from_str(&bench.read(file)).expect("a baseline");
    stored["recordedAt"] = json!("2026-01-01T00:00:00Z");
    bench.write(file, &stored.to_string());
    bench.change("a=9");
    refused(&bench, &[], 5, "v1, which was measured outside of ", "cargo perf baseline");
}

fn s44_a_change_of_what_both_sides_are_measured_with_is_refused() {
    let _machine = machine();
    let bench = Bench::new();
    bench.write("perf.toml", &(bench.read("perf.toml") + "# Nothing, but it could be anything.\n"));
    bench.change("a=9");
    refused(&bench, &[], 5, "a change of perf.toml, which both sides are measured with", "leave it out");
}

fn k06_a_hypothesis_that_nobody_wrote_is_refused() {
    let _machine = machine();
    let bench = Bench::new();
    bench.change("a=9");
    refused(&bench, &["--hypothesis=H7"], 2, "there is no hypothesis H7", "--hypothesis");
    let mut state = bench.state();
    state["hypotheses"] = json!([{"id": "H1", "text": "less is printed in less time"}]);
    bench.write(STATE, &state.to_string());
    refused(&bench, &["--hypothesis=H7"], 2, "there is no hypothesis H7", "there are: H1");
    let answer = bench.experiment(&["--hypothesis=H1"]).succeeds().json();
    assert_eq!(answer["result"]["experiment"]["finding"]["hypothesis"], "supports");
}

fn k13_a_change_that_adds_a_secret_is_refused() {
    let _machine = machine();
    let bench = Bench::new();
    bench.change("a=9");
    bench.write(".env", "API_TOKEN=9f8e7d6c5b4a39281706f5e4d3c2b1a0\n");
    refused(&bench, &[], 6, "adds to .env looks like a secret", "--allow-secret");
    std::fs::remove_file(bench.path(".env")).expect("a file");
    let readme = bench.read("README.md");
    bench.write("README.md", &format!("{readme}\napi_token: \"9f8e7d6c5b4a3928\"\n"));
    refused(&bench, &[], 6, "adds to README.md looks like a secret", "--allow-secret");
    bench.experiment(&["--allow-secret", "an example"]).succeeds();
    assert!(bench.state()["approvals"].to_string().contains("an example"));
}

/// A patch would lose it.
fn s44_a_change_of_a_mode_is_refused() {
    let _machine = machine();
    let bench = Bench::new();
    std::fs::set_permissions(bench.path("README.md"), PermissionsExt::from_mode(0o755)).expect("a file");
    refused(&bench, &[], 6, "the mode of a file", "commit that");
}

/// It would be committed with the state.
fn s44_a_change_that_nobody_reads_is_refused() {
    let _machine = machine();
    let bench = Bench::new();
    bench.write("data.csv", &"1,2,3\n".repeat(200_000));
    refused(&bench, &[], 6, "more than a megabyte of it: data.csv", "ignore them");
}

/// Whoever stashes everything while an experiment is open puts the state back with it.
fn s07_a_state_that_was_put_back_loses_no_change() {
    let _machine = machine();
    let bench = Bench::new();
    bench.change("a=9");
    bench.interrupt(&[], Signal::INT);
    assert_eq!(bench.experiments()[0]["status"], "open");
    git(&bench.project, &["stash", "push", "--include-untracked"]);
    assert_eq!(bench.experiments(), Vec::<Value>::new());
    bench.change("a=8");
    let answer = bench.experiment(&[]).succeeds().json();
    assert_eq!(answer["result"]["experiment"]["id"], "E2", "E1 is that of the stash");
    // The first change is where git keeps it.
    let repository = git2::Repository::open(&bench.project).expect("a repository");
    let kept =
        repository.revparse_single(&format!("refs/perf-experiments/{}/E1:says", bench.id())).expect("kept");
    assert_eq!(kept.as_blob().expect("a file").content(), b"PERF_METRICS a=9\n");
}

/// It would look at the work tree, and be stored.
fn x10_a_check_of_a_place_on_this_machine_is_refused() {
    let _machine = machine();
    let bench = Bench::new();
    bench.change("a=9");
    let check = format!("--check=cat {}/says", bench.project.display());
    refused(&bench, &[&check], 2, "names a place on this machine", "relative");
    refused(&bench, &["--prepare=cp ~/data.bin ."], 2, "names a place on this machine", "relative");
}

fn k07_nothing_is_decided_while_an_experiment_is_open() {
    let _machine = machine();
    let bench = Bench::new();
    bench.change("a=9");
    bench.interrupt(&[], Signal::INT);
    let skip = bench.perf(["next", "--skip-phase=optimization=enough"]);
    skip.run().assert_refused(5, "while E1 is open", "--continue");
    bench.perf(["experiment", "--abandon=no time"]).succeeds();
    bench.perf(["next", "--skip-phase=optimization=enough"]).succeeds();
    bench.perf(["decide", "stop", "--rationale=nothing was tried"]).succeeds();
}

/// An experiment that cannot be read must not look as if there were none: its patch would be written over.
fn s30_a_damaged_experiment_is_no_missing_one() {
    let _machine = machine();
    let bench = Bench::new();
    bench.change("a=9");
    bench.experiment(&[]).succeeds();
    let mut state = bench.state();
    state["experiments"][0]["finding"]["control"]["deviation"] = Value::Null;
    bench.write(STATE, &state.to_string());
    bench.perf(["decide"]).run().assert_refused(10, "damaged", "version control");
    bench.experiment(&[]).run().assert_refused(10, "damaged", "version control");
}
