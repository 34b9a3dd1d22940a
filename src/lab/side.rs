//! One side of a comparison: checked out into a folder of its own, built there, its benches found.

use super::catalogue::{Catalogue, Entry, Program};
use super::facts::Checkout;
use super::{Lab, Site};
use crate::bench::discover::Workspace;
use crate::bench::selection::{CargoFlags, Selection};
use crate::failure::{Context, Failure, FailureKind};
use crate::git::checkout::{Shortfall, checkout};
use crate::git::revision::{Revision, Source};
use crate::model::comparison::{Side, SideName};
use crate::model::environment::Environment;
use crate::model::event::Event;
use crate::model::external::External;
use crate::store::checkouts::Berth;
use crate::sys::invocation::{Invocation, Output};
use crate::sys::process::{self, Alone};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What both sides have in common.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// Where revisions come from.
    pub source: &'a Source,
    /// Where the user calls cargo.
    pub cwd: &'a Path,
    /// What the user wants cargo to be told.
    pub flags: &'a CargoFlags,
    /// The benches that are meant.
    pub selection: &'a Selection,
    /// The commands that may be meant.
    pub externals: &'a [External],
    /// Whether cargo is to be asked at all.
    pub has_benches: bool,
    /// Whether cargo may change a lock file that is out of date.
    pub relock: bool,
    /// A command for sh that makes a checkout ready.
    pub prepare: Option<&'a str>,
}

/// A side that is ready to be measured.
#[derive(Debug)]
pub struct Ready {
    /// What is stored of it.
    pub side: Side,
    /// Its benches.
    pub catalogue: Catalogue,
    /// The environment it is measured in.
    pub environment: Environment,
    /// What should be known beside the verdicts, in words.
    pub notes: Vec<String>,
    /// The lock file it was built with.
    pub lock_file: Option<PathBuf>,
}

