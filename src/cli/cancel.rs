//! `cargo perf cancel`.

use super::arguments::Global;
use super::emit::Printer;
use super::runs::RunChoice;
use super::wait::whereabouts;
use crate::failure::Failure;
use crate::report::reply::Reply;
use crate::store::runs::{Ended, Record, State};
use crate::sys::interrupt::{Interrupt, interrupted};
use crate::sys::invocation::line;
use crate::sys::slot::RUN_VARIABLE;
use crate::sys::tree;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// End a run that was started with --detach, and everything it has started
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    run: RunChoice,
}

const POLL: Duration = Duration::from_millis(20);
/// How long the run may take to end itself, and what it was made to leave, to disappear.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers the command. It needs no project.
pub fn run(
    args: &Args,
    global: &Global,
    interrupt: &Interrupt,
    printer: &mut Printer,
) -> Result<Reply, Failure> {
    let record = settled(args.run.find_own(global, "cancel", printer)?, interrupt)?;
    if record.state() != State::Running {
        // Whoever killed the run may have left what it measured.
        kill_measured(&record);
        return Ok(ended_already(&record));
    }
    let run = &record.run;
    tree::signal_one(run.pid, run.start_time, Signal::TERM);
    let mut killed = false;
    if !is_over(&record, interrupt)? {
        killed = true;
        kill(&record);
        if !is_over(&record, interrupt)? {
            return Err(Failure::environment(format!(
                "the run {} cannot be ended: it hangs in the kernel",
                run.id
            )));
        }
    }
    if record.state() == State::Lost {
        // It had no time to say so itself, so that nobody takes it for an accident.
        let signal = if killed { libc::SIGKILL } else { libc::SIGTERM };
        let failure = interrupted(signal);
        record.end(&Ended::now(failure.kind.exit_code(), Some(&failure)))?;
    }
    Ok(ended_now(&record, killed))
}

/// The record once the process that does the work stands in it.
fn settled(record: Record, interrupt: &Interrupt) -> Result<Record, Failure> {
    let mut now = record;
    while now.run.starting && now.state() == State::Running {
        interrupt.sleep(POLL)?;
        now = now.reloaded().unwrap_or(now);
    }
    Ok(now)
}

/// Waits until nothing of the run is left, for as long as that may take.
fn is_over(record: &Record, interrupt: &Interrupt) -> Result<bool, Failure> {
    let asked = Instant::now();
    loop {
        if !tree::lives(record.run.pid, record.run.start_time) && measured(record).is_empty() {
            return Ok(true);
        }
        if asked.elapsed() >= PATIENCE {
            return Ok(false);
        }
        interrupt.sleep(POLL)?;
    }
}

/// What the run has started to measure it.
fn measured(record: &Record) -> Vec<i32> {
    tree::with_environment(RUN_VARIABLE, |run| run == record.run.id)
}

fn kill(record: &Record) {
    let run = &record.run;
    if tree::lives(run.pid, run.start_time) {
        tree::signal_all(run.pid, Signal::KILL);
    }
    kill_measured(record);
}

fn kill_measured(record: &Record) {
    for pid in measured(record) {
        tree::signal_all(pid, Signal::KILL);
    }
}

fn ended_now(record: &Record, killed: bool) -> Reply {
    let record = record.reloaded().unwrap_or_else(|| record.clone());
    let how = if killed { "killed, since it did not end when it was asked to" } else { "ended" };
    let command = line(&record.run.argv);
    let text = format!("run {} was {how}: {command}\n{}\n", record.run.id, whereabouts(&record));
    Reply::plain("cancel", text, result(&record, true, killed))
}

fn ended_already(record: &Record) -> Reply {
    let how = match record.state() {
        State::Ended(ended) => format!("with exit code {} at {}", ended.exit_code, ended.ended_at),
        State::Lost | State::Running => "without an answer".to_owned(),
    };
    let text = format!("run {} had ended already, {how}\n", record.run.id);
    Reply::plain("cancel", text, result(record, false, false))
}

fn result(record: &Record, ended: bool, killed: bool) -> Value {
    let exit_code = match record.state() {
        State::Ended(ended) => Some(ended.exit_code),
        State::Lost | State::Running => None,
    };
    json!({
        "run": record.run.id,
        "ended": ended,
        "killed": killed,
        "exit_code": exit_code,
        "traces": record.run.traces,
    })
}
