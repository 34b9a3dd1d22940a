//! What is stored of experiments between phases: a change is saved before anything is measured, and says so when it is
//! given up or applied.

use super::dossier;
use crate::failure::{Failure, FailureKind};
use crate::model::experiment::{Experiment, ExperimentStatus};
use crate::model::investigation::Investigation;
use crate::model::outcome::Phase;
use crate::model::record::{Approval, Approved};
use crate::model::rules::Rule;
use crate::model::waiver::Waiver;
use crate::store::layout::Layout;
use crate::store::transaction::{Change, Guard, PATIENCE};
use crate::store::{investigations, results};
use crate::sys::clock;

/// The folder of changes.
const PATCHES: &str = "experiments";

/// Completes what a process that was killed left half done, so that files are where the state says they are.
///
/// # Errors
/// `State` when it cannot be told what was done; `Environment` when it cannot be written.
pub fn repair(layout: &Layout) -> Result<(), Failure> {
    Guard::take(&layout.folder, PATIENCE).map(drop)
}

/// Saves a change with the experiment that `make` makes of its id and of the investigation as it stands now; it is open
/// from then on. Returns it. Ids that git keeps a change of are taken, even when the state has been put back since.
///
/// # Errors
/// Those of `make`; `Rule` when another one is open; `State` when the investigation has changed meanwhile;
/// `Environment` when nothing can be written. Then nothing is stored.
pub fn open(
    layout: &Layout,
    id: &str,
    (kept, patch): (&[String], &[u8]),
    make: impl FnOnce(String, &Investigation) -> Result<Experiment, Failure>,
) -> Result<Experiment, Failure> {
    change(layout, id, |open, change| {
        if let Some(other) = open.open_experiment() {
            return Err(still_open(other));
        }
        let experiment = make(next_id(layout, open, kept)?, open)?;
        let change = change.write(patch_name(id, &experiment.id), patch.to_vec());
        open.put_experiment(experiment.clone());
        Ok((change, experiment))
    })
}

/// Changes the experiment that is open and saves its change as it is now, which may have moved with the sources. Returns
/// the experiment.
///
/// # Errors
/// `Blocked` when `experiment` is not the one that is open any more; otherwise as [`open`].
pub fn edit(
    layout: &Layout,
    id: &str,
    (experiment, patch): (&str, &[u8]),
    edit: impl FnOnce(&mut Experiment),
) -> Result<Experiment, Failure> {
    change(layout, id, |open, change| {
        let found = open.open_experiment().filter(|found| found.id == experiment);
        let mut found = found.cloned().ok_or_else(none_open)?;
        edit(&mut found);
        let change = change.write(patch_name(id, experiment), patch.to_vec());
        open.put_experiment(found.clone());
        Ok((change, found))
    })
}

/// Gives up the experiment that is open; its change stays saved. Returns it.
///
/// # Errors
/// `Blocked` when none is open; otherwise as [`open`].
pub fn abandon(layout: &Layout, id: &str, waiver: Waiver) -> Result<Experiment, Failure> {
    change(layout, id, |open, change| {
        let experiment = open.open_experiment().cloned().ok_or_else(none_open)?;
        let experiment = Experiment {
            status: ExperimentStatus::Abandoned,
            finished_at: Some(waiver.when.clone()),
            abandoned: Some(waiver.clone()),
            ..experiment
        };
        open.put_experiment(experiment.clone());
        open.approvals.push(Approval { what: Approved::Abandon, phase: Phase::Optimization, waiver });
        Ok((change, experiment))
    })
}

/// Notes that the change of an experiment is in the work tree now.
///
/// # Errors
/// As [`open`].
pub fn mark_applied(layout: &Layout, id: &str, experiment: &str) -> Result<(), Failure> {
    change(layout, id, |open, change| {
        let found = open.own_experiments().find(|other| other.id == experiment).cloned();
        if let Some(found) = found {
            open.put_experiment(Experiment { applied_at: Some(clock::now_rfc3339()), ..found });
        }
        Ok((change, ()))
    })
}

/// The file of a change, relative to the state folder; experiments of several investigations lie there.
pub fn patch_name(investigation: &str, experiment: &str) -> String {
    format!("{PATCHES}/{investigation}-{experiment}.patch")
}

/// The id of the next experiment: one that neither the state, nor a patch, nor git knows of. Whoever puts the state back,
/// with `git stash` for instance, must not have an earlier change written over.
fn next_id(layout: &Layout, investigation: &Investigation, kept: &[String]) -> Result<String, Failure> {
    let own = format!("{}-", investigation.id);
    let files = results::names(layout, PATCHES)?;
    let of_files = files.iter().filter_map(|name| name.strip_prefix(&own)?.strip_suffix(".patch"));
    let of_state = investigation.own_experiments().map(|experiment| experiment.id.as_str());
    let ids = of_state.chain(of_files).chain(kept.iter().map(String::as_str));
    let last = ids.filter_map(|id| id.strip_prefix('E')?.parse::<u64>().ok()).max().unwrap_or(0);
    Ok(format!("E{}", last + 1))
}

/// That an experiment has begun and has no verdict.
pub fn still_open(experiment: &Experiment) -> Failure {
    let id = &experiment.id;
    Rule::OneChange
        .refuses(format!("a second change while {id} is open, {}", experiment.change.summary))
        .hint(ways_out(experiment))
}

/// How an experiment that is open comes to an end.
fn ways_out(open: &Experiment) -> String {
    let on = open.going_on();
    format!("go on with it: `{on}`; or give it up: --abandon \"why\"; its change stays saved")
}

/// Rule 3: nothing rests on experiments while one is open.
///
/// # Errors
/// `Rule`, naming it.
pub fn expect_none_open(investigation: &Investigation) -> Result<(), Failure> {
    match investigation.open_experiment() {
        Some(open) => Err(Rule::OneChange
            .refuses(format!("to go on while {} is open, {}", open.id, open.change.summary))
            .hint(ways_out(open))),
        None => Ok(()),
    }
}

/// Refuses the result of an experiment that was given up while it was measured.
///
/// # Errors
/// `State`, naming it.
pub fn expect_open(investigation: &Investigation, id: &str) -> Result<(), Failure> {
    match investigation.open_experiment() {
        Some(open) if open.id == id => Ok(()),
        _ => Err(Failure::state(format!("{id} was given up while it was measured"))
            .hint("begin another one: `cargo perf experiment`")),
    }
}

/// That no experiment is open.
pub fn none_open() -> Failure {
    Failure::new(FailureKind::Blocked, "no experiment is open").hint("begin one: `cargo perf experiment`")
}

fn change<T>(
    layout: &Layout,
    id: &str,
    edit: impl FnOnce(&mut Investigation, Change) -> Result<(Change, T), Failure>,
) -> Result<T, Failure> {
    let guard = Guard::take(&layout.folder, PATIENCE)?;
    let mut stored =
        dossier::unchanged(investigations::current_of(&guard, layout)?, id, Phase::Optimization)?;
    let (change, edited) = edit(&mut stored.investigation, Change::new())?;
    stored.investigation.touch(&clock::now_rfc3339());
    guard.apply(investigations::write(change, &stored)?)?;
    Ok(edited)
}
