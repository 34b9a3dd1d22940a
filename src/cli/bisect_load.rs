//! `cargo perf bisect-load`.

use super::against::Against;
use super::arguments::Global;
use super::asked::BenchArgs;
use super::choosing::Chosen;
use super::detach;
use super::emit::Printer;
use super::investigating::{self, InvestigationArgs};
use super::load::{Compared, Load, LoadArgs};
use super::measuring::{Measuring, MeasuringArgs};
use super::narrowing;
use super::session::Session;
use super::within::Within;
use super::workplace::{self, Workplace};
use crate::bench::discover::Workspace;
use crate::condition::Condition;
use crate::failure::{Failure, FailureKind};
use crate::git;
use crate::git::clean::sources;
use crate::investigation::advance::{Applied, Standing, advance};
use crate::investigation::breaking_point::{self as phase, Searched};
use crate::lab::bisecting::{Bisected, Bisecting, Reference};
use crate::lab::catalogue::Entry;
use crate::lab::classify::Terms;
use crate::lab::facts::Checkout;
use crate::lab::metrics::declared;
use crate::lab::probing::{Probing, lasting};
use crate::lab::question::LoadQuestion;
use crate::lab::{Lab, plan};
use crate::model::bench::{Benchmark, HarnessKind};
use crate::model::duration::{PROBE, RunDuration};
use crate::model::event::Event;
use crate::model::investigation::BenchmarkRecord;
use crate::model::load::LoadTerms;
use crate::model::outcome::{NextStep, Phase, Status};
use crate::model::search::{ProbeRecord, SearchStatus};
use crate::model::units;
use crate::report::reply::{End, Reply};
use crate::report::search as rendered;
use crate::store::investigations;
use crate::store::probes::{self, ProbeLog};
use crate::store::runs::Planned;
use crate::sys::interrupt::Interrupt;
use crate::sys::{clock, files};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

/// The exit code of a search that has an answer, but not the one that was asked for.
const UNDECIDED: u8 = 4;

/// Find the load at which a benchmark breaks: the smallest that fails, with an interval that can be trusted
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    load: LoadArgs,
    #[command(flatten)]
    bench: BenchArgs,
    #[command(flatten)]
    investigation: InvestigationArgs,
}

/// A run may take this share more than it measures and warms up, to start and to end.
const STARTING_SHARE: u32 = 10;

/// What was asked, checked.
struct Request {
    /// The flags, with those of setup where none were given.
    bench: BenchArgs,
    measuring: Measuring,
    chosen: Chosen,
    /// How long a probe measures.
    probe: RunDuration,
    /// The arguments that a command printed for the user must repeat to mean the same.
    repeated: Vec<String>,
    /// The investigation it belongs to.
    within: Option<Within>,
}

impl Args {
    /// The search of an investigation, with what is declared of the load.
    ///
    /// # Errors
    /// `Bug` when no flags are not understood.
    pub fn within(bench: BenchArgs, investigation: InvestigationArgs) -> Result<Self, Failure> {
        Ok(Self { load: LoadArgs::usual()?, bench, investigation })
    }

    fn request(&self, global: &Global, session: &Session) -> Result<Request, Failure> {
        self.expect_suitable()?;
        let within = Within::find(session, &self.asked(session)?, Phase::BreakingPoint)?;
        let before = within.as_ref().map(|within| &within.benchmark);
        let (mut bench, directory) = self.bench.meant(before, session)?;
        let probe = probe_length(&self.bench.measuring, &bench.measuring)?;
        // A search sets load and length itself, whatever the baseline was measured with.
        (bench.measuring.duration, bench.measuring.approve_short) = (None, None);
        (bench.measuring.runs, bench.measuring.aggregate, bench.measuring.param_value) = (None, None, None);
        let mut measuring = bench.measuring.checked(&session.config)?;
        measuring.demand.duration = probe.clone();
        let chosen = bench.chosen(global, session, &directory)?;
        let flags = bench.cargo.flags(global).building();
        let repeated = global.repeated().into_iter().chain(flags).collect();
        // What was mistyped is found before anything is built.
        self.load.checked(&declared_before(&chosen, before))?;
        Ok(Request { bench, measuring, chosen, probe, repeated, within })
    }

