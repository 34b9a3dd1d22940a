//! Phase 2: what a set of measured series means as a baseline.

use crate::model::baseline::{Baseline, BenchSeries, MeasuredDuration, SCHEMA};
use crate::model::duration::{RunDuration, Waiver};
use crate::model::environment::Environment;
use crate::model::format::CURRENT;
use crate::model::label::VersionLabel;
use crate::model::outcome::{Finding, NextStep, Outcome, Phase, Status};
use crate::model::units;
use std::collections::BTreeMap;

/// Findings beyond five are noise.
const MOST_FINDINGS: usize = 5;
/// A series that disagrees with itself by more than this is worth a second look.
const DEVIATION_LIMIT: f64 = 0.05;
/// A process that computes for less than this share of its time mostly waits.
const PADDED_BELOW: f64 = 0.1;

/// What was measured, and by which command.
#[derive(Debug)]
pub struct Measured {
    /// The label.
    pub label: VersionLabel,
    /// The command, the program first.
    pub command: Vec<String>,
    /// The flags that the next command must repeat.
    pub repeated: Vec<String>,
    /// How long was to be measured.
    pub duration: RunDuration,
    /// The approval of several benches in one baseline.
    pub expanded: Option<Waiver>,
    /// Where it was measured.
    pub environment: Environment,
    /// The series.
    pub benches: Vec<BenchSeries>,
    /// The time of storing, RFC 3339.
    pub recorded_at: String,
    /// Where the baseline will be stored, relative to the root, for evidence pointers.
    pub file: String,
}

/// The outcome of the phase.
pub fn outcome(measured: Measured) -> Outcome {
    let findings = findings(&measured);
    let show = ["cargo", "perf", "baselines", "show", measured.label.as_str()].map(str::to_owned);
    let next = show.into_iter().chain(measured.repeated.clone()).collect();
    Outcome {
        phase: Phase::Baseline,
        status: Status::Complete,
        findings,
        next: NextStep::Argv(next),
        baseline: Some(document(measured)),
    }
}

fn document(measured: Measured) -> Baseline {
    Baseline {
        schema: SCHEMA.to_owned(),
        schema_version: CURRENT,
        version: measured.label.to_string(),
        recorded_at: measured.recorded_at,
        command: measured.command,
        tool: format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
        metrics: metrics(&measured.benches),
        duration: MeasuredDuration {
            required_s: measured.duration.measured().as_secs_f64(),
            waiver: measured.duration.waiver().cloned(),
        },
        expanded: measured.expanded,
        env: measured.environment,
        benches: measured.benches,
    }
}

/// The views by bench; benches that share an id are told apart by package and target.
fn metrics(benches: &[BenchSeries]) -> BTreeMap<String, BTreeMap<String, f64>> {
    let key = |series: &BenchSeries| {
        let twins = benches.iter().filter(|other| other.bench.id == series.bench.id).count();
        let name = &series.bench;
        if twins == 1 { name.id.clone() } else { format!("{}/{}/{}", name.package, name.target, name.id) }
    };
    let views = |series: &BenchSeries| {
        let named = |view: &str| format!("{view}_{}", series.unit);
        [(named("cost"), series.cost.value), (named("felt"), series.felt.value)].into()
    };
    benches.iter().map(|series| (key(series), views(series))).collect()
}

fn findings(measured: &Measured) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, series) in measured.benches.iter().enumerate() {
        let at = |place: &str| format!("{}#/benches/{index}/{place}", measured.file);
        let mut add = |text: String, place: &str| findings.push(Finding { text, evidence: at(place) });
        add(
            format!(
                "{}: cost {}, felt {} per iteration, {:.1} s measured in {}",
                series.bench.id,
                units::quantity(series.cost.value, &series.unit),
                units::quantity(series.felt.value, &series.unit),
                series.totals.measured_s,
                units::count(series.forks.len(), "fork"),
            ),
            "cost",
        );
        for (name, view) in [("cost", series.cost), ("felt", series.felt)] {
            if let Some(deviation) = view.deviation.filter(|deviation| *deviation > DEVIATION_LIMIT) {
                add(
                    format!(
                        "{}: {name} disagrees with itself by {}; measure again on a quieter machine",
                        series.bench.id,
                        units::percent(deviation)
                    ),
                    name,
                );
            }
        }
        if series.totals.active_share < PADDED_BELOW {
            add(
                format!(
                    "{}: padded, it computes for {:.0} % of its time only",
                    series.bench.id,
                    series.totals.active_share * 100.0
                ),
                "totals/active_share",
            );
        }
        let leftovers: usize = series.forks.iter().map(|fork| fork.noise.leftovers.len()).sum();
        if leftovers > 0 {
            add(
                format!(
                    "{}: ended {} that it left running",
                    series.bench.id,
                    units::count(leftovers, "process")
                ),
                "forks",
            );
        }
        if !series.overrides.is_empty() {
            add(format!("{}: {}", series.bench.id, series.overrides.join("; ")), "overrides");
        }
    }
    findings.truncate(MOST_FINDINGS);
    findings
}