impl Lab<'_> {
    /// Checks `revision` out into `berth` and builds it there. `lock_file` is taken where the revision has
    /// none, and the work tree has none either.
    ///
    /// # Errors
    /// `Usage` when nothing is meant by what was chosen, `Build` when it does not build, `Blocked` for
    /// dependencies outside the repository, `Environment` when it cannot be checked out.
    pub fn make_side(
        &mut self,
        name: SideName,
        ground: &Ground<'_>,
        revision: &Revision,
        berth: &Berth,
        lock_file: Option<&Path>,
    ) -> Result<Ready, Failure> {
        let shown = revision.shown();
        self.report(Event::CheckingOut { side: name, revision: shown.clone() });
        let shortfall = checkout(ground.source, revision, &berth.checkout)?;
        let place = Place { ground, berth };
        let site = Site {
            cwd: place.folder(ground.cwd)?,
            flags: place.flags()?,
            target_directory: berth.target.clone(),
        };
        let named = |failure: Failure| {
            let message = format!("{}, {shown}: {}", name.name(), failure.message);
            Failure { message, ..failure }
        };
        self.at(site, |lab| lab.build_side(&place, revision, lock_file, &shortfall)).map_err(named)
    }

    fn build_side(
        &mut self,
        place: &Place<'_>,
        revision: &Revision,
        lock_file: Option<&Path>,
        shortfall: &Shortfall,
    ) -> Result<Ready, Failure> {
        let ground = place.ground;
        let mut notes = Vec::new();
        if let Some(pointer) = shortfall.pointers.first() {
            notes.push(format!(
                "{} and {} more files are pointers of Git LFS, whose content is not checked out",
                pointer.display(),
                shortfall.pointers.len() - 1
            ));
        }
        if let Some(command) = ground.prepare {
            let hint = "it runs in the root of each checkout, where only files that git holds are";
            self.run_in_checkout(("--prepare", command), &place.berth.checkout, hint)?;
        }
        let discovered = ground.has_benches.then(|| self.discover()).transpose();
        let workspace = discovered.map_err(missing_dependency)?;
        let mut lock = None;
        if let Some(workspace) = &workspace {
            place.expect_inside(workspace)?;
            lock = Some(workspace.root.join("Cargo.lock"));
            let committed = place.provide_lock(workspace, lock_file, &mut notes)?;
            self.flags.locked = committed && !ground.relock;
        }
        let environment = {
            let commit = Checkout { commit: Some(revision.commit.clone()), dirty: Some(false) };
            self.environment(workspace.as_ref(), commit, Duration::ZERO)?
        };
        let catalogue = self.catalogue_of(place, workspace)?;
        Ok(Ready {
            side: Side {
                name: revision.name.clone(),
                commit: revision.commit.clone(),
                tree: revision.tree.clone(),
                onto: revision.changes.as_ref().map(|changes| changes.onto.clone()),
                build: environment.build.clone(),
            },
            catalogue,
            environment,
            notes,
            lock_file: lock,
        })
    }

    fn catalogue_of(
        &mut self,
        place: &Place<'_>,
        workspace: Option<Workspace>,
    ) -> Result<Catalogue, Failure> {
        let externals: Vec<External> = place
            .ground
            .externals
            .iter()
            .map(|external| {
                let directory = place.folder(&external.directory)?;
                Ok(External { directory, ..external.clone() })
            })
            .collect::<Result<_, Failure>>()?;
        let Some(workspace) = workspace else { return Ok(Catalogue::of_externals(externals)) };
        let mut catalogue = self.catalogue(workspace, place.ground.selection).map_err(|failure| {
            if failure.kind != FailureKind::Build || place.ground.relock {
                return failure;
            }
            failure.hint(
                "see cargo's own message above; --relock lets cargo change a lock file that is out of date",
            )
        })?;
        catalogue.entries.extend(externals.into_iter().map(Entry::external));
        Ok(catalogue)
    }

    /// Runs the user's command in a side that is made, in the folder that the user calls from, with the target folder of
    /// its builds. The side has to be made again after it: there is no telling what the command leaves.
    ///
    /// # Errors
    /// `Build` when it fails.
    pub fn check_side(&mut self, command: &str, ground: &Ground<'_>, berth: &Berth) -> Result<(), Failure> {
        let place = Place { ground, berth };
        let folder = place.folder(ground.cwd)?;
        let site =
            Site { cwd: folder.clone(), flags: place.flags()?, target_directory: berth.target.clone() };
        let hint = "it runs in a checkout of the change, where only files that git holds are";
        self.at(site, |lab| lab.run_in_checkout(("--check", command), &folder, hint))
    }

    /// Runs the user's command in a folder of a checkout, whose files that git does not hold are not there.
    fn run_in_checkout(
        &mut self,
        (flag, command): (&str, &str),
        folder: &Path,
        hint: &str,
    ) -> Result<(), Failure> {
        let log = self.scratch_log("command");
        self.report(Event::BuildStarted { command: command.to_owned() });
        let output = if self.build_shown {
            Output::StderrShown { log, log_limit: 1 << 20 }
        } else {
            Output::Recorded { log, log_limit: 1 << 20 }
        };
        let invocation = Invocation::new(["sh", "-c", command], folder, output);
        let ended = process::run(&self.for_cargo(invocation), &mut Alone, self.interrupt)?;
        if ended.exit.is_success() {
            return Ok(());
        }
        for line in ended.stderr.tail.lines() {
            self.report(Event::Warning { text: line.to_owned() });
        }
        Err(Failure::new(FailureKind::Build, format!("{flag} {command:?} {}", ended.exit)).hint(hint))
    }
}

/// Where a side is, and how paths of the user's lead into it.
#[derive(Debug)]
struct Place<'a> {
    ground: &'a Ground<'a>,
    berth: &'a Berth,
}

