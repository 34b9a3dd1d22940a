//! `cargo perf compare`.

use super::arguments::Global;
use super::asked::BenchArgs;
use super::choosing::Chosen;
use super::emit::Printer;
use super::interrupted::{self, Interrupted};
use super::measuring::Measuring;
use super::session::Session;
use super::sides::{Named, SideArgs};
use super::terms::{Alarm, TermsArgs};
use super::workplace::{self, Workplace};
use super::{detach, narrowing};
use crate::failure::Failure;
use crate::lab::comparing::{Compared, Comparing};
use crate::lab::contest::Contest;
use crate::lab::intent::Question;
use crate::lab::matching::{Matched, matched};
use crate::lab::side::{Ground, Ready, source_of};
use crate::lab::{Lab, plan, surroundings};
use crate::model::bench::Benchmark;
use crate::model::comparison::{Comparison, SCHEMA, SideName, Sides};
use crate::model::duration::parse_seconds;
use crate::model::environment::{Class, compare as differences};
use crate::model::event::Event;
use crate::model::format::CURRENT;
use crate::model::outcome::NextStep;
use crate::model::units;
use crate::report::comparison as rendered;
use crate::report::reply::{End, Reply};
use crate::store::checkouts::Checkouts;
use crate::store::comparisons;
use crate::store::layout::ProcessEnvironment;
use crate::store::runs::Planned;
use crate::sys::interrupt::Interrupt;
use crate::sys::{clock, files};
use serde_json::json;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Compare two revisions: both are built apart, measured in pairs, and judged
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    sides: SideArgs,
    #[command(flatten)]
    terms: TermsArgs,
    /// Go on with inconclusive results while all of it takes no longer than this
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds, help_heading = "Measuring")]
    max_time: Option<Duration>,
    /// Decides the order within pairs (default: drawn, and stored)
    #[arg(long, value_name = "NUMBER", help_heading = "Measuring")]
    seed: Option<u64>,
    /// Go on with a comparison that was interrupted: its id, or `last`
    #[arg(long, value_name = "RUN", help_heading = "Measuring", conflicts_with = "seed")]
    resume: Option<String>,
    /// Check out and build both sides below this folder, outside the repository
    #[arg(long, value_name = "DIR", help_heading = "Building both sides")]
    worktree_dir: Option<PathBuf>,
    /// Let cargo change a lock file that is out of date, instead of failing
    #[arg(long, help_heading = "Building both sides", conflicts_with = "locked")]
    relock: bool,
    /// Run this with sh in each checkout before it is built, for what git does not hold
    #[arg(long, value_name = "COMMAND", help_heading = "Building both sides")]
    prepare: Option<String>,
    #[command(flatten)]
    bench: BenchArgs,
}

/// What was asked, checked.
struct Request<'a> {
    args: &'a Args,
    session: &'a Session,
    measuring: Measuring,
    chosen: Chosen,
    named: Named,
    seed: u64,
    /// What goes on.
    interrupted: Option<Interrupted>,
    /// The arguments that a command printed for the user must repeat to mean the same.
    repeated: Vec<String>,
}

/// Answers the command.
pub fn run(
    args: &Args,
    global: &Global,
    interrupt: &Interrupt,
    printer: &mut Printer,
) -> Result<Reply, Failure> {
    let session = Session::open(global)?;
    let mut request = Request::new(args, global, &session, interrupt)?;
    let mut lab = request.chosen.lab(&session, args.bench.measuring.timeout, interrupt, printer)?;
    if args.bench.measuring.detach {
        return detach::start(&request.order(), interrupt);
    }
    // Asked in the work tree, so that what was mistyped costs no build.
    let workspace = request.chosen.workspace(&mut lab, &session)?;
    if let Some(workspace) = &workspace {
        workspace.select(&request.chosen.selection)?;
    }
    let runs = workplace::runs(&session, workspace.as_ref());
    request.take_up(&runs)?;
    let checkouts = request.checkouts(&mut lab)?;
    let ready = request.make_sides(&mut lab, &checkouts, workspace.is_some())?;
    let places = Sides { base: SideName::Base, candidate: SideName::Candidate };
    let places = places.map(|side| checkouts.of(side).checkout);
    request.named.notes.extend(surroundings::notes(request.named.source.work_tree(), &places));
    let catalogues = ready.as_ref().map(|ready| &ready.catalogue);
    let found = matched(&catalogues, &request.chosen.selection)?;
    let benchmarks: Vec<&Benchmark> = found.pairs.iter().map(|pair| &pair.candidate.benchmark).collect();
    if let Some(refusal) = narrowing::refusal(&benchmarks, &request.narrow()) {
        return Ok(refusal);
    }
    let entries: Vec<_> = found.pairs.iter().flat_map(|pair| [pair.base, pair.candidate]).collect();
    args.bench.measuring.expect_possible(&entries)?;
    args.bench.cargo.expect_builds(&entries)?;
    let order = ("compare", found.pairs[0].candidate);
    let patience = request.measuring.patience;
    let place = match &request.interrupted {
        Some(found) => Workplace::take_up(&mut lab, global, &found.folder, order, patience)?,
        None => Workplace::take(&mut lab, &session, global, workspace.as_ref(), order, patience)?,
    };
    let doctor = workplace::probe(&mut lab, request.measuring.noise_accepted.is_some())?;
    let compared = request.measure(&mut lab, &found, &place, &checkouts, &runs)?;
    let runtime = entries.iter().find_map(|entry| entry.as_external());
    let runtime = runtime.map(|external| lab.runtime_of(external)).transpose()?.flatten();
    let mut comparison = request.document(&ready, found, compared, &place);
    comparison.env.context.doctor = Some(doctor);
    comparison.env.build.runtime = runtime.or(comparison.env.build.runtime);
    request.reply(&comparison, &place)
}

