//! Where the two sides come from, and that the user's tree is never touched for them.

use super::{Told, branch, document, head, only};
use crate::support::cases::command;
use crate::support::sandbox::{NOISY, Sandbox};
use crate::support::traces;
use crate::support::{machine, trials};
use libtest_mimic::Trial;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub fn trials() -> Vec<Trial> {
    trials![
        the_base_is_where_the_branch_began,
        two_revisions_are_compared_whatever_the_work_tree_holds,
        new_files_of_the_work_tree_belong_to_it,
        what_was_measured_before_is_no_change_of_the_work_tree,
        a_patch_is_judged_against_the_head,
        a_baseline_is_measured_anew_on_its_commit,
        the_tree_index_and_references_are_never_touched,
        a_bench_whose_own_source_changed_is_flagged,
        what_git_does_not_hold_is_made_by_prepare,
        settings_for_cargo_are_those_of_each_side,
        several_benches_need_an_approval_and_those_of_one_side_are_named,
        it_works_from_a_folder_below,
        pointers_of_large_files_and_toolchains_of_a_side_are_noted,
    ]
}

fn the_base_is_where_the_branch_began() {
    let _machine = machine();
    let told = Told::of("a=10", "a=10");
    let sandbox = &told.0;
    branch(sandbox, "main");
    let began = head(sandbox);
    branch(sandbox, "work");
    sandbox.write("says", "PERF_METRICS a=11\n");
    let tip = sandbox.commit_all();
    sandbox.write("says", "PERF_METRICS a=12\n");
    let answer = told.compare(&[]).succeeds().json();
    let sides = &answer["result"]["sides"];
    assert_eq!(
        (&sides["base"]["commit"], &sides["base"]["name"]),
        (&json!(began), &json!("merge base with main"))
    );
    assert_eq!(
        (&sides["candidate"]["onto"], &sides["candidate"]["name"]),
        (&json!(tip), &json!("work tree"))
    );
    assert_eq!(only(&answer)["views"][0]["values"], json!({"base": 10.0, "candidate": 12.0}));
}

fn two_revisions_are_compared_whatever_the_work_tree_holds() {
    let _machine = machine();
    let told = Told::of("a=10", "a=11");
    told.0.commit_all();
    told.0.write("says", "nothing that could be measured\n");
    let answer = told.compare(&["HEAD~1", "HEAD"]).succeeds().json();
    assert_eq!(only(&answer)["views"][0]["values"], json!({"base": 10.0, "candidate": 11.0}));
    let sides = &answer["result"]["sides"];
    assert_eq!((&sides["base"]["name"], &sides["candidate"]["name"]), (&json!("HEAD~1"), &json!("HEAD")));
}

fn new_files_of_the_work_tree_belong_to_it() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    sandbox.write("case-of-side.sh", "#!/bin/sh\ncat says 2>/dev/null || echo 'PERF_METRICS a=10'\n");
    sandbox.commit_all();
    sandbox.write("says", "PERF_METRICS a=13\n");
    let line = "./case.sh prints \"$(sh case-of-side.sh)\"";
    let perf =
        sandbox.perf(["compare", "--metric=a:ms:lower", "--shell", "--command", line]).args(super::RUNS);
    let answer = perf.succeeds().json();
    assert_eq!(only(&answer)["views"][0]["values"], json!({"base": 10.0, "candidate": 13.0}));
}

fn what_was_measured_before_is_no_change_of_the_work_tree() {
    let _machine = machine();
    let told = Told::of("a=10", "a=11");
    told.0.commit_all();
    // No cargo has made this folder, and nothing ignores it.
    let compare = || told.compare(&[]).env("CARGO_TARGET_DIR", "target").succeeds().json();
    compare();
    let answer = compare();
    assert_eq!(answer["result"]["sides"]["candidate"]["name"], head(&told.0)[..7], "{answer}");
}

