//! Starts processes: the only module that does.
//!
//! A process gets its own group and is watched from one thread through `poll`: its end, its output,
//! its deadline, a signal to us, and whatever a companion listens to. When it is over, nothing of it
//! is left running, whatever it did to be left alone.

use super::apart::{self, Apart};
use super::capture::{Capture, Captured};
use super::counters;
use super::ended::{Ended, EndedByUs, Exit, Usage};
use super::interrupt::{Interrupt, interrupted};
use super::invocation::{Invocation, Output};
use super::tree;
use crate::failure::{Context, Failure, FailureKind};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a process may take to end itself after SIGTERM before it is killed.
const GRACE: Duration = Duration::from_secs(2);

/// Bytes read at once; small enough for the stack.
const READ_SIZE: usize = 16 * 1024;

/// One of the two output streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Whether a companion wants the process to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Let it run.
    Continue,
    /// End it: what was wanted has been read.
    Stop,
}

/// Somebody who talks with a process or reads its output while it runs.
pub trait Companion {
    /// Descriptors whose readiness should call [`Companion::ready`].
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }

    /// Something may be readable; must not block. Called once more after the process has ended.
    fn ready(&mut self) -> Result<Next, Failure> {
        Ok(Next::Continue)
    }

    /// How often [`Companion::tick`] should be called while the process runs.
    fn period(&self) -> Option<Duration> {
        None
    }

    /// A period has passed; must not block.
    fn tick(&mut self) {}

    /// The process wrote `bytes`, all of which pass here whatever the logs keep.
    fn output(&mut self, _stream: Stream, _bytes: &[u8]) {}
}

/// A companion that wants nothing.
#[derive(Debug)]
pub struct Alone;

impl Companion for Alone {}

/// Starts the process and returns when it, and everything it left behind, has ended.
///
/// # Errors
/// `Environment` when it cannot be started, `Interrupted` when a signal asked us to stop (the tree has
/// been ended then), and whatever the companion fails with.
pub fn run(
    invocation: &Invocation,
    companion: &mut dyn Companion,
    interrupt: &Interrupt,
) -> Result<Ended, Failure> {
    interrupt.check()?;
    tree::become_subreaper()?;
    let known = tree::own_children();
    let mut running = Running::start(invocation)?;
    let watched = running.watch(invocation.deadline, companion, interrupt);
    if let Ok(Watched::EndNow(by)) = &watched {
        running.end(if *by == EndedByUs::Companion { Duration::ZERO } else { GRACE });
    } else if watched.is_err() {
        running.end(GRACE);
    }
    // Of an ended process nobody has waited for, this can still be read.
    let run_delay_s = counters::run_delay(running.pid);
    let (exit, usage) = running.reap()?;
    let wall = running.started.elapsed();
    let leftovers = tree::end_leftovers(&known)?;
    let ended_by_us = match watched? {
        Watched::Ended => None,
        Watched::EndNow(by) => Some(by),
    };
    companion.ready()?;
    let (stdout, stderr) = running.finish_output(companion)?;
    Ok(Ended { exit, ended_by_us, wall, usage, run_delay_s, leftovers, stdout, stderr })
}

/// Starts a process in a session of its own that outlives us, and whose streams are files.
///
/// Nobody here ends it, so deadline and pid files mean nothing. In lists of processes it is called `name`.
///
/// # Errors
/// `Environment` when it cannot be started.
pub fn start_apart(invocation: &Invocation, name: &OsStr) -> Result<Apart, Failure> {
    let what = || format!("{} cannot be started in a session of its own", name.display());
    let mut command = invocation.builder().build_command();
    command.arg0(name);
    connect(&mut command, &invocation.output)?;
    apart::prepare(&mut command).context(FailureKind::Environment, what)?;
    command.spawn().map(Apart::new).context(FailureKind::Environment, what)
}

/// Leads the standard streams to where they belong. Returns path and limit of the logs.
fn connect(command: &mut Command, output: &Output) -> Result<(PathBuf, u64), Failure> {
    command.stdin(Stdio::null());
    match output {
        Output::Recorded { log, log_limit } => {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            Ok((log.clone(), *log_limit))
        }
        Output::StderrShown { log, log_limit } => {
            command.stdout(Stdio::piped()).stderr(Stdio::inherit());
            Ok((log.clone(), *log_limit))
        }
        Output::Files { stdout, stderr } => {
            let create = |path: &PathBuf| {
                let what = || format!("{} cannot be made", path.display());
                File::create(path).context(FailureKind::Environment, what)
            };
            command.stdout(create(stdout)?).stderr(create(stderr)?);
            Ok((stdout.clone(), 0))
        }
    }
}

