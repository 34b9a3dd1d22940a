//! A decision: what follows from the experiments, what was decided, and why.

use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// What was decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// Whether it goes on.
    pub verdict: Course,
    /// Why, in the words of who decided.
    pub rationale: String,
    /// The experiment whose numbers the baseline gets when it is consolidated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<String>,
    /// What follows from what was measured.
    pub recommendation: Recommendation,
    /// Whether the decision is what was recommended.
    pub agrees: bool,
    /// RFC 3339 in UTC.
    pub decided_at: String,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Whether an investigation goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Course {
    /// Another change is tried.
    Continue,
    /// It is consolidated.
    Stop,
}

impl Course {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::Stop => "stop",
        }
    }
}

/// What follows from what was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Recommendation {
    /// What is recommended.
    pub verdict: Course,
    /// Why, in one line.
    pub why: String,
    /// The experiment that is worth keeping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<String>,
    /// Whether the condition of success holds; absent when that cannot be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
    /// The comparisons of the condition with their values, in words; or why it cannot be told.
    pub reasons: Vec<String>,
    /// The experiments that rest on approvals of less than sixty seconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub short: Vec<String>,
}

/// What the state holds of a decision; other programs have forms of their own.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum AnyDecision {
    /// One of ours.
    Ours(Box<Decision>),
    /// Anything else.
    Other(Value),
}

/// What rests on a recommendation is one of ours, and then it has to be whole.
impl<'de> Deserialize<'de> for AnyDecision {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value.get("recommendation").is_none() {
            return Ok(Self::Other(value));
        }
        Decision::deserialize(value).map(|decision| Self::Ours(Box::new(decision))).map_err(D::Error::custom)
    }
}

impl Recommendation {
    /// It in words, a line each.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("recommended: {}, {}", self.verdict.name(), self.why)];
        lines.extend(self.reasons.iter().map(|reason| format!("success: {reason}")));
        if !self.short.is_empty() {
            lines.push(format!("rests on less than sixty seconds: {}", self.short.join(", ")));
        }
        lines
    }
}

impl Decision {
    /// It in words, a line each.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("decided: {}, {}", self.verdict.name(), self.rationale)];
        lines.extend(self.keep.iter().map(|id| format!("kept: {id}")));
        lines.extend(self.recommendation.lines());
        if !self.agrees {
            lines.push("the decision is not what was recommended, and recorded so".to_owned());
        }
        lines
    }
}

impl AnyDecision {
    /// It, when it is one of ours.
    pub fn ours(&self) -> Option<&Decision> {
        match self {
            Self::Ours(decision) => Some(decision),
            Self::Other(_) => None,
        }
    }
}
