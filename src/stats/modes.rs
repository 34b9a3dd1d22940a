//! Benchmarks that take one of two times, for instance by where their memory happens to lie.

use super::summary::median;
use crate::model::verdict::Modes;

/// Fewer values do not show two modes.
const FEWEST: usize = 20;
/// Each mode has at least this share of the values.
const LEAST_SHARE: f64 = 0.1;
/// The modes lie this many times their own spread apart. The halves of one normal mode lie 2.6 apart, those
/// of a uniform one 3.5.
const APART: f64 = 8.0;

/// The two modes of positive `values`, when they lie at least `least` apart, as a share of the lower one.
///
/// The split is the one that leaves the least spread inside the parts.
pub fn modes(values: &[f64], least: f64) -> Option<Modes> {
    if values.len() < FEWEST {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (split, inside) = best_split(&sorted)?;
    let (below, above) = sorted.split_at(split);
    let (lower, upper) = (median(below)?, median(above)?);
    let apart = upper - lower;
    (apart >= APART * inside && apart >= least * lower).then_some(Modes {
        lower,
        upper,
        upper_share: above.len() as f64 / sorted.len() as f64,
    })
}

/// Where to split, and the standard deviation inside the two parts.
fn best_split(sorted: &[f64]) -> Option<(usize, f64)> {
    let n = sorted.len();
    // Sums of distances from the middle: those of large numbers would lose the small differences.
    let middle = sorted[n / 2];
    let mut sums = Vec::with_capacity(n + 1);
    sums.push((0.0, 0.0));
    let (mut sum, mut squares) = (0.0, 0.0);
    for value in sorted {
        let distance = value - middle;
        sum += distance;
        squares += distance * distance;
        sums.push((sum, squares));
    }
    let scatter = |from: usize, to: usize| {
        let (sum, squares) = (sums[to].0 - sums[from].0, sums[to].1 - sums[from].1);
        (squares - sum * sum / (to - from) as f64).max(0.0)
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of the length")]
    let fewest = ((n as f64 * LEAST_SHARE).ceil() as usize).max(2);
    (fewest..=n - fewest)
        .map(|split| (split, scatter(0, split) + scatter(split, n)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(split, inside)| (split, (inside / n as f64).sqrt()))
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "a share is a quotient of two counts")]
mod tests {
    use super::*;

    fn uniform(state: &mut u64) -> f64 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The sum of twelve uniform values is close to a normal one.
    fn normal(state: &mut u64) -> f64 {
        (0..12).map(|_| uniform(state)).sum::<f64>() - 6.0
    }

    #[test]
    fn two_layouts_of_memory_are_two_modes() {
        let mut state = 3;
        let values: Vec<f64> = (0..100)
            .map(|index| if index % 3 == 0 { 105.0 } else { 100.0 } + 0.3 * normal(&mut state))
            .collect();
        let found = modes(&values, 0.005).expect("two modes");
        assert!((found.lower - 100.0).abs() < 0.3 && (found.upper - 105.0).abs() < 0.3, "{found:?}");
        assert_eq!(found.upper_share, 0.34);
        assert_eq!(modes(&values, 0.06), None);
        assert_eq!(modes(&values[..FEWEST - 1], 0.005), None);
    }

    #[test]
    fn one_mode_is_never_two() {
        let mut state = 5;
        for _ in 0..500 {
            let around: Vec<f64> = (0..40).map(|_| 100.0 + normal(&mut state)).collect();
            let level: Vec<f64> = (0..40).map(|_| 100.0 + 5.0 * uniform(&mut state)).collect();
            assert_eq!(modes(&around, 0.005), None);
            assert_eq!(modes(&level, 0.005), None);
        }
        assert_eq!(modes(&[1.0; 50], 0.005), None);
    }

    #[test]
    fn single_values_far_out_are_no_mode() {
        let mut state = 9;
        let mut values: Vec<f64> = (0..50).map(|_| 100.0 + 0.1 * normal(&mut state)).collect();
        values[7] = 150.0;
        values[31] = 160.0;
        assert_eq!(modes(&values, 0.005), None);
    }
}
