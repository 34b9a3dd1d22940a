//! Paths that differ from what is checked out, and what they hold.

use crate::failure::{Context, Failure, FailureKind};
use crate::sys::files;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A file with this name marks a folder that can be made anew, such as cargo's target.
const TAG: &str = "CACHEDIR.TAG";
/// How such a file begins, see <https://bford.info/cachedir>.
const SIGNATURE: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";

/// A path that differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::git) struct Dirty {
    path: Vec<u8>,
    untracked: bool,
}

impl Dirty {
    /// A path relative to the work tree, as git writes it.
    pub fn new(path: &[u8], untracked: bool) -> Self {
        // A repository in an untracked folder is reported as that folder.
        Self { path: path.strip_suffix(b"/").unwrap_or(path).to_vec(), untracked }
    }

    /// The path relative to the work tree.
    pub fn path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.path))
    }

    /// The path as git writes it.
    pub fn bytes(&self) -> &[u8] {
        &self.path
    }
}

/// Whether `path` is `folder` or lies in it.
pub(in crate::git) fn is_below(path: &[u8], folder: &[u8]) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// Sorts the paths, and leaves out state and untracked files that can be made anew.
pub(in crate::git) fn keep_sources(dirty: &mut Vec<Dirty>, work_tree: &Path, state: &Path) {
    let mut tagged = BTreeMap::new();
    dirty.retain(|dirty| {
        if work_tree.join(dirty.path()).starts_with(state) {
            return false;
        }
        // The work tree itself is no cache, whatever lies in it.
        let folders = dirty.path().ancestors().filter(|folder| !folder.as_os_str().is_empty());
        let is_cache = |folder: &Path| {
            *tagged.entry(folder.to_path_buf()).or_insert_with(|| has_tag(&work_tree.join(folder)))
        };
        !(dirty.untracked && folders.into_iter().any(is_cache))
    });
    dirty.sort();
    dirty.dedup();
}

fn has_tag(folder: &Path) -> bool {
    let mut begin = Vec::new();
    let length = SIGNATURE.len() as u64;
    let read = fs::File::open(folder.join(TAG)).and_then(|file| file.take(length).read_to_end(&mut begin));
    read.is_ok() && begin == SIGNATURE
}

/// What a path holds, in a form that is equal for equal content.
///
/// # Errors
/// `Environment` when a file is there and cannot be read.
pub(in crate::git) fn content(path: &Path) -> Result<String, Failure> {
    let failed = || format!("{} cannot be read", path.display());
    let found = match fs::symlink_metadata(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok("missing".to_owned());
        }
        found => found.context(FailureKind::Environment, failed)?,
    };
    if found.is_symlink() {
        let target = fs::read_link(path).context(FailureKind::Environment, failed)?;
        return Ok(format!("link {}", files::sha256_bytes(target.as_os_str().as_bytes())));
    }
    if !found.is_file() {
        return Ok("other".to_owned());
    }
    let executable = if found.permissions().mode() & 0o100 == 0 { "plain" } else { "executable" };
    Ok(format!("{executable} {}", files::sha256(path)?))
}

/// The commit and the paths of `git status --porcelain=v2 -z --branch`.
pub(in crate::git) fn parse(said: &[u8]) -> (Option<String>, Vec<Dirty>) {
    let mut commit = None;
    let mut dirty = Vec::new();
    let mut records = said.split(|byte| *byte == 0);
    while let Some(record) = records.next() {
        let path_after = |fields: usize| record.splitn(fields + 1, |byte| *byte == b' ').nth(fields);
        let path = match record.first() {
            Some(b'#') => {
                let oid = record.strip_prefix(b"# branch.oid ").filter(|oid| *oid != b"(initial)");
                commit = commit.or_else(|| Some(String::from_utf8_lossy(oid?).into_owned()));
                continue;
            }
            Some(b'1') => path_after(8),
            Some(b'u') => path_after(10),
            // Only these have a second path, from which the file was renamed.
            Some(b'2') => {
                dirty.extend(records.next().map(|from| Dirty::new(from, false)));
                path_after(9)
            }
            Some(b'?') => path_after(1),
            _ => continue,
        };
        dirty.extend(path.map(|path| Dirty::new(path, record[0] == b'?')));
    }
    (commit, dirty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_every_kind_of_record_is_read() {
        let said = b"# branch.oid abc\0# branch.head main\0\
            1 .M N... 100644 100644 100644 a b with space\0\
            2 R. N... 100644 100644 100644 a b R100 to\0from\0\
            u UU N... 100644 100644 100644 100644 a b c both\0\
            ? new/x\0? own/\0";
        let (commit, dirty) = parse(said);
        assert_eq!(commit.as_deref(), Some("abc"));
        let expected = [
            ("with space", false),
            ("from", false),
            ("to", false),
            ("both", false),
            ("new/x", true),
            ("own", true),
        ];
        assert_eq!(dirty, expected.map(|(path, untracked)| Dirty::new(path.as_bytes(), untracked)));
        assert_eq!(parse(b"# branch.oid (initial)\0"), (None, Vec::new()));
    }

    #[test]
    fn x09_a_folder_with_a_longer_name_is_not_the_state_folder() {
        assert!(is_below(b"a/perf", b"a/perf") && is_below(b"a/perf/x", b"a/perf"));
        assert!(!is_below(b"a/perfect", b"a/perf") && !is_below(b"a", b"a/perf"));
    }
}
