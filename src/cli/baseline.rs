//! `cargo perf baseline`.

use super::arguments::{CargoArgs, Choice, Global};
use super::choosing::{self, Chosen};
use super::detach;
use super::emit::Printer;
use super::measuring::{CommandArgs, Measuring, MeasuringArgs};
use super::session::Session;
use crate::bench::discover::Workspace;
use crate::bench::selection::Selection;
use crate::failure::{Failure, FailureKind};
use crate::git;
use crate::investigation::advance::{Applied, advance};
use crate::investigation::baseline::{Measured, outcome};
use crate::lab::catalogue::Entry;
use crate::lab::facts::Checkout;
use crate::lab::preflight::Order;
use crate::lab::{Lab, plan};
use crate::model::bench::Benchmark;
use crate::model::event::Event;
use crate::model::label::VersionLabel;
use crate::model::outcome::{NextStep, Phase, Status};
use crate::model::rules::Rule;
use crate::report::reply::{End, Reply};
use crate::report::{baseline as rendered, listing};
use crate::store::baselines;
use crate::store::layout::Layout;
use crate::store::runs::Planned;
use crate::sys::interrupt::Interrupt;
use crate::sys::slot::{Holder, Slot};
use crate::sys::{clock, files, host};
use serde_json::json;
use std::fmt::Write;
use std::path::{Path, PathBuf};

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
    #[command(flatten)]
    measuring: MeasuringArgs,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    command: CommandArgs,
    #[command(flatten)]
    cargo: CargoArgs,
}

/// What was asked, checked.
struct Request {
    label: Option<VersionLabel>,
    measuring: Measuring,
    chosen: Chosen,
    /// The arguments that a command printed for the user must repeat to mean the same.
    repeated: Vec<String>,
}

impl Args {
    fn request(&self, global: &Global, session: &Session) -> Result<Request, Failure> {
        let label = match (&self.label, &self.version) {
            (Some(a), Some(b)) if a != b => {
                return Err(Failure::usage(format!("two version labels were given: {a} and --version {b}"))
                    .hint("give one; `baseline V` and `baseline --version V` mean the same"));
            }
            (a, b) => a.as_deref().or(b.as_deref()).map(VersionLabel::new).transpose()?,
        };
        let measuring = self.measuring.checked(&session.config)?;
        let mut chosen = Chosen::new(&self.choice, &self.cargo, global, session)?;
        if let Some(external) = self.command.external(&session.cwd)? {
            chosen.selection = Selection { filter: Some(external.id.clone()), ..Selection::default() };
            chosen.externals = vec![external];
        }
        let label_word = label.iter().map(|label: &VersionLabel| label.to_string());
        let repeated = label_word
            .chain(global.repeated())
            .chain(self.cargo.flags(global).building())
            .chain(self.measuring.repeated())
            .collect();
        Ok(Request { label, measuring, chosen, repeated })
    }
}

impl Request {
    /// What is asked, to be done by a process of its own.
    fn order<'a>(&self, session: &'a Session) -> detach::Order<'a> {
        let demand = &self.measuring.demand;
        // How long a program runs by itself nobody knows before it has run.
        let planned = if demand.runs.is_some() {
            Planned::default()
        } else {
            Planned {
                measured_s: Some(demand.duration.measured().as_secs_f64()),
                wall_s: Some(plan::typical_wall(&demand.duration).as_secs_f64()),
            }
        };
        let label = self.label.as_ref().map(ToString::to_string);
        detach::Order { command: ("baseline", Phase::Baseline), label, planned, session }
    }
}

/// Answers the command.
pub fn run(
    args: &Args,
    global: &Global,
    interrupt: &Interrupt,
    printer: &mut Printer,
) -> Result<Reply, Failure> {
    let session = Session::open(global)?;
    let request = args.request(global, &session)?;
    let shown = printer.shares_stderr();
    let flags = request.chosen.flags.clone();
    let timeout = args.measuring.timeout.or(session.config.defaults.timeout);
    let mut lab = Lab::new(session.cwd.clone(), flags, timeout, shown, interrupt, printer)?;
    choosing::warn(&mut lab, &session);
    let head = git::head(&session.layout.root, &session.layout.folder);
    // What cannot be stored is found out before anything is built, or even asked of cargo.
    if let Some(label) = &request.label {
        baselines::prove_storable(&session.layout, label)?;
    }
    // What cargo has to be asked for first takes too long for a call that is to return at once.
    if args.measuring.detach && !request.chosen.is_external(&session) {
        return detach::start(&request.order(&session), interrupt);
    }
    let workspace = request.chosen.workspace(&mut lab, &session)?;
    let label = if let Some(label) = &request.label {
        label.clone()
    } else {
        let label = default_label(workspace.as_ref(), &request.chosen.selection, head.as_ref())?;
        baselines::prove_storable(&session.layout, &label)?;
        label
    };
    let catalogue = request.chosen.catalogue(&mut lab, workspace)?;
    let entries = catalogue.filtered(&request.chosen.selection)?;
    if let Some(refusal) = narrow_first(&entries, &request) {
        return Ok(refusal);
    }
    args.measuring.expect_possible(&entries)?;
    args.cargo.expect_builds(&entries)?;
    if args.measuring.detach {
        return detach::start(&request.order(&session), interrupt);
    }
    let job = Job { request: &request, label: &label, layout: &session.layout, entries: &entries, global };
    let measured = job.measure(&mut lab, catalogue.workspace.as_ref(), head)?;
    let previous = baselines::load(&session.layout, &label).ok();
    let applied = advance(&session.layout, outcome(measured))?;
    reply(applied, previous.map(|previous| previous.recorded_at).as_deref(), &session.layout)
}

