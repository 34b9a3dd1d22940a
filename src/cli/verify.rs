//! `cargo perf verify`.

use super::arguments::Global;
use super::session::Session;
use crate::failure::Failure;
use crate::report::reply::{End, Reply};
use crate::report::verification;
use crate::stats::judging::judge_benches;
use crate::store::comparisons;
use std::env;
use std::path::PathBuf;

/// Compute the verdicts of a stored comparison again, from its raw samples
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The comparison.json, or the folder that holds it
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Answers the command.
pub fn run(args: &Args, global: &Global) -> Result<Reply, Failure> {
    // A document can be checked anywhere; inside a project, paths are relative to where the user is.
    let cwd = env::current_dir().unwrap_or_default();
    let root = Session::open(global).map_or_else(|_| cwd.clone(), |session| session.layout.root);
    let given = cwd.join(&args.file);
    let path = if given.exists() { given } else { root.join(&args.file) };
    let comparison = comparisons::load(&path)?;
    let judged = judge_benches(&comparison.benches, &comparison.terms);
    let verdicts = judged.into_iter().map(|judged| judged.verdicts).collect::<Vec<_>>();
    let differences = verification::differences(&comparison, &verdicts);
    let text = verification::text(&comparison, &verdicts, &differences);
    let mut reply = Reply::plain("verify", text, verification::json(&comparison, &differences));
    if let Some(first) = differences.first() {
        reply.end = End::Failed(
            Failure::state(format!(
                "{} is not what the samples say, at {}",
                args.file.display(),
                first.pointer
            ))
            .hint("the samples are what was measured; a verdict that differs was changed afterwards"),
        );
    }
    Ok(reply)
}