impl Place<'_> {
    /// The same place in the checkout as `path` is in the work tree.
    fn inside(&self, path: &Path) -> Result<PathBuf, Failure> {
        let whole = path
            .canonicalize()
            .context(FailureKind::Environment, || format!("{} is gone", path.display()))?;
        let rest = whole.strip_prefix(self.ground.source.work_tree()).map_err(|_| {
            Failure::usage(format!("{} lies outside the repository that is compared", path.display()))
                .hint("run it inside the repository")
        })?;
        Ok(self.berth.checkout.join(rest))
    }

    /// The same folder, or the nearest above it that this side has.
    fn folder(&self, path: &Path) -> Result<PathBuf, Failure> {
        let mut folder = self.inside(path)?;
        while !folder.is_dir() && folder.pop() {}
        Ok(folder)
    }

    fn flags(&self) -> Result<CargoFlags, Failure> {
        let manifest = self.ground.flags.manifest_path.as_ref();
        let manifest = manifest.map(|path| self.inside(&self.ground.cwd.join(path))).transpose()?;
        Ok(CargoFlags { manifest_path: manifest, ..self.ground.flags.clone() })
    }

    /// Refuses dependencies that would not be there, or would be the same files for both sides.
    fn expect_inside(&self, workspace: &Workspace) -> Result<(), Failure> {
        let checkout = self.berth.checkout.canonicalize().unwrap_or_else(|_| self.berth.checkout.clone());
        let is_outside = |path: &Path| {
            let whole = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
            !whole.starts_with(&checkout) && !whole.starts_with(&self.berth.checkout)
        };
        let Some(found) = workspace.paths.iter().find(|found| is_outside(&found.path)) else { return Ok(()) };
        Err(outside(&found.name))
    }

    /// Makes sure that both sides have the same versions of dependencies where a revision does not say which.
    /// Returns whether the revision does.
    fn provide_lock(
        &self,
        workspace: &Workspace,
        other: Option<&Path>,
        notes: &mut Vec<String>,
    ) -> Result<bool, Failure> {
        let lock = workspace.root.join("Cargo.lock");
        if lock.exists() {
            return Ok(true);
        }
        let root = workspace.root.strip_prefix(&self.berth.checkout).unwrap_or(Path::new(""));
        let own = self.ground.source.work_tree().join(root).join("Cargo.lock");
        let found = [Some(own.as_path()), other].into_iter().flatten().find(|path| path.exists());
        if let Some(found) = found {
            fs::copy(found, &lock)
                .context(FailureKind::Environment, || format!("{} cannot be written", lock.display()))?;
        }
        let from = if found == Some(own.as_path()) { "that of the work tree" } else { "one for both sides" };
        notes.push(format!("git holds no Cargo.lock, so {from} decides the versions of dependencies"));
        Ok(false)
    }
}

/// A dependency that is found by a path which leads out of the checkout.
fn outside(name: &str) -> Failure {
    Failure::new(
        FailureKind::Blocked,
        format!("it depends on {name} by a path that leaves the repository, so no revision holds it"),
    )
    .hint("depend on it by version or by git, or make it a submodule; `cargo perf baseline` measures the work tree as it is")
}

/// Cargo reads the manifests of all dependencies by path before it answers anything.
fn missing_dependency(failure: Failure) -> Failure {
    let after = failure.message.split_once("failed to load manifest for dependency `").map(|(_, rest)| rest);
    let name = after.and_then(|rest| rest.split_once('`')).map(|(name, _)| name.to_owned());
    name.map_or(failure, |name| outside(&name))
}

/// What runs a bench: the hash of its executable.
pub fn executable_of(entry: &Entry) -> Option<String> {
    match &entry.program {
        Program::Bench(prepared) => Some(prepared.sha256.clone()),
        Program::External(_) => None,
    }
}

/// The file or the folder that holds the source of a bench, relative to `checkout`.
pub fn source_of(entry: &Entry, checkout: &Path) -> Option<PathBuf> {
    let Program::Bench(prepared) = &entry.program else { return None };
    let source = prepared.built.target.source.as_path();
    // A folder with a main.rs holds one bench and its modules.
    let whole = if source.ends_with("main.rs") { source.parent()? } else { source };
    let checkout = checkout.canonicalize().ok()?;
    Some(whole.canonicalize().ok()?.strip_prefix(checkout).ok()?.to_path_buf())
}
