//! Probes a load: one run of a benchmark under it, and what came of that.

use super::Lab;
use super::catalogue::{Entry, Program};
use super::classify::{self, Classified, Terms, classify};
use super::demand::Demand;
use super::fork::ForkOrder;
use super::observe::Watch;
use super::prepared::Prepared;
use super::program::Job;
use super::searching::Attempt;
use super::series::{Series, views_of};
use crate::bench::contract::RunMode;
use crate::bench::reading::ForkRequest;
use crate::condition::Condition;
use crate::failure::{Failure, FailureKind};
use crate::model::metric::MetricValues;
use crate::model::search::ProbeOutcome;
use crate::sys::clock;
use crate::sys::ended::{EndedByUs, Exit};
use crate::sys::slot::Slot;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// A probe gets this many times what it was asked for before it is ended,
const PATIENCE: u32 = 2;
/// and at least this much more, in which programs start and end.
const START: Duration = Duration::from_secs(10);
/// A probe of a bench warms up for this share of what it measures.
const WARM_UP_SHARE: u32 = 10;
/// Samples of a probe of a bench: as few as harnesses take, because each holds one iteration at least.
const SAMPLES: u32 = 10;
/// Output of one probe that may go to disk.
const LOG_LIMIT: u64 = 16 << 20;

/// What all probes of a search have in common.
#[derive(Debug, Clone, Copy)]
pub struct Probing<'a> {
    /// The benchmark.
    pub entry: &'a Entry,
    /// What is asked of it, but for load and length.
    pub demand: &'a Demand,
    /// A variable that holds the load, besides the one that always does.
    pub variable: Option<&'a str>,
    /// The right to measure.
    pub slot: &'a Slot,
    /// Where its output goes.
    pub folder: &'a Path,
    /// What must hold.
    pub terms: &'a Terms<'a>,
}

/// How long a run of `entry` takes that measures for `measured`, between its start and its end.
pub fn lasting(entry: &Entry, measured: Duration) -> Duration {
    let warm_up = match &entry.program {
        Program::External(external) => external.warm_up.unwrap_or_default(),
        Program::Bench(_) if entry.benchmark.harness.is_program() => Duration::ZERO,
        Program::Bench(_) => measured / WARM_UP_SHARE,
    };
    measured + warm_up
}

/// A run that has ended, with what it printed or why that is nothing.
struct Probed {
    exit: Exit,
    ended_by_us: Option<EndedByUs>,
    measured_s: f64,
    metrics: Result<MetricValues, Failure>,
    /// Metrics that it has and could not tell, each with why.
    left_out: BTreeMap<String, String>,
}

