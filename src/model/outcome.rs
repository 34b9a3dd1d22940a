//! What a phase returns: data that one function applies and one place shows.

use super::baseline::Baseline;
use serde::Serialize;

/// The ten phases, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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

/// One result in words: a number, its unit, and where it can be checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The sentence.
    pub text: String,
    /// A file and the place in it.
    pub evidence: String,
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
    /// At most five.
    pub findings: Vec<Finding>,
    /// What comes next.
    pub next: NextStep,
    /// The baseline to store, when the phase made one.
    pub baseline: Option<Baseline>,
}
