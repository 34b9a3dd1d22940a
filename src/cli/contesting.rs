//! Two sides that are checked out, built and measured in pairs, whatever that is for.

use super::arguments::Global;
use super::asked::BenchArgs;
use super::choosing::Chosen;
use super::interrupted::{self, Interrupted};
use super::measuring::Measuring;
use super::session::Session;
use super::sides::Named;
use super::workplace::{self, Workplace};
use crate::bench::discover::Workspace;
use crate::failure::Failure;
use crate::lab::comparing::{Compared, Comparing};
use crate::lab::contest::Contest;
use crate::lab::intent::Question;
use crate::lab::matching::{Matched, matched};
use crate::lab::side::{Ground, Ready, source_of};
use crate::lab::{Lab, plan, surroundings};
use crate::model::comparison::{Comparison, SCHEMA, SideName, Sides};
use crate::model::duration::parse_seconds;
use crate::model::environment::{Class, Environment, compare as differences};
use crate::model::event::Event;
use crate::model::format::CURRENT;
use crate::model::secrets;
use crate::model::units;
use crate::model::verdict::{Terms, ViewName};
use crate::store::checkouts::{Berth, Checkouts};
use crate::store::layout::ProcessEnvironment;
use crate::store::runs::Planned;
use crate::sys::clock;
use std::path::PathBuf;
use std::time::Duration;

/// How both sides are built, and how long they may be measured.
#[derive(Debug, Clone, clap::Args)]
pub struct ContestArgs {
    /// Go on with inconclusive results while all of it takes no longer than this
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds, help_heading = "Measuring")]
    max_time: Option<Duration>,
    /// Decides the order within pairs (default: drawn, and stored)
    #[arg(long, value_name = "NUMBER", help_heading = "Measuring")]
    seed: Option<u64>,
    /// Check out and build both sides below this folder, outside the repository
    #[arg(long, value_name = "DIR", help_heading = "Building both sides")]
    worktree_dir: Option<PathBuf>,
    /// Let cargo change a lock file that is out of date, instead of failing
    #[arg(long, help_heading = "Building both sides", conflicts_with = "locked")]
    relock: bool,
    /// Run this with sh in each checkout before it is built, for what git does not hold
    #[arg(long, value_name = "COMMAND", help_heading = "Building both sides")]
    prepare: Option<String>,
}

/// How sure a verdict must be, and how it is come by.
#[derive(Debug, Clone, Copy)]
pub struct Judging {
    /// The view that decides, where somebody said so.
    pub view: Option<ViewName>,
    /// The terms, before anything is known of looks.
    pub terms: Terms,
}

/// Two sides that are to be measured in pairs.
#[derive(Debug)]
pub struct Contesting<'a> {
    /// Where it is asked.
    pub session: &'a Session,
    /// Flags of all commands.
    pub global: &'a Global,
    /// The command that asks.
    pub command: &'static str,
    /// How benchmarks are chosen and measured, as it was given.
    pub bench: &'a BenchArgs,
    /// The same, checked.
    pub measuring: Measuring,
    /// Which benchmarks are meant.
    pub chosen: Chosen,
    /// Both sides.
    pub named: Named,
    /// How they are built.
    pub how: &'a ContestArgs,
    /// How they are judged.
    pub judging: Judging,
    /// The command that goes on with it, where that is another one.
    pub going_on: Option<String>,
    /// What the candidate has to pass before anything is measured.
    pub check: Option<String>,
    /// Decides the order within pairs.
    seed: u64,
    /// The comparison that goes on.
    interrupted: Option<Interrupted>,
}

/// Where sides are measured: the machine with a folder, and what the doctor says of it.
#[derive(Debug)]
pub struct Place {
    /// The machine and the folder.
    pub work: Workplace,
    doctor: String,
}

/// Both sides, built.
#[derive(Debug)]
pub struct Built {
    workspace: Option<Workspace>,
    checkouts: Checkouts,
    ready: Sides<Ready>,
    notes: Vec<String>,
    /// The folder of the folders of all runs.
    runs: PathBuf,
}

