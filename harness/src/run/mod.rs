//! A benchmark that is a program of its own, from its environment to its answer.

mod error;
#[cfg(feature = "load")]
mod loading;
mod measuring;

pub use error::RunError;

use crate::allocations::{Counts, counted};
use crate::metrics::Metrics;
use crate::report::{Allocations, Channel, Measured, Ran, Report};
use crate::request::{Mode, Request};
use measuring::{Sample, median};
use std::ffi::OsString;
use std::io::Write;
use std::time::{Duration, Instant};

/// One run of a benchmark: it asks the environment what to do, measures it, and answers.
///
/// ```
/// use perf_harness::{Run, RunError};
///
/// fn sorted(length: usize) -> Vec<usize> {
///     let mut numbers: Vec<usize> = (0..length).rev().collect();
///     numbers.sort_unstable();
///     numbers
/// }
///
/// fn main() -> Result<(), RunError> {
///     let mut run = Run::from_env()?;
///     let length = run.parameter().unwrap_or(1000.0) as usize;
///     run.measure(|| sorted(length));
///     run.metric("length", length as f64);
///     run.finish()
/// }
/// ```
///
/// [`finish`](Self::finish) prints one line in the grammar of [`metrics`](crate::metrics):
///
/// | metric | value |
/// |---|---|
/// | `iterations` | calls of the work that were measured |
/// | `measured_s` | seconds that they took together |
/// | `mean_ns`, `median_ns`, `min_ns` | nanoseconds per call: over all, and the median and the least of the samples |
/// | `allocations_per_iteration`, `bytes_per_iteration` | of the measuring thread, when [`count_allocations!`](crate::count_allocations) is used |
///
/// When `cargo perf` listens, the samples themselves go to it in a [`Report`].
#[derive(Debug)]
pub struct Run {
    started: Instant,
    request: Request,
    channel: Option<Channel>,
    report: Report,
    metrics: Metrics,
    /// Whether something was measured.
    used: bool,
    /// The first thing that went wrong since the start; there is nobody to tell before the end.
    fault: Option<RunError>,
}

impl Run {
    /// The run that the environment asks for. By hand, with no variable set, that is one shot.
    ///
    /// # Errors
    /// A variable that breaks the contract, or a `cargo perf` that speaks another protocol.
    pub fn from_env() -> Result<Self, RunError> {
        Self::read(|name| std::env::var_os(name))
    }

    /// The run that `lookup` asks for, which maps the name of a variable to its value.
    ///
    /// # Errors
    /// A variable that breaks the contract, or a `cargo perf` that speaks another protocol.
    pub fn read(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, RunError> {
        Ok(Self {
            started: Instant::now(),
            channel: Channel::read(&lookup)?,
            request: Request::read(&lookup)?,
            report: Report::new(),
            metrics: Metrics::default(),
            used: false,
            fault: None,
        })
    }

    /// The load, when one was chosen.
    pub fn parameter(&self) -> Option<f64> {
        self.request.parameter
    }

    /// Measures `work`: repeats it until the time is reached, or does it once, as the environment asks.
    ///
    /// Warm-up comes first and does not count. Time is the sum over the calls of `work`, with what it
    /// takes to drop its results; nothing is ever waited for. One run measures one work.
    pub fn measure<T>(&mut self, mut work: impl FnMut() -> T) {
        if !self.is_first() {
            return;
        }
        let warm_up = measuring::warm_up(self.request.warm_up, &mut work);
        let started = self.started.elapsed();
        let time = match self.request.mode {
            Mode::Duration(time) => time,
            Mode::Oneshot => Duration::ZERO,
        };
        let samples = measuring::samples(time, &mut work);
        self.keep(warm_up, started, &samples);
    }

    /// Adds a metric of the benchmark's own to the answer.
    ///
    /// A name or a number that the grammar does not know, and a name that is given twice, are errors of
    /// [`finish`](Self::finish).
    pub fn metric(&mut self, name: &str, value: f64) {
        if let Err(error) = self.metrics.insert(name, value) {
            self.fail(RunError::Metric(error));
        }
    }

    /// Prints the metrics, and reports to `cargo perf` when it listens.
    ///
    /// # Errors
    /// What went wrong since the start, or an answer that cannot be written.
    pub fn finish(self) -> Result<(), RunError> {
        self.answer(&mut std::io::stdout().lock())
    }

    fn answer(mut self, output: &mut impl Write) -> Result<(), RunError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if self.metrics.is_empty() {
            return Err(RunError::Nothing);
        }
        self.report.metrics.clone_from(&self.metrics.flat);
        let written = write!(output, "{}", self.metrics).and_then(|()| output.flush());
        written.map_err(|error| RunError::Output(error.to_string()))?;
        self.channel.map_or(Ok(()), |channel| Ok(channel.write(&self.report)?))
    }

    /// Whether nothing was measured before; what follows is, then.
    fn is_first(&mut self) -> bool {
        let is_first = !std::mem::replace(&mut self.used, true);
        if !is_first {
            self.fail(RunError::Twice);
        }
        is_first
    }

    fn fail(&mut self, error: RunError) {
        self.fault.get_or_insert(error);
    }

    fn keep(&mut self, warm_up: Duration, started: Duration, samples: &[Sample]) {
        self.summarise(samples);
        self.report.allocations = counted()
            .map(|_| Allocations { samples: samples.iter().map(|sample| Some(sample.allocated)).collect() });
        self.report.run = Some(Measured {
            mode: match self.request.mode {
                Mode::Duration(_) => Ran::Duration,
                Mode::Oneshot => Ran::Oneshot,
            },
            parameter: self.request.parameter,
            warm_up_ns: nanoseconds(warm_up),
            started_ns: Some(nanoseconds(started)),
            iterations: samples.iter().map(|sample| sample.iterations).collect(),
            totals: samples.iter().map(|sample| nanoseconds(sample.time)).collect(),
        });
    }

    /// The metrics of what was measured.
    fn summarise(&mut self, samples: &[Sample]) {
        let iterations = samples.iter().map(|sample| sample.iterations).sum::<u64>() as f64;
        let time = samples.iter().map(|sample| sample.time).sum::<Duration>();
        let mut each: Vec<f64> = samples.iter().map(Sample::nanoseconds_each).collect();
        each.sort_unstable_by(f64::total_cmp);
        self.metric("iterations", iterations);
        self.metric("measured_s", time.as_secs_f64());
        self.metric("mean_ns", nanoseconds(time) as f64 / iterations);
        self.metric("median_ns", median(&each));
        self.metric("min_ns", each[0]);
        if counted().is_some() {
            let sum = samples.iter().fold(Counts::default(), |sum, sample| sum.plus(sample.allocated));
            self.metric("allocations_per_iteration", sum.allocations as f64 / iterations);
            self.metric("bytes_per_iteration", sum.bytes as f64 / iterations);
        }
    }
}

/// Whole nanoseconds; the largest number stands for more than 500 years.
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
