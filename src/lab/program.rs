//! Measures a program that computes its metrics itself: one long run behind a warm-up that does not count,
//! or several runs from start to end.

use super::Lab;
use super::catalogue::{Entry, Program};
use super::demand::Demand;
use super::fork::expect_success;
use super::metrics::{MetricRuns, declared, expect_declared};
use super::observe::{Mark, Watch, Watched};
use super::prepared::OwnCopy;
use super::series::{LEAST_ACTIVE_S, noise_of, nothing_computed};
use super::traces::keep_line;
use crate::bench::contract::{self, RunMode};
use crate::bench::execute::{Purpose, execute};
use crate::bench::program::{Found, Printed};
use crate::bench::{command_line, own};
use crate::failure::Failure;
use crate::model::baseline::{Accounting, BenchSeries, Fork, ProgramRuns, Totals};
use crate::model::bench::Precision;
use crate::model::event::{Event, Listener};
use crate::model::metric::MetricValues;
use crate::model::noise::Block;
use crate::sys::ended::Ended;
use crate::sys::files;
use crate::sys::invocation::{Invocation, Output};
use crate::sys::process::{Companion, Stream};
use crate::sys::slot::Slot;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// Output of one run that may go to disk; what is beyond is read all the same.
const LOG_LIMIT: u64 = 16 << 20;
/// What a program is asked for that is only tried.
const TRIAL: Duration = Duration::from_secs(1);
/// A program gets this many times what it was asked for before it is ended.
const PATIENCE: f64 = 10.0;

/// One run of a program.
pub(super) struct Run {
    /// The process.
    pub fork: Fork,
    /// How its measured time is known.
    pub accounting: Accounting,
    /// What it printed.
    pub found: Found,
    /// The metrics that it has and could not tell, each with why.
    pub left_out: BTreeMap<String, String>,
}

/// A process that has ended, whether it succeeded or not.
pub(super) struct Ran {
    /// How it ended.
    pub ended: Ended,
    /// The process, without its metrics.
    pub fork: Fork,
    /// How its measured time is known.
    pub accounting: Accounting,
    /// What it printed, still to be read.
    pub printed: Printed,
    /// The metrics that it has and could not tell, each with why.
    pub left_out: BTreeMap<String, String>,
}

/// A series of runs while it grows.
#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    /// The program.
    pub entry: &'a Entry,
    /// What is asked of it.
    pub demand: &'a Demand,
    /// The right to measure.
    pub slot: &'a Slot,
    /// Where traces go.
    pub folder: &'a Path,
    /// The warm-up that each run is asked for before it measures.
    pub warm_up: Option<Duration>,
}

