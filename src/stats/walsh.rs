//! Order statistics of Walsh averages: the means of any two of the values, and of each with itself.
//!
//! Ten thousand values have fifty million averages. None is ever listed: how many lie below a limit is counted
//! along a staircase, and the limit is found by bisection over all numbers there are, so that the result is
//! exactly the one that a sorted list would give.

/// Values whose Walsh averages can be asked for by rank.
#[derive(Debug, Clone, PartialEq)]
pub struct WalshAverages {
    sorted: Vec<f64>,
}

impl WalshAverages {
    /// Takes the values in any order; `None` when there are none, or one is no number or infinite.
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() || values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        // Adding zero makes the negative one positive: the same number must have one place.
        let mut sorted: Vec<f64> = values.iter().map(|value| value + 0.0).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        Some(Self { sorted })
    }

    /// How many values there are.
    pub fn values(&self) -> usize {
        self.sorted.len()
    }

    /// How many averages there are: n (n + 1) / 2.
    pub fn count(&self) -> u64 {
        let n = self.sorted.len() as u64;
        n * (n + 1) / 2
    }

    /// How many averages are at most `limit`.
    pub fn at_most(&self, limit: f64) -> u64 {
        let mut partners = self.sorted.len();
        let mut count = 0;
        for (index, value) in self.sorted.iter().enumerate() {
            // A larger value leaves room for fewer partners, so the end only ever moves down.
            while partners > index && value.midpoint(self.sorted[partners - 1]) > limit {
                partners -= 1;
            }
            if partners <= index {
                break;
            }
            count += (partners - index) as u64;
        }
        count
    }

    /// The average of `rank`, counted from 1 at the smallest; ranks outside are those of the ends.
    pub fn ranked(&self, rank: u64) -> f64 {
        let rank = rank.clamp(1, self.count());
        let (mut low, mut high) = (place(self.sorted[0]), place(self.sorted[self.sorted.len() - 1]));
        while low < high {
            // Half of a distance that may not fit into the signed type.
            let half = high.wrapping_sub(low).cast_unsigned() / 2;
            let middle = low.wrapping_add(half.cast_signed());
            if self.at_most(value(middle)) >= rank {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        value(low) + 0.0
    }

    /// The median of the averages: the estimator of Hodges and Lehmann.
    pub fn median(&self) -> f64 {
        let count = self.count();
        let lower = self.ranked(count.div_ceil(2));
        if count % 2 == 1 { lower } else { lower.midpoint(self.ranked(count / 2 + 1)) }
    }
}

/// The place of a number among all numbers, in their order: its bits, with those below the sign turned over
/// when it is negative.
fn place(number: f64) -> i64 {
    turn(number.to_bits().cast_signed())
}

/// The number at a place.
fn value(place: i64) -> f64 {
    f64::from_bits(turn(place).cast_unsigned())
}

fn turn(bits: i64) -> i64 {
    if bits < 0 { bits ^ i64::MAX } else { bits }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "an average that is selected is one of those that can be listed")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What the module never does: all averages, sorted.
    fn listed(values: &[f64]) -> Vec<f64> {
        let mut averages: Vec<f64> = values
            .iter()
            .enumerate()
            .flat_map(|(index, first)| values[index..].iter().map(|second| first.midpoint(*second)))
            .collect();
        averages.sort_unstable_by(f64::total_cmp);
        averages
    }

    #[test]
    fn numbers_keep_their_order_in_their_places() {
        let ordered = [f64::MIN, -1.0, -f64::MIN_POSITIVE, 0.0, f64::MIN_POSITIVE, 1.0, f64::MAX];
        assert!(ordered.windows(2).all(|pair| place(pair[0]) < place(pair[1])));
        assert_eq!(ordered.map(|number| value(place(number))), ordered);
    }

    #[test]
    fn ends_of_any_distance_are_reached() {
        let averages = WalshAverages::of(&[f64::MIN, f64::MAX]).expect("finite");
        assert_eq!([1, 2, 3].map(|rank| averages.ranked(rank)), [f64::MIN, 0.0, f64::MAX]);
        assert_eq!((averages.ranked(0), averages.ranked(9)), (f64::MIN, f64::MAX));
    }

    #[test]
    fn what_is_no_number_has_no_averages() {
        assert_eq!(WalshAverages::of(&[]), None);
        assert_eq!(WalshAverages::of(&[1.0, f64::NAN]), None);
        assert_eq!(WalshAverages::of(&[1.0, f64::INFINITY]), None);
    }

    proptest! {
        #[test]
        fn every_rank_is_that_of_the_sorted_list(
            values in prop::collection::vec(prop_oneof![-1.0..1.0_f64, Just(0.0), Just(-0.0), Just(0.5)], 1..25)
        ) {
            let (averages, listed) = (WalshAverages::of(&values).expect("finite"), listed(&values));
            prop_assert_eq!(averages.count(), listed.len() as u64);
            for (index, expected) in listed.iter().enumerate() {
                prop_assert_eq!(averages.ranked(index as u64 + 1), *expected);
            }
            for limit in [-0.5, 0.0, 0.25] {
                let expected = listed.iter().filter(|average| **average <= limit).count();
                prop_assert_eq!(averages.at_most(limit), expected as u64);
            }
            let middle = f64::midpoint(listed[(listed.len() - 1) / 2], listed[listed.len() / 2]);
            prop_assert_eq!(averages.median(), middle);
        }
    }
}
