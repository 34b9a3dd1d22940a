//! One section of an investigation's log: what a phase did, as evidence for whoever reads it later.

use super::outcome::{Phase, Pointer};
use super::rules::RuleCheck;

/// One section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The phase.
    pub phase: Phase,
    /// The day it ended, `YYYY-MM-DD` in UTC.
    pub date: String,
    /// What the user said, word for word.
    pub quote: String,
    /// Whether the quote is that of setup, because the phase was given none.
    pub repeated: bool,
    /// What was done, a line each.
    pub summary: Vec<String>,
    /// Where it can be checked.
    pub evidence: Vec<Pointer>,
    /// What was decided and why.
    pub decision: Option<String>,
    /// What became of each rule.
    pub rules: Vec<RuleCheck>,
}
