//! How sure a verdict has to be and of what, and which verdicts end with an exit code of their own.

use crate::model::comparison::Comparison;
use crate::model::verdict::{Terms, Verdict, ViewName};
use clap::ValueEnum;

/// What a verdict has to keep.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Judging")]
pub struct TermsArgs {
    /// The smallest difference that matters, in percent (default: 1)
    #[arg(long, value_name = "PERCENT", value_parser = parse_margin)]
    margin: Option<f64>,
    /// How sure a verdict must be, in percent (default: 99)
    #[arg(long, value_name = "PERCENT", value_parser = parse_confidence)]
    confidence: Option<f64>,
    /// The view that decides: cost or felt (default: cost for benches, felt for programs)
    #[arg(long, value_name = "VIEW", value_parser = parse_view)]
    pub view: Option<ViewName>,
    /// End with 3 when something regressed, with 4 when something is inconclusive
    #[arg(long, value_name = "VERDICT", value_delimiter = ',')]
    pub fail_on: Vec<Alarm>,
}

/// A verdict that the user wants to see in the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Alarm {
    /// Something became worse.
    Regressed,
    /// Something could not be decided.
    Inconclusive,
}

impl TermsArgs {
    /// The terms, before anything is known of looks.
    pub fn terms(&self) -> Terms {
        let usual = Terms::default();
        Terms {
            error: self.confidence.map_or(usual.error, |percent| 1.0 - percent / 100.0),
            margin_percent: self.margin.unwrap_or(usual.margin_percent),
            looks: usual.looks,
        }
    }
}

impl Alarm {
    /// The exit code of `comparison` for who asked for `alarms`; a regression weighs more.
    pub fn code(alarms: &[Self], comparison: &Comparison) -> Option<u8> {
        let has = |verdict| {
            comparison.benches.iter().flat_map(|bench| &bench.verdicts).any(|found| found.verdict == verdict)
        };
        let raised = |alarm, verdict, code| (alarms.contains(&alarm) && has(verdict)).then_some(code);
        raised(Self::Regressed, Verdict::Regressed, 3)
            .or_else(|| raised(Self::Inconclusive, Verdict::Inconclusive, 4))
    }
}

fn parse_margin(text: &str) -> Result<f64, String> {
    number_within(text, 0.01, 100.0)
}

fn parse_confidence(text: &str) -> Result<f64, String> {
    number_within(text, 50.0, 99.99)
}

fn number_within(text: &str, low: f64, high: f64) -> Result<f64, String> {
    let number = text.trim_end_matches('%').trim().parse::<f64>().ok();
    number
        .filter(|number| (low..=high).contains(number))
        .ok_or_else(|| format!("expected a number of percent between {low} and {high}"))
}

fn parse_view(text: &str) -> Result<ViewName, String> {
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
