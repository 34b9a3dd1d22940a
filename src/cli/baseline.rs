//! `cargo perf baseline`.

use super::arguments::Global;
use super::asked::BenchArgs;
use super::choosing::Chosen;
use super::detach;
use super::emit::Printer;
use super::investigating::{self, InvestigationArgs};
use super::measuring::Measuring;
use super::narrowing;
use super::session::Session;
use super::within::Within;
use super::workplace::{self, Workplace};
use crate::bench::discover::Workspace;
use crate::bench::selection::Selection;
use crate::failure::{Failure, FailureKind};
use crate::git;
use crate::investigation::advance::{Applied, advance};
use crate::investigation::baseline::{self as phase, Measured};
use crate::lab::catalogue::Entry;
use crate::lab::facts::Checkout;
use crate::lab::{Lab, plan};
use crate::model::bench::Benchmark;
use crate::model::event::Event;
use crate::model::investigation::Effect;
use crate::model::label::VersionLabel;
use crate::model::outcome::Phase;
use crate::report::baseline as rendered;
use crate::report::reply::{End, Reply};
use crate::store::baselines;
use crate::store::runs::Planned;
use crate::sys::interrupt::Interrupt;
use crate::sys::{clock, files, host};
use serde_json::json;
use std::fmt::Write;
use std::path::PathBuf;

/// Measure a baseline: at least 60 s of samples, in many short processes, raw samples kept
#[derive(Debug, clap::Args)]
#[command(disable_version_flag = true)]
pub struct Args {
    /// The version label (default: that of setup, or package version and commit)
    #[arg(value_name = "VERSION")]
    label: Option<String>,
    /// The version label, as a flag
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    #[command(flatten)]
    bench: BenchArgs,
    #[command(flatten)]
    investigation: InvestigationArgs,
}

/// What was asked, checked.
struct Request {
    label: Option<VersionLabel>,
    /// The flags, with those of setup where none were given.
    bench: BenchArgs,
    measuring: Measuring,
    chosen: Chosen,
    /// The arguments that a command printed for the user must repeat to mean the same.
    repeated: Vec<String>,
    /// The investigation it belongs to.
    within: Option<Within>,
}

impl Args {
    /// The baseline of an investigation, with the label of setup.
    pub fn within(bench: BenchArgs, investigation: InvestigationArgs) -> Self {
        Self { label: None, version: None, bench, investigation }
    }

    fn request(&self, global: &Global, session: &Session) -> Result<Request, Failure> {
        let given = self.label()?;
        let within = Within::find(session, &self.investigation, Phase::Baseline)?;
        let before = within.as_ref().map(|within| &within.benchmark);
        let (bench, directory) = self.bench.meant(before, session)?;
        let label = match &within {
            Some(within) => Some(within.label(given)?),
            None => given,
        };
        let measuring = bench.measuring.checked(&session.config)?;
        let chosen = bench.chosen(global, session, &directory)?;
        let label_word = label.iter().map(ToString::to_string);
        let flags = bench.cargo.flags(global).building();
        let repeated =
            label_word.chain(global.repeated()).chain(flags).chain(bench.measuring.repeated()).collect();
        Ok(Request { label, bench, measuring, chosen, repeated, within })
    }

    fn label(&self) -> Result<Option<VersionLabel>, Failure> {
        match (&self.label, &self.version) {
            (Some(a), Some(b)) if a != b => {
                Err(Failure::usage(format!("two version labels were given: {a} and --version {b}"))
                    .hint("give one; `baseline V` and `baseline --version V` mean the same"))
            }
            (a, b) => a.as_deref().or(b.as_deref()).map(VersionLabel::new).transpose(),
        }
    }
}

impl Request {
    fn narrow(&self) -> narrowing::Asked<'_> {
        narrowing::Asked {
            command: ("baseline", Some(Phase::Baseline)),
            filter: self.chosen.selection.filter.as_deref(),
            expanded: Some(self.measuring.expanded.is_some()),
            each: plan::typical_wall(&self.measuring.demand.duration),
            repeated: &self.repeated,
        }
    }

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
        detach::Order { command: ("baseline", Some(Phase::Baseline)), label, planned, session }
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
    let mut request = args.request(global, &session)?;
    let mut lab = request.chosen.lab(&session, request.bench.measuring.timeout, interrupt, printer)?;
    // What cannot be stored is found out before anything is built, or even asked of cargo.
    if let Some(label) = &request.label {
        baselines::prove_storable(&session.layout, label)?;
    }
    if let Some(within) = &mut request.within {
        within.look(&session, interrupt)?;
    }
    let head = git::head(&session.layout.root, &session.layout.folder);
    // What cargo has to be asked for first takes too long for a call that is to return at once.
    if args.bench.measuring.detach && !request.chosen.is_external(&session) {
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
    let benchmarks: Vec<&Benchmark> = entries.iter().map(|entry| &entry.benchmark).collect();
    if let Some(refusal) = narrowing::refusal(&benchmarks, &request.narrow()) {
        return Ok(refusal);
    }
    if let Some(within) = &request.within {
        within.expect_same(&entries, request.measuring.expanded.is_some())?;
    }
    request.bench.measuring.expect_possible(&entries)?;
    request.bench.cargo.expect_builds(&entries)?;
    if args.bench.measuring.detach {
        return detach::start(&request.order(&session), interrupt);
    }
    let job = Job { args, request: &request, label: &label, session: &session, entries: &entries, global };
    job.carry_out(&mut lab, catalogue.workspace.as_ref(), head.as_ref())
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

/// Everything that is settled before measuring starts.
struct Job<'a> {
    args: &'a Args,
    request: &'a Request,
    label: &'a VersionLabel,
    session: &'a Session,
    entries: &'a [&'a Entry],
    global: &'a Global,
}

