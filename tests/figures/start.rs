//! Starts and times whole processes, by other means than the tool's own: a clock that is wrong in
//! `sys::process` would otherwise be checked with itself.

#![expect(clippy::disallowed_methods, reason = "the suite stands outside of what it measures")]

use cargo_perf_lab::failure::{Context, Failure, FailureKind};
use cargo_perf_lab::sys::interrupt::{Interrupt, interrupted};
use cargo_perf_lab::sys::invocation::Invocation;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Where cargo builds, as every cargo below this process is told.
const TARGET_VARIABLE: &str = "CARGO_TARGET_DIR";
/// How often the accounts of an observed process are read.
const SAMPLE_EVERY: Duration = Duration::from_millis(200);

/// An observed process that has ended well.
#[derive(Debug)]
pub struct Observed {
    /// From before its start until after its end.
    pub wall_s: f64,
    /// Its own processor time, without that of its children.
    pub cpu_s: f64,
    /// Its largest resident set, as the last sample has it.
    pub peak_bytes: u64,
    pub stdout: String,
    pub stderr: String,
}

/// The target directory of the cargo that built this suite.
pub fn target_directory() -> &'static Path {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    scratch.parent().unwrap_or(scratch)
}

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder of a fixture workspace.
pub fn fixture(name: &str) -> PathBuf {
    root().join("fixtures").join(name)
}

/// Replaces this process by itself with fixtures built in a folder of their own; without optimising them where
/// only the suite is tried, since criterion takes three times as long with it.
///
/// Only the environment tells that to the cargo that the library starts, and a process cannot safely
/// change its own. Returns when it has been done already, or cannot be done.
pub fn build_fixtures_apart(only_tried: bool) -> Result<(), Failure> {
    let wanted =
        target_directory().join(if only_tried { "perf/figures-tried" } else { "perf/figures-build" });
    if std::env::var_os(TARGET_VARIABLE).is_some_and(|given| *given == *wanted) {
        return Ok(());
    }
    let mut again = Command::new("/proc/self/exe");
    again.args(std::env::args_os().skip(1)).env(TARGET_VARIABLE, wanted);
    if only_tried {
        again.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0");
    }
    let error = again.exec();
    Err(Failure::environment(format!("the suite cannot start itself again: {error}")))
}

/// The tool, to be started in the fixture `name`.
pub fn tool(name: &str) -> Command {
    quiet(Command::new(env!("CARGO_BIN_EXE_cargo-perf")), name)
}

/// The cargo that the tool calls too, to be started in the fixture `name`.
pub fn cargo(name: &str) -> Command {
    quiet(Command::new(cargo_perf_lab::bench::discover::cargo()), name)
}

/// A script for `sh`, whose arguments are still to be given, to be started in the fixture `name`.
pub fn shell(name: &str, script: &str) -> Command {
    let mut command = quiet(Command::new("sh"), name);
    command.args(["-c", script, "sh"]);
    command
}

