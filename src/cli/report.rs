//! `cargo perf report`.

use super::arguments::Global;
use super::investigating::{standing, with_standing};
use super::session::Session;
use super::status::checkpoints;
use crate::failure::Failure;
use crate::investigation::advance::commits_of;
use crate::investigation::dossier;
use crate::model::experiment::Experiment;
use crate::model::investigation::Investigation;
use crate::report::experiments::Basis;
use crate::report::reply::Reply;
use crate::report::{block, investigation as rendered};
use crate::store::{investigations, results};
use crate::sys::files;
use serde_json::json;
use std::fmt::Write;

/// Report on the investigation as Markdown: question, findings, phases, rules, approvals
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Another investigation than the current one
    #[arg(long, value_name = "ID")]
    id: Option<String>,
}

/// Answers the command.
pub fn run(args: &Args, global: &Global) -> Result<Reply, Failure> {
    let session = Session::open(global)?;
    let investigation = dossier::any(&session.layout, args.id.as_deref())?;
    let (_, next) = standing(&investigation, global);
    let commits = commits_of(&session.layout, &investigation);
    let checkpoints = checkpoints(&investigation, &commits);
    let (state, lost) = (state_of(&session, &investigation), lost(&session, &investigation));
    let basis = Basis { investigation: &investigation, state: &state, lost: &lost };
    let result = rendered::json(basis, &json!(block::next(&next)));
    let mut text = rendered::markdown(basis, &checkpoints);
    let _ = writeln!(text, "## Next\n\n{}", block::next(&next));
    let mut reply = Reply::plain("report", text, result);
    reply.findings = basis.provable(rendered::findings(&investigation));
    Ok(with_standing(reply, &investigation, global))
}

/// The file of the state, relative to the root.
fn state_of(session: &Session, open: &Investigation) -> String {
    let layout = &session.layout;
    let is_current = dossier::any(layout, None).is_ok_and(|current| current.id == open.id);
    let name =
        if is_current { investigations::CURRENT.to_owned() } else { investigations::parked_name(&open.id) };
    files::relative(&layout.folder.join(name), &layout.root)
}

/// The experiments whose comparison is gone, or is not what was stored.
fn lost(session: &Session, open: &Investigation) -> Vec<String> {
    let is_lost = |experiment: &&Experiment| {
        let finding = experiment.finding.as_ref();
        finding.is_some_and(|finding| results::read(&session.layout.root, &finding.comparison).is_err())
    };
    open.own_experiments().filter(is_lost).map(|experiment| experiment.id.clone()).collect()
}