    /// Where no investigation is open, it is a search that `--resume` goes on with, and nothing else.
    fn asked(&self, session: &Session) -> Result<InvestigationArgs, Failure> {
        let mut asked = self.investigation.clone();
        let current = investigations::current(&session.layout)?;
        let is_open = current.is_some_and(|stored| stored.investigation.is_live());
        asked.resume &= is_open || asked.id.is_some() || asked.phase.is_some();
        Ok(asked)
    }

    /// Refuses flags about what a search sets itself.
    fn expect_suitable(&self) -> Result<(), Failure> {
        let measuring = &self.bench.measuring;
        let given = [
            ("--runs", measuring.runs.is_some(), "each probe measures for a duration: --duration"),
            ("--param-value", measuring.param_value.is_some(), "give the range: --param-min and --param-max"),
        ];
        match given.into_iter().find(|(_, given, _)| *given) {
            Some((flag, _, hint)) => {
                Err(Failure::usage(format!("{flag} means nothing to a search for a load")).hint(hint))
            }
            None => Ok(()),
        }
    }
}

/// How long a probe measures: as said here; else as short as setup was approved to be, but never as long.
fn probe_length(own: &MeasuringArgs, meant: &MeasuringArgs) -> Result<RunDuration, Failure> {
    let is_own = own.duration.is_some() || own.approve_short.is_some();
    let asked = meant.duration.filter(|asked| is_own || *asked < PROBE);
    let is_short = asked.is_some_and(|asked| asked < PROBE);
    RunDuration::probe(asked, meant.short_waiver(is_own || is_short, is_short))
}

/// What is declared of the load of a benchmark that is known before anything is built.
fn declared_before(chosen: &Chosen, before: Option<&BenchmarkRecord>) -> LoadTerms {
    let named = chosen.selection.filter.as_deref();
    let external = chosen.externals.iter().find(|external| Some(external.id.as_str()) == named);
    let only = chosen.externals.first().filter(|_| named.is_none() && chosen.externals.len() == 1);
    let of_setup = before.and_then(|before| before.load.clone());
    external.or(only).map(|external| external.load.clone()).or(of_setup).unwrap_or_default()
}

impl Request {
    /// Refuses to end each probe before it is over.
    fn expect_patience(&self, entry: &Entry, timeout: Option<Duration>) -> Result<(), Failure> {
        let finish = self.probe.of_finish();
        let longest = lasting(entry, finish) + finish / STARTING_SHARE;
        match timeout.filter(|timeout| *timeout < longest) {
            None => Ok(()),
            Some(timeout) => Err(Failure::usage(format!(
                "a timeout of {} s would end the run behind the search, which takes up to {} s",
                units::plain(timeout.as_secs_f64()),
                units::plain(longest.as_secs_f64())
            ))
            .hint("give --timeout more, or leave it away here, in setup and in perf.toml")),
        }
    }

    fn narrow(&self) -> narrowing::Asked<'_> {
        narrowing::Asked {
            command: ("bisect-load", Some(Phase::BreakingPoint)),
            filter: self.chosen.selection.filter.as_deref(),
            expanded: None,
            each: plan::typical_wall(&self.probe),
            repeated: &self.repeated,
        }
    }

    /// What is asked, to be done by a process of its own.
    fn order<'a>(&self, session: &'a Session, most: usize) -> detach::Order<'a> {
        let measured = self.probe.measured().as_secs_f64() * most as f64;
        detach::Order {
            command: ("bisect-load", Some(Phase::BreakingPoint)),
            label: None,
            planned: Planned { measured_s: Some(measured), wall_s: Some(measured) },
            session,
        }
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
    if let Some(within) = &mut request.within {
        within.look(&session, interrupt)?;
    }
    let detach = args.bench.measuring.detach;
    if detach && !request.chosen.is_external(&session) {
        let load = args.load.checked(&LoadTerms::default())?;
        return detach::start(&request.order(&session, load.settings.most_probes), interrupt);
    }
    let workspace = request.chosen.workspace(&mut lab, &session)?;
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
    let entry = entries[0];
    expect_length(entry)?;
    request.expect_patience(entry, lab.timeout)?;
    let external = entry.as_external().map(|external| external.load.clone());
    let load = args.load.checked(&external.unwrap_or_default())?;
    if detach {
        return detach::start(&request.order(&session, load.settings.most_probes), interrupt);
    }
    let job = Job { args, request: &request, load: &load, session: &session, entry, global };
    job.carry_out(&mut lab, catalogue.workspace.as_ref())
}

