//! What cannot be compared: named, with what helps, and nothing left behind.

use super::{Told, branch, head};
use crate::support::cases::command;
use crate::support::mounts::{NO_MOUNT, mounting};
use crate::support::perf::Perf;
use crate::support::sandbox::{self, NOISY, Sandbox};
use crate::support::traces;
use crate::support::{Outcome, machine, skip, trials};
use git2::{IndexEntry, IndexTime, Repository, Signature};
use libtest_mimic::Trial;
use rustix::process::Signal;
use std::fs;

pub fn trials() -> Vec<Trial> {
    trials![
        a_revision_that_does_not_exist_is_refused,
        without_a_repository_or_a_commit_there_are_no_sides,
        a_patch_that_cannot_be_applied_is_refused,
        a_baseline_of_sources_in_no_commit_is_refused,
        a_folder_inside_the_repository_is_refused,
        a_disk_without_room_for_two_builds_is_refused,
        a_side_that_does_not_build_is_named,
        a_lock_file_out_of_date_is_refused_with_the_flag_that_helps,
        a_dependency_outside_the_repository_is_refused,
        a_submodule_with_changes_inside_is_refused,
        a_submodule_whose_commit_is_not_there_is_refused,
        what_a_shallow_clone_does_not_hold_is_refused,
        a_side_that_needs_another_compiler_is_refused,
        a_bench_that_one_side_lacks_is_named,
        folders_that_vanish_while_it_measures_are_named,
        a_side_that_fails_is_named_and_what_was_measured_is_kept,
        a_program_that_ends_within_its_warm_up_is_named,
        too_little_time_is_refused_before_anything_is_measured,
        numbers_out_of_range_are_refused,
        a_comparison_that_is_held_up_is_told_by_whom,
        a_killed_comparison_leaves_nothing_that_hinders_the_next,
        an_interrupted_comparison_ends_everything_and_keeps_its_pairs,
        what_is_no_comparison_is_not_verified,
    ]
}

/// A comparison that must be refused before anything is built or measured.
fn refused(perf: Perf<'_>, code: i32, cause: &str, remedy: &str) {
    perf.run().assert_refused(code, cause, remedy);
}

fn a_revision_that_does_not_exist_is_refused() {
    let told = Told::of("a=10", "a=11");
    told.compare(&["v99"]).fails(2, "no revision \"v99\"", "git log");
    told.compare(&["HEAD", "v99"]).fails(2, "no revision \"v99\"", "git log");
}

fn without_a_repository_or_a_commit_there_are_no_sides() {
    let sandbox = Sandbox::bare();
    sandbox.write("perf.toml", "");
    let compare = ["compare", "--command", "true"];
    sandbox.perf(compare).fails(8, "revisions cannot be taken from here", "git");
    Repository::init(&sandbox.project).expect("a repository");
    sandbox.perf(compare).fails(8, "no commit yet", "commit");
}

fn a_patch_that_cannot_be_applied_is_refused() {
    let told = Told::of("a=10", "a=10");
    let patch = |name: &str, text: &str| {
        let file = told.0.aside.join(name);
        told.0.write(&file, text);
        file.display().to_string()
    };
    let other = patch(
        "other",
        "diff --git a/says b/says\n--- a/says\n+++ b/says\n@@ -1 +1 @@\n-something else\n+PERF_METRICS a=9\n",
    );
    told.compare(&["--patch", &other]).fails(2, "does not apply to", "BASE");
    let plain =
        patch("plain", "--- a/says\n+++ b/says\n@@ -1 +1 @@\n-PERF_METRICS a=10\n+PERF_METRICS a=9\n");
    told.compare(&["--patch", &plain]).fails(2, "is no patch that git can read", "git diff");
    let empty = patch("empty", "");
    told.compare(&["--patch", &empty]).fails(2, "changes nothing", "git diff");
    told.compare(&["--patch", "missing"]).fails(2, "missing cannot be read", "git diff");
    told.compare(&["HEAD", "HEAD", "--patch", &empty]).fails(2, "--patch", "");
}

