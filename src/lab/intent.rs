//! What a comparison sets out to do, kept beside its pairs: with both, one that was interrupted goes on.

use super::catalogue::Entry;
use super::comparing::Comparing;
use super::contest::{Contest, Course};
use crate::failure::{Context, Failure, FailureKind};
use crate::model::bench::BenchName;
use crate::model::comparison::Sides;
use crate::model::metric::MetricSpec;
use crate::model::verdict::{Terms, ViewName};
use crate::sys::files;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// The record of an intent in the folder of a run.
const FILE: &str = "intent.json";

/// What was asked: a comparison goes on only with the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    sources: Sides<String>,
    benches: Vec<Bench>,
    duration: Duration,
    runs: Option<u32>,
    parameter: Option<String>,
    view: Option<ViewName>,
    terms: Terms,
    budget: Option<Duration>,
    /// What is run in each checkout before it is built.
    #[serde(default)]
    prepare: Option<String>,
}

/// A bench that is compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Bench {
    name: BenchName,
    executables: Sides<Option<String>>,
    /// SHA-256 of the commands that are none of cargo's, with what is set for them: a variable may hold a secret.
    #[serde(default)]
    commands: Sides<Option<String>>,
    metrics: BTreeMap<String, MetricSpec>,
}

/// What was asked, and how it is measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// What was asked.
    question: Question,
    /// Decides the order within pairs.
    pub seed: u64,
    /// The terms, with the number of looks.
    pub terms: Terms,
    /// How each bench is measured.
    pub courses: Vec<Course>,
}

impl Question {
    /// What `order` asks.
    pub fn of(order: &Comparing<'_>) -> Self {
        let demand = order.contests.first().map(|contest| contest.demand);
        Self {
            sources: order.sources.clone(),
            benches: order.contests.iter().map(Bench::of).collect(),
            duration: demand.map_or(Duration::ZERO, |demand| demand.duration.measured()),
            runs: demand.and_then(|demand| demand.runs).map(|(runs, _)| runs),
            parameter: demand.and_then(|demand| demand.parameter.clone()),
            view: order.view,
            terms: order.terms,
            budget: order.budget,
            prepare: order.prepare.map(str::to_owned),
        }
    }

    /// In what it is another question than `other`, in words; `None` when it is the same.
    fn differs_from(&self, other: &Self) -> Option<&'static str> {
        let names = |of: &Self| of.benches.iter().map(|bench| bench.name.clone()).collect::<Vec<_>>();
        let commands = |of: &Self| of.benches.iter().map(|bench| bench.commands.clone()).collect::<Vec<_>>();
        let same = [
            (self.sources == other.sources, "other sources"),
            (names(self) == names(other), "other benches"),
            (commands(self) == commands(other), "another command, or other variables for it"),
            (self.prepare == other.prepare, "another --prepare"),
            (self.benches == other.benches, "another build or other declarations of metrics"),
            (self.duration == other.duration && self.runs == other.runs, "another length"),
            (self.parameter == other.parameter, "another load"),
            (self.terms == other.terms && self.view == other.view, "other terms"),
            (self.budget == other.budget, "another --max-time"),
        ];
        same.into_iter().find_map(|(same, what)| (!same).then_some(what))
    }
}

impl Bench {
    fn of(contest: &Contest<'_>) -> Self {
        Self {
            name: contest.entries.candidate.benchmark.name.clone(),
            executables: contest.executables(),
            commands: contest.entries.map(command_of),
            metrics: contest.declared(),
        }
    }
}

/// The command of an external benchmark, its variables and its warm-up, as a hash.
fn command_of(entry: &Entry) -> Option<String> {
    let external = entry.as_external()?;
    let meant = serde_json::to_vec(&(&external.argv, &external.env, external.warm_up)).ok()?;
    Some(files::sha256_bytes(&meant))
}

impl Intent {
    /// To answer what `order` asks.
    pub fn new(order: &Comparing<'_>, courses: Vec<Course>, terms: Terms) -> Self {
        Self { question: Question::of(order), seed: order.seed, terms, courses }
    }

    /// Keeps it in `folder`, before the first pair.
    ///
    /// # Errors
    /// `Environment` when it cannot be written.
    pub fn keep(&self, folder: &Path) -> Result<(), Failure> {
        let what = || "an intent cannot be coded".to_owned();
        let bytes = serde_json::to_vec(self).context(FailureKind::Bug, what)?;
        files::write_atomic(&folder.join(FILE), &bytes)
    }

    /// Whether a comparison has begun to measure in `folder`.
    pub fn is_kept(folder: &Path) -> bool {
        folder.join(FILE).exists()
    }

    /// What the comparison in `folder` set out to do; `None` when none has begun to measure there.
    ///
    /// # Errors
    /// `State` when it cannot be read.
    pub fn kept(folder: &Path) -> Result<Option<Self>, Failure> {
        let path = folder.join(FILE);
        let Ok(bytes) = fs::read(&path) else { return Ok(None) };
        let intent = serde_json::from_slice(&bytes);
        intent.map(Some).map_err(|error| Failure::state(format!("{} is no intent: {error}", path.display())))
    }

    /// In what it differs from `question`, in words; none when it asked the same.
    pub fn differs_from(&self, question: &Question) -> Option<&'static str> {
        self.question.differs_from(question)
    }

    /// Whether it answers `question`.
    pub fn answers(&self, question: &Question) -> bool {
        self.question == *question
    }

    /// Refuses to go on with `question` when it is another one.
    ///
    /// # Errors
    /// `Usage`, with what differs.
    pub fn expect(&self, question: &Question) -> Result<(), Failure> {
        self.question.differs_from(question).map_or(Ok(()), |what| {
            Err(Failure::usage(format!("the comparison that is to go on was asked with {what}")).hint(
                "repeat its command with --resume, or leave --resume away to measure from the beginning",
            ))
        })
    }
}
