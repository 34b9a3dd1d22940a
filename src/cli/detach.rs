//! `--detach`: the command goes on in a process of its own, and the caller has its answer at once.
//!
//! The caller makes the record, starts the supervisor, and waits until that has put itself into the
//! record. So a run whose caller was killed is known, whenever that happened.

use super::arguments::split_global;
use super::session::Session;
use crate::failure::{Failure, FailureKind};
use crate::model::outcome::{NextStep, Phase, Status};
use crate::model::units;
use crate::report::reply::{End, Reply};
use crate::store::layout::ProcessEnvironment;
use crate::store::runs::{self, Ended, Planned, Record, Run, State};
use crate::sys::apart::{Apart, DETACHED_VARIABLE};
use crate::sys::ended::Exit;
use crate::sys::interrupt::{Interrupt, interrupted};
use crate::sys::invocation::{Invocation, Output};
use crate::sys::{clock, process, slot, tree};
use rustix::process::Signal;
use serde_json::json;
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// The flag, as it stands among the arguments.
const FLAG: &str = "--detach";
/// A run that ends within this time is answered as if it had not been detached. The whole call is to
/// take less than a second.
const EARLY: Duration = Duration::from_millis(400);
/// How long the supervisor may take to write itself down on a machine that is very busy.
const STARTING: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);

/// A command that is to go on by itself.
#[derive(Debug)]
pub struct Order<'a> {
    /// The command's name, and its phase if it is one.
    pub command: (&'static str, Option<Phase>),
    /// The version label concerned, when it is known.
    pub label: Option<String>,
    /// How long it is expected to take.
    pub planned: Planned,
    /// Where it runs.
    pub session: &'a Session,
}

/// Starts the command of this process once more, apart, and answers with the id of the run; with the
/// answer of the command itself when that is there at once.
///
/// # Errors
/// `Busy` inside a measured run, `Environment` when the run cannot be started or recorded.
pub fn start(order: &Order<'_>, interrupt: &Interrupt) -> Result<Reply, Failure> {
    slot::refuse_nested()?;
    let record = Record::create(&described(order)?, &ProcessEnvironment)?;
    let mut supervisor = match start_supervisor(&record, &order.session.cwd) {
        Ok(supervisor) => supervisor,
        Err(failure) => {
            record.forget();
            return Err(failure);
        }
    };
    let started = Instant::now();
    loop {
        if let Some(exit) = supervisor.ended()? {
            return Ok(answered_at_once(order, &record, exit));
        }
        let starting = record.reloaded().is_none_or(|record| record.run.starting);
        if !starting && started.elapsed() >= EARLY {
            return Ok(going_on(order, &record.run));
        }
        if starting && started.elapsed() >= STARTING {
            end(&mut supervisor, Signal::KILL)?;
            record.forget();
            return Err(
                Failure::environment("the detached run does not start").hint("run it without --detach")
            );
        }
        match interrupt.signal() {
            // Who hangs up has no more use for the call, and has one for the run.
            None | Some(libc::SIGHUP) => thread::sleep(POLL),
            Some(signal) => {
                end(&mut supervisor, Signal::TERM)?;
                record.forget();
                return Err(interrupted(signal));
            }
        }
    }
}

fn described(order: &Order<'_>) -> Result<Run, Failure> {
    let own = std::process::id().cast_signed();
    let no_start = || Failure::environment("/proc cannot be read");
    let text = |path: &Path| path.to_string_lossy().into_owned();
    Ok(Run {
        id: clock::run_id(),
        pid: own,
        start_time: tree::start_time(own).ok_or_else(no_start)?,
        starting: true,
        argv: super::own_command().into_iter().filter(|word| word != FLAG).collect(),
        json: split_global(&env::args_os().collect::<Vec<_>>()).0,
        cwd: text(&order.session.cwd),
        root: text(&order.session.layout.root),
        started_at: clock::now_rfc3339(),
        planned: order.planned,
        traces: None,
    })
}

fn start_supervisor(record: &Record, cwd: &Path) -> Result<Apart, Failure> {
    let mut given = env::args_os();
    let name = given.next().unwrap_or_else(|| "cargo-perf".into());
    let program = OsString::from("/proc/self/exe");
    let argv = [program].into_iter().chain(without_flag(given));
    let output = Output::Files { stdout: record.stdout(), stderr: record.stderr() };
    let invocation = Invocation::new(argv, cwd, output).env(DETACHED_VARIABLE, record.run.id.as_str());
    process::start_apart(&invocation, &name)
}

