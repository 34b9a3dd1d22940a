//! Changes of files in the state folder: one holder of the lock at a time, all files of a change or none,
//! whatever moment a process is killed at.
//!
//! A change of several files goes through a journal:
//!
//! 1. what is to be written is made beside each file, so that a full disk is met before anything counts,
//!    and then made safe on disk, together with the journal;
//! 2. the journal, which holds all of it, is put in its place: from here on the change is made;
//! 3. each file is replaced, then others are removed, then the journal.
//!
//! Whoever takes the lock next completes what a killed process had begun, and removes what it had not.
//! Nothing is ordered by time, so a clock that goes backwards changes nothing: one journal exists at
//! most, and each file of it is known by what it holds.

use super::change::{self, Drafts, Steps, elsewhere};
use super::journal::{self, Content, Edit};
use super::lock;
use super::place::Name;
use crate::failure::Failure;
use crate::sys::fault;
use crate::sys::files::{self, Staged};
use std::fmt;
use std::fs::{self, File};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

pub use super::change::Change;
pub use super::peek::{peek, peek_names};

/// How long commands wait for one another: far longer than any change takes.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The right to change the state folder.
#[derive(Debug)]
pub struct Guard {
    folder: PathBuf,
    repaired: Option<Repair>,
    /// The folder itself, locked, so that no lock file lies in it. The lock ends with the process.
    _lock: File,
}

/// What a killed process had left, and what became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repair {
    /// The files of the change that was completed.
    pub completed: Vec<String>,
    /// How many files in the making were thrown away.
    pub thrown_away: usize,
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an earlier process ended while it changed stored state: ")?;
        if !self.completed.is_empty() {
            return write!(f, "its change of {} is now complete", self.completed.join(", "));
        }
        let files = if self.thrown_away == 1 { "file" } else { "files" };
        write!(f, "{} unfinished {files} of it removed, nothing else had changed", self.thrown_away)
    }
}

impl Guard {
    /// Takes the lock on `folder`, which is made when it is missing, and repairs what a killed process
    /// has left there.
    ///
    /// # Errors
    /// `State` when another process still holds the lock after `patience`, when something else than a
    /// folder stands there, and when what a killed process has left cannot be completed; `Environment`
    /// when the folder cannot be made or locked.
    pub fn take(folder: &Path, patience: Duration) -> Result<Self, Failure> {
        // Without a slash at its end, behind which a link would be followed.
        let folder: PathBuf = folder.components().collect();
        let lock = lock::take(&folder, patience)?;
        let completed = settle(&folder)?;
        let thrown_away = throw_away(&folder);
        let repair = Repair { completed, thrown_away };
        Ok(Self { folder, repaired: Some(repair).filter(|repair| *repair != Repair::default()), _lock: lock })
    }

    /// The state folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What a killed process had left, for a warning; none when all was well.
    pub fn repaired(&self) -> Option<&Repair> {
        self.repaired.as_ref()
    }

    /// What the file `name` holds; none when there is no such file.
    ///
    /// # Errors
    /// `State` when something else than a file stands there, or it cannot be read.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        peek(&self.folder, name)
    }

    /// Makes the change, all of it or nothing, and safe on disk when this returns.
    ///
    /// # Errors
    /// `State` when something else than a file stands in the place of one; `Environment` when the disk
    /// is full or the folder cannot be written. All files are then as they were, unless the hint says
    /// that the next command completes the change.
    #[expect(clippy::needless_pass_by_value, reason = "a change is made once")]
    pub fn apply(&self, change: Change) -> Result<(), Failure> {
        // There is something only when an earlier change of this guard failed on its way.
        settle(&self.folder)?;
        let changes = change.named()?;
        for (name, _) in &changes {
            name.check(&self.folder)?;
        }
        if let [(name, content)] = &changes[..] {
            return change::draft(&self.folder, [(name, *content)])?.sync()?.take().map_err(elsewhere);
        }
        if changes.is_empty() {
            return Ok(());
        }
        let (drafts, edits) = prepare(&self.folder, changes)?;
        let journal = journal::draft(&self.folder, &edits).map_err(elsewhere)?;
        let steps = drafts.sync()?;
        journal.sync().and_then(Staged::put).map_err(elsewhere)?;
        complete(&self.folder, steps)
    }
}

/// Completes the change that a killed process has begun; the names of its files.
fn settle(folder: &Path) -> Result<Vec<String>, Failure> {
    let Some(bytes) = journal::read(folder)? else { return Ok(Vec::new()) };
    let edits = journal::decode(folder, &bytes)?;
    journal::check(folder, &edits)?;
    // All of them again: nobody knows which of those that are in their places are safe on disk.
    complete(folder, draft(folder, &edits)?.sync()?)?;
    Ok(edits.into_iter().map(|edit| edit.name.as_str().to_owned()).collect())
}

