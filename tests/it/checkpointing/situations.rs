//! Situations in which a commit is made, and nothing of the user's changes.

use super::repository::{Repo, STATE, SUBJECT};
use crate::support::trials;
use libtest_mimic::Trial;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

pub fn trials() -> Vec<Trial> {
    trials![
        g6_staged_work_stays_staged,
        g4_g7_unstaged_and_untracked_work_and_secrets_stay_out,
        g5_from_a_sub_directory_only_state_is_committed,
        g6_intent_to_add_stays,
        g6_assume_unchanged_and_skip_worktree_stay,
        g6_conflict_stages_stay,
        g6_a_change_that_only_its_time_betrays_stays_visible,
        g6_the_index_keeps_its_version,
        g6_state_that_was_staged_by_hand_is_simply_state,
        d08_the_next_commit_of_the_user_holds_nothing_of_the_state,
        d08_after_a_crash_between_index_and_branch_the_next_checkpoint_commits,
        s14_removed_state_leaves_the_tree,
        s14_modes_are_kept_and_links_are_not_followed,
        s14_state_that_a_sparse_checkout_leaves_out_stays,
        s14_line_ends_are_committed_as_they_are_and_stay_clean,
        g9_the_same_phase_with_new_data_commits_again,
        g8_hooks_are_not_run_and_that_is_foreseen,
        g11_a_detached_head_moves_alone,
        g12_the_first_commit_of_a_repository,
        g12_a_first_commit_leaves_staged_files_staged,
        d08_a_submodule_gets_its_own_commits,
        d08_a_linked_worktree_moves_its_own_branch,
        d08_packed_references_and_many_files_are_no_matter,
    ]
}

fn g6_staged_work_stays_staged() {
    let repo = Repo::new();
    repo.write("src/a.rs", "staged\n");
    repo.git(["add", "src/a.rs"]);
    repo.write("src/a.rs", "and changed again\n");
    repo.write("new.rs", "staged\n");
    repo.git(["add", "new.rs"]);
    repo.git(["rm", "-q", "--cached", "b.txt"]);
    repo.state("1");
    let id = repo.checkpoint();
    assert_eq!(
        repo.git(["show", "--format=%s", "--name-only", &id]),
        format!("{SUBJECT}\n\n{STATE}/investigation.json\n{STATE}/investigations/perf-1.md\n")
    );
}

fn g4_g7_unstaged_and_untracked_work_and_secrets_stay_out() {
    let repo = Repo::new();
    repo.write("src/a.rs", "unstaged\n");
    fs::remove_file(repo.path("b.txt")).expect("removed");
    repo.write(".env", "SECRET=1\n");
    repo.write(".claude/settings.json", "{}");
    repo.git(["stash", "push", "-q", "--", "src/a.rs"]);
    repo.write("src/a.rs", "unstaged again\n");
    repo.state("1");
    let id = repo.checkpoint();
    let all = repo.git(["ls-tree", "-r", "--name-only", &id]);
    assert!(!all.contains(".env") && !all.contains("settings") && all.contains("b.txt"), "{all}");
    assert_eq!(repo.git(["stash", "list"]).lines().count(), 1);
}

fn g5_from_a_sub_directory_only_state_is_committed() {
    let repo = Repo::new();
    repo.write("member/x.rs", "1");
    repo.state("1");
    let root = repo.path("member");
    repo.write(root.join(STATE).join("own.json"), "1");
    let before = repo.git(["ls-files", "--stage"]);
    let made = repo.call(&json!({"root": root, "state": root.join(STATE)}));
    let id = made["id"].as_str().expect("a commit");
    assert_eq!(repo.git(["show", "--format=", "--name-only", id]), format!("member/{STATE}/own.json\n"));
    let after = repo.git(["ls-files", "--stage"]);
    let kept: Vec<&str> = after.lines().filter(|line| !line.contains("member/")).collect();
    assert_eq!(before.lines().collect::<Vec<_>>(), kept);
    assert_eq!(repo.git(["status", "--porcelain"]), "?? .claude/\n?? member/x.rs\n");
}

