//! The processes below this one: found through the kernel's lists of children, ended and reaped.
//!
//! This process is a subreaper, so whatever a child leaves behind, in a session of its own or not,
//! becomes a direct child of ours when its parent is gone.

use crate::failure::{Context, Failure, FailureKind};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, kill_process, pidfd_open, pidfd_send_signal, set_child_subreaper,
    waitpid,
};
use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

/// A process that outlived the one that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// Its process id.
    pub pid: i32,
    /// Its name, as the kernel keeps it (at most 15 bytes).
    pub name: String,
}

/// Makes orphaned descendants children of this process.
pub fn become_subreaper() -> Result<(), Failure> {
    set_child_subreaper(Some(rustix::process::getpid()))
        .context(FailureKind::Environment, || "orphaned processes cannot be adopted".to_owned())
}

/// The direct children of `pid`, over all its threads.
pub fn children(pid: i32) -> Vec<i32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| list.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// `pid` and everything below it, parents first.
pub fn descendants(pid: i32) -> Vec<i32> {
    let mut found = vec![pid];
    let mut next = 0;
    while next < found.len() {
        for child in children(found[next]) {
            // A process can be reparented while the lists are read; it must not be followed twice.
            if !found.contains(&child) {
                found.push(child);
            }
        }
        next += 1;
    }
    found
}

/// Processor time that this process and everything below it have used so far, in seconds; what has
/// ended and was waited for is included.
pub fn used_cpu_s() -> f64 {
    let ticks_per_second = rustix::param::clock_ticks_per_second() as f64;
    let ticks: u64 = descendants(rustix::process::getpid().as_raw_nonzero().get())
        .into_iter()
        .filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/stat")).ok())
        .filter_map(|stat| used_ticks(&stat))
        .sum();
    ticks as f64 / ticks_per_second
}

/// The fields utime, stime, cutime and cstime, which follow the name and eleven others.
fn used_ticks(stat: &str) -> Option<u64> {
    let fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11).take(4);
    fields.map(|field| field.parse::<u64>().ok()).sum()
}

/// Sends `signal` to `pid` and everything below it. A process that is already gone is not an error.
pub fn signal_all(pid: i32, signal: Signal) {
    for pid in descendants(pid).into_iter().filter_map(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// Ends and reaps all children that are not in `known`, and what they leave in turn.
///
/// # Errors
/// `Environment` when a child survives SIGKILL for five seconds (it hangs in the kernel).
pub fn end_leftovers(known: &BTreeSet<i32>) -> Result<Vec<Leftover>, Failure> {
    let mut ended: Vec<Leftover> = Vec::new();
    let started = Instant::now();
    loop {
        let left: Vec<i32> = own_children().into_iter().filter(|pid| !known.contains(pid)).collect();
        if left.is_empty() {
            return Ok(ended);
        }
        for pid in left {
            if !ended.iter().any(|leftover| leftover.pid == pid) {
                ended.push(Leftover { pid, name: name(pid) });
            }
            signal_all(pid, Signal::KILL);
            reap(pid);
        }
        if started.elapsed() > Duration::from_secs(5) {
            let pids = ended.iter().map(|leftover| leftover.pid.to_string()).collect::<Vec<_>>();
            return Err(Failure::environment(format!(
                "processes left behind cannot be ended: {}",
                pids.join(", ")
            )));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The children of this process now.
pub fn own_children() -> BTreeSet<i32> {
    children(rustix::process::getpid().as_raw_nonzero().get()).into_iter().collect()
}

/// The processes of this user whose environment holds `variable` with a value accepted by `matches`.
pub fn with_environment(variable: &str, matches: impl Fn(&str) -> bool) -> Vec<i32> {
    let prefix = format!("{variable}=");
    let holds = |environment: &[u8]| {
        environment
            .split(|byte| *byte == 0)
            .filter_map(|entry| entry.strip_prefix(prefix.as_bytes()))
            .any(|value| std::str::from_utf8(value).is_ok_and(&matches))
    };
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| fs::read(format!("/proc/{pid}/environ")).is_ok_and(|bytes| holds(&bytes)))
        .collect()
}

/// The start time of a process in clock ticks since boot; with the pid it names a process for good.
pub fn start_time(pid: i32) -> Option<u64> {
    stated(pid).map(|(_, start_time)| start_time)
}

/// Whether the process `pid` that was started at `start_time` still runs. One that has ended and that
/// nobody has waited for does not.
pub fn lives(pid: i32, start_time: u64) -> bool {
    stated(pid).is_some_and(|(state, started)| started == start_time && !matches!(state, 'Z' | 'X'))
}

/// Sends `signal` to the process `pid` that was started at `start_time`, and to no other that has its id
/// by now. Returns whether it was there.
pub fn signal_one(pid: i32, start_time: u64, signal: Signal) -> bool {
    let handle = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    // The handle was there first, so what lives behind it cannot change any more.
    handle.is_some_and(|handle| lives(pid, start_time) && pidfd_send_signal(handle, signal).is_ok())
}

/// State and start time of a process.
fn stated(pid: i32) -> Option<(char, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold spaces; field 22 is the 20th behind it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

fn name(pid: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).map_or_else(|_| "?".to_owned(), |n| n.trim().to_owned())
}

fn reap(pid: i32) {
    let _ = waitpid(Pid::from_raw(pid), WaitOptions::NOHANG);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_of_this_process_is_known_and_stable() {
        let pid = i32::try_from(std::process::id()).expect("a small pid");
        assert!(start_time(pid).is_some());
        assert_eq!(start_time(pid), start_time(pid));
        assert_eq!(start_time(i32::MAX), None);
    }

    #[test]
    fn a_process_with_another_start_time_is_another_process() {
        let pid = i32::try_from(std::process::id()).expect("a small pid");
        let start = start_time(pid).expect("this process has one");
        assert!(lives(pid, start) && !lives(pid, start + 1));
        // Signal 9 would end this test.
        assert!(!signal_one(pid, start + 1, Signal::KILL));
    }
}
