//! What was done in a phase: its record in the state, what it stored, and what was approved in it.

use super::checkpoint::CheckpointRecord;
use super::decision::Course;
use super::outcome::{Finding, Phase, Pointer};
use super::rules::RuleCheck;
use super::waiver::Waiver;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What was done in a phase, and where that can be checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PhaseRecord {
    /// The phase.
    pub phase: Phase,
    /// How it ended.
    pub status: PhaseStatus,
    /// RFC 3339 in UTC.
    pub started_at: String,
    /// RFC 3339 in UTC.
    pub finished_at: String,
    /// Why it was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What a decision says: to go on opens the phases of experiment and decision again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<Course>,
    /// At most five.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// Where it can be checked.
    #[serde(default)]
    pub evidence: Vec<Pointer>,
    /// The results that it stored beside state and log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<ResultFile>,
    /// What became of each rule.
    #[serde(default)]
    pub rules: Vec<RuleCheck>,
    /// SHA-256 of its section in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section_sha256: Option<String>,
    /// Its commit, or why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<CheckpointRecord>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A file of results as a phase stored it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResultFile {
    /// Relative to the root of the project.
    pub path: String,
    /// SHA-256 of the whole file.
    pub sha256: String,
}

/// How a phase ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PhaseStatus {
    /// It was carried out.
    Complete,
    /// It was left out, with a reason.
    Skipped,
}

impl PhaseStatus {
    /// Its word in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Skipped => "skipped",
        }
    }
}

/// Something that a rule refuses and somebody approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approval {
    /// What was approved.
    pub what: Approved,
    /// The phase in which it counts.
    pub phase: Phase,
    /// Who, why and when.
    #[serde(flatten)]
    pub waiver: Waiver,
}

/// What can be approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Approved {
    /// Less than sixty seconds.
    Short,
    /// More than one benchmark, or another one than setup chose.
    Expand,
    /// A series that disagrees with itself.
    Noise,
    /// A tree with changes that are not committed.
    Dirty,
    /// A change that takes files away.
    Deletions,
    /// A change that adds what looks like a secret.
    Secret,
    /// A phase that is left out.
    SkipPhase,
    /// An experiment that is given up.
    Abandon,
}

impl Approved {
    /// Its word in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Expand => "expand",
            Self::Noise => "noise",
            Self::Dirty => "dirty",
            Self::Deletions => "deletions",
            Self::Secret => "secret",
            Self::SkipPhase => "skip-phase",
            Self::Abandon => "abandon",
        }
    }
}
