//! `cargo perf report`.

use super::arguments::Global;
use super::investigating::standing;
use super::session::Session;
use super::status::checkpoints;
use crate::failure::Failure;
use crate::investigation::advance::commits_of;
use crate::investigation::dossier;
use crate::report::block;
use crate::report::investigation as rendered;
use crate::report::reply::Reply;
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
    let mut text = rendered::markdown(&investigation, &checkpoints(&investigation, &commits));
    let _ = writeln!(text, "## Next\n\n{}", block::next(&next));
    let result = rendered::json(&investigation, &json!(block::next(&next)));
    let mut reply = Reply::plain("report", text, result);
    reply.status = investigation.status;
    reply.baseline = investigation.baseline().map(|baseline| baseline.version.clone());
    reply.findings = rendered::findings(&investigation);
    reply.next = Some(next);
    Ok(reply)
}