/// Refuses a harness that cannot be told how long to measure.
fn expect_length(entry: &Entry) -> Result<(), Failure> {
    let Benchmark { name, harness, .. } = &entry.benchmark;
    if *harness == HarnessKind::Libtest {
        return Err(Failure::usage(format!(
            "{name} is a libtest bench, which cannot be told how long to run"
        ))
        .hint("search the load of a program, or of a bench on criterion, divan or perf-harness"));
    }
    Ok(())
}

/// Everything that is settled before the machine is taken.
struct Job<'a> {
    args: &'a Args,
    request: &'a Request,
    load: &'a Load,
    session: &'a Session,
    entry: &'a Entry,
    global: &'a Global,
}

/// What was attempted before, and where it goes on.
struct Kept {
    question: LoadQuestion,
    probes: Vec<ProbeRecord>,
    log: ProbeLog,
}

impl Job<'_> {
    /// Searches and stores, and holds the machine until all of it is done.
    fn carry_out(&self, lab: &mut Lab<'_>, workspace: Option<&Workspace>) -> Result<Reply, Failure> {
        let started_at = clock::now_rfc3339();
        let against =
            Against::find(self.load, &self.entry.benchmark.name, self.session, self.request.within.as_ref())?;
        let interrupted = self.interrupted(lab, workspace)?;
        self.announce(lab);
        let order = ("bisect-load", self.entry);
        let patience = self.request.measuring.patience;
        let place = match &interrupted {
            Some(folder) => Workplace::take_up(lab, self.global, folder, order, patience)?,
            None => Workplace::take(lab, self.session, self.global, workspace, order, patience)?,
        };
        let kept = interrupted.map(|folder| ProbeLog::resume::<LoadQuestion>(&folder)).transpose()?;
        let kept = kept.map(|(question, probes, log)| Kept { question, probes, log });
        let head = git::head(&self.session.layout.root, &self.session.layout.folder);
        let (standing, bisected) = self.search(lab, workspace, &place, against, kept, head.as_ref())?;
        let within = self.request.within.as_ref();
        let tree = within.map(|within| within.tree(self.session, lab.interrupt)).transpose()?;
        let searched = Searched {
            command: super::stored_command(&self.session.layout.root),
            bench: self.entry.benchmark.name.clone(),
            argv: self.entry.as_external().map(|external| external.argv.clone()),
            range: [self.load.parameter.min, self.load.parameter.max]
                .map(|load| self.load.parameter.text(load)),
            found: bisected.found,
            probes: bisected.probes,
            probe: self.request.probe.clone(),
            expanded: self.request.measuring.expanded.clone(),
            noise_accepted: self.request.measuring.noise_accepted.clone(),
            tree,
            commit: head.map(|head| head.commit),
            file: self.result_file(&place),
            started_at,
        };
        self.store(lab, &place, standing, searched)
    }

    /// Where the result is, relative to the root.
    fn result_file(&self, place: &Workplace) -> String {
        let layout = &self.session.layout;
        match &self.request.within {
            Some(_) => format!("{}#/breakingPoint", layout.shown_file(investigations::CURRENT)),
            None => files::relative(&place.folder.join(probes::FILE), &layout.root),
        }
    }

    /// The investigation that it belongs to.
    fn investigation(&self) -> Option<&str> {
        self.request.within.as_ref().map(|within| within.investigation().id.as_str())
    }

    /// The folder of the search that goes on.
    fn interrupted(
        &self,
        lab: &mut Lab<'_>,
        workspace: Option<&Workspace>,
    ) -> Result<Option<PathBuf>, Failure> {
        if !self.args.investigation.resume {
            return Ok(None);
        }
        let (bench, root) = (&self.entry.benchmark.name, &self.session.layout.root);
        let runs = workplace::runs(self.session, workspace);
        let found = probes::newest(&runs, |question: &LoadQuestion| {
            question.is_of(bench, root, self.investigation())
        });
        let nothing = || format!("no search of {bench} was interrupted here");
        if found.is_none() && self.request.within.is_none() {
            return Err(Failure::usage(nothing()).hint(
                "leave --resume away; a search that was interrupted leaves its probes in the target folder",
            ));
        }
        if found.is_none() {
            lab.report(Event::Notice { text: format!("{}, so this one begins", nothing()) });
        }
        Ok(found)
    }

    fn announce(&self, lab: &mut Lab<'_>) {
        let (probe, most) = (self.request.probe.measured(), self.load.settings.most_probes);
        let finish = self.request.probe.of_finish();
        let each = lasting(self.entry, probe) + self.load.pause(probe);
        let all = each * u32::try_from(most).unwrap_or(u32::MAX) + lasting(self.entry, finish);
        let text = format!(
            "plan: up to {} of {} s and a run of {} s, up to about {} in all; it ends as soon as the answer is certain enough",
            units::count(most, "probe"),
            units::plain(probe.as_secs_f64()),
            units::plain(finish.as_secs_f64()),
            units::duration(self.load.most_time.unwrap_or(all).min(all)),
        );
        lab.report(Event::Notice { text });
    }

    fn search(
        &self,
        lab: &mut Lab<'_>,
        workspace: Option<&Workspace>,
        place: &Workplace,
        against: Against,
        kept: Option<Kept>,
        head: Option<&git::Head>,
    ) -> Result<(Standing, Bisected), Failure> {
        let layout = &self.session.layout;
        let checkout =
            Checkout { dirty: head.map(|head| head.dirty), commit: head.map(|head| head.commit.clone()) };
        let environment = lab.environment(workspace, checkout, place.slot.waited)?;
        let stored = against.reference(&environment, self.entry.as_external().is_none())?;
        workplace::probe(lab, self.request.measuring.noise_accepted.is_some())?;
        let sources = sources(&layout.root, &layout.folder, lab.interrupt)?.map(|found| found.digest);
        let demand = &self.request.measuring.demand;
        let declared = declared(self.entry, demand);
        let measured_before = kept.as_ref().map(|kept| kept.question.baseline.clone());
        let baseline = stored.or(measured_before);
        let none = Reference::default();
        let known = baseline.as_ref().unwrap_or(&none);
        let terms = Terms {
            condition: self.load.condition.as_ref(),
            declared: &declared,
            baseline: &known.values,
            infra_exits: &self.load.infra_exits,
        };
        let probing = Probing {
            entry: self.entry,
            demand,
            variable: self.load.variable.as_deref(),
            slot: &place.slot,
            folder: &place.folder,
            terms: &terms,
        };
        let order = Bisecting {
            probing,
            parameter: &self.load.parameter,
            settings: &self.load.settings,
            probe: &self.request.probe,
            pause: self.load.pause(self.request.probe.measured()),
            most_time: self.load.most_time,
            accept_closed: self.load.accept_closed,
            baseline_noise: known.noise,
        };
        lab.try_load(&order)?;
        let measured = match (&self.load.compared, &baseline) {
            (Compared::At(at), None) => Some(lab.measure_at(&order, *at)?),
            _ => None,
        };
        let known = measured.as_ref().unwrap_or(known);
        if known.noise.is_none() && self.load.condition.as_ref().is_some_and(Condition::uses_baseline) {
            let text = "the baseline does not tell how well its values are known: the interval is the one for exactly these";
            lab.report(Event::Warning { text: text.to_owned() });
        }
        let terms = Terms { baseline: &known.values, ..terms };
        let probing = Probing { terms: &terms, ..probing };
        let order = Bisecting { probing, baseline_noise: known.noise, ..order };
        let question = LoadQuestion::of(
            &order,
            &self.load.compared.origin(),
            (&layout.root, self.investigation()),
            sources,
            (environment.identity, environment.machine),
        );
        let (probes, mut log) = match kept {
            Some(kept) => {
                question.expect_same(&kept.question)?;
                (kept.probes, kept.log)
            }
            None => (Vec::new(), ProbeLog::create(&place.folder, &question)?),
        };
        let standing = Within::standing(self.request.within.as_ref(), self.session)?;
        let bisected = lab.bisect(&order, probes, &mut log).map_err(with_resumption)?;
        Ok((standing, bisected))
    }

    /// Stores what was found where it is an answer, and says it.
    fn store(
        &self,
        lab: &mut Lab<'_>,
        place: &Workplace,
        standing: Standing,
        searched: Searched,
    ) -> Result<Reply, Failure> {
        let log = files::relative(&place.folder.join(probes::FILE), &self.session.layout.root);
        let (found, status) = (searched.found.clone(), searched.found.status);
        let mut text = rendered::text(&found, &searched.probes);
        let _ = writeln!(text, "every probe is in {log}");
        let result = json!({"search": rendered::json(&found, &searched.probes), "log": log});
        if !found.is_answer() {
            let mut reply = unanswered(status, &rendered::answer(&found));
            (reply.text, reply.result) = (text, result);
            reply.phase = Some(Phase::BreakingPoint);
            let baseline = self.request.within.as_ref().and_then(|within| within.investigation().baseline());
            reply.baseline = baseline.map(|baseline| baseline.version.clone());
            reply.findings = phase::findings(&Searched { file: log, ..searched });
            return Ok(reply);
        }
        let applied = self.apply(lab, place, standing, searched)?;
        if status != SearchStatus::Budget
            && let Err(failure) = probes::close(&place.folder)
        {
            // It is stored; at worst --resume finds its answer once more.
            lab.report(Event::Warning { text: failure.message });
        }
        let mut reply = investigating::reply("bisect-load", text, result, &applied, self.global);
        if applied.noted.is_none() {
            reply.text.push_str("no investigation is open, so nothing was logged and nothing committed\n");
        }
        if status != SearchStatus::Found && status != SearchStatus::MaxPasses {
            reply.end = End::Alarm(UNDECIDED);
        }
        Ok(reply)
    }

    fn apply(
        &self,
        lab: &mut Lab<'_>,
        place: &Workplace,
        standing: Standing,
        searched: Searched,
    ) -> Result<Applied, Failure> {
        let approvals = phase::approvals(&searched);
        let (args, interrupt) = (&self.args.investigation, lab.interrupt);
        let desk = investigating::desk(self.session, standing, args, approvals, &place.slot, interrupt);
        advance(&desk, phase::outcome(searched))
    }
}

