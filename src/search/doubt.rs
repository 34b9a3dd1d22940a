//! What was seen at one load and contradicts everything else: it is probed again before it is believed, and
//! before it is not.

use super::course::Search;
use super::history::{Probe, Tally, by_load};
use crate::model::search::Purpose;

/// A result that the model gives less than this chance is doubted.
const SURPRISE: f64 = 0.05;
/// How often a load is probed again for that reason.
const MOST_AGAIN: usize = 3;
/// How much likelier it must be that the load is different than that chance has it so.
const BAYES_FACTOR: f64 = 100.0;
/// How many more must pass above than fail, for a fail below to be no edge.
const PASSES_ABOVE: usize = 2;
/// How often probes say the wrong thing before any did: about one half of three.
const LAPSES: f64 = 0.5;
const LAPSES_OF: f64 = 3.0;

/// What contradictions have turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// This load fails, though larger ones pass.
    Island(u64),
    /// This load passes, though smaller ones fail.
    Recovery(u64),
}

/// A load whose results mostly contradict the rest.
struct Contradiction {
    load: u64,
    tally: Tally,
    /// How often it was probed again for that.
    again: usize,
    /// Whether it fails where it should pass.
    fails: bool,
}

impl Contradiction {
    /// How likely the model takes what was mostly seen.
    fn chance(&self, search: &Search) -> f64 {
        let chance = search.chance_of_fail(self.load);
        if self.fails { chance } else { 1.0 - chance }
    }

    /// How often what was mostly seen was.
    fn seen(&self) -> usize {
        self.tally.passes.max(self.tally.fails)
    }
}

fn contradictions(search: &Search) -> impl Iterator<Item = Contradiction> {
    let (low, high) = search.believed();
    let considered = by_load(search.history()).into_iter().filter(|(load, _)| *load <= search.top());
    considered.filter_map(move |(load, tally)| {
        let fails = load < low && tally.fails > tally.passes;
        let passes = load >= high && tally.passes > tally.fails;
        let is_again = |probe: &&Probe| probe.load == load && probe.purpose == Purpose::Again;
        let again = search.history().iter().filter(is_again).count();
        (fails || passes).then_some(Contradiction { load, tally, again, fails })
    })
}

/// The load that is probed again next: the one that surprises most.
pub(super) fn doubted(search: &Search) -> Option<u64> {
    let (_, recovery) = search.islands();
    let open = contradictions(search).filter(|one| one.again < MOST_AGAIN && recovery != Some(one.load));
    let open = open.map(|one| (one.chance(search), one));
    // What happens again surprises less, and is no less of a contradiction.
    let surprising = open.filter(|(chance, one)| *chance < SURPRISE || one.again > 0);
    surprising.min_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, one)| one.load)
}

/// A contradiction that has shown itself again and again.
pub(super) fn found(search: &Search) -> Option<Found> {
    let (low, high) = search.believed();
    let tallies = by_load(search.history());
    for one in contradictions(search).filter(|one| one.again > 0) {
        let others = |load: u64| load != one.load && if one.fails { load < low } else { load >= high };
        let elsewhere = tallies.iter().filter(|(load, _)| others(**load));
        let (wrong, all) = elsewhere.fold((0, 0), |(wrong, all), (_, tally)| {
            (wrong + if one.fails { tally.fails } else { tally.passes }, all + tally.all())
        });
        let lapses = (wrong as f64 + LAPSES) / (all as f64 + LAPSES_OF);
        // Noise takes values across their limit wherever they are near it.
        let lapses = if search.settings().values { lapses.max(one.chance(search)) } else { lapses };
        // The first of them is why the load is doubted at all: it was picked, and proves nothing.
        if bayes_factor(one.seen() - 1, one.tally.all() - 1, lapses) < BAYES_FACTOR {
            continue;
        }
        if !one.fails {
            return Some(Found::Recovery(one.load));
        }
        let above = Tally::sum(tallies.range(one.load + 1..low).map(|(_, tally)| *tally));
        if above.passes >= above.fails + PASSES_ABOVE {
            return Some(Found::Island(one.load));
        }
    }
    None
}

/// How much likelier `seen` of `all` are where it happens in half of the probes or more than where it happens
/// in `lapses` of them.
fn bayes_factor(seen: usize, all: usize, lapses: f64) -> f64 {
    const STEPS: u32 = 64;
    let power = |chance: f64, times: usize| chance.powi(i32::try_from(times).unwrap_or(i32::MAX));
    let likelihood = |chance: f64| power(chance, seen) * power(1.0 - chance, all - seen);
    let steps = (0..STEPS).map(|step| 0.5 + 0.5 * (f64::from(step) + 0.5) / f64::from(STEPS));
    steps.map(likelihood).sum::<f64>() / f64::from(STEPS) / likelihood(lapses)
}

#[cfg(test)]
mod tests {
    use super::bayes_factor;

    #[test]
    fn the_same_again_and_again_is_no_chance() {
        assert!(bayes_factor(0, 0, 0.06) < 1.01);
        assert!(bayes_factor(1, 1, 0.06) < 100.0);
        assert!(bayes_factor(2, 2, 0.06) > 100.0);
        // Where one of five probes lies, three in a row are nothing special.
        assert!(bayes_factor(3, 3, 0.2) < 100.0);
        assert!(bayes_factor(2, 4, 0.06) < bayes_factor(4, 4, 0.06));
    }
}