fn a_baseline_of_sources_in_no_commit_is_refused() {
    let _machine = machine();
    let told = Told::of("a=10", "a=11");
    let words = command(&["reads", "says"]);
    told.0.perf(["baseline", "v1", "--command", &words, "--runs=3", NOISY]).succeeds();
    told.compare(&["v1"]).fails(6, "sources that no commit holds", "baselines show v1");
    // As after history was rewritten and git has forgotten the rest.
    told.0.commit_all();
    told.0.perf(["baseline", "v2", "--command", &words, "--runs=3", NOISY]).succeeds();
    let file = ".claude/perf/baselines/v2.json";
    let gone = told.0.read(file).replace(&head(&told.0), "0123456789abcdef0123456789abcdef01234567");
    told.0.write(file, &gone);
    told.compare(&["v2"]).fails(6, "which this repository does not have", "baselines show v2");
}

fn a_folder_inside_the_repository_is_refused() {
    let told = Told::of("a=10", "a=11");
    refused(
        told.compare(&["--worktree-dir=target/sides"]),
        2,
        "lies inside the repository",
        "--worktree-dir",
    );
    refused(told.compare(&["--worktree-dir=/proc/sides"]), 8, "cannot be made", "--worktree-dir");
}

fn a_disk_without_room_for_two_builds_is_refused() -> Outcome {
    let told = Told::of("a=10", "a=9");
    let small = told.0.aside.join("small");
    fs::create_dir(&small).expect("the folder can be made");
    let mount = format!("mount -t tmpfs -o size=1m none {}; exec \"$@\"", small.display());
    let Some(words) = mounting(&mount) else {
        return skip("a_disk_without_room_for_two_builds_is_refused", NO_MOUNT);
    };
    let compare = ["compare", "--command", "true", "--worktree-dir", small.to_str().expect("text")];
    let perf = told.0.perf_through(&words, compare);
    refused(perf, 8, "MB free, and two builds need at least 500 MB", "larger disk");
    Ok(())
}

fn a_side_that_does_not_build_is_named() {
    let sandbox = Sandbox::of("two-sides");
    sandbox.write("src/lib.rs", "pub fn digest(seed: u64) -> u64 { does not compile }\n");
    let perf = sandbox.perf(["compare", "--metric=digest_ns:ns:lower"]);
    refused(perf, 101, "candidate, work tree (", "cargo's own message");
    sandbox.commit_all();
    let perf = sandbox.perf(["compare", "HEAD", "HEAD~1", "--metric=digest_ns:ns:lower"]);
    refused(perf, 101, "base, HEAD (", "cargo's own message");
}

fn a_lock_file_out_of_date_is_refused_with_the_flag_that_helps() {
    let _machine = machine();
    let sandbox = Sandbox::of("two-sides");
    let manifest = sandbox.read("Cargo.toml");
    sandbox.write("Cargo.toml", &manifest.replace("version = \"0.0.0\"", "version = \"0.0.1\""));
    let compare = ["compare", "--metric=digest_ns:ns:lower", "--approve-short=a test", "--duration=1", NOISY];
    refused(sandbox.perf(compare), 101, "candidate, work tree (", "--relock");
    sandbox.perf(compare).args(["--relock"]).succeeds();
    sandbox.perf(compare).args(["--relock", "--locked"]).fails(2, "--relock", "--locked");
}

fn a_dependency_outside_the_repository_is_refused() {
    let sandbox = Sandbox::of("two-sides");
    sandbox.write("../aside/outside/Cargo.toml", "[package]\nname = \"outside\"\nversion = \"0.0.0\"\n");
    sandbox.write("../aside/outside/src/lib.rs", "");
    let manifest =
        sandbox.read("Cargo.toml") + "\n[dependencies]\noutside = { path = \"../aside/outside\" }\n";
    sandbox.write("Cargo.toml", &manifest);
    sandbox.commit_all();
    let perf = sandbox.perf(["compare", "--metric=digest_ns:ns:lower"]);
    refused(perf, 6, "it depends on outside by a path that leaves the repository", "submodule");
}

fn a_submodule_with_changes_inside_is_refused() {
    let told = Told::of("a=10", "a=11");
    let inner = Repository::init(told.0.path("inner")).expect("a repository");
    told.0.write("inner/file", "of another repository\n");
    drop(inner);
    told.compare(&[]).fails(6, "inner is a repository of its own", ".gitignore");
}

