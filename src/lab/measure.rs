//! Measures one benchmark: a pilot, then forks until their samples sum to what the rules ask.

use super::Lab;
use super::catalogue::Entry;
use super::fork::{ForkOrder, ForkResult};
use super::plan::{self, Pilot, Plan};
use crate::bench::criterion::Resolved;
use crate::bench::criterion::arguments::ForkRequest;
use crate::failure::{Context, Failure, FailureKind};
use crate::model::baseline::{Accounting, BenchSeries, Fork, ForkNoise, ForkPlan, Totals, View};
use crate::model::duration::RunDuration;
use crate::model::event::Event;
use crate::model::samples::CodedSamples;
use crate::model::units;
use crate::stats::summary::{Combine, deviation, summarise};
use crate::sys::ended::Ended;
use crate::sys::slot::Slot;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Output of one series that may go to disk; what is beyond is counted and left out.
const LOG_BUDGET: u64 = 64 << 20;
/// A pilot that would measure longer than this has said enough when it says so.
const PILOT_PATIENCE: Duration = Duration::from_secs(3);
const PILOT_DEADLINE: Duration = Duration::from_secs(600);
/// Less processor time than this over a whole run means that nothing was computed.
const LEAST_ACTIVE_S: f64 = 0.1;

impl Lab<'_> {
    /// Measures `entry` for `duration`. Traces go to `folder`: output, and one line of JSON per fork as
    /// soon as it has ended, so that an interrupted run loses nothing.
    pub fn measure(
        &mut self,
        entry: &Entry,
        duration: &RunDuration,
        slot: &Slot,
        folder: &Path,
    ) -> Result<BenchSeries, Failure> {
        let started = Instant::now();
        let mut series = Series::new(entry, duration);
        let plan = self.pilot(entry, duration, slot, folder, &mut series)?;
        self.report(Event::Planned {
            benches: 1,
            measured_s: duration.measured().as_secs_f64(),
            wall_s: Some(plan.wall_s),
            forks: Some(plan.forks),
        });
        let counting = Instant::now();
        while series.totals.measured_s < duration.measured().as_secs_f64() {
            let order = ForkOrder {
                entry,
                request: plan.request,
                log: folder.join(format!("fork-{:04}.log", series.forks.len() + 1)),
                number: series.forks.len() + 1,
                log_limit: series.log_budget,
                deadline: self.timeout.unwrap_or_else(|| fork_deadline(&plan)),
                stop_above: None,
            };
            let result = self.fork(&order, slot)?;
            series.take(&result, plan.request)?;
            keep_line(folder, &series)?;
            self.report(series.progress(counting.elapsed()));
        }
        series.totals.wall_s = started.elapsed().as_secs_f64();
        series.finish(entry, &plan)
    }

    /// Tries the bench once. What it measures does not count; its warm-up and time do.
    fn pilot(
        &mut self,
        entry: &Entry,
        duration: &RunDuration,
        slot: &Slot,
        folder: &Path,
        series: &mut Series,
    ) -> Result<Plan, Failure> {
        self.report(Event::PilotStarted { bench: entry.benchmark.name.to_string() });
        let order = ForkOrder {
            entry,
            request: plan::pilot_request(duration),
            log: folder.join("pilot.log"),
            number: 0,
            log_limit: series.log_budget,
            deadline: self.timeout.unwrap_or(PILOT_DEADLINE),
            stop_above: Some(PILOT_PATIENCE),
        };
        let result = self.fork(&order, slot)?;
        series.totals.warm_up_s += result.ended.wall.as_secs_f64();
        series.spend_log(&result.ended);
        Ok(plan::choose(pilot_of(&result), duration))
    }
}

fn fork_deadline(plan: &Plan) -> Duration {
    let expected = plan.wall_s / plan.forks as f64;
    Duration::from_secs_f64((expected * 10.0).max(60.0))
}