fn g6_intent_to_add_stays() {
    let repo = Repo::new();
    repo.write("later.rs", "1");
    repo.git(["add", "--intent-to-add", "later.rs"]);
    repo.state("1");
    repo.checkpoint();
    assert_eq!(repo.git(["status", "--porcelain"]), " A later.rs\n");
}

fn g6_assume_unchanged_and_skip_worktree_stay() {
    let repo = Repo::new();
    repo.git(["update-index", "--assume-unchanged", "b.txt"]);
    repo.git(["update-index", "--skip-worktree", "src/a.rs"]);
    repo.write("b.txt", "hidden\n");
    repo.write("src/a.rs", "hidden\n");
    repo.state("1");
    repo.checkpoint();
    let shown = repo.git(["ls-files", "-v", "b.txt", "src/a.rs"]);
    assert_eq!(shown, "h b.txt\nS src/a.rs\n");
}

/// A merge of single files (`git stash pop`, `git checkout -m`) leaves stages without a merge in progress.
fn g6_conflict_stages_stay() {
    let repo = Repo::new();
    repo.write("b.txt", "mine\n");
    repo.git(["stash", "-q"]);
    repo.write("b.txt", "theirs\n");
    repo.git(["commit", "-qam", "theirs"]);
    let (popped, said) = repo.try_git(&repo.tree, ["stash", "pop"]);
    assert!(!popped, "{said}");
    repo.state("1");
    repo.checkpoint();
    assert_eq!(repo.git(["ls-files", "--unmerged"]).lines().count(), 3);
}

/// Git tells a file that was changed in the instant it was added from the time of the index file.
fn g6_a_change_that_only_its_time_betrays_stays_visible() {
    let repo = Repo::new();
    let (file, index) = (repo.path("b.txt"), repo.path(".git/index"));
    let add = || repo.git(["add", "b.txt"]);
    repo.write("b.txt", "two\n");
    add();
    repo.git(["commit", "-qm", "second"]);
    let time = fs::metadata(&file).and_then(|file| file.modified()).expect("a time");
    repo.write("b.txt", "six\n");
    let set = |path| fs::File::options().write(true).open(path).and_then(|file| file.set_modified(time));
    set(&file).expect("set");
    set(&index).expect("set");
    // The time of the inode's own change would betray it.
    repo.git(["config", "core.trustctime", "false"]);
    repo.state("1");
    assert_eq!(repo.git(["--no-optional-locks", "status", "--porcelain", "b.txt"]), " M b.txt\n");
    repo.checkpoint();
    assert_eq!(repo.git(["status", "--porcelain", "b.txt"]), " M b.txt\n");
}

fn g6_the_index_keeps_its_version() {
    for version in ["2", "4"] {
        let repo = Repo::new();
        repo.git(["update-index", "--index-version", version]);
        repo.state("1");
        repo.checkpoint();
        repo.write(format!("{STATE}/x.json"), "1");
        repo.checkpoint();
    }
}

fn g6_state_that_was_staged_by_hand_is_simply_state() {
    let repo = Repo::new();
    repo.state("1");
    repo.git(["add", STATE]);
    repo.state("22");
    repo.write(format!("{STATE}/new.json"), "1");
    repo.git(["add", "--intent-to-add", &format!("{STATE}/new.json")]);
    repo.checkpoint();
    repo.write(format!("{STATE}/new.json"), "2");
    repo.git(["update-index", "--assume-unchanged", &format!("{STATE}/new.json")]);
    let id = repo.checkpoint();
    assert_eq!(repo.git(["show", &format!("{id}:{STATE}/new.json")]), "2");
}

