//! The `main` of a bench.

use super::counting::take_samples;
use crate::allocations::counted;
use crate::report::{Allocations, Channel, Report, ReportError};
use std::io::Write;
use std::process::ExitCode;

/// Runs the groups as criterion's own `main` does, and reports at the end.
pub fn main(groups: &[fn()]) -> ExitCode {
    match run(groups) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody reads it when it cannot be written.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(groups: &[fn()]) -> Result<(), ReportError> {
    let channel = Channel::from_env()?;
    for group in groups {
        group();
    }
    ::criterion::Criterion::default().configure_from_args().final_summary();
    channel.map_or(Ok(()), |channel| channel.write(&report()))
}

fn report() -> Report {
    let samples = take_samples();
    Report { allocations: counted().map(|_| Allocations { samples }), ..Report::new() }
}
