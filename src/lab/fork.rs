//! One fork: a process that measures one benchmark for a short time.

use super::Lab;
use super::catalogue::Entry;
use super::demand::Demand;
use super::observe::{Mark, Watch, Watched};
use super::plan;
use super::prepared::{OwnCopy, Prepared};
use crate::bench::contract::RunMode;
use crate::bench::criterion::arguments::{self, Dialect};
use crate::bench::criterion::conversation::{Announced, Conversation};
use crate::bench::criterion::files as sample_files;
use crate::bench::execute::{Purpose, execute};
use crate::bench::reading::{ForkRequest, Reading};
use crate::bench::{contract, divan, libtest, own};
use crate::failure::Failure;
use crate::model::baseline::Allocations;
use crate::model::bench::HarnessKind;
use crate::model::metric::MetricValues;
use crate::model::noise::ForkEvidence;
use crate::model::units;
use crate::sys::ended::{Ended, EndedByUs};
use crate::sys::files;
use crate::sys::invocation::{Invocation, Output};
use crate::sys::process::{Alone, Companion};
use crate::sys::slot::Slot;
use perf_harness::report::Report;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A pilot that would measure longer than this has said enough when it says so.
const PILOT_PATIENCE: Duration = Duration::from_secs(3);
const PILOT_DEADLINE: Duration = Duration::from_secs(600);

/// What a fork is to do and where its traces go.
#[derive(Debug)]
pub struct ForkOrder<'a> {
    /// The benchmark.
    pub entry: &'a Entry,
    /// Its executable.
    pub prepared: &'a Prepared,
    /// Length, warm-up, samples.
    pub request: ForkRequest,
    /// The load, when one was chosen.
    pub parameter: Option<&'a str>,
    /// The logs' path, without extension.
    pub log: PathBuf,
    /// Bytes of each stream that may go to disk.
    pub log_limit: u64,
    /// End of patience.
    pub deadline: Duration,
    /// Which fork of its series this is; neighbours get paths of different length.
    pub number: usize,
    /// End the process when it announces more measuring than this.
    pub stop_above: Option<Duration>,
}

/// What a fork gave.
#[derive(Debug)]
pub struct ForkResult {
    /// The values; `None` when the process was ended on its announcement, and of a program on perf-harness that
    /// has metrics alone.
    pub reading: Option<Reading>,
    /// What criterion announced before it measured.
    pub announced: Option<Announced>,
    /// The version of the harness, when it tells.
    pub version: Option<String>,
    /// What was allocated, when the bench counts it.
    pub allocations: Option<Allocations>,
    /// Metrics that the program adds to its samples.
    pub metrics: Option<MetricValues>,
    /// What the machine did meanwhile.
    pub evidence: ForkEvidence,
    /// The process.
    pub ended: Ended,
}

/// What was heard of a process while it ran and read when it had ended.
#[derive(Debug, Default)]
struct Told {
    readings: Vec<Reading>,
    announced: Option<Announced>,
    version: Option<String>,
    report: Option<Report>,
}

/// A fork that has ended, whether it succeeded or not.
#[derive(Debug)]
pub(super) struct EndedFork {
    told: Told,
    evidence: ForkEvidence,
    /// The process.
    pub ended: Ended,
}

impl ForkResult {
    /// Whether it is the run of a program that computes its metrics itself, and has no samples.
    pub fn has_metrics_alone(&self) -> bool {
        self.reading.is_none() && self.announced.is_none()
    }
}