impl Lab<'_> {
    /// Runs the program as `demand` says.
    ///
    /// # Errors
    /// `Environment` when it is not there; `Benchmark` when it fails, prints no metrics or others than
    /// before, ends before it has measured as long as it was asked, or computes nothing.
    pub(super) fn program_series(
        &mut self,
        entry: &Entry,
        demand: &Demand,
        slot: &Slot,
        folder: &Path,
    ) -> Result<BenchSeries, Failure> {
        let job = Job::new(entry, demand, slot, folder)?;
        let started = Instant::now();
        let mut watch = Watch::start();
        let tried = self.try_program(&job, &mut watch)?;
        let (count, mode) = job.plan();
        expect_declared(entry, demand, &tried.found.values)?;
        let mut metrics = MetricRuns::after(&tried.found.values, declared(entry, demand));
        metrics.leave_out(tried.left_out.keys());
        let mut runs = Vec::new();
        for number in 1..=count {
            let run = self.run_program(&job, mode, &format!("run-{number:04}"), &mut watch)?;
            job.expect_long_enough(mode, &run)?;
            metrics.leave_out(run.left_out.keys());
            metrics.take(&entry.benchmark.name, &run.found.values)?;
            keep_line(folder, Some(&run.fork))?;
            runs.push(run);
        }
        job.finish(&tried, runs, &metrics, started.elapsed(), watch.finish())
    }

    /// Runs the program once in the way in which it will be measured, for a second at most when it is one that
    /// repeats its work, and returns its metrics and its wall time in seconds.
    ///
    /// # Errors
    /// As [`Lab::program_series`], apart from its length and what it computes.
    pub(super) fn try_whole_program(
        &mut self,
        entry: &Entry,
        demand: &Demand,
        slot: &Slot,
        folder: &Path,
    ) -> Result<(MetricValues, f64), Failure> {
        if let Program::External(external) = &entry.program {
            command_line::find_program(external)?;
        }
        let mode = match demand.runs {
            Some(_) => RunMode::Oneshot,
            None => RunMode::Duration { measured: demand.duration.measured().min(TRIAL), warm_up: None },
        };
        let job = Job { entry, demand, slot, folder, warm_up: None };
        let run = self.run_program(&job, mode, "trial", &mut Watch::start())?;
        Ok((run.found.values, run.fork.wall_s))
    }

    /// The run that does not count: it warms up, and it shows what is wrong before a minute is spent.
    fn try_program(&mut self, job: &Job<'_>, watch: &mut Watch) -> Result<Run, Failure> {
        let (count, counting) = job.plan();
        self.report(Event::PilotStarted { bench: job.entry.benchmark.name.to_string() });
        let mode = match counting {
            RunMode::Duration { .. } => {
                RunMode::Duration { measured: job.demand.duration.warm_up(), warm_up: None }
            }
            RunMode::Oneshot => RunMode::Oneshot,
        };
        let run = self.run_program(job, mode, "warm-up", watch)?;
        job.expect_long_enough(mode, &run)?;
        job.expect_work(mode, &run)?;
        let asked = job.demand.duration.measured().as_secs_f64();
        let each = match counting {
            RunMode::Duration { .. } => asked + job.warm_up.unwrap_or_default().as_secs_f64(),
            RunMode::Oneshot => run.fork.wall_s,
        };
        self.report(Event::Planned {
            benches: 1,
            measured_s: if counting == RunMode::Oneshot { each * f64::from(count) } else { asked },
            wall_s: Some(each * f64::from(count)),
            forks: Some(count as usize),
        });
        Ok(run)
    }

    /// Runs the program once and reads what it measured.
    ///
    /// # Errors
    /// `Benchmark` when it fails or prints no metrics.
    pub(super) fn run_program(
        &mut self,
        job: &Job<'_>,
        mode: RunMode,
        name: &str,
        watch: &mut Watch,
    ) -> Result<Run, Failure> {
        let deadline = self.timeout.unwrap_or_else(|| patience(mode));
        let ran = self.start_program(job, mode, name, deadline, watch)?;
        let name = &job.entry.benchmark.name;
        expect_success(name, &ran.ended)?;
        let found = ran.printed.into_found(&name.to_string())?;
        let fork = Fork { metrics: Some(found.values.clone()), ..ran.fork };
        Ok(Run { fork, accounting: ran.accounting, found, left_out: ran.left_out })
    }

    /// Starts the program and waits for its end, however that is; after `deadline` it is ended.
    ///
    /// # Errors
    /// `Environment` when it cannot be started; `Benchmark` for a report that is none.
    pub(super) fn start_program(
        &mut self,
        job: &Job<'_>,
        mode: RunMode,
        name: &str,
        deadline: Duration,
        watch: &mut Watch,
    ) -> Result<Ran, Failure> {
        let log = job.folder.join(name).with_extension("log");
        let report = log.with_extension("report.json");
        let mut invocation = contract::ask(job.invocation(&log), mode, job.demand.parameter.as_deref());
        files::make_room(&report)?;
        invocation = contract::with_report(invocation, &report);
        invocation.deadline = Some(deadline);
        let copy = job.own_copy(&log)?;
        if let Some(copy) = &copy {
            invocation = copy.start(invocation);
        }
        let mark = Mark::now();
        let mut heard = Heard {
            printed: Printed::default(),
            listener: self.listener,
            bench: job.entry.benchmark.name.to_string(),
            asked: asked(mode),
            started: Instant::now(),
        };
        let mut watched = Watched { inner: &mut heard, watch };
        let ended = execute(&invocation, Purpose::Measure(job.slot), &mut watched, self.interrupt)?;
        let evidence = mark.evidence(&ended);
        watch.look();
        let told = own::read(&report)?;
        if ended.exit.is_success() {
            // It is in the result from here on; only a failed run keeps it for whoever looks.
            let _ = fs::remove_file(&report);
        }
        let by_report = told.as_ref().and_then(own::measured);
        let warm_up = inside(mode);
        let measured = by_report.unwrap_or_else(|| ended.wall.saturating_sub(warm_up));
        let fork = Fork {
            measured_s: measured.as_secs_f64(),
            warm_up_s: warm_up.as_secs_f64(),
            wall_s: ended.wall.as_secs_f64(),
            noise: noise_of(&ended, evidence),
            ..Fork::default()
        };
        let accounting = if by_report.is_some() { Accounting::Samples } else { Accounting::Wall };
        let left_out = told.map(|report| report.left_out).unwrap_or_default();
        Ok(Ran { ended, fork, accounting, printed: heard.printed, left_out })
    }
}