fn a_patch_is_judged_against_the_head() {
    let _machine = machine();
    let told = Told::of("a=10", "a=10");
    let patch = "diff --git a/says b/says\n--- a/says\n+++ b/says\n@@ -1 +1 @@\n-PERF_METRICS a=10\n+PERF_METRICS a=9\n";
    told.0.write("../aside/faster.patch", patch);
    let file = told.0.aside.join("faster.patch").display().to_string();
    let answer = told.compare(&["--patch", &file]).succeeds().json();
    assert_eq!(only(&answer)["verdict"], "improved", "{answer}");
    assert_eq!(answer["result"]["sides"]["candidate"]["onto"], head(&told.0));
    assert_eq!(told.0.read("says"), "PERF_METRICS a=10\n");
}

fn a_baseline_is_measured_anew_on_its_commit() {
    let _machine = machine();
    let told = Told::of("a=10", "a=10");
    let words = command(&["reads", "says"]);
    told.0.perf(["baseline", "v1", "--command", &words, "--runs=3", NOISY]).succeeds();
    told.0.write("says", "PERF_METRICS a=12\n");
    let answer = told.compare(&["v1"]).succeeds().json();
    assert_eq!(answer["result"]["sides"]["base"]["name"], "baseline v1");
    assert_eq!(only(&answer)["views"][0]["values"], json!({"base": 10.0, "candidate": 12.0}));
}

/// Everything in the project but objects that nothing refers to, and what was measured.
fn touched(before: &BTreeMap<PathBuf, String>, project: &Path) -> Vec<PathBuf> {
    let mut found = traces::differences(before, &traces::snapshot(project));
    found.retain(|path| !path.starts_with(".git/objects") && !path.starts_with("target"));
    found
}

fn the_tree_index_and_references_are_never_touched() {
    let _machine = machine();
    let told = Told::of("a=10", "a=11");
    told.0.write("new/file", "that git does not know\n");
    let before = traces::snapshot(&told.0.project);
    let answer = told.compare(&[]).succeeds().json();
    assert_eq!(touched(&before, &told.0.project), Vec::<PathBuf>::new());
    // The checkouts themselves hold exactly what git holds.
    let stored = document(&told.0, &answer);
    assert_eq!(stored["sides"]["base"]["commit"], head(&told.0));
}

fn a_bench_whose_own_source_changed_is_flagged() {
    let _machine = machine();
    let sandbox = Sandbox::of("two-sides");
    let source = sandbox.read("benches/digest.rs");
    sandbox.write("benches/digest.rs", &source.replace("for _ in 0..100", "for _ in 0..200"));
    let short = ["--approve-short=a test", "--duration=1", NOISY];
    let text = sandbox.perf(["compare", "--metric=digest_ns:ns:lower"]).args(short).succeeds().stdout;
    assert!(text.contains("the source of the bench itself differs between the sides"), "{text}");
}

fn what_git_does_not_hold_is_made_by_prepare() {
    let _machine = machine();
    let told = Told::of("a=10", "a=11");
    let words = command(&["reads", "made"]);
    let compare = ["compare", "--metric=a:ms:lower", "--command", &words];
    let missing = told.0.perf(compare).args(super::RUNS).run();
    missing.assert_refused(7, "base: ", "");
    let answer = told.0.perf(compare).args(super::RUNS).args(["--prepare", "cp says made"]).succeeds().json();
    assert_eq!(only(&answer)["verdict"], "regressed");
    let failed = told.0.perf(compare).args(super::RUNS).args(["--prepare", "exit 3"]).run();
    failed.assert_refused(101, "--prepare \"exit 3\" exited with code 3", "root of each checkout");
}

fn settings_for_cargo_are_those_of_each_side() {
    let _machine = machine();
    let sandbox = Sandbox::of("two-sides");
    sandbox.write(".cargo/config.toml", "[build]\nrustflags = [\"--cfg\", \"planted\"]\n");
    let short = ["--approve-short=a test", "--duration=1", NOISY, "--json"];
    let answer = sandbox.perf(["compare", "--metric=digest_ns:ns:lower"]).args(short).succeeds().json();
    let flags = |side: &str| answer["result"]["sides"][side]["build"]["config_rustflags"].to_string();
    assert!(flags("candidate").contains("planted") && !flags("base").contains("planted"), "{answer}");
    assert!(answer["result"]["notes"].to_string().contains("config_rustflags differs"), "{answer}");
}

