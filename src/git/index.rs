//! The index while it is held: state files are replaced in it, everything else stays.

use super::place::Place;
use super::reason::{Reason, Stop, not_replaced, unwritten};
use super::tree::{Held, blank_entry};
use crate::failure::Failure;
use crate::sys::{fault, tree};
use git2::{Index, IndexEntry, IndexTime};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// How the lock of this program begins.
const MARK: &str = "cargo-perf";
/// How the folder is called that is made beside the index.
const ASIDE: &str = "index.perf-";
/// Where an entry says that its file need not be in the work tree.
const SKIP_WORKTREE: u16 = 1 << 14;
/// Where an entry holds its stage.
const STAGE_SHIFT: u16 = 12;

/// A state file with what the index records of it.
pub(in crate::git) struct Staged {
    /// The file as the tree holds it.
    pub held: Held,
    /// What the system said of it when it was read.
    pub metadata: Metadata,
}

/// Reads the index of a work tree.
///
/// # Errors
/// `UnsupportedFormat` when libgit2 cannot read it: a split or a sparse index.
pub(in crate::git) fn read(place: &Place) -> Result<Index, Reason> {
    Index::open(&place.index_file()).map_err(|_| Reason::UnsupportedFormat)
}

/// The entries of the state folder, in all stages; their paths are those of the work tree.
pub(in crate::git) fn state_entries(index: &Index, place: &Place) -> Vec<IndexEntry> {
    let prefix = place.in_git(b"");
    index.iter().filter(|entry| entry.path.starts_with(&prefix)).collect()
}

/// Whether the index holds a file where the state folder or a folder around it is.
pub(in crate::git) fn is_obstructed(index: &Index, place: &Place) -> bool {
    let mut folders = place.relative.ancestors().filter(|folder| !folder.as_os_str().is_empty());
    folders.any(|folder| (0..4).any(|stage| index.get_path(folder, stage).is_some()))
}

/// The paths of state files that a sparse checkout leaves out of the work tree.
pub(in crate::git) fn left_out(entries: &[IndexEntry]) -> BTreeSet<Vec<u8>> {
    let skipped = entries.iter().filter(|entry| entry.flags_extended & SKIP_WORKTREE != 0);
    skipped.map(|entry| entry.path.clone()).collect()
}

/// Whether somebody holds the index now.
pub(in crate::git) fn is_locked(place: &Place) -> bool {
    let lock = lock_of(&place.index_file());
    fs::symlink_metadata(&lock).is_ok() && !is_abandoned(&lock)
}

/// What a lock of this program holds: who took it.
fn own_mark() -> String {
    let own = std::process::id().cast_signed();
    format!("{MARK} {own} {}\n", tree::start_time(own).unwrap_or_default())
}

/// Whether a process of this program took the lock and was killed before it could give it back.
fn is_abandoned(lock: &Path) -> bool {
    let Ok(text) = fs::read_to_string(lock) else { return false };
    let mut words = text.split_whitespace();
    let (Some(MARK), Some(pid), Some(start)) = (words.next(), words.next(), words.next()) else {
        return false;
    };
    let (Ok(pid), Ok(start)) = (pid.parse::<i32>(), start.parse::<u64>()) else { return false };
    !tree::lives(pid, start)
}

