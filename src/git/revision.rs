//! Revisions as a user names them, and the work tree as a commit that nothing refers to.

use super::dirty::{self, Dirty};
use super::place;
use crate::failure::{Context, Failure, FailureKind};
use crate::sys::interrupt::Interrupt;
use git2::{Commit, Diff, ErrorCode, Oid, Repository, Signature, Status, StatusOptions};
use std::fs;
use std::path::{Path, PathBuf};

/// The names that a default branch usually has, where no remote says which it is.
const USUAL: [&str; 4] = ["main", "master", "trunk", "develop"];

/// A repository from which revisions are taken.
pub struct Source {
    repository: Repository,
    work_tree: PathBuf,
}

/// A revision that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// What it is called in answers.
    pub name: String,
    /// The commit, in full.
    pub commit: String,
    /// Its tree, in full: equal for equal sources.
    pub tree: String,
    /// How it differs from a commit of the user's.
    pub changes: Option<Changes>,
}

/// How a snapshot of the work tree differs from what is checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The commit that is checked out.
    pub onto: String,
    /// How many paths differ.
    pub paths: usize,
}

impl Revision {
    /// The name with the first digits of the commit.
    pub fn shown(&self) -> String {
        let short = &self.commit[..7];
        if short == self.name { self.name.clone() } else { format!("{} ({short})", self.name) }
    }
}

impl Source {
    /// Opens the repository around `root`.
    ///
    /// # Errors
    /// `Environment` when there is none, or one of a form that cannot be read.
    pub fn open(root: &Path) -> Result<Self, Failure> {
        let repository = place::open(root).map_err(|reason| {
            Failure::environment(format!("revisions cannot be taken from here: {}", reason.explanation()))
                .hint(reason.remedy())
        })?;
        let work_tree = repository.workdir().and_then(|folder| folder.canonicalize().ok());
        let work_tree = work_tree.ok_or_else(|| {
            Failure::environment("revisions cannot be taken from here: the repository has no work tree")
                .hint("run it in a clone that has one")
        })?;
        Ok(Self { repository, work_tree })
    }

    /// The repository.
    pub(in crate::git) fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The work tree, without symbolic links.
    pub fn work_tree(&self) -> &Path {
        &self.work_tree
    }

    /// The revision that `name` means: a branch, a tag, a commit, or an expression of these.
    ///
    /// # Errors
    /// `Usage` when there is none, or it is no commit.
    pub fn find(&self, name: &str) -> Result<Revision, Failure> {
        let object = self.repository.revparse_single(name).map_err(|error| self.unknown(name, &error))?;
        let commit = object.peel_to_commit().map_err(|_| {
            Failure::usage(format!("{name} is no commit"))
                .hint("name a branch, a tag or a commit, as `git log` shows them")
        })?;
        Ok(revision(name, &commit))
    }

    /// Whether `name` means a revision.
    pub fn knows(&self, name: &str) -> bool {
        self.repository.revparse_single(name).is_ok()
    }

    fn unknown(&self, name: &str, error: &git2::Error) -> Failure {
        if error.code() == ErrorCode::Ambiguous {
            return Failure::usage(format!("{name} is the beginning of several commits"))
                .hint("give more digits of the one you mean");
        }
        let failure = Failure::usage(format!("this repository has no revision {name:?}"));
        if self.repository.is_shallow() {
            return failure
                .hint("this is a shallow clone: `git fetch --unshallow` brings the rest of its history");
        }
        failure.hint("name a branch, a tag or a commit, as `git log --oneline --all` shows them")
    }

    /// What is checked out.
    ///
    /// # Errors
    /// `Environment` before the first commit.
    pub fn head(&self) -> Result<Revision, Failure> {
        let commit = self.head_commit()?;
        let short = commit.id().to_string();
        Ok(revision(&short[..7], &commit))
    }

