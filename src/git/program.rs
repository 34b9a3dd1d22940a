//! The git program, for what libgit2 cannot do: signing, and repositories that it cannot open.

use crate::failure::{Context, Failure, FailureKind};
use crate::sys::interrupt::Interrupt;
use crate::sys::invocation::{Invocation, Output};
use crate::sys::process::{self, Companion, Stream};
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

/// Bytes of an answer that are read; a list of changed files is far below that.
const LONGEST_ANSWER: usize = 256 << 20;

/// Variables by which git would take another repository than the one around the folder it runs in.
const MISLEADING: [&str; 8] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
];

/// Runs git in `folder` and returns what it printed.
///
/// It has no terminal: what would ask for a passphrase fails instead. It takes no locks that are not
/// needed.
///
/// # Errors
/// `Interrupted`, or what [`Refused`] says.
pub(in crate::git) fn ask<S: Into<OsString>>(
    folder: &Path,
    arguments: impl IntoIterator<Item = S>,
    deadline: Duration,
    interrupt: &Interrupt,
) -> Result<Result<Vec<u8>, Refused>, Failure> {
    let scratch = tempfile::tempdir()
        .context(FailureKind::Environment, || "a temporary folder cannot be made".to_owned())?;
    let argv = std::iter::once(OsString::from("git")).chain(arguments.into_iter().map(Into::into));
    let output = Output::Recorded { log: scratch.path().join("git"), log_limit: 1 << 16 };
    let mut invocation = Invocation::new(argv, folder, output)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("LC_ALL", "C")
        // `force` keeps ssh-keygen from the terminal, and this program answers with nothing.
        .env("SSH_ASKPASS_REQUIRE", "force")
        .env("SSH_ASKPASS", "false");
    for name in MISLEADING.into_iter().chain(["GPG_TTY"]) {
        invocation.env.insert(name.to_owned(), None);
    }
    invocation.deadline = Some(deadline);
    let mut answer = Answer::default();
    let ended = match process::run(&invocation, &mut answer, interrupt) {
        Ok(ended) => ended,
        Err(failure) if failure.kind == FailureKind::Environment => return Ok(Err(Refused::NotStarted)),
        Err(failure) => return Err(failure),
    };
    if ended.ended_by_us.is_none() && ended.exit.is_success() && !answer.cut {
        return Ok(Ok(answer.bytes));
    }
    Ok(Err(Refused::Failed(ended.stderr.last_line().unwrap_or("git failed").to_owned())))
}

/// Why there is no answer.
#[derive(Debug)]
pub(in crate::git) enum Refused {
    /// There is no git program.
    NotStarted,
    /// It failed, and this is the last line it said.
    Failed(String),
}

#[derive(Default)]
struct Answer {
    bytes: Vec<u8>,
    cut: bool,
}

impl Companion for Answer {
    fn output(&mut self, stream: Stream, bytes: &[u8]) {
        if stream == Stream::Stdout {
            self.cut |= self.bytes.len() + bytes.len() > LONGEST_ANSWER;
            if !self.cut {
                self.bytes.extend(bytes);
            }
        }
    }
}