impl<'a> Job<'a> {
    /// A series of `entry`.
    ///
    /// # Errors
    /// `Environment` when the program is not there.
    pub fn new(
        entry: &'a Entry,
        demand: &'a Demand,
        slot: &'a Slot,
        folder: &'a Path,
    ) -> Result<Self, Failure> {
        let warm_up = match &entry.program {
            Program::External(external) => {
                command_line::find_program(external)?;
                external.warm_up
            }
            Program::Bench(_) => None,
        };
        Ok(Self { entry, demand, slot, folder, warm_up })
    }
}

impl Job<'_> {
    /// How many runs count, and what each is asked for.
    pub(super) fn plan(&self) -> (u32, RunMode) {
        if let Some((count, _)) = self.demand.runs {
            return (count, RunMode::Oneshot);
        }
        (1, RunMode::Duration { measured: self.demand.duration.measured(), warm_up: self.warm_up })
    }

    fn invocation(&self, log: &Path) -> Invocation {
        let output = Output::Recorded { log: log.to_path_buf(), log_limit: LOG_LIMIT };
        match &self.entry.program {
            Program::Bench(prepared) => prepared.invocation(vec!["--bench".into()], output),
            Program::External(external) => {
                let invocation = Invocation::new(&external.argv, &external.directory, output);
                contract::without_daemon(invocation.envs(&external.env))
            }
        }
    }

    /// The copy of an executable for one run; none of a command.
    fn own_copy(&self, log: &Path) -> Result<Option<OwnCopy>, Failure> {
        match &self.entry.program {
            Program::Bench(prepared) => prepared.own_copy(log).map(Some),
            Program::External(_) => Ok(None),
        }
    }

    /// Refuses a run that ended before it had measured as long as it was asked.
    pub(super) fn expect_long_enough(&self, mode: RunMode, run: &Run) -> Result<(), Failure> {
        let RunMode::Duration { measured, .. } = mode else { return Ok(()) };
        let least = measured.as_secs_f64();
        if run.fork.measured_s >= least {
            return Ok(());
        }
        let besides = match run.fork.warm_up_s {
            0.0 => String::new(),
            warm_up => format!(" besides {warm_up:.2} s of warm-up"),
        };
        Err(Failure::benchmark(format!(
            "{} ended after {:.2} s{besides}, although it was asked for {least:.2} s",
            self.entry.benchmark.name, run.fork.measured_s
        ))
        .hint("let it repeat its work for PERF_RUN_DURATION seconds, or measure whole runs with --runs 5"))
    }

    /// Refuses a program that only waits, before a minute is spent on it.
    pub(super) fn expect_work(&self, mode: RunMode, tried: &Run) -> Result<(), Failure> {
        let active = active_s(&tried.fork);
        let whole = match mode {
            RunMode::Duration { measured, .. } => {
                self.demand.duration.measured().as_secs_f64() / measured.as_secs_f64()
            }
            RunMode::Oneshot => f64::from(self.plan().0),
        };
        if active * whole < LEAST_ACTIVE_S / 2.0 {
            return Err(nothing_computed(&self.entry.benchmark.name.to_string(), active, 1));
        }
        Ok(())
    }

    fn finish(
        &self,
        tried: &Run,
        runs: Vec<Run>,
        metrics: &MetricRuns,
        wall: Duration,
        blocks: Vec<Block>,
    ) -> Result<BenchSeries, Failure> {
        let benchmark = &self.entry.benchmark;
        let sum = |of: fn(&Fork) -> f64| runs.iter().map(|run| of(&run.fork)).sum::<f64>();
        let active: f64 = sum(active_s);
        if active < LEAST_ACTIVE_S {
            return Err(nothing_computed(&benchmark.name.to_string(), active, runs.len()));
        }
        let (command, sha256) = match &self.entry.program {
            Program::Bench(prepared) => (None, Some(prepared.sha256.clone())),
            Program::External(external) => (Some(external.argv.clone()), external_sha256(external)),
        };
        let aggregate = self.demand.runs.map(|(_, aggregate)| aggregate).unwrap_or_default();
        Ok(BenchSeries {
            bench: benchmark.name.clone(),
            harness: benchmark.harness,
            harness_version: None,
            precision: Precision::Metrics,
            executable_sha256: sha256,
            command,
            runs: Some(self.program_runs()),
            parameter: self.demand.parameter.clone(),
            unit: None,
            accounting: runs.first().map_or(Accounting::Wall, |run| run.accounting),
            throughput: Vec::new(),
            plan: None,
            overrides: self.remarks(&runs),
            totals: Totals {
                forks: runs.len() as u64,
                measured_s: sum(|fork| fork.measured_s),
                warm_up_s: tried.fork.wall_s + sum(|fork| fork.warm_up_s),
                setup_s: 0.0,
                wall_s: wall.as_secs_f64(),
                active_share: active / sum(|fork| fork.wall_s),
            },
            cost: None,
            felt: None,
            metrics: metrics.series(aggregate),
            allocations: None,
            forks: runs.into_iter().map(|run| run.fork).collect(),
            blocks,
            rejected: Vec::new(),
            raw: None,
        })
    }

    fn program_runs(&self) -> ProgramRuns {
        match self.demand.runs {
            Some((runs, aggregate)) => ProgramRuns::Oneshot { runs, aggregate },
            None => ProgramRuns::Duration {
                asked_s: self.demand.duration.measured().as_secs_f64(),
                warm_up_s: self.warm_up.unwrap_or_default().as_secs_f64(),
            },
        }
    }

    /// What the program did otherwise than expected.
    fn remarks(&self, runs: &[Run]) -> Vec<String> {
        let mut remarks = Vec::new();
        if let Some(rounded) = runs.iter().find_map(|run| run.found.rounded.first()) {
            remarks.push(format!("{rounded} is a whole number too large to be kept exactly; it is rounded"));
        }
        let asked = self.demand.duration.measured().as_secs_f64();
        let longest = runs.iter().map(|run| run.fork.measured_s).fold(0.0, f64::max);
        if self.demand.runs.is_none() && longest > 1.5 * asked + 5.0 {
            remarks.push(format!("it ran for {longest:.1} s although it was asked for {asked} s"));
        }
        remarks
    }
}

