//! What is asked of each benchmark, checked before anything is started.

use crate::model::duration::RunDuration;
use crate::model::metric::{Aggregate, MetricSpec};
use std::collections::BTreeMap;

/// What is asked of a benchmark.
#[derive(Debug, Clone)]
pub struct Demand {
    /// How long it is measured.
    pub duration: RunDuration,
    /// Runs from start to end instead, for programs that compute their metrics themselves.
    pub runs: Option<(u32, Aggregate)>,
    /// The load, as the benchmark is told.
    pub parameter: Option<String>,
    /// What the configuration declares of the metrics of all benchmarks, by name.
    pub metrics: BTreeMap<String, MetricSpec>,
    /// What is declared for this measurement alone; it wins, and each name must be printed.
    pub named_metrics: BTreeMap<String, MetricSpec>,
    /// Whether a series that disagrees with itself counts all the same.
    pub noise_accepted: bool,
}
