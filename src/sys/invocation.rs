//! What to start, as plain data; the waist through which everything that influences a process goes.
//!
//! A profiler, a limit, a load parameter or another work tree is a function from `Invocation` to
//! `Invocation`. Only `sys::process` turns one into a running process.

use super::apart::DETACHED_VARIABLE;
use cargo_util::ProcessBuilder;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A process to be started.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The program and its arguments; never empty, never a shell string.
    pub argv: Vec<OsString>,
    /// The working directory.
    pub cwd: PathBuf,
    /// Changes to the inherited environment; `None` removes a variable.
    pub env: BTreeMap<String, Option<OsString>>,
    /// Time after which the whole process tree is ended.
    pub deadline: Option<Duration>,
    /// Files into which the child writes `0`, which the kernel reads as "the writer", between fork and
    /// exec: the way a process enters a control group before it runs.
    pub pid_files: Vec<PathBuf>,
    /// Where the standard streams go.
    pub output: Output,
}

/// Where the output of a process goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Both streams are recorded: `<log>.stdout` and `<log>.stderr`, at most `log_limit` bytes each on
    /// disk, a short tail in memory.
    Recorded {
        /// The path of the logs without its last extension.
        log: PathBuf,
        /// Bytes of each stream that may be written to disk.
        log_limit: u64,
    },
    /// Standard output is recorded, standard error is the user's own.
    StderrShown {
        /// As in `Recorded`.
        log: PathBuf,
        /// As in `Recorded`.
        log_limit: u64,
    },
    /// Each stream goes to a file of its own, from the process itself: it may outlive us.
    Files {
        /// For standard output; made anew.
        stdout: PathBuf,
        /// For standard error; made anew.
        stderr: PathBuf,
    },
}

impl Invocation {
    /// An invocation of `argv` in `cwd` that inherits the environment and has no deadline.
    pub fn new<I, S>(argv: I, cwd: impl Into<PathBuf>, output: Output) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<OsString>,
    {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            cwd: cwd.into(),
            env: BTreeMap::new(),
            deadline: None,
            pid_files: Vec::new(),
            output,
        }
    }

    /// Sets one variable of the child's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.insert(name.to_owned(), Some(value.into()));
        self
    }

    /// Sets several variables of the child's environment.
    #[must_use]
    pub fn envs(mut self, variables: &BTreeMap<String, String>) -> Self {
        self.env.extend(variables.iter().map(|(name, value)| (name.clone(), Some(value.into()))));
        self
    }

    /// The builder with program, arguments, directory and environment.
    #[expect(clippy::disallowed_methods, reason = "this is where an Invocation becomes a process")]
    pub(in crate::sys) fn builder(&self) -> ProcessBuilder {
        let mut builder = ProcessBuilder::new(&self.argv[0]);
        builder.args(&self.argv[1..]).cwd(&self.cwd);
        // It is meant for one process alone, which is told its name below.
        builder.env_remove(DETACHED_VARIABLE);
        for (name, value) in &self.env {
            match value {
                Some(value) => builder.env(name, value),
                None => builder.env_remove(name),
            };
        }
        builder
    }
}

impl fmt::Display for Invocation {
    /// The command line, quoted so that it can be pasted into a shell.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.argv.iter().map(|argument| quote(&argument.to_string_lossy())).collect::<Vec<_>>();
        f.write_str(&shown.join(" "))
    }
}

/// Words as one line for a POSIX shell, each quoted where it has to be.
pub fn line<S: AsRef<str>>(words: &[S]) -> String {
    words.iter().map(|word| quote(word.as_ref())).collect::<Vec<_>>().join(" ")
}

/// Quotes one word for a POSIX shell, leaving plain words as they are.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn quoting_leaves_plain_words_and_protects_the_rest() {
        assert_eq!(quote("parse/zones_typed"), "parse/zones_typed");
        assert_eq!(quote("it's a \"b\""), r#"'it'\''s a "b"'"#);
        assert_eq!(quote(""), "''");
    }
}
