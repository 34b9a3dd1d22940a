//! Numbers: from samples to what they say together. Pure functions of values.

pub mod paired;
pub mod summary;
