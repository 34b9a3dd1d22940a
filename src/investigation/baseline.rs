//! Phase 2: what a set of measured series means as a baseline.

use crate::lab::doubt::over_limit;
use crate::model::baseline::{Baseline, BenchSeries, MeasuredDuration, ProgramRuns, SCHEMA};
use crate::model::duration::{RunDuration, Waiver};
use crate::model::environment::Environment;
use crate::model::format::CURRENT;
use crate::model::label::VersionLabel;
use crate::model::metric::{MetricName, MetricValues};
use crate::model::outcome::{Finding, NextStep, Outcome, Phase, Status};
use crate::model::units;
use std::collections::BTreeMap;

/// Findings beyond five are noise.
const MOST_FINDINGS: usize = 5;
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
    /// The approval of series that disagree with themselves.
    pub noise_accepted: Option<Waiver>,
    /// Where it was measured.
    pub environment: Environment,
    /// The series.
    pub benches: Vec<BenchSeries>,
    /// Who runs this.
    pub user: String,
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
    let waiver = measured.duration.waiver().cloned().or_else(|| approved_runs(&measured));
    Baseline {
        schema: SCHEMA.to_owned(),
        schema_version: CURRENT,
        version: measured.label.to_string(),
        recorded_at: measured.recorded_at,
        command: measured.command,
        tool: format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
        metrics: metrics(&measured.benches),
        duration: MeasuredDuration { required_s: measured.duration.measured().as_secs_f64(), waiver },
        expanded: measured.expanded,
        noise_accepted: measured.noise_accepted,
        env: measured.environment,
        benches: measured.benches,
    }
}

/// A number of runs that was asked for is the approval of the time they take, when that is short.
fn approved_runs(measured: &Measured) -> Option<Waiver> {
    let required = measured.duration.measured().as_secs_f64();
    let short = measured.benches.iter().find_map(|series| match series.runs {
        Some(ProgramRuns::Oneshot { runs, .. }) if series.totals.measured_s < required => Some(runs),
        _ => None,
    });
    short.map(|runs| Waiver {
        who: measured.user.clone(),
        text: format!("approved_short: --runs {runs}"),
        when: measured.recorded_at.clone(),
    })
}

/// The results by bench; benches that share an id are told apart by package and target.
fn metrics(benches: &[BenchSeries]) -> BTreeMap<String, MetricValues> {
    let key = |series: &BenchSeries| {
        let twins = benches.iter().filter(|other| other.bench.id == series.bench.id).count();
        if twins == 1 { series.bench.id.clone() } else { series.bench.path() }
    };
    benches.iter().map(|series| (key(series), results(series))).collect()
}

fn results(series: &BenchSeries) -> MetricValues {
    let mut results = MetricValues::default();
    let unit = series.unit.as_deref().unwrap_or_default();
    for (name, view) in [("cost", series.cost), ("felt", series.felt)] {
        if let Some(view) = view {
            results.flat.insert(format!("{name}_{unit}"), view.value);
        }
    }
    for metric in &series.metrics {
        let name = MetricName { scenario: metric.scenario.clone(), name: metric.name.clone() };
        results.set(&name, metric.value);
    }
    results
}

/// What was measured comes first, then what makes it doubtful, bench by bench.
fn findings(measured: &Measured) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, series) in measured.benches.iter().enumerate() {
        let at = |place: &str| format!("{}#/benches/{index}/{place}", measured.file);
        let about = |(text, place): (String, &str)| Finding {
            text: format!("{}: {text}", series.bench.id),
            evidence: at(place),
        };
        findings.push(about(result(series)));
        findings.extend(doubts(series).into_iter().map(about));
    }
    findings.truncate(MOST_FINDINGS);
    findings
}

fn result(series: &BenchSeries) -> (String, &'static str) {
    let seconds = series.totals.measured_s;
    let unit = series.unit.as_deref().unwrap_or_default();
    if let (Some(cost), Some(felt)) = (series.cost, series.felt) {
        let text = format!(
            "cost {}, felt {} per iteration, {seconds:.1} s measured in {}",
            units::quantity(cost.value, unit),
            units::quantity(felt.value, unit),
            units::count(usize::try_from(series.totals.forks).unwrap_or(usize::MAX), "fork"),
        );
        return (text, "cost");
    }
    let shown = series.metrics.iter().filter(|metric| metric.better.is_some());
    let first = shown.chain(&series.metrics).next();
    let metric = first.map(|metric| {
        let unit = metric.unit.as_deref().map(|unit| format!(" {unit}")).unwrap_or_default();
        format!("{} {}{unit}, ", metric.name, units::plain(metric.value))
    });
    let runs = units::count(series.forks.len(), "run");
    (format!("{}{seconds:.1} s measured in {runs}", metric.unwrap_or_default()), "metrics")
}

/// What a reader should know before believing the result.
fn doubts(series: &BenchSeries) -> Vec<(String, &'static str)> {
    let mut doubts = Vec::new();
    let mut add = |text: String, place| doubts.push((text, place));
    for (name, view) in [("cost", series.cost), ("felt", series.felt)] {
        if let Some(deviation) = view.and_then(|view| over_limit(view.deviation)) {
            add(format!("{name} disagrees with itself by {}", units::percent(deviation)), name);
        }
    }
    if let Some(last) = series.rejected.last() {
        let times = units::count(series.rejected.len(), "time");
        add(format!("measured again {times}: {}, {}", last.reason, last.cause), "rejected");
    }
    if series.runs.is_some_and(|runs| matches!(runs, ProgramRuns::Duration { .. })) {
        add("its deviation is unknown, it was measured once".to_owned(), "runs");
    }
    if series.totals.active_share < PADDED_BELOW {
        let share = units::share(series.totals.active_share);
        add(format!("padded, it computes for {share} of its time only"), "totals/active_share");
    }
    let leftovers: usize = series.forks.iter().map(|fork| fork.noise.leftovers.len()).sum();
    if leftovers > 0 {
        add(format!("ended {} that it left running", units::count(leftovers, "process")), "forks");
    }
    if !series.overrides.is_empty() {
        add(series.overrides.join("; "), "overrides");
    }
    doubts
}
