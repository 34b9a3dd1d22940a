//! The machine-wide lock: whoever holds the `Slot` is the only one on this machine who measures.
//!
//! Locks are flocks on fixed paths. They are never unlinked (a waiter could then hold the lock on a
//! deleted file) and end with their holder. Who holds them stands in a record beside the lock, one per
//! user, believed only when process id and start time agree with a living process.

use super::interrupt::Interrupt;
use super::{clock, files, host, tree};
use crate::failure::{Failure, FailureKind};
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};
use std::env;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Names the run in the environment of everything it starts.
pub const RUN_VARIABLE: &str = "CARGO_PERF_RUN";
/// Adds a lock file, for instance on a volume that containers share. It never replaces the others.
pub const EXTRA_LOCK_VARIABLE: &str = "CARGO_PERF_LOCK";

/// Both, because either folder may be missing or closed to some user; taken in this order.
const LOCK_PATHS: [&str; 2] = ["/run/lock/cargo-perf.lock", "/tmp/cargo-perf.lock"];
const POLL: Duration = Duration::from_millis(200);

/// The right to measure. Only a value of this type opens the door to starting benchmarks.
#[derive(Debug)]
pub struct Slot {
    run: String,
    record: Option<PathBuf>,
    /// How long it took to get it.
    pub waited: Duration,
    _locks: Vec<File>,
}

/// Who holds the machine.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Holder {
    /// Process id of the holder.
    pub pid: i32,
    /// Start time of that process, in clock ticks since boot.
    pub start_time: u64,
    /// Name of the user.
    pub user: String,
    /// What is measured.
    pub doing: String,
    /// Since when, RFC 3339.
    pub since: String,
    /// The run, as its processes carry it in `CARGO_PERF_RUN`.
    pub run: String,
}

impl Holder {
    /// Who and what, for people.
    pub fn describe(&self) -> String {
        format!("{} (pid {}, {}, since {})", self.user, self.pid, self.doing, self.since)
    }
}

/// Whether to wait when the machine is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Wait until it is free.
    Wait,
    /// Fail at once.
    NoWait,
}

impl Slot {
    /// Takes the machine for `run`. `waiting` is called once a second while somebody else holds it.
    ///
    /// # Errors
    /// `Busy` without patience, or when this process is itself part of a measured run (waiting would
    /// then never end); `Environment` when no lock file can be opened; `Interrupted`.
    pub fn acquire(
        run: &str,
        doing: &str,
        patience: Patience,
        interrupt: &Interrupt,
        mut waiting: impl FnMut(Option<&Holder>, Duration),
    ) -> Result<Self, Failure> {
        refuse_nested()?;
        let started = Instant::now();
        let files = open_all()?;
        let mut said: Option<Instant> = None;
        for (path, file) in &files {
            loop {
                match file.try_lock() {
                    Ok(()) => break,
                    Err(TryLockError::WouldBlock) => {}
                    Err(TryLockError::Error(error)) => {
                        return Err(Failure::environment(format!(
                            "{} cannot be locked: {error}",
                            path.display()
                        )));
                    }
                }
                let holder = holder_of(path);
                if patience == Patience::NoWait {
                    return Err(busy(holder.as_ref()));
                }
                if said.is_none_or(|last| last.elapsed() >= Duration::from_secs(1)) {
                    waiting(holder.as_ref(), started.elapsed());
                    said = Some(Instant::now());
                }
                interrupt.sleep(POLL)?;
            }
        }
        end_orphaned_runs();
        let record = write_record(run, doing);
        let locks = files.into_iter().map(|(_, file)| file).collect();
        Ok(Self { run: run.to_owned(), record, waited: started.elapsed(), _locks: locks })
    }

    /// The run this slot was taken for; everything measured carries it in its environment.
    pub fn run(&self) -> &str {
        &self.run
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(record) = &self.record {
            // A record left behind is not believed: its process is gone.
            let _ = fs::remove_file(record);
        }
    }
}

/// Who holds the machine now, as far as can be told.
pub fn holder() -> Option<Holder> {
    lock_paths().iter().find_map(|path| holder_of(path))
}

/// The files of the lock, each with the reason why it cannot be used.
pub fn lock_files() -> Vec<(PathBuf, Option<String>)> {
    let problem = |path: &Path| open(path).err().map(|error| error.to_string());
    lock_paths().into_iter().map(|path| (path.clone(), problem(&path))).collect()
}

fn busy(holder: Option<&Holder>) -> Failure {
    let who = holder.map_or_else(|| "an unknown process".to_owned(), Holder::describe);
    Failure::new(FailureKind::Busy, format!("another benchmark holds the machine: {who}"))
        .hint("run again without --no-wait to wait for it")
}

