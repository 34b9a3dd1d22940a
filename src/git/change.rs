//! One change between two revisions: as a patch that can be kept, and as files that it touches.

use super::revision::{Revision, Source};
use super::{clean, place, tree};
use crate::failure::{Context, Failure, FailureKind};
use crate::model::experiment::TreeProof;
use crate::model::secrets;
use crate::sys::files;
use crate::sys::interrupt::Interrupt;
use git2::{
    ApplyLocation, ApplyOptions, Delta, Diff, DiffDelta, DiffFormat, DiffOptions, FileMode, Oid, Patch,
    Repository, Tree,
};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Where changes are kept, whatever becomes of the files of the state. Branches and tags are elsewhere.
const KEPT: &str = "refs/perf-experiments";
/// Contents that are larger, in bytes, are no sources that a person changes.
const LARGEST: usize = 1 << 20;

/// What turns one revision into another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// The patch, as `git apply` takes it.
    pub patch: Vec<u8>,
    /// The files that it touches, relative to the work tree.
    pub files: Vec<PathBuf>,
    /// Those of which it says nothing but that they differ: they are no text, or too large.
    pub binary: Vec<PathBuf>,
    /// Those that it takes away.
    pub deleted: Vec<PathBuf>,
    /// The first of those whose mode changes, or that is a submodule.
    pub unkept: Option<PathBuf>,
    /// The first of those to which it adds what looks like a secret.
    pub secret: Option<PathBuf>,
}

/// How a change stands to a work tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It can be made: each file is as it was before the change, or as the change leaves it already.
    Before,
    /// It was made: each file is as the change leaves it.
    After,
    /// Neither, and this file is the first to say so.
    Neither(PathBuf),
}

impl Source {
    /// What turns `base` into `candidate`.
    ///
    /// # Errors
    /// `Environment` when a revision cannot be read.
    pub fn difference(&self, base: &Revision, candidate: &Revision) -> Result<Difference, Failure> {
        let unread = || format!("{} and {} cannot be compared", base.shown(), candidate.shown());
        let repository = self.repository();
        let trees = || -> Result<_, git2::Error> {
            let of = |revision: &Revision| repository.find_tree(Oid::from_str(&revision.tree)?);
            Ok((of(base)?, of(candidate)?))
        };
        let (old, new) = trees().context(FailureKind::Environment, unread)?;
        let mut options = DiffOptions::new();
        options.show_binary(true).id_abbrev(40);
        let diff = repository
            .diff_tree_to_tree(Some(&old), Some(&new), Some(&mut options))
            .context(FailureKind::Environment, unread)?;
        let large = large(repository, &diff).context(FailureKind::Environment, unread)?;
        if !large.is_empty() {
            // Its text would only take memory.
            let files = diff.deltas().map(|delta| touched(&delta).to_path_buf()).collect();
            return Ok(Difference { files, binary: large, ..Difference::default() });
        }
        described(&diff).context(FailureKind::Environment, unread)
    }

    /// Keeps the objects of the change that an experiment tries, under a name that lists of branches and tags leave out.
    ///
    /// # Errors
    /// `Environment` when that cannot be written, or the name is taken.
    pub fn keep(&self, investigation: &str, experiment: &str, change: &Revision) -> Result<(), Failure> {
        let unkept = || format!("the change of {experiment} cannot be kept by git");
        let name = format!("{KEPT}/{investigation}/{experiment}");
        let kept = Oid::from_str(&change.commit)
            .and_then(|commit| self.repository().reference(&name, commit, false, "cargo perf experiment"));
        kept.map(drop).context(FailureKind::Environment, unkept)
    }

    /// The experiments of which changes are kept.
    ///
    /// # Errors
    /// `Environment` when the repository cannot be read.
    pub fn kept(&self, investigation: &str) -> Result<Vec<String>, Failure> {
        let unread = || "references cannot be read".to_owned();
        let all = format!("{KEPT}/{investigation}/*");
        let found = self.repository().references_glob(&all).context(FailureKind::Environment, unread)?;
        let mut ids = Vec::new();
        for reference in found {
            let reference = reference.context(FailureKind::Environment, unread)?;
            let name = String::from_utf8_lossy(reference.name_bytes()).into_owned();
            ids.extend(name.rsplit('/').next().map(str::to_owned));
        }
        Ok(ids)
    }