fn a_submodule_whose_commit_is_not_there_is_refused() {
    let told = Told::of("a=10", "a=11");
    told.0.write(".gitmodules", "[submodule \"inner\"]\n\tpath = inner\n\turl = https://localhost/inner\n");
    told.0.commit_all();
    let repository = Repository::open(told.0.path("")).expect("a repository");
    let mut index = repository.index().expect("an index");
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let time = IndexTime::new(0, 0);
    let entry = IndexEntry {
        ctime: time,
        mtime: time,
        dev: 0,
        ino: 0,
        mode: 0o160_000,
        uid: 0,
        gid: 0,
        file_size: 0,
        id: commit.parse().expect("an id"),
        flags: 0,
        flags_extended: 0,
        path: b"inner".to_vec(),
    };
    index.add(&entry).expect("the submodule can be added");
    let tree = repository.find_tree(index.write_tree().expect("a tree")).expect("the tree exists");
    let parent = repository.head().and_then(|head| head.peel_to_commit()).expect("a commit");
    let author = Signature::now("A Test", "test@example.org").expect("a signature");
    repository.commit(Some("HEAD"), &author, &author, "a submodule", &tree, &[&parent]).expect("a commit");
    refused(told.compare(&["HEAD~1", "HEAD"]), 8, "the submodule inner", "git submodule update --init");
}

fn what_a_shallow_clone_does_not_hold_is_refused() {
    let told = Told::of("a=10", "a=11");
    told.0.commit_all();
    // What `git clone --depth 1` leaves behind of the history.
    told.0.write(".git/shallow", &format!("{}\n", head(&told.0)));
    refused(told.compare(&["HEAD~1"]), 2, "HEAD~1", "git fetch --unshallow");
}

fn a_side_that_needs_another_compiler_is_refused() {
    let sandbox = Sandbox::of("two-sides");
    let manifest = sandbox.read("Cargo.toml");
    sandbox.write(
        "Cargo.toml",
        &manifest.replace("version = \"0.0.0\"", "version = \"0.0.0\"\nrust-version = \"1.999\""),
    );
    let ended = sandbox.perf(["compare", "--metric=digest_ns:ns:lower"]).run();
    ended.assert_refused(101, "candidate, work tree (", "cargo's own message");
    assert!(ended.stderr.contains("1.999"), "{ended:#?}");
}

fn a_bench_that_one_side_lacks_is_named() {
    let sandbox = Sandbox::of("two-sides");
    sandbox.write("benches/newer.rs", &sandbox.read("benches/digest.rs"));
    let manifest = sandbox.read("Cargo.toml") + "\n[[bench]]\nname = \"newer\"\nharness = false\n";
    sandbox.write("Cargo.toml", &manifest);
    let perf = sandbox.perf(["compare", "--metric=digest_ns:ns:lower", "--bench=newer"]);
    refused(perf, 2, "newer", "");
}

fn folders_that_vanish_while_it_measures_are_named() {
    let _machine = machine();
    let sandbox = Sandbox::of("two-sides");
    sandbox
        .write("src/lib.rs", &sandbox.read("src/lib.rs").replace("BLOCKS: u64 = 1000", "BLOCKS: u64 = 3000"));
    let sides = sandbox.aside.join("sides");
    let folder = sides.display().to_string();
    let compare = |arguments: &[&str]| {
        let perf = sandbox.perf(["compare", "--metric=digest_ns:ns:lower", "--worktree-dir", &folder]);
        perf.args(["--approve-short=a test", "--duration=4", NOISY, "--json"]).args(arguments)
    };
    let mut running = compare(&[]).start();
    running.says("plan: ");
    running.keeps("bench-1/pairs.jsonl");
    fs::remove_dir_all(&sides).expect("the folder can be removed");
    let pid = running.pid();
    let ended = running.end();
    ended.assert_refused(8, "sides", "--resume");
    sandbox.assert_no_process_left();
    let run = sandbox::run_folder_of(pid).expect("a folder of the run");
    let id = run.file_name().expect("a name").to_string_lossy().into_owned();
    // Both sides are built again, to the same executables.
    let answer = compare(&["--resume", &id]).succeeds().json();
    assert_eq!(super::only(&answer)["verdict"], "regressed", "{answer}");
}

fn a_side_that_fails_is_named_and_what_was_measured_is_kept() {
    let _machine = machine();
    let told = Told::of("a=10", "b=10");
    let ended = told.compare(&[]).run();
    ended.assert_refused(7, "candidate: ", "");
    told.0.assert_no_process_left();
}

fn too_little_time_is_refused_before_anything_is_measured() {
    let _machine = machine();
    let told = Told::of("a=10", "a=11");
    let ended = told.compare(&["--max-time=1"]).run();
    ended.assert_refused(2, "--max-time is 1 s, and the comparison takes about", "--duration");
}

