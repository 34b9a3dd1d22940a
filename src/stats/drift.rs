//! An effect that changes while it is measured is not one number.

use super::paired::PairedEffect;

/// The error of the interval of each half: two of them lie apart by chance in less than one of a thousand
/// series, since both have to miss in opposite directions.
const ERROR: f64 = 0.01;

/// The effect in the two halves of a series, as log ratios.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    /// In the first half.
    pub first: f64,
    /// In the second half.
    pub second: f64,
}

/// How the effect moved over `log_ratios`, which are in the order of measuring: `Some` when the intervals of
/// both halves lie apart, and their estimates at least `least`.
pub fn drift(log_ratios: &[f64], least: f64) -> Option<Drift> {
    let (early, late) = log_ratios.split_at(log_ratios.len() / 2);
    let (early, late) = (PairedEffect::of(early)?, PairedEffect::of(late)?);
    let (a, b) = (early.interval(ERROR)?, late.interval(ERROR)?);
    let apart = a.high < b.low || b.high < a.low;
    let far = (early.estimate - late.estimate).abs() >= least;
    (apart && far).then_some(Drift { first: early.estimate, second: late.estimate })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small generator, so that the simulation is the same on every machine.
    fn uniform(state: &mut u64) -> f64 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 11) as f64 / (1_u64 << 53) as f64
    }

    #[test]
    fn an_effect_that_grows_is_a_drift_and_a_level_one_is_none() {
        let mut state = 1;
        let mut series = |second: f64| -> Vec<f64> {
            let noise = |state: &mut u64| 0.01 * (uniform(state) - 0.5);
            (0..60).map(|index| if index < 30 { 0.0 } else { second } + noise(&mut state)).collect()
        };
        let found = drift(&series(0.03), 0.005).expect("a drift");
        assert!(found.first.abs() < 0.003 && (found.second - 0.03).abs() < 0.003, "{found:?}");
        assert_eq!(drift(&series(0.003), 0.005), None);
        assert_eq!(drift(&[0.0; 15], 0.005), None);
    }

    #[test]
    fn chance_looks_like_a_drift_in_less_than_one_of_a_thousand_series() {
        let mut state = 2;
        let found = (0..4000).filter(|_| {
            let series: Vec<f64> = (0..40).map(|_| uniform(&mut state)).collect();
            drift(&series, 0.0).is_some()
        });
        assert!(found.count() <= 6);
    }
}
