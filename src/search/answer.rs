//! What a search has found so far.

use super::course::{Search, Step};
use super::history::{Probe, by_load};
use crate::model::search::SearchStatus;

/// The smallest failing load, as well as it is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edge {
    /// As likely too large as too small.
    pub smallest_failing: u64,
    /// The smallest load that it may be.
    pub low: u64,
    /// The largest load that it may be; one more than the largest load of the search when that may pass.
    pub high: u64,
}

impl Edge {
    /// The largest load below all that may fail.
    pub fn safe(self) -> u64 {
        self.low - 1
    }
}

/// What is known after some probes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    /// How the search ended; `None` while it goes on.
    pub status: Option<SearchStatus>,
    /// Where it breaks, if anything can be said of it.
    pub edge: Option<Edge>,
    /// The largest load of which most probes passed.
    pub passes: Option<u64>,
    /// The standard deviation of the logarithm of a value that is measured again.
    pub noise: Option<f64>,
    /// How many probes it takes in all until the interval is as narrow as asked for, as far as those so far
    /// tell; `None` before the tenth, and where it is.
    pub needs: Option<u64>,
    /// The load above the range in which all smaller loads pass, when still larger ones pass too.
    pub island: Option<u64>,
    /// A load that passes above the smallest failing one.
    pub recovery: Option<u64>,
}

/// Probes before anything is said of how many it takes.
const ENOUGH: usize = 10;

impl Search {
    /// What is known now.
    pub fn answer(&self) -> Answer {
        let status = match self.next() {
            Step::Done(status) => Some(status),
            Step::Probe { .. } => None,
        };
        let (island, recovery) = self.islands();
        // A machine that has changed has measured two edges, and neither of them for long enough.
        let says_nothing = matches!(
            status,
            Some(
                SearchStatus::MinFails
                    | SearchStatus::MaxPasses
                    | SearchStatus::GeneratorLimited
                    | SearchStatus::Drifted
            )
        );
        let edge = self.edge().filter(|_| !says_nothing);
        let passing = by_load(self.history());
        let passing = passing.into_iter().filter(|(_, tally)| tally.passes > tally.fails);
        Answer {
            status,
            edge,
            passes: passing.map(|(load, _)| load).max(),
            // Before it has failed anywhere, noise is only what was believed beforehand.
            noise: self.noise().filter(|_| self.is_past_ramp()),
            needs: edge.and_then(|edge| self.needs(edge)),
            island,
            recovery,
        }
    }

    /// Where it would break if the limit lay further out, by this logarithm of their ratio: a limit that was measured
    /// is not known exactly.
    pub fn edge_for_limit(&self, further: f64) -> Option<Edge> {
        let moved: Vec<Probe> = self.history().iter().map(|probe| probe.against_limit(further)).collect();
        // Which probe was the first to fail decides over the course of a search, not over where it breaks.
        let fails = moved.iter().any(|probe| probe.passed() == Some(false));
        fails.then(|| Self::replay(self.settings().clone(), &moved).believed_edge())
    }

    fn edge(&self) -> Option<Edge> {
        self.is_past_ramp().then(|| self.believed_edge())
    }

    fn believed_edge(&self) -> Edge {
        let (low, high) = self.interval();
        Edge { smallest_failing: self.median().clamp(low, high), low, high }
    }

    fn needs(&self, edge: Edge) -> Option<u64> {
        let probes = self.spent();
        let (width, widest) = (self.settings().scale().width(edge.low, edge.high), self.settings().widest());
        if probes < ENOUGH || width <= widest || widest <= 0.0 {
            return None;
        }
        // What chance leaves open falls with the square root of the number of probes.
        let factor = (width / widest).powi(2);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive, and saturates"
        )]
        Some((probes as f64 * factor).ceil() as u64)
    }
}
