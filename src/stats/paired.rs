//! The effect between two sides that were measured in pairs: a robust average of log ratios with an
//! interval that comes from the same statistic, the signed ranks of Wilcoxon.

/// An estimate with its interval, as natural logarithms of the ratio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedEffect {
    /// Hodges–Lehmann estimate: the median of all pairwise averages.
    pub estimate: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// The fewest pairs whose signed ranks can reach a two-sided 1 %.
pub const FEWEST_PAIRS: usize = 8;

/// The 99 % standard normal quantile, two-sided.
const Z99: f64 = 2.575_829_303_548_901;

/// The effect of `log_ratios` with a 99 % interval, by the normal approximation of the rank sum.
///
/// `None` below [`FEWEST_PAIRS`] pairs, where no interval of that level exists.
pub fn paired_effect(log_ratios: &[f64]) -> Option<PairedEffect> {
    let n = log_ratios.len();
    if n < FEWEST_PAIRS {
        return None;
    }
    let mut averages = Vec::with_capacity(n * (n + 1) / 2);
    for (index, first) in log_ratios.iter().enumerate() {
        averages.extend(log_ratios[index..].iter().map(|second| f64::midpoint(*first, *second)));
    }
    averages.sort_unstable_by(f64::total_cmp);
    let pairs = n as f64;
    let centre = averages.len() as f64 / 2.0;
    let spread = (pairs * (pairs + 1.0) * (2.0 * pairs + 1.0) / 24.0).sqrt();
    // Rounded outwards: an interval may be too wide, never too narrow.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to zero first")]
    let cut = (centre - Z99 * spread - 0.5).floor().max(0.0) as usize;
    let middle = averages.len() / 2;
    let estimate = if averages.len() % 2 == 1 {
        averages[middle]
    } else {
        f64::midpoint(averages[middle - 1], averages[middle])
    };
    Some(PairedEffect { estimate, low: averages[cut], high: averages[averages.len() - 1 - cut] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A small generator, so that the simulation is the same on every machine.
    fn uniform(state: &mut u64) -> f64 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 11) as f64 / (1_u64 << 53) as f64
    }

    #[test]
    fn too_few_pairs_have_no_interval() {
        assert_eq!(paired_effect(&[0.1; FEWEST_PAIRS - 1]), None);
        assert!(paired_effect(&[0.1; FEWEST_PAIRS]).is_some());
    }

    #[test]
    fn the_interval_misses_the_truth_in_about_one_of_a_hundred_series() {
        let mut state = 1;
        let missed = (0..2000)
            .filter(|_| {
                let series: Vec<f64> =
                    (0..30).map(|_| uniform(&mut state) + uniform(&mut state) - 1.0).collect();
                let effect = paired_effect(&series).expect("enough pairs");
                effect.low > 0.0 || effect.high < 0.0
            })
            .count();
        assert!((4..=36).contains(&missed), "{missed} of 2000");
    }

    proptest! {
        #[test]
        fn the_estimate_moves_with_its_data(series in prop::collection::vec(-1.0..1.0_f64, 8..40), shift in -5.0..5.0_f64) {
            let moved: Vec<f64> = series.iter().map(|value| value + shift).collect();
            let (a, b) = (paired_effect(&series).expect("pairs"), paired_effect(&moved).expect("pairs"));
            prop_assert!(a.low <= a.estimate && a.estimate <= a.high);
            prop_assert!((b.estimate - a.estimate - shift).abs() < 1e-9);
            prop_assert!((b.low - a.low - shift).abs() < 1e-9 && (b.high - a.high - shift).abs() < 1e-9);
        }
    }
}
