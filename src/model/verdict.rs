//! The words of a verdict: what became of a benchmark between two sides, how large the effect is, and why
//! nothing more can be said.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What became of a benchmark from the base to the candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The candidate is better.
    Improved,
    /// The candidate is worse.
    Regressed,
    /// Whatever the difference is, it is smaller than the margin.
    Unchanged,
    /// None of these can be said.
    Inconclusive,
}

impl Verdict {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Improved => "improved",
            Self::Regressed => "regressed",
            Self::Unchanged => "unchanged",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// Whether it says that there is a difference.
    pub fn is_change(self) -> bool {
        matches!(self, Self::Improved | Self::Regressed)
    }
}

/// Which number of a fork stands for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ViewName {
    /// The low end: what the computation takes when nobody disturbs it.
    Cost,
    /// The median: what a user feels.
    Felt,
}

impl ViewName {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cost => "cost",
            Self::Felt => "felt",
        }
    }
}

/// How sure a verdict has to be, and of what.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Terms {
    /// The probability with which anything that is said may be wrong, over all benches and looks together.
    pub error: f64,
    /// Differences below it do not matter, in percent.
    pub margin_percent: f64,
    /// How often a result may be looked at before it is final; the error is shared between the looks.
    pub looks: u32,
    /// Whether everything is measured in two series, and not only what seems to have changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub twice: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Self { error: 0.01, margin_percent: 1.0, looks: 1, twice: false }
    }
}

impl Terms {
    /// The margin as a natural logarithm of the ratio.
    pub fn margin(&self) -> f64 {
        (self.margin_percent / 100.0).ln_1p()
    }

    /// The part of the error that one look may spend.
    pub fn error_of_a_look(&self) -> f64 {
        self.error / f64::from(self.looks.max(1))
    }
}

/// A difference in percent of the base: positive when the candidate's number is larger.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Effect {
    /// The estimate.
    pub percent: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// A natural logarithm of a ratio in percent.
pub fn percent(log_ratio: f64) -> f64 {
    100.0 * log_ratio.exp_m1()
}

/// Why a verdict is inconclusive.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Why {
    /// There are not enough pairs for the certainty that is asked for.
    TooFewPairs {
        /// How many there are.
        pairs: u64,
    },
    /// The interval holds both differences that matter and none.
    TooWide,
    /// There is a difference, too small to be called one and too large to be called none.
    AtTheMargin,
    /// What is measured cannot tell such small differences apart.
    Coarse {
        /// The smallest difference that can be called none, in percent.
        percent: f64,
    },
    /// The other view says the opposite.
    ViewsDisagree,
    /// A second series does not say the same.
    NotConfirmed {
        /// What the first series said.
        first: Verdict,
    },
    /// The effect changed while it was measured.
    Drift {
        /// In the first half of the pairs, in percent.
        first_percent: f64,
        /// In the second half, in percent.
        second_percent: f64,
    },
    /// A value is zero or negative, so that there are no ratios.
    NotPositive,
    /// It is not known whether more or less of the metric is better.
    NoDirection,
}

/// Two values around which a benchmark falls, for instance by where its memory happens to lie.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Modes {
    /// The median of the lower mode.
    pub lower: f64,
    /// The median of the upper mode.
    pub upper: f64,
    /// The share of values in the upper mode.
    pub upper_share: f64,
}

/// Reads the smallest difference that matters, in percent.
///
/// # Errors
/// What is expected, in words.
pub fn parse_margin(text: &str) -> Result<f64, String> {
    number_within(text, 0.01, 100.0)
}

/// Reads how sure a verdict must be, in percent.
///
/// # Errors
/// What is expected, in words.
pub fn parse_confidence(text: &str) -> Result<f64, String> {
    number_within(text, 50.0, 99.99)
}

fn number_within(text: &str, low: f64, high: f64) -> Result<f64, String> {
    let number = text.trim_end_matches('%').trim().parse::<f64>().ok();
    number
        .filter(|number| (low..=high).contains(number))
        .ok_or_else(|| format!("expected a number of percent between {low} and {high}"))
}

/// Reads the name of a view.
///
/// # Errors
/// What is expected, in words.
pub fn parse_view(text: &str) -> Result<ViewName, String> {
    [ViewName::Cost, ViewName::Felt]
        .into_iter()
        .find(|view| view.name() == text)
        .ok_or_else(|| "expected cost or felt".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percents_are_numbers_within_reason() {
        assert_eq!((parse_margin("0.5"), parse_margin("2 %")), (Ok(0.5), Ok(2.0)));
        for wrong in ["0", "-1", "101", "NaN", "inf", "x", ""] {
            assert!(parse_margin(wrong).is_err(), "{wrong}");
        }
        assert!(parse_confidence("100").is_err() && parse_confidence("99.9").is_ok());
    }
}
