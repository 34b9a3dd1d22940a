//! The search for the smallest load that fails, where probes lie: a pure function of its history.
//!
//! The algorithm is that of `docs/load-search.md`. Nothing here starts a process or reads a clock: a search
//! is given what was seen, and says what to probe next or what it found.

pub mod answer;
pub mod course;
pub mod curve;
mod doubt;
pub mod evidence;
pub mod grid;
pub mod history;
pub mod knee;
pub mod place;
pub mod posterior;
#[cfg(test)]
mod properties;
pub mod settings;
