//! The proof that a tree is clean, and that sources stay the same during a measurement.

use super::repository::{Repo, STATE};
use super::situations::with_submodule;
use crate::support::trials;
use libtest_mimic::Trial;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

pub fn trials() -> Vec<Trial> {
    trials![
        s10_a_clean_tree_is_proven_and_a_dirty_one_is_not,
        s10_what_git_ignores_and_caches_are_no_sources,
        x09_state_makes_nothing_dirty_and_changes_no_digest,
        k03_every_change_of_a_dirty_file_changes_the_digest,
        k03_another_commit_is_another_digest_and_going_back_is_not,
        s10_at_most_ten_paths_are_named,
        s10_before_the_first_commit,
        s10_without_a_repository_there_is_nothing_to_prove,
        k03_a_change_inside_a_submodule_is_seen,
        s10_paths_that_are_no_text_are_no_matter,
        s10_looking_changes_nothing,
        d08_what_libgit2_cannot_open_is_asked_of_the_git_program,
        d08_without_a_git_program_that_is_a_failure_with_a_hint,
    ]
}

fn look(repo: &Repo) -> Value {
    repo.call(&json!({"call": "sources"}))
}

fn digest(repo: &Repo) -> String {
    look(repo)["digest"].as_str().expect("a digest").to_owned()
}

fn assert_dirty(repo: &Repo, paths: &[&str]) {
    let seen = look(repo);
    assert_eq!((&seen["dirty"], &seen["count"]), (&json!(paths), &json!(paths.len())), "{seen}");
    assert_eq!((&seen["clean"], &seen["proven"]), (&json!(paths.is_empty()), &proven(&seen)));
}

/// The proof is of the commit that is checked out.
fn proven(seen: &Value) -> Value {
    if seen["clean"] == true { seen["commit"].clone() } else { Value::Null }
}

fn s10_a_clean_tree_is_proven_and_a_dirty_one_is_not() {
    let repo = Repo::new();
    assert_dirty(&repo, &[]);
    assert_eq!(look(&repo)["proven"], repo.git(["rev-parse", "HEAD"]).trim());
    repo.write("src/a.rs", "unstaged\n");
    repo.write("staged.rs", "1");
    repo.git(["add", "staged.rs"]);
    repo.write("new/untracked.rs", "1");
    fs::remove_file(repo.path("b.txt")).expect("removed");
    assert_dirty(&repo, &["b.txt", "new/untracked.rs", "src/a.rs", "staged.rs"]);
    // From a folder below, the whole work tree is looked at.
    let below = repo.call(&json!({"call": "sources", "root": repo.path("src")}));
    assert_eq!(below, look(&repo));
    // What is staged counts even if the file is as it was.
    let repo = Repo::new();
    repo.write("b.txt", "staged\n");
    repo.git(["add", "b.txt"]);
    repo.write("b.txt", "one\n");
    assert_dirty(&repo, &["b.txt"]);
}

fn s10_what_git_ignores_and_caches_are_no_sources() {
    let repo = Repo::new();
    let clean = look(&repo);
    repo.write(".git/info/exclude", "*.log\n");
    repo.write("a.log", "1");
    repo.write("target/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n# cargo\n");
    repo.write("target/debug/deps/x", "1");
    assert_eq!(look(&repo), clean);
    repo.write("fake/CACHEDIR.TAG", "not the signature");
    assert_dirty(&repo, &["fake/CACHEDIR.TAG"]);
    fs::remove_dir_all(repo.path("fake")).expect("removed");
    // Tracked files count wherever they are.
    repo.git(["add", "target/debug/deps/x"]);
    assert_dirty(&repo, &["target/debug/deps/x"]);
}

fn x09_state_makes_nothing_dirty_and_changes_no_digest() {
    let repo = Repo::new();
    let clean = look(&repo);
    repo.state("1");
    assert_eq!(look(&repo), clean);
    repo.git(["add", STATE]);
    assert_eq!(look(&repo), clean);
    repo.commits();
    let after = look(&repo);
    assert_eq!(after["digest"], clean["digest"]);
    assert_eq!(after["proven"], repo.git(["rev-parse", "HEAD"]).trim());
    // What lies beside the state folder is no state.
    repo.write(".claude/settings.json", "{}");
    repo.write(".claude/perfect", "1");
    assert_dirty(&repo, &[".claude/perfect", ".claude/settings.json"]);
}

fn k03_every_change_of_a_dirty_file_changes_the_digest() {
    let repo = Repo::new();
    let path = repo.path("src/a.rs");
    let mut seen = BTreeSet::from([digest(&repo)]);
    let mut differs = |what: &str| {
        assert!(seen.insert(digest(&repo)), "{what} is not seen");
        assert_eq!(digest(&repo), digest(&repo));
    };
    repo.write("src/a.rs", "two\n");
    differs("content");
    repo.write("src/a.rs", "six\n");
    differs("content of the same length");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("set");
    differs("the executable bit");
    fs::remove_file(&path).expect("removed");
    differs("a removed file");
    symlink("x", &path).expect("linked");
    differs("a link");
    fs::remove_file(&path).and_then(|()| symlink("y", &path)).expect("linked");
    differs("the target of a link");
    repo.write("new.rs", "1");
    differs("an untracked file");
    repo.write("new.rs", "2");
    differs("content of an untracked file");
    fs::rename(repo.path("new.rs"), repo.path("newer.rs")).expect("renamed");
    differs("a name");
}

