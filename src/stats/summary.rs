//! Order statistics and the agreement of a series with itself.

/// The `q`-quantile (0..=1) of `values`, linear between order statistics; `None` when there are none.
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
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
    Some(Summary { min: quantile(values, 0.0)?, p5: quantile(values, 0.05)?, median: median(values)? })
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
