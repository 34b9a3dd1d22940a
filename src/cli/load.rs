//! Flags of a search for a breaking point: the loads, what has to hold under them, and how certain the answer
//! is to be.

use crate::condition::Condition;
use crate::failure::{Failure, FailureKind};
use crate::model::duration::parse_seconds;
use crate::model::load::{LoadTerms, parse_variable};
use crate::model::parameter::{Parameter, Range};
use crate::search::settings::Settings;
use clap::{Parser, ValueEnum};
use std::time::Duration;

/// The smallest and the largest load, where nobody says otherwise.
const USUAL_RANGE: (&str, &str) = ("1", "500");
/// The pause between probes, in seconds.
const USUAL_PAUSE: Duration = Duration::from_secs(2);
/// A number of percent from here on is no share.
const LEAST_PERCENT: f64 = 50.0;

/// What is searched.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Load")]
pub struct LoadArgs {
    /// What has to hold, as in `p99_ms < 50`; the smallest load that breaks it is searched (default: exit code 0)
    #[arg(long = "while", value_name = "CONDITION")]
    condition: Option<String>,
    /// The smallest load (default: 1)
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    param_min: Option<String>,
    /// The largest load (default: 500)
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    param_max: Option<String>,
    /// How far loads lie apart (default: 1)
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    step: Option<String>,
    /// When even the largest load passes, go on up to this one
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    beyond_max: Option<String>,
    /// Whether distances between loads are ratios or differences
    #[arg(long, value_name = "SCALE", value_enum, default_value_t = Scale::Log)]
    scale: Scale,
    /// The variable that holds the load, besides `PERF_PARAM_VALUE`
    #[arg(long, value_name = "NAME", value_parser = parse_variable)]
    param_env: Option<String>,
    /// Compare with the values of this stored baseline
    #[arg(long, value_name = "VERSION", conflicts_with = "baseline_at")]
    baseline: Option<String>,
    /// Compare with what is measured first, at this load
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    baseline_at: Option<String>,
    /// One more exit code by which the benchmark says that it could not run, besides 75 (repeatable)
    #[arg(long, value_name = "CODE", value_parser = clap::value_parser!(i32).range(1..=255))]
    infra_exit: Vec<i32>,
    /// Judge times although the benchmark waits for each answer before it asks again
    #[arg(long)]
    accept_closed: bool,
    #[command(flatten)]
    certainty: CertaintyArgs,
}

/// How certain the answer is to be, and what that may take.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Certainty")]
struct CertaintyArgs {
    /// How far from the answer the ends of its interval may lie: 0.05, 5%, or 0 for the exact load
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = parse_tolerance)]
    tolerance: f64,
    /// How likely the interval is to hold the smallest failing load: 0.95 or 95%
    #[arg(long, value_name = "SHARE", default_value = "95%", value_parser = parse_certainty)]
    confidence: f64,
    /// Probes after which the search ends
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u16).range(4..=1000))]
    max_probes: u16,
    /// End the search while all probes take no longer than this
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    max_time: Option<Duration>,
    /// The factor from one load to the next on the way up, until something fails
    #[arg(long, value_name = "FACTOR", default_value = "4", value_parser = parse_ramp)]
    ramp: f64,
    /// How many loads below the answer are tried though nobody expects them to fail: off or a number
    #[arg(long, value_name = "N", default_value = "3", value_parser = parse_audit)]
    audit: usize,
    /// Seconds between probes, in which what was asked last is done (default: 2)
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pause: Option<Duration>,
}

/// How far loads lie apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scale {
    /// A ratio.
    Log,
    /// A difference.
    Linear,
}

/// What is searched, checked.
#[derive(Debug)]
pub struct Load {
    /// The loads.
    pub parameter: Parameter,
    /// What has to hold; without it the exit code decides.
    pub condition: Option<Condition>,
    /// How certain the answer is to be.
    pub settings: Settings,
    /// The variable that holds the load.
    pub variable: Option<String>,
    /// With what the condition compares.
    pub compared: Compared,
    /// More exit codes by which a benchmark says that it could not run.
    pub infra_exits: Vec<i32>,
    /// Whether times of a closed loop are judged.
    pub accept_closed: bool,
    /// What all probes together may take.
    pub most_time: Option<Duration>,
    /// The pause that was asked for.
    pause: Option<Duration>,
}

