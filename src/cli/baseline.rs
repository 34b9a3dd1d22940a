//! `cargo perf baseline`.

use super::arguments::{CargoArgs, Choice, Global};
use super::emit::Printer;
use super::session::Session;
use crate::bench::discover::Workspace;
use crate::bench::selection::Selection;
use crate::failure::{Failure, FailureKind};
use crate::git;
use crate::investigation::advance::{Applied, advance};
use crate::investigation::baseline::{Measured, outcome};
use crate::lab::catalogue::Entry;
use crate::lab::facts::Checkout;
use crate::lab::{Lab, plan};
use crate::model::bench::{Benchmark, HarnessKind};
use crate::model::duration::{RunDuration, Waiver, parse_seconds, parse_timeout};
use crate::model::event::Event;
use crate::model::label::VersionLabel;
use crate::model::outcome::{NextStep, Phase, Status};
use crate::report::reply::Reply;
use crate::report::{baseline as rendered, listing};
use crate::store::baselines;
use crate::store::layout::Layout;
use crate::sys::interrupt::Interrupt;
use crate::sys::slot::{Holder, Patience, Slot};
use crate::sys::{clock, files, host};
use serde_json::json;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Measure a baseline: at least 60 s of samples, in many short processes, raw samples kept
#[derive(Debug, clap::Args)]
#[command(disable_version_flag = true)]
pub struct Args {
    /// The version label (default: package version and commit)
    #[arg(value_name = "VERSION")]
    label: Option<String>,
    /// The version label, as a flag
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Seconds that the samples must sum to (default: 60; fewer need --approve-short)
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    duration: Option<Duration>,
    /// Approve fewer than 60 seconds; the reason is stored with the result
    #[arg(long, value_name = "WHY")]
    approve_short: Option<String>,
    /// Approve several benches in one baseline; the reason is stored with the result
    #[arg(long, value_name = "WHY")]
    expand: Option<String>,
    /// End a process that runs longer than this (default: ten times what is expected)
    #[arg(long, value_name = "SECONDS", value_parser = parse_timeout)]
    timeout: Option<Duration>,
    /// Fail at once when another benchmark holds the machine
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    cargo: CargoArgs,
}

/// What was asked, checked.
struct Request {
    label: Option<VersionLabel>,
    duration: RunDuration,
    expanded: Option<Waiver>,
    selection: Selection,
    patience: Patience,
    /// The arguments that a command printed for the user must repeat to mean the same.
    repeated: Vec<String>,
}

impl Args {
    fn request(&self, global: &Global) -> Result<Request, Failure> {
        let label = match (&self.label, &self.version) {
            (Some(a), Some(b)) if a != b => {
                return Err(Failure::usage(format!("two version labels were given: {a} and --version {b}"))
                    .hint("give one; `baseline V` and `baseline --version V` mean the same"));
            }
            (a, b) => a.as_deref().or(b.as_deref()).map(VersionLabel::new).transpose()?,
        };
        let duration = RunDuration::new(self.duration, self.approve_short.as_deref().map(waiver))?;
        if self.expand.as_ref().is_some_and(|text| text.trim().is_empty()) {
            return Err(Failure::usage("--expand needs a reason, which is stored with the result"));
        }
        let short = self.approve_short.as_ref().zip(self.duration);
        let short = short.map(|(why, time)| {
            vec!["--approve-short".into(), why.clone(), "--duration".into(), time.as_secs_f64().to_string()]
        });
        let flags = self.cargo.flags(global).building();
        let label_word = label.iter().map(|label: &VersionLabel| label.to_string());
        let repeated =
            label_word.chain(global.repeated()).chain(flags).chain(short.into_iter().flatten()).collect();
        Ok(Request {
            label,
            repeated,
            duration,
            expanded: self.expand.as_deref().map(waiver),
            selection: self.choice.selection(),
            patience: if self.no_wait { Patience::NoWait } else { Patience::Wait },
        })
    }
}

fn waiver(text: &str) -> Waiver {
    Waiver { who: host::user(), text: text.to_owned(), when: clock::now_rfc3339() }
}

