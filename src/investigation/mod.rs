//! The method: phases that turn what was done into outcomes, and the one place that stores them.

pub mod advance;
pub mod baseline;
pub mod breaking_point;
pub mod consolidation;
pub mod control;
pub mod decision;
pub mod dossier;
pub mod evidence;
pub mod experiment;
pub mod experiments;
pub mod gate;
pub mod needs;
pub mod proposal;
pub mod setup;
pub mod skip;