impl Built {
    /// The folders of a side.
    pub fn berth(&self, side: SideName) -> Berth {
        self.checkouts.of(side)
    }

    /// The environment in which the base is measured.
    pub fn base_environment(&self) -> &Environment {
        &self.ready.base.environment
    }

    /// Sets a variable for whatever measures a side.
    pub fn set_variable(&mut self, name: &str, values: &Sides<&str>) {
        for side in SideName::BOTH {
            let value = values.of(side);
            for entry in &mut self.ready.of_mut(side).catalogue.entries {
                entry.program.set_variable(name, value);
            }
        }
    }
}

impl ContestArgs {
    /// Refuses a command that holds what looks like a secret: it is stored.
    ///
    /// # Errors
    /// `Usage`, naming what it is.
    pub fn expect_no_secret(&self) -> Result<(), Failure> {
        self.prepare.as_deref().map_or(Ok(()), |command| secrets::expect_none("--prepare", command))
    }

    /// The flags with which another call means the same. Where sides are built is left out: that is a matter of the
    /// machine, and says nothing of the result.
    pub fn repeated(&self) -> Vec<String> {
        let mut words = Vec::new();
        if let Some(time) = self.max_time {
            words.extend(["--max-time".to_owned(), time.as_secs_f64().to_string()]);
        }
        if self.relock {
            words.push("--relock".to_owned());
        }
        if let Some(command) = &self.prepare {
            words.extend(["--prepare".to_owned(), command.clone()]);
        }
        words
    }
}

