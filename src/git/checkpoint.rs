//! The commit that ends a phase: the state files, and nothing else.
//!
//! Its tree is that of the last commit with the state folder as it is on disk. The bytes are committed as
//! they are, without conversion of line ends, so that hashes of them stay true. No hook is run.

use super::index::{self, Locked, Staged};
use super::on_disk;
use super::place::Place;
use super::program;
use super::reason::{Stop, unwritten};
use super::subject::{LONGEST, breaks_lines};
use super::tip::Tip;
use super::tree::{self, EXECUTABLE, Held, PLAIN};
use crate::failure::{Failure, FailureKind};
use crate::sys::fault;
use crate::sys::interrupt::Interrupt;
use git2::{ErrorCode, Index, IndexEntry, ObjectType, Oid, Signature};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

pub use super::reason::{Mode, Reason};
pub use super::subject::{Wanted, commit_exists, find, reference, subject};

/// How long signing may take; a program that waits for somebody waits in vain.
const SIGNING: Duration = Duration::from_secs(30);

/// What to commit, and where to.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// A folder in the work tree.
    pub root: &'a Path,
    /// The folder of the state files, absolute; it need not exist yet.
    pub state_folder: &'a Path,
    /// The one line of the message, see [`subject()`].
    pub subject: &'a str,
    /// Where the commit goes.
    pub mode: Mode,
    /// The reference for [`Mode::Ref`], below `refs/perf/`.
    pub ref_name: &'a str,
}

/// What [`commit`] would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Foreseen {
    /// It would commit.
    Commit {
        /// The commit before it; none where it is the first.
        parent: Option<String>,
        /// A branch, "detached HEAD", or the reference.
        onto: String,
        /// Whether the git program signs it.
        signed: bool,
        /// Whether there are hooks that `git commit` would run.
        hooks_not_run: bool,
    },
    /// It would not.
    None(Reason),
}

/// What [`commit`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// A commit.
    Commit {
        /// Its id.
        id: String,
        /// The commit before it; none where it is the first.
        parent: Option<String>,
    },
    /// Nothing, and nothing has changed.
    None(Reason),
}

/// Says what [`commit`] would do, and changes nothing. State files that will be written until then cannot
/// be known, so neither can `NothingChanged` nor a pattern that ignores one of them by its name.
///
/// # Errors
/// `Environment` when repository or state cannot be read; `Bug` when the order makes no sense.
pub fn foresee(order: &Order<'_>) -> Result<Foreseen, Failure> {
    foreseen(order).or_else(|stop| match stop {
        Stop::Reason(reason) => Ok(Foreseen::None(reason)),
        Stop::Failed(failure) => Err(failure),
    })
}

fn foreseen(order: &Order<'_>) -> Result<Foreseen, Stop> {
    let prepared = Prepared::of(order)?;
    Ok(Foreseen::Commit {
        parent: prepared.tip.id().map(|id| id.to_string()),
        onto: prepared.tip.shown.clone(),
        signed: prepared.place.signs(),
        hooks_not_run: prepared.place.has_hooks(),
    })
}

/// Commits the state files. Of the index exactly the entries of the state folder change, and only with
/// [`Mode::Branch`]; the work tree is not touched.
///
/// # Errors
/// `Interrupted`; `Environment` when repository or state cannot be read; `Bug` when the order makes no sense.
pub fn commit(order: &Order<'_>, interrupt: &Interrupt) -> Result<Made, Failure> {
    make(order, interrupt).or_else(|stop| match stop {
        Stop::Reason(reason) => Ok(Made::None(reason)),
        Stop::Failed(failure) => Err(failure),
    })
}

fn make(order: &Order<'_>, interrupt: &Interrupt) -> Result<Made, Stop> {
    interrupt.check()?;
    let prepared = Prepared::of(order)?;
    let (place, tip) = (&prepared.place, &prepared.tip);
    let files = prepared.store_files()?;
    let mut held: Vec<Held> = files.iter().map(|file| file.held.clone()).collect();
    held.extend(prepared.left_out(&held));
    let base = prepared.base.as_ref().map(|id| place.repository.find_tree(*id)).transpose()?;
    let tree = tree::write(&place.repository, base.as_ref(), &place.parts(), &held)?;
    if prepared.is_stored(tree, &held)? {
        return Err(Reason::NothingChanged.into());
    }
    let id = prepared.object(order.subject, tree, interrupt)?;
    fault::point("commit object");
    interrupt.check()?;
    let message = format!("commit: {}", order.subject);
    if order.mode == Mode::Ref {
        tip.advance(&place.repository, id, &message)?;
    } else {
        let locked = Locked::take(place)?;
        // Now that nobody can commit or switch branches, what was seen must still be true.
        place.expect_quiet()?;
        if !Tip::of_head(&place.repository)?.is(tip) {
            return Err(Reason::RefMoved.into());
        }
        locked.replace(place, &files)?;
        if let Err(stop) = tip.advance(&place.repository, id, &message) {
            locked.restore()?;
            return Err(stop);
        }
        fault::point("branch");
    }
    Ok(Made::Commit { id: id.to_string(), parent: tip.id().map(|id| id.to_string()) })
}

