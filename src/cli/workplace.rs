//! What a measurement takes for itself: the machine, a folder for its traces, and the proof that the
//! machine is fit.

use super::arguments::Global;
use super::session::Session;
use crate::bench::discover::Workspace;
use crate::failure::Failure;
use crate::lab::Lab;
use crate::lab::catalogue::Entry;
use crate::lab::preflight::Order;
use crate::model::event::Event;
use crate::sys::files;
use crate::sys::interrupt::Interrupt;
use crate::sys::slot::{Holder, Patience, Slot};
use std::path::{Path, PathBuf};

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
        let run = global.run_id();
        let target = workspace.map_or_else(
            || target_without_cargo(&session.layout.root),
            |found| found.target_directory.clone(),
        );
        // Where cargo has not made the folder, nothing else says that it holds no sources.
        files::mark_as_cache(&target.join("perf"))?;
        let runs = target.join("perf/runs");
        files::forget_unused(&runs, files::UNUSED);
        let folder = runs.join(&run);
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

/// Whatever was measured before a failure is named, so that nothing is lost: `what` is in `record`.
pub fn with_kept(failure: Failure, what: &str, record: &Path, root: &Path) -> Failure {
    if failure.hint.is_some() || !record.exists() {
        return failure;
    }
    failure.hint(format!("the {what} measured so far are kept in {}", files::relative(record, root)))
}
