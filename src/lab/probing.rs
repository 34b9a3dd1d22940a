//! Probes a load: one run of a program under it, and what came of that.

use super::Lab;
use super::catalogue::Entry;
use super::classify::{self, Classified, Terms, classify};
use super::demand::Demand;
use super::observe::Watch;
use super::program::Job;
use super::searching::Attempt;
use crate::bench::contract::RunMode;
use crate::failure::{Failure, FailureKind};
use crate::model::metric::MetricValues;
use crate::model::search::ProbeOutcome;
use crate::sys::clock;
use crate::sys::ended::{EndedByUs, Exit};
use crate::sys::slot::Slot;
use std::path::Path;
use std::time::{Duration, Instant};

/// A probe gets this many times what it was asked for before it is ended.
const PATIENCE: u32 = 2;

/// What all probes of a search have in common.
#[derive(Debug, Clone, Copy)]
pub struct Probing<'a> {
    /// The program.
    pub entry: &'a Entry,
    /// What is asked of it, but for load and length.
    pub demand: &'a Demand,
    /// The right to measure.
    pub slot: &'a Slot,
    /// Where its output goes.
    pub folder: &'a Path,
    /// What must hold.
    pub terms: &'a Terms<'a>,
}

impl Lab<'_> {
    /// Probes the load `value`, as the program is told it, for `measured`. Output goes to a file called
    /// `name`.
    ///
    /// # Errors
    /// A signal, and a condition that nothing decides. A program that cannot be started is a probe that could
    /// not be made.
    pub fn probe(
        &mut self,
        probing: &Probing<'_>,
        value: &str,
        measured: Duration,
        name: &str,
    ) -> Result<Attempt, Failure> {
        let started = Instant::now();
        let demand = Demand { parameter: Some(value.to_owned()), ..probing.demand.clone() };
        let attempt = |classified, metrics, killed| Attempt {
            classified,
            metrics,
            duration_s: started.elapsed().as_secs_f64(),
            killed,
            ended_at: clock::now_rfc3339(),
        };
        let job = Job::new(probing.entry, &demand, probing.slot, probing.folder)?;
        let mode = RunMode::Duration { measured, warm_up: job.warm_up };
        let usual = PATIENCE * (measured + job.warm_up.unwrap_or_default());
        let deadline = self.timeout.unwrap_or(usual);
        let ran = match self.start_program(&job, mode, name, deadline, &mut Watch::start()) {
            Ok(ran) => ran,
            Err(failure) if matches!(failure.kind, FailureKind::Environment | FailureKind::Benchmark) => {
                let classified =
                    Classified { outcome: ProbeOutcome::InfraError, reason: failure.message, excess: None };
                return Ok(attempt(classified, MetricValues::default(), false));
            }
            Err(failure) => return Err(failure),
        };
        let found = ran.printed.into_found(&probing.entry.benchmark.name.to_string());
        let timed_out = ran.ended.ended_by_us == Some(EndedByUs::Deadline);
        let seen = classify::Seen {
            // Every value of a parameter is a decimal.
            param: value.parse().unwrap_or(f64::NAN),
            exit: ran.ended.exit,
            timed_out,
            metrics: found.as_ref().map(|found| &found.values),
            measured_s: ran.fork.measured_s,
            asked_s: measured.as_secs_f64(),
        };
        let classified = classify(&seen, probing.terms)?;
        let killed = !timed_out && ran.ended.exit == Exit::Signal(libc::SIGKILL);
        Ok(attempt(classified, found.map(|found| found.values).unwrap_or_default(), killed))
    }
}
