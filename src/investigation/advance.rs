//! Applies the outcome of a phase. The only place where a phase changes anything that is stored.
//!
//! Within an investigation that is one transaction of state, log and baseline, and then the commit that holds
//! them. Without one it is the baseline alone: there is no log and no checkpoint to write.

use super::{dossier, experiments, gate};
use crate::failure::{Failure, FailureKind};
use crate::git::checkpoint::{self, Foreseen, Made, Mode, Order, Wanted};
use crate::git::revision::Source;
use crate::model::baseline::Baseline;
use crate::model::checkpoint::{CheckpointRecord, CheckpointState};
use crate::model::experiment::Filed;
use crate::model::investigation::{Effect, Investigation};
use crate::model::label::VersionLabel;
use crate::model::outcome::{Outcome, Phase};
use crate::model::record::{Approval, PhaseRecord, PhaseStatus, ResultFile};
use crate::model::section::Section;
use crate::report::log;
use crate::store::investigations::{self, Stored};
use crate::store::layout::Layout;
use crate::store::transaction::{Change, Guard, PATIENCE};
use crate::store::{baselines, schemas};
use crate::sys::interrupt::Interrupt;
use crate::sys::slot::Slot;
use crate::sys::{clock, fault, files};
use std::path::PathBuf;

/// What the outcome of a phase belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// No investigation: nothing is logged.
    Alone,
    /// The current investigation, by its id.
    Within(String),
    /// A new one.
    Opens {
        /// Its id.
        id: String,
        /// Whether it may begin beside one that goes on, which is put aside.
        beside: bool,
    },
}

/// Where a phase is stored, and what was said about it.
#[derive(Debug)]
pub struct Desk<'a> {
    /// The state folder.
    pub layout: &'a Layout,
    /// What it belongs to.
    pub standing: Standing,
    /// What the user said in this phase, word for word.
    pub quote: Option<String>,
    /// What was approved against rules.
    pub approvals: Vec<Approval>,
    /// Where commits go.
    pub mode: Mode,
    /// The machine, taken: nothing is committed while somebody else measures.
    pub slot: &'a Slot,
    /// Signals to us.
    pub interrupt: &'a Interrupt,
}

/// What was stored.
#[derive(Debug)]
pub struct Applied {
    /// The outcome, for showing.
    pub outcome: Outcome,
    /// The baseline's file, when there is one.
    pub baseline_file: Option<PathBuf>,
    /// What became of the investigation.
    pub noted: Option<Noted>,
}

/// What became of an investigation.
#[derive(Debug)]
pub struct Noted {
    /// As it stands now.
    pub investigation: Investigation,
    /// The file of its log, relative to the root.
    pub log: String,
    /// The id of the commit, when there is one.
    pub commit: Option<String>,
    /// What a process that was killed had left, and what became of it.
    pub repaired: Option<String>,
}

impl Noted {
    /// The record of the phase.
    pub fn record(&self) -> Option<&PhaseRecord> {
        self.investigation.phases.last()
    }

    /// The commit, or why there is none.
    pub fn checkpoint(&self) -> Option<&CheckpointRecord> {
        self.record()?.checkpoint.as_ref()
    }
}

