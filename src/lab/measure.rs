//! Measures one benchmark: a pilot, then forks until their samples sum to what the rules ask. A series that
//! disagrees with itself is measured again.

use super::Lab;
use super::catalogue::{Entry, Program};
use super::demand::Demand;
use super::doubt::{DEVIATION_LIMIT, MOST_RERUNS, doubt};
use super::fork::{ForkOrder, ForkResult};
use super::metrics::{MetricRuns, declared, expect_declared};
use super::observe::Watch;
use super::plan::{self, Pilot, Plan};
use super::prepared::Prepared;
use super::series::{Series, rejected, suspect};
use super::traces::{attempt_folder, keep_line};
use crate::bench::criterion::arguments::Dialect;
use crate::bench::reading::{ForkRequest, differ};
use crate::failure::Failure;
use crate::model::baseline::{BenchSeries, Fork, MetricSeries, RejectedSeries, counting};
use crate::model::bench::HarnessKind;
use crate::model::duration::RunDuration;
use crate::model::event::Event;
use crate::model::metric::{Aggregate, MetricValues};
use crate::model::units;
use crate::sys::slot::Slot;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often forks that were disturbed are replaced.
const MOST_REPLACEMENTS: usize = 2;

impl Lab<'_> {
    /// Measures `entry` as `demand` says. Traces go to `folder`: output, and one line of JSON per fork as
    /// soon as it has ended, so that an interrupted run loses nothing.
    ///
    /// # Errors
    /// `Benchmark` when it fails or measures nothing; `Environment` when it disagrees with itself each time.
    pub fn measure(
        &mut self,
        entry: &Entry,
        demand: &Demand,
        slot: &Slot,
        folder: &Path,
    ) -> Result<BenchSeries, Failure> {
        let mut earlier: Vec<RejectedSeries> = Vec::new();
        let mut plan = None;
        loop {
            let folder = attempt_folder(folder, earlier.len());
            let series = match (&entry.program, entry.benchmark.harness) {
                (Program::Bench(prepared), kind) if kind != HarnessKind::Custom => {
                    let job = Job { entry, prepared, demand, slot, folder: &folder };
                    match self.series(&job, &mut plan)? {
                        Some(series) => series,
                        None => self.program_series(entry, demand, slot, &folder)?,
                    }
                }
                _ => self.program_series(entry, demand, slot, &folder)?,
            };
            let Some(doubt) = doubt(&series) else { return Ok(with_earlier(series, earlier)) };
            let cause = suspect(&series.forks);
            if earlier.len() < MOST_RERUNS {
                let text = format!("{}: {}, {cause}; measuring it again", series.bench, doubt.reason);
                self.report(Event::Warning { text });
                earlier.push(rejected(series, doubt.reason));
            } else if demand.noise_accepted || !doubt.blocks {
                return Ok(with_earlier(series, earlier));
            } else {
                return Err(Failure::environment(format!(
                    "{} was measured {} and each time it disagrees with itself by over {}: {}, {cause}",
                    series.bench,
                    units::count(earlier.len() + 1, "time"),
                    units::share(DEVIATION_LIMIT),
                    doubt.reason,
                ))
                .hint("let the machine be quiet (`cargo perf doctor`), or accept it with --accept-noise \"why\""));
            }
        }
    }

    /// A series of forks; `None` of a program that turns out to compute its metrics itself.
    fn series(&mut self, job: &Job<'_>, plan: &mut Option<Plan>) -> Result<Option<BenchSeries>, Failure> {
        let started = Instant::now();
        let mut watch = Watch::start();
        let mut series = Series::new(job.entry, &job.demand.duration);
        let plan = match *plan {
            Some(plan) => plan,
            None => match self.pilot(job, &mut series, &mut watch)? {
                Some(found) => *plan.insert(found),
                None => return Ok(None),
            },
        };
        self.report(Event::Planned {
            benches: 1,
            measured_s: job.demand.duration.measured().as_secs_f64(),
            wall_s: Some(plan.wall_s),
            forks: Some(plan.forks),
        });
        let begun = Instant::now();
        for round in 0..=MOST_REPLACEMENTS {
            while series.is_short() {
                let order = job.order(&plan, series.forks.len() + 1, series.log_budget, self.timeout);
                let result = self.fork(&order, job.slot, &mut watch)?;
                series.take(&result, plan.request)?;
                keep_line(job.folder, series.forks.last())?;
                self.report(series.progress(begun.elapsed()));
            }
            // What is set aside must be replaced, so the last round keeps what it has.
            if round == MOST_REPLACEMENTS || series.set_aside_disturbed() == 0 {
                break;
            }
        }
        let mut series = series.finish(job.entry, &plan, started.elapsed(), watch.finish())?;
        series.parameter.clone_from(&job.demand.parameter);
        series.metrics = metrics_of_forks(job, &series.forks)?;
        Ok(Some(series))
    }

    /// Tries the bench once. What it measures does not count; its warm-up and time do. Without samples there is no
    /// plan for them.
    fn pilot(
        &mut self,
        job: &Job<'_>,
        series: &mut Series,
        watch: &mut Watch,
    ) -> Result<Option<Plan>, Failure> {
        let benchmark = &job.entry.benchmark;
        self.report(Event::PilotStarted { bench: benchmark.name.to_string() });
        let duration = &job.demand.duration;
        let log = job.folder.join("pilot.log");
        let order =
            ForkOrder::pilot(job.entry, job.prepared, job.demand, log, series.log_budget, self.timeout);
        let result = self.fork(&order, job.slot, watch)?;
        if result.has_metrics_alone() {
            return Ok(None);
        }
        series.take_pilot(&result.ended);
        expect_declared(job.entry, job.demand, result.metrics.as_ref().unwrap_or(&MetricValues::default()))?;
        Ok(Some(plan_after(&result, order.request, benchmark.harness, duration)))
    }
}

