//! What was probed and seen, in its order, and what it comes to at each load.

use super::evidence::Evidence;
use crate::model::search::Purpose;
use std::collections::BTreeMap;

/// One probe that counts. What could not be probed at all is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probe {
    /// The load.
    pub load: u64,
    /// Why it was probed.
    pub purpose: Purpose,
    /// What came of it.
    pub seen: Seen,
}

/// What came of a probe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Seen {
    /// What must hold did.
    Pass {
        /// How far the value was from its limit, as a logarithm of their ratio: not above zero.
        excess: Option<f64>,
    },
    /// It did not.
    Fail {
        /// How far the value was beyond its limit; `None` after a crash, which has no value.
        excess: Option<f64>,
    },
    /// The load was not generated as it should have been, so that nothing is known of it.
    Limited,
}

impl Probe {
    /// Whether it passed; `None` when it says nothing of that.
    pub fn passed(&self) -> Option<bool> {
        match self.seen {
            Seen::Pass { .. } => Some(true),
            Seen::Fail { .. } => Some(false),
            Seen::Limited => None,
        }
    }

    /// How far the value was from its limit.
    pub fn excess(&self) -> Option<f64> {
        match self.seen {
            Seen::Pass { excess } | Seen::Fail { excess } => excess,
            Seen::Limited => None,
        }
    }

    /// The same value against a limit that lies further out, by this logarithm of their ratio. What has no value
    /// stays as it is.
    #[must_use]
    pub fn against_limit(self, further: f64) -> Self {
        let Some(excess) = self.excess().map(|excess| excess - further) else { return self };
        let seen = if excess > 0.0 {
            Seen::Fail { excess: Some(excess) }
        } else {
            Seen::Pass { excess: Some(excess) }
        };
        Self { seen, ..self }
    }

    /// What it says of the place where it breaks.
    pub fn evidence(&self) -> Option<Evidence> {
        self.passed().map(|passed| Evidence { load: self.load, fails: !passed, excess: self.excess() })
    }
}

/// Passes and fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many probes passed.
    pub passes: usize,
    /// How many failed.
    pub fails: usize,
}

impl Tally {
    /// That of some probes.
    pub fn of<'p>(probes: impl IntoIterator<Item = &'p Probe>) -> Self {
        let mut tally = Self::default();
        probes.into_iter().filter_map(Probe::passed).for_each(|passed| tally.count(passed));
        tally
    }

    fn count(&mut self, passed: bool) {
        *if passed { &mut self.passes } else { &mut self.fails } += 1;
    }

    /// That of several loads.
    pub fn sum(tallies: impl IntoIterator<Item = Self>) -> Self {
        tallies.into_iter().fold(Self::default(), |sum, tally| Self {
            passes: sum.passes + tally.passes,
            fails: sum.fails + tally.fails,
        })
    }

    /// All of them.
    pub fn all(self) -> usize {
        self.passes + self.fails
    }
}

/// The tally of each load.
pub fn by_load(probes: &[Probe]) -> BTreeMap<u64, Tally> {
    let mut tallies: BTreeMap<u64, Tally> = BTreeMap::new();
    for probe in probes {
        if let Some(passed) = probe.passed() {
            tallies.entry(probe.load).or_default().count(passed);
        }
    }
    tallies
}

/// The largest load that passed and the smallest that failed, when all that passed are smaller than all that
/// failed: as far as these probes tell, nothing but chance could have it break elsewhere.
pub fn bracket(probes: &[Probe]) -> Option<(u64, u64)> {
    let loads =
        |passed| probes.iter().filter(move |probe| probe.passed() == Some(passed)).map(|probe| probe.load);
    let (passing, failing) = (loads(true).max()?, loads(false).min()?);
    (passing < failing).then_some((passing, failing))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probes(seen: &[(u64, bool)]) -> Vec<Probe> {
        let of = |passes| if passes { Seen::Pass { excess: None } } else { Seen::Fail { excess: None } };
        let probe = |&(load, passes)| Probe { load, purpose: Purpose::Narrow, seen: of(passes) };
        seen.iter().map(probe).collect()
    }

    #[test]
    fn loads_are_tallied_one_by_one() {
        let tallies = by_load(&probes(&[(3, true), (9, false), (3, false), (3, true)]));
        assert_eq!(tallies[&3], Tally { passes: 2, fails: 1 });
        assert_eq!((tallies[&9].all(), tallies.len()), (1, 2));
    }

    #[test]
    fn a_bracket_needs_both_sides_and_no_contradiction() {
        assert_eq!(bracket(&probes(&[(3, true), (9, false), (5, true)])), Some((5, 9)));
        assert_eq!(bracket(&probes(&[(3, true), (9, false), (10, true)])), None);
        assert_eq!(bracket(&probes(&[(3, true)])), None);
    }

    #[test]
    fn a_load_that_was_not_generated_says_nothing() {
        let probe = Probe { load: 3, purpose: Purpose::Ramp, seen: Seen::Limited };
        assert_eq!((probe.evidence(), Tally::of([&probe]).all(), by_load(&[probe]).len()), (None, 0, 0));
    }
}
