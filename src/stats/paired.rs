//! The effect between two sides that were measured in pairs: a robust average of their log ratios, a test and
//! intervals, all from one statistic, so that they cannot disagree.

use super::signed_rank::SignedRanks;
use super::walsh::WalshAverages;

/// The fewest pairs whose signed ranks can reach a two-sided 1 %.
pub const FEWEST_PAIRS: usize = 8;

/// Two ends, as natural logarithms of the ratio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Whether zero lies outside.
    pub fn excludes_zero(self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }

    /// Whether it lies inside `-margin..=margin`.
    pub fn is_within(self, margin: f64) -> bool {
        -margin <= self.low && self.high <= margin
    }

    /// Half of its width.
    pub fn half_width(self) -> f64 {
        (self.high - self.low) / 2.0
    }
}

/// What log ratios of pairs say about the effect.
#[derive(Debug, Clone, PartialEq)]
pub struct PairedEffect {
    /// Hodges–Lehmann estimate: the median of all averages of two pairs.
    pub estimate: f64,
    /// How likely signed ranks at least so lopsided are when there is no effect, in either direction.
    pub p: f64,
    averages: WalshAverages,
    ranks: SignedRanks,
}

impl PairedEffect {
    /// The effect in `log_ratios`; `None` when there are none, or one is no number.
    pub fn of(log_ratios: &[f64]) -> Option<Self> {
        let averages = WalshAverages::of(log_ratios)?;
        let ranks = SignedRanks::of(averages.values());
        // Averages of exactly zero speak against an effect in either direction.
        let at_most_zero = averages.at_most(0.0);
        let at_least_zero = averages.count() - averages.at_most(-f64::from_bits(1));
        let p = ranks.two_sided(at_most_zero.min(at_least_zero));
        Some(Self { estimate: averages.median(), p, averages, ranks })
    }

    /// How many pairs there are.
    pub fn pairs(&self) -> usize {
        self.averages.values()
    }

    /// Where the effect lies, except with probability `error`; `None` when there are too few pairs to be
    /// that sure. It excludes zero exactly when `p` is below `error`.
    pub fn interval(&self, error: f64) -> Option<Interval> {
        let end = self.ranks.end(error)?;
        let last = self.averages.count() + 1 - end;
        Some(Interval { low: self.averages.ranked(end), high: self.averages.ranked(last) })
    }
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

    fn interval(log_ratios: &[f64]) -> Interval {
        PairedEffect::of(log_ratios).and_then(|effect| effect.interval(0.01)).expect("enough pairs")
    }

    #[test]
    fn too_few_pairs_have_no_interval() {
        let of = |pairs| PairedEffect::of(&vec![0.1; pairs]).expect("pairs").interval(0.01);
        assert_eq!(of(FEWEST_PAIRS - 1), None);
        assert_eq!(of(FEWEST_PAIRS), Some(Interval { low: 0.1, high: 0.1 }));
        assert_eq!(PairedEffect::of(&[]), None);
        assert_eq!(PairedEffect::of(&[0.1, f64::NAN]), None);
    }

    #[test]
    fn pairs_without_any_difference_have_an_effect_of_zero_and_no_doubt() {
        let effect = PairedEffect::of(&[0.0; 20]).expect("pairs");
        assert_eq!((effect.estimate, effect.p), (0.0, 1.0));
        assert_eq!(effect.interval(0.01), Some(Interval { low: 0.0, high: 0.0 }));
    }

    #[test]
    fn the_interval_misses_the_truth_in_about_one_of_a_hundred_series() {
        let mut state = 1;
        for pairs in [10, 30, 150] {
            let missed = (0..2000)
                .filter(|_| {
                    let series: Vec<f64> =
                        (0..pairs).map(|_| uniform(&mut state) + uniform(&mut state) - 1.0).collect();
                    interval(&series).excludes_zero()
                })
                .count();
            assert!((6..=34).contains(&missed), "{missed} of 2000 with {pairs} pairs");
        }
    }

    #[test]
    fn four_times_the_pairs_halve_the_interval() {
        let mut state = 7;
        let mut width = |pairs: usize| {
            let widths = (0..200).map(|_| {
                let series: Vec<f64> = (0..pairs).map(|_| uniform(&mut state)).collect();
                interval(&series).half_width()
            });
            widths.sum::<f64>() / 200.0
        };
        let (few, more, many) = (width(12), width(48), width(192));
        assert!(few > 1.8 * more && more > 1.8 * many, "{few} {more} {many}");
    }

    fn log_ratios() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(prop_oneof![9 => -1.0..1.0_f64, 1 => Just(0.0)], 8..130)
    }

    proptest! {
        #[test]
        fn the_estimate_moves_with_its_data(series in log_ratios(), shift in -5.0..5.0_f64) {
            let moved: Vec<f64> = series.iter().map(|value| value + shift).collect();
            let (a, b) = (interval(&series), interval(&moved));
            let estimate = |series: &[f64]| PairedEffect::of(series).expect("pairs").estimate;
            prop_assert!(a.low <= estimate(&series) && estimate(&series) <= a.high);
            prop_assert!((estimate(&moved) - estimate(&series) - shift).abs() < 1e-9);
            prop_assert!((b.low - a.low - shift).abs() < 1e-9 && (b.high - a.high - shift).abs() < 1e-9);
        }

        #[test]
        fn sides_that_change_places_turn_the_effect_over(series in log_ratios()) {
            let turned: Vec<f64> = series.iter().map(|value| -value).collect();
            let (a, b) = (PairedEffect::of(&series).expect("pairs"), PairedEffect::of(&turned).expect("pairs"));
            prop_assert_eq!((a.estimate, a.p), (-b.estimate, b.p));
            let (a, b) = (interval(&series), interval(&turned));
            prop_assert_eq!((a.low, a.high), (-b.high, -b.low));
        }

        #[test]
        fn the_test_and_the_interval_agree(series in log_ratios(), shift in -0.5..0.5_f64, error in 0.01..0.3_f64) {
            let moved: Vec<f64> = series.iter().map(|value| value + shift).collect();
            let effect = PairedEffect::of(&moved).expect("pairs");
            let interval = effect.interval(error).expect("enough pairs");
            prop_assert_eq!(interval.excludes_zero(), effect.p < error);
        }

        #[test]
        fn more_certainty_takes_a_wider_interval(series in log_ratios()) {
            let effect = PairedEffect::of(&series).expect("pairs");
            let (sure, surer) = (effect.interval(0.1).expect("pairs"), effect.interval(0.01).expect("pairs"));
            prop_assert!(surer.low <= sure.low && sure.high <= surer.high);
        }
    }
}