fn d08_the_next_commit_of_the_user_holds_nothing_of_the_state() {
    for all in [true, false] {
        let repo = Repo::new();
        repo.write("src/a.rs", "staged\n");
        repo.git(["add", "src/a.rs"]);
        repo.state("1");
        repo.checkpoint();
        repo.write("b.txt", "unstaged\n");
        repo.git(["commit", "-q", if all { "-am" } else { "-m" }, "mine"]);
        let changed = repo.git(["show", "--format=", "--name-only"]);
        assert_eq!(changed, if all { "b.txt\nsrc/a.rs\n" } else { "src/a.rs\n" });
        let held = repo.git(["ls-tree", "-r", "--name-only", "HEAD", &format!("{STATE}/")]);
        assert_eq!(held.lines().count(), 2, "{held}");
        let (sound, said) = repo.try_git(&repo.tree, ["fsck", "--strict"]);
        assert!(sound && said.is_empty(), "{said}");
    }
}

/// The index is in place before the branch moves; the state is then staged, and never a staged removal.
fn d08_after_a_crash_between_index_and_branch_the_next_checkpoint_commits() {
    let repo = Repo::new();
    repo.state("1");
    repo.git(["add", STATE]);
    let seen = repo.git(["ls-files", "--stage"]);
    repo.checkpoint();
    assert_eq!(repo.git(["ls-files", "--stage"]), seen);
    assert_eq!(repo.git(["status", "--porcelain"]), "");
}

fn s14_removed_state_leaves_the_tree() {
    let repo = Repo::new();
    repo.state("1");
    repo.write(format!("{STATE}/experiments/1.patch"), "x");
    repo.checkpoint();
    fs::remove_dir_all(repo.path(&format!("{STATE}/experiments"))).expect("removed");
    let id = repo.checkpoint();
    let changed = repo.git(["show", "--format=", "--name-status", &id]);
    assert_eq!(changed, format!("D\t{STATE}/experiments/1.patch\n"));
    fs::remove_dir_all(repo.path(".claude")).expect("removed");
    let id = repo.checkpoint();
    assert_eq!(repo.git(["ls-tree", "--name-only", &id]), "b.txt\nsrc\n");
}

fn s14_modes_are_kept_and_links_are_not_followed() {
    let repo = Repo::new();
    repo.state("1");
    let script = repo.path(&format!("{STATE}/run.sh"));
    repo.write(&script, "#!/bin/sh\n");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("set");
    repo.write(format!("{STATE}/.journal"), "1");
    repo.write(format!("{STATE}/.tmpX1"), "1");
    repo.write(format!("{STATE}/.cargo-perf-1"), "1");
    repo.write(".env", "SECRET");
    symlink("../../.env", repo.path(&format!("{STATE}/link"))).expect("linked");
    let id = repo.commits();
    let held = repo.git(["ls-tree", "-r", &id, &format!("{STATE}/")]);
    let shown: Vec<(&str, &str)> =
        held.lines().map(|line| (&line[..6], line.rsplit('/').next().expect("a name"))).collect();
    assert_eq!(shown, [("100644", "investigation.json"), ("100644", "perf-1.md"), ("100755", "run.sh")]);
    // Where the bit means nothing, it is not committed either way.
    repo.git(["config", "core.filemode", "false"]);
    fs::set_permissions(&script, fs::Permissions::from_mode(0o644)).expect("set");
    assert_eq!(repo.call(&json!({})), json!({"none": "nothing-changed"}));
}

fn s14_state_that_a_sparse_checkout_leaves_out_stays() {
    let repo = Repo::new();
    repo.state("1");
    repo.checkpoint();
    let log = format!("{STATE}/investigations/perf-1.md");
    repo.git(["update-index", "--skip-worktree", &log]);
    fs::remove_file(repo.path(&log)).expect("removed");
    repo.write(format!("{STATE}/investigation.json"), "2");
    let id = repo.checkpoint();
    assert_eq!(
        repo.git(["show", "--format=", "--name-status", &id]),
        format!("M\t{STATE}/investigation.json\n")
    );
    assert_eq!(repo.git(["ls-files", "-v", &log]), format!("S {log}\n"));
    assert_eq!(repo.call(&json!({"call": "committed"})), true);
}

