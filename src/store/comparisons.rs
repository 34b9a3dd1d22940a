//! The document of a comparison, beside its traces or wherever somebody has put it.

use super::packed;
use crate::failure::{Context, Failure, FailureKind};
use crate::model::comparison::{Comparison, SCHEMA};
use crate::model::format::CURRENT;
use crate::sys::files;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// The name of the document in the folder of a run.
const FILE: &str = "comparison.json";

/// Whether the run in `folder` has stored its comparison.
pub fn is_complete(folder: &Path) -> bool {
    folder.join(FILE).exists()
}

/// Writes `comparison` into the folder of its run; returns where it is, and its bytes.
///
/// # Errors
/// `Environment` when it cannot be written.
pub fn save(folder: &Path, comparison: &Comparison) -> Result<(PathBuf, Vec<u8>), Failure> {
    let path = folder.join(FILE);
    let mut bytes = serde_json::to_vec(comparison)
        .context(FailureKind::Bug, || "a comparison cannot be coded".to_owned())?;
    bytes.push(b'\n');
    files::write_atomic(&path, &bytes)?;
    Ok((path, bytes))
}

/// Reads a comparison from `path`, the document or the folder that holds it.
///
/// # Errors
/// `Usage` when there is none; `State` when it is damaged or newer than this program. It is never touched.
pub fn load(path: &Path) -> Result<Comparison, Failure> {
    let file = if path.is_dir() { path.join(FILE) } else { path.to_path_buf() };
    let shown = file.display().to_string();
    let bytes = fs::read(&file)
        .context(FailureKind::Usage, || format!("{shown} cannot be read"))
        .map_err(|failure| failure.hint("name the comparison.json that `cargo perf compare` has stored"))?;
    parse(&bytes, &shown)
}

/// Reads a comparison that is called `shown`, packed or not.
///
/// # Errors
/// `State` when it is damaged or newer than this program.
pub fn parse(bytes: &[u8], shown: &str) -> Result<Comparison, Failure> {
    let damaged = |why: String| Failure::state(format!("{shown} is no comparison: {why}"));
    let text = packed::unpack(bytes, shown)?;
    let value: Value = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
    if value.get("schema").and_then(Value::as_str) != Some(SCHEMA) {
        return Err(damaged(format!("its schema is not {SCHEMA}")));
    }
    let major = value.pointer("/schema_version/major").and_then(Value::as_u64);
    if major.is_some_and(|major| major > u64::from(CURRENT.major)) {
        return Err(Failure::state(format!("{shown} was written by a newer version of this program"))
            .hint("update with `cargo install cargo-perf-lab`"));
    }
    serde_json::from_value(value).map_err(|error| damaged(error.to_string()))
}
