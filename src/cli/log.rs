//! `cargo perf log`.

use super::arguments::Global;
use super::session::Session;
use crate::failure::Failure;
use crate::investigation::{dossier, evidence};
use crate::model::units;
use crate::report::log as sections;
use crate::report::reply::{End, Reply};
use crate::store::investigations;
use serde_json::{Value, json};

/// Print the log of the investigation, or check that its evidence is there
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Check that sections are as phases wrote them, and that what they point at is there
    #[arg(long)]
    check: bool,
    /// Another investigation than the current one
    #[arg(long, value_name = "ID")]
    id: Option<String>,
}

/// Answers the command.
pub fn run(args: &Args, global: &Global) -> Result<Reply, Failure> {
    let session = Session::open(global)?;
    let layout = &session.layout;
    let investigation = dossier::any(layout, args.id.as_deref())?;
    let file = layout.shown_file(&investigations::log_name(&investigation.id));
    let text = investigations::log(layout, &investigation.id)?.unwrap_or_default();
    if !args.check {
        let read: Vec<Value> = sections::pieces(&text)
            .into_iter()
            .map(|(line, piece)| json!({"line": line, "text": piece.trim_start()}))
            .collect();
        let shown = if text.is_empty() { format!("{file} is not written yet\n") } else { text };
        return Ok(Reply::plain(
            "log",
            shown,
            json!({"id": investigation.id, "file": file, "sections": read}),
        ));
    }
    let checked = evidence::check(layout, &investigation, &text)?;
    let mut shown = format!(
        "{}, {} resolved\n",
        units::count(checked.sections, "section"),
        units::count(checked.resolved, "pointer")
    );
    shown.extend(
        checked.replaced.iter().map(|place| format!("evidence replaced by a later phase, {place}\n")),
    );
    shown.extend(checked.removed.iter().map(|place| format!("evidence removed, {place}\n")));
    shown.extend(checked.problems.iter().map(|problem| format!("{problem}\n")));
    let mut reply = Reply::plain(
        "log",
        shown,
        json!({
            "id": investigation.id,
            "file": file,
            "sections": checked.sections,
            "resolved": checked.resolved,
            "replaced": checked.replaced,
            "removed": checked.removed,
            "problems": checked.problems,
        }),
    );
    if let Some(first) = checked.problems.first() {
        let failure = Failure::state(format!(
            "{file} has {}: {first}",
            units::count(checked.problems.len(), "problem")
        ))
        .hint(format!("compare it with the checkpoints: git log -p -- {file}"));
        reply.end = End::Failed(failure);
    }
    Ok(reply)
}
