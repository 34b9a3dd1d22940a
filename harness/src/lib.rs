#![doc = include_str!("../README.md")]

pub mod allocations;
#[cfg(feature = "criterion")]
pub mod criterion;
#[cfg(feature = "load")]
pub mod load;
pub mod metrics;
pub mod report;
mod request;
mod run;

pub use request::{DURATION, MODE, Mode, PARAMETER, Request, RequestError, WARM_UP};
pub use run::{Run, RunError};
