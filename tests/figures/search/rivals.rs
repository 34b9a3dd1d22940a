//! How others search, reduced to what they do.

use super::worlds::{MAX, MIN, World};
use std::collections::BTreeMap;

/// An answer: the smallest failing load, and the interval it is said to lie in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    pub smallest_failing: u64,
    pub low: u64,
    pub high: u64,
}

impl Said {
    fn point(load: u64) -> Self {
        Self { smallest_failing: load, low: load, high: load }
    }
}

/// Bisection of integers, each probed once: the origin's way.
pub fn naive(world: &mut World) -> Option<Said> {
    bisect(|load| world.fails(load))
}

/// The same, each probed until two of three answers agree.
pub fn majority(world: &mut World) -> Option<Said> {
    bisect(|load| {
        let (one, other) = (world.fails(load), world.fails(load));
        if one == other { one } else { world.fails(load) }
    })
}

fn bisect(mut fails: impl FnMut(u64) -> bool) -> Option<Said> {
    let (mut low, mut high, mut found) = (MIN, MAX, None);
    while low <= high {
        let middle = low.midpoint(high);
        if fails(middle) {
            found = Some(middle);
            high = middle - 1;
        } else {
            low = middle + 1;
        }
    }
    found.map(Said::point)
}

/// Trials of a load that decide about it at the end.
const TRIALS: usize = 3;

/// As `MLRsearch` does it: bisection of ratios with single trials, and a bracket that holds when most of
/// three trials at each of its ends do. Of two ends that contradict each other the lower one counts.
pub fn mlr_like(world: &mut World, tolerance: f64, most_probes: usize) -> Option<Said> {
    let mut trials: BTreeMap<u64, (usize, usize)> = BTreeMap::new();
    let mut spent = 0;
    while spent < most_probes {
        let bad = |(fails, all): (usize, usize)| 2 * fails >= all;
        let high = trials.iter().find(|(_, trial)| bad(**trial)).map_or(MAX + 1, |(load, _)| *load);
        let low = trials.range(..high).next_back().map_or(MIN - 1, |(load, _)| *load);
        let is_narrow =
            high - low <= 1 || (low >= MIN && (high as f64 / low as f64) <= (1.0 + tolerance).powi(2));
        let load = if is_narrow {
            let open = [low, high].into_iter().find(|load| {
                (MIN..=MAX).contains(load) && trials.get(load).is_none_or(|(_, all)| *all < TRIALS)
            });
            match open {
                Some(load) => load,
                None => return Some(Said { smallest_failing: middle(low + 1, high), low: low + 1, high }),
            }
        } else {
            halfway(low, high)
        };
        let trial = trials.entry(load).or_default();
        trial.0 += usize::from(world.fails(load));
        trial.1 += 1;
        spent += 1;
    }
    None
}

/// Of the loads that the bracket leaves: its end alone would be too large on average.
fn middle(low: u64, high: u64) -> u64 {
    (low * high).isqrt()
}

fn halfway(low: u64, high: u64) -> u64 {
    (low.max(1) * high).isqrt().clamp(low + 1, high - 1)
}