impl Lab<'_> {
    /// Runs one fork: prepare, execute, read.
    ///
    /// # Errors
    /// `Benchmark` when the process fails, hangs, or ends without measuring what was asked.
    pub fn fork(
        &mut self,
        order: &ForkOrder<'_>,
        slot: &Slot,
        watch: &mut Watch,
    ) -> Result<ForkResult, Failure> {
        self.start_fork(order, slot, watch)?.judge(order)
    }

    /// Runs one fork and waits for its end, however that is.
    ///
    /// # Errors
    /// `Environment` when it cannot be started; `Benchmark` when what it told cannot be read.
    pub(super) fn start_fork(
        &mut self,
        order: &ForkOrder<'_>,
        slot: &Slot,
        watch: &mut Watch,
    ) -> Result<EndedFork, Failure> {
        // Before anything is watched: what is written for it is not what the machine did while it ran.
        let copy = order.prepared.own_copy(&order.log)?;
        let mark = Mark::now();
        let (told, ended) = match order.entry.benchmark.harness {
            HarnessKind::Criterion => self.criterion_fork(order, &copy, slot, watch)?,
            _ => self.printing_fork(order, &copy, slot, watch)?,
        };
        let evidence = mark.evidence(&ended);
        watch.look();
        Ok(EndedFork { told, evidence, ended })
    }

    fn criterion_fork(
        &mut self,
        order: &ForkOrder<'_>,
        copy: &OwnCopy,
        slot: &Slot,
        watch: &mut Watch,
    ) -> Result<(Told, Ended), Failure> {
        let benchmark = &order.entry.benchmark;
        let id = &benchmark.name.id;
        let home = criterion_home(&order.log, order.number);
        let mut conversation = Conversation::open(order.stop_above)?;
        let dialect = Dialect::of(benchmark.harness_version.as_deref());
        let invocation = order.invocation(copy, arguments::measure(id, order.request, dialect));
        let invocation = arguments::connect(contract::silent(invocation), &home, Some(conversation.port()?));
        let ended = self.watched(order, invocation, slot, &mut conversation, watch)?;
        let heard = conversation.into_heard();
        let mut told = Told {
            readings: heard.readings,
            announced: heard.announced,
            version: heard.version,
            report: None,
        };
        if ended.exit.is_success() && told.readings.is_empty() {
            told.readings.extend(sample_files::read(&home, id)?);
        }
        // Present only when the process wrote files, which have been read by now.
        let _ = fs::remove_dir_all(&home);
        told.report = order.report(&ended)?;
        Ok((told, ended))
    }

    fn printing_fork(
        &mut self,
        order: &ForkOrder<'_>,
        copy: &OwnCopy,
        slot: &Slot,
        watch: &mut Watch,
    ) -> Result<(Told, Ended), Failure> {
        let id = &order.entry.benchmark.name.id;
        let kind = order.entry.benchmark.harness;
        let request = order.request;
        let mode = RunMode::Duration { measured: request.measured, warm_up: Some(request.warm_up) };
        let invocation = match kind {
            HarnessKind::Divan => {
                contract::silent(divan::settled(order.invocation(copy, divan::measure(id, request))))
            }
            HarnessKind::Libtest => {
                contract::silent(libtest::settled(order.invocation(copy, libtest::measure(id))))
            }
            _ => contract::ask(order.invocation(copy, Vec::new()), mode, order.parameter),
        };
        let ended = self.watched(order, invocation, slot, &mut Alone, watch)?;
        let mut told = Told { report: order.report(&ended)?, ..Told::default() };
        if ended.exit.is_success() {
            let printed = &ended.stdout.tail;
            told.readings.extend(match kind {
                HarnessKind::Divan => divan::read(printed, id)?,
                HarnessKind::Libtest => libtest::read(printed, id),
                _ => told.report.as_ref().and_then(|report| own::reading(report, id)),
            });
        }
        if kind == HarnessKind::PerfHarness {
            told.version = told.report.as_ref().map(|report| report.harness.clone());
        }
        Ok((told, ended))
    }

    /// Starts the process under the eyes of `watch`.
    fn watched(
        &self,
        order: &ForkOrder<'_>,
        invocation: Invocation,
        slot: &Slot,
        companion: &mut dyn Companion,
        watch: &mut Watch,
    ) -> Result<Ended, Failure> {
        files::make_room(&order.report_file())?;
        let mut invocation = contract::with_report(invocation, &order.report_file());
        if let Some(load) = order.parameter {
            invocation = invocation.env(perf_harness::PARAMETER, load);
        }
        let mut watched = Watched { inner: companion, watch };
        execute(&invocation, Purpose::Measure(slot), &mut watched, self.interrupt)
    }
}

impl<'a> ForkOrder<'a> {
    /// The fork that tries a bench: short, and ended when the bench announces that it will not be.
    pub fn pilot(
        entry: &'a Entry,
        prepared: &'a Prepared,
        demand: &'a Demand,
        log: PathBuf,
        log_limit: u64,
        timeout: Option<Duration>,
    ) -> Self {
        Self {
            entry,
            prepared,
            request: plan::pilot_request(&demand.duration),
            parameter: demand.parameter.as_deref(),
            log,
            number: 0,
            log_limit,
            deadline: timeout.unwrap_or(PILOT_DEADLINE),
            stop_above: Some(PILOT_PATIENCE),
        }
    }

    fn invocation(&self, copy: &OwnCopy, arguments: Vec<std::ffi::OsString>) -> Invocation {
        let output = Output::Recorded { log: self.log.clone(), log_limit: self.log_limit };
        let mut invocation = copy.start(self.prepared.invocation(arguments, output));
        invocation.deadline = Some(self.deadline);
        invocation
    }

    fn report_file(&self) -> PathBuf {
        self.log.with_extension("report.json")
    }