impl Compared {
    /// Where its values come from, in words.
    pub fn origin(&self) -> String {
        match self {
            Self::Usual => String::new(),
            Self::Stored(version) => format!("version {version}"),
            Self::At(load) => format!("load {load}"),
        }
    }
}

/// With what a condition compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compared {
    /// With nothing, or with the baseline of the investigation.
    Usual,
    /// With a stored baseline.
    Stored(String),
    /// With what is measured first, at the load of this number.
    At(u64),
}

/// Flags are read as they are where none is given, so that what is usual is said once.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_flag = true, disable_version_flag = true)]
struct Given {
    #[command(flatten)]
    load: LoadArgs,
}

impl LoadArgs {
    /// The flags where none is given.
    ///
    /// # Errors
    /// `Bug` when that is not understood.
    pub fn usual() -> Result<Self, Failure> {
        let none: [&str; 0] = [];
        let given = Given::try_parse_from(none);
        given.map(|given| given.load).map_err(|error| Failure::new(FailureKind::Bug, error.to_string()))
    }

    /// The flags, with `declared` where nothing was given.
    ///
    /// # Errors
    /// `Usage`, naming the flag; for a condition also the column.
    pub fn checked(&self, declared: &LoadTerms) -> Result<Load, Failure> {
        let own = LoadTerms {
            condition: self.condition.clone(),
            env: self.param_env.clone(),
            min: self.param_min.clone(),
            max: self.param_max.clone(),
            step: self.step.clone(),
        };
        let terms = own.or(declared);
        let range = Range {
            min: terms.min.as_deref().unwrap_or(USUAL_RANGE.0),
            max: terms.max.as_deref().unwrap_or(USUAL_RANGE.1),
            beyond: self.beyond_max.as_deref(),
            step: terms.step.as_deref(),
            linear: self.scale == Scale::Linear,
        };
        let parameter = Parameter::new(&range)?;
        let condition = terms.condition.as_deref().map(Condition::parse).transpose()?;
        let compared = self.compared(&parameter, condition.as_ref())?;
        let certainty = &self.certainty;
        let settings = Settings {
            min: parameter.min,
            max: parameter.max,
            beyond: parameter.beyond,
            linear: range.linear,
            tolerance: certainty.tolerance,
            confidence: certainty.confidence,
            ramp: certainty.ramp,
            sentinels: certainty.audit,
            most_probes: usize::from(certainty.max_probes),
            // Whether something is measured against a limit, or only passes and fails.
            values: condition.as_ref().is_some_and(|condition| !condition.names().is_empty()),
        };
        Ok(Load {
            parameter,
            condition,
            settings,
            variable: terms.env,
            compared,
            infra_exits: self.infra_exit.clone(),
            accept_closed: self.accept_closed,
            most_time: certainty.max_time,
            pause: certainty.pause,
        })
    }

    fn compared(&self, parameter: &Parameter, condition: Option<&Condition>) -> Result<Compared, Failure> {
        let compared = match (&self.baseline, &self.baseline_at) {
            (Some(version), _) => Compared::Stored(version.clone()),
            (None, Some(value)) => Compared::At(parameter.number_of("--baseline-at", value)?),
            (None, None) => Compared::Usual,
        };
        let uses = condition.is_some_and(Condition::uses_baseline);
        if compared != Compared::Usual && !uses {
            return Err(Failure::usage("the condition compares with no baseline")
                .hint("say so in it, as in --while 'p99_ms < 2 * baseline', or leave --baseline away"));
        }
        Ok(compared)
    }
}

impl Load {
    /// The pause between probes that measure for `measured`: short probes have short ones.
    pub fn pause(&self, measured: Duration) -> Duration {
        self.pause.unwrap_or_else(|| USUAL_PAUSE.min(measured / 15))
    }
}

