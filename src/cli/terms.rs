//! How sure a verdict has to be and of what, and which verdicts end with an exit code of their own.

use super::contesting::Judging;
use crate::model::comparison::Comparison;
use crate::model::verdict::{Terms, Verdict, ViewName, parse_confidence, parse_margin, parse_view};
use crate::store::config::Config;
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
    view: Option<ViewName>,
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
    fn terms(&self, config: &Config) -> Terms {
        let (usual, chosen) = (Terms::default(), &config.verdicts);
        let confidence = self.confidence.or(chosen.confidence);
        Terms {
            error: confidence.map_or(usual.error, |percent| 1.0 - percent / 100.0),
            margin_percent: self.margin.or(chosen.margin).unwrap_or(usual.margin_percent),
            ..usual
        }
    }

    /// The flags with which another call means the same.
    pub fn repeated(&self) -> Vec<String> {
        let given = [
            ("--margin", self.margin.map(|margin| margin.to_string())),
            ("--confidence", self.confidence.map(|confidence| confidence.to_string())),
            ("--view", self.view.map(|view| view.name().to_owned())),
        ];
        given.into_iter().filter_map(|(flag, value)| Some([flag.to_owned(), value?])).flatten().collect()
    }

    /// How verdicts are come by; what is not given is that of `config`.
    pub fn judging(&self, config: &Config) -> Judging {
        Judging { view: self.view.or(config.verdicts.view), terms: self.terms(config) }
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
