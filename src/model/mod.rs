//! The words of the domain: data with its validation, without input or output.

pub mod baseline;
pub mod bench;
pub mod checkpoint;
pub mod checkup;
pub mod comparison;
pub mod decision;
pub mod duration;
pub mod environment;
pub mod event;
pub mod experiment;
pub mod external;
pub mod format;
pub mod gate;
pub mod investigation;
pub mod label;
pub mod metric;
pub mod noise;
pub mod outcome;
pub mod record;
pub mod rules;
pub mod samples;
pub mod secrets;
pub mod section;
pub mod units;
pub mod verdict;
pub mod waiver;
