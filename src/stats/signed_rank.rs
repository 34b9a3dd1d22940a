//! Wilcoxon's signed ranks: how likely a sum of ranks is when there is no effect, and the ranks at which an
//! interval ends.

use statrs::distribution::{ContinuousCDF, Normal};

/// Up to so many pairs the distribution is counted out; beyond, the normal one is within a thousandth of the
/// tails that matter here.
const MOST_EXACT: usize = 100;

/// The distribution of the sum of those of the ranks 1 to n that carry a plus sign, each with probability 1/2.
#[derive(Debug, Clone, PartialEq)]
pub struct SignedRanks {
    pairs: usize,
    /// P(W <= w) for w = 0, 1, …; empty where the normal distribution stands in.
    exact: Vec<f64>,
}

impl SignedRanks {
    /// The distribution for `pairs` pairs.
    pub fn of(pairs: usize) -> Self {
        let exact = if pairs <= MOST_EXACT { cumulative(pairs) } else { Vec::new() };
        Self { pairs, exact }
    }

    /// P(W <= `sum`).
    pub fn at_most(&self, sum: u64) -> f64 {
        match self.exact.last() {
            Some(last) => {
                usize::try_from(sum).ok().and_then(|sum| self.exact.get(sum)).copied().unwrap_or(*last)
            }
            None => self.normal().cdf(sum as f64 + 0.5),
        }
    }

    /// The p-value of a rank sum, for an effect in either direction. `lower` is the number of averages on its
    /// smaller side.
    pub fn two_sided(&self, lower: u64) -> f64 {
        (2.0 * self.at_most(lower)).min(1.0)
    }

    /// The rank, from either end, of the averages between which the truth lies except with probability
    /// `error`; `None` when there are too few pairs to be that sure.
    pub fn end(&self, error: f64) -> Option<u64> {
        let tail = error / 2.0;
        let rank = if self.exact.is_empty() {
            let sum = self.normal().inverse_cdf(tail) - 0.5;
            // The averages of over a hundred pairs are thousands, and the tail is a small share of them.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to zero")]
            let rank = sum.ceil().max(0.0) as u64;
            rank
        } else {
            self.exact.partition_point(|chance| *chance < tail) as u64
        };
        (rank > 0).then_some(rank)
    }

    fn normal(&self) -> Normal {
        let n = self.pairs as f64;
        let spread = (n * (n + 1.0) * (2.0 * n + 1.0) / 24.0).sqrt();
        Normal::new(n * (n + 1.0) / 4.0, spread).unwrap_or_else(|_| Normal::standard())
    }
}

/// P(W <= w) for w = 0, 1, …, by taking one rank after the other with both signs.
fn cumulative(pairs: usize) -> Vec<f64> {
    let mut chances = vec![0.0; pairs * (pairs + 1) / 2 + 1];
    chances[0] = 1.0;
    let mut top = 0;
    for rank in 1..=pairs {
        top += rank;
        for sum in (0..=top).rev() {
            let with = if sum >= rank { chances[sum - rank] } else { 0.0 };
            chances[sum] = f64::midpoint(chances[sum], with);
        }
    }
    let mut total = 0.0;
    for chance in &mut chances {
        total += *chance;
        *chance = total;
    }
    chances
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these probabilities are exact")]
mod tests {
    use super::*;

    #[test]
    fn few_pairs_cannot_be_sure() {
        // Two-sided, n pairs of one sign have 2 / 2^n.
        assert_eq!([7, 8, 9].map(|pairs| SignedRanks::of(pairs).end(0.01)), [None, Some(1), Some(2)]);
        assert_eq!(SignedRanks::of(8).two_sided(0), 2.0 / 256.0);
        assert_eq!(SignedRanks::of(8).two_sided(18), 1.0);
    }

    #[test]
    fn the_chances_of_three_pairs_are_those_one_counts_by_hand() {
        // 0, 1, 2, 3 twice, 4, 5, 6 of eight.
        let ranks = SignedRanks::of(3);
        let chances: Vec<f64> = (0..8).map(|sum| ranks.at_most(sum) * 8.0).collect();
        assert_eq!(chances, [1.0, 2.0, 3.0, 5.0, 6.0, 7.0, 8.0, 8.0]);
    }

    #[test]
    fn the_normal_distribution_takes_over_without_a_step() {
        let exact = SignedRanks::of(MOST_EXACT);
        let normal = SignedRanks { exact: Vec::new(), ..exact.clone() };
        for error in [0.05, 0.01, 0.001] {
            let (a, b) = (exact.end(error).expect("many"), normal.end(error).expect("many"));
            assert!(a.abs_diff(b) <= a / 50, "{error}: {a} and {b}");
        }
        for sum in [1500, 1800, 2525] {
            let (a, b) = (exact.at_most(sum), normal.at_most(sum));
            assert!((a - b).abs() < 0.001, "{sum}: {a} and {b}");
        }
    }
}
