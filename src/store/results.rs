//! Files of results that the state names: read only when they are what was stored.

use super::layout::Layout;
use crate::failure::{Context, Failure, FailureKind};
use crate::model::record::ResultFile;
use crate::sys::files;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// The names of files in a folder of the state; none without it.
///
/// # Errors
/// `Environment` when it cannot be read.
pub fn names(layout: &Layout, folder: &str) -> Result<Vec<String>, Failure> {
    let unread = || format!("{folder} of the state cannot be read");
    let entries = match fs::read_dir(layout.folder.join(folder)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.context(FailureKind::Environment, unread)?,
    };
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    entries.map(|entry| entry.map(name).context(FailureKind::Environment, unread)).collect()
}

/// The content of `file`, below `root`.
///
/// # Errors
/// `State` when it is gone or was changed since; `Environment` when it cannot be read.
pub fn read(root: &Path, file: &ResultFile) -> Result<Vec<u8>, Failure> {
    let shown = &file.path;
    let bytes = match fs::read(root.join(shown)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Failure::state(format!("{shown} is gone")).hint("restore it from version control"));
        }
        Err(error) => {
            return Err(error).context(FailureKind::Environment, || format!("{shown} cannot be read"));
        }
    };
    if files::sha256_bytes(&bytes) == file.sha256 {
        return Ok(bytes);
    }
    Err(Failure::state(format!("{shown} is not what was stored")).hint("restore it from version control"))
}
