//! Whether verdicts are right: traces of real forks are recorded once, and judged again and again.

pub mod engine;
pub mod kernels;
pub mod live;
pub mod record;
pub mod replay;
pub mod traces;