impl<'a> Request<'a> {
    fn new(
        args: &'a Args,
        global: &'a Global,
        session: &'a Session,
        interrupt: &Interrupt,
    ) -> Result<Self, Failure> {
        let measuring = args.bench.measuring.checked(&session.config)?;
        let chosen = args.bench.chosen(global, session, &session.cwd)?;
        let named = args.sides.named(session, interrupt)?;
        let flags = args.bench.cargo.flags(global).building();
        let repeated = args
            .sides
            .words()
            .into_iter()
            .chain(global.repeated())
            .chain(flags)
            .chain(args.bench.measuring.repeated())
            .collect();
        let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
        Ok(Self { args, session, measuring, chosen, named, seed, interrupted: None, repeated })
    }

    /// Finds the comparison that is to go on, among those in the folder of all runs.
    fn take_up(&mut self, runs: &Path) -> Result<(), Failure> {
        if let Some(run) = &self.args.resume {
            let found = Interrupted::find(runs, run)?;
            self.seed = found.intent.seed;
            self.interrupted = Some(found);
        }
        Ok(())
    }

    /// What one comparison takes, roughly: both sides, and half as much again for what seems to have changed.
    fn typical_wall(&self) -> Duration {
        plan::typical_wall(&self.measuring.demand.duration) * 2
    }

