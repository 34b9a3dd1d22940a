//! The ten rules of measuring: what each says, and how far this version enforces it.
//!
//! The one source of their texts. The table in `README.md` is compared with it by a test.

use super::waiver::Waiver;
use crate::failure::{Failure, FailureKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One of the ten rules, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// One benchmark at a time.
    Sequential,
    /// A minute is measured.
    SixtySeconds,
    /// One change per experiment.
    OneChange,
    /// One benchmark unless more were approved.
    NarrowFirst,
    /// Anomalies are measured again.
    Verify,
    /// What experiments are compared with.
    CleanBaseline,
    /// Nothing is used up for nothing.
    MinimalResources,
    /// What the repository already knows.
    HistoryFirst,
    /// Units and directions.
    ClearTerms,
    /// A record of every phase.
    LogAndCheckpoint,
}

/// What became of a rule in a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// It was checked and holds.
    Pass,
    /// The phase does nothing that it is about.
    NotApplicable,
    /// It does not hold, and somebody approved that.
    Waived,
}

impl Kept {
    /// All results.
    pub const ALL: [Self; 3] = [Self::Pass, Self::NotApplicable, Self::Waived];

    /// Its word in a log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::NotApplicable => "n.a.",
            Self::Waived => "waived",
        }
    }
}

/// The check of one rule in one phase. A rule that is broken has no check: it refuses the phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleCheck {
    /// The rule.
    pub rule: Rule,
    /// What became of it.
    pub kept: Kept,
    /// What was seen, or why it was waived.
    pub reason: String,
}

/// How far this version keeps a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Enforced {
    /// Always.
    Fully,
    /// For a part of it, which the text names.
    InPart,
    /// Not yet.
    Planned,
}

impl Enforced {
    /// Its word in text.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fully => "enforced",
            Self::InPart => "in part",
            Self::Planned => "planned",
        }
    }
}

/// What there is to say about a rule.
struct Entry {
    id: &'static str,
    title: &'static str,
    sentence: &'static str,
    enforced: Enforced,
    how: &'static str,
}

impl Rule {
    /// All rules; the first has number 1.
    pub const ALL: [Self; 10] = [
        Self::Sequential,
        Self::SixtySeconds,
        Self::OneChange,
        Self::NarrowFirst,
        Self::Verify,
        Self::CleanBaseline,
        Self::MinimalResources,
        Self::HistoryFirst,
        Self::ClearTerms,
        Self::LogAndCheckpoint,
    ];

    /// From 1 to 10.
    pub fn number(self) -> usize {
        self as usize + 1
    }