fn several_benches_need_an_approval_and_those_of_one_side_are_named() {
    let _machine = machine();
    let sandbox = Sandbox::of("two-sides");
    let bench = |name: &str| format!("\n[[bench]]\nname = \"{name}\"\nharness = false\n");
    let manifest = sandbox.read("Cargo.toml");
    let source = sandbox.read("benches/digest.rs");
    let with = |names: &[&str]| {
        let benches: String = names.iter().map(|name| bench(name)).collect();
        sandbox.write("Cargo.toml", &(manifest.clone() + &benches));
        for name in names {
            sandbox.write(format!("benches/{name}.rs"), &source);
        }
    };
    with(&["both", "old"]);
    sandbox.commit_all();
    std::fs::remove_file(sandbox.path("benches/old.rs")).expect("removed");
    with(&["both", "new"]);
    let compare = ["compare", "--metric=digest_ns:ns:lower", "--approve-short=a test", "--duration=1", NOISY];
    let refused = sandbox.perf(compare).run();
    refused.assert_refused(6, "2 benchmarks could be meant", "--filter");
    assert!(refused.stdout.contains("cargo perf compare"), "{refused:#?}");
    let answer = sandbox.perf(compare).args(["--expand=all of them", "--json"]).succeeds().json();
    let ids: Vec<&str> = answer["result"]["comparisons"]
        .as_array()
        .expect("comparisons")
        .iter()
        .map(|found| found["bench"]["id"].as_str().expect("an id"))
        .collect();
    assert_eq!(ids, ["both", "digest"]);
    let left_out = answer["result"]["left_out"].to_string();
    assert!(
        left_out.contains("only the candidate has it") && left_out.contains("only the base has it"),
        "{left_out}"
    );
    let only_new = sandbox.perf(compare).args(["--filter=new"]).run();
    only_new.assert_refused(2, "only the candidate has new", "both have it");
}

fn it_works_from_a_folder_below() {
    let _machine = machine();
    let told = Told::of("a=10", "a=11");
    told.0.write("below/readme", "a folder\n");
    let perf =
        told.0.perf(["compare", "--metric=a:ms:lower", "--command", "sh -c 'cd .. && ./case.sh reads says'"]);
    let answer = perf.args(super::RUNS).cwd(told.0.path("below")).run();
    // The base has no such folder, and runs where the nearest one is.
    answer.assert_refused(7, "base: ", "");
    told.0.commit_all();
    told.0.write("says", "PERF_METRICS a=13\n");
    let perf =
        told.0.perf(["compare", "--metric=a:ms:lower", "--command", "sh -c 'cd .. && ./case.sh reads says'"]);
    let answer = perf.args(super::RUNS).cwd(told.0.path("below")).succeeds().json();
    assert_eq!(only(&answer)["views"][0]["values"], json!({"base": 11.0, "candidate": 13.0}));
}

fn pointers_of_large_files_and_toolchains_of_a_side_are_noted() {
    let _machine = machine();
    let told = Told::of("a=10", "a=11");
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    told.0.write("data.bin", pointer);
    told.0.write("rust-toolchain.toml", "[toolchain]\nchannel = \"1.70.0\"\n");
    let answer = told.compare(&[]).env("RUSTUP_TOOLCHAIN", "1.95.0-of-a-test").run().json();
    let notes = document(&told.0, &answer)["notes"].to_string();
    assert!(notes.contains("data.bin") && notes.contains("pointers of Git LFS"), "{notes}");
    assert!(notes.contains("candidate: rust-toolchain.toml asks for the toolchain 1.70.0"), "{notes}");
    assert!(!notes.contains("base: rust-toolchain.toml"), "{notes}");
}