fn s14_line_ends_are_committed_as_they_are_and_stay_clean() {
    for (name, value, attributes) in [
        ("core.autocrlf", "true", ""),
        ("core.autocrlf", "input", ""),
        ("core.autocrlf", "input", "* text=auto\n"),
        ("core.autocrlf", "false", "* text=auto\n"),
        ("core.eol", "crlf", "* text=auto eol=crlf\n"),
    ] {
        let repo = Repo::new();
        repo.git(["config", name, value]);
        repo.write(".git/info/attributes", attributes);
        repo.state("{\n  \"a\": 1\n}\n");
        let id = repo.checkpoint();
        let size = repo.git(["cat-file", "-s", &format!("{id}:{STATE}/investigation.json")]);
        assert_eq!(size.trim(), "13");
        // Even when git must look at the content.
        let file = fs::File::options().write(true).open(repo.path(&format!("{STATE}/investigation.json")));
        file.and_then(|file| file.set_modified(std::time::SystemTime::UNIX_EPOCH)).expect("set");
        assert_eq!(repo.git(["--no-optional-locks", "status", "--porcelain", "--", STATE]), "");
    }
}

fn g9_the_same_phase_with_new_data_commits_again() {
    let repo = Repo::new();
    repo.state("1");
    let first = repo.checkpoint();
    repo.state("2");
    let second = repo.checkpoint();
    assert_eq!(repo.git(["rev-parse", &format!("{second}^")]).trim(), first);
    assert_eq!(repo.git(["log", "--format=%s", "-2"]), format!("{SUBJECT}\n{SUBJECT}\n"));
    let log = repo.git(["reflog", "-1", "--format=%gs"]);
    assert_eq!(log, format!("commit: {SUBJECT}\n"));
    let branch_log = repo.git(["reflog", "-1", "--format=%gs", "main"]);
    assert_eq!(branch_log, log);
}

/// G8, G10: neither is a hook asked, nor does one change the message.
fn g8_hooks_are_not_run_and_that_is_foreseen() {
    let repo = Repo::new();
    let foresee = json!({"call": "foresee"});
    assert_eq!(repo.call(&foresee)["hooks_not_run"], false);
    for (name, script) in [
        ("pre-commit", "touch ran; exit 1"),
        ("commit-msg", "touch ran; echo Trailer: x >> \"$1\"; exit 1"),
        ("post-commit", "touch ran"),
    ] {
        repo.hook(name, script);
    }
    assert_eq!(repo.call(&foresee)["hooks_not_run"], true);
    repo.state("1");
    let id = repo.checkpoint();
    assert!(!repo.path("ran").exists());
    assert_eq!(repo.git(["show", "-s", "--format=%B", &id]).trim(), SUBJECT);
    repo.git(["config", "core.hooksPath", "nowhere"]);
    assert_eq!(repo.call(&foresee)["hooks_not_run"], false);
}

fn g11_a_detached_head_moves_alone() {
    let repo = Repo::new();
    repo.git(["checkout", "-q", "--detach"]);
    let main = repo.git(["rev-parse", "main"]);
    repo.state("1");
    let foreseen = repo.call(&json!({"call": "foresee"}));
    assert_eq!((&foreseen["onto"], &foreseen["parent"]), (&json!("detached HEAD"), &json!(main.trim())));
    let id = repo.checkpoint();
    assert_eq!(repo.git(["rev-parse", "main"]), main);
    assert_eq!(repo.git(["rev-parse", &format!("{id}^")]), main);
    assert_eq!(repo.git(["reflog", "-1", "--format=%gs"]), format!("commit: {SUBJECT}\n"));
}

