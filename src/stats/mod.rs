//! Numbers: from samples to what they say together. Pure functions of values.

pub mod paired;
pub mod signed_rank;
pub mod summary;
pub mod walsh;
