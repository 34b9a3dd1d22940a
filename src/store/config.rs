//! `perf.toml`, the configuration at the root. Everything in it also has a flag.

use crate::failure::{Context, Failure, FailureKind};
use serde::Deserialize;
use std::fs;
use std::path::Path;

/// The name of the file.
pub const FILE: &str = "perf.toml";

/// What the file may say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The folder that holds `perf/`, relative to the root or absolute; also `--state-dir`.
    pub state_dir: Option<String>,
}

/// Reads the configuration at `root`; a missing file configures nothing.
///
/// # Errors
/// `Usage`, with line and column, for a file that cannot be understood.
pub fn read(root: &Path) -> Result<Config, Failure> {
    let path = root.join(FILE);
    if !path.exists() {
        return Ok(Config::default());
    }
    let text = fs::read_to_string(&path).context(FailureKind::Usage, || format!("{FILE} cannot be read"))?;
    toml::from_str(&text).map_err(|error| {
        let (line, column) = position(&text, error.span().map_or(0, |span| span.start));
        Failure::usage(format!("{FILE}:{line}:{column}: {}", error.message()))
            .hint("the keys are described in docs/configuration.md")
    })
}

/// Line and column of a byte, both from 1.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::files::write_atomic;

    fn failure_of(text: &str) -> String {
        let root = tempfile::tempdir().expect("a temporary folder");
        write_atomic(&root.path().join(FILE), text.as_bytes()).expect("written");
        read(root.path()).expect_err("refused").message
    }

    #[test]
    fn errors_name_line_and_column() {
        assert!(failure_of("# é\nstate-dir = 5\n").starts_with("perf.toml:2:13: "));
        assert!(failure_of("\n  state_dir = 'x'\n").starts_with("perf.toml:2:3: unknown field `state_dir`"));
        assert!(failure_of("state-dir = \n").starts_with("perf.toml:1:13: "));
    }

    #[test]
    fn no_file_configures_nothing() {
        let root = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(read(root.path()).expect("read"), Config::default());
    }
}
