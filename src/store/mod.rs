//! Stored state: where it is, how it is configured, and the baselines in it.

pub mod baselines;
mod change;
pub mod config;
mod journal;
pub mod layout;
mod lock;
mod peek;
mod place;
pub mod transaction;
