//! Stored state: where it is, how it is configured, the baselines in it, and the records of detached runs.

pub mod baselines;
mod change;
pub mod checkouts;
pub mod comparisons;
pub mod config;
pub mod investigations;
mod journal;
pub mod layout;
mod lock;
pub mod packed;
mod peek;
mod place;
pub mod probes;
pub mod results;
pub mod runs;
pub mod schemas;
pub mod transaction;
