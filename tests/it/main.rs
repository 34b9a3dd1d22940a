//! Black-box tests: the built program, real projects, real processes.
//!
//! One binary, so that it links once. What cannot be tested on this machine is skipped with a reason
//! and listed at the very end; with `CARGO_PERF_TESTS_MUST_RUN` set, a skip is a failure.

mod architecture;
mod bad_input;
mod baseline;
mod baselines;
mod bisecting;
mod checkpointing;
mod comparing;
mod criterion;
mod detached;
mod discovery;
mod doctor;
mod documents;
mod experimenting;
mod external;
mod guide;
mod harness_kinds;
mod investigation;
mod manual;
mod own_harness;
mod program;
mod runner;
mod schemas;
mod statistics;
mod support;
mod terminal;
mod transactions;

use libtest_mimic::Arguments;
use std::process::ExitCode;

fn main() -> ExitCode {
    if checkpointing::call::answer_call() {
        return ExitCode::SUCCESS;
    }
    // Transactions are tested with processes that are killed.
    if let Ok(job) = std::env::var(transactions::writer::VARIABLE) {
        return transactions::writer::main(&job);
    }
    let arguments = Arguments::from_args();
    let trials = [
        architecture::trials(),
        documents::trials(),
        schemas::trials(),
        guide::trials(),
        manual::trials(),
        bad_input::trials(),
        discovery::trials(),
        doctor::trials(),
        criterion::trials(),
        baseline::trials(),
        baselines::trials(),
        bisecting::trials(),
        harness_kinds::trials(),
        own_harness::trials(),
        external::trials(),
        program::trials(),
        terminal::trials(),
        runner::trials(),
        checkpointing::trials(),
        transactions::trials(),
        detached::trials(),
        statistics::trials(),
        comparing::trials(),
        investigation::trials(),
        experimenting::trials(),
    ];
    let conclusion = libtest_mimic::run(&arguments, trials.into_iter().flatten().collect());
    if !arguments.list {
        support::report_slowest();
        support::report_skipped();
    }
    conclusion.exit_code()
}
