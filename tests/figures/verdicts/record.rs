//! Records forks of the three variants of a kernel, interleaved, for ten minutes a side:
//! `cargo bench --bench figures -- record KERNEL quiet|build`. A recording that was interrupted goes on.

use super::kernels::{self, Kernel, VARIANTS};
use super::traces::{self, Condition, Round};
use crate::{Setting, noise, say, start};
use cargo_perf_lab::bench::reading::Values;
use cargo_perf_lab::bench::selection::CargoFlags;
use cargo_perf_lab::failure::{Failure, FailureKind};
use cargo_perf_lab::git;
use cargo_perf_lab::lab::Lab;
use cargo_perf_lab::lab::catalogue::{Entry, Program};
use cargo_perf_lab::lab::contest::{Contest, Course};
use cargo_perf_lab::lab::demand::Demand;
use cargo_perf_lab::lab::fork::ForkOrder;
use cargo_perf_lab::lab::observe::Watch;
use cargo_perf_lab::lab::plan::Plan;
use cargo_perf_lab::model::comparison::Sides;
use cargo_perf_lab::model::duration::RunDuration;
use cargo_perf_lab::model::event::Event;
use cargo_perf_lab::stats::summary::summarise;
use cargo_perf_lab::sys::slot::{Patience, Slot};
use cargo_perf_lab::sys::{clock, host};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Measured of each variant.
const MEASURED_S: f64 = 600.0;
/// Bytes of output that may be kept, as in a comparison.
const LOG_LIMIT: u64 = 64 << 20;
const DEADLINE: Duration = Duration::from_secs(60);
/// Decides the order within rounds.
const SEED: u64 = 1;
/// How often progress is said, in rounds.
const EVERY: usize = 50;

/// Records `kernel` in `condition` until ten minutes of each variant are there.
///
/// # Errors
/// What cannot be built or measured; what was recorded until then stays.
pub fn record(setting: &Setting, kernel: Kernel, condition: Condition) -> Result<(), Failure> {
    let mut ignore = |_: Event| {};
    let flags = CargoFlags::default();
    let mut lab = Lab::new(kernels::repository(), flags, None, true, &setting.interrupt, &mut ignore)?;
    let entries = kernels::build(&mut lab, kernel.name)?;
    let run = clock::run_id();
    let slot = Slot::acquire(&run, "figures", Patience::NoWait, &setting.interrupt, |_, _| {})?;
    let plan = plan(&mut lab, &entries, &slot, setting.scratch.path())?;
    let path = traces::file(kernel.name, condition);
    if traces::read(&path)?.is_none() {
        traces::begin(&path, &facts(kernel, condition, &plan))?;
    }
    let mut recording = Recording { lab, slot, entries, plan, scratch: setting.scratch.path() };
    let wanted = setting.measured(Duration::from_secs_f64(MEASURED_S));
    match condition {
        Condition::Quiet => recording.go_on(&path, &wanted, || Ok(())),
        Condition::Build => {
            let folder = setting.scratch.path().join("build");
            let recorded = noise::with_build(&folder, |builds| {
                recording.go_on(&path, &wanted, || builds.expect_running())
            });
            traces::append_builds(&path, recorded?.1)
        }
    }
}

/// The plan of a comparison of the first two variants.
fn plan(lab: &mut Lab<'_>, entries: &[Entry; VARIANTS], slot: &Slot, folder: &Path) -> Result<Plan, Failure> {
    let demand = Demand {
        duration: RunDuration::full(),
        runs: None,
        parameter: None,
        metrics: BTreeMap::new(),
        named_metrics: BTreeMap::new(),
        noise_accepted: false,
    };
    let entries = Sides { base: &entries[0], candidate: &entries[1] };
    let contest = Contest { entries, demand: &demand, slot, folder, source_differs: false };
    match lab.try_contest(&contest)? {
        Course::Forks(plan) => Ok(plan),
        Course::Runs { .. } => Err(Failure::new(FailureKind::Bug, "a kernel is no bench of criterion")),
    }
}

