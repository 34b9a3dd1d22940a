//! One side of a comparison as a series of its own: what a baseline of it would have measured.

use super::series::low;
use crate::model::baseline::{BenchSeries, Fork, MetricSeries, ProgramRuns, Totals, View, counting};
use crate::model::comparison::{ComparedBench, PairedSeries, SideName};
use crate::model::metric::{Aggregate, MetricName, MetricValues};
use crate::stats::summary::{Combine, aggregate, deviation, largest_distance};
use std::collections::BTreeMap;

/// `stored` with the forks of `side` in all series of `bench` in place of its own. What it is asked for and how it is
/// made into one value stays.
pub fn promoted(stored: &BenchSeries, bench: &ComparedBench, side: SideName) -> BenchSeries {
    let all: Vec<&PairedSeries> =
        [Some(&bench.series), bench.confirmation.as_ref()].into_iter().flatten().collect();
    let forks: Vec<Fork> =
        all.iter().flat_map(|series| &series.pairs).map(|pair| pair.forks.of(side).clone()).collect();
    let view = |combine: Combine, of: fn(&Fork) -> Option<f64>| {
        let values: Option<Vec<f64>> = counting(&forks).map(of).collect();
        let values = values.unwrap_or_default();
        Some(View { value: combine.value(&values)?, deviation: deviation(&values, combine) })
    };
    let runs = stored.runs.map(|runs| match runs {
        ProgramRuns::Oneshot { aggregate, .. } => ProgramRuns::Oneshot {
            runs: u32::try_from(counting(&forks).count()).unwrap_or(u32::MAX),
            aggregate,
        },
        duration @ ProgramRuns::Duration { .. } => duration,
    });
    let aggregate = match runs {
        Some(ProgramRuns::Oneshot { aggregate, .. }) => aggregate,
        _ => Aggregate::Median,
    };
    BenchSeries {
        executable_sha256: bench.executable_sha256.of(side).clone(),
        runs,
        accounting: bench.accounting,
        plan: bench.plan,
        totals: all.iter().map(|series| *series.totals.of(side)).fold(Totals::default(), summed),
        cost: view(Combine::LowEnd, low),
        felt: view(Combine::Median, |fork| fork.median),
        metrics: metrics(bench, &forks, aggregate),
        // They are those of the code as it was.
        allocations: None,
        blocks: all.iter().flat_map(|series| series.blocks.iter().copied()).collect(),
        rejected: Vec::new(),
        raw: None,
        forks,
        ..stored.clone()
    }
}

fn summed(sum: Totals, next: Totals) -> Totals {
    let wall_s = sum.wall_s + next.wall_s;
    let active = sum.active_share * sum.wall_s + next.active_share * next.wall_s;
    Totals {
        forks: sum.forks + next.forks,
        measured_s: sum.measured_s + next.measured_s,
        warm_up_s: sum.warm_up_s + next.warm_up_s,
        setup_s: sum.setup_s + next.setup_s,
        wall_s,
        active_share: if wall_s > 0.0 { active / wall_s } else { 0.0 },
    }
}

fn metrics(bench: &ComparedBench, forks: &[Fork], how: Aggregate) -> Vec<MetricSeries> {
    let mut values: BTreeMap<MetricName, Vec<f64>> = BTreeMap::new();
    for fork in forks.iter().filter(|fork| fork.counts()) {
        for (name, value) in fork.metrics.iter().flat_map(MetricValues::iter) {
            values.entry(name).or_default().push(value);
        }
    }
    let series = |(name, values): (MetricName, Vec<f64>)| {
        let spec = bench.metrics.get(&name.name).cloned().unwrap_or_default();
        Some(MetricSeries {
            scenario: name.scenario,
            name: name.name,
            unit: spec.unit,
            better: spec.better,
            value: aggregate(&values, how)?,
            deviation: largest_distance(&values),
            values,
        })
    };
    values.into_iter().filter_map(series).collect()
}
