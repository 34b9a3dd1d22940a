//! A throw-away repository made with the git program, and what can be seen of it from outside.

#![expect(clippy::disallowed_methods, reason = "git and the calls under test are started here")]

use super::call::ORDER;
use crate::support::perf::clean;
use crate::support::traces::{self, Snapshot};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The folder of the state files in these repositories.
pub const STATE: &str = ".claude/perf";
/// The reference for commits that are kept apart.
pub const REF: &str = "refs/perf/perf-1";

/// A repository with a home of its own.
pub struct Repo {
    _folder: TempDir,
    /// A home without any configuration but what a test puts there.
    pub home: PathBuf,
    /// The work tree.
    pub tree: PathBuf,
}

/// What must be the same before and after.
#[derive(Debug, PartialEq)]
pub struct Seen {
    head: String,
    branch: String,
    /// `ls-files --stage --debug -v` without the state folder: flags, stages, content and times.
    index: Vec<String>,
    /// Version 4 compresses paths; 2 and 3 differ only in whether any entry has extended flags.
    compressed: bool,
    stash: String,
    status: Vec<String>,
    refs: BTreeMap<String, String>,
    files: Snapshot,
}

impl Repo {
    /// A repository with two committed files and no state.
    pub fn new() -> Self {
        let repo = Self::empty(&[]);
        repo.write("src/a.rs", "one\n");
        repo.write("b.txt", "one\n");
        repo.git(["add", "."]);
        repo.git(["commit", "-qm", "first"]);
        repo
    }

    /// A repository without a commit.
    pub fn empty(flags: &[&str]) -> Self {
        let repo = Self::none();
        let words = ["init", "-q", "-b", "main"].iter().chain(flags);
        repo.git(words.copied());
        repo.git(["config", "user.name", "ann"]);
        repo.git(["config", "user.email", "ann@example.org"]);
        repo
    }

