//! The operating system: processes, signals, files, the machine-wide lock, facts about the host.
//!
//! Nothing here knows what a benchmark is.

pub mod apart;
pub mod capture;
pub mod census;
pub mod clock;
pub mod counters;
pub mod ended;
pub mod fault;
pub mod files;
pub mod host;
pub mod interrupt;
pub mod invocation;
pub mod kernel;
pub mod process;
pub mod quota;
pub mod regular;
pub mod slot;
pub mod spin;
pub mod tree;
