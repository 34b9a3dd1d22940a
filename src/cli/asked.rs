//! The flags that choose a benchmark and say how it is measured, which setup stores and later phases repeat.

use super::arguments::{CargoArgs, Choice, Global};
use super::choosing::Chosen;
use super::measuring::{CommandArgs, MeasuringArgs};
use super::session::Session;
use crate::bench::selection::Selection;
use crate::failure::{Failure, FailureKind};
use crate::lab::catalogue::Entry;
use crate::model::investigation::BenchmarkRecord;
use clap::Parser;
use std::path::{Path, PathBuf};

/// What chooses a benchmark, and how it is measured.
#[derive(Debug, Clone, clap::Args)]
pub struct BenchArgs {
    /// How it is measured.
    #[command(flatten)]
    pub measuring: MeasuringArgs,
    /// Which bench.
    #[command(flatten)]
    pub choice: Choice,
    /// A command instead.
    #[command(flatten)]
    pub command: CommandArgs,
    /// How it is built.
    #[command(flatten)]
    pub cargo: CargoArgs,
}

/// Stored flags are read as flags are.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_flag = true, disable_version_flag = true)]
struct Stored {
    #[command(flatten)]
    args: BenchArgs,
}

impl BenchArgs {
    /// Whether a benchmark is chosen here.
    fn chooses(&self) -> bool {
        let Choice { package, bench, filter } = &self.choice;
        self.command.command.is_some() || filter.is_some() || !package.is_empty() || !bench.is_empty()
    }

    /// These flags with those of setup where nothing was given, and whether that is the benchmark of setup
    /// as it was chosen there.
    ///
    /// # Errors
    /// `State` when the stored flags cannot be read.
    fn after(&self, stored: &[String]) -> Result<(Self, bool), Failure> {
        let Stored { args: before } = Stored::try_parse_from(stored).map_err(|error| {
            let first = error.to_string().lines().next().unwrap_or_default().to_owned();
            Failure::state(format!("the flags that setup stored cannot be read: {first}"))
                .hint("settle the benchmark again with `cargo perf setup --resume`")
        })?;
        let mut all = self.clone();
        let same = !self.chooses() || self.choice_words() == before.choice_words();
        if same {
            all.choice = before.choice;
            all.command = before.command;
        }
        if !self.cargo.is_given() {
            all.cargo = before.cargo;
        }
        all.measuring.complete(&before.measuring);
        Ok((all, same))
    }

    /// These flags as they are meant now, and the folder in which a command runs: those of `before` where
    /// nothing else was given.
    ///
    /// # Errors
    /// `State` when the stored flags cannot be read.
    pub fn meant(
        &self,
        before: Option<&BenchmarkRecord>,
        session: &Session,
    ) -> Result<(Self, PathBuf), Failure> {
        let Some(before) = before else { return Ok((self.clone(), session.cwd.clone())) };
        let (all, same) = self.after(&before.arguments)?;
        let folder = before.cwd.as_deref().filter(|_| same);
        Ok((all, folder.map_or_else(|| session.cwd.clone(), |folder| session.layout.root.join(folder))))
    }

    /// The flags that choose the benchmark, as they were given.
    pub fn choice_words(&self) -> Vec<String> {
        words_of(&self.choice, &self.command)
    }

    /// What is meant, with the defaults of the configuration; commands run in `directory`.
    ///
    /// # Errors
    /// `Usage` for a command that cannot be started as it stands.
    pub fn chosen(&self, global: &Global, session: &Session, directory: &Path) -> Result<Chosen, Failure> {
        let mut chosen = Chosen::new(&self.choice, &self.cargo, global, session)?;
        if let Some(external) = self.command.external(directory)? {
            chosen.selection = Selection { filter: Some(external.id.clone()), ..Selection::default() };
            chosen.externals = vec![external];
        }
        Ok(chosen)
    }