    /// What a revision holds, state files aside: equal for equal sources.
    ///
    /// # Errors
    /// `Environment` when it cannot be read.
    pub fn sources_of(&self, revision: &Revision, state_folder: &Path) -> Result<String, Failure> {
        let state = place::resolved(state_folder);
        let inner = state.strip_prefix(self.work_tree()).unwrap_or(Path::new(""));
        let parts: Vec<&[u8]> = inner.iter().map(OsStr::as_bytes).collect();
        let described = || -> Result<Vec<u8>, git2::Error> {
            let tree = self.repository().find_tree(Oid::from_str(&revision.tree)?)?;
            tree::described_without(self.repository(), &tree, &parts)
        };
        let unread = || format!("{} cannot be read", revision.shown());
        Ok(files::sha256_bytes(&described().context(FailureKind::Environment, unread)?))
    }

    /// Whether two revisions have the same sources, state files aside.
    ///
    /// # Errors
    /// As [`Self::sources_of`].
    pub fn has_same_sources(&self, [a, b]: [&Revision; 2], state_folder: &Path) -> Result<bool, Failure> {
        Ok(self.sources_of(a, state_folder)? == self.sources_of(b, state_folder)?)
    }

    /// What the repository looks like now: equal proofs mean that nothing of it has changed but state.
    ///
    /// # Errors
    /// `Environment` when it cannot be read; `Interrupted`.
    pub fn proof(&self, state_folder: &Path, interrupt: &Interrupt) -> Result<TreeProof, Failure> {
        let unread = || "the state of the repository cannot be read".to_owned();
        let repository = self.repository();
        let sources = clean::sources(self.work_tree(), state_folder, interrupt)?;
        let sources = sources.ok_or_else(|| Failure::environment(unread()))?;
        let head = repository.find_reference("HEAD").context(FailureKind::Environment, unread)?;
        let symbolic = head.symbolic_target().context(FailureKind::Environment, unread)?;
        Ok(TreeProof {
            head: symbolic.unwrap_or("detached").to_owned(),
            index_sha256: index_of(repository, self.work_tree(), state_folder)
                .context(FailureKind::Environment, unread)?,
            files_sha256: sources.digest,
            stashes_sha256: stashes(repository),
        })
    }

    /// How a patch stands to what `now` holds, file by file. Line by line would not tell an end that was added once from
    /// one that was added twice. Some files may have changed already: who applied it may have been killed.
    ///
    /// # Errors
    /// `State` for what is no patch; `Environment` when the repository cannot be read.
    pub fn standing(&self, patch: &[u8], now: &Revision) -> Result<Standing, Failure> {
        let unread = || "the stored patch cannot be read".to_owned();
        let diff = Diff::from_buffer(patch).context(FailureKind::State, unread)?;
        let tree = self.tree(now)?;
        let mut is_whole = true;
        for delta in diff.deltas() {
            let (file, held) = (touched(&delta), held(&tree, touched(&delta)));
            is_whole &= held == delta.new_file().id();
            // What git ignores, no snapshot holds, and it is the user's all the same.
            let is_hidden = held.is_zero() && fs::symlink_metadata(self.work_tree().join(file)).is_ok();
            if is_hidden || (held != delta.old_file().id() && held != delta.new_file().id()) {
                return Ok(Standing::Neither(file.to_path_buf()));
            }
        }
        Ok(if is_whole { Standing::After } else { Standing::Before })
    }

    /// Applies what of a patch `now`, the work tree as it stands, does not hold yet, all of that or nothing, and leaves
    /// the index alone. Returns the files.
    ///
    /// # Errors
    /// `State` for what is no patch; `Blocked` when it does not apply to what is there.
    pub fn apply(&self, patch: &[u8], now: &Revision) -> Result<Vec<PathBuf>, Failure> {
        let unread = || "the stored patch cannot be read".to_owned();
        let diff = Diff::from_buffer(patch).context(FailureKind::State, unread)?;
        let found = described(&diff).context(FailureKind::State, unread)?;
        let tree = self.tree(now)?;
        let refused = || "the change does not apply to the work tree as it stands".to_owned();
        let mut options = ApplyOptions::new();
        options.delta_callback(|delta| {
            delta.is_some_and(|delta| held(&tree, touched(&delta)) != delta.new_file().id())
        });
        // A handle whose index nobody has touched: this writes the index as it finds it.
        Repository::open(self.work_tree())
            .and_then(|own| own.apply(&diff, ApplyLocation::WorkDir, Some(&mut options)))
            .context(FailureKind::Blocked, refused)
            .map_err(|failure| {
                failure.hint("commit or stash what you have changed since, and apply it again")
            })?;
        Ok(found.files)
    }

    fn tree(&self, revision: &Revision) -> Result<Tree<'_>, Failure> {
        let tree = || self.repository().find_tree(Oid::from_str(&revision.tree)?);
        tree().context(FailureKind::Environment, || format!("{} cannot be read", revision.shown()))
    }
}

