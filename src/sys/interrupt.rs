//! Ctrl-C, SIGTERM and SIGHUP, seen as a value that waits can be woken by.

use crate::failure::{Context, Failure, FailureKind};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::fs;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The signals that ask the program to stop; installed once, at start.
#[derive(Debug)]
pub struct Interrupt {
    received: Arc<AtomicUsize>,
    wake: UnixStream,
}

impl Interrupt {
    /// Installs the handlers. From here on the signals no longer end the program by themselves. A signal
    /// that the caller has told us to ignore, as `nohup` does, stays ignored.
    pub fn install() -> Result<Self, Failure> {
        let failed = || "signal handlers could not be installed".to_owned();
        let (wake, write) = UnixStream::pair().context(FailureKind::Environment, failed)?;
        let received = Arc::new(AtomicUsize::new(0));
        let ignored = fs::read_to_string("/proc/self/status").map_or(0, |status| ignored_signals(&status));
        for signal in [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0)
        {
            let number = usize::try_from(signal).unwrap_or_default();
            signal_hook::flag::register_usize(signal, Arc::clone(&received), number)
                .context(FailureKind::Environment, failed)?;
            let end = write.try_clone().context(FailureKind::Environment, failed)?;
            signal_hook::low_level::pipe::register(signal, end).context(FailureKind::Environment, failed)?;
        }
        Ok(Self { received, wake })
    }

    /// The number of the signal that arrived, if one did.
    pub fn signal(&self) -> Option<i32> {
        match self.received.load(Ordering::SeqCst) {
            0 => None,
            number => i32::try_from(number).ok(),
        }
    }

    /// Fails with the exit code of the signal once one has arrived.
    pub fn check(&self) -> Result<(), Failure> {
        match self.signal() {
            None => Ok(()),
            Some(signal) => Err(interrupted(signal)),
        }
    }

    /// Sleeps for `time` or until a signal arrives, whichever is first.
    pub fn sleep(&self, time: Duration) -> Result<(), Failure> {
        let timeout = Timespec::try_from(time).ok();
        let mut fds = [PollFd::new(&self.wake, PollFlags::IN)];
        // An early return (EINTR) only shortens one step of a loop that waits anyway.
        let _ = poll(&mut fds, timeout.as_ref());
        self.check()
    }

    /// Becomes readable when a signal arrives, and stays so.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

/// The mask of ignored signals, lowest bit for signal 1, from the text of `/proc/self/status`.
fn ignored_signals(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// The failure that stands for being ended by `signal`.
pub fn interrupted(signal: i32) -> Failure {
    let name = match signal {
        SIGINT => "Ctrl-C",
        SIGTERM => "SIGTERM",
        SIGHUP => "SIGHUP",
        _ => "a signal",
    };
    Failure::new(FailureKind::Interrupted(signal), format!("ended by {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        let status = "SigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000002\n";
        let mask = ignored_signals(status);
        assert_eq!(mask >> (SIGHUP - 1) & 1, 1);
        assert_eq!(mask >> (SIGINT - 1) & 1, 0);
        assert_eq!(ignored_signals(""), 0);
    }
}
