//! `cargo perf wait`.

use super::arguments::Global;
use super::emit::Printer;
use super::runs::RunChoice;
use crate::failure::Failure;
use crate::model::duration::parse_seconds;
use crate::model::event::{Event, Listener};
use crate::model::outcome::{NextStep, Status};
use crate::model::units;
use crate::report::reply::{End, Reply};
use crate::store::runs::{Ended, Record, State};
use crate::sys::interrupt::Interrupt;
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

/// Wait for a run that was started with --detach, and answer as it does
#[derive(Debug, clap::Args)]
#[command(after_help = "Ends with 75 while the run goes on, else with the exit code of the run")]
pub struct Args {
    #[command(flatten)]
    run: RunChoice,
    /// Wait for so long at most
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds, default_value = "45s")]
    timeout: Duration,
}

const POLL: Duration = Duration::from_millis(100);
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// Answers the command. It needs no project.
pub fn run(
    args: &Args,
    global: &Global,
    interrupt: &Interrupt,
    printer: &mut Printer,
) -> Result<Reply, Failure> {
    let record = args.run.find(global, "wait", printer)?;
    let started = Instant::now();
    let mut reported: Option<Instant> = None;
    loop {
        match record.state() {
            State::Ended(ended) => return Ok(answer(&record, &ended, global.json)),
            State::Lost => return Err(lost(&record)),
            State::Running => {}
        }
        if reported.is_none_or(|last| last.elapsed() >= REPORT_EVERY) {
            reported = Some(Instant::now());
            printer.event(progress(&record));
        }
        let left = args.timeout.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Ok(still_running(&record, args.timeout));
        }
        interrupt.sleep(left.min(POLL)).map_err(|failure| {
            failure.hint(format!("the run goes on; `cargo perf cancel {}` ends it", record.run.id))
        })?;
    }
}

fn progress(record: &Record) -> Event {
    Event::Detached {
        run: record.run.id.clone(),
        elapsed_s: record.elapsed_s(),
        planned_s: record.run.planned.wall_s,
        said: record.said(),
    }
}

/// As the run itself has answered. Only where its text is asked for as an object it becomes part of one.
fn answer(record: &Record, ended: &Ended, json: bool) -> Reply {
    let id = &record.run.id;
    let (text, stderr) = (record.printed(), record.reported());
    // Of a run that went well nothing but its answer is of interest; warnings are in that, too.
    let stderr = if ended.exit_code == 0 { String::new() } else { stderr };
    let result = json!({"run": id, "exit_code": ended.exit_code, "stdout": text, "stderr": stderr});
    match ended.failure() {
        Some(failure) if json && !record.run.json => {
            let mut reply = Reply::failed("wait", None, failure);
            reply.result = result;
            reply
        }
        None if json && !record.run.json => {
            let mut reply = Reply::plain("wait", text, result);
            if ended.exit_code != 0 {
                reply.end = End::Alarm(ended.exit_code);
            }
            reply
        }
        _ => {
            let mut reply = Reply::plain("wait", text, result);
            reply.end = End::Relayed { exit_code: ended.exit_code, stderr };
            reply
        }
    }
}

fn still_running(record: &Record, timeout: Duration) -> Reply {
    let run = &record.run;
    let (elapsed_s, said) = (record.elapsed_s(), record.said());
    let words = ["cargo", "perf", "wait", &run.id, "--timeout"].map(str::to_owned);
    let next: Vec<String> = words.into_iter().chain([format!("{}s", timeout.as_secs_f64())]).collect();
    let elapsed = units::duration(Duration::from_secs_f64(elapsed_s));
    let text = format!("run {} still goes on, {elapsed} so far\nnext: {}\n", run.id, next.join(" "));
    let result = json!({"run": run.id, "elapsed_s": elapsed_s, "planned": run.planned, "said": said});
    let mut reply = Reply::plain("wait", text, result);
    reply.status = Status::InProgress;
    reply.next = Some(NextStep::Argv(next));
    reply.end = End::StillRunning;
    reply
}

fn lost(record: &Record) -> Failure {
    let record = record.reloaded().unwrap_or_else(|| record.clone());
    let message =
        format!("the run {} ended without an answer: it was killed, or the machine restarted", record.run.id);
    Failure::environment(message).hint(whereabouts(&record))
}

/// Where to find what a run has left.
pub fn whereabouts(record: &Record) -> String {
    let printed = format!("what it printed is in {}", record.folder().display());
    match &record.run.traces {
        Some(traces) if Path::new(traces).is_dir() => {
            format!("{printed}, its logs and the forks measured so far are in {traces}")
        }
        _ => format!("{printed}; nothing was measured"),
    }
}