    /// The flags that mean `entry` and nothing else, as setup stores them.
    ///
    /// # Errors
    /// `Bug` when they would not be read back as they are.
    pub fn stored_words(&self, entry: &Entry, global: &Global) -> Result<Vec<String>, Failure> {
        let name = &entry.benchmark.name;
        let mut words = if self.command.command.is_some() {
            self.choice_words()
        } else {
            let exact = Choice {
                package: name.package.iter().cloned().collect(),
                bench: name.target.iter().cloned().collect(),
                filter: Some(name.id.clone()),
            };
            words_of(&exact, &self.command)
        };
        words.extend(self.cargo.flags(global).building());
        words.extend(self.measuring.repeated());
        match Stored::try_parse_from(&words) {
            Ok(_) => Ok(words),
            Err(error) => {
                Err(Failure::new(FailureKind::Bug, format!("stored flags cannot be read: {error}")))
            }
        }
    }
}

/// Each flag with its value in one word, so that a value may look like a flag.
fn words_of(choice: &Choice, command: &CommandArgs) -> Vec<String> {
    let with = |flag: &str, value: &str| format!("--{flag}={value}");
    let mut words: Vec<String> = choice.package.iter().map(|package| with("package", package)).collect();
    words.extend(choice.bench.iter().map(|bench| with("bench", bench)));
    words.extend(choice.filter.iter().map(|filter| with("filter", filter)));
    words.extend(command.command.iter().map(|line| with("command", line)));
    words.extend(command.shell.then(|| "--shell".to_owned()));
    words.extend(command.warm_up.iter().map(|time| with("warm-up", &time.as_secs_f64().to_string())));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(words: &[&str]) -> BenchArgs {
        Stored::try_parse_from(words).expect("flags").args
    }

    fn stored(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn what_is_not_given_is_that_of_setup() {
        let before =
            stored(&["--filter=a/b", "--features", "x", "--approve-short", "look", "--duration", "5"]);
        let (all, same) = given(&["--no-wait"]).after(&before).expect("read");
        assert!(same && all.measuring.no_wait);
        assert_eq!(all.choice.filter.as_deref(), Some("a/b"));
        assert_eq!(all.cargo.features, ["x"]);
        assert_eq!(all.measuring.duration.map(|time| time.as_secs()), Some(5));
        let (longer, _) = given(&["--duration", "90"]).after(&before).expect("read");
        assert_eq!(longer.measuring.duration.map(|time| time.as_secs()), Some(90));
        assert_eq!(longer.measuring.approve_short, None, "an approval goes with its duration");
    }

    #[test]
    fn s08_another_benchmark_is_told_from_that_of_setup() {
        let before = stored(&["--package=p", "--bench=t", "--filter=a"]);
        let same = |words: &[&str]| given(words).after(&before).expect("read").1;
        assert!(same(&[]) && same(&["-p", "p", "--bench", "t", "--filter", "a"]));
        assert!(!same(&["--filter", "b"]) && !same(&["--command", "node x"]));
        let (other, _) = given(&["--command", "node x"]).after(&before).expect("read");
        assert!(other.choice.filter.is_none() && other.choice.package.is_empty());
    }

    #[test]
    fn runs_and_a_duration_are_never_taken_together() {
        let (all, _) = given(&["--duration", "70"]).after(&stored(&["--runs", "5"])).expect("read");
        assert_eq!((all.measuring.runs, all.measuring.duration.is_some()), (None, true));
        let short = stored(&["--approve-short", "look", "--duration", "5"]);
        let (all, _) = given(&["--runs", "5"]).after(&short).expect("read");
        assert_eq!(
            (all.measuring.runs, all.measuring.duration, all.measuring.approve_short),
            (Some(5), None, None)
        );
    }

    #[test]
    fn flags_that_cannot_be_read_are_damaged_state() {
        let failure = given(&[]).after(&stored(&["--banana"])).expect_err("refused");
        assert_eq!(failure.kind, FailureKind::State);
        assert!(failure.message.contains("--banana"), "{failure}");
    }
}