/// Stores what `outcome` asks for.
///
/// # Errors
/// `State` when the investigation has changed meanwhile or cannot be read; `Environment` when the files cannot
/// be written. Then nothing is stored.
pub fn advance(desk: &Desk<'_>, outcome: Outcome) -> Result<Applied, Failure> {
    if desk.standing == Standing::Alone {
        let baseline_file = match &outcome.effect {
            Effect::Baseline(baseline) => {
                let label = VersionLabel::new(&baseline.version)?;
                Some(baselines::save(desk.layout, &label, baseline.as_ref().clone())?)
            }
            _ => None,
        };
        return Ok(Applied { outcome, baseline_file, noted: None });
    }
    let guard = Guard::take(&desk.layout.folder, PATIENCE)?;
    let (mut stored, mut change) = desk.begin(&guard, &outcome)?;
    if let Effect::Consolidation { baseline, .. } = &outcome.effect {
        schemas::expect_valid(baseline.as_ref(), "the baseline")?;
    }
    let files = files_of(desk.layout, &outcome.effect)?;
    let mut results = Vec::new();
    for file in files {
        results.push(ResultFile {
            path: desk.layout.shown_file(&file.name),
            sha256: files::sha256_bytes(&file.bytes),
        });
        change = change.write(file.name, file.bytes);
    }
    if let Effect::Experiment { experiment, .. } = &outcome.effect {
        results.push(experiment.change.patch.clone());
    }
    let baseline_file = baseline_in(&outcome.effect)
        .and_then(|_| results.first())
        .map(|file| desk.layout.root.join(&file.path));
    let shown = results.first().map(|file| file.path.clone());
    let now = clock::now_rfc3339();
    let open = &mut stored.investigation;
    open.apply(outcome.phase, &outcome.effect, shown, sources_of(desk.layout, &outcome.effect));
    open.approvals.extend(desk.approvals.iter().cloned());
    let checkpoint = desk.foresee(open, &outcome)?;
    let section = desk.section(open, &outcome, &now);
    let text = log::render(&section);
    open.note(record(&outcome, &now, results, &text, checkpoint), &now);
    if matches!(outcome.effect, Effect::Consolidation { .. }) {
        schemas::expect_valid(open, "the investigation")?;
    }
    let log_name = investigations::log_name(&open.id);
    let before = guard.read(&log_name)?.unwrap_or_else(|| log::opening(&open.id).into_bytes());
    change = change.write(log_name.clone(), appended(before, &text));
    guard.apply(investigations::write(change, &stored)?)?;
    stored.foreign = None;
    fault::point("state, log and results");
    // What goes away goes with this commit, which is made all the same.
    let forgotten = baseline_in(&outcome.effect).map_or(Ok(()), |baseline| {
        baselines::forget_unnamed(desk.layout, &VersionLabel::new(&baseline.version)?)
    });
    let commit = desk.commit(&guard, &mut stored, &now)?;
    forgotten?;
    let repaired = guard.repaired().map(ToString::to_string);
    let log = desk.layout.shown_file(&log_name);
    let noted = Noted { investigation: stored.investigation, log, commit, repaired };
    Ok(Applied { outcome, baseline_file, noted: Some(noted) })
}

/// Refuses what cannot be stored in the investigation as it stands now.
fn expect_in_turn(open: &Investigation, outcome: &Outcome) -> Result<(), Failure> {
    match &outcome.effect {
        Effect::Skip(_) => gate::in_turn(open, outcome.phase, &[])?,
        _ => gate::pass(open, outcome.phase, &[])?,
    }
    match &outcome.effect {
        Effect::Experiment { experiment, .. } => experiments::expect_open(open, &experiment.id),
        _ if outcome.phase >= Phase::Optimization => experiments::expect_none_open(open),
        _ => Ok(()),
    }
}

/// The files that an effect stores beside state and log.
fn files_of(layout: &Layout, effect: &Effect) -> Result<Vec<Filed>, Failure> {
    if let Some(baseline) = baseline_in(effect) {
        let label = VersionLabel::new(&baseline.version)?;
        let prepared = baselines::prepare(layout, &label, baseline.clone())?;
        return Ok(vec![Filed { name: prepared.name, bytes: prepared.bytes }]);
    }
    Ok(match effect {
        Effect::Experiment { file, .. } => vec![file.clone()],
        _ => Vec::new(),
    })
}

/// SHA-256 over the sources of the commit that a baseline was measured on; none when they are in no commit.
fn sources_of(layout: &Layout, effect: &Effect) -> Option<String> {
    let context = &baseline_in(effect)?.env.context;
    let commit = context.commit.as_deref().filter(|_| context.dirty == Some(false))?;
    let source = Source::open(&layout.root).ok()?;
    source.sources_of(&source.find(commit).ok()?, &layout.folder).ok()
}

/// The baseline that an effect stores.
fn baseline_in(effect: &Effect) -> Option<&Baseline> {
    match effect {
        Effect::Baseline(baseline) | Effect::Consolidation { baseline, is_new: true } => Some(baseline),
        _ => None,
    }
}