fn active_s(fork: &Fork) -> f64 {
    fork.noise.user_s + fork.noise.system_s
}

/// The warm-up that a run is asked for before it measures.
fn inside(mode: RunMode) -> Duration {
    match mode {
        RunMode::Duration { warm_up, .. } => warm_up.unwrap_or_default(),
        RunMode::Oneshot => Duration::ZERO,
    }
}

fn asked(mode: RunMode) -> Option<Duration> {
    match mode {
        RunMode::Duration { measured, warm_up } => Some(measured + warm_up.unwrap_or_default()),
        RunMode::Oneshot => None,
    }
}

fn patience(mode: RunMode) -> Duration {
    let asked = asked(mode).map_or(0.0, |asked| asked.as_secs_f64() * PATIENCE);
    Duration::from_secs_f64(asked.max(600.0))
}

/// The hash of the program itself, as far as it is one file; what it loads is not in it.
pub fn external_sha256(external: &crate::model::external::External) -> Option<String> {
    let program = command_line::find_program(external).ok()?;
    files::sha256(&program).ok()
}

/// Reads what a program prints, and says every second that it still runs.
struct Heard<'a> {
    printed: Printed,
    listener: &'a mut dyn Listener,
    bench: String,
    asked: Option<Duration>,
    started: Instant,
}

impl Companion for Heard<'_> {
    fn period(&self) -> Option<Duration> {
        Some(Duration::from_secs(1))
    }

    fn tick(&mut self) {
        self.listener.event(Event::Running {
            bench: self.bench.clone(),
            elapsed_s: self.started.elapsed().as_secs_f64(),
            asked_s: self.asked.map(|asked| asked.as_secs_f64()),
        });
    }

    fn output(&mut self, stream: Stream, bytes: &[u8]) {
        self.printed.output(stream, bytes);
    }
}