    fn order(&self) -> detach::Order<'a> {
        let demand = &self.measuring.demand;
        let planned = if demand.runs.is_some() {
            Planned::default()
        } else {
            Planned {
                measured_s: Some(2.0 * demand.duration.measured().as_secs_f64()),
                wall_s: Some(self.typical_wall().as_secs_f64()),
            }
        };
        detach::Order { command: ("compare", None), label: None, planned, session: self.session }
    }

    fn narrow(&self) -> narrowing::Asked<'_> {
        narrowing::Asked {
            command: ("compare", None),
            filter: self.chosen.selection.filter.as_deref(),
            expanded: self.measuring.expanded.is_some(),
            each: self.typical_wall(),
            repeated: &self.repeated,
        }
    }

    fn checkouts(&self, lab: &mut Lab<'_>) -> Result<Checkouts, Failure> {
        let chosen = self.args.worktree_dir.as_ref().map(|folder| self.session.cwd.join(folder));
        let repository = self.named.source.work_tree();
        let (patience, interrupt) = (self.measuring.patience, lab.interrupt);
        let waiting = || {
            let text = "waiting for another comparison of this repository".to_owned();
            lab.report(Event::Notice { text });
        };
        Checkouts::take(repository, chosen.as_deref(), &ProcessEnvironment, patience, interrupt, waiting)
    }

    fn make_sides(
        &self,
        lab: &mut Lab<'_>,
        checkouts: &Checkouts,
        has_benches: bool,
    ) -> Result<Sides<Ready>, Failure> {
        let ground = Ground {
            source: &self.named.source,
            cwd: &self.session.cwd,
            flags: &self.chosen.flags,
            selection: &self.chosen.selection,
            externals: &self.chosen.externals,
            has_benches,
            relock: self.args.relock,
            prepare: self.args.prepare.as_deref(),
        };
        let mut lock_file = None;
        Sides::try_make(|side| {
            let (revision, berth) = (self.named.revisions.of(side), checkouts.of(side));
            let ready = lab.make_side(side, &ground, revision, &berth, lock_file.as_deref())?;
            lock_file.clone_from(&ready.lock_file);
            Ok(ready)
        })
    }

    fn measure(
        &self,
        lab: &mut Lab<'_>,
        found: &Matched<'_>,
        place: &Workplace,
        checkouts: &Checkouts,
        runs: &Path,
    ) -> Result<Compared, Failure> {
        let Sides { base, candidate } = &self.named.revisions;
        let candidate_files = checkouts.of(SideName::Candidate).checkout;
        let folders: Vec<PathBuf> =
            (1..=found.pairs.len()).map(|number| place.folder.join(format!("bench-{number}"))).collect();
        let contests = found.pairs.iter().zip(&folders).map(|(entries, folder)| {
            let source = source_of(entries.candidate, &candidate_files);
            let same = source.is_none_or(|path| self.named.source.is_same([base, candidate], &path));
            Contest {
                entries: *entries,
                demand: &self.measuring.demand,
                slot: &place.slot,
                folder,
                source_differs: !same,
            }
        });
        let order = Comparing {
            trees: self.named.revisions.as_ref().map(|revision| revision.tree.clone()),
            contests: contests.collect(),
            folder: &place.folder,
            earlier: self.interrupted.as_ref().map(|found| found.intent.clone()),
            view: self.args.terms.view(&self.session.config),
            terms: self.args.terms.terms(&self.session.config),
            seed: self.seed,
            budget: self.args.max_time,
        };
        if self.interrupted.is_none()
            && let Some(text) = interrupted::notice(runs, &Question::of(&order))
        {
            lab.report(Event::Notice { text });
        }
        lab.compare(&order).map_err(|failure| place.with_resumption(failure))
    }

    fn document(
        &self,
        ready: &Sides<Ready>,
        found: Matched<'_>,
        compared: Compared,
        place: &Workplace,
    ) -> Comparison {
        let mut notes = self.named.notes.clone();
        notes.extend(built_differently(ready));
        for side in SideName::BOTH {
            let own = &ready.of(side).notes;
            notes.extend(own.iter().map(|note| format!("{}: {note}", side.name())));
        }
        if compared.kept > 0 {
            let pairs = units::count(compared.kept, "pair");
            notes.push(format!("it was interrupted after {pairs}, and went on later"));
        }
        let left_out = found.left_out;
        let mut env = ready.candidate.environment.clone();
        env.context.lock_wait_s = place.slot.waited.as_secs_f64();
        Comparison {
            schema: SCHEMA.to_owned(),
            schema_version: CURRENT,
            id: place.run(),
            recorded_at: clock::now_rfc3339(),
            command: super::stored_command(&self.session.layout.root),
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            sides: ready.as_ref().map(|ready| ready.side.clone()),
            terms: compared.terms,
            seed: self.seed,
            duration: (&self.measuring.demand.duration).into(),
            expanded: self.measuring.expanded.clone(),
            noise_accepted: self.measuring.noise_accepted.clone(),
            env,
            notes,
            left_out,
            benches: compared.benches,
        }
    }

    fn reply(&self, comparison: &Comparison, place: &Workplace) -> Result<Reply, Failure> {
        let root = &self.session.layout.root;
        let file = files::relative(&comparisons::save(&place.folder, comparison)?, root);
        let mut text = rendered::text(comparison);
        let _ = writeln!(text, "everything measured is in {file}");
        let mut result = rendered::json(comparison);
        result["file"] = json!(file);
        let mut reply = Reply::plain("compare", text, result);
        reply.findings = rendered::findings(comparison, &file);
        let verify = ["cargo", "perf", "verify", &file].map(str::to_owned);
        reply.next = Some(NextStep::Argv(verify.to_vec()));
        if let Some(code) = Alarm::code(&self.args.terms.fail_on, comparison) {
            reply.end = End::Alarm(code);
        }
        Ok(reply)
    }
}

/// Settings of the build that differ between the sides, in words.
fn built_differently(ready: &Sides<Ready>) -> Vec<String> {
    let found = differences(&ready.base.environment, &ready.candidate.environment);
    // The flags for cargo are the same but for what a lock file needs, and unknown is not different.
    let counts = found
        .into_iter()
        .filter(|found| found.class == Class::Build && !found.unknown && found.field != "cargo_flags");
    counts
        .map(|found| {
            if found.field == "lockfile_sha256" {
                return "the lock files differ, so versions of dependencies may".to_owned();
            }
            let shown = |value: Option<String>| value.unwrap_or_default();
            format!(
                "{} differs: {} in the base, {} in the candidate",
                found.field,
                shown(found.a),
                shown(found.b)
            )
        })
        .collect()
}
