//! The state files as they are on disk.

use crate::failure::{Context, Failure, FailureKind};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Names that begin like this belong to a write that is under way.
const UNDER_WAY: [&str; 3] = [".journal", ".cargo-perf-", ".tmp"];

/// The content of a file, and what the system says of the same file.
pub(in crate::git) struct Content {
    /// All of its bytes.
    pub bytes: Vec<u8>,
    /// Taken from the open file before it was read.
    pub metadata: Metadata,
}

/// The regular files below `folder`, relative to it and sorted; none when it does not exist.
///
/// Symbolic links are not followed and not listed, and neither is what is being written, nor what lies
/// in a repository of its own.
pub(in crate::git) fn list(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(inner) = open.pop() {
        let path = folder.join(&inner);
        let failed = || format!("{} cannot be read", path.display());
        let entries = match fs::read_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.context(FailureKind::Environment, failed)?,
        };
        for entry in entries {
            let entry = entry.context(FailureKind::Environment, failed)?;
            let name = entry.file_name();
            let shown = name.to_string_lossy();
            if UNDER_WAY.iter().any(|start| shown.starts_with(start)) {
                continue;
            }
            let kind = entry.file_type().context(FailureKind::Environment, failed)?;
            if kind.is_file() {
                found.push(inner.join(&name));
            } else if kind.is_dir() && fs::symlink_metadata(entry.path().join(".git")).is_err() {
                open.push(inner.join(&name));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The content of a regular file; `None` when it is gone or has become something else.
pub(in crate::git) fn read(path: &Path) -> Result<Option<Content>, Failure> {
    let Some(file) = open(path)? else { return Ok(None) };
    let failed = || format!("{} cannot be read", path.display());
    let metadata = file.metadata().context(FailureKind::Environment, failed)?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let mut reader = file;
    reader.read_to_end(&mut bytes).context(FailureKind::Environment, failed)?;
    Ok(Some(Content { bytes, metadata }))
}

/// Opens without following a link and without waiting for the other end of a pipe.
fn open(path: &Path) -> Result<Option<File>, Failure> {
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path);
    match opened {
        Ok(file) => Ok(Some(file)),
        Err(error)
            if error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ELOOP) =>
        {
            Ok(None)
        }
        Err(error) => {
            Err(error).context(FailureKind::Environment, || format!("{} cannot be read", path.display()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::files::write_atomic;
    use std::os::unix::fs::symlink;

    #[test]
    fn s47_what_is_under_way_and_what_is_linked_is_not_listed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let state = folder.path().join("state");
        assert_eq!(list(&state).expect("listed"), Vec::<PathBuf>::new());
        let files = [
            "b.json",
            "a/c.md",
            ".journal",
            ".journal.d/x",
            ".tmpAb12",
            "a/.cargo-perf-1",
            "own/.git/HEAD",
            "own/x",
        ];
        for file in files {
            write_atomic(&state.join(file), b"x").expect("written");
        }
        write_atomic(&folder.path().join("secret"), b"x").expect("written");
        symlink("../secret", state.join("link")).expect("linked");
        symlink("..", state.join("folder")).expect("linked");
        assert_eq!(list(&state).expect("listed"), [PathBuf::from("a/c.md"), "b.json".into()]);
        assert!(read(&state.join("link")).expect("no failure").is_none());
        assert!(read(&state.join("missing")).expect("no failure").is_none());
        assert_eq!(read(&state.join("b.json")).expect("read").expect("there").bytes, b"x");
    }
}