impl Desk<'_> {
    /// The state to change, and what has to change besides.
    fn begin(&self, guard: &Guard, outcome: &Outcome) -> Result<(Stored, Change), Failure> {
        let mut current = investigations::current_of(guard, self.layout)?;
        match &self.standing {
            Standing::Opens { id, beside } => {
                let is_it = |other: &Stored| other.investigation.id == *id;
                if current.as_ref().is_some_and(is_it) || investigations::exists(self.layout, id) {
                    return Err(Failure::state(format!("another process has opened {id} meanwhile"))
                        .hint("choose another --id; `cargo perf status --all` shows them"));
                }
                let change = match &mut current {
                    Some(live) if live.investigation.is_live() && !beside => {
                        return Err(Failure::state(format!(
                            "{} was opened meanwhile",
                            live.investigation.id
                        ))
                        .hint("`cargo perf status` shows it; begin beside it with --id"));
                    }
                    Some(other) => {
                        // It may have no phase any more that would do so.
                        self.mend(guard, other)?;
                        investigations::park(Change::new(), other)?
                    }
                    None => Change::new(),
                };
                let investigation = Investigation::new(id, &clock::now_rfc3339());
                Ok((Stored { investigation, foreign: None }, change))
            }
            Standing::Within(id) => {
                let mut stored = dossier::unchanged(current, id, outcome.phase)?;
                expect_in_turn(&stored.investigation, outcome)?;
                self.mend(guard, &mut stored)?;
                Ok((stored, Change::new()))
            }
            Standing::Alone => {
                Err(Failure::new(FailureKind::Bug, "a phase without an investigation has no state"))
            }
        }
    }

    fn section(&self, open: &Investigation, outcome: &Outcome, now: &str) -> Section {
        let of_setup = open.quote.clone().unwrap_or_default();
        let own = if outcome.phase == Phase::Setup { Some(of_setup.clone()) } else { self.quote.clone() };
        let repeated = own.is_none();
        let identity = [format!("Investigation: {}", open.id)];
        Section {
            phase: outcome.phase,
            date: now[..10.min(now.len())].to_owned(),
            quote: own.unwrap_or(of_setup),
            repeated,
            summary: identity.into_iter().chain(outcome.summary.iter().cloned()).collect(),
            evidence: outcome.evidence.clone(),
            decision: outcome.decision.clone(),
            rules: outcome.rules.clone(),
        }
    }

    fn order<'o>(&'o self, subject: &'o str, reference: &'o str) -> Order<'o> {
        Order {
            root: &self.layout.root,
            state_folder: &self.layout.folder,
            subject,
            mode: self.mode,
            ref_name: reference,
        }
    }

    /// The commit that will be made, as far as that can be told before.
    fn foresee(&self, open: &Investigation, outcome: &Outcome) -> Result<CheckpointRecord, Failure> {
        let version = open.benchmark.as_ref().map(|benchmark| benchmark.version.as_str());
        let subject = checkpoint::subject(outcome.phase.name(), &open.id, version, outcome.delta.as_deref());
        let reference = checkpoint::reference(&open.id);
        let foreseen = checkpoint::foresee(&self.order(&subject, &reference))?;
        let on_ref = (self.mode == Mode::Ref).then_some(reference);
        Ok(match foreseen {
            Foreseen::Commit { parent, .. } => CheckpointRecord {
                state: CheckpointState::Commit,
                reason: None,
                subject,
                parent,
                reference: on_ref,
            },
            Foreseen::None(reason) => CheckpointRecord {
                state: CheckpointState::None,
                reason: Some(reason.name().to_owned()),
                subject,
                parent: None,
                reference: None,
            },
        })
    }

    /// Makes the commit that the last record names; when that cannot be, the record says why. Returns its id.
    fn commit(&self, guard: &Guard, stored: &mut Stored, now: &str) -> Result<Option<String>, Failure> {
        let Some(planned) = stored.investigation.phases.last().and_then(|record| record.checkpoint.clone())
        else {
            return Ok(None);
        };
        if planned.state == CheckpointState::None {
            return Ok(None);
        }
        let reference = checkpoint::reference(&stored.investigation.id);
        let made = checkpoint::commit(&self.order(&planned.subject, &reference), self.interrupt)?;
        let actual = match &made {
            Made::Commit { parent, .. } => CheckpointRecord { parent: parent.clone(), ..planned.clone() },
            Made::None(reason) => CheckpointRecord {
                state: CheckpointState::None,
                reason: Some(reason.name().to_owned()),
                parent: None,
                reference: None,
                ..planned.clone()
            },
        };
        if actual != planned
            && let Some(record) = stored.investigation.phases.last_mut()
        {
            record.checkpoint = Some(actual);
            stored.investigation.touch(now);
            fault::point("commit that is recorded otherwise");
            guard.apply(investigations::write(Change::new(), stored)?)?;
        }
        Ok(match made {
            Made::Commit { id, .. } => Some(id),
            Made::None(_) => None,
        })
    }

    /// Makes the commit of the phase before, when the process that should have made it was ended.
    fn mend(&self, guard: &Guard, stored: &mut Stored) -> Result<(), Failure> {
        if !is_lost(self.layout, self.mode, &stored.investigation) {
            return Ok(());
        }
        let now = clock::now_rfc3339();
        let open = &mut stored.investigation;
        let reference = checkpoint::reference(&open.id);
        if let Some(record) = open.phases.last_mut().and_then(|record| record.checkpoint.as_mut()) {
            let subject = record.subject.clone();
            if let Foreseen::Commit { parent, .. } = checkpoint::foresee(&self.order(&subject, &reference))? {
                record.parent = parent;
            }
        }
        open.touch(&now);
        guard.apply(investigations::write(Change::new(), stored)?)?;
        self.commit(guard, stored, &now).map(|_| ())
    }
}

