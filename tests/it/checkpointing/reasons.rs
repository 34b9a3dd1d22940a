//! Situations in which no commit is made: the reason is named, and nothing has changed.

use super::repository::{Repo, STATE};
use super::situations::with_submodule;
use crate::support::trials;
use libtest_mimic::Trial;
use serde_json::json;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

pub fn trials() -> Vec<Trial> {
    trials![
        g2_nothing_changed,
        g2_no_repository_and_one_without_a_work_tree,
        s49_checkpoints_turned_off,
        g3_an_ignored_state_folder,
        g3_one_ignored_state_file,
        s33_a_locked_index,
        s33_a_locked_branch,
        g8_a_merge_in_progress,
        g8_a_rebase_in_progress,
        g8_a_cherry_pick_a_revert_and_a_bisection_in_progress,
        g8_a_mailbox_being_applied,
        d08_state_outside_of_the_repository,
        d08_state_in_a_submodule,
        d08_a_link_in_the_place_of_the_state_folder,
        d08_a_file_in_the_place_of_a_folder_around_the_state,
        d08_a_repository_with_sha_256,
        d08_a_split_index,
        d08_a_sparse_index,
        d08_a_repository_with_reftable,
        s33_no_identity,
        s33_a_git_folder_that_cannot_be_written,
        g13_a_subject_with_a_newline_is_refused,
        g1_a_reference_elsewhere_is_refused,
    ]
}

fn g2_nothing_changed() {
    let repo = Repo::new();
    repo.refuses("nothing-changed", &json!({}));
    repo.state("1");
    repo.commits();
    repo.write("src/a.rs", "unstaged\n");
    repo.refuses("nothing-changed", &json!({}));
    Repo::empty(&[]).refuses("nothing-changed", &json!({}));
}

fn g2_no_repository_and_one_without_a_work_tree() {
    let repo = Repo::none();
    repo.state("1");
    repo.refuses_as_foreseen("no-repository", &json!({}));
    repo.refuses_as_foreseen("no-repository", &json!({"mode": "ref"}));
    let bare = Repo::empty(&["--bare"]);
    bare.state("1");
    bare.refuses_as_foreseen("no-repository", &json!({}));
}

fn s49_checkpoints_turned_off() {
    let repo = Repo::new();
    repo.state("1");
    repo.refuses_as_foreseen("off", &json!({"mode": "off"}));
}

fn g3_an_ignored_state_folder() {
    for pattern in [".claude/", ".claude", "perf", ".claude/*", "/.claude/perf/**"] {
        for file in [".gitignore", ".git/info/exclude", "../home/.config/git/ignore", "../home/own"] {
            let repo = Repo::new();
            if file.ends_with("own") {
                let own = repo.home.join("own");
                repo.git(["config", "--global", "core.excludesFile", own.to_str().expect("UTF-8")]);
            }
            repo.write(file, &format!("{pattern}\n"));
            repo.write(".env", "SECRET\n");
            repo.refuses_as_foreseen("ignored", &json!({}));
            repo.state("1");
            repo.refuses_as_foreseen("ignored", &json!({}));
        }
    }
}

fn g3_one_ignored_state_file() {
    let repo = Repo::new();
    repo.write(".gitignore", "*.md\n");
    repo.state("1");
    repo.refuses_as_foreseen("ignored", &json!({}));
    // A negated pattern takes it out again.
    repo.write(".gitignore", ".claude/*\n!.claude/perf/\n");
    repo.checkpoint();
}

fn s33_a_locked_index() {
    let repo = Repo::new();
    repo.state("1");
    repo.write(".git/index.lock", "");
    repo.refuses_as_foreseen("index-locked", &json!({}));
}

/// The index is in place when the branch turns out to be locked, and is put back byte by byte.
fn s33_a_locked_branch() {
    let repo = Repo::new();
    repo.state("1");
    repo.write(".git/refs/heads/main.lock", "");
    repo.refuses("ref-moved", &json!({}));
    let unborn = Repo::empty(&[]);
    unborn.state("1");
    unborn.write(".git/refs/heads/main.lock", "");
    unborn.refuses("ref-moved", &json!({}));
    fs::remove_file(unborn.path(".git/refs/heads/main.lock")).expect("removed");
    unborn.checkpoint();
}

/// A repository in the middle of a merge with a conflict.
pub fn merging() -> Repo {
    let repo = diverged();
    let (merged, said) = repo.try_git(&repo.tree, ["merge", "side"]);
    assert!(!merged, "{said}");
    repo
}

