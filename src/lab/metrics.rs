//! The metrics of a program over its runs: the same ones each time, put together into one value each.

use super::catalogue::Entry;
use super::demand::Demand;
use crate::bench::own;
use crate::bench::selection::near_misses;
use crate::failure::Failure;
use crate::model::baseline::MetricSeries;
use crate::model::bench::{BenchName, HarnessKind};
use crate::model::metric::{Aggregate, MetricName, MetricSpec, MetricValues};
use crate::stats::summary::{aggregate, largest_distance};
use std::collections::{BTreeMap, BTreeSet};

/// The metrics of all runs so far.
#[derive(Debug)]
pub struct MetricRuns {
    declared: BTreeMap<String, MetricSpec>,
    values: BTreeMap<MetricName, Vec<f64>>,
    /// Those that a run had and could not tell.
    left_out: BTreeSet<String>,
    runs: usize,
}

/// What is declared of the metrics of `entry`; what was said for this measurement wins over its own
/// table, and that over the table of all benchmarks.
pub fn declared(entry: &Entry, demand: &Demand) -> BTreeMap<String, MetricSpec> {
    let mut declared = demand.metrics.clone();
    declared.extend(declared_for_it(entry, demand));
    declared
}

/// What is declared of the metrics of `entry` and no other benchmark.
fn declared_for_it(entry: &Entry, demand: &Demand) -> BTreeMap<String, MetricSpec> {
    let mut declared = entry.as_external().map(|external| external.metrics.clone()).unwrap_or_default();
    declared.extend(demand.named_metrics.clone());
    declared
}

/// Refuses a benchmark of which something is declared that it does not print.
///
/// # Errors
/// `Benchmark`, with what it prints.
pub fn expect_declared(entry: &Entry, demand: &Demand, printed: &MetricValues) -> Result<(), Failure> {
    let names: BTreeSet<String> = printed.iter().map(|(name, _)| name.name).collect();
    let declared = declared_for_it(entry, demand);
    let Some(missing) = declared.keys().find(|name| !names.contains(*name)) else { return Ok(()) };
    let name = &entry.benchmark.name.id;
    if entry.benchmark.harness == HarnessKind::PerfHarness && own::is_of_the_samples(missing) {
        return Err(Failure::benchmark(format!(
            "{missing} of {name} is no metric: it comes from the samples"
        ))
        .hint(format!("leave --metric {missing} away: cost, felt and allocations are in the result")));
    }
    let near = near_misses(missing, names.iter().map(String::as_str), 1);
    let shown: Vec<&str> = if near.is_empty() { names.iter().map(String::as_str).collect() } else { near };
    let helps = if shown.is_empty() {
        "it prints no metrics".into()
    } else {
        format!("it prints {}", shown.join(", "))
    };
    Err(Failure::benchmark(format!("the metric {missing} is declared of {name}, which does not print it"))
        .hint(helps))
}

impl MetricRuns {
    /// No runs yet of a program that has shown which metrics it prints.
    pub fn after(tried: &MetricValues, declared: BTreeMap<String, MetricSpec>) -> Self {
        let values = tried.iter().map(|(name, _)| (name, Vec::new())).collect();
        Self { declared, values, left_out: BTreeSet::new(), runs: 0 }
    }

    /// Knows of metrics that a run has and could not tell: they may be missing in it, and then they are in no result.
    pub fn leave_out<'a>(&mut self, names: impl Iterator<Item = &'a String>) {
        self.left_out.extend(names.cloned());
    }

    /// Takes the metrics of one run.
    ///
    /// # Errors
    /// `Benchmark` when they are others than before.
    pub fn take(&mut self, bench: &BenchName, run: &MetricValues) -> Result<(), Failure> {
        let now: BTreeSet<MetricName> = run.iter().map(|(name, _)| name).collect();
        let before: BTreeSet<MetricName> = self.values.keys().cloned().collect();
        let odd = now.symmetric_difference(&before).map(MetricName::to_string);
        let odd: Vec<String> = odd.filter(|name| !self.left_out.contains(name)).collect();
        if !odd.is_empty() {
            return Err(Failure::benchmark(format!(
                "{bench} prints other metrics from run to run: {} not in every run",
                odd.join(", ")
            ))
            .hint("print the same metrics each time; what does not apply is a scenario of its own"));
        }
        self.runs += 1;
        for (name, value) in run.iter() {
            self.values.entry(name).or_default().push(value);
        }
        Ok(())
    }

    /// One value for each metric.
    pub fn series(&self, how: Aggregate) -> Vec<MetricSeries> {
        let series = |(name, values): (&MetricName, &Vec<f64>)| {
            let spec = self.declared.get(&name.name).cloned().unwrap_or_default();
            Some(MetricSeries {
                scenario: name.scenario.clone(),
                name: name.name.clone(),
                unit: spec.unit,
                better: spec.better,
                value: aggregate(values, how)?,
                deviation: largest_distance(values),
                values: values.clone(),
            })
        };
        self.values.iter().filter(|(_, values)| values.len() == self.runs).filter_map(series).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(pairs: &[(&str, f64)]) -> MetricValues {
        let flat = pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        MetricValues { flat, ..MetricValues::default() }
    }

    #[test]
    fn runs_are_put_together_metric_by_metric() {
        let mut runs = MetricRuns::after(&run(&[("a", 0.0), ("b", 0.0)]), BTreeMap::new());
        let name = BenchName::external("x");
        for (a, b) in [(1.0, 10.0), (3.0, 10.0), (2.0, 10.0)] {
            runs.take(&name, &run(&[("a", a), ("b", b)])).expect("the same metrics");
        }
        let series = runs.series(Aggregate::Median);
        assert_eq!((series[0].value, series[0].deviation), (2.0, Some(0.5)));
        assert_eq!((series[1].value, series[1].deviation), (10.0, Some(0.0)));
        assert_eq!(runs.series(Aggregate::Max)[0].values, [1.0, 3.0, 2.0]);
        let failure = runs.take(&name, &run(&[("a", 1.0), ("c", 1.0)])).expect_err("others");
        assert!(failure.message.contains("b, c"), "{}", failure.message);
    }

    #[test]
    fn what_a_run_could_not_tell_is_in_no_result_and_no_contradiction() {
        let mut runs = MetricRuns::after(&run(&[("a", 0.0)]), BTreeMap::new());
        let name = BenchName::external("x");
        runs.leave_out(["b".to_owned()].iter());
        runs.take(&name, &run(&[("a", 1.0), ("b", 5.0)])).expect("it could tell b");
        assert_eq!(runs.series(Aggregate::Median).len(), 2);
        runs.take(&name, &run(&[("a", 1.0)])).expect("it could not");
        let left: Vec<String> =
            runs.series(Aggregate::Median).into_iter().map(|metric| metric.name).collect();
        assert_eq!(left, ["a"]);
    }
}
