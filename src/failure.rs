//! Why a command ended without its result, and the exit code that says so.
//!
//! Owns the one table of exit codes, from which every page about them comes. A finding
//! about a benchmark ("slower") is a result and never a `Failure`.

use std::fmt;

/// The kind of a failure; each has one exit code, see [`FailureKind::exit_code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// A defect of this program, a panic included.
    Bug,
    /// Wrong arguments or configuration, or nothing matched them.
    Usage,
    /// One of the ten rules refused.
    Rule,
    /// An input, an approval or a baseline is missing.
    Blocked,
    /// The benchmark failed, printed no metrics or had nothing to measure.
    Benchmark,
    /// The environment cannot do it: tool, permission, space, noise.
    Environment,
    /// Another benchmark holds the machine.
    Busy,
    /// Stored state is damaged, newer than this program, or locked.
    State,
    /// The build failed.
    Build,
    /// A signal with this number ended the command.
    Interrupted(i32),
}

impl FailureKind {
    /// Every kind, with SIGINT standing for all signals.
    pub const ALL: [Self; 10] = [
        Self::Bug,
        Self::Usage,
        Self::Rule,
        Self::Blocked,
        Self::Benchmark,
        Self::Environment,
        Self::Busy,
        Self::State,
        Self::Build,
        Self::Interrupted(2),
    ];

    /// The process exit code of this kind.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Bug => 1,
            Self::Usage => 2,
            Self::Rule => 5,
            Self::Blocked => 6,
            Self::Benchmark => 7,
            Self::Environment => 8,
            Self::Busy => 9,
            Self::State => 10,
            Self::Build => 101,
            Self::Interrupted(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        }
    }

    /// The kind whose exit code this is, none for success and for codes that no failure has.
    pub fn of_exit_code(code: u8) -> Option<Self> {
        match code.checked_sub(128) {
            Some(signal @ 1..) => Some(Self::Interrupted(i32::from(signal))),
            _ => Self::ALL.into_iter().find(|kind| kind.exit_code() == code),
        }
    }

    /// The word that stands for this kind in JSON output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bug => "bug",
            Self::Usage => "usage",
            Self::Rule => "rule",
            Self::Blocked => "blocked",
            Self::Benchmark => "benchmark",
            Self::Environment => "environment",
            Self::Busy => "busy",
            Self::State => "state",
            Self::Build => "build",
            Self::Interrupted(_) => "interrupted",
        }
    }

    /// What its exit code says, as a row of the table of exit codes.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Bug => "a defect of this program, a panic included",
            Self::Usage => "wrong arguments or configuration, or nothing matched them",
            Self::Rule => "one of the ten rules refused",
            Self::Blocked => "an input, an approval or a baseline is missing",
            Self::Benchmark => "the benchmark failed, hung, or had nothing to measure",
            Self::Environment => {
                "the machine cannot do it: a tool, a permission, space, a harness that is not supported"
            }
            Self::Busy => "another benchmark holds the machine",
            Self::State => "stored state is damaged or newer than this program",
            Self::Build => "cargo could not build the benches",
            Self::Interrupted(_) => {
                "signal n ended the command: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP"
            }
        }
    }
}

/// One row of the table of exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitCode {
    /// The code; with a signal, what its number is added to.
    pub code: u8,
    /// The kind of failure that ends with it; none where nothing failed and for codes of planned commands.
    pub kind: Option<FailureKind>,
    /// What it says.
    pub meaning: &'static str,
}

/// The exit code of an answer that comes later: the run it is about still goes on.
pub const STILL_RUNNING: u8 = 75;

/// Codes that no failure has.
const WITHOUT_FAILURE: [(u8, &str); 4] = [
    (0, "done"),
    (3, "something regressed, and `--fail-on` asks for this code"),
    (4, "something is inconclusive, and `--fail-on` asks for this code; or a search has no single answer"),
    (STILL_RUNNING, "the detached run that was waited for still goes on"),
];

/// The table of exit codes, smallest first; `docs/exit-codes.md` is compared with it by a test.
pub fn exit_codes() -> Vec<ExitCode> {
    let others = WITHOUT_FAILURE.map(|(code, meaning)| ExitCode { code, kind: None, meaning });
    let failures = FailureKind::ALL.map(|kind| {
        let code = match kind {
            FailureKind::Interrupted(_) => FailureKind::Interrupted(0).exit_code(),
            _ => kind.exit_code(),
        };
        ExitCode { code, kind: Some(kind), meaning: kind.meaning() }
    });
    let mut rows: Vec<ExitCode> = others.into_iter().chain(failures).collect();
    rows.sort_by_key(|row| row.code);
    rows
}

/// The code as people write it: a number, and `128 + n` for signals.
impl fmt::Display for ExitCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signal = matches!(self.kind, Some(FailureKind::Interrupted(_)));
        f.pad(&if signal { format!("{} + n", self.code) } else { self.code.to_string() })
    }
}

/// A command that ended early: what happened, in one line, and what helps.
#[derive(Debug)]
pub struct Failure {
    /// Decides the exit code.
    pub kind: FailureKind,
    /// One line that names the cause.
    pub message: String,
    /// One line that names the flag or command that helps.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure of `kind` with a one-line `message`.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: one_line(&message.into()), hint: None }
    }

    /// Wrong arguments or configuration, or nothing matched.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Usage, message)
    }

    /// The benchmark itself failed.
    pub fn benchmark(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Benchmark, message)
    }

    /// The machine, a tool or a permission stands in the way.
    pub fn environment(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Environment, message)
    }

    /// Stored state cannot be used.
    pub fn state(message: impl Into<String>) -> Self {
        Self::new(FailureKind::State, message)
    }

    /// Adds the line that names the remedy.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(one_line(&hint.into()));
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Messages are one line by contract; text taken from elsewhere may hold more.
fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

/// Turns an I/O result into a `Failure` that names what was being done.
pub trait Context<T> {
    /// Fails with `kind` and "`what`: cause".
    fn context(self, kind: FailureKind, what: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: fmt::Display> Context<T> for Result<T, E> {
    fn context(self, kind: FailureKind, what: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(kind, format!("{}: {error}", what())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_distinct() {
        let codes: Vec<u8> = exit_codes().iter().map(|row| row.code).collect();
        let mut distinct = codes.clone();
        distinct.dedup();
        assert_eq!(codes, distinct);
        assert_eq!(FailureKind::Interrupted(2).exit_code(), 128 + 2);
    }

    #[test]
    fn a_kind_is_found_again_by_its_exit_code() {
        for kind in FailureKind::ALL.into_iter().chain([FailureKind::Interrupted(15)]) {
            assert_eq!(FailureKind::of_exit_code(kind.exit_code()), Some(kind));
        }
        for code in [0, STILL_RUNNING, 128] {
            assert_eq!(FailureKind::of_exit_code(code), None);
        }
    }

    #[test]
    fn a_message_is_one_line_whatever_it_was_made_of() {
        let failure = Failure::usage("first\n\n  second\r\n").hint("a\nb");
        assert_eq!(failure.message, "first; second");
        assert_eq!(failure.hint.as_deref(), Some("a; b"));
    }
}