fn pilot_of(result: &ForkResult) -> Pilot {
    if let Some(reading) = &result.reading
        && let Some(live) = &reading.live
    {
        let is_time = reading.unit == "ns";
        let measuring = live.measuring.as_secs_f64();
        let measured = if is_time { reading.samples.sum() / 1e9 } else { measuring };
        return Pilot {
            iteration_s: measured / reading.samples.iteration_count().max(1) as f64,
            before_s: live.before.as_secs_f64(),
            per_sample_s: (measuring - measured).max(0.0) / reading.samples.totals.len().max(1) as f64,
        };
    }
    if let Some(announced) = result.announced {
        let iterations = announced.iterations.max(1) as f64;
        return Pilot {
            iteration_s: announced.estimate.as_secs_f64() / iterations,
            before_s: announced.before.as_secs_f64(),
            per_sample_s: 0.0,
        };
    }
    let (sum, iterations) = result
        .reading
        .as_ref()
        .map_or((0.0, 1), |reading| (reading.samples.sum() / 1e9, reading.samples.iteration_count()));
    // Only files: what the process did besides measuring and warming up is taken as its fixed cost.
    let before = (result.ended.wall.as_secs_f64() - sum - 0.1).max(0.0);
    Pilot { iteration_s: sum / iterations.max(1) as f64, before_s: before, per_sample_s: 0.0 }
}

/// A series while it grows.
struct Series {
    target_s: f64,
    name: String,
    unit: Option<String>,
    version: Option<String>,
    throughput: Vec<crate::model::bench::Throughput>,
    accounting: Accounting,
    overrides: BTreeSet<String>,
    totals: Totals,
    active_s: f64,
    process_s: f64,
    log_budget: u64,
    forks: Vec<Fork>,
}

impl Series {
    fn new(entry: &Entry, duration: &RunDuration) -> Self {
        Self {
            target_s: duration.measured().as_secs_f64(),
            name: entry.benchmark.name.to_string(),
            unit: None,
            version: entry.benchmark.harness_version.clone(),
            throughput: entry.benchmark.throughput.clone(),
            accounting: Accounting::Samples,
            overrides: BTreeSet::new(),
            totals: Totals {
                forks: 0,
                measured_s: 0.0,
                warm_up_s: 0.0,
                setup_s: 0.0,
                wall_s: 0.0,
                active_share: 0.0,
            },
            active_s: 0.0,
            process_s: 0.0,
            log_budget: LOG_BUDGET,
            forks: Vec::new(),
        }
    }

    fn take(&mut self, result: &ForkResult, request: ForkRequest) -> Result<(), Failure> {
        let nothing = || Failure::benchmark(format!("{} reported no samples", self.name));
        let reading = result.reading.as_ref().ok_or_else(nothing)?;
        let summary = summarise(&reading.samples.per_iteration()).ok_or_else(nothing)?;
        if *self.unit.get_or_insert_with(|| reading.unit.clone()) != reading.unit {
            return Err(Failure::benchmark(format!("{} changed its unit to {}", self.name, reading.unit)));
        }
        let live = reading.live.as_ref();
        let seconds = |time: Option<Duration>| time.unwrap_or_default().as_secs_f64();
        let measuring = seconds(live.map(|live| live.measuring));
        let measured_s = if reading.unit == "ns" {
            reading.samples.sum() / 1e9
        } else {
            self.accounting = Accounting::Wall;
            measuring
        };
        if measured_s <= 0.0 {
            return Err(Failure::benchmark(format!("the samples of {} sum to no time at all", self.name)));
        }
        let fork = Fork {
            count: reading.samples.totals.len() as u64,
            iterations: reading.samples.iteration_count(),
            sum: reading.samples.sum(),
            min: summary.min,
            p5: summary.p5,
            median: summary.median,
            mean: reading.samples.sum() / reading.samples.iteration_count() as f64,
            sampling: reading.sampling,
            measured_s,
            warm_up_s: live.map_or(request.warm_up, |live| live.warm_up).as_secs_f64(),
            wall_s: result.ended.wall.as_secs_f64(),
            noise: noise(&result.ended),
            samples: Some(CodedSamples::from(&reading.samples)),
        };
        self.totals.forks += 1;
        self.totals.measured_s += fork.measured_s;
        self.totals.warm_up_s += fork.warm_up_s;
        self.totals.setup_s += seconds(live.map(|live| live.before)) + (measuring - measured_s).max(0.0);
        self.active_s += fork.noise.user_s + fork.noise.system_s;
        self.process_s += fork.wall_s;
        self.spend_log(&result.ended);
        if let Some(live) = live {
            self.overrides.extend(overrides(live.resolved, request));
        }
        self.version = result.version.clone().or_else(|| self.version.take());
        self.forks.push(fork);
        Ok(())
    }

