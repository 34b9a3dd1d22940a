//! A series of forks while it grows, and what it says when it is complete.

use super::catalogue::{Entry, Program};
use super::fork::ForkResult;
use super::plan::Plan;
use super::program::Run;
use crate::bench::reading::{ForkRequest, Reading, Values, differ};
use crate::failure::Failure;
use crate::model::baseline::{
    Accounting, Allocations, BenchSeries, Fork, ForkNoise, RejectedSeries, Totals, View, counting,
};
use crate::model::bench::{HarnessKind, Throughput};
use crate::model::duration::RunDuration;
use crate::model::event::Event;
use crate::model::noise::{Block, Cause, ForkEvidence, Observed, cause, cause_of_series, is_shared};
use crate::model::samples::CodedSamples;
use crate::model::units;
use crate::stats::summary::{Combine, deviation, far_out, summarise};
use crate::sys::ended::Ended;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Output of one series that may go to disk; what is beyond is counted and left out.
const LOG_BUDGET: u64 = 64 << 20;
/// Less processor time than this over a whole run means that nothing was computed.
pub const LEAST_ACTIVE_S: f64 = 0.1;
/// A fork this many robust deviations from the median is far out.
const FAR_OUT: f64 = 10.0;
/// And as far from it as this share of it, the difference that comparisons look for.
const FAR_ENOUGH: f64 = 0.01;
/// Fewer forks do not tell how far they usually lie apart.
const FEWEST_FORKS: usize = 10;

/// A series while it grows.
#[derive(Debug)]
pub struct Series {
    target_s: f64,
    name: String,
    unit: Option<String>,
    version: Option<String>,
    throughput: Vec<Throughput>,
    accounting: Accounting,
    overrides: BTreeSet<String>,
    totals: Totals,
    active_s: f64,
    process_s: f64,
    /// Of each fork, when it counts them.
    allocations: Vec<Option<Allocations>>,
    /// Bytes of output that may still go to disk.
    pub log_budget: u64,
    /// The forks so far.
    pub forks: Vec<Fork>,
}

impl Series {
    /// An empty series.
    pub fn new(entry: &Entry, duration: &RunDuration) -> Self {
        Self {
            target_s: duration.measured().as_secs_f64(),
            name: entry.benchmark.name.to_string(),
            unit: None,
            version: entry.benchmark.harness_version.clone(),
            throughput: entry.benchmark.throughput.clone(),
            accounting: Accounting::Samples,
            overrides: BTreeSet::new(),
            totals: Totals::default(),
            active_s: 0.0,
            process_s: 0.0,
            allocations: Vec::new(),
            log_budget: LOG_BUDGET,
            forks: Vec::new(),
        }
    }

    /// Whether the rules ask for more.
    pub fn is_short(&self) -> bool {
        self.totals.measured_s < self.target_s
    }

    /// Counts a process that was only tried.
    pub fn take_pilot(&mut self, ended: &Ended) {
        self.totals.warm_up_s += ended.wall.as_secs_f64();
        self.spend_log(ended);
    }

    /// Takes a fork that counts.
    ///
    /// # Errors
    /// `Benchmark` when it measured nothing, or something else than the forks before it.
    pub fn take(&mut self, result: &ForkResult, request: ForkRequest) -> Result<(), Failure> {
        let nothing = || Failure::benchmark(format!("{} reported no samples", self.name));
        let reading = result.reading.as_ref().ok_or_else(nothing)?;
        if *self.unit.get_or_insert_with(|| reading.unit.clone()) != reading.unit {
            return Err(Failure::benchmark(format!("{} changed its unit to {}", self.name, reading.unit)));
        }
        let live = reading.live.as_ref();
        let seconds = |time: Option<Duration>| time.unwrap_or_default().as_secs_f64();
        let measuring = seconds(live.map(|live| live.measuring));
        let wall = result.ended.wall.as_secs_f64();
        let (measured_s, accounting) = match reading.values.sum().filter(|_| reading.unit == "ns") {
            // Threads that measure at once have more time together than has passed.
            Some(sum) if sum / 1e9 <= wall => (sum / 1e9, Accounting::Samples),
            _ if live.is_some() => (measuring, Accounting::Wall),
            _ => (wall, Accounting::Wall),
        };
        if measured_s <= 0.0 {
            return Err(Failure::benchmark(format!("the samples of {} sum to no time at all", self.name)));
        }
        let warm_up = match (&reading.values, live) {
            (_, Some(live)) => live.warm_up,
            // Criterion's files do not tell it, so it is what was asked for.
            (Values::Samples { .. }, None) => request.warm_up,
            _ => Duration::ZERO,
        };
        let fork = Fork {
            measured_s,
            warm_up_s: warm_up.as_secs_f64(),
            wall_s: result.ended.wall.as_secs_f64(),
            noise: noise_of(&result.ended, result.evidence),
            metrics: result.metrics.clone(),
            ..values(reading).ok_or_else(nothing)?
        };
        // A series is measured by the clock as soon as one of its forks is.
        if self.forks.is_empty() || accounting == Accounting::Wall {
            self.accounting = accounting;
        }
        self.count(&fork, seconds(live.map(|live| live.before)) + (measuring - measured_s).max(0.0));
        self.spend_log(&result.ended);
        if let Some(resolved) = live.and_then(|live| live.resolved) {
            self.overrides.extend(overrides(resolved, request));
        }
        self.version = result.version.clone().or_else(|| self.version.take());
        if self.throughput.is_empty() {
            self.throughput.clone_from(&reading.throughput);
        }
        self.allocations.push(result.allocations);
        self.forks.push(fork);
        Ok(())
    }

