//! Stored state: where it is, how it is configured, and the baselines in it.

pub mod baselines;
pub mod config;
pub mod layout;
