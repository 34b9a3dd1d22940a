//! The laboratory: glues discovery, building, processes and adapters into things one can ask for.
//!
//! It knows nothing of phases, state files or terminals.

pub mod bisecting;
pub mod catalogue;
pub mod classify;
pub mod comparing;
pub mod contest;
pub mod demand;
pub mod doctor;
pub mod doubt;
pub mod externals;
pub mod facts;
pub mod fork;
pub mod intent;
mod listing;
pub mod matching;
pub mod measure;
pub mod metrics;
pub mod observe;
pub mod pairing;
pub mod plan;
pub mod preflight;
pub mod prepared;
pub mod probing;
pub mod program;
pub mod promotion;
pub mod question;
pub mod searching;
pub mod series;
pub mod side;
pub mod surroundings;
pub mod toolchain;
pub mod tools;
mod traces;
pub mod trial;

use crate::bench::selection::CargoFlags;
use crate::failure::{Context, Failure, FailureKind};
use crate::model::event::{Event, Listener};
use crate::sys::interrupt::Interrupt;
use crate::sys::invocation::Invocation;
use std::mem;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// Where cargo is called, what it is told, and where it builds.
#[derive(Debug, Clone)]
pub struct Site {
    /// Where cargo is called.
    pub cwd: PathBuf,
    /// What is passed on to it.
    pub flags: CargoFlags,
    /// Where it builds.
    pub target_directory: PathBuf,
}

/// What every job of the laboratory needs.
pub struct Lab<'a> {
    /// Where cargo is called.
    pub cwd: PathBuf,
    /// What is passed on to cargo.
    pub flags: CargoFlags,
    /// Where cargo builds, when that is not for it to decide.
    target_directory: Option<PathBuf>,
    /// Deadline of a single process, when the user set one.
    pub timeout: Option<Duration>,
    /// Whether cargo may write to the user's terminal while it builds.
    pub build_shown: bool,
    /// Signals to us.
    pub interrupt: &'a Interrupt,
    listener: &'a mut dyn Listener,
    scratch: TempDir,
}

impl<'a> Lab<'a> {
    /// A laboratory for the workspace around `cwd`.
    pub fn new(
        cwd: PathBuf,
        flags: CargoFlags,
        timeout: Option<Duration>,
        build_shown: bool,
        interrupt: &'a Interrupt,
        listener: &'a mut dyn Listener,
    ) -> Result<Self, Failure> {
        let scratch = tempfile::Builder::new()
            .prefix("cargo-perf-")
            .tempdir()
            .context(FailureKind::Environment, || "no temporary folder can be made".to_owned())
            .map_err(|failure| failure.hint("name a folder that can be written in TMPDIR"))?;
        Ok(Self { cwd, flags, target_directory: None, timeout, build_shown, interrupt, listener, scratch })
    }

    /// Does `work` as if the laboratory were at `site`.
    fn at<T>(
        &mut self,
        site: Site,
        work: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let Site { cwd, flags, target_directory } = site;
        let cwd = mem::replace(&mut self.cwd, cwd);
        let flags = mem::replace(&mut self.flags, flags);
        let target_directory = self.target_directory.replace(target_directory);
        let done = work(self);
        (self.cwd, self.flags, self.target_directory) = (cwd, flags, target_directory);
        done
    }

    /// A call of cargo, told where to build when that is decided here.
    fn for_cargo(&self, invocation: Invocation) -> Invocation {
        let Some(folder) = &self.target_directory else { return invocation };
        // The second one is where newer versions keep what is not a result; a user may have set it apart.
        invocation.env("CARGO_TARGET_DIR", folder).env("CARGO_BUILD_BUILD_DIR", folder)
    }

    /// Reports a step.
    pub fn report(&mut self, event: Event) {
        self.listener.event(event);
    }

    /// Where short-lived logs of tools go; gone with the laboratory.
    fn scratch_log(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name).with_extension("log")
    }
}

impl std::fmt::Debug for Lab<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "laboratory in {}", self.cwd.display())
    }
}