    fn count(&mut self, fork: &Fork, setup_s: f64) {
        self.totals.forks += 1;
        self.totals.measured_s += fork.measured_s;
        self.totals.warm_up_s += fork.warm_up_s;
        self.totals.setup_s += setup_s;
        self.active_s += fork.noise.user_s + fork.noise.system_s;
        self.process_s += fork.wall_s;
    }

    fn spend_log(&mut self, ended: &Ended) {
        let written = [&ended.stdout, &ended.stderr].map(|stream| stream.total - stream.omitted);
        self.log_budget = self.log_budget.saturating_sub(written.iter().sum());
    }

    /// Marks forks that stand far out for a cause that is known; they count no longer. Returns how many were
    /// marked.
    pub fn set_aside_disturbed(&mut self) -> usize {
        let disturbed = self.disturbed();
        for (at, cause) in &disturbed {
            self.set_aside(*at, *cause);
        }
        disturbed.len()
    }

    /// The places of forks that stand far out for a cause that is known. Forks without a known cause stay:
    /// they may be what the benchmark is like.
    pub fn disturbed(&self) -> BTreeMap<usize, Cause> {
        let mut found = BTreeMap::new();
        let observed: Vec<Observed> = self.forks.iter().map(observed).collect();
        let places: Vec<usize> = (0..self.forks.len()).filter(|at| self.forks[*at].counts()).collect();
        if places.len() < FEWEST_FORKS {
            return found;
        }
        for of in [|fork: &Fork| low(fork), |fork: &Fork| fork.median] {
            let values: Option<Vec<f64>> = places.iter().map(|at| of(&self.forks[*at])).collect();
            for index in values.iter().flat_map(|values| far_out(values, FAR_OUT, FAR_ENOUGH)) {
                let at = places[index];
                let siblings: Vec<Observed> =
                    places.iter().filter(|other| **other != at).map(|other| observed[*other]).collect();
                let cause = cause(&observed[at], &siblings);
                if cause != Cause::Unexplained {
                    found.entry(at).or_insert(cause);
                }
            }
        }
        found
    }

    /// Marks one fork that counts as disturbed by `cause`; it counts no longer.
    pub fn set_aside(&mut self, at: usize, cause: Cause) {
        if self.forks[at].counts() {
            self.forks[at].set_aside = Some(cause);
            self.totals.forks -= 1;
            self.totals.measured_s -= self.forks[at].measured_s;
        }
    }

    /// Seconds measured by the forks that count.
    pub fn measured_s(&self) -> f64 {
        self.totals.measured_s
    }

    /// How far it has come.
    pub fn progress(&self, elapsed: Duration) -> Event {
        let left = (self.target_s - self.totals.measured_s).max(0.0);
        Event::ForkFinished {
            bench: self.name.clone(),
            forks: counting(&self.forks).count(),
            measured_s: self.totals.measured_s,
            target_s: self.target_s,
            left_s: left * elapsed.as_secs_f64() / self.totals.measured_s.max(1e-9),
        }
    }

