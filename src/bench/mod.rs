//! Benches: finding them, building them, telling harnesses apart, and the one door that starts them.
//!
//! Adapters (`criterion`) translate between a harness and our words; they never start anything.

pub mod build;
pub mod cargo_env;
pub mod command_line;
pub mod criterion;
pub mod discover;
pub mod execute;
pub mod features;
pub mod harness;
pub mod selection;
