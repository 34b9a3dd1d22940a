//! `cargo perf switch`.

use super::arguments::Global;
use super::investigating::with_standing;
use super::session::Session;
use crate::failure::Failure;
use crate::report::investigation as rendered;
use crate::report::reply::Reply;
use crate::store::investigations;
use serde_json::json;

/// Make another investigation the current one, and put the current one aside
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The investigation that becomes the current one
    #[arg(value_name = "ID", required_unless_present = "park", conflicts_with = "park")]
    id: Option<String>,
    /// Only put the current one aside
    #[arg(long)]
    park: bool,
}

/// Answers the command.
pub fn run(args: &Args, global: &Global) -> Result<Reply, Failure> {
    let session = Session::open(global)?;
    let current = investigations::switch(&session.layout, args.id.as_deref())?;
    let Some(current) = current else {
        let text = "no investigation is current now\n".to_owned();
        return Ok(Reply::plain("switch", text, json!({"investigation": null})));
    };
    let result =
        json!({"investigation": {"id": current.id, "status": current.status, "phase": current.phase}});
    let mut reply = Reply::plain("switch", rendered::summary(&current, true), result);
    reply.phase = Some(current.phase);
    Ok(with_standing(reply, &current, global))
}