    fn spend_log(&mut self, ended: &Ended) {
        let written = [&ended.stdout, &ended.stderr].map(|stream| stream.total - stream.omitted);
        self.log_budget = self.log_budget.saturating_sub(written.iter().sum());
    }

    fn progress(&self, elapsed: Duration) -> Event {
        let left = (self.target_s - self.totals.measured_s).max(0.0);
        Event::ForkFinished {
            bench: self.name.clone(),
            forks: self.forks.len(),
            measured_s: self.totals.measured_s,
            target_s: self.target_s,
            left_s: left * elapsed.as_secs_f64() / self.totals.measured_s,
        }
    }

    fn finish(mut self, entry: &Entry, plan: &Plan) -> Result<BenchSeries, Failure> {
        if self.active_s < LEAST_ACTIVE_S {
            return Err(Failure::benchmark(format!(
                "{} used {:.0} ms of processor time in {}, so there is nothing to measure",
                self.name,
                self.active_s * 1e3,
                units::count(self.forks.len(), "fork")
            ))
            .hint("let the benchmark compute instead of waiting; or measure longer with --duration"));
        }
        self.totals.active_share = self.active_s / self.process_s;
        let view = |combine: Combine, of: fn(&Fork) -> f64| {
            let values: Vec<f64> = self.forks.iter().map(of).collect();
            let value = combine.value(&values);
            value
                .map(|value| View { value, deviation: deviation(&values, combine) })
                .ok_or_else(|| Failure::benchmark(format!("{} was not measured", self.name)))
        };
        Ok(BenchSeries {
            bench: entry.benchmark.name.clone(),
            harness: entry.benchmark.harness,
            harness_version: self.version.clone(),
            executable_sha256: entry.prepared.sha256.clone(),
            unit: self.unit.clone().unwrap_or_else(|| "ns".to_owned()),
            accounting: self.accounting,
            throughput: self.throughput.clone(),
            plan: ForkPlan {
                measured_s: plan.request.measured.as_secs_f64(),
                warm_up_s: plan.request.warm_up.as_secs_f64(),
                samples: plan.request.samples,
            },
            overrides: self.overrides.iter().cloned().collect(),
            totals: self.totals,
            cost: view(Combine::LowEnd, |fork| fork.min)?,
            felt: view(Combine::Median, |fork| fork.median)?,
            forks: self.forks,
            raw: None,
        })
    }
}

/// Settings of the bench that won over the plan, in words.
fn overrides(resolved: Resolved, request: ForkRequest) -> Vec<String> {
    let differs = |a: Duration, b: Duration| a.abs_diff(b) > Duration::from_micros(1);
    let seconds = |time: Duration| time.as_secs_f64();
    let mut found = Vec::new();
    if differs(resolved.measurement_time, request.measured) {
        found.push(format!("the bench sets measurement_time to {} s", seconds(resolved.measurement_time)));
    }
    if differs(resolved.warm_up_time, request.warm_up) {
        found.push(format!("the bench sets warm_up_time to {} s", seconds(resolved.warm_up_time)));
    }
    if resolved.sample_size != request.samples {
        found.push(format!("the bench sets sample_size to {}", resolved.sample_size));
    }
    found
}

fn noise(ended: &Ended) -> ForkNoise {
    let usage = ended.usage;
    ForkNoise {
        user_s: usage.user_s,
        system_s: usage.system_s,
        max_rss_bytes: usage.max_rss_bytes,
        major_faults: usage.major_faults,
        minor_faults: usage.minor_faults,
        voluntary_switches: usage.voluntary_switches,
        involuntary_switches: usage.involuntary_switches,
        leftovers: ended.leftovers.iter().map(|leftover| leftover.name.clone()).collect(),
    }
}

/// Appends the newest fork to the run's own record.
fn keep_line(folder: &Path, series: &Series) -> Result<(), Failure> {
    let what = || format!("{} cannot be written", folder.join("forks.jsonl").display());
    fs::create_dir_all(folder).context(FailureKind::Environment, what)?;
    let mut file: File = File::options()
        .create(true)
        .append(true)
        .open(folder.join("forks.jsonl"))
        .context(FailureKind::Environment, what)?;
    let mut line = serde_json::to_vec(&series.forks.last()).context(FailureKind::Bug, what)?;
    line.push(b'\n');
    file.write_all(&line).context(FailureKind::Environment, what)
}
