//! From the benchmark to the program: one file, written whole or not at all.

use super::{FILE, PROTOCOL, Report, ReportError};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Where a benchmark reports to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    file: PathBuf,
}

impl Channel {
    /// The channel that the environment of this process names, if `cargo perf` started it.
    ///
    /// # Errors
    /// A version that is not understood, or is none.
    pub fn from_env() -> Result<Option<Self>, ReportError> {
        Self::read(|name| std::env::var_os(name))
    }

    /// The channel that `lookup` holds, which maps the name of a variable to its value.
    ///
    /// # Errors
    /// A version that is not understood, or is none.
    pub fn read(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Option<Self>, ReportError> {
        let Some(version) = lookup(PROTOCOL) else { return Ok(None) };
        version.to_string_lossy().parse::<super::Protocol>()?.accept_runner()?;
        Ok(lookup(FILE).filter(|path| !path.is_empty()).map(|path| Self { file: path.into() }))
    }

    /// Writes the report. A reader finds it whole, or does not find it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, report: &Report) -> Result<(), ReportError> {
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        let unfinished = self.file.with_file_name(format!(".{name}.{}", std::process::id()));
        let written =
            write_new(&unfinished, &report.to_json()).and_then(|()| fs::rename(&unfinished, &self.file));
        written.map_err(|error| {
            // It may not even have been made.
            let _ = fs::remove_file(&unfinished);
            ReportError::File { message: format!("{}: {error}", self.file.display()) }
        })
    }
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(text.as_bytes())
}
