//! THE function that starts benchmarks. Everything that measures goes through this door, and the door
//! opens for the holder of the machine only.

use crate::failure::Failure;
use crate::sys::ended::Ended;
use crate::sys::interrupt::Interrupt;
use crate::sys::invocation::Invocation;
use crate::sys::process::{self, Companion};
use crate::sys::slot::{RUN_VARIABLE, Slot};

/// Why a bench executable is started.
#[derive(Debug, Clone, Copy)]
pub enum Purpose<'a> {
    /// To ask for its benchmarks; nothing is measured.
    List,
    /// To measure, which the holder of the machine may do.
    Measure(&'a Slot),
}

/// Starts a bench executable and returns when nothing of it is left.
pub fn execute(
    invocation: &Invocation,
    purpose: Purpose<'_>,
    companion: &mut dyn Companion,
    interrupt: &Interrupt,
) -> Result<Ended, Failure> {
    let mut invocation = invocation.clone();
    if let Purpose::Measure(slot) = purpose {
        invocation = invocation.env(RUN_VARIABLE, slot.run());
    }
    process::run(&invocation, companion, interrupt)
}