/// Everything that can be known before anything is written.
struct Prepared {
    place: Place,
    tip: Tip,
    /// The tree into which the state goes.
    base: Option<Oid>,
    /// What `base` holds of the state folder.
    held: Vec<Held>,
    /// What the index holds of it; empty where the index does not matter.
    entries: Vec<IndexEntry>,
    author: Signature<'static>,
    committer: Signature<'static>,
}

impl Prepared {
    fn of(order: &Order<'_>) -> Result<Self, Stop> {
        if order.mode == Mode::Off {
            return Err(Reason::Off.into());
        }
        check(order)?;
        let place = Place::find(order.root, order.state_folder)?;
        let checked_out = Tip::of_head(&place.repository)?;
        let base = checked_out.tree(&place.repository)?;
        let tree = base.map(|id| place.repository.find_tree(id)).transpose()?;
        let held = tree::held(&place.repository, tree.as_ref(), &place.parts())?;
        drop(tree);
        let (tip, entries) = if order.mode == Mode::Ref {
            (Tip::of_reference(&place.repository, order.ref_name, &checked_out)?, Vec::new())
        } else {
            place.expect_quiet()?;
            if index::is_locked(&place) {
                return Err(Reason::IndexLocked.into());
            }
            let index = index::read(&place)?;
            let entries = usable_entries(&index, &place)?;
            expect_not_ignored(&place, &held, &entries)?;
            (checked_out, entries)
        };
        let (author, committer) = identity(&place)?;
        Ok(Self { place, tip, base, held, entries, author, committer })
    }

    /// Writes the state files as blobs.
    fn store_files(&self) -> Result<Vec<Staged>, Stop> {
        let modes = self.place.has_modes();
        let before: BTreeMap<&[u8], u32> =
            self.held.iter().map(|held| (held.path.as_slice(), held.mode)).collect();
        let mut files = Vec::new();
        for path in on_disk::list(&self.place.folder)? {
            let Some(content) = on_disk::read(&self.place.folder.join(&path))? else { continue };
            let id = self.place.repository.blob(&content.bytes).map_err(|error| unwritten(&error))?;
            let path = path.as_os_str().as_bytes().to_vec();
            let executable = if modes {
                content.metadata.permissions().mode() & 0o100 != 0
            } else {
                before.get(path.as_slice()) == Some(&EXECUTABLE)
            };
            let mode = if executable { EXECUTABLE } else { PLAIN };
            files.push(Staged { held: Held { path, id, mode }, metadata: content.metadata });
        }
        Ok(files)
    }

    /// What a sparse checkout leaves out of the work tree stays in the tree.
    fn left_out(&self, on_disk: &[Held]) -> Vec<Held> {
        let present: BTreeSet<&[u8]> = on_disk.iter().map(|held| held.path.as_slice()).collect();
        let left_out = index::left_out(&self.entries);
        let absent = self.held.iter().filter(|held| !present.contains(held.path.as_slice()));
        absent.filter(|held| left_out.contains(&self.place.in_git(&held.path))).cloned().collect()
    }

    /// Whether the last commit holds this already.
    fn is_stored(&self, tree: Oid, held: &[Held]) -> Result<bool, Stop> {
        if self.tip.is_new() {
            // The first commit of a reference is made even if the branch holds the state.
            return Ok(held.is_empty() && self.held.is_empty());
        }
        let last = self.tip.tree(&self.place.repository)?;
        Ok(last.map_or(held.is_empty(), |last| last == tree))
    }

    /// Writes the commit as an object that nothing names yet.
    fn object(&self, subject: &str, tree: Oid, interrupt: &Interrupt) -> Result<Oid, Stop> {
        let repository = &self.place.repository;
        if self.place.signs() {
            return self.signed(subject, tree, interrupt);
        }
        let parent = self.tip.id().map(|id| repository.find_commit(id)).transpose()?;
        let parents: Vec<_> = parent.iter().collect();
        let message = format!("{subject}\n");
        let tree = repository.find_tree(tree)?;
        repository
            .commit(None, &self.author, &self.committer, &message, &tree, &parents)
            .map_err(|error| unwritten(&error))
    }

    /// `git commit-tree` runs no hooks and touches neither index nor HEAD.
    fn signed(&self, subject: &str, tree: Oid, interrupt: &Interrupt) -> Result<Oid, Stop> {
        let mut words: Vec<OsString> = vec!["commit-tree".into(), "-S".into()];
        if let Some(parent) = self.tip.id() {
            words.extend(["-p".into(), parent.to_string().into()]);
        }
        words.extend(["-m".into(), subject.into(), tree.to_string().into()]);
        let folder = self.place.repository.workdir().unwrap_or(&self.place.folder);
        let answer = program::ask(folder, words, SIGNING, interrupt)?.map_err(|_| Reason::Signing)?;
        let id = std::str::from_utf8(&answer).ok().and_then(|text| Oid::from_str(text.trim()).ok());
        let id = id.ok_or(Reason::Signing)?;
        let made = self.place.repository.find_commit(id)?;
        let as_ordered = made.tree_id() == tree && made.parent_ids().eq(self.tip.id());
        if as_ordered { Ok(id) } else { Err(Reason::Signing.into()) }
    }
}

