//! Looks into the state folder without its lock and without a trace.
//!
//! Where a killed process has left a journal, what is seen is what the next holder of the lock will make
//! of it.

use super::change::named;
use super::journal::{self, Edit};
use crate::failure::{Context, Failure, FailureKind};
use crate::sys::regular;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What the file `name` in `folder` holds, or will hold once the change of a killed process is completed;
/// none when there is no such file. Takes no lock and writes nothing. Two calls may fall before and after
/// a change.
///
/// # Errors
/// `State` when something else than a file stands there, when it cannot be read, and when what a killed
/// process has left cannot be completed.
pub fn peek(folder: &Path, name: &str) -> Result<Option<Vec<u8>>, Failure> {
    let name = named(name)?;
    let edits = begun(folder)?;
    match edits.into_iter().find(|edit| edit.name == name) {
        Some(edit) => Ok(edit.new.map(|content| content.bytes.into_owned())),
        None => name.read(folder),
    }
}

/// The names of what lies directly in the folder `below` of `folder`, or will once the change of a killed
/// process is completed, sorted. Like [`peek`], takes no lock and writes nothing.
///
/// # Errors
/// `State` as [`peek`], and when the folder cannot be read.
pub fn peek_names(folder: &Path, below: &str) -> Result<Vec<String>, Failure> {
    let inside = named(below)?.within(folder);
    let mut names = BTreeSet::new();
    let edits = begun(folder)?;
    if regular::open_folder(&inside)?.is_some() {
        let entries = fs::read_dir(&inside)
            .context(FailureKind::State, || format!("{} cannot be read", inside.display()))?;
        names.extend(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()));
    }
    for edit in edits {
        let path = Path::new(edit.name.as_str());
        let Some(name) = path.file_name().filter(|_| path.parent() == Some(Path::new(below))) else {
            continue;
        };
        let name = name.to_string_lossy().into_owned();
        if edit.new.is_some() {
            names.insert(name)
        } else {
            names.remove(&name)
        };
    }
    Ok(names.into_iter().collect())
}

/// The change that a journal has begun; empty without one.
fn begun(folder: &Path) -> Result<Vec<Edit<'static>>, Failure> {
    let mut seen = None;
    if regular::open_folder(folder)?.is_none() {
        return Ok(Vec::new());
    }
    while let Some(bytes) = journal::read(folder)? {
        let edits = journal::decode(folder, &bytes)?;
        match journal::check(folder, &edits) {
            Ok(()) => return Ok(edits),
            // Without the lock, the files may be those of a change that came after this journal.
            Err(failure) if seen.as_ref() == Some(&bytes) => return Err(failure),
            Err(_) => seen = Some(bytes),
        }
    }
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::super::journal::Content;
    use super::super::place::Name;
    use super::super::transaction::{Change, Guard};
    use super::*;
    use crate::sys::files::{self, Draft, Staged};
    use std::time::Duration;

    #[test]
    fn names_are_seen_as_the_begun_change_will_leave_them() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let perf = folder.path().join("perf");
        let guard = Guard::take(&perf, Duration::ZERO).expect("taken");
        guard.apply(Change::new().write("b/old", b"x".to_vec())).expect("applied");
        drop(guard);
        let edit = |name: &str, old, new| Edit { name: Name::new(name).expect("a name"), old, new };
        let edits = [
            edit("b/old", Some(files::sha256_bytes(b"x")), None),
            edit("b/new", None, Some(Content::new(&b"y"[..]))),
            edit("b/deep/new", None, Some(Content::new(&b"y"[..]))),
        ];
        journal::draft(&perf, &edits).and_then(Draft::sync).and_then(Staged::put).expect("written");
        assert_eq!(peek_names(&perf, "b").expect("seen"), ["new"]);
        Guard::take(&perf, Duration::ZERO).expect("taken");
        assert_eq!(peek_names(&perf, "b").expect("seen"), ["deep", "new"]);
        assert!(peek_names(&perf, "missing").expect("seen").is_empty());
    }

    #[test]
    fn nothing_is_made_where_nothing_is() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let perf = folder.path().join("deep/perf");
        assert_eq!(peek(&perf, "state.json").expect("nothing"), None);
        assert!(peek_names(&perf, "baselines").expect("nothing").is_empty());
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 0);
    }
}
