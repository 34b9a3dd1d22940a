//! What the engine reports while it works; one place shows it.

use super::comparison::SideName;
use super::search::{ProbeOutcome, Purpose};
use serde::Serialize;

/// One step of a long job. `--events` prints these as JSON Lines.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Cargo builds benches.
    BuildStarted {
        /// The command line.
        command: String,
    },
    /// The build is over.
    BuildFinished {
        /// Wall time.
        seconds: f64,
        /// Executables made.
        executables: usize,
    },
    /// Somebody else measures on this machine.
    WaitingForMachine {
        /// Who and what, when known.
        holder: Option<String>,
        /// Waited so far.
        seconds: f64,
    },
    /// What is about to happen.
    Planned {
        /// Benches in the plan.
        benches: usize,
        /// Time the samples of each must sum to.
        measured_s: f64,
        /// Expected wall time of all, unknown until a bench was tried.
        wall_s: Option<f64>,
        /// Forks of one bench, when known.
        forks: Option<usize>,
    },
    /// A revision is checked out, to be built.
    CheckingOut {
        /// For which side.
        side: SideName,
        /// The revision, as people name it.
        revision: String,
    },
    /// What a comparison will take.
    ComparisonPlanned {
        /// Benches in the plan.
        benches: usize,
        /// Time the samples of each side of each must sum to.
        measured_s: f64,
        /// Expected wall time of the first series of all.
        wall_s: f64,
        /// Expected wall time of second series, if all are needed.
        confirmation_s: f64,
        /// What all of it may take, when that was said.
        most_s: Option<f64>,
    },
    /// A second series is measured.
    Confirming {
        /// Whether that is because something seems to have changed.
        seems_changed: bool,
        /// The bench.
        bench: String,
    },
    /// A bench is tried once, to choose the length of its forks.
    PilotStarted {
        /// The bench.
        bench: String,
    },
    /// A fork has ended and counts.
    ForkFinished {
        /// The bench.
        bench: String,
        /// Forks so far.
        forks: usize,
        /// Measured so far.
        measured_s: f64,
        /// To be measured.
        target_s: f64,
        /// Wall time left, expected.
        left_s: f64,
    },
    /// A pair of forks has ended.
    PairFinished {
        /// The bench.
        bench: String,
        /// Pairs so far that count.
        pairs: usize,
        /// Measured so far on each side.
        measured_s: f64,
        /// To be measured on each side; zero for runs that have a number instead.
        target_s: f64,
        /// Wall time left, expected.
        left_s: f64,
    },
    /// A probe of a search for a breaking point has ended.
    ProbeFinished {
        /// Which attempt of the search it was, from 1.
        attempt: usize,
        /// The load.
        load: String,
        /// Why it was probed.
        purpose: Purpose,
        /// What came of it.
        outcome: ProbeOutcome,
        /// Why.
        reason: String,
    },
    /// A program that measures itself still runs.
    Running {
        /// The bench.
        bench: String,
        /// Wall time so far.
        elapsed_s: f64,
        /// Time it was asked for, when it was.
        asked_s: Option<f64>,
    },
    /// A detached run that is waited for still goes on.
    Detached {
        /// The run.
        run: String,
        /// Wall time so far.
        elapsed_s: f64,
        /// Wall time that was expected when it was started, when that could be told.
        planned_s: Option<f64>,
        /// What it reported last.
        said: Option<String>,
    },
    /// The machine is looked at.
    Examining {
        /// What is looked at now.
        what: String,
    },
    /// The command has ended without its result.
    Failed {
        /// The cause, in one line.
        message: String,
        /// What helps.
        hint: Option<String>,
    },
    /// What is about to be done with the user's files.
    Notice {
        /// One sentence.
        text: String,
    },
    /// Something the user should know that stops nothing.
    Warning {
        /// One sentence.
        text: String,
    },
}

/// Receives events; measuring code knows nothing more of the outside.
pub trait Listener {
    /// Takes one event.
    fn event(&mut self, event: Event);
}

/// Collects events, or drops them.
impl<F: FnMut(Event)> Listener for F {
    fn event(&mut self, event: Event) {
        self(event);
    }
}
