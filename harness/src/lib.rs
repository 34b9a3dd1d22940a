//! What a benchmark knows of the run it is part of, and how it answers.
//!
//! A benchmark that is a program of its own is told by its environment how to run. This crate reads
//! that contract, strictly: a value that cannot be meant is an error that names the variable, never a
//! default.
//!
//! | variable | value | when it is absent |
//! |---|---|---|
//! | `PERF_RUN_MODE` | `duration` or `oneshot` | `duration` when there is a duration, else `oneshot` |
//! | `PERF_RUN_DURATION` | seconds to measure | an error in the mode `duration`; not read in `oneshot` |
//! | `PERF_WARMUP_DURATION` | seconds to warm up first | no warm-up |
//! | `PERF_PARAM_VALUE` | the load, a number | no load was chosen |
//!
//! Numbers are plain decimals such as `60` or `0.5`: no sign, no exponent, no spaces.
//!
//! [`Run`] does the rest. What reads the variables alone is [`Request`].

pub mod allocations;
pub mod metrics;
pub mod report;
mod request;
mod run;

pub use request::{DURATION, MODE, Mode, PARAMETER, Request, RequestError, WARM_UP};
pub use run::{Run, RunError};
