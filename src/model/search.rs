//! The words of a search for the load at which something breaks.

use super::metric::MetricValues;
use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Number, Value};

/// Why a load is probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// The smallest load must pass.
    Floor,
    /// On the way up from it, until something fails.
    Ramp,
    /// The largest load passed, and once is not enough.
    Top,
    /// To learn where it breaks.
    Narrow,
    /// The end of the interval that must pass.
    Low,
    /// The end of the interval that must fail.
    High,
    /// What was seen here contradicts everything else.
    Again,
    /// A look where nothing was probed, in case it fails there too, or passes again.
    Sentinel,
    /// A full minute at the safe load.
    Finish,
    /// The first load once more, in case the machine has changed.
    Drift,
}

impl Purpose {
    /// In a word, as in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Ramp => "ramp",
            Self::Top => "top",
            Self::Narrow => "narrow",
            Self::Low => "low",
            Self::High => "high",
            Self::Again => "again",
            Self::Sentinel => "sentinel",
            Self::Finish => "finish",
            Self::Drift => "drift",
        }
    }
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SearchStatus {
    /// The smallest failing load is known as well as was asked for.
    Found,
    /// It is not, and the probes or the time are used up.
    Budget,
    /// Already the smallest load fails.
    MinFails,
    /// Even the largest load passes.
    MaxPasses,
    /// Larger loads pass where smaller ones fail.
    NonMonotone,
    /// What generates the load cannot generate more.
    GeneratorLimited,
    /// The machine is not what it was at the beginning.
    Drifted,
    /// A probe could not be made.
    InfraError,
}

impl SearchStatus {
    /// In a word, as in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Budget => "budget",
            Self::MinFails => "min_fails",
            Self::MaxPasses => "max_passes",
            Self::NonMonotone => "non_monotone",
            Self::GeneratorLimited => "generator_limited",
            Self::Drifted => "drifted",
            Self::InfraError => "infra_error",
        }
    }
}

impl BreakingPoint {
    /// Whether it says where it breaks, or up to where it does not: then the phase is done.
    pub fn is_answer(&self) -> bool {
        match self.status {
            SearchStatus::Found | SearchStatus::MaxPasses | SearchStatus::NonMonotone => true,
            SearchStatus::Budget => self.interval.is_some(),
            _ => false,
        }
    }
}

/// What came of a probe. Only the first two say anything of the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProbeOutcome {
    /// What must hold did.
    Pass,
    /// It did not.
    Fail,
    /// The probe could not be made, and the load is not to blame.
    InfraError,
    /// The load was not generated as it was asked for.
    GeneratorLimited,
    /// It was ended from outside.
    Interrupted,
}

impl ProbeOutcome {
    /// In a word, as in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::InfraError => "infra_error",
            Self::GeneratorLimited => "generator_limited",
            Self::Interrupted => "interrupted",
        }
    }
}

/// One probe, as it is kept: an entry of `breakingPointHistory`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProbeRecord {
    /// The load, as the benchmark was told it.
    pub value: Number,
    /// Whether what must hold did; null when the probe says nothing of that.
    pub ok: Option<bool>,
    /// What the benchmark printed.
    pub metrics: MetricValues,
    /// Seconds of the probe.
    pub duration: f64,
    /// Why it is what it is.
    pub reason: String,
    /// Which attempt at this probe it was, from 1.
    pub attempt: u32,
    /// Whether the search goes by it; an attempt that is made once more does not count.
    pub counts: bool,
    /// The number of the load in the search.
    pub load: u64,
    /// Why it was probed.
    pub purpose: Purpose,
    /// What came of it.
    pub outcome: ProbeOutcome,
    /// How far the value that decides was beyond its limit, as the natural logarithm of their ratio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excess: Option<f64>,
    /// When it ended, RFC 3339.
    pub ended_at: String,
}

/// What a search found: `breakingPoint` of an investigation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BreakingPoint {
    /// How the search ended.
    pub status: SearchStatus,
    /// Why, where the status alone does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What had to hold; without it the exit code decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// The smallest failing load, as likely too large as too small.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smallest_failing: Option<Number>,
    /// Where it lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<LoadInterval>,
    /// The largest load below the interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safe: Option<Number>,
    /// The largest load of which most probes passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passes: Option<Number>,
    /// A load that passes although smaller ones fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovers: Option<Number>,
    /// How likely the interval was to hold the smallest failing load, if probes behave as the model has it.
    pub confidence: f64,
    /// The standard deviation of a value that is measured again, as a share of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<f64>,
    /// How far the limit itself is known, as the standard deviation of its logarithm, when it comes from a baseline
    /// that was measured more than once; the interval is wider by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline_noise: Option<f64>,
    /// How many probes it takes in all, where the interval is not as narrow as it was to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<u64>,
}

/// Loads between which another one lies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadInterval {
    /// The smallest that it may be.
    pub low: Number,
    /// The largest that it may be.
    pub high: Number,
    /// Whether it may be larger than every load of the search.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
}

/// What the state holds of a breaking point; other programs have forms of their own.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum AnyBreakingPoint {
    /// One of ours.
    Ours(Box<BreakingPoint>),
    /// Anything else, as a plain number.
    Other(Value),
}

/// What says how a search ended is one of ours, and then it has to be whole.
impl<'de> Deserialize<'de> for AnyBreakingPoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value.get("status").is_none() {
            return Ok(Self::Other(value));
        }
        BreakingPoint::deserialize(value).map(|found| Self::Ours(Box::new(found))).map_err(D::Error::custom)
    }
}

impl AnyBreakingPoint {
    /// It, when it is one of ours.
    pub fn ours(&self) -> Option<&BreakingPoint> {
        match self {
            Self::Ours(found) => Some(found),
            Self::Other(_) => None,
        }
    }
}

/// What the state holds of a probe; other programs have forms of their own.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum AnyProbe {
    /// One of ours.
    Ours(Box<ProbeRecord>),
    /// Anything else.
    Other(Value),
}

/// What says which of five things came of it is one of ours, and then it has to be whole.
impl<'de> Deserialize<'de> for AnyProbe {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value.get("outcome").is_none() {
            return Ok(Self::Other(value));
        }
        ProbeRecord::deserialize(value).map(|probe| Self::Ours(Box::new(probe))).map_err(D::Error::custom)
    }
}

impl AnyProbe {
    /// It, when it is one of ours.
    pub fn ours(&self) -> Option<&ProbeRecord> {
        match self {
            Self::Ours(probe) => Some(probe),
            Self::Other(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn t3_what_other_programs_stored_stays_as_it_is() {
        for foreign in [json!(120), json!({"value": 120}), json!("about 120")] {
            let read: AnyBreakingPoint = serde_json::from_value(foreign.clone()).expect("read");
            assert_eq!((read.ours(), serde_json::to_value(&read).expect("coded")), (None, foreign));
        }
        let foreign = json!({"value": 5, "ok": true});
        let read: AnyProbe = serde_json::from_value(foreign.clone()).expect("read");
        assert_eq!(serde_json::to_value(&read).expect("coded"), foreign);
    }

    #[test]
    fn one_of_ours_that_was_damaged_is_not_taken_for_a_foreign_one() {
        assert!(serde_json::from_value::<AnyBreakingPoint>(json!({"status": "lost"})).is_err());
        assert!(serde_json::from_value::<AnyProbe>(json!({"outcome": "pass"})).is_err());
    }
}