/// Whether the last phase should have a commit, has none, and its files are in no commit either: the process
/// was ended in between.
pub fn is_lost(layout: &Layout, mode: Mode, investigation: &Investigation) -> bool {
    let last = investigation.phases.last().and_then(|record| record.checkpoint.as_ref());
    let Some(record) = last.filter(|record| record.state == CheckpointState::Commit) else { return false };
    let reference = checkpoint::reference(&investigation.id);
    let order = Order {
        root: &layout.root,
        state_folder: &layout.folder,
        subject: &record.subject,
        mode,
        ref_name: &reference,
    };
    !checkpoint::is_committed(&order) && commits_of(layout, investigation).last().is_none_or(Option::is_none)
}

/// The ids of the commits of all phases, in their order, where there are some.
pub fn commits_of(layout: &Layout, investigation: &Investigation) -> Vec<Option<String>> {
    let mut places = Vec::new();
    let mut wanted = Vec::new();
    for (place, record) in investigation.phases.iter().enumerate() {
        let named = record.checkpoint.as_ref().filter(|found| found.state == CheckpointState::Commit);
        if let Some(found) = named {
            places.push(place);
            wanted.push(Wanted { subject: &found.subject, parent: found.parent.as_deref() });
        }
    }
    let found = checkpoint::find(&layout.root, &wanted, &checkpoint::reference(&investigation.id));
    let mut commits = vec![None; investigation.phases.len()];
    for (place, commit) in places.into_iter().zip(found) {
        commits[place] = commit;
    }
    commits
}

fn record(
    outcome: &Outcome,
    now: &str,
    results: Vec<ResultFile>,
    section: &str,
    checkpoint: CheckpointRecord,
) -> PhaseRecord {
    let skipped = match &outcome.effect {
        Effect::Skip(waiver) => Some(waiver.text.clone()),
        _ => None,
    };
    let decided = match &outcome.effect {
        Effect::Decision(decision) => Some(decision.verdict),
        _ => None,
    };
    PhaseRecord {
        phase: outcome.phase,
        status: if skipped.is_some() { PhaseStatus::Skipped } else { PhaseStatus::Complete },
        started_at: outcome.started_at.clone(),
        finished_at: now.to_owned(),
        reason: skipped,
        decided,
        findings: outcome.findings.clone(),
        evidence: outcome.evidence.clone(),
        results,
        rules: outcome.rules.clone(),
        section_sha256: Some(files::sha256_bytes(section.as_bytes())),
        checkpoint: Some(checkpoint),
        other: serde_json::Map::new(),
    }
}

/// The log with one section more; whatever somebody wrote at its end is a line of its own.
fn appended(mut log: Vec<u8>, section: &str) -> Vec<u8> {
    if log.last().is_some_and(|last| *last != b'\n') {
        log.push(b'\n');
    }
    log.extend_from_slice(section.as_bytes());
    log
}