impl Lab<'_> {
    /// Probes the load `value`, as the benchmark is told it, for `measured`. Output goes to a file called
    /// `name`.
    ///
    /// # Errors
    /// A signal, and a condition that nothing decides. What cannot be started is a probe that could not be
    /// made.
    pub fn probe(
        &mut self,
        probing: &Probing<'_>,
        value: &str,
        measured: Duration,
        name: &str,
    ) -> Result<Attempt, Failure> {
        let started = Instant::now();
        let attempt = |classified, metrics, left_out, killed| Attempt {
            classified,
            metrics,
            left_out,
            duration_s: started.elapsed().as_secs_f64(),
            killed,
            ended_at: clock::now_rfc3339(),
        };
        let mut entry = probing.entry.clone();
        if let Some(variable) = probing.variable {
            entry.program.set_variable(variable, value);
        }
        let probing = Probing { entry: &entry, ..*probing };
        let run = match &entry.program {
            Program::Bench(prepared) if !entry.benchmark.harness.is_program() => {
                self.probe_bench(&probing, prepared, value, measured, name)
            }
            _ => self.probe_program(&probing, value, measured, name),
        };
        let run = match run {
            Ok(run) => run,
            Err(failure) if matches!(failure.kind, FailureKind::Environment | FailureKind::Benchmark) => {
                let classified =
                    Classified { outcome: ProbeOutcome::InfraError, reason: failure.message, excess: None };
                return Ok(attempt(classified, MetricValues::default(), BTreeMap::new(), false));
            }
            Err(failure) => return Err(failure),
        };
        let timed_out = run.ended_by_us == Some(EndedByUs::Deadline);
        let seen = classify::Seen {
            // Every value of a parameter is a decimal.
            param: value.parse().unwrap_or(f64::NAN),
            exit: run.exit,
            timed_out,
            metrics: run.metrics.as_ref(),
            measured_s: run.measured_s,
            asked_s: measured.as_secs_f64(),
        };
        let mut classified = classify(&seen, probing.terms)?;
        let needed = probing.terms.condition.map(Condition::names).unwrap_or_default();
        let left_out = needed.iter().find_map(|name| run.left_out.get(name));
        if let Some(why) = left_out.filter(|_| classified.outcome == ProbeOutcome::InfraError) {
            classified.reason.clone_from(why);
        }
        let killed = !timed_out && run.exit == Exit::Signal(libc::SIGKILL);
        Ok(attempt(classified, run.metrics.unwrap_or_default(), run.left_out, killed))
    }

    fn probe_program(
        &mut self,
        probing: &Probing<'_>,
        value: &str,
        measured: Duration,
        name: &str,
    ) -> Result<Probed, Failure> {
        let demand = Demand { parameter: Some(value.to_owned()), ..probing.demand.clone() };
        let job = Job::new(probing.entry, &demand, probing.slot, probing.folder)?;
        let mode = RunMode::Duration { measured, warm_up: job.warm_up };
        let deadline = self.probe_deadline(lasting(probing.entry, measured));
        let ran = self.start_program(&job, mode, name, deadline, &mut Watch::start())?;
        let found = ran.printed.into_found(&probing.entry.benchmark.name.to_string());
        Ok(Probed {
            exit: ran.ended.exit,
            ended_by_us: ran.ended.ended_by_us,
            measured_s: ran.fork.measured_s,
            metrics: found.map(|found| found.values),
            left_out: ran.left_out,
        })
    }

    /// One process measures all of it: the search knows noise, and a load is to last.
    fn probe_bench(
        &mut self,
        probing: &Probing<'_>,
        prepared: &Prepared,
        value: &str,
        measured: Duration,
        name: &str,
    ) -> Result<Probed, Failure> {
        let warm_up = measured / WARM_UP_SHARE;
        let order = ForkOrder {
            entry: probing.entry,
            prepared,
            request: ForkRequest { measured, warm_up, samples: SAMPLES },
            parameter: Some(value),
            log: probing.folder.join(name).with_extension("log"),
            log_limit: LOG_LIMIT,
            deadline: self.probe_deadline(lasting(probing.entry, measured)),
            number: 0,
            stop_above: None,
        };
        let fork = self.start_fork(&order, probing.slot, &mut Watch::start())?;
        let (exit, ended_by_us) = (fork.ended.exit, fork.ended.ended_by_us);
        if !exit.is_success() || ended_by_us.is_some() {
            let metrics = Err(Failure::benchmark("it printed no metrics"));
            let left_out = BTreeMap::new();
            return Ok(Probed { exit, ended_by_us, measured_s: 0.0, metrics, left_out });
        }
        // Samples sum to about what was asked for; it is the process that has to last.
        let behind_warm_up = fork.ended.wall.saturating_sub(warm_up).as_secs_f64();
        let result = fork.judge(&order)?;
        let mut series = Series::new(probing.entry, &probing.demand.duration);
        series.take(&result, order.request)?;
        let mut metrics = result.metrics.unwrap_or_default();
        let views = series.forks.iter().flat_map(views_of);
        metrics.flat.extend(views.map(|(name, value)| (name.to_owned(), value)));
        let measured_s = behind_warm_up.max(series.measured_s());
        Ok(Probed { exit, ended_by_us, measured_s, metrics: Ok(metrics), left_out: BTreeMap::new() })
    }

    fn probe_deadline(&self, asked: Duration) -> Duration {
        self.timeout.unwrap_or_else(|| (PATIENCE * asked).max(asked + START))
    }
}