    fn head_commit(&self) -> Result<Commit<'_>, Failure> {
        self.repository
            .head()
            .and_then(|head| head.peel_to_commit())
            .context(FailureKind::Environment, || "this repository has no commit yet".to_owned())
            .map_err(|failure| failure.hint("commit the state that the other is to be compared with"))
    }

    /// Where the work in hand began: the merge base of what is checked out and the default branch, or what is
    /// checked out where that is the same.
    ///
    /// # Errors
    /// `Environment` before the first commit.
    pub fn base(&self) -> Result<Revision, Failure> {
        let head = self.head_commit()?;
        let base = self.default_branch().and_then(|(name, tip)| {
            let base = self.repository.merge_base(head.id(), tip).ok()?;
            (base != head.id()).then_some((name, base))
        });
        let Some((name, base)) = base else { return self.head() };
        let commit = self
            .repository
            .find_commit(base)
            .context(FailureKind::Environment, || format!("commit {base} cannot be read"))?;
        Ok(revision(&format!("merge base with {name}"), &commit))
    }

    /// The default branch: that of the remote, else one with a usual name.
    fn default_branch(&self) -> Option<(String, Oid)> {
        let find = |name: &str, shown: &str| {
            let commit = self.repository.find_reference(name).ok()?.peel_to_commit().ok()?;
            Some((shown.to_owned(), commit.id()))
        };
        let remote = || {
            let head = self.repository.find_reference("refs/remotes/origin/HEAD").ok()?;
            let target = head.symbolic_target().ok()??.to_owned();
            find(&target, target.strip_prefix("refs/remotes/")?)
        };
        remote().or_else(|| USUAL.iter().find_map(|name| find(&format!("refs/heads/{name}"), name)))
    }

    /// The work tree as it stands, as a commit that nothing refers to; what is checked out when nothing
    /// differs. State files, and untracked folders that can be made anew, are left out.
    ///
    /// # Errors
    /// `Environment` when there is no commit yet, a file cannot be read, or the objects cannot be written;
    /// `Blocked` for what a commit cannot hold: conflicts, and changes inside submodules.
    pub fn snapshot(&self, state_folder: &Path, interrupt: &Interrupt) -> Result<Revision, Failure> {
        let head = self.head_commit()?;
        let changed = self.changed(state_folder)?;
        if changed.is_empty() {
            return self.head();
        }
        let unwritten = || "the work tree cannot be stored as git objects".to_owned();
        // A handle of its own, because all indexes of one handle are the same: this one starts from what is checked
        // out, takes each path as it stands, and must never be written by whoever writes another.
        let own = Repository::open(&self.work_tree).context(FailureKind::Environment, unwritten)?;
        let mut index = own.index().context(FailureKind::Environment, unwritten)?;
        if index.has_conflicts() {
            return Err(Failure::new(FailureKind::Blocked, "the work tree has conflicts")
                .hint("resolve them, or compare two revisions"));
        }
        let tree = head.tree().context(FailureKind::Environment, unwritten)?;
        index.read_tree(&tree).context(FailureKind::Environment, unwritten)?;
        for dirty in &changed {
            interrupt.check()?;
            let path = dirty.path();
            let whole = self.work_tree.join(path);
            let name = || format!("{} cannot be stored as a git object", path.display());
            if whole.join(".git").exists() {
                self.expect_no_changes_inside(path)?;
            }
            if fs::symlink_metadata(&whole).is_ok() {
                index.add_path(path).context(FailureKind::Environment, name)?;
            } else {
                index.remove_path(path).context(FailureKind::Environment, name)?;
            }
        }
        let tree = index.write_tree_to(&own).context(FailureKind::Environment, unwritten)?;
        if tree == head.tree_id() {
            return self.head();
        }
        let commit = self.dangling(tree, &head).context(FailureKind::Environment, unwritten)?;
        Ok(Revision {
            name: "work tree".to_owned(),
            commit: commit.to_string(),
            tree: tree.to_string(),
            changes: Some(Changes { onto: head.id().to_string(), paths: changed.len() }),
        })
    }

    /// A commit that nothing refers to, equal for equal trees on the same parent.
    fn dangling(&self, tree: Oid, parent: &Commit<'_>) -> Result<Oid, git2::Error> {
        let author = Signature::new("cargo perf", "cargo-perf@localhost", &parent.time())?;
        let tree = self.repository.find_tree(tree)?;
        self.repository.commit(None, &author, &author, "a tree that was compared", &tree, &[parent])
    }

    /// `base` with a patch applied, as a commit that nothing refers to.
    ///
    /// # Errors
    /// `Usage` when the patch cannot be read, changes nothing, or does not apply.
    pub fn patched(&self, base: &Revision, patch: &[u8], shown: &str) -> Result<Revision, Failure> {
        let unread = || format!("{shown} is no patch that git can read");
        let diff = Diff::from_buffer(patch)
            .context(FailureKind::Usage, unread)
            .map_err(|failure| failure.hint("make one with `git diff > FILE`"))?;
        let paths = diff.deltas().len();
        if paths == 0 {
            return Err(
                Failure::usage(format!("{shown} changes nothing")).hint("make one with `git diff > FILE`")
            );
        }
        let unwritten = || "the patched tree cannot be stored as git objects".to_owned();
        let parent = self.commit(base)?;
        let tree = parent.tree().context(FailureKind::Environment, unwritten)?;
        let mut index = self
            .repository
            .apply_to_tree(&tree, &diff, None)
            .context(FailureKind::Usage, || format!("{shown} does not apply to {}", base.name))
            .map_err(|failure| failure.hint("name the revision that it was made for as BASE"))?;
        let tree = index.write_tree_to(&self.repository).context(FailureKind::Environment, unwritten)?;
        let commit = self.dangling(tree, &parent).context(FailureKind::Environment, unwritten)?;
        Ok(Revision {
            name: shown.to_owned(),
            commit: commit.to_string(),
            tree: tree.to_string(),
            changes: Some(Changes { onto: base.commit.clone(), paths }),
        })
    }

    /// What `other` has changed since it parted from `base`, as a change of `base`.
    ///
    /// # Errors
    /// `Usage` when both have nothing in common, or the change does not apply.
    pub fn onto(&self, base: &Revision, other: &Revision) -> Result<Revision, Failure> {
        let (ours, theirs) = (self.commit(base)?, self.commit(other)?);
        let unrelated = || format!("{} has no commit in common with {}", other.name, base.name);
        let parted = self
            .repository
            .merge_base(ours.id(), theirs.id())
            .and_then(|parted| self.repository.find_commit(parted))
            .context(FailureKind::Usage, unrelated)
            .map_err(|failure| {
                failure.hint("name a branch or a commit that holds one change of what is checked out")
            })?;
        let unmerged = || format!("what {} has changed cannot be put onto {}", other.name, base.name);
        let tree = || -> Result<Option<Oid>, git2::Error> {
            let mut index =
                self.repository.merge_trees(&parted.tree()?, &ours.tree()?, &theirs.tree()?, None)?;
            if index.has_conflicts() {
                return Ok(None);
            }
            index.write_tree_to(&self.repository).map(Some)
        };
        let tree = tree().context(FailureKind::Environment, unmerged)?;
        let tree = tree.ok_or_else(|| {
            Failure::usage(format!("{}: both have changed the same lines", unmerged()))
                .hint(format!("rebase {} onto what is checked out", other.name))
        })?;
        if tree == ours.tree_id() {
            return Ok(Revision { name: other.name.clone(), ..base.clone() });
        }
        let paths = self.paths(ours.tree_id(), tree).context(FailureKind::Environment, unmerged)?;
        let commit = self.dangling(tree, &ours).context(FailureKind::Environment, unmerged)?;
        Ok(Revision {
            name: other.name.clone(),
            commit: commit.to_string(),
            tree: tree.to_string(),
            changes: Some(Changes { onto: base.commit.clone(), paths }),
        })
    }

    /// How many paths differ between two trees.
    fn paths(&self, old: Oid, new: Oid) -> Result<usize, git2::Error> {
        let (old, new) = (self.repository.find_tree(old)?, self.repository.find_tree(new)?);
        Ok(self.repository.diff_tree_to_tree(Some(&old), Some(&new), None)?.deltas().len())
    }

    /// Whether `path`, a file or a folder relative to the work tree, is the same in both revisions. What is in
    /// neither is the same.
    pub fn is_same(&self, [a, b]: [&Revision; 2], path: &Path) -> bool {
        let at = |revision: &Revision| {
            let tree = self.commit(revision).ok()?.tree().ok()?;
            tree.get_path(path).ok().map(|entry| entry.id())
        };
        at(a) == at(b)
    }

    fn commit(&self, revision: &Revision) -> Result<Commit<'_>, Failure> {
        let unread = || format!("commit {} cannot be read", revision.commit);
        let id = Oid::from_str(&revision.commit).context(FailureKind::Bug, unread)?;
        self.repository.find_commit(id).context(FailureKind::Environment, unread)
    }

    fn changed(&self, state_folder: &Path) -> Result<Vec<Dirty>, Failure> {
        let mut options = StatusOptions::new();
        options.include_untracked(true).recurse_untracked_dirs(true).include_ignored(false);
        let statuses = self
            .repository
            .statuses(Some(&mut options))
            .context(FailureKind::Environment, || "the state of the work tree cannot be read".to_owned())?;
        let mut changed: Vec<Dirty> = statuses
            .iter()
            .filter(|entry| !matches!(entry.status(), Status::CURRENT | Status::IGNORED))
            .map(|entry| Dirty::new(entry.path_bytes(), entry.status().is_wt_new()))
            .collect();
        let state = place::resolved(state_folder);
        dirty::keep_sources(&mut changed, &self.work_tree, &state);
        Ok(changed)
    }

    /// A commit holds which commit a submodule is at, and nothing of what was changed in it since.
    fn expect_no_changes_inside(&self, path: &Path) -> Result<(), Failure> {
        let inside = Repository::open(self.work_tree.join(path)).ok();
        let tracked = self.repository.find_submodule(&path.to_string_lossy()).is_ok();
        let refused = |what: String, hint: &str| Err(Failure::new(FailureKind::Blocked, what).hint(hint));
        if !tracked {
            return refused(
                format!("{} is a repository of its own that git does not track here", path.display()),
                "add it to .gitignore or as a submodule, or compare two revisions",
            );
        }
        let mut options = StatusOptions::new();
        options.include_untracked(true).include_ignored(false);
        let clean = inside.and_then(|inside| Some(inside.statuses(Some(&mut options)).ok()?.is_empty()));
        if clean == Some(true) {
            return Ok(());
        }
        refused(
            format!("the submodule {} has changes that are not committed in it", path.display()),
            "commit them inside the submodule, or compare two revisions",
        )
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "repository of {}", self.work_tree.display())
    }
}

fn revision(name: &str, commit: &Commit<'_>) -> Revision {
    let (commit, tree) = (commit.id().to_string(), commit.tree_id().to_string());
    Revision { name: name.to_owned(), commit, tree, changes: None }
}