enum Watched {
    Ended,
    EndNow(EndedByUs),
}

struct Running {
    pid: i32,
    pidfd: OwnedFd,
    started: Instant,
    stdout: Pipe,
    stderr: Pipe,
    // Kept so that the standard library's handle lives as long as the process.
    _child: Child,
}

impl Running {
    fn start(invocation: &Invocation) -> Result<Self, Failure> {
        let what = || format!("{} cannot be started", invocation.argv[0].to_string_lossy());
        let mut command = invocation.builder().build_command();
        command.process_group(0);
        let (log, limit) = connect(&mut command, &invocation.output)?;
        before_exec(&mut command, invocation)?;
        let started = Instant::now();
        let mut child = command.spawn().context(FailureKind::Environment, what)?;
        let pid = i32::try_from(child.id()).context(FailureKind::Environment, what)?;
        let handle = Pid::from_raw(pid).ok_or_else(|| Failure::environment(what()))?;
        let pidfd = pidfd_open(handle, PidfdFlags::empty()).context(FailureKind::Environment, what)?;
        let stdout = Pipe::new(child.stdout.take().map(OwnedFd::from), log.with_extension("stdout"), limit);
        let stderr = Pipe::new(child.stderr.take().map(OwnedFd::from), log.with_extension("stderr"), limit);
        Ok(Self { pid, pidfd, started, stdout, stderr, _child: child })
    }

    /// Serves streams and companion until the process ends or must be ended.
    fn watch(
        &mut self,
        deadline: Option<Duration>,
        companion: &mut dyn Companion,
        interrupt: &Interrupt,
    ) -> Result<Watched, Failure> {
        let mut ticked = self.started;
        loop {
            let left = deadline.map(|deadline| deadline.saturating_sub(self.started.elapsed()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(Watched::EndNow(EndedByUs::Deadline));
            }
            let until_tick = companion.period().map(|period| period.saturating_sub(ticked.elapsed()));
            if until_tick.is_some_and(|left| left.is_zero()) {
                companion.tick();
                ticked = Instant::now();
                continue;
            }
            let timeout = [left, until_tick].into_iter().flatten().min();
            let ready = self.poll(timeout, companion, interrupt)?;
            if let Some(signal) = interrupt.signal() {
                return Err(interrupted(signal));
            }
            self.read_output(ready.stdout, ready.stderr, companion)?;
            if ready.companion && companion.ready()? == Next::Stop {
                return Ok(Watched::EndNow(EndedByUs::Companion));
            }
            if ready.ended {
                return Ok(Watched::Ended);
            }
        }
    }

    fn poll(
        &self,
        timeout: Option<Duration>,
        companion: &dyn Companion,
        interrupt: &Interrupt,
    ) -> Result<Ready, Failure> {
        let mut fds = vec![
            PollFd::new(&self.pidfd, PollFlags::IN),
            PollFd::from_borrowed_fd(interrupt.descriptor(), PollFlags::IN),
        ];
        let streams = [&self.stdout, &self.stderr];
        for pipe in streams.iter().filter_map(|pipe| pipe.read.as_ref()) {
            fds.push(PollFd::new(pipe, PollFlags::IN));
        }
        let companion_from = fds.len();
        fds.extend(companion.descriptors().into_iter().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        let timeout = timeout.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(Ready::default()),
            Err(error) => return Err(Failure::environment(format!("a process cannot be watched: {error}"))),
        }
        let is_ready = |index: usize| !fds[index].revents().is_empty();
        let stdout_open = self.stdout.read.is_some();
        Ok(Ready {
            ended: is_ready(0),
            stdout: stdout_open && is_ready(2),
            stderr: self.stderr.read.is_some() && is_ready(2 + usize::from(stdout_open)),
            companion: (companion_from..fds.len()).any(is_ready),
        })
    }

    fn read_output(
        &mut self,
        stdout: bool,
        stderr: bool,
        companion: &mut dyn Companion,
    ) -> Result<(), Failure> {
        if stdout {
            self.stdout.read_once(|bytes| companion.output(Stream::Stdout, bytes))?;
        }
        if stderr {
            self.stderr.read_once(|bytes| companion.output(Stream::Stderr, bytes))?;
        }
        Ok(())
    }

    /// Asks the tree to end, and makes it after `grace`.
    fn end(&self, grace: Duration) {
        if !grace.is_zero() {
            tree::signal_all(self.pid, Signal::TERM);
            let timeout = Timespec::try_from(grace).ok();
            // Any outcome of the wait leads to the same next step.
            let _ = poll(&mut [PollFd::new(&self.pidfd, PollFlags::IN)], timeout.as_ref());
        }
        tree::signal_all(self.pid, Signal::KILL);
    }

    /// Waits for the process itself and takes its accounts.
    #[expect(unsafe_code, reason = "no safe wrapper returns the accounts of one child")]
    fn reap(&self) -> Result<(Exit, Usage), Failure> {
        let mut status = 0;
        let mut usage = MaybeUninit::<libc::rusage>::zeroed();
        loop {
            // SAFETY: both pointers are valid for writes for the call, and zeroed memory is a valid rusage.
            let waited = unsafe { libc::wait4(self.pid, &raw mut status, 0, usage.as_mut_ptr()) };
            if waited == self.pid {
                break;
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(Failure::environment(format!(
                    "process {} cannot be waited for: {error}",
                    self.pid
                )));
            }
        }
        // SAFETY: initialised by zeroing above and filled by the kernel.
        let usage = Usage::from(unsafe { usage.assume_init() });
        let exit = if libc::WIFSIGNALED(status) {
            Exit::Signal(libc::WTERMSIG(status))
        } else {
            Exit::Code(libc::WEXITSTATUS(status))
        };
        Ok((exit, usage))
    }

    /// Reads what is left in the pipes; nobody who could write to them lives any more.
    fn finish_output(mut self, companion: &mut dyn Companion) -> Result<(Captured, Captured), Failure> {
        while self.stdout.read.is_some() {
            self.stdout.read_once(|bytes| companion.output(Stream::Stdout, bytes))?;
        }
        while self.stderr.read.is_some() {
            self.stderr.read_once(|bytes| companion.output(Stream::Stderr, bytes))?;
        }
        Ok((self.stdout.finish()?, self.stderr.finish()?))
    }
}

/// What a wait has found ready.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "four independent facts")]
struct Ready {
    ended: bool,
    stdout: bool,
    stderr: bool,
    companion: bool,
}

/// Our end of one output stream.
struct Pipe {
    read: Option<File>,
    capture: Capture,
}

impl Pipe {
    fn new(end: Option<OwnedFd>, log: PathBuf, limit: u64) -> Self {
        Self { read: end.map(File::from), capture: Capture::new(log, limit) }
    }