/// Refuses to measure inside a measured run.
///
/// # Errors
/// `Busy`, naming the run.
pub fn refuse_nested() -> Result<(), Failure> {
    let Ok(run) = env::var(RUN_VARIABLE) else { return Ok(()) };
    if records().iter().any(|holder| holder.run == run && is_alive(holder)) {
        return Err(Failure::new(
            FailureKind::Busy,
            format!("started inside the measured run {run}: waiting for it would never end"),
        )
        .hint("call the benchmark itself, not cargo perf, from inside a benchmark"));
    }
    Ok(())
}

/// Ends what crashed runs left measuring: the lock is free, so no run that is named can be alive.
fn end_orphaned_runs() {
    let own = env::var(RUN_VARIABLE).ok();
    let program = env::current_exe().ok();
    for pid in tree::with_environment(RUN_VARIABLE, |run| own.as_deref() != Some(run)) {
        // This program, started from inside a run that is over, waits like any other.
        if program.is_none() || fs::read_link(format!("/proc/{pid}/exe")).ok() != program {
            tree::signal_all(pid, rustix::process::Signal::KILL);
        }
    }
}

fn lock_paths() -> Vec<PathBuf> {
    let extra = env::var_os(EXTRA_LOCK_VARIABLE).map(PathBuf::from);
    LOCK_PATHS.iter().map(PathBuf::from).chain(extra).collect()
}

fn open_all() -> Result<Vec<(PathBuf, File)>, Failure> {
    let mut files = Vec::new();
    let mut reasons = Vec::new();
    for path in lock_paths() {
        match open(&path) {
            Ok(file) => files.push((path, file)),
            Err(error) => reasons.push(format!("{}: {error}", path.display())),
        }
    }
    let extra_failed =
        env::var_os(EXTRA_LOCK_VARIABLE).is_some_and(|extra| !files.iter().any(|(path, _)| *path == *extra));
    if files.is_empty() || extra_failed {
        let failure = Failure::environment(format!("a lock file cannot be opened: {}", reasons.join(", ")));
        return Err(failure.hint(format!("name one that everybody here can read in {EXTRA_LOCK_VARIABLE}")));
    }
    Ok(files)
}

/// Opens for reading first, which is enough to lock and works on a file of another user.
fn open(path: &Path) -> std::io::Result<File> {
    let existing = rustix::fs::open(path, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
    if let Ok(fd) = existing {
        return Ok(File::from(fd));
    }
    // Exclusive creation: a sticky folder may refuse O_CREAT on a file that somebody else owns.
    let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::from_raw_mode(0o644)) {
        Ok(fd) => {
            // The creator's umask must not shut out other users.
            rustix::fs::fchmod(&fd, Mode::from_raw_mode(0o644))?;
            Ok(File::from(fd))
        }
        Err(rustix::io::Errno::EXIST) => Ok(File::from(rustix::fs::open(
            path,
            OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW,
            Mode::empty(),
        )?)),
        Err(error) => Err(error.into()),
    }
}

fn record_folder() -> &'static Path {
    // Every user can create files here, and the folder outlives any one session.
    Path::new("/tmp")
}

fn write_record(run: &str, doing: &str) -> Option<PathBuf> {
    let pid = i32::try_from(std::process::id()).ok()?;
    let holder = Holder {
        pid,
        start_time: tree::start_time(pid)?,
        user: host::user(),
        doing: doing.to_owned(),
        since: clock::now_rfc3339(),
        run: run.to_owned(),
    };
    let uid = rustix::process::getuid().as_raw();
    let path = record_folder().join(format!("cargo-perf.holder.{uid}.json"));
    let text = serde_json::to_vec(&holder).ok()?;
    // Only the courtesy of naming the holder is lost when this fails; the lock itself holds.
    files::write_atomic(&path, &text).ok()?;
    Some(path)
}

fn records() -> Vec<Holder> {
    let Ok(entries) = fs::read_dir(record_folder()) else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("cargo-perf.holder."))
        .filter_map(|entry| serde_json::from_slice(&fs::read(entry.path()).ok()?).ok())
        .collect()
}

fn holder_of(lock: &Path) -> Option<Holder> {
    let pid = locking_pid(lock);
    records().into_iter().filter(is_alive).find(|holder| pid.is_none_or(|pid| pid == holder.pid))
}

fn is_alive(holder: &Holder) -> bool {
    tree::lives(holder.pid, holder.start_time)
}

/// The process that holds the flock on `lock`, from the kernel's own table.
pub fn locking_pid(lock: &Path) -> Option<i32> {
    use std::os::unix::fs::MetadataExt;
    let inode = fs::metadata(lock).ok()?.ino().to_string();
    let table = fs::read_to_string("/proc/locks").ok()?;
    table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find_map(|fields| {
        let matches = fields.get(1) == Some(&"FLOCK")
            && fields.get(5).is_some_and(|device| device.rsplit(':').next() == Some(&inode));
        // In another pid namespace the kernel shows 0.
        fields.get(4).filter(|_| matches)?.parse().ok().filter(|pid| *pid > 0)
    })
}
