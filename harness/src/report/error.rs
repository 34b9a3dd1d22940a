//! Why a report is not written, or not read.

use super::{PROTOCOL, Protocol};
use std::fmt;

/// Why a report is not written, or not read. Each is one line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportError {
    /// The variable that holds the version holds something else.
    Variable {
        /// What it holds.
        found: String,
    },
    /// The two sides do not understand each other.
    Protocol {
        /// What `cargo perf` speaks.
        runner: Protocol,
        /// What the benchmark speaks.
        harness: Protocol,
    },
    /// A document is no report.
    Document {
        /// What is wrong with it.
        message: String,
    },
    /// The file cannot be written.
    File {
        /// Which, and why.
        message: String,
    },
}

impl ReportError {
    pub(super) fn document(message: impl Into<String>) -> Self {
        Self::Document { message: message.into() }
    }
}

impl fmt::Display for ReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable { found } => {
                write!(f, "{PROTOCOL} is {found:?}, expected a version such as `{}`", Protocol::CURRENT)
            }
            Self::Protocol { runner, harness } => {
                let upgrade = if runner.major > harness.major {
                    "upgrade perf-harness: cargo update -p perf-harness"
                } else {
                    "upgrade cargo perf: cargo install cargo-perf-lab"
                };
                write!(f, "cargo perf speaks protocol {runner} and perf-harness {harness}; {upgrade}")
            }
            Self::Document { message } => write!(f, "the report of the benchmark is damaged: {message}"),
            Self::File { message } => write!(f, "the report cannot be written: {message}"),
        }
    }
}

impl std::error::Error for ReportError {}
