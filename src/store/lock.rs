//! The lock on the state folder: one process at a time changes what is in it.

use super::change::elsewhere;
use crate::failure::Failure;
use crate::sys::{files, regular, slot};
use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(20);

/// Takes the lock on `folder` itself, so that no lock file lies in it; makes the folder when it is missing.
/// The lock ends with the file that is returned, and with the process.
///
/// # Errors
/// `State` when another process still holds it after `patience`, and when something else than a folder
/// stands there; `Environment` when the folder cannot be made or locked.
pub fn take(folder: &Path, patience: Duration) -> Result<File, Failure> {
    let started = Instant::now();
    loop {
        let mut opened = regular::open_folder(folder)?;
        if opened.is_none() {
            files::make_folder(folder).map_err(elsewhere)?;
            opened = regular::open_folder(folder)?;
        }
        match opened.as_ref().map(File::try_lock) {
            // The folder may have been exchanged meanwhile; then this lock keeps nobody out.
            Some(Ok(())) => {
                if let Some(lock) = opened.filter(|lock| is_at(lock, folder)) {
                    return Ok(lock);
                }
            }
            None | Some(Err(TryLockError::WouldBlock)) => {}
            Some(Err(TryLockError::Error(error))) => {
                return Err(Failure::environment(format!("{} cannot be locked: {error}", folder.display()))
                    .hint("choose a place on a file system with locks with --state-dir"));
            }
        }
        let Some(left) = patience.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) else {
            return Err(locked(folder, patience));
        };
        std::thread::sleep(POLL.min(left));
    }
}

fn is_at(lock: &File, folder: &Path) -> bool {
    let both = lock.metadata().and_then(|locked| Ok((locked, fs::symlink_metadata(folder)?)));
    both.is_ok_and(|(locked, there)| (locked.dev(), locked.ino()) == (there.dev(), there.ino()))
}

fn locked(folder: &Path, patience: Duration) -> Failure {
    let holder = slot::locking_pid(folder).map_or_else(String::new, |pid| format!(" (pid {pid})"));
    Failure::state(format!(
        "the state folder {} is locked by another process{holder}, for more than {:.1} s",
        folder.display(),
        patience.as_secs_f64()
    ))
    .hint("run the same command again when that process has ended")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureKind;

    const SOON: Duration = Duration::from_millis(100);

    #[test]
    fn s27_only_one_holds_the_folder_and_nothing_lies_in_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let perf = folder.path().join("deep/perf");
        let lock = take(&perf, SOON).expect("taken");
        assert_eq!(fs::read_dir(&perf).expect("listed").count(), 0);
        let started = Instant::now();
        let failure = take(&perf, SOON).expect_err("taken already");
        assert!(started.elapsed() >= SOON, "patience was not used");
        assert_eq!(failure.kind, FailureKind::State);
        let pid = std::process::id();
        let cause = format!("the state folder {} is locked by another process (pid {pid})", perf.display());
        assert!(failure.message.starts_with(&cause), "{failure}");
        assert!(failure.hint.is_some());
        drop(lock);
        // A test beside this one may start a process, which holds a copy of the lock until it is another program.
        take(&perf, Duration::from_secs(10)).expect("free again");
    }

    #[test]
    fn a_waiter_gets_the_folder_that_replaced_the_one_it_waited_for() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let perf = folder.path().join("perf");
        let first = take(&perf, SOON).expect("taken");
        fs::remove_dir(&perf).expect("removed");
        let second = take(&perf, SOON).expect("a new folder has no holder");
        drop(first);
        assert!(take(&perf, SOON).is_err(), "the new folder is held");
        drop(second);
    }
}