/// Answers the command.
pub fn run(
    args: &Args,
    global: &Global,
    interrupt: &Interrupt,
    printer: &mut Printer,
) -> Result<Reply, Failure> {
    let request = args.request(global)?;
    let session = Session::open(global)?;
    let shown = printer.shares_stderr();
    let flags = args.cargo.flags(global);
    let mut lab = Lab::new(session.cwd.clone(), flags, args.timeout, shown, interrupt, printer)?;
    if let Some(warning) = &session.layout.warning {
        lab.report(Event::Warning { text: warning.clone() });
    }
    let head = git::head(&session.layout.root, &session.layout.folder);
    let workspace = lab.discover()?;
    let label = match &request.label {
        Some(label) => label.clone(),
        None => default_label(&workspace, &request.selection, head.as_ref())?,
    };
    baselines::prove_storable(&session.layout, &label)?;
    let catalogue = lab.catalogue(workspace, &request.selection)?;
    let entries = catalogue.filtered(&request.selection)?;
    if let Some(refusal) = narrow_first(&entries, &request) {
        return Ok(refusal);
    }
    refuse_unmeasurable(&entries)?;
    let job = Job { request: &request, label: &label, layout: &session.layout, entries: &entries, global };
    let measured = job.measure(&mut lab, &catalogue.workspace, head)?;
    let previous = baselines::load(&session.layout, &label).ok();
    let applied = advance(&session.layout, outcome(measured))?;
    reply(applied, previous.map(|previous| previous.recorded_at).as_deref(), &session.layout)
}

/// Package version and commit; the version of the workspace when several packages are meant.
fn default_label(
    workspace: &Workspace,
    selection: &Selection,
    head: Option<&git::Head>,
) -> Result<VersionLabel, Failure> {
    let targets = workspace.select(selection)?;
    let version = match targets.first() {
        Some(first) if targets.iter().all(|target| target.package == first.package) => &first.package_version,
        _ => &workspace.version,
    };
    VersionLabel::of_commit(version, head.map(git::Head::short), head.is_some_and(|head| head.dirty))
}

/// Rule 4: one bench unless more were approved.
fn narrow_first(entries: &[&Entry], request: &Request) -> Option<Reply> {
    if entries.len() == 1 || request.expanded.is_some() {
        return None;
    }
    let benchmarks: Vec<&Benchmark> = entries.iter().map(|entry| &entry.benchmark).collect();
    let each = plan::typical_wall(&request.duration);
    let command = |benchmark: &Benchmark| listing::command(benchmark, &request.repeated);
    let all = each.as_secs_f64() * entries.len() as f64;
    let failure = match &request.selection.filter {
        None => Failure::new(FailureKind::Blocked, format!("{} benchmarks could be meant", entries.len()))
            .hint("choose one with --filter ID"),
        Some(filter) => Failure::new(
            FailureKind::Rule,
            format!("rule 4 (narrow first) refuses {} benchmarks at once: {filter}", entries.len()),
        )
        .hint(format!(
            "choose one, or approve all (about {} min) with --expand \"why\"",
            (all / 60.0).ceil()
        )),
    };
    let mut reply = Reply::failed("baseline", Some(Phase::Baseline), failure);
    reply.text = listing::commands(benchmarks.iter().map(|benchmark| command(benchmark)), each);
    reply.status = Status::Blocked;
    reply.next = Some(NextStep::Question("which benchmark? choose one with --filter ID".to_owned()));
    reply.result = json!({
        "benches": benchmarks
            .iter()
            .map(|benchmark| listing::benchmark_json(benchmark, &command(benchmark), each))
            .collect::<Vec<_>>(),
    });
    Some(reply)
}

fn refuse_unmeasurable(entries: &[&Entry]) -> Result<(), Failure> {
    match entries.iter().find(|entry| entry.benchmark.harness != HarnessKind::Criterion) {
        None => Ok(()),
        Some(entry) => Err(Failure::environment(format!(
            "{} is a {} benchmark, which this version cannot measure",
            entry.benchmark.name,
            entry.benchmark.harness.name()
        ))
        .hint("criterion benches can be measured; `cargo perf list` shows what each bench target is")),
    }
}