impl Job<'_> {
    /// Measures and stores, and holds the machine until all of it is done.
    fn carry_out(
        &self,
        lab: &mut Lab<'_>,
        workspace: Option<&Workspace>,
        head: Option<&git::Head>,
    ) -> Result<Reply, Failure> {
        let measuring = &self.request.measuring;
        self.announce(lab);
        let place = Workplace::take(
            lab,
            self.session,
            self.global,
            workspace,
            ("baseline", self.entries[0]),
            measuring.patience,
        )?;
        let standing = Within::standing(self.request.within.as_ref(), self.session)?;
        let measured = self.measure(lab, &place, workspace, head)?;
        let previous = baselines::load(&self.session.layout, self.label).ok();
        let approvals = phase::approvals(&measured);
        let investigation = &self.args.investigation;
        let interrupt = lab.interrupt;
        let desk =
            investigating::desk(self.session, standing, investigation, approvals, &place.slot, interrupt);
        let applied = advance(&desk, phase::outcome(measured))?;
        self.reply(&applied, previous.map(|previous| previous.recorded_at).as_deref())
    }

    fn announce(&self, lab: &mut Lab<'_>) {
        let duration = &self.request.measuring.demand.duration;
        if self.entries.len() > 1 {
            lab.report(Event::Planned {
                benches: self.entries.len(),
                measured_s: duration.measured().as_secs_f64(),
                wall_s: Some(plan::typical_wall(duration).as_secs_f64() * self.entries.len() as f64),
                forks: None,
            });
        }
    }

    fn measure(
        &self,
        lab: &mut Lab<'_>,
        place: &Workplace,
        workspace: Option<&Workspace>,
        head: Option<&git::Head>,
    ) -> Result<Measured, Failure> {
        let started_at = clock::now_rfc3339();
        let measuring = &self.request.measuring;
        let checkout =
            Checkout { dirty: head.map(|head| head.dirty), commit: head.map(|head| head.commit.clone()) };
        let mut environment = lab.environment(workspace, checkout, place.slot.waited)?;
        if let Some(external) = self.entries.iter().find_map(|entry| entry.as_external()) {
            environment.build.runtime = lab.runtime_of(external)?;
        }
        environment.context.doctor = Some(workplace::probe(lab, measuring.noise_accepted.is_some())?);
        let root = &self.session.layout.root;
        let mut benches = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let folder = place.folder.join(format!("bench-{}", index + 1));
            let series = lab.measure(entry, &measuring.demand, &place.slot, &folder);
            benches.push(
                series.map_err(|failure| workplace::with_kept(failure, &folder.join("forks.jsonl"), root))?,
            );
        }
        let within = self.request.within.as_ref();
        let tree = within.map(|within| within.tree(self.session, lab.interrupt)).transpose()?;
        // An investigation has refused that; elsewhere the numbers may be wanted all the same.
        if head.is_some() && git::head(root, &self.session.layout.folder).as_ref() != head {
            environment.context.dirty = Some(true);
            let text = "the sources were changed while it was measured, so the baseline is of no commit";
            lab.report(Event::Warning { text: text.to_owned() });
        }
        Ok(Measured {
            label: self.label.clone(),
            command: super::stored_command(root),
            repeated: self.global.repeated(),
            duration: measuring.demand.duration.clone(),
            expanded: measuring.expanded.clone(),
            noise_accepted: measuring.noise_accepted.clone(),
            tree,
            environment,
            benches,
            user: host::user(),
            started_at,
            recorded_at: clock::now_rfc3339(),
            file: files::relative(&self.session.layout.baseline(self.label), root),
        })
    }

    fn reply(&self, applied: &Applied, replaced: Option<&str>) -> Result<Reply, Failure> {
        let layout = &self.session.layout;
        let missing = || Failure::new(FailureKind::Bug, "a baseline phase stored no baseline");
        let file: &PathBuf = applied.baseline_file.as_ref().ok_or_else(missing)?;
        let Effect::Baseline(baseline) = &applied.outcome.effect else { return Err(missing()) };
        let shown = files::relative(file, &layout.root);
        let mut text = rendered::benches(baseline);
        if let Some(before) = replaced {
            let _ = writeln!(text, "replaces the baseline of this version recorded at {before}");
        }
        let _ = writeln!(text, "stored in {shown} ({})", layout.reason);
        let (status, next) = if let Some(noted) = &applied.noted {
            text.push_str(&investigating::noted_text(noted));
            investigating::standing(&noted.investigation, self.global)
        } else {
            text.push_str("no investigation is open, so nothing was logged and nothing committed\n");
            (applied.outcome.status, applied.outcome.next.clone())
        };
        Ok(Reply {
            command: "baseline",
            phase: Some(applied.outcome.phase),
            status,
            baseline: Some(baseline.version.clone()),
            findings: applied.outcome.findings.clone(),
            next: Some(next),
            result: json!({
                "file": shown,
                "state": {"reason": layout.reason},
                "investigation": investigating::noted_json(applied),
                "replaced": replaced,
                "duration": baseline.duration,
                "benches": baseline.benches.iter().map(rendered::series_json).collect::<Vec<_>>(),
            }),
            text,
            end: End::Done,
        })
    }
}