/// Where a recording comes from; never a host's name, never a path.
fn facts(kernel: Kernel, condition: Condition, plan: &Plan) -> Vec<String> {
    let machine = host::facts();
    let known = |fact: Option<String>| fact.unwrap_or_else(|| "unknown".to_owned());
    let commit = git::head(start::root(), &start::root().join("fixtures/verdict-traces"));
    let request = plan.request;
    vec![
        format!("kernel {}, {} % more work in c, {}", kernel.name, kernel.planted, condition.name()),
        format!(
            "forks of {:.3} s after {:.3} s of warm-up with {} samples, order drawn with seed {SEED}",
            request.measured.as_secs_f64(),
            request.warm_up.as_secs_f64(),
            request.samples
        ),
        format!(
            "{}, {} processors, commit {}, {}",
            known(machine.processor.name),
            known(machine.logical_cpus.map(|count| count.to_string())),
            known(commit.map(|head| head.short().to_owned())),
            clock::now_rfc3339()
        ),
    ]
}

struct Recording<'a> {
    lab: Lab<'a>,
    slot: Slot,
    entries: [Entry; VARIANTS],
    plan: Plan,
    scratch: &'a Path,
}

impl Recording<'_> {
    /// Records round after round, each of which counts only when `holds` says so afterwards.
    fn go_on(
        &mut self,
        path: &Path,
        wanted: &Duration,
        mut holds: impl FnMut() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let before = traces::read(path)?.map_or(Vec::new(), |trace| trace.rounds);
        let mut measured: f64 = before.iter().map(|round| round.seconds).sum();
        let mut number = before.len();
        while measured < wanted.as_secs_f64() {
            let round = self.round(number)?;
            holds()?;
            traces::append(path, &round)?;
            measured += round.seconds;
            number += 1;
            if number.is_multiple_of(EVERY) {
                say(&format!("{number} rounds, {measured:.0} of {} s measured of each", wanted.as_secs()));
            }
        }
        Ok(())
    }

    fn round(&mut self, number: usize) -> Result<Round, Failure> {
        let mut order = [0, 1, 2];
        fastrand::Rng::with_seed(SEED + number as u64).shuffle(&mut order);
        let mut round = Round { order, seconds: 0.0, cost: [0.0; VARIANTS], felt: [0.0; VARIANTS] };
        for variant in order {
            let fork = self.fork(variant, number)?;
            round.seconds += fork.seconds / VARIANTS as f64;
            (round.cost[variant], round.felt[variant]) = (fork.cost, fork.felt);
        }
        Ok(round)
    }

    fn fork(&mut self, variant: usize, number: usize) -> Result<Measured, Failure> {
        let entry = &self.entries[variant];
        let Program::Bench(prepared) = &entry.program else {
            return Err(Failure::new(FailureKind::Bug, "a kernel is no bench"));
        };
        // Of equal length in all variants.
        let log = self.scratch.join(["a", "b", "c"][variant]).join(format!("fork-{number:05}.log"));
        let order = ForkOrder {
            entry,
            prepared,
            request: self.plan.request,
            parameter: None,
            log,
            number,
            log_limit: LOG_LIMIT,
            deadline: DEADLINE,
            stop_above: None,
        };
        let reading = self.lab.fork(&order, &self.slot, &mut Watch::start())?.reading;
        let nothing = || Failure::benchmark("a fork measured nothing");
        let Values::Samples { samples, .. } = reading.ok_or_else(nothing)?.values else {
            return Err(nothing());
        };
        let summary = summarise(&samples.per_iteration()).ok_or_else(nothing)?;
        Ok(Measured { seconds: samples.sum() / 1e9, cost: summary.min, felt: summary.median })
    }
}

/// What a fork says.
struct Measured {
    seconds: f64,
    cost: f64,
    felt: f64,
}
