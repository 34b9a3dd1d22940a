//! The investigation that a command works in, if it works in one.

use super::gate::Skip;
use crate::failure::{Failure, FailureKind};
use crate::model::investigation::Investigation;
use crate::model::outcome::Phase;
use crate::store::investigations::{self, Stored};
use crate::store::layout::Layout;

/// Which investigation a command means, and what it leaves out of it.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Go on with one that exists.
    pub resume: bool,
    /// Which one.
    pub id: Option<String>,
    /// Phases that are left out.
    pub skips: Vec<Skip>,
}

/// An investigation that goes on.
#[derive(Debug, Clone)]
pub struct Found {
    /// As it was read.
    pub investigation: Investigation,
    /// Whether it is the current one; otherwise it is put aside and has to become it.
    pub current: bool,
}

impl Found {
    /// Makes it the current one, or proves that it still is. To be called when nothing can refuse the command any more
    /// and the machine is held: whoever measures for another one would have measured for nothing.
    ///
    /// # Errors
    /// As [`investigations::switch`]; `State` when another one has become the current one meanwhile.
    pub fn make_current(&self, layout: &Layout) -> Result<(), Failure> {
        let id = &self.investigation.id;
        if !self.current {
            return investigations::switch(layout, Some(id)).map(drop);
        }
        if investigations::current(layout)?.is_some_and(|stored| stored.investigation.id == *id) {
            return Ok(());
        }
        Err(Failure::state(format!(
            "{id} is no longer the current investigation; nothing was measured or stored"
        ))
        .hint(format!("go on with it: --resume --id {id}")))
    }
}

/// The investigation that is asked for, when one goes on. Changes nothing.
///
/// # Errors
/// `Blocked` when one is to be resumed and there is none, or it is complete; `Usage` for an id that is not
/// there, or is there and not current; `State` when it cannot be read.
pub fn live(layout: &Layout, asked: &Asked) -> Result<Option<Found>, Failure> {
    let current = investigations::current(layout)?.map(|stored| stored.investigation);
    let found = match (asked.id.as_deref(), current) {
        (Some(id), Some(current)) if current.id == id => {
            Some(Found { investigation: current, current: true })
        }
        (Some(id), current) => {
            let Some(aside) = investigations::aside(layout, id)? else {
                return Err(investigations::unknown(id));
            };
            if !asked.resume {
                let other = current.map_or("none is".to_owned(), |current| format!("{} is", current.id));
                return Err(Failure::usage(format!("{id} is not the current investigation, {other}"))
                    .hint(format!("go on with it: --resume --id {id}")));
            }
            Some(Found { investigation: aside.investigation, current: false })
        }
        (None, current) => current.map(|investigation| Found { investigation, current: true }),
    };
    match found {
        Some(found) if found.investigation.is_live() => Ok(Some(found)),
        Some(found) if asked.resume => {
            let id = &found.investigation.id;
            Err(Failure::new(FailureKind::Blocked, format!("the investigation {id} is complete"))
                .hint("look at it with `cargo perf report`, or start another with `cargo perf setup`"))
        }
        None if asked.resume => Err(nothing_open()),
        _ => Ok(None),
    }
}

/// The investigation `id`, else the current one, whether it goes on or not.
///
/// # Errors
/// `Usage` for an id that is not there; `Blocked` when none is current; `State` when it cannot be read.
pub fn any(layout: &Layout, id: Option<&str>) -> Result<Investigation, Failure> {
    let current = investigations::current(layout)?.map(|stored| stored.investigation);
    match (id, current) {
        (Some(id), Some(current)) if current.id == id => Ok(current),
        (Some(id), _) => investigations::aside(layout, id)?
            .map(|stored| stored.investigation)
            .ok_or_else(|| investigations::unknown(id)),
        (None, Some(current)) => Ok(current),
        (None, None) => Err(nothing_open()),
    }
}

/// That a command needs an investigation and there is none.
pub fn nothing_open() -> Failure {
    Failure::new(FailureKind::Blocked, "no investigation is open")
        .hint("start one with `cargo perf setup`; `cargo perf status --all` shows those that are put aside")
}

/// The investigation after somebody else may have changed it, as the holder of the state sees it.
///
/// # Errors
/// `State` when it is not the one that `phase` was begun in, or cannot take the phase any more.
pub fn unchanged(stored: Option<Stored>, id: &str, phase: Phase) -> Result<Stored, Failure> {
    let gone = |what: &str| {
        Failure::state(format!(
            "the investigation {id} {what} while {} ran; nothing was stored",
            phase.name()
        ))
        .hint("look at `cargo perf status --all` and run the phase again")
    };
    let stored = stored.ok_or_else(|| gone("was removed"))?;
    if stored.investigation.id != id {
        return Err(gone("is no longer the current one, which changed"));
    }
    if !stored.investigation.is_live() {
        return Err(gone("was completed"));
    }
    if phase == Phase::Setup && stored.investigation.record(Phase::Baseline).is_some() {
        return Err(gone("got its baseline, which settles its terms,"));
    }
    Ok(stored)
}