fn numbers_out_of_range_are_refused() {
    let told = Told::of("a=10", "a=11");
    for flag in
        ["--margin=0", "--margin=x", "--confidence=100", "--view=mean", "--fail-on=slower", "--seed=-1"]
    {
        let name = flag.split('=').next().expect("a flag");
        told.compare(&[flag]).fails(2, name, "");
    }
}

fn a_comparison_that_is_held_up_is_told_by_whom() {
    let _machine = machine();
    let told = Told::of("a=10", "a=11");
    let mut first = told.compare(&[]).start();
    first.says("seems to have changed");
    // However long the others take to ask for it.
    first.signal(Signal::STOP);
    refused(told.compare(&["--no-wait"]), 9, &format!("(pid {})", first.pid()), "--no-wait");
    let elsewhere = told.0.aside.join("sides").display().to_string();
    let other = told.compare(&["--no-wait", "--worktree-dir", &elsewhere]);
    refused(other, 9, "holds the machine", "");
    first.signal(Signal::CONT);
    assert_eq!(first.end().status.code(), Some(0));
}

fn a_killed_comparison_leaves_nothing_that_hinders_the_next() {
    let _machine = machine();
    let told = Told::of("a=10", "a=11");
    let mut first = told.compare(&["--no-wait"]).start();
    first.says("plan: ");
    first.keeps("bench-1/pairs.jsonl");
    first.signal(Signal::KILL);
    assert_eq!(first.end().killed_by(), Some(9));
    // What it had started goes with it, or is ended by the next.
    told.compare(&["--no-wait"]).succeeds();
    told.0.assert_no_process_left();
}

fn an_interrupted_comparison_ends_everything_and_keeps_its_pairs() {
    let _machine = machine();
    let told = Told::of("a=10", "a=11");
    branch(&told.0, "main");
    let mut running = told.compare(&[]).start();
    running.says("seems to have changed");
    running.signal(Signal::INT);
    let pid = running.pid();
    let ended = running.end();
    assert_eq!(ended.status.code(), Some(130), "{ended:#?}");
    assert!(ended.stderr.contains("goes on with the pairs measured so far"), "{ended:#?}");
    told.0.assert_no_process_left();
    let folder = sandbox::run_folder_of(pid).expect("a folder of the run");
    let kept = fs::read_to_string(folder.join("bench-1/pairs.jsonl")).expect("the pairs");
    assert_eq!(kept.lines().count(), 10);
}

/// Its runs would sum to no time, however many there are.
fn a_program_that_ends_within_its_warm_up_is_named() {
    let _machine = machine();
    let told = Told::of("a=10", "a=11");
    // It takes no notice of what it is asked.
    told.0.write("short.sh", "timeout 0.2 sh -c 'while :; do :; done'\ncat says\n");
    told.0.commit_all();
    let words = ["compare", "HEAD", "HEAD", "--command=sh short.sh", "--metric=a:ms:lower", "--warm-up=5"];
    let ended = told.0.perf(words).args(["--approve-short=a test", "--duration=1", NOISY]).run();
    ended.assert_refused(7, "within its warm-up of 5 s, so nothing was measured", "--warm-up");
    told.0.perf(["compare", "--command=sh short.sh", "--runs=10", "--aggregate=mean"]).fails(
        2,
        "--aggregate means nothing where runs are compared",
        "leave it away",
    );
    told.0.assert_no_process_left();
}

fn what_is_no_comparison_is_not_verified() {
    let told = Told::of("a=10", "a=11");
    let sandbox = &told.0;
    sandbox.perf(["verify", "missing.json"]).fails(2, "missing.json cannot be read", "comparison.json");
    sandbox.perf(["verify", "perf.toml"]).fails(10, "perf.toml is no comparison", "");
    sandbox.write(
        "newer.json",
        r#"{"schema": "cargo-perf/comparison", "schema_version": {"major": 99, "minor": 0}}"#,
    );
    sandbox.perf(["verify", "newer.json"]).fails(10, "newer version", "cargo install");
    sandbox.write("other.json", r#"{"schema": "cargo-perf/baseline"}"#);
    sandbox.perf(["verify", "other.json"]).fails(10, "its schema is not cargo-perf/comparison", "");
    let before = traces::snapshot(&sandbox.project);
    sandbox.perf(["verify", "newer.json"]).run();
    assert!(traces::differences(&before, &traces::snapshot(&sandbox.project)).is_empty());
}