fn k03_another_commit_is_another_digest_and_going_back_is_not() {
    let repo = Repo::new();
    let first = look(&repo);
    repo.write("src/a.rs", "two\n");
    repo.git(["commit", "-qam", "second"]);
    let second = look(&repo);
    assert!(second["digest"] != first["digest"] && second["clean"] == true);
    repo.git(["checkout", "-q", "--detach", "HEAD^"]);
    assert_eq!(look(&repo), first);
}

fn s10_at_most_ten_paths_are_named() {
    let repo = Repo::new();
    for number in 0..12 {
        repo.write(format!("new/{number:02}"), "1");
    }
    let seen = look(&repo);
    assert_eq!((seen["dirty"].as_array().expect("paths").len(), &seen["count"]), (10, &json!(12)));
    let before = digest(&repo);
    repo.write("new/11", "2");
    assert_ne!(digest(&repo), before, "a path that is not named is not read");
}

fn s10_before_the_first_commit() {
    let repo = Repo::empty(&[]);
    assert_dirty(&repo, &[]);
    assert_eq!((&look(&repo)["commit"], &look(&repo)["clean"]), (&Value::Null, &json!(true)));
    repo.write("a.rs", "1");
    assert_dirty(&repo, &["a.rs"]);
    repo.git(["add", "a.rs"]);
    assert_dirty(&repo, &["a.rs"]);
}

fn s10_without_a_repository_there_is_nothing_to_prove() {
    assert_eq!(look(&Repo::none()), Value::Null);
    assert_eq!(look(&Repo::empty(&["--bare"])), Value::Null);
}

fn k03_a_change_inside_a_submodule_is_seen() {
    let repo = with_submodule();
    assert_dirty(&repo, &[]);
    let mut seen = BTreeSet::from([digest(&repo)]);
    for (file, text) in [("b.txt", "two\n"), ("b.txt", "six\n"), ("new.rs", "1"), ("new.rs", "2")] {
        repo.write(format!("sub/{file}"), text);
        assert!(seen.insert(digest(&repo)), "{file} {text:?} is not seen");
        assert_dirty(&repo, &["sub"]);
    }
    repo.git_in(&repo.path("sub"), ["add", "."]);
    repo.git_in(&repo.path("sub"), ["commit", "-qm", "more"]);
    assert!(seen.insert(digest(&repo)), "another commit is not seen");
}

fn s10_paths_that_are_no_text_are_no_matter() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let repo = Repo::new();
    let path = repo.tree.join(OsStr::from_bytes(b"new \xff\n\t.rs"));
    fs::File::create(&path).expect("made");
    let before = look(&repo);
    assert_eq!((&before["count"], &before["clean"]), (&json!(1), &json!(false)));
    fs::copy(repo.path("b.txt"), &path).expect("changed");
    assert_ne!(look(&repo)["digest"], before["digest"]);
}

fn s10_looking_changes_nothing() {
    let repo = Repo::new();
    // The recorded times are no longer true, so that git would write the index.
    let file = fs::File::options().write(true).open(repo.path("b.txt")).expect("opened");
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("set");
    let index = fs::read(repo.path(".git/index")).expect("read");
    assert_dirty(&repo, &[]);
    assert_eq!(fs::read(repo.path(".git/index")).expect("read"), index);
}

fn d08_what_libgit2_cannot_open_is_asked_of_the_git_program() {
    let repo = Repo::empty(&["--object-format=sha256"]);
    assert_dirty(&repo, &[]);
    repo.write("src/a.rs", "one\n");
    assert_dirty(&repo, &["src/a.rs"]);
    repo.git(["add", "."]);
    repo.git(["commit", "-qm", "first"]);
    let split = Repo::new();
    split.git(["update-index", "--split-index"]);
    for repo in [repo, split] {
        assert_dirty(&repo, &[]);
        let clean = look(&repo);
        assert_eq!(clean["proven"], repo.git(["rev-parse", "HEAD"]).trim());
        repo.state("1");
        repo.write("target/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55");
        repo.write("target/x", "1");
        assert_eq!(look(&repo), clean);
        repo.git(["add", STATE]);
        repo.git(["commit", "-qm", "state"]);
        assert_eq!(look(&repo)["digest"], clean["digest"]);
        let mut seen = BTreeSet::from([digest(&repo)]);
        for text in ["two\n", "six\n"] {
            repo.write("src/a.rs", text);
            assert_dirty(&repo, &["src/a.rs"]);
            assert!(seen.insert(digest(&repo)), "{text:?} is not seen");
        }
        repo.git(["mv", "-f", "src/a.rs", "src/b.rs"]);
        repo.write("new file", "1");
        assert_dirty(&repo, &["new file", "src/a.rs", "src/b.rs"]);
        repo.git(["commit", "-qm", "moved"]);
        assert!(seen.insert(digest(&repo)), "another commit is not seen");
    }
}

fn d08_without_a_git_program_that_is_a_failure_with_a_hint() {
    let repo = Repo::empty(&["--object-format=sha256"]);
    let answer = repo.call_with(&json!({"call": "sources"}), &[("PATH", "/nowhere")]);
    assert_eq!(answer["kind"], "environment", "{answer}");
    assert!(answer["hint"].is_string(), "{answer}");
}
