//! Rendering: from data to text and JSON. Pure; nothing here prints.

pub mod baseline;
pub mod block;
pub mod comparison;
pub mod doctor;
pub mod envelope;
pub mod experiments;
pub mod guide;
pub mod html;
pub mod investigation;
pub mod listing;
pub mod log;
pub mod plot;
pub mod reply;
pub mod search;
pub mod verification;
