//! The method: phases as functions that return an `Outcome`, and the one function that applies it.

pub mod advance;
pub mod baseline;
