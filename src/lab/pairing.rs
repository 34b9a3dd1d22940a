//! Measures the same benchmark of two sides in pairs: one fork of each, right after the other, in an order
//! that is drawn anew for each pair.

use super::Lab;
use super::catalogue::{Entry, Program};
use super::contest::{Contest, Course, Goal, of_side};
use super::fork::ForkOrder;
use super::measure::fork_deadline;
use super::metrics::{MetricRuns, declared};
use super::observe::Watch;
use super::program::Job;
use super::series::Series;
use super::traces::keep_pair;
use crate::bench::contract::RunMode;
use crate::failure::Failure;
use crate::model::baseline::{Accounting, ForkPlan};
use crate::model::comparison::{Pair, PairedSeries, SideName, Sides};
use crate::model::event::Event;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often pairs that were disturbed are replaced.
const MOST_REPLACEMENTS: usize = 2;

/// One side of a series of pairs while it grows.
struct Side<'a> {
    entry: &'a Entry,
    series: Series,
    metrics: Option<MetricRuns>,
    folder: PathBuf,
}

/// A series of pairs while it grows.
pub struct Pairing<'a> {
    contest: Contest<'a>,
    course: Course,
    folder: PathBuf,
    sides: Sides<Side<'a>>,
    firsts: Vec<SideName>,
    looks: Vec<u64>,
    random: fastrand::Rng,
    watch: Watch,
    started: Instant,
}

impl<'a> Pairing<'a> {
    /// No pairs yet of the first series. The order within pairs is drawn from `seed` and the number of the
    /// bench.
    pub fn new(contest: Contest<'a>, course: Course, seed: u64, number: u64) -> Self {
        Self::in_folder(contest, course, seed ^ mixed(2 * number), contest.folder.to_path_buf())
    }

    /// No pairs yet of the series that confirms the first one; its order is another one.
    pub fn confirming(contest: Contest<'a>, course: Course, seed: u64, number: u64) -> Self {
        Self::in_folder(contest, course, seed ^ mixed(2 * number + 1), contest.folder.join("confirmation"))
    }

    fn in_folder(contest: Contest<'a>, course: Course, seed: u64, folder: PathBuf) -> Self {
        let side = |name: SideName| {
            let entry = *contest.entries.of(name);
            // Of equal length, since lengths of paths move what lies on stack and heap.
            let folder = folder.join(match name {
                SideName::Base => "a",
                SideName::Candidate => "b",
            });
            Side { entry, series: Series::new(entry, &contest.demand.duration), metrics: None, folder }
        };
        Self {
            sides: Sides { base: side(SideName::Base), candidate: side(SideName::Candidate) },
            contest,
            course,
            folder,
            firsts: Vec::new(),
            looks: Vec::new(),
            random: fastrand::Rng::with_seed(seed),
            watch: Watch::start(),
            started: Instant::now(),
        }
    }

    /// What the forks of each side are asked for; `None` for runs of programs.
    pub fn plan(&self) -> Option<ForkPlan> {
        match self.course {
            Course::Forks(plan) => Some(plan.record()),
            Course::Runs { .. } => None,
        }
    }

    /// The unit of both sides.
    pub fn unit(&self) -> Option<&str> {
        self.sides.base.series.unit()
    }

    /// How often the result has been looked at.
    pub fn looks(&self) -> u32 {
        u32::try_from(self.looks.len()).unwrap_or(u32::MAX)
    }

    /// How the measured time is known.
    pub fn accounting(&self) -> Accounting {
        self.sides.base.series.accounting()
    }

    /// Pairs until `goal` is reached, as far as it can be told.
    fn pairs_left(&self, goal: Goal) -> f64 {
        let pairs = goal.pairs.saturating_sub(self.counting()) as f64;
        let measured = self.measured_s();
        let per_pair = measured / self.counting().max(1) as f64;
        let by_time = if per_pair > 0.0 { (goal.measured_s - measured).max(0.0) / per_pair } else { 0.0 };
        pairs.max(by_time.ceil())
    }

    fn progress(&self, goal: Goal, elapsed: Duration) -> Event {
        let per_pair = elapsed.as_secs_f64() / (self.firsts.len() - self.settled()).max(1) as f64;
        Event::PairFinished {
            bench: self.contest.entries.base.benchmark.name.to_string(),
            pairs: self.counting(),
            measured_s: self.measured_s(),
            target_s: goal.measured_s,
            left_s: self.pairs_left(goal) * per_pair,
        }
    }

    /// Pairs that were there at the last look.
    fn settled(&self) -> usize {
        self.looks.last().map_or(0, |pairs| usize::try_from(*pairs).unwrap_or_default())
    }

    fn measured_s(&self) -> f64 {
        self.sides.base.series.measured_s().min(self.sides.candidate.series.measured_s())
    }

