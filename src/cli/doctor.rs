//! `cargo perf doctor`.

use super::arguments::Global;
use super::emit::Printer;
use super::session::Session;
use crate::bench::selection::CargoFlags;
use crate::failure::{Context, Failure, FailureKind};
use crate::lab::Lab;
use crate::lab::doctor::StateFolder;
use crate::model::checkup::Checkup;
use crate::model::outcome::Status;
use crate::report::doctor as rendered;
use crate::report::reply::{End, Reply};
use crate::store::layout::find_root;
use crate::sys::interrupt::Interrupt;
use std::env;

/// Look at the machine: tools, lock, state folder, settings, and how noisy it is now
#[derive(Debug, clap::Args)]
pub struct Args {
    /// End with exit code 8 on warnings too
    #[arg(long)]
    strict: bool,
}

/// Answers the command.
pub fn run(
    args: &Args,
    global: &Global,
    interrupt: &Interrupt,
    printer: &mut Printer,
) -> Result<Reply, Failure> {
    let cwd = env::current_dir()
        .context(FailureKind::Environment, || "the working directory is gone".to_owned())?;
    // Outside of a project there is still a machine to look at.
    let outside = global.manifest_path.is_none() && find_root(&cwd).is_none();
    let session = if outside { None } else { Some(Session::open(global)?) };
    let state = session.map(|session| StateFolder {
        folder: session.layout.folder,
        root: session.layout.root,
        reason: session.layout.reason,
    });
    let shown = printer.shares_stderr();
    let mut lab = Lab::new(cwd, CargoFlags::default(), None, shown, interrupt, printer)?;
    let checkup = lab.examine(state.as_ref())?;
    Ok(reply(&checkup, args.strict))
}

fn reply(checkup: &Checkup, strict: bool) -> Reply {
    let mut reply = Reply::plain("doctor", rendered::text(checkup), rendered::json(checkup));
    if let Some(failure) = refusal(checkup).or_else(|| strictness(checkup).filter(|_| strict)) {
        reply.status = Status::Blocked;
        reply.end = End::Failed(failure);
    }
    reply
}

/// What would keep a measurement from starting.
fn refusal(checkup: &Checkup) -> Option<Failure> {
    let obstacles = checkup.obstacles();
    let cannot_store = checkup.project.as_ref().is_some_and(|project| project.problem.is_some());
    let helps = if cannot_store {
        "choose another state folder with --state-dir"
    } else {
        "free memory, raise the quota, or install what is missing; each line says what it is about"
    };
    let message = || format!("a measurement would be refused: {}", obstacles.join("; "));
    (!obstacles.is_empty()).then(|| Failure::environment(message()).hint(helps))
}

fn strictness(checkup: &Checkup) -> Option<Failure> {
    let warnings = checkup.warnings();
    let message = || format!("--strict refuses a machine with warnings: {}", warnings.join("; "));
    let helps = "wait until the machine is quiet, or leave out --strict";
    (!warnings.is_empty()).then(|| Failure::environment(message()).hint(helps))
}
