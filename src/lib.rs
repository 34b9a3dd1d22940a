//! `cargo perf`: finds the benches of a workspace and measures them in a way that can be trusted.
//!
//! The modules below are the layers of the program, lowest first. A module names only modules of
//! lower layers, and modules of one layer never name each other; `tests/it/architecture.rs` reads
//! the order from this file and fails on a violation.

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!("cargo-perf-lab measures on Linux x86-64 and aarch64 only");

// Layer: why a command ended.
pub mod failure;
// Layer: the operating system, knows nothing of performance.
pub mod sys;
// Layer: words, data without input or output.
pub mod model;
// Layer: numbers.
pub mod stats;
// Layer: thinking and rendering, pure.
pub mod condition;
pub mod report;
pub mod search;
// Layer: hands, each a port to one part of the outside.
pub mod bench;
pub mod git;
pub mod store;
// Layer: glues the hands; knows nothing of phases, state files or terminals.
pub mod lab;
// Layer: the method.
pub mod investigation;
// Layer: mouth and ears.
pub mod cli;
