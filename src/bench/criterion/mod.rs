//! The adapter for criterion: what to ask a bench executable, and how to read what it answers.
//!
//! A criterion executable talks with a runner over a socket when one is named in its environment. That
//! conversation gives raw samples, the settings as they were resolved, and exact ids; the files that
//! criterion writes otherwise are the fall-back.

pub mod arguments;
pub mod conversation;
pub mod files;
pub mod listing;
pub mod protocol;

use crate::model::bench::Throughput;
use crate::model::samples::{Samples, Sampling};
use std::time::Duration;

/// One benchmark as one process measured it.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The full id.
    pub id: String,
    /// Raw samples.
    pub samples: Samples,
    /// How iterations were spread.
    pub sampling: Sampling,
    /// The unit of the totals.
    pub unit: String,
    /// What one iteration processes.
    pub throughput: Vec<Throughput>,
    /// What is known only when the process was heard live.
    pub live: Option<Live>,
}

/// What a live conversation tells beside the samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// From the start of the process until the benchmark began: start-up and set-up code.
    pub before: Duration,
    /// Wall time of the warm-up.
    pub warm_up: Duration,
    /// Wall time from the first to the end of the last sample, set-up between samples included.
    pub measuring: Duration,
    /// The settings in force, after the bench's own overrides.
    pub resolved: Resolved,
}

/// The settings of a benchmark after all overrides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resolved {
    /// Time to measure.
    pub measurement_time: Duration,
    /// Time to warm up.
    pub warm_up_time: Duration,
    /// Samples to take.
    pub sample_size: u32,
}