/// The file of a delta.
fn touched<'a>(delta: &DiffDelta<'a>) -> &'a Path {
    delta.new_file().path().or_else(|| delta.old_file().path()).unwrap_or(Path::new(""))
}

/// The content that a tree has of a file, where it has it.
fn held(tree: &Tree<'_>, file: &Path) -> Oid {
    tree.get_path(file).map_or(Oid::ZERO_SHA1, |entry| entry.id())
}

/// The files of which a side is larger than sources are.
fn large(repository: &Repository, diff: &Diff<'_>) -> Result<Vec<PathBuf>, git2::Error> {
    let database = repository.odb()?;
    let mut found = Vec::new();
    for delta in diff.deltas() {
        for file in [delta.old_file(), delta.new_file()] {
            let is_blob = matches!(file.mode(), FileMode::Blob | FileMode::BlobExecutable);
            if is_blob && !file.id().is_zero() && database.read_header(file.id())?.0 > LARGEST {
                found.push(touched(&delta).to_path_buf());
                break;
            }
        }
    }
    Ok(found)
}

/// Whether a delta is about the content of files. The text of a patch knows modes and submodules as well, but a file
/// that is compared with its content alone would not tell whether such a patch was applied.
fn is_of_content(delta: &DiffDelta<'_>) -> bool {
    let (old, new) = (delta.old_file().mode(), delta.new_file().mode());
    let is_one_sided = matches!(delta.status(), Delta::Added | Delta::Deleted);
    ![old, new].contains(&FileMode::Commit) && (is_one_sided || old == new)
}

fn described(diff: &Diff<'_>) -> Result<Difference, git2::Error> {
    let mut found = Difference::default();
    diff.print(DiffFormat::Patch, |delta, _, line| {
        if line.origin() == '+' && found.secret.is_none() {
            let text = String::from_utf8_lossy(line.content());
            found.secret = secrets::is_in_source(&text).then(|| touched(&delta).to_path_buf());
        }
        // Lines of files carry their sign apart.
        if matches!(line.origin(), '+' | '-' | ' ') {
            found.patch.push(u8::try_from(line.origin()).unwrap_or(b' '));
        }
        found.patch.extend_from_slice(line.content());
        true
    })?;
    for (index, delta) in diff.deltas().enumerate() {
        let path = touched(&delta);
        found.files.push(path.to_path_buf());
        if delta.status() == Delta::Deleted {
            found.deleted.push(path.to_path_buf());
        }
        if found.unkept.is_none() && !is_of_content(&delta) {
            found.unkept = Some(path.to_path_buf());
        }
        let is_binary = delta.flags().is_binary() || Patch::from_diff(diff, index)?.is_none();
        if is_binary {
            found.binary.push(path.to_path_buf());
        }
    }
    Ok(found)
}

/// SHA-256 over the stashes, the newest first; none without any.
fn stashes(repository: &Repository) -> Option<String> {
    let newest = repository.find_reference("refs/stash").ok()?.target()?;
    let older = repository.reflog("refs/stash").ok();
    let older =
        older.iter().flat_map(|log| log.iter().map(|entry| entry.id_new().to_string()).collect::<Vec<_>>());
    let all: Vec<String> = std::iter::once(newest.to_string()).chain(older).collect();
    Some(files::sha256_bytes(all.join("\n").as_bytes()))
}

/// SHA-256 over the entries of the index outside the state folder, whose entries checkpoints change.
fn index_of(repository: &Repository, work_tree: &Path, state_folder: &Path) -> Result<String, git2::Error> {
    let state = place::resolved(state_folder);
    let mut index = repository.index()?;
    index.read(true)?;
    let mut described = Vec::new();
    for entry in index.iter() {
        if !work_tree.join(OsStr::from_bytes(&entry.path)).starts_with(&state) {
            let flags = (entry.mode, entry.flags, entry.flags_extended);
            described.extend_from_slice(format!("{} {flags:?} ", entry.id).as_bytes());
            described.extend_from_slice(&entry.path);
            described.push(b'\n');
        }
    }
    Ok(files::sha256_bytes(&described))
}

/// Whether `path`, as differences have it, is `place` or lies in it.
pub fn lies_in(source: &Source, place: &Path, path: &Path) -> bool {
    let place = place::resolved(place);
    let whole = source.work_tree().join(path);
    whole.starts_with(&place) || fs::canonicalize(&whole).is_ok_and(|whole| whole.starts_with(&place))
}
