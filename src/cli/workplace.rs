//! What a measurement takes for itself: the machine, a folder for its traces, and the proof that the
//! machine is fit.

use super::arguments::Global;
use super::session::Session;
use crate::bench::discover::Workspace;
use crate::failure::Failure;
use crate::lab::Lab;
use crate::lab::catalogue::Entry;
use crate::lab::intent::Intent;
use crate::lab::preflight::Order;
use crate::model::event::Event;
use crate::sys::files;
use crate::sys::interrupt::Interrupt;
use crate::sys::slot::{Holder, Patience, Slot};
use std::path::{Path, PathBuf};

/// Where traces of runs are, below everything else that can be made anew.
const RUNS: &str = "runs";

/// Where and under which name something is measured.
#[derive(Debug)]
pub struct Workplace {
    /// The machine, taken until this is dropped.
    pub slot: Slot,
    /// Where traces go.
    pub folder: PathBuf,
}

impl Workplace {
    /// Takes the machine for `command` on `entry`, and makes the folder of its traces known.
    ///
    /// # Errors
    /// `Busy` when another measurement holds the machine and waiting is not wanted.
    pub fn take(
        lab: &mut Lab<'_>,
        session: &Session,
        global: &Global,
        workspace: Option<&Workspace>,
        (command, entry): (&str, &Entry),
        patience: Patience,
    ) -> Result<Self, Failure> {
        let perf = artefacts(session, workspace);
        // Where cargo has not made the folder, nothing else says that it holds no sources.
        files::mark_as_cache(&perf)?;
        let runs = perf.join(RUNS);
        files::forget_unused(&runs, files::UNUSED);
        let run = global.run_id();
        let folder = runs.join(&run);
        Self::in_folder(lab, global, (run, folder), (command, entry), patience)
    }

    /// Takes the machine as [`Self::take`] does, for a run that goes on with the traces in `folder`.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn take_up(
        lab: &mut Lab<'_>,
        global: &Global,
        folder: &Path,
        order: (&str, &Entry),
        patience: Patience,
    ) -> Result<Self, Failure> {
        Self::in_folder(lab, global, (global.run_id(), folder.to_path_buf()), order, patience)
    }

    /// Leaves the traces that are here to themselves: others go beside them.
    ///
    /// # Errors
    /// `Environment` when who supervises this run cannot be told.
    pub fn begin_anew(&mut self, global: &Global) -> Result<(), Failure> {
        let runs = self.folder.parent().unwrap_or(&self.folder);
        self.folder = runs.join(global.run_id());
        match &global.supervised {
            Some(supervised) => supervised.keeps_traces_in(&self.folder),
            None => Ok(()),
        }
    }

    /// The id of the run whose traces are here.
    pub fn run(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// A failure that says how what was measured before it can go on: with `command`, or else with the same one.
    pub fn with_resumption(&self, failure: Failure, command: Option<&str>) -> Failure {
        if failure.hint.is_some() || !Intent::is_kept(&self.folder) {
            return failure;
        }
        let how = match command {
            Some(command) => format!("`{command}`"),
            None => format!("the same command with --resume {}", self.run()),
        };
        failure.hint(format!("{how} goes on with the pairs measured so far"))
    }

    fn in_folder(
        lab: &mut Lab<'_>,
        global: &Global,
        (run, folder): (String, PathBuf),
        (command, entry): (&str, &Entry),
        patience: Patience,
    ) -> Result<Self, Failure> {
        if let Some(supervised) = &global.supervised {
            supervised.keeps_traces_in(&folder)?;
        }
        let doing = format!("cargo perf {command} of {}", entry.benchmark.name);
        let interrupt = lab.interrupt;
        let slot = take_machine(&run, &doing, patience, interrupt, |event| lab.report(event))?;
        Ok(Self { slot, folder })
    }
}

/// Takes the machine, and says for whom it waits.
///
/// # Errors
/// As [`Slot::acquire`].
pub fn take_machine(
    run: &str,
    doing: &str,
    patience: Patience,
    interrupt: &Interrupt,
    mut report: impl FnMut(Event),
) -> Result<Slot, Failure> {
    Slot::acquire(run, doing, patience, interrupt, |holder, waited| {
        report(Event::WaitingForMachine {
            holder: holder.map(Holder::describe),
            seconds: waited.as_secs_f64(),
        });
    })
}

/// The folder of the folders of all runs.
pub fn runs(session: &Session, workspace: Option<&Workspace>) -> PathBuf {
    artefacts(session, workspace).join(RUNS)
}

/// The folder of everything that is made here and can be made anew.
fn artefacts(session: &Session, workspace: Option<&Workspace>) -> PathBuf {
    let target = workspace
        .map_or_else(|| target_without_cargo(&session.layout.root), |found| found.target_directory.clone());
    target.join("perf")
}

/// Where traces go when there is no workspace to say so.
fn target_without_cargo(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder))
}

/// Looks whether the machine is fit to measure; what disturbs is a warning, what makes a measurement
/// worthless refuses it, unless noise was accepted. Returns the verdict.
///
/// # Errors
/// `Environment` for what makes a measurement worthless.
pub fn probe(lab: &mut Lab<'_>, noise_accepted: bool) -> Result<String, Failure> {
    let found = lab.preflight(&Order::quick())?;
    for text in found.warnings() {
        lab.report(Event::Warning { text });
    }
    match found.refusal() {
        Some(failure) if !noise_accepted => Err(failure),
        _ => Ok(found.verdict.name().to_owned()),
    }
}

/// Forks that were measured before a failure are named, so that nothing is lost: they are in `record`.
pub fn with_kept(failure: Failure, record: &Path, root: &Path) -> Failure {
    if failure.hint.is_some() || !record.exists() {
        return failure;
    }
    failure.hint(format!("the forks measured so far are kept in {}", files::relative(record, root)))
}
