//! External benchmarks: commands that are no benches of a cargo workspace.

use super::load::LoadTerms;
use super::metric::MetricSpec;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// A command that measures something and prints its metrics.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct External {
    /// How `--filter` names it.
    pub id: String,
    /// The program and its arguments; never empty.
    pub argv: Vec<String>,
    /// Where it runs.
    pub directory: PathBuf,
    /// Variables set for it.
    pub env: BTreeMap<String, String>,
    /// What is declared of its metrics, by name.
    pub metrics: BTreeMap<String, MetricSpec>,
    /// Warm-up that it is asked for inside each measured run, on top of the duration.
    pub warm_up: Option<Duration>,
    /// What is declared of its load.
    pub load: LoadTerms,
}