/// `main` and `side` have changed the same line.
fn diverged() -> Repo {
    let repo = Repo::new();
    repo.git(["checkout", "-qb", "side"]);
    repo.write("b.txt", "side\n");
    repo.git(["commit", "-qam", "side"]);
    repo.git(["checkout", "-q", "main"]);
    repo.write("b.txt", "main\n");
    repo.git(["commit", "-qam", "main"]);
    repo
}

fn g8_a_merge_in_progress() {
    let repo = merging();
    repo.state("1");
    repo.refuses_as_foreseen("in-progress", &json!({}));
}

fn g8_a_rebase_in_progress() {
    let repo = diverged();
    let (rebased, said) = repo.try_git(&repo.tree, ["rebase", "side"]);
    assert!(!rebased, "{said}");
    repo.state("1");
    repo.refuses_as_foreseen("in-progress", &json!({}));
    repo.git(["rebase", "--abort"]);
    repo.checkpoint();
}

fn g8_a_cherry_pick_a_revert_and_a_bisection_in_progress() {
    let repo = diverged();
    repo.state("1");
    assert!(!repo.try_git(&repo.tree, ["cherry-pick", "side"]).0);
    repo.refuses_as_foreseen("in-progress", &json!({}));
    repo.git(["cherry-pick", "--abort"]);
    repo.git(["revert", "--no-commit", "HEAD"]);
    repo.refuses_as_foreseen("in-progress", &json!({}));
    repo.git(["revert", "--abort"]);
    repo.git(["bisect", "start"]);
    repo.refuses_as_foreseen("in-progress", &json!({}));
    repo.git(["bisect", "reset"]);
    repo.checkpoint();
}

fn g8_a_mailbox_being_applied() {
    let repo = diverged();
    repo.state("1");
    let patch = repo.git(["format-patch", "-1", "side", "--stdout"]);
    let file = repo.home.join("a.patch");
    repo.write(&file, &patch);
    assert!(!repo.try_git(&repo.tree, ["am", file.to_str().expect("UTF-8")]).0);
    repo.refuses_as_foreseen("in-progress", &json!({}));
}

fn d08_state_outside_of_the_repository() {
    let repo = Repo::new();
    let elsewhere = Repo::new();
    for state in [
        repo.home.join("perf"),
        elsewhere.path(STATE),
        repo.path(".git/perf"),
        repo.path("sub/../.git/perf"),
        repo.tree.clone(),
    ] {
        repo.refuses_as_foreseen("outside", &json!({"state": state}));
        repo.refuses_as_foreseen("outside", &json!({"state": state, "mode": "ref"}));
    }
}

fn d08_state_in_a_submodule() {
    let repo = with_submodule();
    let state = repo.path("sub").join(STATE);
    for _ in 0..2 {
        repo.refuses_as_foreseen("outside", &json!({"state": state}));
        repo.write(format!("sub/{STATE}/x.json"), "1");
    }
    // One that is not checked out is a folder like any other, but for the last commit.
    fs::remove_dir_all(repo.path("sub")).expect("removed");
    repo.write(format!("sub/{STATE}/x.json"), "1");
    repo.refuses_as_foreseen("outside", &json!({"state": state}));
}

fn d08_a_link_in_the_place_of_the_state_folder() {
    let repo = Repo::new();
    fs::create_dir_all(repo.path(".claude")).expect("made");
    symlink("../src", repo.path(STATE)).expect("linked");
    let before = repo.git(["ls-files", "--stage"]);
    for call in ["commit", "foresee"] {
        assert_eq!(repo.call(&json!({"call": call})), json!({"none": "outside"}));
    }
    assert_eq!(repo.git(["ls-files", "--stage"]), before);
    // A link around it leads to where the state really is.
    let repo = Repo::new();
    fs::create_dir_all(repo.path("config")).expect("made");
    symlink("config", repo.path(".claude")).expect("linked");
    repo.state("1");
    let id = repo.commits();
    let changed = repo.git(["show", "--format=", "--name-only", &id]);
    assert_eq!(changed, "config/perf/investigation.json\nconfig/perf/investigations/perf-1.md\n");
}

fn d08_a_file_in_the_place_of_a_folder_around_the_state() {
    let repo = Repo::new();
    repo.write(".claude", "a file");
    repo.git(["add", ".claude"]);
    fs::remove_file(repo.path(".claude")).expect("removed");
    repo.state("1");
    repo.refuses_as_foreseen("outside", &json!({}));
    repo.git(["commit", "-qm", "a file"]);
    repo.refuses_as_foreseen("outside", &json!({}));
    repo.refuses_as_foreseen("outside", &json!({"mode": "ref"}));
}

