//! The adapter for criterion: what to ask a bench executable, and how to read what it answers.
//!
//! A criterion executable talks with a runner over a socket when one is named in its environment. That
//! conversation gives raw samples, the settings as they were resolved, and exact ids; the files that
//! criterion writes otherwise are the fall-back.

pub mod arguments;
pub mod conversation;
pub mod files;
pub mod protocol;
