//! An experiment: one change that is tried against the baseline, judged, and not left behind.

use super::bench::BenchName;
use super::metric::{Direction, MetricName};
use super::record::ResultFile;
use super::verdict::{Effect, Verdict, ViewName};
use super::waiver::Waiver;
use crate::sys::invocation::line;
use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// An experiment as it stands in the state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Experiment {
    /// `E1`, `E2` and so on.
    pub id: String,
    /// The hypothesis that it tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hypothesis: Option<String>,
    /// The one change.
    pub change: Change,
    /// The version label of the baseline that it is tried against.
    pub baseline: String,
    /// When that baseline was recorded: a later one of the same version is another one.
    pub baseline_recorded_at: String,
    /// The run whose pairs are its own, as soon as there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The command that the change has to pass before it is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// The approval of files that go away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletions: Option<Waiver>,
    /// The approval of what looks like a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Waiver>,
    /// How often it had been decided to go on when it was begun.
    #[serde(default)]
    pub round: u64,
    /// The flags with which `--continue` means the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// How far it has come.
    pub status: ExperimentStatus,
    /// RFC 3339 in UTC.
    pub started_at: String,
    /// RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
    /// What came of it, or why it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<ExperimentFinding>,
    /// Why it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abandoned: Option<Waiver>,
    /// When its change was applied to the work tree, RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_at: Option<String>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// One change, saved before anything was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// In a few words.
    pub summary: String,
    /// Where it comes from.
    pub source: ChangeSource,
    /// The patch, as git applies it to the base.
    pub patch: ResultFile,
    /// The commit that it is a change of.
    pub base: String,
    /// SHA-256 over the sources of that commit, state files aside.
    pub sources: String,
    /// The tree that it makes of it.
    pub tree: String,
    /// SHA-256 over the sources that it makes of it, state files aside: those change with every phase.
    pub result: String,
    /// How many files it touches.
    pub files: u64,
}

/// Where a change comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeSource {
    /// A patch file.
    Patch,
    /// A branch or a commit.
    Revision,
    /// The work tree as it stood.
    WorkTree,
}

/// How far an experiment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ExperimentStatus {
    /// Its change is saved, and nothing is said of it yet.
    Open,
    /// It has a verdict.
    Complete,
    /// It was given up.
    Abandoned,
}

/// What came of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExperimentFinding {
    /// Whether the change is worth keeping.
    pub verdict: ExperimentVerdict,
    /// What that means for the hypothesis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hypothesis: Option<HypothesisVerdict>,
    /// Why, in one line.
    pub why: String,
    /// Why it is inconclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
    /// What became of each number.
    pub numbers: Vec<NumberChange>,
    /// The place of the number that decided in the comparison, as a JSON pointer.
    pub place: String,
    /// The comparison with all samples.
    pub comparison: ResultFile,
    /// The base against the stored baseline.
    pub control: Control,
    /// The approval of less than sixty seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short: Option<Waiver>,
    /// That the user's repository is as it was before.
    pub unchanged: TreeProof,
}

/// Whether a change is worth keeping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ExperimentVerdict {
    /// It improves something, and nothing is seen to become worse.
    Accept,
    /// It improves nothing, or worsens something.
    Reject,
    /// That cannot be told.
    Inconclusive,
}

impl ExperimentVerdict {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// What it means for the hypothesis that the change tests.
    pub fn for_hypothesis(self) -> HypothesisVerdict {
        match self {
            Self::Accept => HypothesisVerdict::Supports,
            Self::Reject => HypothesisVerdict::Refutes,
            Self::Inconclusive => HypothesisVerdict::Inconclusive,
        }
    }
}

/// Why nothing can be told of a change, as far as that decides what would settle it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// The benchmark itself is changed.
    Benchmark,
    /// Two series, two halves or two views contradict each other.
    Contradiction,
    /// It is not known whether more or less is better.
    Direction,
    /// One side prints a metric that the other does not.
    OneSided,
    /// What is measured tells no difference as small as the margin.
    Coarse,
    /// Too little was measured for what varies so much.
    Noise,
}

impl Doubt {
    /// What would settle it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Benchmark => {
                "commit the change of the benchmark, measure the baseline again, and try the rest"
            }
            Self::Contradiction => "try it again when the machine does less beside",
            Self::Direction => {
                "begin another investigation whose setup says which way is better, with --metric NAME:UNIT:lower"
            }
            Self::OneSided => {
                "let both sides print the same metrics: commit that, measure the baseline again, and try the rest"
            }
            Self::Coarse => "ask for a larger margin with --margin PERCENT",
            Self::Noise => "try it for longer with --max-time SECONDS",
        }
    }

    /// The flag of the run that would settle it, behind the change; none when no such run would.
    pub fn flag(self) -> Option<&'static str> {
        match self {
            Self::Benchmark | Self::Direction | Self::OneSided => None,
            Self::Contradiction => Some(""),
            Self::Coarse => Some(" --margin PERCENT"),
            Self::Noise => Some(" --max-time SECONDS"),
        }
    }
}

/// What an experiment means for a hypothesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HypothesisVerdict {
    /// The change does what the hypothesis says.
    Supports,
    /// It does not.
    Refutes,
    /// That cannot be told.
    Inconclusive,
}

