//! What two sides are measured alike with: both are tried once, and the slower one decides.

use super::Lab;
use super::catalogue::{Entry, Program};
use super::demand::Demand;
use super::fork::ForkOrder;
use super::measure::plan_after;
use super::metrics::{declared, expect_declared};
use super::observe::Watch;
use super::plan::Plan;
use super::program::Job;
use super::side::executable_of;
use crate::bench::contract::RunMode;
use crate::failure::Failure;
use crate::model::bench::HarnessKind;
use crate::model::comparison::{SideName, Sides};
use crate::model::event::Event;
use crate::model::metric::MetricSpec;
use crate::sys::slot::Slot;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Fewer pairs cannot reach 1 % with room for what is looked at more than once.
pub const FEWEST_PAIRS: usize = 10;

/// The same benchmark of both sides, and what is asked of it.
#[derive(Debug, Clone, Copy)]
pub struct Contest<'a> {
    /// The benchmark of each side.
    pub entries: Sides<&'a Entry>,
    /// What is asked of each.
    pub demand: &'a Demand,
    /// The right to measure.
    pub slot: &'a Slot,
    /// Where traces go.
    pub folder: &'a Path,
    /// Whether the source of the bench itself differs between the sides.
    pub source_differs: bool,
}

impl Contest<'_> {
    /// What runs each side: equal hashes are the same program.
    pub fn executables(&self) -> Sides<Option<String>> {
        self.entries.map(executable_of)
    }

    /// What is declared of the metrics that the benchmark computes itself, by name.
    pub fn declared(&self) -> BTreeMap<String, MetricSpec> {
        declared(self.entries.candidate, self.demand)
    }
}

/// How forks of both sides are measured: alike.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Course {
    /// Short forks of a bench.
    Forks(Plan),
    /// Runs of a program.
    Runs {
        /// What each is asked for.
        mode: RunMode,
        /// What each takes, in seconds.
        each_s: f64,
    },
}

impl Course {
    /// What a pair is expected to take, in seconds.
    pub fn pair_s(&self) -> f64 {
        2.0 * match self {
            Self::Forks(plan) => plan.fork_s(),
            Self::Runs { each_s, .. } => *each_s,
        }
    }
}

/// How much is to be measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Goal {
    /// Seconds of each side.
    pub measured_s: f64,
    /// Pairs.
    pub pairs: usize,
}

impl Goal {
    /// What the rules ask of a series.
    pub fn of(demand: &Demand) -> Self {
        let runs = demand.runs.map_or(0, |(runs, _)| runs as usize);
        // Whole runs have a number instead of a time.
        let measured_s = if demand.runs.is_some() { 0.0 } else { demand.duration.measured().as_secs_f64() };
        Self { measured_s, pairs: FEWEST_PAIRS.max(runs) }
    }

    /// The wall time that this is expected to take, in seconds.
    pub fn wall_s(self, course: &Course) -> f64 {
        let pairs = match course {
            Course::Forks(plan) => plan.forks as f64,
            Course::Runs { each_s, .. } => (self.measured_s / each_s.max(1e-3)).ceil(),
        };
        pairs.max(self.pairs as f64) * course.pair_s()
    }

    /// So many times as much.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small positive number"
        )]
        let pairs = (self.pairs as f64 * factor).ceil() as usize;
        Self { measured_s: self.measured_s * factor, pairs: pairs.max(FEWEST_PAIRS) }
    }
}

/// What one side has shown when it was tried.
struct Tried {
    course: Course,
    unit: Option<String>,
}

impl Lab<'_> {
    /// Tries both sides once. What they measure does not count.
    ///
    /// # Errors
    /// `Benchmark` when a side fails, or both do not measure the same kind of thing.
    pub fn try_contest(&mut self, contest: &Contest<'_>) -> Result<Course, Failure> {
        let tried = Sides::try_make(|side| {
            let folder = contest.folder.join("pilot").join(side.name());
            self.try_side(contest, contest.entries.of(side), &folder)
                .map_err(|failure| of_side(side, failure))
        })?;
        let name = &contest.entries.base.benchmark.name;
        let Sides { base, candidate } = &tried;
        if base.unit != candidate.unit {
            let units =
                tried.as_ref().map(|tried| tried.unit.clone().unwrap_or_else(|| "nothing".to_owned()));
            return Err(Failure::benchmark(format!(
                "{name} measures {} in the base and {} in the candidate, which cannot be compared",
                units.base, units.candidate
            ))
            .hint("compare revisions in which the bench has the same unit"));
        }
        let slower = if candidate.course.pair_s() > base.course.pair_s() { candidate } else { base };
        Ok(slower.course)
    }

    fn try_side(&mut self, contest: &Contest<'_>, entry: &Entry, folder: &Path) -> Result<Tried, Failure> {
        let demand = contest.demand;
        self.report(Event::PilotStarted { bench: entry.benchmark.name.to_string() });
        let mut watch = Watch::start();
        match &entry.program {
            Program::Bench(prepared) if entry.benchmark.harness != HarnessKind::Custom => {
                let log = folder.join("pilot.log");
                let order = ForkOrder::pilot(entry, prepared, demand, log, u64::MAX, self.timeout);
                let result = self.fork(&order, contest.slot, &mut watch)?;
                if result.has_metrics_alone() {
                    return self.try_runs(&Job::new(entry, demand, contest.slot, folder)?, &mut watch);
                }
                expect_declared(entry, demand, &result.metrics.clone().unwrap_or_default())?;
                let plan = plan_after(&result, order.request, entry.benchmark.harness, &demand.duration);
                let unit = result.reading.map(|reading| reading.unit);
                Ok(Tried { course: Course::Forks(plan), unit })
            }
            _ => self.try_runs(&Job::new(entry, demand, contest.slot, folder)?, &mut watch),
        }
    }

    fn try_runs(&mut self, job: &Job<'_>, watch: &mut Watch) -> Result<Tried, Failure> {
        let demand = job.demand;
        let warm_up = demand.duration.warm_up();
        let mode = match demand.runs {
            Some(_) => RunMode::Oneshot,
            None => RunMode::Duration { measured: warm_up, warm_up: None },
        };
        let run = self.run_program(job, mode, "warm-up", watch)?;
        job.expect_work(mode, &run)?;
        expect_declared(job.entry, demand, &run.found.values)?;
        let wall = run.fork.wall_s;
        let unit = None;
        if demand.runs.is_some() {
            let course = Course::Runs { mode, each_s: wall };
            return Ok(Tried { course, unit });
        }
        let each = demand.duration.measured().div_f64(FEWEST_PAIRS as f64);
        // What it takes to start comes on top; a program with a length of its own takes that.
        let around = (wall - warm_up.as_secs_f64()).max(0.0);
        let each_s = each.as_secs_f64() + job.warm_up.unwrap_or_default().as_secs_f64() + around;
        let mode = RunMode::Duration { measured: each, warm_up: job.warm_up };
        Ok(Tried { course: Course::Runs { mode, each_s }, unit })
    }
}

/// A failure, and the side whose it is.
pub(super) fn of_side(side: SideName, failure: Failure) -> Failure {
    Failure { message: format!("{}: {}", side.name(), failure.message), ..failure }
}
