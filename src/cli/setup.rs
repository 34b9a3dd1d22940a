//! `cargo perf setup`.

use super::arguments::Global;
use super::asked::BenchArgs;
use super::choosing::Chosen;
use super::detach;
use super::emit::Printer;
use super::investigating::{self, InvestigationArgs};
use super::measuring::Measuring;
use super::session::Session;
use super::workplace::Workplace;
use crate::bench::discover::Workspace;
use crate::failure::{Failure, FailureKind};
use crate::git::checkpoint::{self, Foreseen, Order};
use crate::investigation::advance::{Applied, Standing, advance};
use crate::investigation::dossier::{self, Asked};
use crate::investigation::gate;
use crate::investigation::setup::{Checked, Draft, Settled, judged, lacks, outcome, with_unit};
use crate::lab::Lab;
use crate::lab::catalogue::{Entry, Program};
use crate::lab::trial::Tried;
use crate::model::event::Event;
use crate::model::investigation::{BenchmarkRecord, Effect, Investigation, check_id};
use crate::model::load::LoadTerms;
use crate::model::outcome::Phase;
use crate::report::investigation::meaning;
use crate::report::listing;
use crate::report::reply::{End, Reply};
use crate::store::investigations;
use crate::store::runs::Planned;
use crate::sys::interrupt::Interrupt;
use crate::sys::invocation::line;
use crate::sys::{clock, files};
use serde_json::{Map, json};
use std::fmt::Write;
use std::path::Path;

/// Begin an investigation: settle scenario, benchmark, metrics, success and version, and try it once
#[derive(Debug, clap::Args)]
#[command(disable_version_flag = true)]
pub struct Args {
    /// What should be faster, in which situation
    #[arg(long, value_name = "TEXT")]
    scenario: Option<String>,
    /// The condition under which it is fast enough, as in 'cost <= baseline * 0.9'
    #[arg(long, value_name = "CONDITION")]
    success: Option<String>,
    /// The label of the version that is measured
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    #[command(flatten)]
    bench: BenchArgs,
    #[command(flatten)]
    investigation: InvestigationArgs,
}

/// What setup works on.
struct Subject {
    /// The investigation before, when one is amended.
    before: Option<dossier::Found>,
    standing: Standing,
    id: String,
}

/// Answers the command.
pub fn run(
    args: &Args,
    global: &Global,
    interrupt: &Interrupt,
    printer: &mut Printer,
) -> Result<Reply, Failure> {
    let session = Session::open(global)?;
    args.expect_suitable()?;
    let asked = args.investigation.asked(Phase::Setup)?;
    let subject = Subject::choose(&session, &asked)?;
    let checked = args.draft(&subject, printer)?.checked()?;
    let before = subject.before.as_ref().and_then(|found| found.investigation.benchmark.as_ref());
    let (bench, directory) = args.bench.meant(before, &session)?;
    let measuring = bench.measuring.checked(&session.config)?;
    let chosen = bench.chosen(global, &session, &directory)?;
    let mut lab = chosen.lab(&session, bench.measuring.timeout, interrupt, printer)?;
    let job = Job { args, global, session: &session, subject: &subject, bench, measuring, checked };
    let place = job.announced(&mut lab)?;
    if args.bench.measuring.detach && !chosen.is_external(&session) {
        return detach::start(&job.detached(), interrupt);
    }
    let workspace = chosen.workspace(&mut lab, &session)?;
    let catalogue = chosen.catalogue(&mut lab, workspace)?;
    let entries = catalogue.filtered(&chosen.selection)?;
    let [entry] = entries.as_slice() else {
        return Ok(which(&entries, &chosen));
    };
    job.bench.measuring.expect_possible(&entries)?;
    job.bench.cargo.expect_builds(&entries)?;
    investigating::expect_no_secret(&entries)?;
    if args.bench.measuring.detach {
        return detach::start(&job.detached(), interrupt);
    }
    job.carry_out(&mut lab, entry, catalogue.workspace.as_ref(), place)
}