    /// The word that stands for it in JSON.
    pub fn id(self) -> &'static str {
        self.entry().id
    }

    /// Its short name.
    pub fn title(self) -> &'static str {
        self.entry().title
    }

    /// What it says, without a period.
    pub fn sentence(self) -> &'static str {
        self.entry().sentence
    }

    /// How far this version enforces it.
    pub fn enforced(self) -> Enforced {
        self.entry().enforced
    }

    /// By what this version enforces it, empty when there is nothing to say.
    pub fn how(self) -> &'static str {
        self.entry().how
    }

    /// It was checked and holds: what was seen.
    pub fn pass(self, seen: impl Into<String>) -> RuleCheck {
        RuleCheck { rule: self, kept: Kept::Pass, reason: seen.into() }
    }

    /// The phase does nothing that it is about.
    pub fn not_applicable(self, why: impl Into<String>) -> RuleCheck {
        RuleCheck { rule: self, kept: Kept::NotApplicable, reason: why.into() }
    }

    /// The phase is logged and committed, as each is.
    pub fn logged(self) -> RuleCheck {
        self.pass("this section, and the commit that holds it")
    }

    /// The phase only puts together what is known.
    pub fn of_no_measurement(self) -> RuleCheck {
        self.not_applicable("nothing was measured or changed")
    }

    /// It does not hold, and `waiver` approved that.
    pub fn waived(self, waiver: &Waiver) -> RuleCheck {
        RuleCheck {
            rule: self,
            kept: Kept::Waived,
            reason: format!("{}, approved by {}", waiver.text, waiver.who),
        }
    }

    /// The failure of a command that this rule refuses: `what` it refuses, after the rule's name.
    pub fn refuses(self, what: impl fmt::Display) -> Failure {
        Failure::new(FailureKind::Rule, format!("{self} refuses {what}"))
    }

    fn entry(self) -> Entry {
        match self {
            Self::Sequential => Entry {
                id: "sequential",
                title: "Sequential",
                sentence: "One benchmark at a time, never two in parallel",
                enforced: Enforced::Fully,
                how: "a lock for the whole machine; what a benchmark leaves running is ended",
            },
            Self::SixtySeconds => Entry {
                id: "sixty-seconds",
                title: "Sixty seconds",
                sentence: "At least that many are measured, and thirty per probe of a load search",
                enforced: Enforced::Fully,
                how: "on recorded samples; less only with `--approve-short \"why\"`",
            },
            Self::OneChange => Entry {
                id: "one-change",
                title: "One change at a time",
                sentence: "Each experiment tries one, and it is reverted before the next",
                enforced: Enforced::Fully,
                how: "a change is saved before it is measured, tried in a checkout of its own, and the work tree is proven to be as before; while one is open a second is refused",
            },
            Self::NarrowFirst => Entry {
                id: "narrow-first",
                title: "Narrow first",
                sentence: "One benchmark and one scenario, before more are approved",
                enforced: Enforced::Fully,
                how: "more only with `--expand \"why\"`",
            },
            Self::Verify => Entry {
                id: "verify",
                title: "Verify",
                sentence: "Anomalies are measured again before they count",
                enforced: Enforced::Fully,
                how: "disagreement above 5 % is measured again, then refused without `--accept-noise \"why\"`; what is said of a change needs a second series",
            },
            Self::CleanBaseline => Entry {
                id: "clean-baseline",
                title: "Clean baseline",
                sentence: "Each experiment starts from one, with a clean tree",
                enforced: Enforced::Fully,
                how: "an investigation refuses a tree with changes in no commit, and sources that change meanwhile; an experiment refuses a baseline of other sources, another machine or toolchain, or that its control run does not reproduce",
            },
            Self::MinimalResources => Entry {
                id: "minimal-resources",
                title: "Minimal resources",
                sentence: "No more memory, disk or time than the answer needs",
                enforced: Enforced::Fully,
                how: "bounded memory and logs, deadlines, cost shown before, storage proven before",
            },
            Self::HistoryFirst => Entry {
                id: "history-first",
                title: "History first",
                sentence: "The git history is read before hypotheses and changes",
                enforced: Enforced::Planned,
                how: "",
            },
            Self::ClearTerms => Entry {
                id: "clear-terms",
                title: "Clear terms",
                sentence: "Every metric has a name, a unit and a direction before it is judged",
                enforced: Enforced::Fully,
                how: "setup refuses conditions on metrics without unit and direction, which `--metric` declares",
            },
            Self::LogAndCheckpoint => Entry {
                id: "log-and-checkpoint",
                title: "Log and checkpoint",
                sentence: "Each phase ends with a log entry and a commit",
                enforced: Enforced::Fully,
                how: "state, log and results change together, then they are committed; without an investigation the output says that nothing was logged",
            },
        }
    }
}

/// As refusals name it: `rule 4 (narrow first)`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {} ({})", self.number(), self.title().to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_numbered_from_one_to_ten_in_their_order() {
        assert_eq!(Rule::ALL.map(Rule::number), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    }

    #[test]
    fn a_refusal_names_the_rule_and_has_its_kind() {
        let refusal = Rule::NarrowFirst.refuses("3 benchmarks at once");
        assert_eq!(refusal.message, "rule 4 (narrow first) refuses 3 benchmarks at once");
        assert_eq!(refusal.kind, FailureKind::Rule);
    }

    #[test]
    fn what_is_enforced_says_how() {
        for rule in Rule::ALL {
            assert!(rule.enforced() == Enforced::Planned || !rule.how().is_empty(), "{rule}");
        }
    }
}
