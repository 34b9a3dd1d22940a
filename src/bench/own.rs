//! The adapter for programs that use the crate perf-harness: they write a report for whoever started them.
//!
//! A bench of another harness may use the crate too, for what its own harness cannot tell.

use super::reading::{Live, Reading, Values};
use crate::failure::{Context, Failure, FailureKind};
use crate::model::baseline::Allocations;
use crate::model::metric::MetricValues;
use crate::model::samples::{Samples, Sampling};
use perf_harness::report::{Measured, Report, ReportError};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// What the crate prints of the samples themselves.
const OF_THE_SAMPLES: [&str; 7] = [
    "iterations",
    "measured_s",
    "mean_ns",
    "median_ns",
    "min_ns",
    "allocations_per_iteration",
    "bytes_per_iteration",
];

/// Reads the report at `path`; a process that does not use the crate leaves none.
///
/// # Errors
/// `Environment` when program and benchmark do not speak the same protocol, with the side to upgrade;
/// `Benchmark` for a report that is none.
pub fn read(path: &Path) -> Result<Option<Report>, Failure> {
    if !path.exists() {
        return Ok(None);
    }
    let what = || "the benchmark's report cannot be read".to_owned();
    let text = fs::read_to_string(path).context(FailureKind::Benchmark, what)?;
    match Report::read(&text) {
        Ok(report) => Ok(Some(report)),
        Err(error @ ReportError::Protocol { .. }) => {
            let said = error.to_string();
            let (cause, remedy) = said.split_once(": ").unwrap_or((&said, "upgrade the older side"));
            Err(Failure::environment(cause).hint(remedy))
        }
        Err(error) => Err(Failure::benchmark(format!("{}: {error}", what()))),
    }
}

/// What the process measured as `id`, when it measured by the crate.
pub fn reading(report: &Report, id: &str) -> Option<Reading> {
    let run = report.run.as_ref()?;
    let measured = Duration::from_nanos(run.totals.iter().sum());
    let warm_up = Duration::from_nanos(run.warm_up_ns);
    let before = Duration::from_nanos(run.started_ns.unwrap_or_default()).saturating_sub(warm_up);
    Some(Reading {
        id: id.to_owned(),
        values: Values::Samples { samples: samples(run), sampling: Sampling::Flat },
        unit: "ns".to_owned(),
        throughput: Vec::new(),
        live: Some(Live { before, warm_up, measuring: measured, resolved: None }),
    })
}

/// What the program adds to its samples; what the crate computes from them is computed here as well.
pub fn metrics(report: &Report) -> Option<MetricValues> {
    let added = report.metrics.iter().filter(|(name, _)| !is_of_the_samples(name));
    let flat: BTreeMap<String, f64> = added.map(|(name, value)| (name.clone(), *value)).collect();
    (!flat.is_empty()).then(|| MetricValues { flat, ..MetricValues::default() })
}

/// Whether the program generates load, or computes its metrics in another way of its own: it has no samples.
pub fn has_metrics_alone(report: &Report) -> bool {
    report.run.is_none() && !(report.metrics.is_empty() && report.left_out.is_empty())
}

/// Whether the crate computes a metric of this name from the samples.
pub fn is_of_the_samples(name: &str) -> bool {
    OF_THE_SAMPLES.contains(&name)
}

/// The time that the process measured by the crate.
pub fn measured(report: &Report) -> Option<Duration> {
    report.run.as_ref().map(|run| Duration::from_nanos(run.totals.iter().sum()))
}

/// What was allocated in the samples that `values` holds.
///
/// # Errors
/// `Benchmark` when the counts belong to other samples.
pub fn allocations(report: &Report, values: &Values) -> Result<Option<Allocations>, Failure> {
    let (Some(counted), Values::Samples { samples, .. }) = (&report.allocations, values) else {
        return Ok(None);
    };
    let (counts, iterations) = (&counted.samples, &samples.iterations);
    if counts.len() != iterations.len() {
        return Err(Failure::benchmark(format!(
            "allocations were counted in {} samples, and {} were measured",
            counts.len(),
            iterations.len()
        ))
        .hint("measure one benchmark at a time, and use one version of perf-harness in the bench"));
    }
    let mut sum = Allocations::default();
    for (count, iterations) in counts.iter().zip(iterations) {
        if let Some(count) = count {
            sum.iterations += iterations;
            sum.allocations += count.allocations;
            sum.bytes += count.bytes;
        }
    }
    Ok((sum.iterations > 0).then_some(sum))
}

fn samples(run: &Measured) -> Samples {
    let totals = run.totals.iter().map(|total| *total as f64).collect();
    Samples { iterations: run.iterations.clone(), totals }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::files::write_atomic;

    fn read_text(text: &str) -> Result<Option<Report>, Failure> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("report.json");
        write_atomic(&path, text.as_bytes()).expect("written");
        read(&path)
    }

    fn document(major: u32) -> String {
        format!(
            r#"{{"protocol": {{"major": {major}, "minor": 7}}, "harness": "0.1.0",
                "run": {{"mode": "duration", "parameter": null, "warm_up_ns": 1000, "started_ns": 1500,
                         "unit": "ns", "samples": {{"iterations": [10, 20], "totals": [100, 220]}}}},
                "allocations": {{"samples": [[20, 640], null]}}, "metrics": {{"mean_ns": 10.7, "hits": 3}}, "later": true}}"#
        )
    }

    #[test]
    fn a_report_gives_samples_and_counts() {
        let report = read_text(&document(1)).expect("read").expect("there");
        let reading = reading(&report, "x").expect("measured");
        let live = reading.live.as_ref().expect("told");
        assert_eq!((live.before, live.warm_up), (Duration::from_nanos(500), Duration::from_micros(1)));
        assert_eq!((reading.values.sum(), reading.values.iterations()), (Some(320.0), Some(30)));
        assert_eq!(metrics(&report).expect("one is added").flat, [("hits".to_owned(), 3.0)].into());
        let counted = allocations(&report, &reading.values).expect("matching").expect("counted");
        assert_eq!((counted.iterations, counted.allocations, counted.bytes), (10, 20, 640));
        let other = Values::Samples {
            samples: Samples { iterations: vec![1], totals: vec![1.0] },
            sampling: Sampling::Flat,
        };
        assert!(allocations(&report, &other).is_err());
    }

    #[test]
    fn another_protocol_says_which_side_to_upgrade() {
        let newer = read_text(&document(2)).expect_err("newer");
        assert_eq!(newer.kind, FailureKind::Environment);
        assert!(newer.hint.as_deref().is_some_and(|hint| hint.contains("cargo-perf-lab")), "{newer:?}");
        let older = read_text(&document(0)).expect_err("older");
        assert!(older.hint.as_deref().is_some_and(|hint| hint.contains("perf-harness")), "{older:?}");
        assert_eq!(read_text("{").expect_err("damaged").kind, FailureKind::Benchmark);
        assert!(read(Path::new("/no/such/report")).expect("no report is none").is_none());
    }
}
