//! What one fork is asked for and what it gives: the words that all adapters share.

use crate::model::bench::Throughput;
use crate::model::samples::{Samples, Sampling};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What one fork is to do. Settings of the bench itself may override it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ForkRequest {
    /// Time to measure.
    pub measured: Duration,
    /// Time to warm up.
    pub warm_up: Duration,
    /// Samples to take, at least ten.
    pub samples: u32,
}

/// One benchmark as one process measured it.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The full id.
    pub id: String,
    /// The values per iteration, in whatever detail the harness gives.
    pub values: Values,
    /// The unit of the values.
    pub unit: String,
    /// What one iteration processes.
    pub throughput: Vec<Throughput>,
    /// What the harness tells about the course of the fork.
    pub live: Option<Live>,
}

/// The values of a fork.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Every sample.
    Samples {
        /// Raw samples.
        samples: Samples,
        /// How iterations were spread.
        sampling: Sampling,
    },
    /// A row of a table.
    Table(Row),
    /// One median of measurements whose number is not told.
    Median(f64),
}

/// A row of a harness that prints a summary only. All values are per iteration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// Smallest sample.
    pub fastest: f64,
    /// Median over samples.
    pub median: f64,
    /// Mean over samples.
    pub mean: f64,
    /// Samples.
    pub samples: u64,
    /// Iterations over all samples.
    pub iterations: u64,
}

/// What a harness tells beside its values.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// From the start of the process until the benchmark began: start-up and set-up code.
    pub before: Duration,
    /// Wall time of the warm-up.
    pub warm_up: Duration,
    /// Wall time from the first to the end of the last sample, set-up between samples included.
    pub measuring: Duration,
    /// The settings in force, after the bench's own overrides, when they are told.
    pub resolved: Option<ForkRequest>,
}

/// Whether two settings of time differ: arguments carry microseconds, so less is rounding.
pub fn differ(a: Duration, b: Duration) -> bool {
    a.abs_diff(b) > Duration::from_micros(1)
}

impl Values {
    /// Iterations over all samples, when they are told.
    pub fn iterations(&self) -> Option<u64> {
        match self {
            Self::Samples { samples, .. } => Some(samples.iteration_count()),
            Self::Table(row) => Some(row.iterations),
            Self::Median(_) => None,
        }
    }

    /// Samples, when they are told.
    pub fn count(&self) -> Option<u64> {
        match self {
            Self::Samples { samples, .. } => Some(samples.totals.len() as u64),
            Self::Table(row) => Some(row.samples),
            Self::Median(_) => None,
        }
    }

    /// The sum of all samples, when it is told or follows from mean and count.
    pub fn sum(&self) -> Option<f64> {
        match self {
            Self::Samples { samples, .. } => Some(samples.sum()),
            Self::Table(row) => Some(row.mean * row.iterations as f64),
            Self::Median(_) => None,
        }
    }
}