/// Everything that is settled before measuring starts.
struct Job<'a> {
    request: &'a Request,
    label: &'a VersionLabel,
    layout: &'a Layout,
    entries: &'a [&'a Entry],
    global: &'a Global,
}

impl Job<'_> {
    fn measure(
        &self,
        lab: &mut Lab<'_>,
        workspace: &Workspace,
        head: Option<git::Head>,
    ) -> Result<Measured, Failure> {
        let run = clock::run_id();
        let runs = workspace.target_directory.join("perf/runs");
        files::forget_unused(&runs, files::UNUSED);
        let folder = runs.join(&run);
        let duration = &self.request.duration;
        if self.entries.len() > 1 {
            lab.report(Event::Planned {
                benches: self.entries.len(),
                measured_s: duration.measured().as_secs_f64(),
                wall_s: Some(plan::typical_wall(duration).as_secs_f64() * self.entries.len() as f64),
                forks: None,
            });
        }
        let slot = self.take_machine(lab, &run)?;
        let checkout =
            Checkout { dirty: head.as_ref().map(|head| head.dirty), commit: head.map(|head| head.commit) };
        let environment = lab.environment(workspace, checkout, slot.waited)?;
        let mut benches = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let bench_folder = folder.join(format!("bench-{}", index + 1));
            let series = lab.measure(entry, duration, &slot, &bench_folder);
            benches.push(series.map_err(|failure| with_kept(failure, &bench_folder, &self.layout.root))?);
        }
        Ok(Measured {
            label: self.label.clone(),
            command: super::own_command(),
            repeated: self.global.repeated(),
            duration: duration.clone(),
            expanded: self.request.expanded.clone(),
            environment,
            benches,
            recorded_at: clock::now_rfc3339(),
            file: files::relative(&self.layout.baseline(self.label), &self.layout.root),
        })
    }

    fn take_machine(&self, lab: &mut Lab<'_>, run: &str) -> Result<Slot, Failure> {
        let doing = format!("cargo perf baseline of {}", self.entries[0].benchmark.name);
        let interrupt = lab.interrupt;
        Slot::acquire(run, &doing, self.request.patience, interrupt, |holder, waited| {
            lab.report(Event::WaitingForMachine {
                holder: holder.map(Holder::describe),
                seconds: waited.as_secs_f64(),
            });
        })
    }
}

/// Whatever was measured before a failure is named, so that nothing is lost.
fn with_kept(failure: Failure, folder: &Path, root: &Path) -> Failure {
    let forks = folder.join("forks.jsonl");
    if failure.hint.is_some() || !forks.exists() {
        return failure;
    }
    failure.hint(format!("the forks measured so far are kept in {}", files::relative(&forks, root)))
}

fn reply(applied: Applied, replaced: Option<&str>, layout: &Layout) -> Result<Reply, Failure> {
    let Applied { outcome, baseline_file } = applied;
    let missing = || Failure::new(FailureKind::Bug, "a baseline phase stored no baseline");
    let baseline = outcome.baseline.ok_or_else(missing)?;
    let file: PathBuf = baseline_file.ok_or_else(missing)?;
    let shown = files::relative(&file, &layout.root);
    let mut text = rendered::benches(&baseline);
    if let Some(before) = replaced {
        let _ = writeln!(text, "replaces the baseline of this version recorded at {before}");
    }
    let _ = writeln!(text, "stored in {shown} ({})", layout.reason);
    text.push_str("no investigation is open, so nothing was logged and nothing committed\n");
    Ok(Reply {
        command: "baseline",
        phase: Some(outcome.phase),
        status: outcome.status,
        baseline: Some(baseline.version.clone()),
        findings: outcome.findings,
        next: Some(outcome.next),
        result: json!({
            "file": shown,
            "state": {"reason": layout.reason},
            "investigation": null,
            "replaced": replaced,
            "duration": baseline.duration,
            "benches": baseline.benches.iter().map(rendered::series_json).collect::<Vec<_>>(),
        }),
        text,
        failure: None,
    })
}
