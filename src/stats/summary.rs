//! Order statistics and the agreement of a series with itself.

use crate::model::metric::Aggregate;

/// The `q`-quantile (0..=1) of `values`, linear between order statistics; `None` when there are none.
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    quantile_of_sorted(&sorted, q)
}

fn quantile_of_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = q.clamp(0.0, 1.0) * last as f64;
    // The position is within the slice: q is clamped.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 <= position <= last")]
    let below = position as usize;
    let above = (below + 1).min(last);
    let weight = position - below as f64;
    Some(sorted[below] * (1.0 - weight) + sorted[above] * weight)
}

/// The median.
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// What one process says: smallest, 5th percentile and median of its values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Smallest value.
    pub min: f64,
    /// 5th percentile.
    pub p5: f64,
    /// Median.
    pub median: f64,
}

/// Summarises the values of one process; `None` when there are none.
pub fn summarise(values: &[f64]) -> Option<Summary> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = |q| quantile_of_sorted(&sorted, q);
    Some(Summary { min: at(0.0)?, p5: at(0.05)?, median: at(0.5)? })
}

/// How forks are put together into one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Combine {
    /// 10th percentile over forks, for the low end.
    LowEnd,
    /// Median over forks.
    Median,
}

impl Combine {
    /// The value of a series with one number per fork.
    pub fn value(self, forks: &[f64]) -> Option<f64> {
        match self {
            Self::LowEnd => quantile(forks, 0.1),
            Self::Median => median(forks),
        }
    }
}

/// How far a series disagrees with itself: the larger of |ln ratio| between even and odd forks and
/// between first and second half. `None` for fewer than four forks or values that are not positive.
pub fn deviation(forks: &[f64], combine: Combine) -> Option<f64> {
    if forks.len() < 4 || forks.iter().any(|value| *value <= 0.0) {
        return None;
    }
    let every_second = |from: usize| forks.iter().skip(from).step_by(2).copied().collect::<Vec<_>>();
    let (first, second) = forks.split_at(forks.len() / 2);
    let distance = |a: &[f64], b: &[f64]| Some((combine.value(a)? / combine.value(b)?).ln().abs());
    Some(distance(&every_second(0), &every_second(1))?.max(distance(first, second)?))
}

/// The runs of a program as one value.
pub fn aggregate(values: &[f64], how: Aggregate) -> Option<f64> {
    match how {
        Aggregate::Median => median(values),
        Aggregate::Mean if values.is_empty() => None,
        Aggregate::Mean => Some(values.iter().sum::<f64>() / values.len() as f64),
        Aggregate::Min => quantile(values, 0.0),
        Aggregate::Max => quantile(values, 1.0),
    }
}

/// The largest distance of a value from the median, as a share of the median. `None` for a single value,
/// and where the median is zero while others are not.
pub fn largest_distance(values: &[f64]) -> Option<f64> {
    let middle = median(values).filter(|_| values.len() > 1)?;
    let largest = values.iter().map(|value| (value - middle).abs()).fold(0.0, f64::max);
    if largest == 0.0 {
        return Some(0.0);
    }
    (middle != 0.0).then(|| largest / middle.abs())
}

/// The places of values that lie more than `limit` robust standard deviations from the median: 1.4826
/// times the median absolute deviation, which for normal values is their standard deviation. None when
/// half of the values are equal, since then every other one would be; and none that is nearer to the
/// median than `least`, as a share of it, since among values that agree in four digits the tenth of a
/// percent is many deviations.
pub fn far_out(values: &[f64], limit: f64, least: f64) -> Vec<usize> {
    let Some(middle) = median(values) else { return Vec::new() };
    let distances: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    let spread = median(&distances).unwrap_or_default() * 1.4826;
    if spread <= 0.0 {
        return Vec::new();
    }
    let far = (limit * spread).max(least * middle.abs());
    (0..values.len()).filter(|index| distances[*index] > far).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantiles_lie_between_order_statistics() {
        assert_eq!(quantile(&[3.0, 1.0, 2.0], 0.5), Some(2.0));
        assert_eq!(quantile(&[1.0, 2.0], 0.25), Some(1.25));
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(median(&[100.0, 400.0, 200.0, 300.0]), Some(250.0));
    }

    #[test]
    fn a_drift_and_an_alternation_are_both_deviations() {
        let drift = [1.0, 1.0, 1.0, 1.1, 1.1, 1.1];
        let alternation = [1.0, 1.1, 1.0, 1.1, 1.0, 1.1];
        for series in [drift, alternation] {
            let found = deviation(&series, Combine::Median).expect("enough forks");
            assert!((found - 1.1_f64.ln()).abs() < 1e-12, "{found}");
        }
        assert_eq!(deviation(&[1.0, 1.0, 1.0], Combine::Median), None);
    }

    #[test]
    fn runs_become_one_value_in_four_ways() {
        let values = [100.0, 400.0, 200.0, 300.0];
        let ways = [Aggregate::Median, Aggregate::Mean, Aggregate::Min, Aggregate::Max];
        assert_eq!(ways.map(|how| aggregate(&values, how)), [250.0, 250.0, 100.0, 400.0].map(Some));
        assert_eq!(ways.map(|how| aggregate(&[], how)), [None; 4]);
        assert_eq!(largest_distance(&[10.0, 12.0, 11.0]), Some(1.0 / 11.0));
        assert_eq!(largest_distance(&[0.0, 0.0, 0.0]), Some(0.0));
        assert_eq!((largest_distance(&[5.0]), largest_distance(&[0.0, 0.0, 1.0])), (None, None));
    }

    #[test]
    fn one_value_far_from_the_others_is_found() {
        let far = |values: &[f64]| far_out(values, 10.0, 0.01);
        assert_eq!(far(&[1.0, 1.1, 0.9, 5.0, 1.05]), [3]);
        assert_eq!(far(&[1.0, 1.1, 0.9, 1.2, 1.05]), [0; 0]);
        assert_eq!(far(&[1.0, 1.0, 1.0, 5.0]), [0; 0]);
        assert_eq!(far(&[]), [0; 0]);
    }

    #[test]
    fn a_value_far_out_matters_only_when_the_distance_does() {
        let close = [1.0, 1.0001, 0.9999, 1.00005, 0.99995];
        let with = |last| close.into_iter().chain([last]).collect::<Vec<_>>();
        assert_eq!(far_out(&with(1.005), 10.0, 0.01), [0; 0]);
        assert_eq!(far_out(&with(1.02), 10.0, 0.01), [5]);
        assert_eq!(far_out(&with(0.98), 10.0, 0.01), [5]);
    }

    proptest! {
        #[test]
        fn a_summary_is_ordered_and_within_its_values(values in prop::collection::vec(1e-3..1e12_f64, 1..200)) {
            let summary = summarise(&values).expect("values");
            let smallest = values.iter().copied().fold(f64::INFINITY, f64::min);
            let largest = values.iter().copied().fold(0.0, f64::max);
            prop_assert!((summary.min - smallest).abs() < 1e-9);
            prop_assert!(summary.min <= summary.p5 && summary.p5 <= summary.median && summary.median <= largest);
        }

        #[test]
        fn scale_does_not_change_a_deviation(values in prop::collection::vec(1.0..2.0_f64, 4..40), scale in 1e-3..1e6_f64) {
            let scaled: Vec<f64> = values.iter().map(|value| value * scale).collect();
            let (a, b) = (deviation(&values, Combine::LowEnd), deviation(&scaled, Combine::LowEnd));
            prop_assert!((a.expect("positive") - b.expect("positive")).abs() < 1e-9);
        }
    }
}
