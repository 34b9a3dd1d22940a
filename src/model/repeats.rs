//! What several experiments with one change come to.

use super::experiment::{Experiment, ExperimentVerdict};
use super::investigation::Investigation;
use std::cmp::Ordering;

impl Investigation {
    /// Whether the same sources were judged again later.
    pub fn is_tried_again(&self, experiment: &Experiment) -> bool {
        self.own_experiments()
            .skip_while(|other| other.id != experiment.id)
            .skip(1)
            .any(|later| later.verdict().is_some() && later.change.result == experiment.change.result)
    }

    /// The verdict on a change: what most of the experiments with it say, of sixty seconds where there are such. It is
    /// inconclusive where as many accept it as reject it: whoever tries again until one says yes has found nothing.
    pub fn verdict_on_change(&self, experiment: &Experiment) -> Option<ExperimentVerdict> {
        let is_same = |other: &&Experiment| {
            let (a, b) = (&other.change, &experiment.change);
            (&a.sources, &a.result) == (&b.sources, &b.result)
        };
        let same: Vec<&Experiment> = self.own_experiments().filter(is_same).collect();
        let count = |is_short: bool, verdict: ExperimentVerdict| {
            let is_it = |one: &&&Experiment| one.is_short() == is_short && one.verdict() == Some(verdict);
            same.iter().filter(is_it).count()
        };
        let of = |is_short| {
            (count(is_short, ExperimentVerdict::Accept), count(is_short, ExperimentVerdict::Reject))
        };
        let (accepts, rejects) = if of(false) == (0, 0) { of(true) } else { of(false) };
        match accepts.cmp(&rejects) {
            Ordering::Greater => Some(ExperimentVerdict::Accept),
            Ordering::Less => Some(ExperimentVerdict::Reject),
            Ordering::Equal if accepts > 0 => Some(ExperimentVerdict::Inconclusive),
            Ordering::Equal => experiment.verdict(),
        }
    }

    /// Whether the verdict of an experiment is that on its change.
    pub fn counts(&self, experiment: &Experiment) -> bool {
        experiment.verdict().is_some() && experiment.verdict() == self.verdict_on_change(experiment)
    }

    /// Whether it says yes or no, and as many with the same change say the other.
    pub fn is_contradicted(&self, experiment: &Experiment) -> bool {
        let inconclusive = Some(ExperimentVerdict::Inconclusive);
        experiment.verdict().is_some()
            && experiment.verdict() != inconclusive
            && self.verdict_on_change(experiment) == inconclusive
    }
}
