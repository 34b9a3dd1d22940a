//! What a phase returns: data that one function applies and one place shows.

use super::investigation::Effect;
use super::rules::RuleCheck;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The ten phases, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Scenario, success criteria, benchmark.
    Setup,
    /// A measured baseline.
    Baseline,
    /// The smallest failing load.
    BreakingPoint,
    /// Enforced limits against none.
    Constraints,
    /// History, then hypotheses.
    Hypotheses,
    /// Entry points and call chains.
    CodePaths,
    /// Profiles and hotspots.
    Profiling,
    /// One change at a time.
    Optimization,
    /// Continue or stop.
    Decision,
    /// One baseline per version.
    Consolidation,
}

impl Phase {
    /// All phases; the first has number 1.
    pub const ALL: [Self; 10] = [
        Self::Setup,
        Self::Baseline,
        Self::BreakingPoint,
        Self::Constraints,
        Self::Hypotheses,
        Self::CodePaths,
        Self::Profiling,
        Self::Optimization,
        Self::Decision,
        Self::Consolidation,
    ];

    /// From 1 to 10.
    pub fn number(self) -> usize {
        self as usize + 1
    }

    /// The commands that carry it out, without `cargo perf`; a name of this list need not exist yet.
    pub fn commands(self) -> &'static [&'static str] {
        match self {
            Self::Setup => &["setup"],
            Self::Baseline => &["baseline"],
            Self::BreakingPoint => &["bisect-load"],
            Self::Constraints => &["constrain"],
            Self::Hypotheses => &["hypotheses"],
            Self::CodePaths => &["code-paths"],
            Self::Profiling => &["profile"],
            Self::Optimization => &["experiment", "apply"],
            Self::Decision => &["decide"],
            Self::Consolidation => &["consolidate"],
        }
    }

    /// What it does.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Setup => "scenario, success criteria, benchmark and version are settled",
            Self::Baseline => "a baseline is measured",
            Self::BreakingPoint => "the smallest load that fails is searched",
            Self::Constraints => "enforced limits of CPU and memory are compared with none",
            Self::Hypotheses => "git history is read, then at most five hypotheses are written with evidence",
            Self::CodePaths => "entry points, call chains, candidate files and symbols are named",
            Self::Profiling => "CPU and memory are profiled, down to file and line",
            Self::Optimization => "one change is tried against the baseline, judged and reverted",
            Self::Decision => "a recommendation is computed, verdict and rationale are recorded",
            Self::Consolidation => "one baseline per version is left, the investigation is complete",
        }
    }

    /// The phase of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.name() == name)
    }

    /// Its heading in a log: the first letter is a capital, dashes are spaces.
    pub fn heading(self) -> String {
        let words = self.name().replace('-', " ");
        words[..1].to_uppercase() + &words[1..]
    }

    /// Its name in output and state.
    pub fn name(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Baseline => "baseline",
            Self::BreakingPoint => "breaking-point",
            Self::Constraints => "constraints",
            Self::Hypotheses => "hypotheses",
            Self::CodePaths => "code-paths",
            Self::Profiling => "profiling",
            Self::Optimization => "optimization",
            Self::Decision => "decision",
            Self::Consolidation => "consolidation",
        }
    }
}

/// Where a command stands when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// More phases follow.
    InProgress,
    /// An input or approval is missing.
    Blocked,
    /// Nothing is left to do.
    Complete,
}

impl Status {
    /// Its name in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Blocked => "blocked",
            Self::Complete => "complete",
        }
    }
}

/// Findings that are told at once; beyond, they are noise.
pub const MOST_FINDINGS: usize = 5;

/// One result in words: a number, its unit, and where it can be checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The sentence.
    pub text: String,
    /// A file and the place in it.
    pub evidence: String,
}

/// The file that evidence names, without the place in it.
pub fn file_of(evidence: &str) -> &str {
    evidence.split('#').next().unwrap_or_default()
}

/// What comes next: a command that can be run as it stands, or a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NextStep {
    /// Arguments, the program first.
    Argv(Vec<String>),
    /// One question.
    Question(String),
}

/// What a phase has to say and to store.
#[derive(Debug)]
pub struct Outcome {
    /// Which phase.
    pub phase: Phase,
    /// How it ended.
    pub status: Status,
    /// When it began, RFC 3339 in UTC.
    pub started_at: String,
    /// At most five.
    pub findings: Vec<Finding>,
    /// What was done, a line each, for the log.
    pub summary: Vec<String>,
    /// What was decided and why, where a phase decides.
    pub decision: Option<String>,
    /// Where it can be checked.
    pub evidence: Vec<Pointer>,
    /// What became of each rule, all ten in order.
    pub rules: Vec<RuleCheck>,
    /// The difference it made, in a few words, for the subject of its commit.
    pub delta: Option<String>,
    /// What comes next.
    pub next: NextStep,
    /// What it changes in what is stored.
    pub effect: Effect,
}

/// A place where something in a log can be checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pointer {
    /// What the place is.
    pub kind: PointerKind,
    /// The place: a command, `path`, `path:line` or `path#/json/pointer` below the root, or a commit id.
    pub target: String,
}

/// What a pointer points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PointerKind {
    /// The command that was given.
    Command,
    /// A file, or a place in it.
    File,
    /// A commit of the repository.
    Commit,
}

impl PointerKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Command, Self::File, Self::Commit];

    /// Its word in a log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Command => "Command",
            Self::File => "File",
            Self::Commit => "Commit",
        }
    }
}

impl Pointer {
    /// A pointer of `kind` to `target`.
    pub fn new(kind: PointerKind, target: impl Into<String>) -> Self {
        Self { kind, target: target.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_are_numbered_from_one_to_ten_in_their_order() {
        assert_eq!(Phase::ALL.map(Phase::number), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    }
}
