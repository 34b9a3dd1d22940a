//! Where checkpoint commits go, and why there is none: the words that configuration, state and answers share,
//! and what stops work on a repository instead.

use crate::failure::Failure;
pub use crate::model::checkpoint::Mode;
use git2::{ErrorClass, ErrorCode};
use std::io;

/// Why there is no checkpoint commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Checkpoints are turned off.
    Off,
    /// There is no git repository, or one without a work tree.
    NoRepository,
    /// The state folder does not lie in the work tree of this repository.
    Outside,
    /// Git ignores the state folder or a file of it.
    Ignored,
    /// Somebody is changing the index, or was killed while doing so.
    IndexLocked,
    /// Commits must be signed, and signing failed.
    Signing,
    /// A merge, rebase, cherry-pick, revert, bisection or the like is in progress.
    InProgress,
    /// libgit2 cannot open the repository or its index.
    UnsupportedFormat,
    /// The state is in the last commit already.
    NothingChanged,
    /// Git knows no name or address for the author.
    NoIdentity,
    /// The branch or the reference could not be moved from where it was seen.
    RefMoved,
    /// The folder of the repository cannot be written.
    Unwritable,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Self; 12] = [
        Self::Off,
        Self::NoRepository,
        Self::Outside,
        Self::Ignored,
        Self::IndexLocked,
        Self::Signing,
        Self::InProgress,
        Self::UnsupportedFormat,
        Self::NothingChanged,
        Self::NoIdentity,
        Self::RefMoved,
        Self::Unwritable,
    ];

    /// The word that stands for it in state and JSON output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::NoRepository => "no-repository",
            Self::Outside => "outside",
            Self::Ignored => "ignored",
            Self::IndexLocked => "index-locked",
            Self::Signing => "signing",
            Self::InProgress => "in-progress",
            Self::UnsupportedFormat => "unsupported-format",
            Self::NothingChanged => "nothing-changed",
            Self::NoIdentity => "no-identity",
            Self::RefMoved => "ref-moved",
            Self::Unwritable => "unwritable",
        }
    }

    /// The reason that has this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// One clause that says what is in the way.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Off => "checkpoints are turned off",
            Self::NoRepository => "there is no git repository with a work tree here",
            Self::Outside => "the state folder does not lie in the work tree of this git repository",
            Self::Ignored => "git ignores the state folder or a file of it",
            Self::IndexLocked => "the index of the repository is locked",
            Self::Signing => "commit.gpgsign is set and git could not sign without a terminal",
            Self::InProgress => "a merge, rebase, cherry-pick, revert or bisection is in progress",
            Self::UnsupportedFormat => {
                "the repository cannot be opened because it uses SHA-256, reftable, a split or sparse index, or \
                 belongs to another user"
            }
            Self::NothingChanged => "the last commit holds the state as it is",
            Self::NoIdentity => "git knows no name or no address for the author of a commit",
            Self::RefMoved => "the branch or the reference was moved or is locked by another program",
            Self::Unwritable => "the folder of the git repository cannot be written",
        }
    }

    /// One clause that says what leads to a commit.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Off => "set checkpoint = \"branch\" or \"ref\" in perf.toml",
            Self::NoRepository => "run `git init`, or set checkpoint = \"off\" in perf.toml",
            Self::Outside => "move the state into the work tree with AI_STATE_DIR or state-dir in perf.toml",
            Self::Ignored => {
                "take the folder out of .gitignore, or set checkpoint = \"ref\" in perf.toml to commit it to a \
                 reference of its own"
            }
            Self::IndexLocked => "wait for the other git command, or remove index.lock if there is none",
            Self::Signing => {
                "make `git commit-tree -S` work without a terminal, for example through an agent that holds the key"
            }
            Self::InProgress => "finish or abort it, `git status` says how",
            Self::UnsupportedFormat => {
                "commit the state folder with git, or make the repository one of the usual form with `git \
                 update-index --no-split-index`, `git sparse-checkout reapply --no-sparse-index` or safe.directory"
            }
            Self::NothingChanged => "nothing needs to be done",
            Self::NoIdentity => "set user.name and user.email with `git config`",
            Self::RefMoved => "wait for the other program, and the next phase commits this state too",
            Self::Unwritable => {
                "make the .git folder writable for this user and look for free space, or set checkpoint = \"off\" in \
                 perf.toml"
            }
        }
    }
}

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
        _ if matches!(error.class(), ErrorClass::Os | ErrorClass::Filesystem) => {
            Stop::Reason(Reason::Unwritable)
        }
        _ => Stop::Failed(
            Failure::environment(format!("the git repository cannot be written: {}", error.message()))
                .hint("run `git fsck`, or set checkpoint = \"off\" in perf.toml"),
        ),
    }
}

/// Why the index could not be replaced.
pub(in crate::git) fn not_replaced(_: io::Error) -> Stop {
    Stop::Reason(Reason::Unwritable)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S-49: reasons are enumerated, and their names are what state and JSON hold.
    #[test]
    fn s49_every_reason_has_a_name_of_its_own_and_is_said_in_clauses() {
        for reason in Reason::ALL {
            assert_eq!(Reason::named(reason.name()), Some(reason));
            assert!(reason.name().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
            for clause in [reason.explanation(), reason.remedy()] {
                assert!(!clause.is_empty() && !clause.ends_with('.') && !clause.contains('\n'), "{clause}");
                assert!(clause.starts_with(|first: char| first.is_ascii_lowercase()), "{clause}");
            }
        }
        assert_eq!(Reason::named("Off"), None);
    }
}
