//! Raw samples and how they are coded in files.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a harness spreads iterations over samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sampling {
    /// Sample `i` runs `i` times a base number of iterations.
    Linear,
    /// All samples run the same number of iterations.
    Flat,
}

/// The raw samples of one fork: sample `i` ran `iterations[i]` times in `totals[i]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// Iterations of each sample.
    pub iterations: Vec<u64>,
    /// Total of each sample, in the unit of the bench (nanoseconds unless it says otherwise).
    pub totals: Vec<f64>,
}

impl Samples {
    /// The value per iteration of each sample.
    pub fn per_iteration(&self) -> Vec<f64> {
        self.iterations.iter().zip(&self.totals).map(|(count, total)| total / *count as f64).collect()
    }

    /// The sum over all samples.
    pub fn sum(&self) -> f64 {
        self.totals.iter().sum()
    }

    /// Iterations over all samples.
    pub fn iteration_count(&self) -> u64 {
        self.iterations.iter().sum()
    }
}

/// Samples as they stand in a file: whole numbers as differences, which are short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CodedSamples {
    /// Iterations: the first number, then the difference of each to the one before it.
    pub iterations_delta: Vec<i64>,
    /// Totals that are all whole numbers: the first, then differences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totals_delta: Option<Vec<i64>>,
    /// Totals otherwise, as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totals: Option<Vec<f64>>,
}

/// Beyond this a float no longer holds every whole number.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl From<&Samples> for CodedSamples {
    fn from(samples: &Samples) -> Self {
        let whole = samples.totals.iter().all(|total| total.fract() == 0.0 && total.abs() < EXACT);
        let iterations: Vec<i64> = samples.iterations.iter().map(|count| count.cast_signed()).collect();
        // Checked above: every total is a whole number that an i64 holds.
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        let totals: Option<Vec<i64>> =
            whole.then(|| deltas(&samples.totals.iter().map(|total| *total as i64).collect::<Vec<_>>()));
        Self {
            iterations_delta: deltas(&iterations),
            totals: totals.is_none().then(|| samples.totals.clone()),
            totals_delta: totals,
        }
    }
}

impl CodedSamples {
    /// The samples, or what is wrong with the coding.
    pub fn decode(&self) -> Result<Samples, String> {
        let iterations: Vec<u64> =
            undeltas(&self.iterations_delta).iter().map(|n| n.cast_unsigned()).collect();
        let totals = match (&self.totals_delta, &self.totals) {
            (Some(delta), None) => undeltas(delta).iter().map(|total| *total as f64).collect(),
            (None, Some(plain)) => plain.clone(),
            _ => return Err("samples hold either totals_delta or totals".to_owned()),
        };
        if iterations.len() != totals.len() {
            return Err(format!("{} iteration counts, but {} totals", iterations.len(), totals.len()));
        }
        Ok(Samples { iterations, totals })
    }
}

fn deltas(values: &[i64]) -> Vec<i64> {
    let mut before = 0_i64;
    let step = |value: &i64| value.wrapping_sub(std::mem::replace(&mut before, *value));
    values.iter().map(step).collect()
}

fn undeltas(deltas: &[i64]) -> Vec<i64> {
    let mut sum = 0_i64;
    let step = |delta: &i64| {
        sum = sum.wrapping_add(*delta);
        sum
    };
    deltas.iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(samples: &Samples) -> Samples {
        let text = serde_json::to_string(&CodedSamples::from(samples)).expect("serialised");
        serde_json::from_str::<CodedSamples>(&text).expect("parsed").decode().expect("decoded")
    }

    proptest! {
        #[test]
        fn whole_samples_survive_coding(pairs in prop::collection::vec((1..u64::MAX / 4, 0..1_u64 << 53), 0..50)) {
            let samples = Samples {
                iterations: pairs.iter().map(|(count, _)| *count).collect(),
                totals: pairs.iter().map(|(_, total)| *total as f64).collect(),
            };
            prop_assert_eq!(round_trip(&samples), samples);
        }

        #[test]
        fn fractions_survive_coding(totals in prop::collection::vec(-1e12..1e12_f64, 0..50)) {
            let samples = Samples { iterations: vec![1; totals.len()], totals };
            prop_assert_eq!(round_trip(&samples), samples);
        }
    }

    #[test]
    fn a_truncated_series_is_not_read() {
        let coded = CodedSamples { iterations_delta: vec![1, 0], totals_delta: Some(vec![5]), totals: None };
        assert!(coded.decode().is_err());
    }
}