/// A share, as 0.05 or 5%.
fn share(text: &str) -> Option<f64> {
    let (number, scale) = match text.strip_suffix('%') {
        Some(percent) => (percent.trim_end(), 100.0),
        None => (text, 1.0),
    };
    let plain = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || c == '.');
    number.parse::<f64>().ok().filter(|_| plain).map(|number| number / scale)
}

fn parse_tolerance(text: &str) -> Result<f64, String> {
    let expected =
        || "expected 0 for the exact load, or a share from 0.001 to 0.5, as in 0.05 or 5%".to_owned();
    let fits = |share: &f64| *share == 0.0 || (0.001..=0.5).contains(share);
    share(text).filter(fits).ok_or_else(expected)
}

fn parse_certainty(text: &str) -> Result<f64, String> {
    let expected = || "expected a share from 0.5 to 0.999, as in 0.95 or 95%".to_owned();
    // Other commands take percent, and nobody means fifty times certain.
    let meant = share(text).map(|share| if share >= LEAST_PERCENT { share / 100.0 } else { share });
    meant.filter(|share| (0.5..=0.999).contains(share)).ok_or_else(expected)
}

fn parse_ramp(text: &str) -> Result<f64, String> {
    let factor = text.parse::<f64>().ok().filter(|factor| (1.1..=1000.0).contains(factor));
    factor.ok_or_else(|| "expected a factor from 1.1 to 1000".to_owned())
}

fn parse_audit(text: &str) -> Result<usize, String> {
    if text == "off" {
        return Ok(0);
    }
    let number = text.parse::<usize>().ok().filter(|number| (1..=100).contains(number));
    number.ok_or_else(|| "expected off, or a number from 1 to 100".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(words: &[&str], declared: &LoadTerms) -> Result<Load, Failure> {
        Given::try_parse_from(words).expect("flags").load.checked(declared)
    }

    #[test]
    fn what_is_not_given_is_what_was_declared_or_usual() {
        let load = checked(&[], &LoadTerms::default()).expect("usual");
        assert_eq!(load.settings, Settings::default());
        let declared = LoadTerms {
            condition: Some("p99_ms < 50".into()),
            env: Some("RATE".into()),
            min: Some("10".into()),
            max: Some("900".into()),
            step: None,
        };
        let load =
            checked(&["--param-max=800", "--audit=off", "--tolerance=0", "--confidence=98"], &declared)
                .expect("declared");
        let Settings { min, max, sentinels, tolerance, confidence, values, .. } = load.settings;
        assert_eq!((min, max, sentinels, tolerance, confidence, values), (10, 800, 0, 0.0, 0.98, true));
        assert_eq!(load.variable.as_deref(), Some("RATE"));
    }

    #[test]
    fn shares_are_shares_or_percent() {
        for (text, share) in [("0.05", 0.05), ("5%", 0.05), ("5 %", 0.05), ("0", 0.0)] {
            assert_eq!(parse_tolerance(text), Ok(share), "{text}");
        }
        for text in ["5", "-1", "0.9", "x", "", "1e-2", "nan"] {
            assert!(parse_tolerance(text).is_err(), "{text}");
        }
        for text in ["0.95", "95%", "95"] {
            assert_eq!(parse_certainty(text), Ok(0.95), "{text}");
        }
        for text in ["1", "100", "0.2", "5%"] {
            assert!(parse_certainty(text).is_err(), "{text}");
        }
        assert!(parse_ramp("1").is_err() && parse_ramp("inf").is_err() && parse_audit("0").is_err());
    }

    #[test]
    fn a_baseline_is_for_conditions_that_compare_with_one() {
        let none = LoadTerms::default();
        let failure = checked(&["--while=p99_ms < 5", "--baseline=v1"], &none).expect_err("needless");
        assert!(failure.message.contains("no baseline"), "{failure}");
        let load = checked(&["--while=p99_ms < 2 * baseline", "--baseline-at=20"], &none).expect("compares");
        assert_eq!(load.compared, Compared::At(20));
        let failure = checked(&["--while=p99_ms < 2 * baseline", "--baseline-at=900"], &none);
        assert!(failure.expect_err("outside").message.contains("--baseline-at 900"));
        assert_eq!(checked(&["--while=p99_ms <"], &none).expect_err("unread").kind, FailureKind::Usage);
    }
}
