//! A phase that measures nothing: what is known is put together and stored.

use super::arguments::Global;
use super::emit::Printer;
use super::investigating::{self, InvestigationArgs};
use super::session::Session;
use super::workplace::take_machine;
use crate::failure::Failure;
use crate::investigation::advance::{Applied, Standing, advance};
use crate::investigation::dossier::{self, Asked, Found};
use crate::investigation::{experiments, gate};
use crate::model::event::Listener;
use crate::model::investigation::Investigation;
use crate::model::outcome::{Outcome, Phase};
use crate::store::investigations;
use crate::sys::interrupt::Interrupt;
use crate::sys::slot::Patience;

/// An investigation in which a phase may be settled now.
#[derive(Debug)]
pub struct Settling<'a> {
    session: &'a Session,
    global: &'a Global,
    args: &'a InvestigationArgs,
    phase: Phase,
    asked: Asked,
    found: Found,
}

impl<'a> Settling<'a> {
    /// The investigation that is asked for, in which `phase` may be settled.
    ///
    /// # Errors
    /// As [`dossier::live`] and [`gate::pass`]; `Blocked` when none is open; `Rule` while an experiment is open.
    pub fn open(
        session: &'a Session,
        global: &'a Global,
        args: &'a InvestigationArgs,
        phase: Phase,
    ) -> Result<Self, Failure> {
        let asked = args.asked(phase)?;
        let found = dossier::live(&session.layout, &asked)?.ok_or_else(dossier::nothing_open)?;
        gate::pass(&found.investigation, phase, &asked.skips)?;
        experiments::expect_none_open(&found.investigation)?;
        Ok(Self { session, global, args, phase, asked, found })
    }

    /// It, as it stood when the command began.
    pub fn investigation(&self) -> &Investigation {
        &self.found.investigation
    }

    /// The file of its state, relative to the root.
    pub fn state(&self) -> String {
        self.session.layout.shown_file(investigations::CURRENT)
    }

    /// Stores what `settle` makes of the investigation as it stands when the machine is held: nothing is committed
    /// while somebody measures, and what was measured while this waited counts. What it refuses now is refused before
    /// anything is changed.
    ///
    /// # Errors
    /// As `settle` and [`advance`].
    pub fn store(
        self,
        interrupt: &Interrupt,
        printer: &mut Printer,
        settle: impl Fn(&Investigation) -> Result<Outcome, Failure>,
    ) -> Result<Applied, Failure> {
        let layout = &self.session.layout;
        settle(self.investigation())?;
        let what = format!("cargo perf {}", self.phase.commands()[0]);
        let report = |event| printer.event(event);
        let slot = take_machine(&self.global.run_id(), &what, Patience::Wait, interrupt, report)?;
        self.found.make_current(layout)?;
        let id = &self.found.investigation.id;
        let standing = Standing::Within(id.clone());
        let desk = investigating::desk(self.session, standing, self.args, Vec::new(), &slot, interrupt);
        investigating::leave_out(&desk, &self.asked.skips)?;
        let outcome = settle(&dossier::any(layout, Some(id))?)?;
        advance(&desk, outcome)
    }
}
