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
use super::traces::{KeptPair, keep_pair, kept_pairs};
use crate::bench::contract::RunMode;
use crate::failure::Failure;
use crate::model::baseline::{Accounting, Fork, ForkPlan};
use crate::model::comparison::{Pair, PairedSeries, SideName, Sides};
use crate::model::event::Event;
use crate::model::metric::MetricValues;
use std::collections::VecDeque;
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
    /// Pairs that were measured before an interruption and are not taken yet.
    kept: VecDeque<KeptPair>,
    /// What those that are taken took.
    earlier: Duration,
}

impl<'a> Pairing<'a> {
    /// The first series before its first pair. The order within pairs is drawn from `seed` and the number of the
    /// bench. Pairs that an interrupted run has left in the folder of the contest are taken before any is
    /// measured, so that everything that follows from them follows again.
    ///
    /// # Errors
    /// `State` or `Environment` for pairs that were kept and cannot be read.
    pub fn new(contest: Contest<'a>, course: Course, seed: u64, number: u64) -> Result<Self, Failure> {
        Self::in_folder(contest, course, seed ^ mixed(2 * number), contest.folder.to_path_buf())
    }

    /// The series that confirms the first one, before its first pair; its order is another one.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn confirming(contest: Contest<'a>, course: Course, seed: u64, number: u64) -> Result<Self, Failure> {
        Self::in_folder(contest, course, seed ^ mixed(2 * number + 1), contest.folder.join("confirmation"))
    }

    fn in_folder(contest: Contest<'a>, course: Course, seed: u64, folder: PathBuf) -> Result<Self, Failure> {
        let side = |name: SideName| {
            let entry = *contest.entries.of(name);
            // Of equal length, since lengths of paths move what lies on stack and heap.
            let folder = folder.join(match name {
                SideName::Base => "a",
                SideName::Candidate => "b",
            });
            Side { entry, series: Series::new(entry, &contest.demand.duration), metrics: None, folder }
        };
        Ok(Self {
            sides: Sides { base: side(SideName::Base), candidate: side(SideName::Candidate) },
            contest,
            course,
            kept: kept_pairs(&folder)?,
            earlier: Duration::ZERO,
            folder,
            firsts: Vec::new(),
            looks: Vec::new(),
            random: fastrand::Rng::with_seed(seed),
            watch: Watch::start(),
            started: Instant::now(),
        })
    }

    /// How many pairs were measured before an interruption and are not taken yet.
    pub fn kept(&self) -> usize {
        self.kept.len()
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

    /// How far it has come after `measured` pairs in `elapsed`.
    fn progress(&self, goal: Goal, measured: usize, elapsed: Duration) -> Event {
        let per_pair = elapsed.as_secs_f64() / measured.max(1) as f64;
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
        let wall = self.started.elapsed() + self.earlier;
        Ok(PairedSeries {
            pairs: (0..self.firsts.len()).map(|at| self.pair(at)).collect(),
            looks: self.looks.clone(),
            totals: Sides::try_make(|side| self.sides.of_mut(side).series.sum_up(wall))?,
            blocks: self.watch.blocks().to_vec(),
        })
    }

    /// The side that comes first in the next pair.
    fn draw_first(&mut self) -> SideName {
        if self.random.bool() { SideName::Base } else { SideName::Candidate }
    }

    /// Takes the next pair that was measured before an interruption; returns whether there was one.
    ///
    /// # Errors
    /// `State` for a pair that was measured in another order than the seed says.
    fn take_kept(&mut self) -> Result<bool, Failure> {
        let Some(kept) = self.kept.pop_front() else { return Ok(false) };
        if self.draw_first() != kept.pair.first {
            let text = format!("the pairs in {} are not in the order of their seed", self.folder.display());
            return Err(Failure::state(text).hint("leave --resume away to measure from the beginning"));
        }
        for side in SideName::BOTH {
            let fork: &Fork = kept.pair.forks.of(side);
            let found = self.sides.of_mut(side);
            found.series.take_kept(fork, kept.unit.as_deref(), kept.accounting);
            self.earlier += Duration::from_secs_f64(fork.wall_s);
            if let Some(values) = &fork.metrics {
                found.take_metrics(&self.contest, values)?;
            }
        }
        self.firsts.push(kept.pair.first);
        Ok(true)
    }
}

impl Side<'_> {
    /// Takes the metrics of a fork.
    ///
    /// # Errors
    /// `Benchmark` when they are others than before.
    fn take_metrics(&mut self, contest: &Contest<'_>, values: &MetricValues) -> Result<(), Failure> {
        let declared = declared(self.entry, contest.demand);
        let runs = self.metrics.get_or_insert_with(|| MetricRuns::after(values, declared));
        runs.take(&self.entry.benchmark.name, values)
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
        let mut measured = 0;
        for round in 0..=MOST_REPLACEMENTS {
            while !pairing.has_reached(goal) {
                if !pairing.take_kept()? {
                    self.measure_pair(pairing)?;
                    measured += 1;
                    self.report(pairing.progress(goal, measured, begun.elapsed()));
                }
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
        let first = pairing.draw_first();
        for side in [first, first.other()] {
            self.measure_fork(pairing, side).map_err(|failure| of_side(side, failure))?;
        }
        pairing.firsts.push(first);
        let kept = KeptPair {
            unit: pairing.unit().map(str::to_owned),
            accounting: pairing.accounting(),
            pair: pairing.pair(pairing.firsts.len() - 1),
        };
        keep_pair(&pairing.folder, &kept)
    }

    fn measure_fork(&mut self, pairing: &mut Pairing<'_>, side: SideName) -> Result<(), Failure> {
        // The same on both sides, so that the paths of neighbours have equal lengths.
        let number = pairing.firsts.len() + 1;
        let Pairing { contest, course, sides, watch, .. } = pairing;
        let found = sides.of_mut(side);
        let Side { entry, series, folder, .. } = found;
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
                series.take_run(run)?;
                Some(values)
            }
        };
        values.map_or(Ok(()), |values| found.take_metrics(contest, &values))
    }
}
