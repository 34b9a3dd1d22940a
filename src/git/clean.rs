//! Whether sources differ from what is checked out, and whether they stay the same during a measurement.
//!
//! State files are no sources: checkpoints neither make a tree dirty nor change its digest.

use super::dirty::{self, Dirty};
use super::place;
use super::program::{self, Refused};
use super::reason::Reason;
use super::tip::Tip;
use super::tree;
use crate::failure::Failure;
use crate::sys::files;
use crate::sys::interrupt::Interrupt;
use git2::{Repository, Status, StatusOptions};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How many paths are named.
const NAMED: usize = 10;
/// How long the git program may take for a large repository on a slow disk.
const PATIENCE: Duration = Duration::from_secs(300);

/// The sources in a work tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// What is checked out; none before the first commit.
    pub commit: Option<String>,
    /// Equal for equal sources: what is checked out without the state folder, and every dirty path with its
    /// content.
    pub digest: String,
    /// The first paths, relative to the work tree, that are changed, staged, or neither tracked nor ignored.
    pub dirty: Vec<String>,
    /// How many there are in all.
    pub dirty_count: usize,
}

/// The proof that sources are those of a commit, for whoever must have it before an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CleanTree {
    commit: Option<String>,
}

impl CleanTree {
    /// Proves it; `None` where something is dirty.
    pub fn prove(sources: &Sources) -> Option<Self> {
        (sources.dirty_count == 0).then(|| Self { commit: sources.commit.clone() })
    }

    /// The commit; none before the first one.
    pub fn commit(&self) -> Option<&str> {
        self.commit.as_deref()
    }
}

/// Looks at the work tree around `root`; `None` when there is no repository.
///
/// # Errors
/// `Interrupted`; `Environment` when a dirty file cannot be read, or when a repository that libgit2 cannot
/// open would need the git program and that fails.
pub fn sources(root: &Path, state_folder: &Path, interrupt: &Interrupt) -> Result<Option<Sources>, Failure> {
    let state = place::resolved(state_folder);
    let found = match place::open(root) {
        Err(Reason::NoRepository) => return Ok(None),
        Err(_) => None,
        Ok(repository) => {
            let Some(work_tree) = repository.workdir().and_then(|folder| folder.canonicalize().ok()) else {
                return Ok(None);
            };
            interrupt.check()?;
            // What cannot be read here may have a form that only the git program knows.
            by_libgit2(&repository, work_tree, &state).ok()
        }
    };
    let found = match found {
        Some(found) => found,
        None => by_program(root, &state, interrupt)?,
    };
    found.into_sources(&state, interrupt).map(Some)
}

/// What was found, before anything of it was read.
struct Found {
    work_tree: PathBuf,
    commit: Option<String>,
    /// What is checked out without the state folder, in a form that is equal for equal content.
    held: Vec<u8>,
    dirty: Vec<Dirty>,
}

impl Found {
    fn into_sources(mut self, state: &Path, interrupt: &Interrupt) -> Result<Sources, Failure> {
        dirty::keep_sources(&mut self.dirty, &self.work_tree, state);
        let mut described = self.held;
        for dirty in &self.dirty {
            interrupt.check()?;
            let content = content(&self.work_tree.join(dirty.path()), state, interrupt)?;
            described.extend([dirty.bytes(), b"\0", content.as_bytes(), b"\n"].concat());
        }
        let named = self.dirty.iter().take(NAMED).map(|dirty| dirty.path().display().to_string());
        Ok(Sources {
            commit: self.commit,
            digest: files::sha256_bytes(&described),
            dirty: named.collect(),
            dirty_count: self.dirty.len(),
        })
    }
}

/// What a path holds: a repository of its own is described by its sources.
fn content(path: &Path, state: &Path, interrupt: &Interrupt) -> Result<String, Failure> {
    if path.join(".git").exists() && path.is_dir() {
        let inner = sources(path, state, interrupt)?;
        return Ok(inner.map_or_else(String::new, |inner| format!("repository {}", inner.digest)));
    }
    dirty::content(path)
}

fn by_libgit2(repository: &Repository, work_tree: PathBuf, state: &Path) -> Result<Found, ()> {
    let tip = Tip::of_head(repository).map_err(|_| ())?;
    let commit = tip.id();
    let tree = commit.map(|id| repository.find_commit(id).and_then(|commit| commit.tree())).transpose();
    let tree = tree.map_err(|_| ())?;
    let inner = state.strip_prefix(&work_tree).unwrap_or(Path::new(""));
    let parts: Vec<&[u8]> = inner.iter().map(OsStr::as_bytes).collect();
    let held = match &tree {
        Some(tree) => tree::described_without(repository, tree, &parts).map_err(|_| ())?,
        None => Vec::new(),
    };
    let mut options = StatusOptions::new();
    options.include_untracked(true).recurse_untracked_dirs(true).include_ignored(false);
    let statuses = repository.statuses(Some(&mut options)).map_err(|_| ())?;
    let dirty = statuses
        .iter()
        .filter(|entry| !matches!(entry.status(), Status::CURRENT | Status::IGNORED))
        .map(|entry| Dirty::new(entry.path_bytes(), entry.status().is_wt_new()))
        .collect();
    Ok(Found { work_tree, commit: commit.map(|id| id.to_string()), held, dirty })
}

fn by_program(root: &Path, state: &Path, interrupt: &Interrupt) -> Result<Found, Failure> {
    let work_tree = place::by_hand(root).unwrap_or_else(|| root.to_path_buf());
    let ask = |words: &[&str]| -> Result<Vec<u8>, Failure> {
        let words = ["-c", "core.fsmonitor=false"].iter().chain(words);
        program::ask(&work_tree, words, PATIENCE, interrupt)?.map_err(|refused| match refused {
            Refused::NotStarted => Failure::environment(
                "this repository has a form that only the git program can read, and there is no git program",
            )
            .hint("install git, or add it to PATH"),
            Refused::Failed(cause) => {
                Failure::environment(format!("git cannot read the repository: {cause}"))
                    .hint("run `git status`")
            }
        })
    };
    let said = ask(&[
        "status",
        "--porcelain=v2",
        "-z",
        "--branch",
        "--untracked-files=all",
        "--no-renames",
        "--ignore-submodules=none",
    ])?;
    let (commit, dirty) = dirty::parse(&said);
    let mut held = Vec::new();
    if commit.is_some() {
        let prefix = state.strip_prefix(&work_tree).ok().map(|inner| inner.as_os_str().as_bytes());
        for line in ask(&["ls-tree", "-r", "-z", "--full-tree", "HEAD"])?.split(|byte| *byte == 0) {
            // `<mode> <type> <id>\t<path>`
            let path = line.splitn(2, |byte| *byte == b'\t').nth(1).unwrap_or_default();
            if prefix.is_none_or(|prefix| !dirty::is_below(path, prefix)) {
                held.extend([line, b"\n"].concat());
            }
        }
    }
    Ok(Found { work_tree, commit, held, dirty })
}
