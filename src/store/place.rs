//! Names of files in the state folder, which can lead nowhere else, and what stands in their places.
//!
//! A journal comes from disk, and with a cloned repository from somebody else; what it names is held to
//! the same rules as what this program names.

use super::journal;
use crate::failure::Failure;
use crate::sys::{files, regular};
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// The name of a file, relative to the state folder, with forward slashes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// Takes a name that stays below the folder and is none that transactions use themselves.
    ///
    /// # Errors
    /// What is wrong with it, in a few words.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        let path = Path::new(text);
        if text.is_empty() || text.contains('\0') {
            return Err("it is empty or holds a NUL");
        }
        if !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err("it leads out of the folder");
        }
        // Else two names could mean one file.
        if path.components().collect::<PathBuf>().as_os_str() != text {
            return Err("it is not written in the shortest way");
        }
        let reserved = |part: Component<'_>| {
            let part = part.as_os_str();
            part == journal::FILE || files::is_temporary(part)
        };
        if path.components().any(reserved) {
            return Err("it is a name of the journal or of temporary files");
        }
        Ok(Self(text.to_owned()))
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The file, when `folder` is the state folder.
    pub fn within(&self, folder: &Path) -> PathBuf {
        folder.join(&self.0)
    }

    /// Makes sure that a file stands or can stand there, in folders that are no links.
    ///
    /// # Errors
    /// `State` when something else stands in the place of the file or of a folder above it.
    pub fn check(&self, folder: &Path) -> Result<(), Failure> {
        self.check_folders(folder)?;
        let path = self.within(folder);
        match regular::kind(&path)? {
            Some(kind) if !kind.is_file() => Err(regular::refused(&path, kind, "a file")),
            _ => Ok(()),
        }
    }

    /// The content of the file; none when there is none.
    ///
    /// # Errors
    /// As [`Name::check`], and `State` when it cannot be read.
    pub fn read(&self, folder: &Path) -> Result<Option<Vec<u8>>, Failure> {
        self.check_folders(folder)?;
        regular::read(&self.within(folder))
    }

    /// The SHA-256 of the file's content; none when there is no file.
    ///
    /// # Errors
    /// As [`Name::read`].
    pub fn sha256(&self, folder: &Path) -> Result<Option<String>, Failure> {
        self.check_folders(folder)?;
        regular::sha256(&self.within(folder))
    }

    fn check_folders(&self, folder: &Path) -> Result<(), Failure> {
        let above: Vec<&Path> = Path::new(&self.0).ancestors().skip(1).collect();
        // The last one is the state folder itself.
        for part in above.iter().rev().skip(1) {
            let path = folder.join(part);
            match regular::kind(&path)? {
                Some(kind) if !kind.is_dir() => return Err(regular::refused(&path, kind, "a folder")),
                _ => {}
            }
        }
        Ok(())
    }
}

/// A name that occurs twice, or is a folder of another: both cannot be files at once.
pub fn overlap<'n>(names: &(impl Iterator<Item = &'n Name> + Clone)) -> Option<&'n str> {
    let mut seen = BTreeSet::new();
    let twice = names.clone().find(|name| !seen.insert(name.as_str()));
    let above = |name: &'n Name| {
        Path::new(name.as_str()).ancestors().skip(1).find_map(|above| seen.get(above.to_str()?))
    };
    twice.map(Name::as_str).or_else(|| names.clone().find_map(above).copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_in_the_folder_and_out_of_what_transactions_use() {
        for good in ["a", "a/b.md", "baselines/v1.json", "..a", "a..b/c", "ü"] {
            assert!(Name::new(good).is_ok(), "{good}");
        }
        let bad = [
            "",
            ".",
            "..",
            "/a",
            "a/../b",
            "../a",
            "a/..",
            "a//b",
            "a/",
            "a/./b",
            "./a",
            "a\0b",
            ".journal.json",
            "x/.journal.json",
            ".cargo-perf-abcdef.tmp",
            "x/.cargo-perf-abcdef.tmp",
        ];
        for bad in bad {
            assert!(Name::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn files_that_cannot_all_exist_are_found() {
        let overlap = |names: &[&str]| {
            let names: Vec<Name> = names.iter().map(|name| Name::new(name).expect("a name")).collect();
            overlap(&names.iter()).map(str::to_owned)
        };
        assert_eq!(overlap(&["a", "b/a", "b/c", "ab/c"]), None);
        assert_eq!(overlap(&["a", "b", "a"]).as_deref(), Some("a"));
        assert_eq!(overlap(&["b/c/d", "b"]).as_deref(), Some("b"));
    }
}
