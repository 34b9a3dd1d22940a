//! What a run leaves on disk while it goes on, so that an interrupted one loses nothing.

use crate::failure::{Context, Failure, FailureKind};
use crate::model::baseline::{Accounting, Fork};
use crate::model::comparison::Pair;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The record of pairs.
const PAIRS: &str = "pairs.jsonl";

/// A pair as it is kept until its series is complete.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptPair {
    /// The unit of its samples, where there are any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unit: Option<String>,
    /// How its measured time is known.
    pub accounting: Accounting,
    /// The pair.
    #[serde(flatten)]
    pub pair: Pair,
}

/// Where the traces of a repeated series go.
pub fn attempt_folder(folder: &Path, earlier: usize) -> PathBuf {
    if earlier == 0 { folder.to_path_buf() } else { folder.join(format!("again-{earlier}")) }
}

/// Appends the newest fork to the run's own record.
pub fn keep_line(folder: &Path, fork: Option<&Fork>) -> Result<(), Failure> {
    append(folder, "forks.jsonl", &fork)
}

/// Appends the newest pair to the run's own record.
pub fn keep_pair(folder: &Path, pair: &KeptPair) -> Result<(), Failure> {
    append(folder, PAIRS, pair)
}

/// The pairs that a run has kept in `folder` before it ended. A last line that was not written to its end is
/// taken away, so that the next one begins a line of its own.
///
/// # Errors
/// `State` for a line that is no pair; `Environment` when the record cannot be read.
pub fn kept_pairs(folder: &Path) -> Result<VecDeque<KeptPair>, Failure> {
    let path = folder.join(PAIRS);
    let what = || format!("{} cannot be read", path.display());
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(VecDeque::new()),
        Err(error) => return Err(error).context(FailureKind::Environment, what),
    };
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    if whole < bytes.len() {
        let file = File::options().write(true).open(&path).context(FailureKind::Environment, what)?;
        file.set_len(whole as u64).context(FailureKind::Environment, what)?;
    }
    let damaged = |number: usize| {
        Failure::state(format!("line {} of {} is no pair", number + 1, path.display()))
            .hint("leave --resume away to measure from the beginning")
    };
    let lines = bytes[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let pair = |(number, line)| serde_json::from_slice(line).map_err(|_| damaged(number));
    lines.enumerate().map(pair).collect()
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