impl HypothesisVerdict {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Supports => "supports",
            Self::Refutes => "refutes",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// What became of one number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NumberChange {
    /// The benchmark.
    pub bench: BenchName,
    /// The metric; absent for the time per iteration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<MetricName>,
    /// The view that decided.
    pub view: ViewName,
    /// The unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Which way it improves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub better: Option<Direction>,
    /// The verdict.
    pub verdict: Verdict,
    /// The effect, in percent of the base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// The effect in the other view, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_view: Option<OtherView>,
    /// The smallest effect that would have been found, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detectable_percent: Option<f64>,
    /// The value without the change.
    pub base: f64,
    /// The value with it.
    pub candidate: f64,
}

impl NumberChange {
    /// What it is called: the metric, or the view of the time per iteration.
    pub fn name(&self) -> String {
        self.metric.as_ref().map_or_else(|| self.view.name().to_owned(), ToString::to_string)
    }

    /// It with its effect, in a few words.
    pub fn described(&self) -> String {
        match self.effect {
            Some(Effect { percent, low, high }) => {
                format!("{} {percent:+.1} % ({low:+.1} to {high:+.1})", self.name())
            }
            None => self.name(),
        }
    }
}

/// What the view says that did not decide.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OtherView {
    /// Which view.
    pub view: ViewName,
    /// The effect, in percent of the base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// The value without the change.
    pub base: f64,
    /// The value with it.
    pub candidate: f64,
}

/// The base of an experiment against the stored baseline: the same sources at another time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Control {
    /// Which number was compared.
    pub number: String,
    /// Its value in the baseline.
    pub stored: f64,
    /// Its value now.
    pub measured: f64,
    /// How far they are apart, as a log ratio.
    pub deviation: f64,
}

/// What a repository looked like before and after an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TreeProof {
    /// The branch that is checked out, or `detached`.
    pub head: String,
    /// SHA-256 over the entries of the index, those of state files aside.
    pub index_sha256: String,
    /// SHA-256 over what is checked out, and over all files that differ from it or are not known to git, state
    /// files aside.
    pub files_sha256: String,
    /// SHA-256 over all stashes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stashes_sha256: Option<String>,
}

/// What the state holds of experiments; other programs have forms of their own.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum AnyExperiment {
    /// One of ours.
    Ours(Box<Experiment>),
    /// Anything else.
    Other(Value),
}

/// What has a change with a patch is one of ours, and then it has to be whole: one that was damaged must not look as if
/// it had never been.
impl<'de> Deserialize<'de> for AnyExperiment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value.pointer("/change/patch").is_none() {
            return Ok(Self::Other(value));
        }
        Experiment::deserialize(value)
            .map(|experiment| Self::Ours(Box::new(experiment)))
            .map_err(D::Error::custom)
    }
}

impl AnyExperiment {
    /// It, when it is one of ours.
    pub fn ours(&self) -> Option<&Experiment> {
        match self {
            Self::Ours(experiment) => Some(experiment),
            Self::Other(_) => None,
        }
    }
}

impl Experiment {
    /// Its verdict, when it has one.
    pub fn verdict(&self) -> Option<ExperimentVerdict> {
        let complete = self.status == ExperimentStatus::Complete;
        self.finding.as_ref().filter(|_| complete).map(|finding| finding.verdict)
    }

    /// Whether it rests on less than sixty seconds.
    pub fn is_short(&self) -> bool {
        self.finding.as_ref().is_some_and(|finding| finding.short.is_some())
    }

    /// The command that goes on with it and means the same.
    pub fn going_on(&self) -> String {
        going_on(&self.flags)
    }

    /// The command that tries the same change again, on the same terms.
    pub fn again(&self) -> Vec<String> {
        let mut words = ["cargo", "perf", "experiment", "--patch"].map(str::to_owned).to_vec();
        words.push(self.change.patch.path.clone());
        let given = [
            ("--check", self.check.as_ref()),
            ("--hypothesis", self.hypothesis.as_ref()),
            ("--allow-deletions", self.deletions.as_ref().map(|waiver| &waiver.text)),
            ("--allow-secret", self.secret.as_ref().map(|waiver| &waiver.text)),
        ];
        for (flag, text) in given {
            words.extend(text.into_iter().flat_map(|text| [flag.to_owned(), text.clone()]));
        }
        words.extend(self.flags.iter().cloned());
        words
    }

    /// What became of it, in a line.
    pub fn described(&self) -> String {
        let (id, summary) = (&self.id, &self.change.summary);
        match (&self.finding, &self.abandoned) {
            (Some(finding), _) => format!("{id}, {summary}: {}, {}", finding.verdict.name(), finding.why),
            (None, Some(given_up)) => format!("{id}, {summary}: given up, {}", given_up.text),
            (None, None) => format!("{id}, {summary}: begun, without a verdict"),
        }
    }
}

/// The command that goes on with an experiment that was begun with `flags`.
pub fn going_on(flags: &[String]) -> String {
    let words = ["cargo", "perf", "experiment", "--continue"].map(str::to_owned);
    line(&words.into_iter().chain(flags.iter().cloned()).collect::<Vec<_>>())
}

/// A file to be stored beside the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filed {
    /// Relative to the state folder.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}