/// The end of a search that says nothing of the load.
fn unanswered(status: SearchStatus, answer: &str) -> Reply {
    let (kind, hint) = match status {
        SearchStatus::MinFails => {
            (FailureKind::Blocked, "begin lower with --param-min, or look why it fails there")
        }
        SearchStatus::GeneratorLimited => (
            FailureKind::Environment,
            "generate the load with more threads or from another machine, or stay below with --param-max",
        ),
        SearchStatus::InfraError => (
            FailureKind::Benchmark,
            "mend that, and go on behind the probes so far with --resume; where a file of the project is changed \
             for it, search anew",
        ),
        SearchStatus::Drifted => {
            return undecided("search again while nothing else changes the speed of this machine");
        }
        _ => return undecided("grant it more with --resume: --max-probes, or --max-time"),
    };
    Reply::failed("bisect-load", None, Failure::new(kind, answer).hint(hint))
}

/// One that could have told something, and did not.
fn undecided(hint: &str) -> Reply {
    let plain = Reply::plain("bisect-load", String::new(), Value::Null);
    let next = Some(NextStep::Question(hint.to_owned()));
    Reply { status: Status::Blocked, next, end: End::Alarm(UNDECIDED), ..plain }
}

fn with_resumption(failure: Failure) -> Failure {
    match failure.hint {
        None => failure.hint("the same command with --resume goes on behind the probes so far"),
        Some(_) => failure,
    }
}