/// Refuses what no caller may ask for.
fn check(order: &Order<'_>) -> Result<(), Failure> {
    let subject = order.subject;
    if subject.trim().is_empty() || subject.contains(breaks_lines) || subject.chars().count() > LONGEST {
        return Err(Failure::new(FailureKind::Bug, format!("no subject for a checkpoint: {subject:?}")));
    }
    let name = order.ref_name;
    if order.mode == Mode::Ref && !(name.starts_with("refs/perf/") && git2::Reference::is_valid_name(name)) {
        return Err(Failure::new(FailureKind::Bug, format!("no reference for checkpoints: {name:?}")));
    }
    Ok(())
}

fn usable_entries(index: &Index, place: &Place) -> Result<Vec<IndexEntry>, Stop> {
    if index::is_obstructed(index, place) {
        return Err(Reason::Outside.into());
    }
    Ok(index::state_entries(index, place))
}

/// Fails when a state file would have to be forced past an ignore pattern.
///
/// Who has committed state from an ignored folder has agreed to that; then new files go there too.
fn expect_not_ignored(place: &Place, held: &[Held], entries: &[IndexEntry]) -> Result<(), Stop> {
    let is_ignored = |path: &[u8]| place.repository.is_path_ignored(Path::new(OsStr::from_bytes(path)));
    // A name that no pattern means stands for all files of the folder.
    if is_ignored(&place.in_git(b"perf-state"))? {
        let agreed = !held.is_empty() || !entries.is_empty();
        return if agreed { Ok(()) } else { Err(Reason::Ignored.into()) };
    }
    let mut tracked: BTreeSet<Vec<u8>> = held.iter().map(|held| place.in_git(&held.path)).collect();
    tracked.extend(entries.iter().map(|entry| entry.path.clone()));
    for path in on_disk::list(&place.folder)? {
        let path = place.in_git(path.as_os_str().as_bytes());
        if !tracked.contains(&path) && is_ignored(&path)? {
            return Err(Reason::Ignored.into());
        }
    }
    Ok(())
}

fn identity(place: &Place) -> Result<(Signature<'static>, Signature<'static>), Stop> {
    let known = |found: Result<Signature<'static>, git2::Error>| {
        found.map_err(|error| match error.code() {
            // The two others stand for an empty name.
            ErrorCode::NotFound | ErrorCode::Invalid | ErrorCode::GenericError => {
                Stop::Reason(Reason::NoIdentity)
            }
            _ => Stop::from(error),
        })
    };
    Ok((known(place.repository.author_from_env())?, known(place.repository.committer_from_env())?))
}

/// Whether HEAD, or the reference of the order, holds exactly the state files that are on disk. Writes
/// nothing. What cannot be told is not committed.
pub fn is_committed(order: &Order<'_>) -> bool {
    compared(order).unwrap_or(false)
}

fn compared(order: &Order<'_>) -> Result<bool, Stop> {
    if order.mode == Mode::Off {
        return Err(Reason::Off.into());
    }
    check(order)?;
    let place = Place::find(order.root, order.state_folder)?;
    let checked_out = Tip::of_head(&place.repository)?;
    let mut left_out = BTreeSet::new();
    let tree = if order.mode == Mode::Ref {
        let tip = Tip::of_reference(&place.repository, order.ref_name, &checked_out)?;
        if tip.is_new() { None } else { tip.tree(&place.repository)? }
    } else {
        left_out = index::left_out(&index::state_entries(&index::read(&place)?, &place));
        checked_out.tree(&place.repository)?
    };
    let tree = tree.map(|id| place.repository.find_tree(id)).transpose()?;
    let held = tree::held(&place.repository, tree.as_ref(), &place.parts())?;
    let mut held: BTreeMap<Vec<u8>, (Oid, u32)> =
        held.into_iter().map(|held| (held.path, (held.id, held.mode))).collect();
    let modes = place.has_modes();
    for path in on_disk::list(&place.folder)? {
        let Some(content) = on_disk::read(&place.folder.join(&path))? else { continue };
        let Some((id, mode)) = held.remove(path.as_os_str().as_bytes()) else { return Ok(false) };
        let executable = content.metadata.permissions().mode() & 0o100 != 0;
        let same_mode = mode == if executable { EXECUTABLE } else { PLAIN };
        if id != Oid::hash_object(ObjectType::Blob, &content.bytes)? || (modes && !same_mode) {
            return Ok(false);
        }
    }
    held.retain(|path, _| !left_out.contains(&place.in_git(path)));
    Ok(held.is_empty())
}