/// Removes a lock that nobody holds any more, and what its holder had made beside the index.
fn forget_abandoned(lock: &Path, folder: &Path) {
    if !is_abandoned(lock) {
        return;
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().as_bytes().starts_with(ASIDE.as_bytes()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    // What cannot be removed is found to be there by whoever takes the lock.
    let _ = fs::remove_file(lock);
}

fn lock_of(index: &Path) -> PathBuf {
    let mut name = index.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

/// The index, which nobody else writes while this lives: `index.lock` is ours, as git does it.
pub(in crate::git) struct Locked {
    path: PathBuf,
    lock: PathBuf,
    /// On the same file system: the new index before it is in place, and the old one afterwards.
    aside: TempDir,
    had_one: bool,
}

impl Locked {
    /// Takes the index.
    pub fn take(place: &Place) -> Result<Self, Stop> {
        let path = place.index_file();
        let lock = lock_of(&path);
        let folder = path.parent().unwrap_or(Path::new("."));
        forget_abandoned(&lock, folder);
        let aside = tempfile::Builder::new().prefix(ASIDE).tempdir_in(folder).map_err(not_replaced)?;
        let mark = aside.path().join("lock");
        File::create_new(&mark)
            .and_then(|mut file| file.write_all(own_mark().as_bytes()))
            .map_err(not_replaced)?;
        // With its content from the first moment, so that it is known whenever its holder is killed.
        fs::hard_link(&mark, &lock).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Stop::Reason(Reason::IndexLocked),
            _ => not_replaced(error),
        })?;
        fault::point("lock of the index");
        let had_one = path.exists();
        Ok(Self { path, lock, aside, had_one })
    }

    /// Puts exactly `files` in the place of the entries of the state folder.
    ///
    /// The new file gets the time of the old one. Git takes that time for the moment at which the entries
    /// were true; with a later one, a file that was changed in the instant of the last `git add` would
    /// pass for unchanged.
    pub fn replace(&self, place: &Place, files: &[Staged]) -> Result<(), Stop> {
        let new = self.aside.path().join("new");
        let old = self.aside.path().join("old");
        let mut modified = None;
        if self.had_one {
            fs::copy(&self.path, &new).map_err(not_replaced)?;
            fs::hard_link(&self.path, &old).map_err(not_replaced)?;
            modified = Some(fs::metadata(&old).and_then(|old| old.modified()).map_err(not_replaced)?);
        }
        let mut index = Index::open(&new).map_err(|_| Reason::UnsupportedFormat)?;
        if is_obstructed(&index, place) {
            return Err(Reason::Outside.into());
        }
        change(&mut index, place, files)?;
        index.write().map_err(|error| unwritten(&error))?;
        let file = File::options().write(true).open(&new).map_err(not_replaced)?;
        if let Some(modified) = modified {
            file.set_modified(modified).map_err(not_replaced)?;
            let mode = fs::metadata(&old).map_err(not_replaced)?.permissions();
            file.set_permissions(mode).map_err(not_replaced)?;
        }
        file.sync_all().map_err(not_replaced)?;
        fs::rename(&new, &self.path).map_err(not_replaced)?;
        fault::point("index");
        Ok(())
    }

    /// Puts the old index back, byte by byte.
    pub fn restore(&self) -> Result<(), Stop> {
        if self.had_one {
            return fs::rename(self.aside.path().join("old"), &self.path).map_err(not_put_back);
        }
        fs::remove_file(&self.path).map_err(not_put_back)
    }
}

/// No reason to go on: the index holds what no commit does.
#[expect(clippy::needless_pass_by_value, reason = "given to `map_err`")]
fn not_put_back(error: io::Error) -> Stop {
    let failure = Failure::environment(format!("the index of the repository cannot be put back: {error}"));
    Stop::Failed(failure.hint("`git reset` takes the state files out of it"))
}

impl Drop for Locked {
    fn drop(&mut self) {
        // If this fails the folder has become read-only, and git will name the file that is left.
        let _ = fs::remove_file(&self.lock);
    }
}

fn change(index: &mut Index, place: &Place, files: &[Staged]) -> Result<(), Stop> {
    let wanted: BTreeSet<Vec<u8>> = files.iter().map(|file| place.in_git(&file.held.path)).collect();
    let entries = state_entries(index, place);
    let kept = left_out(&entries);
    for entry in entries.iter().filter(|entry| wanted.contains(&entry.path) || !kept.contains(&entry.path)) {
        let stage = i32::from(entry.flags >> STAGE_SHIFT & 3);
        index.remove(Path::new(OsStr::from_bytes(&entry.path)), stage)?;
    }
    for file in files {
        index.add(&entry_of(place, file))?;
    }
    Ok(())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "git keeps the low 32 bits and compares no more"
)]
fn entry_of(place: &Place, file: &Staged) -> IndexEntry {
    let data = &file.metadata;
    IndexEntry {
        ctime: IndexTime::new(data.ctime() as i32, data.ctime_nsec() as u32),
        mtime: IndexTime::new(data.mtime() as i32, data.mtime_nsec() as u32),
        dev: data.dev() as u32,
        ino: data.ino() as u32,
        uid: data.uid(),
        gid: data.gid(),
        file_size: data.len() as u32,
        path: place.in_git(&file.held.path),
        ..blank_entry(&file.held)
    }
}
