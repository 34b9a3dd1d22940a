//! A process apart: in a session of its own, with nothing of the caller's, free to outlive it.

use super::ended::Exit;
use crate::failure::{Context, Failure, FailureKind};
use std::fs;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command};

/// Tells a process apart which run it is. No process that is started from here inherits it.
pub const DETACHED_VARIABLE: &str = "CARGO_PERF_DETACHED";

/// A process apart, as far as its starter still sees it.
#[derive(Debug)]
pub struct Apart {
    child: Child,
}

impl Apart {
    /// What was just started.
    pub(in crate::sys) fn new(child: Child) -> Self {
        Self { child }
    }

    /// Its process id, valid as long as this value lives.
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// `Environment` when that cannot be told.
    pub fn ended(&mut self) -> Result<Option<Exit>, Failure> {
        let status = self
            .child
            .try_wait()
            .context(FailureKind::Environment, || "a process cannot be waited for".to_owned())?;
        Ok(status.map(|status| match status.signal() {
            Some(signal) => Exit::Signal(signal),
            None => Exit::Code(status.code().unwrap_or_default()),
        }))
    }
}

/// Makes `command` start apart: its own session, none of our descriptors but the standard streams, and
/// ended by SIGTERM whatever its caller had said of that.
#[expect(unsafe_code, reason = "code between fork and exec is unsafe to install")]
pub(in crate::sys) fn prepare(command: &mut Command) -> io::Result<()> {
    close_on_exec()?;
    let leave = || {
        // SAFETY: setsid and signal with SIG_DFL take no pointers and are async-signal-safe.
        let left =
            unsafe { libc::setsid() != -1 && libc::signal(libc::SIGTERM, libc::SIG_DFL) != libc::SIG_ERR };
        if left { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    // SAFETY: the closure calls only setsid and signal, allocates nothing and takes no lock.
    unsafe { command.pre_exec(leave) };
    Ok(())
}

/// Keeps what the caller gave us, such as the pipes of an agent's shell, from what we start.
#[expect(unsafe_code, reason = "these descriptors have no owner in this program")]
fn close_on_exec() -> io::Result<()> {
    for entry in fs::read_dir("/proc/self/fd")? {
        let number = entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
        if let Some(descriptor @ 3..) = number {
            // SAFETY: F_SETFD takes plain numbers. One that was closed meanwhile is an error and no harm;
            // all descriptors of this program have the flag already.
            unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
    Ok(())
}
