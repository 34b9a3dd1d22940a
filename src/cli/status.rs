//! `cargo perf status`.

use super::arguments::Global;
use super::investigating::{checkpoint_json, checkpoint_text, standing};
use super::session::Session;
use crate::failure::{Failure, FailureKind};
use crate::git::checkpoint::Reason;
use crate::investigation::advance::{commits_of, is_lost};
use crate::model::checkpoint::CheckpointState;
use crate::model::investigation::Investigation;
use crate::model::outcome::{NextStep, Phase, Status};
use crate::model::record::PhaseRecord;
use crate::model::units;
use crate::report::investigation as rendered;
use crate::report::reply::{End, Reply};
use crate::store::investigations::{self, Listed};
use crate::sys::files;
use serde_json::{Value, json};
use std::fmt::Write;

/// Show where the investigation stands: phases, checkpoints, what comes next
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Show all investigations, one per line
    #[arg(long)]
    all: bool,
    /// Fail with exit code 8 when the last phase has no checkpoint commit, although it should
    #[arg(long, conflicts_with = "all")]
    strict: bool,
}

/// Answers the command.
pub fn run(args: &Args, global: &Global) -> Result<Reply, Failure> {
    let session = Session::open(global)?;
    if args.all { all(&session) } else { current(args, &session, global) }
}

/// A damaged file is a line of the list and no reason to hide the others.
fn all(session: &Session) -> Result<Reply, Failure> {
    let mut text = String::new();
    let mut entries: Vec<Value> = Vec::new();
    for Listed { id, current, found } in investigations::all(&session.layout)? {
        match found {
            Ok(investigation) => {
                text.push_str(&rendered::summary(&investigation, current));
                entries.push(json!({
                    "id": id,
                    "current": current,
                    "status": investigation.status,
                    "phase": investigation.phase,
                    "updatedAt": investigation.updated_at,
                    "scenario": investigation.scenario.description,
                }));
            }
            Err(failure) => {
                let _ = writeln!(text, "! {id}  {failure}");
                entries.push(json!({"id": id, "error": failure.message}));
            }
        }
    }
    if entries.is_empty() {
        text.push_str("no investigation; start one with `cargo perf setup`\n");
    }
    Ok(Reply::plain("status", text, json!({"state": place(session), "investigations": entries})))
}

fn current(args: &Args, session: &Session, global: &Global) -> Result<Reply, Failure> {
    let Some(stored) = investigations::current(&session.layout)? else {
        let aside = match investigations::all(&session.layout)?.len() {
            0 => String::new(),
            aside => {
                format!("{} put aside: `cargo perf status --all`\n", units::count(aside, "investigation"))
            }
        };
        let text = format!(
            "no investigation is open in {}; start one with `cargo perf setup`\n{aside}",
            session.layout.shown()
        );
        let mut reply = Reply::plain("status", text, json!({"state": place(session), "investigation": null}));
        reply.next =
            Some(NextStep::Question("what should be faster? start with `cargo perf setup`".to_owned()));
        return Ok(reply);
    };
    let open = stored.investigation;
    let commits = commits_of(&session.layout, &open);
    let unfound = commits.last().is_none_or(Option::is_none);
    let lost = unfound && is_lost(&session.layout, session.config.checkpoint, &open);
    let log = files::relative(
        &session.layout.folder.join(investigations::log_name(&open.id)),
        &session.layout.root,
    );
    let mut text = rendered::terms(&open) + &rendered::phases(&open, &checkpoints(&open, &commits));
    let _ = writeln!(text, "log in {log}\nstate in {} ({})", session.layout.shown(), session.layout.reason);
    if lost {
        text.push_str("the last phase has lost its commit; the next phase makes it\n");
    }
    let (status, next) = standing(&open, global);
    let records: Vec<Value> = open
        .phases
        .iter()
        .zip(&commits)
        .map(|(record, commit)| phase_json(record, commit.as_deref()))
        .collect();
    let mut reply = Reply {
        command: "status",
        phase: Some(open.phase),
        status,
        baseline: open.baseline().map(|baseline| baseline.version.clone()),
        findings: rendered::findings(&open),
        next: Some(next),
        result: json!({
            "state": place(session),
            "investigation": {
                "id": open.id,
                "status": open.status,
                "phase": open.phase,
                "createdAt": open.created_at,
                "updatedAt": open.updated_at,
                "scenario": open.scenario,
                "benchmark": open.benchmark,
                "baselines": open.baselines,
                "approvals": open.approvals,
                "log": log,
                "checkpoint_lost": lost,
            },
            "phases": records,
            "missing": Phase::ALL.into_iter().filter(|phase| open.record(*phase).is_none()).collect::<Vec<_>>(),
        }),
        text,
        end: End::Done,
    };
    if let Some(failure) = args.strict.then(|| unkept(&open, lost)).flatten() {
        reply.status = Status::Blocked;
        reply.end = End::Failed(failure);
    }
    Ok(reply)
}

/// Why the last phase has no commit, unless that is as it should be.
fn unkept(open: &Investigation, lost: bool) -> Option<Failure> {
    let record = open.phases.last()?;
    let name = record.phase.name();
    if lost {
        return Some(
            Failure::new(
                FailureKind::Environment,
                format!("the phase {name} has lost its checkpoint commit"),
            )
            .hint("the next phase makes it"),
        );
    }
    let checkpoint =
        record.checkpoint.as_ref().filter(|checkpoint| checkpoint.state == CheckpointState::None)?;
    let reason = checkpoint.reason.as_deref().and_then(Reason::named);
    if matches!(reason, Some(Reason::Off | Reason::NothingChanged)) {
        return None;
    }
    let (why, remedy) =
        reason.map_or(("for an unknown reason", ""), |reason| (reason.explanation(), reason.remedy()));
    Some(
        Failure::new(FailureKind::Environment, format!("the phase {name} has no checkpoint commit: {why}"))
            .hint(remedy),
    )
}

/// What became of the commit of each record, in words.
pub fn checkpoints(open: &Investigation, commits: &[Option<String>]) -> Vec<String> {
    let told = |(record, commit): (&PhaseRecord, &Option<String>)| match (&record.checkpoint, commit) {
        (None, _) => "no checkpoint recorded".to_owned(),
        (Some(_), Some(commit)) => format!("checkpoint {}", &commit[..commit.len().min(7)]),
        (Some(checkpoint), None) if checkpoint.state == CheckpointState::Commit => {
            "checkpoint not in the history any more".to_owned()
        }
        (Some(checkpoint), None) => checkpoint_text(checkpoint, None),
    };
    open.phases.iter().zip(commits).map(told).collect()
}

fn phase_json(record: &PhaseRecord, commit: Option<&str>) -> Value {
    let mut value = json!(record);
    value["checkpoint"] =
        record.checkpoint.as_ref().map_or(Value::Null, |found| checkpoint_json(found, commit));
    value
}

fn place(session: &Session) -> Value {
    json!({"folder": session.layout.shown(), "reason": session.layout.reason, "warning": session.layout.warning})
}
