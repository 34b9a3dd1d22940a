//! From the raw samples of paired forks to the one number that stands for each fork in a view.

use super::summary::summarise;
use crate::model::baseline::Fork;
use crate::model::comparison::{PairedSeries, Sides};
use crate::model::metric::{MetricName, MetricValues};
use crate::model::verdict::ViewName;
use std::collections::BTreeSet;

/// The numbers of the pairs of a series that count, in the order in which they were measured.
#[derive(Debug)]
pub struct Numbers<'a> {
    pairs: Vec<Sides<ForkNumbers<'a>>>,
}

/// What one fork says.
#[derive(Debug)]
struct ForkNumbers<'a> {
    low: Option<f64>,
    median: Option<f64>,
    metrics: Option<&'a MetricValues>,
}

impl<'a> Numbers<'a> {
    /// The numbers of `series`, from the raw samples where they are there, so that nothing rests on a summary
    /// that somebody may have changed.
    pub fn of(series: &'a PairedSeries) -> Self {
        let counting = series.pairs.iter().filter(|pair| pair.counts());
        Self { pairs: counting.map(|pair| pair.forks.as_ref().map(ForkNumbers::of)).collect() }
    }

    /// How many pairs count.
    pub fn pairs(&self) -> usize {
        self.pairs.len()
    }

    /// Whether the harness tells times or costs of iterations.
    pub fn has_times(&self) -> bool {
        self.pairs.iter().any(|pair| pair.base.median.is_some())
    }

    /// The metrics that both sides printed each time, and those that only one of them did.
    pub fn metrics(&self) -> (BTreeSet<MetricName>, Sides<BTreeSet<MetricName>>) {
        let of = |fork: &ForkNumbers<'_>| -> BTreeSet<MetricName> {
            fork.metrics.iter().flat_map(|metrics| metrics.iter().map(|(name, _)| name)).collect()
        };
        let always = |names: &dyn Fn(&Sides<ForkNumbers<'a>>) -> BTreeSet<MetricName>| {
            self.pairs.iter().map(names).reduce(|all, next| &all & &next).unwrap_or_default()
        };
        let base = always(&|pair| of(&pair.base));
        let candidate = always(&|pair| of(&pair.candidate));
        let only = Sides { base: &base - &candidate, candidate: &candidate - &base };
        (&base & &candidate, only)
    }

    /// The number of each fork in `view`, of `metric` or of the time per iteration; `None` when one is missing.
    pub fn values(&self, metric: Option<&MetricName>, view: ViewName) -> Option<Vec<Sides<f64>>> {
        let value = |fork: &ForkNumbers<'_>| match (metric, view) {
            (Some(name), _) => fork.metrics.and_then(|metrics| metrics.get(name)),
            (None, ViewName::Cost) => fork.low.or(fork.median),
            (None, ViewName::Felt) => fork.median,
        };
        self.pairs
            .iter()
            .map(|pair| Some(Sides { base: value(&pair.base)?, candidate: value(&pair.candidate)? }))
            .collect()
    }
}

impl<'a> ForkNumbers<'a> {
    fn of(fork: &'a Fork) -> Self {
        let coded = fork.samples.as_ref();
        let sampled = coded.and_then(|coded| summarise(&coded.decode().ok()?.per_iteration()));
        Self {
            low: sampled.map_or(fork.min, |summary| Some(summary.min)),
            median: sampled.map_or(fork.median, |summary| Some(summary.median)),
            metrics: fork.metrics.as_ref(),
        }
    }
}

/// The log ratios (candidate over base) of positive values; equal values have no difference whatever they are.
/// `None` where there is no ratio.
pub fn log_ratios(values: &[Sides<f64>]) -> Option<Vec<f64>> {
    let ratio = |pair: &Sides<f64>| {
        if pair.base > 0.0 && pair.candidate > 0.0 {
            return Some((pair.candidate / pair.base).ln());
        }
        (pair.base.total_cmp(&pair.candidate).is_eq()).then_some(0.0)
    };
    values.iter().map(ratio).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::comparison::{Pair, SideName};
    use crate::model::noise::Cause;
    use crate::model::samples::{CodedSamples, Samples};

    fn fork(min: f64, totals: &[f64]) -> Fork {
        let samples = Samples { iterations: vec![2; totals.len()], totals: totals.to_vec() };
        Fork {
            min: Some(min),
            median: Some(min),
            samples: Some(CodedSamples::from(&samples)),
            ..Fork::default()
        }
    }

    fn series(pairs: Vec<(Fork, Fork)>) -> PairedSeries {
        let pair = |(base, candidate)| Pair { first: SideName::Base, forks: Sides { base, candidate } };
        PairedSeries { pairs: pairs.into_iter().map(pair).collect(), ..PairedSeries::default() }
    }

    fn metrics(names: &[(&str, f64)]) -> Fork {
        let mut values = MetricValues::default();
        for (name, value) in names {
            values.set(&MetricName { scenario: None, name: (*name).to_owned() }, *value);
        }
        Fork { metrics: Some(values), ..Fork::default() }
    }

    #[test]
    fn raw_samples_win_over_a_stored_summary() {
        let series = series(vec![(fork(99.0, &[8.0, 4.0, 6.0]), fork(99.0, &[2.0, 6.0, 4.0]))]);
        let numbers = Numbers::of(&series);
        assert_eq!(numbers.values(None, ViewName::Cost), Some(vec![Sides { base: 2.0, candidate: 1.0 }]));
        assert_eq!(numbers.values(None, ViewName::Felt), Some(vec![Sides { base: 3.0, candidate: 2.0 }]));
    }

    #[test]
    fn pairs_of_which_a_fork_was_set_aside_are_left_out() {
        let mut disturbed = fork(1.0, &[2.0]);
        disturbed.set_aside = Some(Cause::Contention);
        let series = series(vec![(fork(1.0, &[2.0]), disturbed), (fork(1.0, &[4.0]), fork(1.0, &[4.0]))]);
        assert_eq!(Numbers::of(&series).pairs(), 1);
    }

    #[test]
    fn metrics_of_one_side_only_are_told_from_those_of_both() {
        let pairs = (metrics(&[("a", 1.0), ("b", 1.0)]), metrics(&[("a", 2.0), ("c", 1.0)]));
        let (series, name) =
            (series(vec![pairs]), |name: &str| MetricName { scenario: None, name: name.to_owned() });
        let (both, only) = Numbers::of(&series).metrics();
        assert_eq!(both, BTreeSet::from([name("a")]));
        assert_eq!((only.base, only.candidate), (BTreeSet::from([name("b")]), BTreeSet::from([name("c")])));
        assert_eq!(Numbers::of(&series).values(Some(&name("b")), ViewName::Felt), None);
    }

    #[test]
    fn there_is_no_ratio_of_what_is_not_positive_unless_nothing_differs() {
        let ratios = |base, candidate| log_ratios(&[Sides { base, candidate }]);
        assert_eq!(ratios(1.0, 1.0), Some(vec![0.0]));
        assert_eq!((ratios(0.0, 0.0), ratios(-1.0, -1.0)), (Some(vec![0.0]), Some(vec![0.0])));
        assert_eq!((ratios(0.0, 1.0), ratios(-1.0, 1.0)), (None, None));
    }
}