impl<'a> Contesting<'a> {
    /// A contest that begins.
    pub fn new(
        (command, session, global): (&'static str, &'a Session, &'a Global),
        bench: &'a BenchArgs,
        (measuring, chosen): (Measuring, Chosen),
        named: Named,
        how: &'a ContestArgs,
        judging: Judging,
    ) -> Self {
        let seed = how.seed.unwrap_or_else(|| fastrand::u64(..));
        Self {
            session,
            global,
            command,
            bench,
            measuring,
            chosen,
            named,
            how,
            judging,
            going_on: None,
            check: None,
            seed,
            interrupted: None,
        }
    }

    /// What one comparison takes, roughly: both sides, and half as much again where everything is measured twice.
    pub fn typical_wall(&self) -> Duration {
        plan::typical_wall(&self.measuring.demand.duration) * 2 * self.halves() / 2
    }

    /// How many halves of a series it takes.
    fn halves(&self) -> u32 {
        if self.judging.terms.twice { 3 } else { 2 }
    }

    /// What it will take, as far as that can be told before anything was tried.
    pub fn planned(&self) -> Planned {
        let demand = &self.measuring.demand;
        if demand.runs.is_some() {
            return Planned::default();
        }
        Planned {
            measured_s: Some(f64::from(self.halves()) * demand.duration.measured().as_secs_f64()),
            wall_s: Some(self.typical_wall().as_secs_f64()),
        }
    }

    /// Checks out and builds both sides; goes on with `resumed`, a run that was interrupted, where one is named.
    ///
    /// # Errors
    /// `Usage` for what was mistyped, `Build` for a side that does not build, `Busy` when somebody else
    /// compares, `Blocked` and `Environment` as sides are made.
    pub fn build(&mut self, lab: &mut Lab<'_>, resumed: Option<&str>) -> Result<Built, Failure> {
        // Asked in the work tree, so that what was mistyped costs no build.
        let workspace = self.chosen.workspace(lab, self.session)?;
        if let Some(workspace) = &workspace {
            workspace.select(&self.chosen.selection)?;
        }
        let runs = workplace::runs(self.session, workspace.as_ref());
        if let Some(run) = resumed {
            let found = Interrupted::find(&runs, run)?;
            self.seed = found.intent.seed;
            self.interrupted = Some(found);
        }
        let checkouts = self.checkouts(lab)?;
        let ready = self.make_sides(lab, &checkouts, workspace.is_some())?;
        let places = Sides { base: SideName::Base, candidate: SideName::Candidate };
        let places = places.map(|side| checkouts.of(side).checkout);
        let mut notes = self.named.notes.clone();
        notes.extend(surroundings::notes(self.named.source.work_tree(), &places));
        notes.extend(built_differently(&ready));
        for side in SideName::BOTH {
            let own = &ready.of(side).notes;
            notes.extend(own.iter().map(|note| format!("{}: {note}", side.name())));
        }
        Ok(Built { workspace, checkouts, ready, notes, runs })
    }

    /// Goes on with the pairs of the run `run`, where they are still there.
    pub fn take_up(&mut self, built: &Built, run: &str) {
        self.interrupted = Interrupted::kept(&built.runs, run);
        if let Some(found) = &self.interrupted {
            self.seed = found.intent.seed;
        }
    }

    /// What both sides hold, state files aside: those change with every phase.
    fn sources(&self) -> Result<Sides<String>, Failure> {
        let Named { source, revisions, .. } = &self.named;
        Sides::try_make(|side| source.sources_of(revisions.of(side), &self.session.layout.folder))
    }

    fn checkouts(&self, lab: &mut Lab<'_>) -> Result<Checkouts, Failure> {
        let chosen = self.how.worktree_dir.as_ref().map(|folder| self.session.cwd.join(folder));
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
            relock: self.how.relock,
            prepare: self.how.prepare.as_deref(),
        };
        let mut lock_file = None;
        let mut make = |lab: &mut Lab<'_>, side| {
            let (revision, berth) = (self.named.revisions.of(side), checkouts.of(side));
            let ready = lab.make_side(side, &ground, revision, &berth, lock_file.as_deref())?;
            lock_file.clone_from(&ready.lock_file);
            Ok::<_, Failure>(ready)
        };
        let mut ready = Sides::try_make(|side| make(lab, side))?;
        if let Some(check) = &self.check {
            lab.check_side(check, &ground, &checkouts.of(SideName::Candidate))?;
            ready.candidate = make(lab, SideName::Candidate)?;
        }
        Ok(ready)
    }

    /// The benches that both sides have.
    ///
    /// # Errors
    /// `Usage` when what was chosen means nothing that both have.
    pub fn matched<'b>(&self, built: &'b Built) -> Result<Matched<'b>, Failure> {
        matched(&built.ready.as_ref().map(|ready| &ready.catalogue), &self.chosen.selection)
    }

    /// Takes the machine, and the folder in which traces go: that of the comparison that goes on, where there is one.
    ///
    /// # Errors
    /// `Usage` for flags that a benchmark cannot follow, `Busy` when somebody else measures, `Environment` for a
    /// machine that is too noisy.
    pub fn place(&mut self, lab: &mut Lab<'_>, built: &Built, found: &Matched<'_>) -> Result<Place, Failure> {
        let entries: Vec<_> = found.pairs.iter().flat_map(|pair| [pair.base, pair.candidate]).collect();
        self.bench.measuring.expect_possible(&entries)?;
        self.bench.cargo.expect_builds(&entries)?;
        let order = (self.command, found.pairs[0].candidate);
        let (patience, workspace) = (self.measuring.patience, built.workspace.as_ref());
        let work = match &self.interrupted {
            Some(found) => Workplace::take_up(lab, self.global, &found.folder, order, patience)?,
            None => Workplace::take(lab, self.session, self.global, workspace, order, patience)?,
        };
        let doctor = workplace::probe(lab, self.measuring.noise_accepted.is_some())?;
        Ok(Place { work, doctor })
    }

    /// Measures and judges them at `place`.
    ///
    /// # Errors
    /// `Benchmark` for a side that fails, `Usage` when what goes on was asked otherwise. What was measured until then
    /// is kept.
    pub fn measure(
        &self,
        lab: &mut Lab<'_>,
        built: &Built,
        found: Matched<'_>,
        place: &Place,
    ) -> Result<Comparison, Failure> {
        let compared = self.compare(lab, built, &found, &place.work)?;
        let mut externals = found.pairs.iter().filter_map(|pair| pair.candidate.as_external());
        let runtime = externals.next().map(|external| lab.runtime_of(external)).transpose()?.flatten();
        let mut comparison = self.document(built, found, compared, &place.work);
        comparison.env.context.doctor = Some(place.doctor.clone());
        comparison.env.build.runtime = runtime.or(comparison.env.build.runtime);
        Ok(comparison)
    }

    /// Whether the comparison that goes on asked the same; if not, it is forgotten, and all is measured anew.
    ///
    /// # Errors
    /// `Environment` when the sources cannot be read.
    pub fn forget_another(
        &mut self,
        lab: &mut Lab<'_>,
        built: &Built,
        found: &Matched<'_>,
        place: &mut Place,
    ) -> Result<(), Failure> {
        let Some(kept) = &self.interrupted else { return Ok(()) };
        let folders = folders(found, &place.work);
        let other =
            kept.intent.differs_from(&Question::of(&self.order(built, found, &place.work, &folders)?));
        if let Some(what) = other {
            let text = format!("what was measured before was asked with {what}, so it is measured anew");
            lab.report(Event::Notice { text });
            self.interrupted = None;
            place.work.begin_anew(self.global)?;
        }
        Ok(())
    }

    fn compare(
        &self,
        lab: &mut Lab<'_>,
        built: &Built,
        found: &Matched<'_>,
        place: &Workplace,
    ) -> Result<Compared, Failure> {
        let folders = folders(found, place);
        let order = self.order(built, found, place, &folders)?;
        if self.interrupted.is_none()
            && self.going_on.is_none()
            && let Some(text) = interrupted::notice(&built.runs, &Question::of(&order))
        {
            lab.report(Event::Notice { text });
        }
        lab.compare(&order).map_err(|failure| place.with_resumption(failure, self.going_on.as_deref()))
    }

    fn order<'o>(
        &'o self,
        built: &Built,
        found: &Matched<'o>,
        place: &'o Workplace,
        folders: &'o [PathBuf],
    ) -> Result<Comparing<'o>, Failure> {
        let Sides { base, candidate } = &self.named.revisions;
        let candidate_files = built.berth(SideName::Candidate).checkout;
        let contests = found.pairs.iter().zip(folders).map(|(entries, folder)| {
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
        Ok(Comparing {
            sources: self.sources()?,
            contests: contests.collect(),
            folder: &place.folder,
            earlier: self.interrupted.as_ref().map(|found| found.intent.clone()),
            view: self.judging.view,
            terms: self.judging.terms,
            seed: self.seed,
            budget: self.how.max_time,
            prepare: self.how.prepare.as_deref(),
        })
    }

    fn document(
        &self,
        built: &Built,
        found: Matched<'_>,
        compared: Compared,
        place: &Workplace,
    ) -> Comparison {
        let mut notes = built.notes.clone();
        if compared.kept > 0 {
            let pairs = units::count(compared.kept, "pair");
            notes.push(format!("it was interrupted after {pairs}, and went on later"));
        }
        let mut env = built.ready.candidate.environment.clone();
        env.context.lock_wait_s = place.slot.waited.as_secs_f64();
        Comparison {
            schema: SCHEMA.to_owned(),
            schema_version: CURRENT,
            id: place.run(),
            recorded_at: clock::now_rfc3339(),
            command: super::stored_command(&self.session.layout.root),
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            sides: built.ready.as_ref().map(|ready| ready.side.clone()),
            terms: compared.terms,
            seed: self.seed,
            duration: (&self.measuring.demand.duration).into(),
            expanded: self.measuring.expanded.clone(),
            noise_accepted: self.measuring.noise_accepted.clone(),
            env,
            notes,
            left_out: found.left_out,
            benches: compared.benches,
        }
    }
}

/// The folder of each pair of benches.
fn folders(found: &Matched<'_>, place: &Workplace) -> Vec<PathBuf> {
    (1..=found.pairs.len()).map(|number| place.folder.join(format!("bench-{number}"))).collect()
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