fn g12_the_first_commit_of_a_repository() {
    let repo = Repo::empty(&[]);
    repo.write("untracked.rs", "1");
    repo.state("1");
    let foreseen = repo.call(&json!({"call": "foresee"}));
    assert_eq!((&foreseen["onto"], &foreseen["parent"]), (&json!("main"), &Value::Null));
    let id = repo.checkpoint();
    assert_eq!(repo.git(["rev-list", "--parents", "HEAD"]).trim(), id);
    assert_eq!(repo.git(["status", "--porcelain"]), "?? untracked.rs\n");
}

fn g12_a_first_commit_leaves_staged_files_staged() {
    let repo = Repo::empty(&[]);
    repo.write("a.rs", "1");
    repo.git(["add", "a.rs"]);
    repo.state("1");
    repo.checkpoint();
    assert_eq!(repo.git(["status", "--porcelain"]), "A  a.rs\n");
}

/// A repository inside another, as a submodule of it.
pub fn with_submodule() -> Repo {
    let (inner, repo) = (Repo::new(), Repo::new());
    let source = inner.tree.to_str().expect("UTF-8");
    repo.git(["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", source, "sub"]);
    repo.git(["commit", "-qm", "a submodule"]);
    repo.git_in(&repo.path("sub"), ["config", "user.name", "ann"]);
    repo.git_in(&repo.path("sub"), ["config", "user.email", "ann@example.org"]);
    repo
}

fn d08_a_submodule_gets_its_own_commits() {
    let repo = with_submodule();
    let sub = repo.path("sub");
    repo.write(format!("sub/{STATE}/x.json"), "1");
    repo.write("sub/untracked", "1");
    let outer = repo.git(["rev-parse", "HEAD"]);
    let made = repo.call(&json!({"root": sub, "state": sub.join(STATE)}));
    assert_eq!(Some(repo.git_in(&sub, ["rev-parse", "HEAD"]).trim()), made["id"].as_str());
    assert_eq!(repo.git_in(&sub, ["status", "--porcelain"]), "?? untracked\n");
    assert_eq!(repo.git(["rev-parse", "HEAD"]), outer);
}

fn d08_a_linked_worktree_moves_its_own_branch() {
    let repo = Repo::new();
    let linked = repo.home.join("linked");
    repo.git(["worktree", "add", "-q", "-b", "side", linked.to_str().expect("UTF-8")]);
    repo.write(linked.join(STATE).join("x.json"), "1");
    repo.write(linked.join("b.txt"), "staged\n");
    repo.git_in(&linked, ["add", "b.txt"]);
    let order = json!({"root": linked, "state": linked.join(STATE)});
    // The lock of the other work tree is no matter, its own is.
    repo.write(".git/index.lock", "");
    let lock = repo.path(".git/worktrees/linked/index.lock");
    repo.write(&lock, "");
    repo.refuses_as_foreseen("index-locked", &order);
    fs::remove_file(&lock).expect("removed");
    let main = repo.seen();
    let made = repo.call(&order);
    assert_eq!(Some(repo.git(["rev-parse", "side"]).trim()), made["id"].as_str());
    assert_eq!(repo.git_in(&linked, ["status", "--porcelain"]), "M  b.txt\n");
    // The branch that moved is the only difference for the other work tree.
    repo.git(["update-ref", "refs/heads/side", "main"]);
    assert_eq!(repo.seen(), main);
}

fn d08_packed_references_and_many_files_are_no_matter() {
    let repo = Repo::new();
    for number in 0..3000 {
        repo.write(format!("many/{}/{number}", number % 50), "x");
    }
    repo.git(["add", "."]);
    repo.git(["commit", "-qm", "many"]);
    repo.git(["gc", "-q"]);
    repo.git(["pack-refs", "--all"]);
    repo.state("1");
    repo.checkpoint();
    repo.state("2");
    repo.checkpoint();
}
