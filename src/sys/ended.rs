//! A process that has ended: how, after what time, and what it used.

use super::capture::Captured;
use super::tree::Leftover;
use std::fmt;
use std::time::Duration;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It returned this code.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
}

/// What the kernel counted for a process and the descendants it waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Processor time in user mode, in seconds.
    pub user_s: f64,
    /// Processor time in the kernel, in seconds.
    pub system_s: f64,
    /// Largest resident set of any one process, in bytes.
    pub max_rss_bytes: u64,
    /// Page faults served without reading from disk.
    pub minor_faults: u64,
    /// Page faults that read from disk.
    pub major_faults: u64,
    /// Times it gave the processor away.
    pub voluntary_switches: u64,
    /// Times the processor was taken from it.
    pub involuntary_switches: u64,
}

/// A process that has ended, with nothing left of it.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub exit: Exit,
    /// Whether it was we who ended it, and why.
    pub ended_by_us: Option<EndedByUs>,
    /// Time from start to end.
    pub wall: Duration,
    /// What it used.
    pub usage: Usage,
    /// Seconds that it could have run and others did, as far as its threads lived to the end.
    pub run_delay_s: Option<f64>,
    /// Processes it left behind, which have been ended.
    pub leftovers: Vec<Leftover>,
    /// Its standard output.
    pub stdout: Captured,
    /// Its standard error; empty when it was shown to the user instead.
    pub stderr: Captured,
}

/// Why a process was ended from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedByUs {
    /// Its deadline passed.
    Deadline,
    /// Its companion had what it wanted.
    Companion,
}

impl From<libc::rusage> for Usage {
    fn from(usage: libc::rusage) -> Self {
        let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
        let count = |value: libc::c_long| u64::try_from(value).unwrap_or_default();
        Self {
            user_s: seconds(usage.ru_utime),
            system_s: seconds(usage.ru_stime),
            max_rss_bytes: count(usage.ru_maxrss) * 1024,
            minor_faults: count(usage.ru_minflt),
            major_faults: count(usage.ru_majflt),
            voluntary_switches: count(usage.ru_nvcsw),
            involuntary_switches: count(usage.ru_nivcsw),
        }
    }
}

impl Exit {
    /// Whether the process says that all went well.
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal(signal) => write!(f, "was killed by signal {signal} ({})", signal_name(*signal)),
        }
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGILL => "SIGILL",
        libc::SIGINT => "SIGINT",
        libc::SIGKILL => "SIGKILL, possibly for lack of memory",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGTERM => "SIGTERM",
        libc::SIGXFSZ => "SIGXFSZ",
        _ => "see kill -l",
    }
}