/// The plan that follows from trying a bench once with `asked`.
pub(super) fn plan_after(
    result: &ForkResult,
    asked: ForkRequest,
    harness: HarnessKind,
    duration: &RunDuration,
) -> Plan {
    let plan = match harness {
        HarnessKind::Libtest => plan::whole_runs(result.ended.wall, duration),
        HarnessKind::Criterion if Dialect::of(result.version.as_deref()) == Dialect::WholeSeconds => {
            plan::choose_whole_seconds(pilot_of(result), duration)
        }
        _ => plan::choose(pilot_of(result), duration),
    };
    match own_length(result, asked, &plan) {
        Some((measured_s, warm_up_s)) => plan.with_own_length(measured_s, warm_up_s, duration),
        None => plan,
    }
}

/// One series of an executable.
struct Job<'a> {
    entry: &'a Entry,
    prepared: &'a Prepared,
    demand: &'a Demand,
    slot: &'a Slot,
    folder: &'a Path,
}

impl<'a> Job<'a> {
    fn order(&self, plan: &Plan, number: usize, log_limit: u64, timeout: Option<Duration>) -> ForkOrder<'a> {
        ForkOrder {
            entry: self.entry,
            prepared: self.prepared,
            request: plan.request,
            parameter: self.demand.parameter.as_deref(),
            log: self.folder.join(format!("fork-{number:04}.log")),
            number,
            log_limit,
            deadline: timeout.unwrap_or_else(|| fork_deadline(plan)),
            stop_above: None,
        }
    }
}

/// The metrics that a program on perf-harness adds to its samples, with the median over forks.
fn metrics_of_forks(job: &Job<'_>, forks: &[Fork]) -> Result<Vec<MetricSeries>, Failure> {
    let mut printed = counting(forks).filter_map(|fork| fork.metrics.as_ref());
    let Some(first) = printed.clone().next() else { return Ok(Vec::new()) };
    let mut runs = MetricRuns::after(first, declared(job.entry, job.demand));
    printed.try_for_each(|values| runs.take(&job.entry.benchmark.name, values))?;
    Ok(runs.series(Aggregate::Median))
}

fn with_earlier(mut series: BenchSeries, earlier: Vec<RejectedSeries>) -> BenchSeries {
    series.rejected = earlier;
    series
}

/// How long a fork may take before it is ended.
pub(super) fn fork_deadline(plan: &Plan) -> Duration {
    Duration::from_secs_f64((plan.fork_s() * 10.0).max(60.0))
}

/// The seconds that a fork measures and warms up for, where a criterion bench sets them itself: it said so
/// when it was done, or it announced far more than the plan has.
fn own_length(result: &ForkResult, asked: ForkRequest, plan: &Plan) -> Option<(f64, f64)> {
    let announced = result.announced?;
    let resolved = result.reading.as_ref().and_then(|reading| reading.live.as_ref()?.resolved);
    let told = Dialect::of(result.version.as_deref()).possible(asked);
    let said = resolved.is_some_and(|resolved| differ(resolved.measured, told.measured));
    let measured_s = announced.estimate.as_secs_f64();
    let far_more = measured_s > 1.5 * plan.fork_s();
    (said || far_more).then_some((measured_s, announced.warm_up.as_secs_f64()))
}

fn pilot_of(result: &ForkResult) -> Pilot {
    let Some(reading) = &result.reading else {
        return result.announced.map_or(Pilot::default(), |announced| Pilot {
            iteration_s: announced.estimate.as_secs_f64() / announced.iterations.max(1) as f64,
            before_s: announced.before.as_secs_f64(),
            per_sample_s: 0.0,
        });
    };
    let iterations = reading.values.iterations().unwrap_or(1).max(1) as f64;
    let told = reading.values.sum().filter(|_| reading.unit == "ns").map(|sum| sum / 1e9);
    if let Some(live) = &reading.live {
        let measuring = live.measuring.as_secs_f64();
        let measured = told.unwrap_or(measuring);
        let samples = reading.values.count().unwrap_or(1).max(1) as f64;
        return Pilot {
            iteration_s: measured / iterations,
            before_s: live.before.as_secs_f64(),
            per_sample_s: (measuring - measured).max(0.0) / samples,
        };
    }
    // What the process did besides measuring, and the least warm-up, is taken as its fixed cost.
    let wall = result.ended.wall.as_secs_f64();
    let measured = told.unwrap_or(wall);
    let before = (wall - measured - 0.1).max(0.0);
    Pilot { iteration_s: measured / iterations, before_s: before, per_sample_s: 0.0 }
}
