//! Benches: finding them, building them, telling harnesses apart, and the one door that starts them.
//!
//! Adapters (`criterion`, `divan`, `libtest`, `own`, `program`) translate between a harness and our words;
//! they never start anything.

pub mod build;
pub mod cargo_env;
pub mod command_line;
pub mod contract;
pub mod criterion;
pub mod discover;
pub mod divan;
pub mod execute;
pub mod features;
pub mod harness;
pub mod libtest;
pub mod listing;
pub mod own;
pub mod program;
pub mod reading;
pub mod selection;