fn d08_a_repository_with_sha_256() {
    let repo = Repo::empty(&["--object-format=sha256"]);
    repo.state("1");
    repo.refuses_as_foreseen("unsupported-format", &json!({}));
    repo.refuses_as_foreseen("unsupported-format", &json!({"mode": "ref"}));
}

fn d08_a_split_index() {
    let repo = Repo::new();
    repo.git(["update-index", "--split-index"]);
    repo.state("1");
    repo.refuses_as_foreseen("unsupported-format", &json!({}));
    // The remedy that is named.
    repo.git(["update-index", "--no-split-index"]);
    repo.checkpoint();
}

fn d08_a_sparse_index() {
    let repo = Repo::new();
    repo.write("other/deep/x", "1");
    repo.git(["add", "."]);
    repo.git(["commit", "-qm", "more"]);
    repo.git(["sparse-checkout", "init", "--cone", "--sparse-index"]);
    repo.git(["sparse-checkout", "set", "src"]);
    repo.state("1");
    repo.refuses_as_foreseen("unsupported-format", &json!({}));
    repo.git(["sparse-checkout", "reapply", "--no-sparse-index"]);
    repo.commits();
}

fn d08_a_repository_with_reftable() {
    let repo = Repo::none();
    if !repo.try_git(&repo.tree, ["init", "-q", "--ref-format=reftable"]).0 {
        // Git before 2.45 makes none; what it would hold before the first commit is known.
        repo.git(["init", "-q"]);
        repo.git(["config", "core.repositoryFormatVersion", "1"]);
        repo.git(["config", "extensions.refStorage", "reftable"]);
        repo.write(".git/HEAD", "ref: refs/heads/.invalid\n");
        repo.write(".git/reftable/tables.list", "");
    }
    repo.state("1");
    repo.refuses_as_foreseen("unsupported-format", &json!({}));
}

fn s33_no_identity() {
    let repo = Repo::new();
    repo.state("1");
    repo.git(["config", "--unset", "user.email"]);
    repo.refuses_as_foreseen("no-identity", &json!({}));
    repo.git(["config", "--unset", "user.name"]);
    repo.refuses_as_foreseen("no-identity", &json!({"mode": "ref"}));
    // As for git, the environment can name somebody.
    let who = ["AUTHOR_NAME", "AUTHOR_EMAIL", "COMMITTER_NAME", "COMMITTER_EMAIL"];
    let who = who.map(|name| format!("GIT_{name}"));
    let who = who.each_ref().map(|name| (name.as_str(), "bob@example.org"));
    let made = repo.call_with(&json!({}), &who);
    let author = repo.git(["show", "-s", "--format=%an", made["id"].as_str().expect("a commit")]);
    assert_eq!(author, "bob@example.org\n");
}

/// What was measured counts all the same.
fn s33_a_git_folder_that_cannot_be_written() {
    let repo = Repo::new();
    repo.state("1");
    let before = repo.seen();
    let git = repo.path(".git");
    let set = |mode| fs::set_permissions(&git, fs::Permissions::from_mode(mode)).expect("set");
    set(0o555);
    let answer = repo.call_without_privileges(&json!({}));
    set(0o755);
    assert_eq!(answer["none"], "unwritable", "{answer}");
    assert_eq!(repo.seen(), before);
    repo.checkpoint();
}

fn g13_a_subject_with_a_newline_is_refused() {
    let repo = Repo::new();
    repo.state("1");
    let before = repo.seen();
    for subject in ["a\n\nCo-authored-by: m", "", " ", &"x".repeat(201), "a\u{1b}[1m"] {
        let answer = repo.call(&json!({"subject": subject}));
        assert_eq!(answer["kind"], "bug", "{answer}");
    }
    assert_eq!(repo.seen(), before);
}

fn g1_a_reference_elsewhere_is_refused() {
    let repo = Repo::new();
    repo.state("1");
    let before = repo.seen();
    for name in ["refs/heads/main", "refs/perf/a..b", "refs/perf/", "HEAD"] {
        let answer = repo.call(&json!({"mode": "ref", "ref_name": name}));
        assert_eq!(answer["kind"], "bug", "{answer}");
    }
    assert_eq!(repo.seen(), before);
}