/// The words but the flag; behind `--` nothing is a flag.
fn without_flag(words: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    let mut behind = false;
    words.filter(move |word| {
        behind |= word == "--";
        behind || word != OsStr::new(FLAG)
    })
}

/// Ends what was just started, and everything below it.
fn end(supervisor: &mut Apart, signal: Signal) -> Result<(), Failure> {
    let pid = supervisor.pid();
    if let Some(start_time) = tree::start_time(pid) {
        tree::signal_one(pid, start_time, signal);
    }
    let asked = Instant::now();
    while supervisor.ended()?.is_none() {
        if asked.elapsed() > Duration::from_secs(10) {
            tree::signal_all(pid, Signal::KILL);
        }
        thread::sleep(POLL);
    }
    Ok(())
}

fn going_on(order: &Order<'_>, run: &Run) -> Reply {
    let (command, phase) = order.command;
    let seconds = |seconds: f64| units::duration(Duration::from_secs_f64(seconds));
    let plan = match (run.planned.measured_s, run.planned.wall_s) {
        (Some(measured), Some(wall)) => format!(
            "plan: {} s measured, about {} in all for each benchmark, after the build",
            units::plain(measured),
            seconds(wall)
        ),
        _ => "plan: as many runs as were asked for, as long as they take".to_owned(),
    };
    let text = format!("run {} goes on by itself\n{plan}\n", run.id);
    let mut reply = Reply::plain(command, text, json!({"run": run.id, "planned": run.planned}));
    reply.phase = phase;
    reply.status = Status::InProgress;
    reply.baseline.clone_from(&order.label);
    reply.next = Some(NextStep::Argv(["cargo", "perf", "wait", &run.id].map(str::to_owned).to_vec()));
    reply
}

/// The run is over before the caller is, so it is answered and needs no record.
fn answered_at_once(order: &Order<'_>, record: &Record, exit: Exit) -> Reply {
    let exit_code = match (record.state(), exit) {
        (State::Ended(ended), _) => ended.exit_code,
        (_, Exit::Code(code)) => u8::try_from(code).unwrap_or(u8::MAX),
        (_, Exit::Signal(signal)) => FailureKind::Interrupted(signal).exit_code(),
    };
    let mut reply = Reply::plain(order.command.0, record.printed(), json!(null));
    reply.end = End::Relayed { exit_code, stderr: record.reported() };
    record.forget();
    reply
}

/// The record of the run that this process is, when it was started to go on by itself.
#[derive(Debug, Clone)]
pub struct Supervised {
    record: Record,
}

impl Supervised {
    /// Takes over the run that the environment names, and writes this process into its record.
    ///
    /// # Errors
    /// `Environment` when the record cannot be written.
    pub fn take_over() -> Result<Option<Self>, Failure> {
        let named = env::var(DETACHED_VARIABLE).ok();
        let record = named.and_then(|id| runs::find(&id, &ProcessEnvironment));
        // The name of a run that somebody does already has come here by accident.
        let Some(mut record) = record.filter(|record| record.run.starting) else { return Ok(None) };
        record.run.pid = std::process::id().cast_signed();
        record.run.start_time =
            tree::start_time(record.run.pid).ok_or_else(|| Failure::environment("/proc cannot be read"))?;
        record.run.starting = false;
        record.save()?;
        Ok(Some(Self { record }))
    }

    /// The name of the run.
    pub fn id(&self) -> &str {
        &self.record.run.id
    }

    /// Writes down where the run keeps what it measures.
    ///
    /// # Errors
    /// `Environment` when it cannot be written.
    pub fn keeps_traces_in(&self, folder: &Path) -> Result<(), Failure> {
        let mut record = self.record.clone();
        record.run.traces = Some(folder.to_string_lossy().into_owned());
        record.save()
    }

    /// Writes down how the run ended: its very last act.
    ///
    /// # Errors
    /// `Environment` when it cannot be written.
    pub fn ended(&self, exit_code: u8, failure: Option<&Failure>) -> Result<(), Failure> {
        self.record.end(&Ended::now(exit_code, failure))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_flag_itself_is_left_out() {
        let words = ["baseline", FLAG, "v1", "--expand=--detach", FLAG, "--", FLAG].map(OsString::from);
        let left: Vec<OsString> = without_flag(words.into_iter()).collect();
        assert_eq!(left, ["baseline", "v1", "--expand=--detach", "--", FLAG]);
    }
}