/// Removes files in the making that killed processes have left; returns how many. What cannot be removed
/// stays until the next time.
fn throw_away(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let thrown_away = entries.flatten().map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => throw_away(&entry.path()),
        Ok(kind) if kind.is_file() && files::is_temporary(&entry.file_name()) => {
            usize::from(files::remove_abandoned(&entry.path()))
        }
        _ => 0,
    });
    thrown_away.sum()
}

/// Writes the new contents of `changes` beside their files, and hashes old and new ones meanwhile, which
/// takes as long where the processor has no instructions for it.
fn prepare<'c>(
    folder: &Path,
    changes: Vec<(Name, Option<&'c [u8]>)>,
) -> Result<(Drafts, Vec<Edit<'c>>), Failure> {
    let (drafts, old, new) = thread::scope(|scope| {
        let hashing = scope.spawn(|| changes.iter().map(|(name, _)| name.sha256(folder)).collect::<Vec<_>>());
        let drafts = change::draft(folder, changes.iter().map(|(name, content)| (name, *content)));
        let new: Vec<_> = changes.iter().map(|(_, content)| content.map(Content::new)).collect();
        (drafts, hashing.join().unwrap_or_else(|panic| resume_unwind(panic)), new)
    });
    let edits = changes.into_iter().zip(old).zip(new);
    let edits = edits.map(|(((name, _), old), new)| Ok(Edit { name, old: old?, new }));
    Ok((drafts?, edits.collect::<Result<_, Failure>>()?))
}

