//! Which benchmarks a command means: cargo's benches, external benchmarks, or both.

use super::arguments::{CargoArgs, Choice, Global};
use super::emit::Printer;
use super::session::Session;
use crate::bench::discover::Workspace;
use crate::bench::selection::{CargoFlags, Selection};
use crate::failure::Failure;
use crate::lab::catalogue::{Catalogue, Entry};
use crate::lab::{Lab, externals};
use crate::model::event::Event;
use crate::model::external::External;
use crate::sys::interrupt::Interrupt;
use std::time::Duration;

/// What was chosen, with the defaults of the configuration.
#[derive(Debug)]
pub struct Chosen {
    /// Packages, targets, ids.
    pub selection: Selection,
    /// What is passed on to cargo.
    pub flags: CargoFlags,
    /// The external benchmarks that may be meant.
    pub externals: Vec<External>,
}

impl Chosen {
    /// What `choice` and `cargo` say, else the configuration.
    ///
    /// # Errors
    /// `Usage` for an external benchmark that cannot be started as it stands.
    pub fn new(
        choice: &Choice,
        cargo: &CargoArgs,
        global: &Global,
        session: &Session,
    ) -> Result<Self, Failure> {
        let defaults = &session.config.defaults;
        let mut selection = choice.selection();
        let nothing_chosen =
            selection.packages.is_empty() && selection.targets.is_empty() && selection.filter.is_none();
        if nothing_chosen {
            selection = Selection {
                packages: defaults.package.clone(),
                targets: defaults.bench.clone(),
                filter: defaults.filter.clone(),
            };
        }
        let mut flags = cargo.flags(global);
        if flags.features.is_empty() && !flags.all_features {
            flags.features.clone_from(&defaults.features);
        }
        flags.profile = flags.profile.or_else(|| defaults.profile.clone());
        // What is chosen by default narrows cargo's benches; only a choice of the moment leaves others out.
        let externals = if choice.package.is_empty() && choice.bench.is_empty() {
            externals::configured(&session.config.external, &session.layout.root)?
        } else {
            Vec::new()
        };
        Ok(Self { selection, flags, externals })
    }

    /// The laboratory in which it is measured; a `timeout` of each process that was given wins over the configuration.
    /// Says what the session found that the user may not expect.
    ///
    /// # Errors
    /// `Environment` when no temporary folder can be made.
    pub fn lab<'a>(
        &self,
        session: &Session,
        timeout: Option<Duration>,
        interrupt: &'a Interrupt,
        printer: &'a mut Printer,
    ) -> Result<Lab<'a>, Failure> {
        let (cwd, flags, shown) = (session.cwd.clone(), self.flags.clone(), printer.shares_stderr());
        let timeout = timeout.or(session.config.defaults.timeout);
        let mut lab = Lab::new(cwd, flags, timeout, shown, interrupt, printer)?;
        if let Some(warning) = &session.layout.warning {
            lab.report(Event::Warning { text: warning.clone() });
        }
        Ok(lab)
    }

    /// Whether nothing but external benchmarks can be meant, so that cargo need not be asked.
    pub fn is_external(&self, session: &Session) -> bool {
        let named = self.selection.filter.as_deref();
        let exact = self.externals.iter().any(|external| Some(external.id.as_str()) == named);
        exact || (!self.externals.is_empty() && !session.has_manifest)
    }

    /// The workspace whose benches may be meant, before any of them is built.
    ///
    /// # Errors
    /// As cargo fails.
    pub fn workspace(&self, lab: &mut Lab<'_>, session: &Session) -> Result<Option<Workspace>, Failure> {
        if self.is_external(session) {
            return Ok(None);
        }
        lab.discover().map(Some)
    }

    /// All benchmarks that may be meant, those of `workspace` built.
    ///
    /// # Errors
    /// As cargo and the benches fail.
    pub fn catalogue(&self, lab: &mut Lab<'_>, workspace: Option<Workspace>) -> Result<Catalogue, Failure> {
        let Some(workspace) = workspace else {
            return Ok(Catalogue::of_externals(self.externals.clone()));
        };
        if self.externals.is_empty() {
            return lab.catalogue(workspace, &self.selection);
        }
        let mut catalogue = if workspace.select(&self.selection)?.is_empty() {
            Catalogue { workspace: Some(workspace), ..Catalogue::of_externals(Vec::new()) }
        } else {
            lab.catalogue(workspace, &self.selection)?
        };
        catalogue.entries.extend(self.externals.iter().cloned().map(Entry::external));
        Ok(catalogue)
    }
}
