//! Numbers: from samples to what they say together. Pure functions of values.

pub mod comparison;
pub mod drift;
pub mod holm;
pub mod judging;
pub mod modes;
pub mod numbers;
pub mod paired;
pub mod signed_rank;
pub mod summary;
pub mod verdict;
pub mod walsh;
