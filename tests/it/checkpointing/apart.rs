//! Commits on a reference of their own, and commits found again.

use super::repository::{REF, Repo, STATE};
use crate::support::trials;
use libtest_mimic::Trial;
use serde_json::{Value, json};
use std::fs;

pub fn trials() -> Vec<Trial> {
    trials![
        x05_a_reference_of_its_own_touches_neither_head_nor_index,
        x05_a_reference_of_its_own_takes_ignored_state_during_a_merge,
        x05_state_once_forced_past_the_pattern_goes_on_being_committed,
        s33_a_commit_is_found_by_subject_and_parent,
        s33_whether_state_is_committed_can_be_asked,
    ]
}

fn x05_a_reference_of_its_own_touches_neither_head_nor_index() {
    let repo = Repo::new();
    repo.write("src/a.rs", "staged\n");
    repo.git(["add", "src/a.rs"]);
    repo.state("1");
    let order = json!({"mode": "ref"});
    let foreseen = repo.call(&json!({"mode": "ref", "call": "foresee"}));
    assert_eq!(foreseen["onto"], REF);
    let before = repo.seen();
    let index = fs::read(repo.path(".git/index")).expect("read");
    let first = repo.call(&order);
    assert_eq!(first["parent"].as_str(), Some(repo.git(["rev-parse", "HEAD"]).trim()));
    assert_eq!(repo.call(&order), json!({"none": "nothing-changed"}));
    repo.state("2");
    let second = repo.call(&order);
    assert_eq!(second["parent"], first["id"]);
    assert_eq!(Some(repo.git(["rev-parse", REF]).trim()), second["id"].as_str());
    let changed = repo.git(["show", "--format=", "--name-only", REF]);
    assert_eq!(changed, format!("{STATE}/investigation.json\n"));
    repo.git(["update-ref", "-d", REF]);
    // The test itself has changed the state meanwhile.
    assert_eq!(repo.seen(), before.with_files_of(&repo));
    assert_eq!(fs::read(repo.path(".git/index")).expect("read"), index);
}

fn x05_a_reference_of_its_own_takes_ignored_state_during_a_merge() {
    let repo = super::reasons::merging();
    repo.write(".git/info/exclude", ".claude/\n");
    repo.write(".git/index.lock", "");
    repo.state("1");
    let made = repo.call(&json!({"mode": "ref"}));
    let held = repo.git(["ls-tree", "-r", "--name-only", REF, &format!("{STATE}/")]);
    assert!(made["id"].is_string() && held.lines().count() == 2, "{made} {held}");
    assert_eq!(repo.call(&json!({"mode": "ref", "call": "committed"})), true);
    assert_eq!(repo.git(["ls-files", "--", STATE]), "");
}

fn x05_state_once_forced_past_the_pattern_goes_on_being_committed() {
    let repo = Repo::new();
    repo.write(".git/info/exclude", ".claude/\n");
    repo.state("1");
    repo.refuses_as_foreseen("ignored", &json!({}));
    repo.git(["add", "--force", STATE]);
    repo.git(["commit", "-qm", "by hand"]);
    repo.state("2");
    repo.write(format!("{STATE}/new.json"), "1");
    repo.checkpoint();
    assert_eq!(repo.call(&json!({"call": "committed"})), true);
}

fn s33_a_commit_is_found_by_subject_and_parent() {
    let repo = Repo::new();
    repo.state("1");
    let first = repo.commits();
    repo.state("2");
    let second = repo.commits();
    repo.state("3");
    let apart = repo.call(&json!({"mode": "ref"}))["id"].clone();
    repo.git(["commit", "-q", "--allow-empty", "-m", "more"]);
    let find = |parent: Value| repo.call(&json!({"call": "find", "parent": parent}));
    let root = repo.git(["rev-parse", &format!("{first}^")]);
    assert_eq!(find(json!(root.trim())), json!(first));
    assert_eq!(find(json!(first)), json!(second));
    assert_eq!(find(json!(second)), apart);
    assert_eq!(find(apart), Value::Null);
    assert_eq!(find(Value::Null), Value::Null);
    let other = json!({"call": "find", "parent": first, "subject": "perf: phase baseline"});
    assert_eq!(repo.call(&other), Value::Null);
    let exists = |id: &str| repo.call(&json!({"call": "exists", "id": id})) == true;
    assert!(exists(&first) && exists(&first[..8]));
    let tree = repo.git(["rev-parse", "HEAD^{tree}"]);
    for id in [tree.trim(), "HEAD", "", "abc", &"0".repeat(40), "zzzzzzzz"] {
        assert!(!exists(id), "{id}");
    }
}

fn s33_whether_state_is_committed_can_be_asked() {
    let repo = Repo::new();
    let asked = || repo.call(&json!({"call": "committed"}));
    assert_eq!(asked(), true);
    repo.state("1");
    assert_eq!(asked(), false);
    repo.commits();
    assert_eq!(asked(), true);
    repo.state("2");
    assert_eq!(asked(), false);
    repo.state("1");
    assert_eq!(asked(), true);
    fs::remove_file(repo.path(&format!("{STATE}/investigation.json"))).expect("removed");
    assert_eq!(asked(), false);
    assert_eq!(repo.call(&json!({"call": "committed", "mode": "ref"})), false);
    assert_eq!(Repo::none().call(&json!({"call": "committed"})), false);
}
