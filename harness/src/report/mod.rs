//! The report of a benchmark to `cargo perf`: a file, because a file is exact where printed numbers
//! are rounded and mixed with what else is printed.
//!
//! `cargo perf` sets [`PROTOCOL`] and [`FILE`] in the environment of what it starts. A benchmark that
//! does not understand the version ends with an error, before it measures anything; otherwise it
//! writes the file at its end. Without the variable nobody listens, and nothing is written.
//!
//! ```json
//! {
//!   "protocol": {"major": 1, "minor": 0},
//!   "harness": "0.1.0",
//!   "run": {
//!     "mode": "duration", "parameter": null, "warm_up_ns": 10000000123, "started_ns": 10004200000,
//!     "unit": "ns", "samples": {"iterations": [1000, 1000], "totals": [301250000, 300870000]}
//!   },
//!   "allocations": {"samples": [[2000, 64000], [2000, 64000]]},
//!   "metrics": {"mean_ns": 301060},
//!   "left_out": {}
//! }
//! ```

mod channel;
mod document;
mod error;
mod protocol;

pub use channel::Channel;
pub use error::ReportError;
pub use protocol::Protocol;

use crate::allocations::Counts;
use std::collections::BTreeMap;

/// Holds the version of the protocol that `cargo perf` speaks.
pub const PROTOCOL: &str = "PERF_PROTOCOL";
/// Holds the path of the file that the report is written to.
pub const FILE: &str = "PERF_REPORT_FILE";

/// What one process measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The version of the protocol that the benchmark speaks.
    pub protocol: Protocol,
    /// The version of this crate in the benchmark.
    pub harness: String,
    /// The samples of the work; null when another harness measured.
    pub run: Option<Measured>,
    /// Counts of allocations; null when nothing counts them.
    pub allocations: Option<Allocations>,
    /// Metrics by name.
    pub metrics: BTreeMap<String, f64>,
    /// Metrics that the benchmark has and could not tell this time, each with why in a line.
    pub left_out: BTreeMap<String, String>,
}

impl Report {
    /// A report of this process that says nothing yet.
    pub fn new() -> Self {
        Self {
            protocol: Protocol::CURRENT,
            harness: env!("CARGO_PKG_VERSION").to_owned(),
            run: None,
            allocations: None,
            metrics: BTreeMap::new(),
            left_out: BTreeMap::new(),
        }
    }
}

impl Default for Report {
    fn default() -> Self {
        Self::new()
    }
}

/// The samples of a run. Sample `i` is `iterations[i]` calls of the work that took `totals[i]` ns.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// How the run ended.
    pub mode: Ran,
    /// The load, when one was chosen.
    pub parameter: Option<f64>,
    /// Nanoseconds of warm-up.
    pub warm_up_ns: u64,
    /// Nanoseconds from the start of the run, which is where the environment is read, to the first
    /// sample: set-up and warm-up.
    pub started_ns: Option<u64>,
    /// Calls of the work, by sample; never zero.
    pub iterations: Vec<u64>,
    /// Nanoseconds, by sample.
    pub totals: Vec<u64>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ran {
    /// When the time was reached.
    Duration,
    /// After one call of the work.
    Oneshot,
}

impl Ran {
    /// The name in reports and in `PERF_RUN_MODE`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Duration => "duration",
            Self::Oneshot => "oneshot",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Duration, Self::Oneshot].into_iter().find(|mode| mode.name() == name)
    }
}

/// What the measuring thread allocated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allocations {
    /// The counts of each sample, over all of its iterations, in the order of measuring. Null where the
    /// benchmark took the time by itself, so that nobody knows when to count.
    pub samples: Vec<Option<Counts>>,
}

#[cfg(test)]
mod tests;