/// Package version and commit; the version of the workspace when several packages are meant, the commit
/// alone where there is no package.
fn default_label(
    workspace: Option<&Workspace>,
    selection: &Selection,
    head: Option<&git::Head>,
) -> Result<VersionLabel, Failure> {
    let version = workspace.map(|workspace| version_of(workspace, selection)).transpose()?;
    let dirty = head.is_some_and(|head| head.dirty);
    VersionLabel::of_commit(version.as_deref(), head.map(git::Head::short), dirty)
}

fn version_of(workspace: &Workspace, selection: &Selection) -> Result<String, Failure> {
    let targets = workspace.select(selection)?;
    Ok(match targets.first() {
        Some(first) if targets.iter().all(|target| target.package == first.package) => {
            first.package_version.clone()
        }
        _ => workspace.version.clone(),
    })
}

/// Rule 4: one bench unless more were approved.
fn narrow_first(entries: &[&Entry], request: &Request) -> Option<Reply> {
    if entries.len() == 1 || request.measuring.expanded.is_some() {
        return None;
    }
    let benchmarks: Vec<&Benchmark> = entries.iter().map(|entry| &entry.benchmark).collect();
    let each = plan::typical_wall(&request.measuring.demand.duration);
    let command = |benchmark: &Benchmark| listing::command(benchmark, &request.repeated);
    let all = each.as_secs_f64() * entries.len() as f64;
    let failure = match &request.chosen.selection.filter {
        None => Failure::new(FailureKind::Blocked, format!("{} benchmarks could be meant", entries.len()))
            .hint("choose one with --filter ID"),
        Some(filter) => Rule::NarrowFirst
            .refuses(format!("{} benchmarks at once: {filter}", entries.len()))
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
        workspace: Option<&Workspace>,
        head: Option<git::Head>,
    ) -> Result<Measured, Failure> {
        let run = self.global.run_id();
        let target =
            workspace.map_or_else(|| self.target_without_cargo(), |found| found.target_directory.clone());
        let runs = target.join("perf/runs");
        files::forget_unused(&runs, files::UNUSED);
        let folder = runs.join(&run);
        if let Some(supervised) = &self.global.supervised {
            supervised.keeps_traces_in(&folder)?;
        }
        let measuring = &self.request.measuring;
        let duration = &measuring.demand.duration;
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
        let mut environment = lab.environment(workspace, checkout, slot.waited)?;
        if let Some(external) = self.entries.iter().find_map(|entry| entry.as_external()) {
            environment.build.runtime = lab.runtime_of(external)?;
        }
        environment.context.doctor = Some(self.probe(lab)?);
        let mut benches = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let bench_folder = folder.join(format!("bench-{}", index + 1));
            let series = lab.measure(entry, &measuring.demand, &slot, &bench_folder);
            benches.push(series.map_err(|failure| with_kept(failure, &bench_folder, &self.layout.root))?);
        }
        Ok(Measured {
            label: self.label.clone(),
            command: super::own_command(),
            repeated: self.global.repeated(),
            duration: duration.clone(),
            expanded: measuring.expanded.clone(),
            noise_accepted: measuring.noise_accepted.clone(),
            environment,
            benches,
            user: host::user(),
            recorded_at: clock::now_rfc3339(),
            file: files::relative(&self.layout.baseline(self.label), &self.layout.root),
        })
    }

    /// Where traces go when there is no workspace to say so.
    fn target_without_cargo(&self) -> PathBuf {
        std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| self.layout.root.join("target"), |folder| self.layout.root.join(folder))
    }

    /// Looks whether the machine is fit to measure; what disturbs is a warning, what makes a measurement
    /// worthless refuses it. Returns the verdict.
    fn probe(&self, lab: &mut Lab<'_>) -> Result<String, Failure> {
        let found = lab.preflight(&Order::quick())?;
        for text in found.warnings() {
            lab.report(Event::Warning { text });
        }
        match found.refusal() {
            Some(failure) if self.request.measuring.noise_accepted.is_none() => Err(failure),
            _ => Ok(found.verdict.name().to_owned()),
        }
    }

    fn take_machine(&self, lab: &mut Lab<'_>, run: &str) -> Result<Slot, Failure> {
        let doing = format!("cargo perf baseline of {}", self.entries[0].benchmark.name);
        let interrupt = lab.interrupt;
        Slot::acquire(run, &doing, self.request.measuring.patience, interrupt, |holder, waited| {
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
        end: End::Done,
    })
}
