//! `cargo perf apply`.

use super::arguments::Global;
use super::session::Session;
use crate::failure::{Failure, FailureKind};
use crate::git::change::Standing;
use crate::git::revision::Source;
use crate::investigation::{dossier, experiments};
use crate::model::experiment::{Experiment, ExperimentVerdict};
use crate::model::investigation::Investigation;
use crate::model::units;
use crate::report::reply::Reply;
use crate::store::results;
use crate::sys::interrupt::Interrupt;
use serde_json::json;

/// Apply the change of an accepted experiment to the work tree
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The experiment, as in E1
    #[arg(value_name = "EXPERIMENT")]
    experiment: String,
    /// Of another investigation than the current one
    #[arg(long = "id", value_name = "ID")]
    investigation: Option<String>,
}

/// Answers the command.
pub fn run(args: &Args, global: &Global, interrupt: &Interrupt) -> Result<Reply, Failure> {
    let session = Session::open(global)?;
    let id = args.investigation.as_deref();
    // Without an investigation nothing is repaired either.
    dossier::any(&session.layout, id)?;
    experiments::repair(&session.layout)?;
    let open = dossier::any(&session.layout, id)?;
    let experiment = accepted(&open, &args.experiment)?;
    let shown = &experiment.change.patch.path;
    let patch = results::read(&session.layout.root, &experiment.change.patch)?;
    let source = Source::open(&session.layout.root)?;
    let now = source.snapshot(&session.layout.folder, interrupt)?;
    let standing = source.standing(&patch, &now)?;
    let text = match &standing {
        Standing::After => format!("the change of {} is in the work tree already\n", experiment.id),
        Standing::Before => {
            let count = units::count(source.apply(&patch, &now)?.len(), "file");
            format!("the change of {} is in the work tree: {count}\n", experiment.id)
        }
        Standing::Neither(file) => {
            let what = format!("{} is not what the change of {} was made of", file.display(), experiment.id);
            return Err(Failure::new(FailureKind::Blocked, what)
                .hint(format!("put it back, or merge the change yourself: git apply --3way {shown}")));
        }
    };
    let is_current = dossier::any(&session.layout, None).is_ok_and(|current| current.id == open.id);
    if open.is_live() && is_current {
        experiments::mark_applied(&session.layout, &open.id, &experiment.id)?;
    }
    let was_there = standing == Standing::After;
    let result = json!({"experiment": experiment.id, "patch": shown, "was_there": was_there});
    Ok(Reply::plain("apply", text, result))
}

/// The experiment that is called `id`, which was accepted.
fn accepted<'a>(open: &'a Investigation, id: &str) -> Result<&'a Experiment, Failure> {
    let experiment = open.own_experiments().find(|experiment| experiment.id == id).ok_or_else(|| {
        let known: Vec<&str> = open.own_experiments().map(|experiment| experiment.id.as_str()).collect();
        let hint = if known.is_empty() {
            "try a change first: `cargo perf experiment`".to_owned()
        } else {
            format!("there are: {}", known.join(", "))
        };
        Failure::usage(format!("there is no experiment {id}")).hint(hint)
    })?;
    let is_accepted = experiment.verdict() == Some(ExperimentVerdict::Accept);
    if is_accepted && open.counts(experiment) {
        return Ok(experiment);
    }
    let cause = if is_accepted {
        format!("{id} was accepted, and what else was said of its change does not agree")
    } else {
        format!("{id} was not accepted")
    };
    Err(Failure::new(FailureKind::Blocked, cause)
        .hint(format!("whoever wants it all the same: git apply {}", experiment.change.patch.path)))
}