impl Args {
    /// Refuses flags about measurements that count: there is none here.
    fn expect_suitable(&self) -> Result<(), Failure> {
        let given = [
            ("--expand", self.bench.measuring.expand.is_some()),
            ("--accept-noise", self.bench.measuring.accept_noise.is_some()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            Some((flag, _)) => {
                Err(Failure::usage(format!("{flag} approves what is measured, and setup measures nothing"))
                    .hint(format!("give {flag} to `cargo perf baseline`")))
            }
            None => Ok(()),
        }
    }

    /// The terms from flags, from before, and from whoever sits at the terminal.
    fn draft(&self, subject: &Subject, printer: &mut Printer) -> Result<Draft, Failure> {
        let given = Draft {
            scenario: self.scenario.clone(),
            quote: self.investigation.quote.clone(),
            success: self.success.clone(),
            version: self.version.clone(),
        };
        let before = subject.before.as_ref().map(|found| Draft::of(&found.investigation));
        let mut draft = given.or(before.unwrap_or_default());
        for term in draft.missing() {
            match printer.ask(&format!("{} ({}): ", term.question(), term.flag()))? {
                Some(answer) => draft.set(term, answer),
                None => return Err(lacks(&draft.missing())),
            }
        }
        Ok(draft)
    }
}

impl Subject {
    /// Whether one is amended, or a new one begins.
    fn choose(session: &Session, asked: &Asked) -> Result<Self, Failure> {
        let layout = &session.layout;
        if asked.resume {
            let found = dossier::live(layout, asked)?.ok_or_else(dossier::nothing_open)?;
            let id = found.investigation.id.clone();
            if found.investigation.record(Phase::Baseline).is_some() {
                return Err(Failure::new(
                    FailureKind::Blocked,
                    format!("the terms of {id} are settled: its baseline is measured"),
                )
                .hint("begin another investigation beside it with --id NEW and without --resume"));
            }
            gate::pass(&found.investigation, Phase::Setup, &asked.skips)?;
            return Ok(Self { before: Some(found), standing: Standing::Within(id.clone()), id });
        }
        let current = investigations::current(layout)?.map(|stored| stored.investigation);
        if let Some(live) = current.as_ref().filter(|current| current.is_live() && asked.id.is_none()) {
            return Err(Failure::new(
                FailureKind::Blocked,
                format!("the investigation {} goes on: {} comes next", live.id, live.phase.name()),
            )
            .hint("continue it with `cargo perf next`, change its terms with --resume, or begin one beside it with --id NEW"));
        }
        let id = match &asked.id {
            Some(id) => id.clone(),
            None => format!("perf-{}", clock::run_id()),
        };
        check_id(&id)?;
        if investigations::exists(layout, &id) || current.is_some_and(|current| current.id == id) {
            return Err(Failure::usage(format!("there is an investigation {id} already"))
                .hint(format!("go on with it: --resume --id {id}, or choose another id")));
        }
        gate::pass(&Investigation::new(&id, ""), Phase::Setup, &asked.skips)?;
        Ok(Self {
            before: None,
            standing: Standing::Opens { id: id.clone(), beside: asked.id.is_some() },
            id,
        })
    }
}

/// Everything that is settled before anything is built.
struct Job<'a> {
    args: &'a Args,
    global: &'a Global,
    session: &'a Session,
    subject: &'a Subject,
    bench: BenchArgs,
    measuring: Measuring,
    checked: Checked,
}