    /// The sums over all forks that took `wall` together.
    ///
    /// # Errors
    /// `Benchmark` when nothing was computed.
    pub fn sum_up(&mut self, wall: Duration) -> Result<Totals, Failure> {
        if self.active_s < LEAST_ACTIVE_S {
            return Err(nothing_computed(&self.name, self.active_s, self.forks.len()));
        }
        self.totals.wall_s = wall.as_secs_f64();
        self.totals.active_share = self.active_s / self.process_s;
        Ok(self.totals)
    }

    /// Takes a run of a program that counts.
    ///
    /// # Errors
    /// `Benchmark` when it ended before its warm-up was over.
    pub(super) fn take_run(&mut self, run: Run) -> Result<(), Failure> {
        if run.fork.measured_s <= 0.0 {
            let (took, warm_up) = (run.fork.wall_s, run.fork.warm_up_s);
            return Err(Failure::benchmark(format!(
                "{} ended after {took:.2} s, within its warm-up of {warm_up} s, so nothing was measured",
                self.name
            ))
            .hint(
                "let it run for PERF_WARMUP_DURATION and PERF_RUN_DURATION together, or leave --warm-up away",
            ));
        }
        self.accounting = run.accounting;
        self.count(&run.fork, 0.0);
        self.allocations.push(None);
        self.forks.push(run.fork);
        Ok(())
    }

    /// Takes a fork that was measured before an interruption.
    pub(super) fn take_kept(&mut self, fork: &Fork, unit: Option<&str>, accounting: Accounting) {
        self.unit = unit.map(str::to_owned);
        self.accounting = accounting;
        self.count(fork, 0.0);
        self.allocations.push(None);
        self.forks.push(fork.clone());
    }

    /// The unit of its values, once it is known.
    pub fn unit(&self) -> Option<&str> {
        self.unit.as_deref()
    }

    /// How its measured time is known.
    pub fn accounting(&self) -> Accounting {
        self.accounting
    }

    /// What it says, now that it is complete.
    ///
    /// # Errors
    /// `Benchmark` when nothing was computed.
    pub fn finish(
        mut self,
        entry: &Entry,
        plan: &Plan,
        wall: Duration,
        blocks: Vec<Block>,
    ) -> Result<BenchSeries, Failure> {
        self.sum_up(wall)?;
        let view = |combine: Combine, of: fn(&Fork) -> Option<f64>| {
            let values: Option<Vec<f64>> = counting(&self.forks).map(of).collect();
            let values = values.unwrap_or_default();
            let value = combine.value(&values)?;
            Some(View { value, deviation: deviation(&values, combine) })
        };
        let sha256 = match &entry.program {
            Program::Bench(prepared) => Some(prepared.sha256.clone()),
            Program::External(_) => None,
        };
        let is_asked = entry.benchmark.harness != HarnessKind::Libtest;
        Ok(BenchSeries {
            bench: entry.benchmark.name.clone(),
            harness: entry.benchmark.harness,
            harness_version: self.version.clone(),
            precision: entry.benchmark.harness.precision(),
            executable_sha256: sha256,
            command: None,
            runs: None,
            parameter: None,
            unit: self.unit.clone(),
            accounting: self.accounting,
            throughput: self.throughput.clone(),
            plan: is_asked.then(|| plan.record()),
            overrides: self.overrides.iter().cloned().collect(),
            totals: self.totals,
            cost: view(Combine::LowEnd, low),
            felt: view(Combine::Median, |fork| fork.median),
            metrics: Vec::new(),
            allocations: sum_of_allocations(&self.forks, &self.allocations),
            forks: self.forks,
            blocks,
            rejected: Vec::new(),
            raw: None,
        })
    }
}

/// What the forks that count have allocated.
fn sum_of_allocations(forks: &[Fork], counted: &[Option<Allocations>]) -> Option<Allocations> {
    let of_counting = forks.iter().zip(counted).filter(|(fork, _)| fork.counts());
    of_counting.filter_map(|(_, counted)| *counted).reduce(|sum, next| Allocations {
        iterations: sum.iterations + next.iterations,
        allocations: sum.allocations + next.allocations,
        bytes: sum.bytes + next.bytes,
    })
}

/// A benchmark that computes nothing has nothing to measure.
pub fn nothing_computed(name: &str, active_s: f64, processes: usize) -> Failure {
    Failure::benchmark(format!(
        "{name} used {:.0} ms of processor time in {}, so there is nothing to measure",
        active_s * 1e3,
        units::count(processes, "process")
    ))
    .hint("let the benchmark compute instead of waiting; or measure longer with --duration")
}

/// Why a series disagrees with itself.
pub fn suspect(forks: &[Fork]) -> Cause {
    cause_of_series(&observed_of_counting(forks))
}

