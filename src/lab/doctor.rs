//! Looks at everything a measurement depends on.

use super::Lab;
use super::facts::{self, Checkout};
use super::preflight::Order;
use super::tools::QUIETLY;
use crate::failure::{Failure, FailureKind};
use crate::model::checkup::{Checkup, Lock, LockFile, Preflight, Project};
use crate::model::event::Event;
use crate::model::gate::Verdict;
use crate::sys::slot::{self, Holder, Patience, Slot};
use crate::sys::{clock, files, kernel, quota};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// As much as a small baseline takes.
const ROOM: usize = 64 * 1024;

/// Where results of the project go.
#[derive(Debug, Clone)]
pub struct StateFolder {
    /// The folder.
    pub folder: PathBuf,
    /// The project's root.
    pub root: PathBuf,
    /// Why it is this folder.
    pub reason: String,
}

impl Lab<'_> {
    /// Looks at the machine, its tools, the lock, the state folder and the noise, in this order: what is
    /// started to learn a version must be over before the probe.
    ///
    /// # Errors
    /// `Interrupted` only; whatever else is wrong stands in the checkup.
    pub fn examine(&mut self, state: Option<&StateFolder>) -> Result<Checkup, Failure> {
        let started = Instant::now();
        let (machine, soft, _) = facts::machine(Checkout::default(), Duration::ZERO);
        let tools = self.tools()?;
        let project = state.map(project);
        if started.elapsed() > QUIETLY {
            self.report(Event::Examining { what: "the noise on this machine".to_owned() });
        }
        let (lock, preflight) = self.probe_alone()?;
        Ok(Checkup {
            machine,
            soft,
            permissions: kernel::permissions(),
            control_groups: quota::control_groups(),
            tools,
            lock,
            project,
            preflight,
        })
    }

    /// Probes with the machine in hand, or not at all: the probe would disturb whoever measures.
    fn probe_alone(&mut self) -> Result<(Lock, Option<Preflight>), Failure> {
        let mut lock = Lock { files: lock_files(), holder: None, problem: None };
        let run = clock::run_id();
        match Slot::acquire(&run, "cargo perf doctor", Patience::NoWait, self.interrupt, |_, _| {}) {
            Ok(slot) => {
                let preflight = self.preflight_in_doubt_twice();
                drop(slot);
                Ok((lock, Some(preflight?)))
            }
            Err(failure) if failure.kind == FailureKind::Busy => {
                lock.holder =
                    Some(slot::holder().map_or(failure.message, |holder| Holder::describe(&holder)));
                Ok((lock, None))
            }
            Err(failure) if failure.kind == FailureKind::Environment => {
                lock.problem = Some(failure.message);
                Ok((lock, None))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Probes, and where that finds noise once more and for longer; then the longer probe counts.
    fn preflight_in_doubt_twice(&mut self) -> Result<Preflight, Failure> {
        let first = self.preflight(&Order::thorough())?;
        if first.verdict != Verdict::Noisy {
            return Ok(first);
        }
        self.report(Event::Examining { what: "the noise once more, for longer".to_owned() });
        self.preflight(&Order::lasting())
    }
}

fn lock_files() -> Vec<LockFile> {
    let shown = |path: &Path| path.display().to_string();
    slot::lock_files().into_iter().map(|(path, problem)| LockFile { path: shown(&path), problem }).collect()
}

fn project(state: &StateFolder) -> Project {
    Project {
        state: files::relative(&state.folder, &state.root),
        reason: state.reason.clone(),
        problem: files::prove_writable(&state.folder, ROOM).err().map(|failure| failure.message),
    }
}
