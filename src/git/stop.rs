//! Why work on a repository ends early: a reason that is part of an answer, or a failure.

use super::reason::Reason;
use crate::failure::Failure;
use git2::ErrorCode;
use std::io;

/// No commit, for a reason that is recorded, or a failure of the command.
#[derive(Debug)]
pub(in crate::git) enum Stop {
    /// Recorded, and the command goes on.
    Reason(Reason),
    /// Ends the command.
    Failed(Failure),
}

impl From<Reason> for Stop {
    fn from(reason: Reason) -> Self {
        Self::Reason(reason)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// While reading: whatever is wrong with the repository stands in the way.
impl From<git2::Error> for Stop {
    fn from(error: git2::Error) -> Self {
        Self::Failed(unreadable(&error))
    }
}

/// The failure for a repository that could be opened and then not be read.
pub(in crate::git) fn unreadable(error: &git2::Error) -> Failure {
    Failure::environment(format!("the git repository cannot be read: {}", error.message()))
        .hint("run `git fsck`")
}

/// Why something could not be written into the folder of the repository.
pub(in crate::git) fn unwritten(error: &git2::Error) -> Stop {
    match error.code() {
        ErrorCode::Locked | ErrorCode::Modified | ErrorCode::Exists => Stop::Reason(Reason::RefMoved),
        _ => Stop::Failed(unwritable(error.message())),
    }
}

/// Why the index could not be replaced.
#[expect(clippy::needless_pass_by_value, reason = "given to `map_err`")]
pub(in crate::git) fn not_replaced(error: io::Error) -> Stop {
    Stop::Failed(unwritable(&error.to_string()))
}

fn unwritable(cause: &str) -> Failure {
    Failure::environment(format!("the git repository cannot be written: {cause}")).hint(
        "make the .git folder writable for this user and look for free space, or set checkpoint = \"off\" in perf.toml",
    )
}