/// Whether somebody else had the processors during a series.
pub fn was_shared(forks: &[Fork]) -> bool {
    is_shared(&observed_of_counting(forks))
}

fn observed_of_counting(forks: &[Fork]) -> Vec<Observed> {
    counting(forks).map(observed).collect()
}

/// The series as it is kept when another one is measured in its place.
pub fn rejected(series: BenchSeries, reason: String) -> RejectedSeries {
    let cause = suspect(&series.forks);
    let BenchSeries { cost, felt, metrics, totals, forks, .. } = series;
    RejectedSeries { reason, cause, cost, felt, metrics, totals, forks }
}

/// The low end of a fork; a harness that tells only one number tells both ends with it.
pub fn low(fork: &Fork) -> Option<f64> {
    fork.min.or(fork.median)
}

/// The two views of one fork, as far as it has them, named as conditions name them.
pub fn views_of(fork: &Fork) -> impl Iterator<Item = (&'static str, f64)> {
    [("cost", low(fork)), ("felt", fork.median)].into_iter().filter_map(|(name, value)| Some((name, value?)))
}

fn observed(fork: &Fork) -> Observed {
    let cpus = std::thread::available_parallelism().map_or(1.0, |count| count.get() as f64);
    Observed {
        evidence: fork.noise.evidence,
        capacity_s: cpus * fork.wall_s,
        interruptions_per_s: fork.noise.involuntary_switches as f64 / fork.wall_s.max(1e-9),
        major_faults: fork.noise.major_faults as f64,
    }
}

/// What the harness told, as far as it did.
fn values(reading: &Reading) -> Option<Fork> {
    let known = Fork {
        count: reading.values.count(),
        iterations: reading.values.iterations(),
        sum: reading.values.sum(),
        ..Fork::default()
    };
    Some(match &reading.values {
        Values::Samples { samples, sampling } => {
            let summary = summarise(&samples.per_iteration())?;
            Fork {
                min: Some(summary.min),
                p5: Some(summary.p5),
                median: Some(summary.median),
                mean: Some(samples.sum() / samples.iteration_count() as f64),
                sampling: Some(*sampling),
                samples: Some(CodedSamples::from(samples)),
                ..known
            }
        }
        Values::Table(row) => {
            Fork { min: Some(row.fastest), median: Some(row.median), mean: Some(row.mean), ..known }
        }
        Values::Median(median) => Fork { median: Some(*median), ..known },
    })
}

/// Settings of the bench that won over the plan, in words.
fn overrides(resolved: ForkRequest, request: ForkRequest) -> Vec<String> {
    let seconds = |time: Duration| time.as_secs_f64();
    let mut found = Vec::new();
    if differ(resolved.measured, request.measured) {
        found.push(format!("the bench sets measurement_time to {} s", seconds(resolved.measured)));
    }
    if differ(resolved.warm_up, request.warm_up) {
        found.push(format!("the bench sets warm_up_time to {} s", seconds(resolved.warm_up)));
    }
    if resolved.samples != request.samples {
        found.push(format!("the bench sets sample_size to {}", resolved.samples));
    }
    found
}

/// What the kernel counted for the process of a fork.
pub fn noise_of(ended: &Ended, evidence: ForkEvidence) -> ForkNoise {
    let usage = ended.usage;
    ForkNoise {
        user_s: usage.user_s,
        system_s: usage.system_s,
        max_rss_bytes: usage.max_rss_bytes,
        major_faults: usage.major_faults,
        minor_faults: usage.minor_faults,
        voluntary_switches: usage.voluntary_switches,
        involuntary_switches: usage.involuntary_switches,
        evidence,
        leftovers: ended.leftovers.iter().map(|leftover| leftover.name.clone()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_fork_set_aside_has_allocated_counts_in_nothing() {
        let counting = Fork::default();
        let aside = Fork { set_aside: Some(Cause::Contention), ..Fork::default() };
        let counted = |iterations| Some(Allocations { iterations, allocations: 2 * iterations, bytes: 64 });
        let forks = [counting.clone(), aside, counting.clone(), counting];
        let sum = sum_of_allocations(&forks, &[counted(10), counted(500), None, counted(7)]);
        assert_eq!(sum, Some(Allocations { iterations: 17, allocations: 34, bytes: 128 }));
        assert_eq!(sum_of_allocations(&forks, &[None; 4]), None);
    }
}
