//! A measurement within an investigation: its benchmark is that of setup, and its sources are those of a
//! commit, before and after.

use super::investigating::{InvestigationArgs, expect_no_secret};
use super::measuring::by_variable;
use super::session::Session;
use crate::failure::{Failure, FailureKind};
use crate::git::clean::{CleanTree, Sources, sources};
use crate::investigation::advance::Standing;
use crate::investigation::baseline::Tree;
use crate::investigation::{dossier, gate};
use crate::lab::catalogue::Entry;
use crate::model::investigation::{BenchmarkRecord, Investigation};
use crate::model::label::VersionLabel;
use crate::model::outcome::Phase;
use crate::model::rules::Rule;
use crate::sys::interrupt::Interrupt;

/// Approves sources that are in no commit; its value is stored as the approval.
const ALLOW_DIRTY: &str = "PERF_ALLOW_DIRTY";
/// How many changed paths a refusal names.
const NAMED: usize = 3;

/// The investigation that a measurement belongs to.
#[derive(Debug)]
pub struct Within {
    /// As it stood when the command began.
    pub found: dossier::Found,
    /// What setup chose.
    pub benchmark: BenchmarkRecord,
    before: Option<Sources>,
}

impl Within {
    /// The investigation in which `phase` may run now; none when none is open.
    ///
    /// # Errors
    /// As [`dossier::live`] and [`gate::pass`]; `State` when setup left no benchmark.
    pub fn find(session: &Session, args: &InvestigationArgs, phase: Phase) -> Result<Option<Self>, Failure> {
        let asked = args.asked(phase)?;
        let Some(found) = dossier::live(&session.layout, &asked)? else {
            args.expect_unused()?;
            return Ok(None);
        };
        gate::pass(&found.investigation, phase, &asked.skips)?;
        let benchmark = found.investigation.benchmark.clone().ok_or_else(|| {
            Failure::state(format!("{} has no benchmark, although setup is done", found.investigation.id))
                .hint("settle it with `cargo perf setup --resume`")
        })?;
        Ok(Some(Self { found, benchmark, before: None }))
    }

    /// Where the outcome belongs: to this investigation, which becomes the current one, or to none.
    ///
    /// # Errors
    /// As [`dossier::Found::make_current`].
    pub fn standing(within: Option<&Self>, session: &Session) -> Result<Standing, Failure> {
        let Some(within) = within else { return Ok(Standing::Alone) };
        within.found.make_current(&session.layout)?;
        Ok(Standing::Within(within.investigation().id.clone()))
    }

    /// The investigation.
    pub fn investigation(&self) -> &Investigation {
        &self.found.investigation
    }

    /// The version label, which is that of setup.
    ///
    /// # Errors
    /// `Usage` when another one was given.
    pub fn label(&self, given: Option<VersionLabel>) -> Result<VersionLabel, Failure> {
        let version = &self.benchmark.version;
        match given {
            Some(given) if given.as_str() != version => {
                let id = &self.investigation().id;
                Err(Failure::usage(format!("{id} is about the version {version}, not {given}")).hint(
                    "leave the label away, or settle another one with `cargo perf setup --resume --version V`",
                ))
            }
            Some(given) => Ok(given),
            None => VersionLabel::new(version),
        }
    }

    /// Rule 4: the benchmark is that of setup, unless another one was approved; and it can be logged.
    ///
    /// # Errors
    /// `Rule`, naming both; `Usage` for a command that holds what looks like a secret.
    pub fn expect_same(&self, entries: &[&Entry], expanded: bool) -> Result<(), Failure> {
        expect_no_secret(entries)?;
        let Some(chosen) = self.benchmark.bench.as_ref().filter(|_| !expanded) else { return Ok(()) };
        match entries.iter().find(|entry| entry.benchmark.name != *chosen) {
            Some(other) => Err(Rule::NarrowFirst
                .refuses(format!("{}: setup chose {chosen}", other.benchmark.name))
                .hint("measure that one, or approve another with --expand \"why\"")),
            None => Ok(()),
        }
    }

    /// Rule 6: nothing but state differs from the commit, unless that was approved. To be called before
    /// anything is built.
    ///
    /// # Errors
    /// `Rule`, naming what differs.
    pub fn look(&mut self, session: &Session, interrupt: &Interrupt) -> Result<(), Failure> {
        let found = sources(&session.layout.root, &session.layout.folder, interrupt)?;
        let is_dirty = found.as_ref().filter(|found| CleanTree::prove(found).is_none());
        if let Some(dirty) = is_dirty
            && by_variable(ALLOW_DIRTY).is_none()
        {
            return Err(Rule::CleanBaseline
                .refuses(format!("a tree with changes that are in no commit: {}", named(dirty)))
                .hint(format!("commit or stash them, or approve it with {ALLOW_DIRTY}=1, which is logged")));
        }
        self.before = found;
        Ok(())
    }

    /// Rule 6, after measuring: the sources are still those that were built.
    ///
    /// # Errors
    /// `Rule` when they are not.
    pub fn tree(&self, session: &Session, interrupt: &Interrupt) -> Result<Tree, Failure> {
        let Some(before) = &self.before else { return Ok(Tree::NoRepository) };
        let after = sources(&session.layout.root, &session.layout.folder, interrupt)?;
        let Some(after) = after.filter(|after| after.digest == before.digest) else {
            return Err(Rule::CleanBaseline
                .refuses("the result, because sources changed while they were measured")
                .hint("leave them alone for the time it takes, and measure again"));
        };
        match (CleanTree::prove(&after), by_variable(ALLOW_DIRTY)) {
            (Some(clean), _) => Ok(Tree::Clean(clean)),
            (None, Some(waiver)) => Ok(Tree::Dirty { what: named(&after), waiver }),
            (None, None) => Err(Failure::new(FailureKind::Bug, "a dirty tree was measured without approval")),
        }
    }
}

/// The first paths and how many more there are.
fn named(sources: &Sources) -> String {
    let shown: Vec<&str> = sources.dirty.iter().take(NAMED).map(String::as_str).collect();
    match sources.dirty_count - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
