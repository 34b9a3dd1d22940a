//! `cargo perf baselines`: what is stored.

use super::arguments::Global;
use super::session::Session;
use crate::failure::Failure;
use crate::model::label::VersionLabel;
use crate::report::baseline as rendered;
use crate::report::reply::Reply;
use crate::store::baselines;
use crate::store::layout::Layout;
use crate::sys::files;
use clap::Subcommand;
use serde_json::{Value, json};

/// List, show and remove stored baselines
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List stored baselines (the default)
    List,
    /// Show one baseline
    Show {
        /// Its version label
        version: String,
    },
    /// Remove one baseline
    Remove {
        /// Its version label
        version: String,
    },
}

/// Answers the command.
pub fn run(args: &Args, global: &Global) -> Result<Reply, Failure> {
    let layout = Session::open(global)?.layout;
    match &args.action {
        None | Some(Action::List) => list(&layout),
        Some(Action::Show { version }) => show(&layout, &VersionLabel::new(version)?),
        Some(Action::Remove { version }) => remove(&layout, &VersionLabel::new(version)?),
    }
}

/// A damaged file is a line of the list and no reason to hide the others.
fn list(layout: &Layout) -> Result<Reply, Failure> {
    let mut text = String::new();
    let mut entries: Vec<Value> = Vec::new();
    for label in baselines::stored_labels(layout)? {
        let line = match baselines::load(layout, &label) {
            Ok(baseline) => {
                entries.push(json!({"version": label.as_str(), "recordedAt": baseline.recorded_at, "metrics": baseline.metrics}));
                rendered::summary(&baseline)
            }
            Err(failure) => {
                entries.push(json!({"version": label.as_str(), "error": failure.message}));
                format!("{label}  {failure}")
            }
        };
        text.push_str(&line);
        text.push('\n');
    }
    if entries.is_empty() {
        text = format!("no baselines in {}\n", files::relative(&layout.baselines(), &layout.root));
    }
    let folder = layout.shown();
    Ok(Reply::plain(
        "baselines",
        text,
        json!({"state": {"folder": folder, "reason": layout.reason}, "baselines": entries}),
    ))
}

fn show(layout: &Layout, label: &VersionLabel) -> Result<Reply, Failure> {
    let baseline = baselines::load(layout, label)?;
    let text = rendered::details(&baseline);
    let result = json!({
        "file": files::relative(&layout.baseline(label), &layout.root),
        "recordedAt": baseline.recorded_at,
        "duration": baseline.duration,
        "env": baseline.env,
        "benches": baseline.benches.iter().map(rendered::series_json).collect::<Vec<_>>(),
    });
    let mut reply = Reply::plain("baselines", text, result);
    reply.baseline = Some(label.to_string());
    Ok(reply)
}

fn remove(layout: &Layout, label: &VersionLabel) -> Result<Reply, Failure> {
    let file = files::relative(&baselines::remove(layout, label)?, &layout.root);
    Ok(Reply::plain("baselines", format!("removed {file}\n"), json!({"removed": file})))
}
