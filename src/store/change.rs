//! A change of files in the state folder: what it says, and the steps that make it.

use super::place::{self, Name};
use crate::failure::{Failure, FailureKind};
use crate::sys::files::{self, Draft, Staged};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const ELSEWHERE: &str = "make room or set its permissions, or choose another place with --state-dir";

/// What becomes of some files; the others stay as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    files: BTreeMap<String, Option<Vec<u8>>>,
}

/// A file and its new content; none when it is removed.
pub type Named<'c> = (Name, Option<&'c [u8]>);

impl Change {
    /// Changes nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The file `name`, relative to the state folder, will hold `bytes`. What is said last counts.
    #[must_use]
    pub fn write(mut self, name: impl Into<String>, bytes: Vec<u8>) -> Self {
        self.files.insert(name.into(), Some(bytes));
        self
    }

    /// There will be no file `name`, whether there is one now or not.
    #[must_use]
    pub fn remove(mut self, name: impl Into<String>) -> Self {
        self.files.insert(name.into(), None);
        self
    }

    /// Its files, those that are written first.
    ///
    /// # Errors
    /// `Bug` for a name that leads out of the folder, and for names that cannot all be files.
    pub fn named(&self) -> Result<Vec<Named<'_>>, Failure> {
        let files = self.files.iter().map(|(name, bytes)| Ok((named(name)?, bytes.as_deref())));
        let mut named: Vec<Named<'_>> = files.collect::<Result<_, Failure>>()?;
        named.sort_by_key(|(_, content)| content.is_none());
        match place::overlap(&named.iter().map(|(name, _)| name)) {
            Some(name) => {
                Err(Failure::new(FailureKind::Bug, format!("{name} is a file and a folder of files")))
            }
            None => Ok(named),
        }
    }
}

/// The name that this program gives to a state file.
///
/// # Errors
/// `Bug` when it leads out of the folder.
pub fn named(name: &str) -> Result<Name, Failure> {
    Name::new(name)
        .map_err(|why| Failure::new(FailureKind::Bug, format!("{name:?} names no state file: {why}")))
}

/// What is done to one file once the change counts.
#[derive(Debug)]
enum Step {
    Put(Staged),
    Remove(PathBuf),
}

impl Step {
    fn take(self) -> Result<(), Failure> {
        match self {
            Self::Put(staged) => staged.put(),
            Self::Remove(path) => files::remove(&path).map(drop),
        }
    }
}

/// What is to be done, written as far as that changes no file, and not yet safe on disk. New contents go
/// when this is dropped.
#[derive(Debug)]
pub struct Drafts {
    puts: Vec<Draft>,
    removals: Vec<PathBuf>,
    /// The folders in which something will change.
    folders: BTreeSet<PathBuf>,
}

/// Steps that are prepared as far as they can be without a change of any file. New contents go when this
/// is dropped.
#[derive(Debug)]
pub struct Steps {
    steps: Vec<Step>,
    folders: BTreeSet<PathBuf>,
}

/// Writes new contents beside their files in `folder`, so that a full disk is met before anything counts.
///
/// # Errors
/// `Environment`; nothing has changed then.
pub fn draft<'n>(
    folder: &Path,
    files: impl IntoIterator<Item = (&'n Name, Option<&'n [u8]>)>,
) -> Result<Drafts, Failure> {
    let mut drafts = Drafts { puts: Vec::new(), removals: Vec::new(), folders: BTreeSet::new() };
    for (name, content) in files {
        let path = name.within(folder);
        drafts.folders.extend(path.parent().map(Path::to_path_buf));
        match content {
            Some(bytes) => drafts.puts.push(files::draft(&path, bytes).map_err(elsewhere)?),
            None => drafts.removals.push(path),
        }
    }
    Ok(drafts)
}

impl Drafts {
    /// Makes new contents safe on disk.
    ///
    /// # Errors
    /// `Environment`; nothing has changed then.
    pub fn sync(self) -> Result<Steps, Failure> {
        let puts = self.puts.into_iter().map(|draft| Ok(Step::Put(draft.sync().map_err(elsewhere)?)));
        // Removals come last: a file that is named by another one stays as long as that one may name it.
        let steps = puts.chain(self.removals.into_iter().map(|path| Ok(Step::Remove(path))));
        Ok(Steps { steps: steps.collect::<Result<_, Failure>>()?, folders: self.folders })
    }
}

impl Steps {
    /// Takes the steps and makes them safe on disk.
    ///
    /// # Errors
    /// `Environment`; some steps may have been taken then.
    pub fn take(self) -> Result<(), Failure> {
        self.steps.into_iter().try_for_each(Step::take)?;
        // One that is missing held nothing to be removed.
        self.folders.iter().filter(|folder| folder.is_dir()).try_for_each(|folder| files::sync_folder(folder))
    }
}

/// Adds what helps when the folder cannot be written.
pub fn elsewhere(failure: Failure) -> Failure {
    failure.hint(ELSEWHERE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_comes_before_what_is_removed() {
        let change =
            Change::new().remove("a").write("b", vec![1]).remove("c").write("c", vec![2]).remove("d");
        let named = change.named().expect("good names");
        let shown: Vec<_> = named.iter().map(|(name, content)| (name.as_str(), *content)).collect();
        assert_eq!(shown, [("b", Some(&[1][..])), ("c", Some(&[2][..])), ("a", None), ("d", None)]);
    }

    #[test]
    fn dropped_steps_have_changed_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        files::write_atomic(&folder.path().join("gone"), b"here").expect("written");
        let change = Change::new().write("new", vec![1]).remove("gone");
        let edits = change.named().expect("good names");
        let steps = || draft(folder.path(), edits.iter().map(|(name, content)| (name, *content)))?.sync();
        let listed = || -> Vec<_> {
            let entries = std::fs::read_dir(folder.path()).expect("listed");
            entries.flatten().map(|entry| entry.file_name()).collect()
        };
        drop(steps().expect("staged"));
        assert_eq!(listed(), ["gone"]);
        steps().expect("staged").take().expect("taken");
        assert_eq!(listed(), ["new"]);
    }
}