    /// The report of the process, when it wrote one.
    fn report(&self, ended: &Ended) -> Result<Option<Report>, Failure> {
        let report = own::read(&self.report_file())?;
        // It is in the result by now; a failed run keeps it for whoever looks.
        if ended.exit.is_success() {
            let _ = fs::remove_file(self.report_file());
        }
        Ok(report)
    }
}

/// The folder criterion may write to, of a length that varies from fork to fork.
///
/// The lengths of paths decide where small things lie on the heap, and that alone made one allocating
/// bench 5 % slower in whole series (`docs/adr/0006-layout.md`). Varied, it becomes noise between forks
/// that a series averages over, instead of a bias that depends on the name of a folder.
pub fn criterion_home(log: &Path, number: usize) -> PathBuf {
    /// Longer than the size classes of common allocators are apart.
    const LENGTHS: usize = 64;
    /// Prime to `LENGTHS`, so that all lengths occur before one comes again.
    const STEP: usize = 37;
    log.with_extension(format!("criterion{}", "-".repeat(number * STEP % LENGTHS)))
}

impl EndedFork {
    /// What the process gave.
    ///
    /// # Errors
    /// `Benchmark` when it failed, hung, or ended without measuring what was asked.
    pub fn judge(self, order: &ForkOrder<'_>) -> Result<ForkResult, Failure> {
        judge(order, self.told, self.evidence, self.ended)
    }
}

/// What the process gave, or why it gave nothing.
fn judge(
    order: &ForkOrder<'_>,
    mut told: Told,
    evidence: ForkEvidence,
    ended: Ended,
) -> Result<ForkResult, Failure> {
    let name = &order.entry.benchmark.name;
    if ended.ended_by_us == Some(EndedByUs::Companion) {
        told.readings.clear();
    } else {
        expect_success(name, &ended)?;
        told.readings.retain(|reading| reading.id == name.id);
        if told.readings.len() > 1 {
            return Err(Failure::benchmark(format!(
                "{} benchmarks share the id {:?}",
                told.readings.len(),
                name.id
            ))
            .hint("give them different ids; only then can one be measured alone"));
        }
        let is_own = order.entry.benchmark.harness == HarnessKind::PerfHarness;
        let has_metrics_alone = is_own && told.report.as_ref().is_some_and(own::has_metrics_alone);
        if told.readings.is_empty() && !has_metrics_alone {
            let left = match ended.leftovers.len() {
                0 => String::new(),
                count => format!("; {} it left running had to be ended", units::count(count, "process")),
            };
            let failure = Failure::benchmark(format!("{name} ended without measuring anything{left}"));
            if told.report.is_some() && is_own {
                return Err(failure.hint("let Run::measure repeat its work; metrics are added to samples"));
            }
            return Err(with_log(failure, &ended));
        }
    }
    let Told { mut readings, announced, version, report } = told;
    let reading = readings.pop();
    let allocations = match (&report, &reading) {
        (Some(report), Some(reading)) => own::allocations(report, &reading.values)?,
        _ => None,
    };
    let metrics = report.as_ref().and_then(own::metrics);
    Ok(ForkResult { reading, announced, version, allocations, metrics, evidence, ended })
}

/// Refuses what a process that hung or failed may have told.
///
/// # Errors
/// `Benchmark`, with its last words and where its output is.
pub fn expect_success(name: &impl std::fmt::Display, ended: &Ended) -> Result<(), Failure> {
    if ended.ended_by_us == Some(EndedByUs::Deadline) {
        return Err(Failure::benchmark(format!(
            "{name} did not end within {:.0} s and was ended",
            ended.wall.as_secs_f64()
        ))
        .hint("give it more time with --timeout"));
    }
    if ended.exit.is_success() {
        return Ok(());
    }
    let said = ended.stderr.telling_line().map(|line| format!(": {line}")).unwrap_or_default();
    Err(with_log(Failure::benchmark(format!("{name} {}{said}", ended.exit)), ended))
}

fn with_log(failure: Failure, ended: &Ended) -> Failure {
    match ended.stderr.log.as_ref().or(ended.stdout.log.as_ref()) {
        Some(log) => failure.hint(format!("its output is in {}", log.display())),
        None => failure.hint("it printed nothing; run the bench by hand with cargo bench"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn sixty_four_forks_in_a_row_have_homes_of_different_length() {
        let length = |number| criterion_home(Path::new("/run/fork.log"), number).as_os_str().len();
        let lengths: BTreeSet<usize> = (5..69).map(length).collect();
        assert_eq!(lengths.len(), 64);
    }
}