    /// No repository.
    pub fn none() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let real = folder.path().canonicalize().expect("a real path");
        let (home, tree) = (real.join("home"), real.join("tree"));
        fs::create_dir_all(&home).expect("made");
        fs::create_dir_all(&tree).expect("made");
        Self { _folder: folder, home, tree }
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.tree.join(path)
    }

    /// Writes a file; a path that is not absolute lies in the work tree.
    pub fn write(&self, path: impl AsRef<Path>, text: &str) {
        let path = self.tree.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }

    /// Installs a hook.
    pub fn hook(&self, name: &str, script: &str) {
        let hook = self.path(&format!(".git/hooks/{name}"));
        self.write(&hook, &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).expect("set");
    }

    /// Writes two state files, with this text in one of them.
    pub fn state(&self, text: &str) {
        self.write(format!("{STATE}/investigation.json"), text);
        self.write(format!("{STATE}/investigations/perf-1.md"), "# log\n");
    }

    fn command(&self, program: impl AsRef<Path>, folder: &Path) -> Command {
        let mut command = Command::new(program.as_ref());
        clean(&mut command);
        command.current_dir(folder).env("HOME", &self.home).env("GIT_CONFIG_NOSYSTEM", "1");
        command.env("GIT_CONFIG_GLOBAL", self.home.join(".gitconfig"));
        command.env("GIT_CONFIG_SYSTEM", "/dev/null").env("GIT_EDITOR", "true").env_remove("EMAIL");
        command.env_remove("XDG_CONFIG_HOME").env_remove("SSH_AUTH_SOCK");
        command
    }

    /// Runs git in a folder and returns whether it succeeded and what it printed.
    pub fn try_git<'a>(&self, folder: &Path, words: impl IntoIterator<Item = &'a str>) -> (bool, String) {
        let done = self.command("git", folder).args(words).output().expect("git can be started");
        let said = [done.stdout, done.stderr].concat();
        (done.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    /// Runs git in the work tree, expects success, and returns what it printed.
    pub fn git<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> String {
        self.git_in(&self.tree, words)
    }

    /// As [`Repo::git`], in another folder.
    pub fn git_in<'a>(&self, folder: &Path, words: impl IntoIterator<Item = &'a str>) -> String {
        let words: Vec<&str> = words.into_iter().collect();
        let (done, said) = self.try_git(folder, words.iter().copied());
        assert!(done, "git {words:?}: {said}");
        said
    }

    /// Runs another program in the home.
    pub fn run(&self, program: &str, words: &[&str]) {
        let done = self.command(program, &self.home).args(words).output().expect("it can be started");
        assert!(done.status.success(), "{program} {words:?}: {done:?}");
    }

    /// Runs one call of the layer.
    pub fn call(&self, order: &Value) -> Value {
        self.call_with(order, &[])
    }

    /// As [`Repo::call`], with variables set.
    pub fn call_with(&self, order: &Value, variables: &[(&str, &str)]) -> Value {
        let mut command = self.command(env::current_exe().expect("this binary"), &self.tree);
        self.answer(command.envs(variables.iter().copied()), order)
    }

    /// As [`Repo::call`], by a process that permissions hold for even when root runs the tests.
    pub fn call_without_privileges(&self, order: &Value) -> Value {
        if !rustix::process::getuid().is_root() {
            return self.call(order);
        }
        let mut command = self.command("setpriv", &self.tree);
        command.arg("--bounding-set=-dac_override,-dac_read_search");
        self.answer(command.arg("--").arg(env::current_exe().expect("this binary")), order)
    }

    fn answer(&self, command: &mut Command, order: &Value) -> Value {
        let mut all = json!({"root": self.tree, "state": self.tree.join(STATE), "mode": "branch",
            "ref_name": REF, "subject": SUBJECT, "call": "commit"});
        for (name, value) in order.as_object().expect("an object") {
            all[name] = value.clone();
        }
        let done = command.env(ORDER, all.to_string()).output().expect("the call can be started");
        assert!(done.status.success(), "{all}: {done:?}");
        serde_json::from_slice(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"))
    }

    /// Commits, expects a commit, and returns its id.
    pub fn commits(&self) -> String {
        let made = self.call(&json!({}));
        made["id"].as_str().unwrap_or_else(|| panic!("no commit: {made}")).to_owned()
    }

    /// Everything that a checkpoint must not change, seen from this work tree.
    pub fn seen(&self) -> Seen {
        self.seen_in(&self.tree)
    }

    /// As [`Repo::seen`], for another work tree.
    pub fn seen_in(&self, folder: &Path) -> Seen {
        // Without this, git would write the index on its way.
        let git = |words: &[&str]| {
            let words = ["--no-optional-locks"].iter().chain(words).copied();
            self.try_git(folder, words).1
        };
        let lines = |text: String| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let not_state = format!(":(exclude){STATE}");
        let index = git(&["rev-parse", "--path-format=absolute", "--git-path", "index"]);
        let refs = git(&["for-each-ref", "--format=%(refname) %(objectname)"]);
        let mut files = traces::snapshot(folder);
        files.retain(|path, _| !path.starts_with(".git"));
        Seen {
            head: git(&["rev-parse", "HEAD"]),
            branch: git(&["symbolic-ref", "HEAD"]),
            index: lines(git(&["ls-files", "-v", "--stage", "--debug", "--", ":/", &not_state])),
            compressed: fs::read(index.trim()).is_ok_and(|bytes| bytes[7] == 4),
            stash: git(&["stash", "list"]),
            status: lines(git(&["status", "--porcelain=v2", "-uall", "--", ":/", &not_state])),
            refs: lines(refs).iter().filter_map(|line| line.split_once(' ')).map(owned).collect(),
            files,
        }
    }

    /// Commits and checks all that must hold of every checkpoint, whatever the situation.
    pub fn checkpoint(&self) -> String {
        let before = self.seen();
        let id = self.commits();
        let mut after = self.seen();
        assert_eq!(after.head.trim(), id);
        // The branch that is checked out is the one reference that moves.
        let branch = before.branch.trim();
        if let Some(moved) = after.refs.get_mut(branch) {
            assert_eq!(*moved, id);
            if let Some(old) = before.refs.get(branch) {
                moved.clone_from(old);
            } else {
                after.refs.remove(branch);
            }
        }
        after.head.clone_from(&before.head);
        assert_eq!(before, after);
        self.assert_clean_of_state(&id);
        id
    }

    /// The commit holds state files only, and neither index nor work tree differ from it there.
    pub fn assert_clean_of_state(&self, id: &str) {
        let changed = self.git(["show", "--format=", "--name-only", "-z", id]);
        let foreign: Vec<&str> =
            changed.split('\0').filter(|path| !path.is_empty() && !path.starts_with(STATE)).collect();
        assert!(foreign.is_empty() && !changed.is_empty(), "not only state is committed: {changed:?}");
        assert_eq!(self.git(["status", "--porcelain", "--ignored", "--", STATE]), "");
        assert_eq!(self.git(["diff", "--cached", "--name-only", "--", STATE]), "");
        // Without trust in recorded times.
        self.git(["ls-files", "--stage", "--", STATE]);
        let (sound, said) = self.try_git(&self.tree, ["fsck", "--strict", "--no-dangling"]);
        assert!(sound && !said.contains("error"), "{said}");
    }

    /// Expects that no commit is made, for this reason, that it was foreseen if it can be, and that not a
    /// byte of the repository has changed, but for objects that nothing names.
    pub fn refuses(&self, reason: &str, order: &Value) {
        let state = |repo: &Self| {
            let mut files = traces::snapshot(&repo.tree);
            files.retain(|path, _| !path.iter().any(|part| part == "objects"));
            files
        };
        let before = state(self);
        let made = self.call(order);
        assert_eq!(made, json!({"none": reason}));
        let changed = traces::differences(&before, &state(self));
        assert!(changed.is_empty(), "files have changed: {changed:?}");
    }

    /// As [`Repo::refuses`], where it can be foreseen too.
    pub fn refuses_as_foreseen(&self, reason: &str, order: &Value) {
        self.refuses(reason, order);
        let mut order = order.clone();
        order["call"] = json!("foresee");
        self.refuses(reason, &order);
    }
}

impl Seen {
    /// The same with the files of the work tree as they are now.
    pub fn with_files_of(mut self, repo: &Repo) -> Self {
        self.files = repo.seen().files;
        self
    }
}

/// The message of all these commits.
pub const SUBJECT: &str = "perf: phase baseline [perf-1] baseline=v1 delta=n/a";

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