fn draft(folder: &Path, edits: &[Edit<'_>]) -> Result<Drafts, Failure> {
    change::draft(folder, edits.iter().map(|edit| (&edit.name, edit.new.as_ref().map(|new| &*new.bytes))))
}

/// From the journal in its place to its removal.
fn complete(folder: &Path, steps: Steps) -> Result<(), Failure> {
    let complete = || {
        // Before any file changes, the journal must be safe; before it goes, all files.
        files::sync_folder(folder)?;
        steps.take()?;
        fault::point("all files of the journal");
        files::remove(&folder.join(journal::FILE))?;
        files::sync_folder(folder)
    };
    complete().map_err(|failure: Failure| {
        failure.hint("the change is recorded, and the next command completes it once that is possible")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureKind;
    use crate::sys::files::Draft;
    use crate::sys::regular;
    use std::collections::BTreeMap;
    use std::os::unix::fs::symlink;

    const SOON: Duration = Duration::from_millis(100);
    const FILES: [&str; 3] = ["baselines/v1.json", "investigations/a.md", "state.json"];

    fn change(content: &str) -> Change {
        FILES.iter().fold(Change::new(), |change, name| change.write(*name, content.into()))
    }

    fn contents(folder: &Path) -> Vec<Option<Vec<u8>>> {
        FILES.iter().map(|name| regular::read(&folder.join(name)).expect("readable")).collect()
    }

    fn all(content: &str) -> Vec<Option<Vec<u8>>> {
        vec![Some(content.as_bytes().to_vec()); FILES.len()]
    }

    /// Everything below the folder, with contents.
    fn tree(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(folder).expect("listed").flatten() {
            let path = entry.path();
            let kind = entry.file_type().expect("a kind");
            if kind.is_dir() {
                found.extend(tree(&path));
            }
            let content = if kind.is_file() { fs::read(&path).ok() } else { None };
            found.insert(path, content);
        }
        found
    }

    /// A folder in which `new` is to replace `old`, as left by a process killed behind the commit.
    fn interrupted(folder: &Path) -> PathBuf {
        let perf = folder.join("state/perf");
        Guard::take(&perf, SOON).expect("taken").apply(change("old")).expect("applied");
        let edits: Vec<Edit<'_>> = FILES
            .iter()
            .map(|name| Edit {
                name: Name::new(name).expect("a name"),
                old: Some(files::sha256_bytes(b"old")),
                new: Some(Content::new(&b"new"[..])),
            })
            .collect();
        journal::draft(&perf, &edits).and_then(Draft::sync).and_then(Staged::put).expect("written");
        perf
    }

    #[test]
    fn a_change_of_several_files_is_made_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let perf = folder.path().join("state/perf");
        let guard = Guard::take(&perf, SOON).expect("taken");
        guard.apply(change("one")).expect("applied");
        assert_eq!(contents(&perf), all("one"));
        assert!(guard.repaired().is_none());
        let next =
            Change::new().write("state.json", vec![0, 255]).remove("baselines/v1.json").remove("never/was");
        guard.apply(next).expect("applied");
        assert_eq!(guard.read("state.json").expect("read"), Some(vec![0, 255]));
        assert_eq!(guard.read("baselines/v1.json").expect("read"), None);
        guard.apply(Change::new().remove("state.json")).expect("applied");
        guard.apply(Change::new()).expect("nothing to do");
        assert_eq!(tree(&perf).values().flatten().count(), 1, "{:?}", tree(&perf));
    }

    #[test]
    fn s30_a_begun_change_is_seen_without_the_lock_and_completed_with_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let perf = interrupted(folder.path());
        // One file had been replaced, another writer was killed before it counted.
        files::write_atomic(&perf.join(FILES[1]), b"new").expect("written");
        files::write_atomic(&perf.join("baselines/.cargo-perf-killed.tmp"), b"never").expect("written");
        let before = tree(&perf);
        for name in FILES {
            assert_eq!(peek(&perf, name).expect("seen").as_deref(), Some(&b"new"[..]), "{name}");
        }
        assert_eq!(tree(&perf), before, "looking changes nothing");
        let guard = Guard::take(&perf, SOON).expect("taken");
        let repair = guard.repaired().expect("something was repaired");
        assert_eq!((&repair.completed[..], repair.thrown_away), (&FILES.map(str::to_owned)[..], 1));
        assert!(
            repair.to_string().contains("its change of baselines/v1.json, investigations/a.md, state.json")
        );
        assert_eq!(contents(&perf), all("new"));
        assert_eq!(tree(&perf).values().flatten().count(), FILES.len());
        drop(guard);
        assert!(Guard::take(&perf, SOON).expect("taken").repaired().is_none());
    }

    #[test]
    fn s30_a_file_that_was_edited_between_is_named_and_nothing_changes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let perf = interrupted(folder.path());
        files::write_atomic(&perf.join("state.json"), b"edited").expect("written");
        let before = tree(&perf);
        let refused = [
            Guard::take(&perf, SOON).expect_err("refused"),
            peek(&perf, "state.json").expect_err("refused"),
            peek(&perf, FILES[0]).expect_err("refused"),
        ];
        for failure in refused {
            assert_eq!(failure.kind, FailureKind::State);
            assert!(failure.message.contains("perf/state.json was changed"), "{failure}");
            assert!(failure.hint.expect("a hint").contains("remove"));
        }
        assert_eq!(tree(&perf), before);
        fs::remove_file(perf.join(journal::FILE)).expect("removed");
        Guard::take(&perf, SOON).expect("as the hint says");
        assert_eq!(peek(&perf, "state.json").expect("seen").as_deref(), Some(&b"edited"[..]));
    }

    #[test]
    fn s27_a_damaged_or_newer_journal_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let perf = interrupted(folder.path());
        let newer = br#"{"schema": "cargo-perf/journal", "schema_version": {"major": 2, "minor": 0}}"#;
        for (bytes, cause) in [(&b"{"[..], "is damaged"), (b"", "is damaged"), (newer, "newer version")] {
            files::write_atomic(&perf.join(journal::FILE), bytes).expect("written");
            let before = tree(&perf);
            for failure in [
                Guard::take(&perf, SOON).expect_err("refused"),
                peek(&perf, "state.json").expect_err("refused"),
            ] {
                assert!(failure.kind == FailureKind::State && failure.message.contains(cause), "{failure}");
            }
            assert_eq!(tree(&perf), before);
        }
    }

    #[test]
    fn links_are_followed_above_the_folder_only() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("real/perf/inner")).expect("made");
        symlink(at("real"), at("state")).expect("linked");
        symlink(at("real/perf"), at("perf")).expect("linked");
        symlink(at("real/perf/inner"), at("real/perf/baselines")).expect("linked");
        for folder in [at("perf"), at("perf/"), at("perf/.")] {
            let failure = Guard::take(&folder, SOON).expect_err("refused");
            assert!(failure.message.contains("perf is a symbolic link, not a folder"), "{failure}");
        }
        let guard = Guard::take(&at("state/perf"), SOON).expect("taken");
        let failure = guard.apply(change("new")).expect_err("refused");
        assert!(failure.message.contains("baselines is a symbolic link, not a folder"), "{failure}");
        assert_eq!(fs::read_dir(at("real/perf/inner")).expect("listed").count(), 0);
        guard.apply(Change::new().write("state.json", b"new".to_vec())).expect("applied");
    }

    #[test]
    fn names_that_lead_out_or_exclude_each_other_are_refused_before_anything_changes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let guard = Guard::take(&folder.path().join("perf"), SOON).expect("taken");
        for name in ["../out", "/tmp/out", "a/../../out", "", "a\0b", ".journal.json"] {
            let failure = guard.apply(change("x").write(name, b"x".to_vec())).expect_err(name);
            assert_eq!(failure.kind, FailureKind::Bug);
        }
        guard.apply(change("x").write("state.json/below", b"x".to_vec())).expect_err("a file and a folder");
        assert!(tree(folder.path()).values().flatten().next().is_none());
    }
}