    fn counting(&self) -> usize {
        let counts =
            |at: &usize| SideName::BOTH.iter().all(|side| self.sides.of(*side).series.forks[*at].counts());
        (0..self.firsts.len()).filter(counts).count()
    }

    fn has_reached(&self, goal: Goal) -> bool {
        self.measured_s() >= goal.measured_s && self.counting() >= goal.pairs
    }

    fn pair(&self, at: usize) -> Pair {
        Pair { first: self.firsts[at], forks: self.sides.as_ref().map(|side| side.series.forks[at].clone()) }
    }

    /// Marks pairs of which a fork stands far out for a known cause; those that were looked at stay as they
    /// are. Returns how many.
    fn set_aside_disturbed(&mut self) -> usize {
        let from = self.settled();
        let mut disturbed = self.sides.base.series.disturbed();
        disturbed.extend(self.sides.candidate.series.disturbed());
        disturbed.retain(|at, _| *at >= from);
        for (at, cause) in &disturbed {
            // Without its neighbour a fork tells nothing of the effect.
            for side in SideName::BOTH {
                self.sides.of_mut(side).series.set_aside(*at, *cause);
            }
        }
        disturbed.len()
    }

    /// The pairs as they are now.
    ///
    /// # Errors
    /// `Benchmark` when nothing was computed.
    pub fn series(&mut self) -> Result<PairedSeries, Failure> {
        let wall = self.started.elapsed();
        Ok(PairedSeries {
            pairs: (0..self.firsts.len()).map(|at| self.pair(at)).collect(),
            looks: self.looks.clone(),
            totals: Sides::try_make(|side| self.sides.of_mut(side).series.sum_up(wall))?,
            blocks: self.watch.blocks().to_vec(),
        })
    }
}

/// Neighbouring numbers as numbers that have nothing in common (the increment of Weyl's sequence, 2^64 over the
/// golden ratio).
fn mixed(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Lab<'_> {
    /// Measures pairs until `goal` is reached.
    ///
    /// # Errors
    /// `Benchmark` when a side fails or measures something else than before; `Interrupted`. What was measured
    /// until then is in the folder of the contest.
    pub fn grow(&mut self, pairing: &mut Pairing<'_>, goal: Goal) -> Result<(), Failure> {
        let begun = Instant::now();
        for round in 0..=MOST_REPLACEMENTS {
            while !pairing.has_reached(goal) {
                self.measure_pair(pairing)?;
                self.report(pairing.progress(goal, begun.elapsed()));
            }
            // What is set aside must be replaced, so the last round keeps what it has.
            if round == MOST_REPLACEMENTS || pairing.set_aside_disturbed() == 0 {
                break;
            }
        }
        pairing.looks.push(pairing.firsts.len() as u64);
        Ok(())
    }

    fn measure_pair(&mut self, pairing: &mut Pairing<'_>) -> Result<(), Failure> {
        let first = if pairing.random.bool() { SideName::Base } else { SideName::Candidate };
        for side in [first, first.other()] {
            self.measure_fork(pairing, side).map_err(|failure| of_side(side, failure))?;
        }
        pairing.firsts.push(first);
        keep_pair(&pairing.folder, &pairing.pair(pairing.firsts.len() - 1))
    }

    fn measure_fork(&mut self, pairing: &mut Pairing<'_>, side: SideName) -> Result<(), Failure> {
        // The same on both sides, so that the paths of neighbours have equal lengths.
        let number = pairing.firsts.len() + 1;
        let Pairing { contest, course, sides, watch, .. } = pairing;
        let Side { entry, series, metrics, folder } = sides.of_mut(side);
        let values = match (&entry.program, course) {
            (Program::Bench(prepared), Course::Forks(plan)) => {
                let order = ForkOrder {
                    entry,
                    prepared,
                    request: plan.request,
                    parameter: contest.demand.parameter.as_deref(),
                    log: folder.join(format!("fork-{number:04}.log")),
                    number,
                    log_limit: series.log_budget,
                    deadline: self.timeout.unwrap_or_else(|| fork_deadline(plan)),
                    stop_above: None,
                };
                let result = self.fork(&order, contest.slot, watch)?;
                series.take(&result, plan.request)?;
                result.metrics
            }
            (_, course) => {
                let job = Job::new(entry, contest.demand, contest.slot, folder)?;
                let mode = match course {
                    Course::Runs { mode, .. } => *mode,
                    Course::Forks(_) => RunMode::Oneshot,
                };
                let run = self.run_program(&job, mode, &format!("run-{number:04}"), watch)?;
                let values = run.found.values.clone();
                series.take_run(run);
                Some(values)
            }
        };
        if let Some(values) = values {
            let declared = declared(entry, contest.demand);
            let runs = metrics.get_or_insert_with(|| MetricRuns::after(&values, declared));
            runs.take(&entry.benchmark.name, &values)?;
        }
        Ok(())
    }
}
