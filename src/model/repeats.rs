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

    /// The verdict on a change: what most of the experiments with it say that say yes or no, of sixty seconds where there
    /// are such. It is inconclusive where as many accept it as reject it: whoever tries again until one says yes has found
    /// nothing.
    pub fn verdict_on_change(&self, experiment: &Experiment) -> Option<ExperimentVerdict> {
        let is_same = |other: &&Experiment| {
            let (a, b) = (&other.change, &experiment.change);
            (&a.sources, &a.result) == (&b.sources, &b.result)
        };
        let judged = self.own_experiments().filter(is_same).filter(|other| other.verdict().is_some());
        let (short, full): (Vec<&Experiment>, Vec<&Experiment>) = judged.partition(|other| other.is_short());
        let counting = if full.is_empty() { short } else { full };
        if counting.is_empty() {
            return None;
        }
        let count =
            |verdict| counting.iter().filter(|experiment| experiment.verdict() == Some(verdict)).count();
        let (accepts, rejects) = (count(ExperimentVerdict::Accept), count(ExperimentVerdict::Reject));
        Some(match accepts.cmp(&rejects) {
            Ordering::Greater => ExperimentVerdict::Accept,
            Ordering::Less => ExperimentVerdict::Reject,
            Ordering::Equal => ExperimentVerdict::Inconclusive,
        })
    }

    /// Whether the verdict of an experiment is that on its change.
    pub fn counts(&self, experiment: &Experiment) -> bool {
        experiment.verdict().is_some() && experiment.verdict() == self.verdict_on_change(experiment)
    }

    /// Whether it says yes or no, and others with the same change leave that open.
    pub fn is_contradicted(&self, experiment: &Experiment) -> bool {
        let inconclusive = Some(ExperimentVerdict::Inconclusive);
        experiment.verdict().is_some()
            && experiment.verdict() != inconclusive
            && self.verdict_on_change(experiment) == inconclusive
    }
}
