//! What a run leaves on disk while it goes on, so that an interrupted one loses nothing.

use crate::failure::{Context, Failure, FailureKind};
use crate::model::baseline::Fork;
use crate::model::comparison::Pair;
use serde::Serialize;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Where the traces of a repeated series go.
pub fn attempt_folder(folder: &Path, earlier: usize) -> PathBuf {
    if earlier == 0 { folder.to_path_buf() } else { folder.join(format!("again-{earlier}")) }
}

/// Appends the newest fork to the run's own record.
pub fn keep_line(folder: &Path, fork: Option<&Fork>) -> Result<(), Failure> {
    append(folder, "forks.jsonl", &fork)
}

/// Appends the newest pair to the run's own record.
pub fn keep_pair(folder: &Path, pair: &Pair) -> Result<(), Failure> {
    append(folder, "pairs.jsonl", pair)
}

fn append(folder: &Path, name: &str, entry: &impl Serialize) -> Result<(), Failure> {
    let what = || format!("{} cannot be written", folder.join(name).display());
    fs::create_dir_all(folder).context(FailureKind::Environment, what)?;
    let mut file: File = File::options()
        .create(true)
        .append(true)
        .open(folder.join(name))
        .context(FailureKind::Environment, what)?;
    let mut line = serde_json::to_vec(entry).context(FailureKind::Bug, what)?;
    line.push(b'\n');
    file.write_all(&line).context(FailureKind::Environment, what)
}