impl Job<'_> {
    fn detached(&self) -> detach::Order<'_> {
        let label = Some(self.checked.version.to_string());
        detach::Order {
            command: ("setup", Some(Phase::Setup)),
            label,
            planned: Planned::default(),
            session: self.session,
        }
    }

    /// Says where state will go and which commits will be made, before any of it happens.
    fn announced(&self, lab: &mut Lab<'_>) -> Result<Vec<String>, Failure> {
        let layout = &self.session.layout;
        let folder = layout.shown();
        let id = &self.subject.id;
        let version = self.checked.version.as_str();
        let subject = checkpoint::subject(Phase::Setup.name(), id, Some(version), None);
        let reference = checkpoint::reference(id);
        let foreseen = checkpoint::foresee(&Order {
            root: &layout.root,
            state_folder: &layout.folder,
            subject: &subject,
            mode: self.args.investigation.mode(self.session),
            ref_name: &reference,
        })?;
        let commits = match foreseen {
            Foreseen::Commit { onto, signed, hooks_not_run, .. } => format!(
                "Commits: one per phase onto {onto}, holding {folder} and nothing else{}{}",
                if signed { ", signed" } else { "" },
                if hooks_not_run { "; hooks are not run for them" } else { "" },
            ),
            Foreseen::None(reason) => {
                format!("Commits: none, {} ({}); {}", reason.explanation(), reason.name(), reason.remedy())
            }
        };
        let place = vec![format!("State: {folder} ({})", layout.reason), commits];
        for line in &place {
            lab.report(Event::Notice { text: line.clone() });
        }
        Ok(place)
    }

    /// Tries the benchmark, settles the terms and stores them, and holds the machine until all of it is done.
    fn carry_out(
        &self,
        lab: &mut Lab<'_>,
        entry: &Entry,
        workspace: Option<&Workspace>,
        place: Vec<String>,
    ) -> Result<Reply, Failure> {
        let started_at = clock::now_rfc3339();
        let layout = &self.session.layout;
        let taken = ("setup", entry);
        let patience = self.measuring.patience;
        let work = Workplace::take(lab, self.session, self.global, workspace, taken, patience)?;
        let tried = lab.try_once(entry, &self.measuring.demand, &work.slot, &work.folder)?;
        let metrics = judged(&self.checked.condition, &tried, &entry.benchmark.name.to_string())?;
        if let Some(found) = &self.subject.before {
            found.make_current(layout)?;
        }
        let settled = Settled {
            checked: self.checked.clone(),
            metrics,
            benchmark: self.record(entry, &tried)?,
            tried: tried.clone(),
            command: line(&super::stored_command(&layout.root)),
            place,
            file: layout.shown_file(investigations::CURRENT),
            started_at,
        };
        let interrupt = lab.interrupt;
        let (standing, args) = (self.subject.standing.clone(), &self.args.investigation);
        let desk = investigating::desk(self.session, standing, args, Vec::new(), &work.slot, interrupt);
        let applied = advance(&desk, outcome(settled))?;
        self.reply(&applied, &tried)
    }

    fn record(&self, entry: &Entry, tried: &Tried) -> Result<BenchmarkRecord, Failure> {
        let arguments = self.bench.stored_words(entry, self.global)?;
        let demand = &self.measuring.demand;
        let root = &self.session.layout.root;
        let (command, argv, directory, env) = match &entry.program {
            Program::External(external) => (
                line(&external.argv),
                Some(external.argv.clone()),
                external.directory.clone(),
                external.env.keys().cloned().collect(),
            ),
            Program::Bench(_) => {
                let words =
                    ["cargo", "perf", "baseline"].into_iter().chain(arguments.iter().map(String::as_str));
                (line(&words.collect::<Vec<_>>()), None, self.session.cwd.clone(), Vec::new())
            }
        };
        let values: Map<String, _> =
            tried.metrics.iter().map(|(term, value)| (term.name.clone(), json!(value))).collect();
        Ok(BenchmarkRecord {
            command,
            version: self.checked.version.to_string(),
            duration: demand.runs.is_none().then(|| demand.duration.measured().as_secs_f64()),
            runs: demand.runs.map(|(runs, _)| runs),
            aggregate: demand.runs.map(|(_, aggregate)| aggregate),
            arguments,
            bench: Some(entry.benchmark.name.clone()),
            harness: Some(entry.benchmark.harness),
            argv,
            cwd: Some(below(&directory, root)),
            env,
            executable_sha256: tried.executable_sha256.clone(),
            load: entry
                .as_external()
                .map(|external| external.load.clone())
                .filter(|load| *load != LoadTerms::default()),
            tried: Some(json!({"metrics": values, "wallS": tried.wall_s})),
            other: Map::new(),
        })
    }

    fn reply(&self, applied: &Applied, tried: &Tried) -> Result<Reply, Failure> {
        let missing = || Failure::new(FailureKind::Bug, "setup stored no terms");
        let Effect::Terms(terms) = &applied.outcome.effect else { return Err(missing()) };
        let noted = applied.noted.as_ref().ok_or_else(missing)?;
        let mut text = format!("investigation {}: {}\n", noted.investigation.id, terms.scenario.description);
        let _ = writeln!(text, "success: {}", terms.scenario.success_criteria);
        for (term, value) in &tried.metrics {
            let judged = if terms.scenario.metrics.contains(term) { "" } else { " (not judged)" };
            let _ = writeln!(text, "metric {}: {}{judged}", meaning(term), with_unit(*value, term));
        }
        let layout = &self.session.layout;
        let _ = writeln!(text, "state in {} ({})", layout.shown(), layout.reason);
        text.push_str(&investigating::noted_text(noted));
        let (status, next) = investigating::standing(&noted.investigation, self.global);
        Ok(Reply {
            command: "setup",
            phase: Some(Phase::Setup),
            status,
            baseline: Some(terms.benchmark.version.clone()),
            findings: applied.outcome.findings.clone(),
            next: Some(next),
            result: json!({
                "investigation": investigating::noted_json(applied),
                "state": {"folder": layout.shown(), "reason": layout.reason},
                "scenario": terms.scenario,
                "benchmark": terms.benchmark,
            }),
            text,
            end: End::Done,
        })
    }
}

/// The folder relative to the root.
fn below(folder: &Path, root: &Path) -> String {
    let relative = files::relative(folder, root);
    if relative.is_empty() { ".".to_owned() } else { relative }
}

/// Rule 4: setup chooses one benchmark. Lists what could be meant.
fn which(entries: &[&Entry], chosen: &Chosen) -> Reply {
    let meant = chosen.selection.filter.as_deref().map(|filter| format!(" by {filter}")).unwrap_or_default();
    let failure =
        Failure::new(FailureKind::Blocked, format!("{} benchmarks could be meant{meant}", entries.len()))
            .hint("which one? choose it with --filter ID");
    let mut reply = Reply::failed("setup", Some(Phase::Setup), failure);
    for entry in entries {
        let _ = writeln!(reply.text, "{}", line(&listing::choice(&entry.benchmark.name)));
    }
    reply.result = json!({"benches": entries.iter().map(|entry| &entry.benchmark.name).collect::<Vec<_>>()});
    reply
}