fn quiet(mut command: Command, name: &str) -> Command {
    command.current_dir(fixture(name)).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// What somebody would start who typed the invocation into a shell.
pub fn by_hand(invocation: &Invocation) -> Command {
    let mut command = Command::new(&invocation.argv[0]);
    command.args(&invocation.argv[1..]).current_dir(&invocation.cwd);
    for (name, value) in &invocation.env {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Runs a process to its end; its wall time in seconds.
pub fn timed(mut command: Command, interrupt: &Interrupt) -> Result<f64, Failure> {
    interrupt.check()?;
    let started = Instant::now();
    let status = command.status().context(FailureKind::Environment, || shown(&command))?;
    let wall = started.elapsed();
    interrupt.check()?;
    expect_success(status, &command, "")?;
    Ok(wall.as_secs_f64())
}

/// Runs a process to its end; what it wrote to standard output.
pub fn output(mut command: Command, interrupt: &Interrupt) -> Result<String, Failure> {
    interrupt.check()?;
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let output = command.output().context(FailureKind::Environment, || shown(&command))?;
    interrupt.check()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    expect_success(output.status, &command, said.trim())?;
    Ok(said)
}

/// What a command of the tool has answered with `--json`.
#[derive(Debug)]
pub struct Answered {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// The answer.
    pub json: Value,
}

/// Runs the tool with `--json` to its end, however that is.
pub fn answered(mut command: Command, interrupt: &Interrupt) -> Result<Answered, Failure> {
    interrupt.check()?;
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let output = command.output().context(FailureKind::Environment, || shown(&command))?;
    interrupt.check()?;
    let unread = || format!("the answer of {} cannot be read", shown(&command));
    let json = serde_json::from_slice(&output.stdout).context(FailureKind::Environment, unread)?;
    Ok(Answered { code: output.status.code(), json })
}

/// Runs a process to its end and reads its accounts meanwhile.
pub fn observed(mut command: Command, interrupt: &Interrupt) -> Result<Observed, Failure> {
    let what = || shown(&command);
    // Files instead of pipes: nobody has to read while the process runs.
    let mut streams = [scratch_file()?, scratch_file()?];
    let [stdout, stderr] = &streams;
    let ends = (stdout.try_clone(), stderr.try_clone());
    let stdout = ends.0.context(FailureKind::Environment, what)?;
    let stderr = ends.1.context(FailureKind::Environment, what)?;
    command.stdout(stdout).stderr(stderr);
    let started = Instant::now();
    let mut child = command.spawn().context(FailureKind::Environment, || shown(&command))?;
    let mut accounts = Accounts::default();
    let watched = accounts.watch(child.id(), started, interrupt);
    // Also after a failed watch: it has asked the process to end.
    let status = child.wait().context(FailureKind::Environment, || shown(&command))?;
    let wall = watched?;
    let mut texts = [String::new(), String::new()];
    for (file, text) in streams.iter_mut().zip(&mut texts) {
        let read = file.rewind().and_then(|()| file.read_to_string(text));
        read.context(FailureKind::Environment, || shown(&command))?;
    }
    let [stdout, stderr] = texts;
    expect_success(status, &command, stdout.trim())?;
    Ok(Observed {
        wall_s: wall.as_secs_f64(),
        cpu_s: accounts.cpu_s,
        peak_bytes: accounts.peak_bytes,
        stdout,
        stderr,
    })
}

fn scratch_file() -> Result<File, Failure> {
    tempfile::tempfile().context(FailureKind::Environment, || "no temporary file can be made".to_owned())
}

fn expect_success(status: ExitStatus, command: &Command, said: &str) -> Result<(), Failure> {
    if status.success() {
        return Ok(());
    }
    Err(Failure::benchmark(format!("{}: {status} {said}", shown(command))))
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// What the kernel keeps of one process.
#[derive(Debug, Default)]
struct Accounts {
    cpu_s: f64,
    peak_bytes: u64,
}

impl Accounts {
    /// Samples `pid` until it ends; returns its wall time. A signal to us is handed on to it.
    fn watch(&mut self, pid: u32, started: Instant, interrupt: &Interrupt) -> Result<Duration, Failure> {
        let lost = || Failure::environment("the process cannot be watched");
        let handle = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(lost)?;
        let ended = pidfd_open(handle, PidfdFlags::empty()).map_err(|_| lost())?;
        loop {
            let has_ended = wait(&ended, interrupt);
            let wall = started.elapsed();
            // Once more after the end: until it is waited for, the kernel still has its times, if no
            // longer its memory.
            self.sample(pid);
            if has_ended {
                return Ok(wall);
            }
            if let Some(signal) = interrupt.signal() {
                // It may have ended in between.
                let _ = kill_process(handle, Signal::TERM);
                return Err(interrupted(signal));
            }
        }
    }

    fn sample(&mut self, pid: u32) {
        let file = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).ok();
        if let Some(seconds) = file("stat").as_deref().and_then(own_seconds) {
            self.cpu_s = seconds;
        }
        if let Some(bytes) = file("status").as_deref().and_then(peak) {
            self.peak_bytes = bytes;
        }
    }
}

/// Waits until a process has ended (which is returned), a signal has come, or a sample is due.
fn wait(ended: &OwnedFd, interrupt: &Interrupt) -> bool {
    let timeout = Timespec::try_from(SAMPLE_EVERY).ok();
    let mut fds =
        [PollFd::new(ended, PollFlags::IN), PollFd::from_borrowed_fd(interrupt.descriptor(), PollFlags::IN)];
    poll(&mut fds, timeout.as_ref()).is_ok() && !fds[0].revents().is_empty()
}

/// User and system time in `/proc/<pid>/stat`.
fn own_seconds(stat: &str) -> Option<f64> {
    // The name in parentheses may hold spaces; fields 14 and 15 are the 12th and 13th behind it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some((ticks(11)? + ticks(12)?) as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// The high-water mark in `/proc/<pid>/status`.
fn peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}