    /// One read of what is there; the end of the stream closes it.
    fn read_once(&mut self, mut seen: impl FnMut(&[u8])) -> Result<(), Failure> {
        let Some(file) = self.read.as_mut() else { return Ok(()) };
        let mut buffer = [0; READ_SIZE];
        match file.read(&mut buffer) {
            Ok(0) => self.read = None,
            Ok(count) => {
                seen(&buffer[..count]);
                self.capture.take(&buffer[..count]).context(FailureKind::Environment, log_failed)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Failure::environment(format!("output cannot be read: {error}"))),
        }
        Ok(())
    }

    fn finish(self) -> Result<Captured, Failure> {
        self.capture.finish().context(FailureKind::Environment, log_failed)
    }
}

fn log_failed() -> String {
    "the output log cannot be written".to_owned()
}

/// What the child does between fork and exec: die with us, and enter the groups it was given.
#[expect(unsafe_code, reason = "code between fork and exec is unsafe to install")]
fn before_exec(command: &mut Command, invocation: &Invocation) -> Result<(), Failure> {
    let mut pid_files = Vec::new();
    for path in &invocation.pid_files {
        let what = || format!("{} cannot be opened", path.display());
        pid_files.push(File::options().write(true).open(path).context(FailureKind::Environment, what)?);
    }
    let prepare = move || {
        // SAFETY: prctl with PR_SET_PDEATHSIG takes a plain number and is async-signal-safe.
        if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // Files were opened before the fork, so this is only write(2).
        pid_files.iter_mut().try_for_each(|file| file.write_all(b"0"))
    };
    // SAFETY: the closure calls only prctl and write, allocates nothing and takes no lock.
    unsafe { command.pre_exec(prepare) };
    Ok(())
}
