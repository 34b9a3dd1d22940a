//! Phase 2: what a set of measured series means as a baseline.

use crate::git::clean::CleanTree;
use crate::lab::doubt::over_limit;
use crate::model::baseline::{Baseline, BenchSeries, MeasuredDuration, ProgramRuns, SCHEMA};
use crate::model::duration::RunDuration;
use crate::model::environment::Environment;
use crate::model::format::CURRENT;
use crate::model::investigation::Effect;
use crate::model::label::VersionLabel;
use crate::model::metric::MetricValues;
use crate::model::outcome::{Finding, MOST_FINDINGS, NextStep, Outcome, Phase, Pointer, PointerKind, Status};
use crate::model::record::{Approval, Approved};
use crate::model::rules::{Rule, RuleCheck};
use crate::model::units;
use crate::model::waiver::Waiver;
use crate::sys::invocation::line;
use std::collections::BTreeMap;

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
    /// What the tree was like; only an investigation asks for that.
    pub tree: Option<Tree>,
    /// Where it was measured.
    pub environment: Environment,
    /// The series.
    pub benches: Vec<BenchSeries>,
    /// Who runs this.
    pub user: String,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// The time of storing, RFC 3339.
    pub recorded_at: String,
    /// Where the baseline will be stored, relative to the root, for evidence pointers.
    pub file: String,
}

/// The tree that was measured. The sources were the same before and after, else there is no result.
#[derive(Debug)]
pub enum Tree {
    /// That of a commit, apart from state.
    Clean(CleanTree),
    /// With changes that are in no commit.
    Dirty {
        /// The paths.
        what: String,
        /// The approval.
        waiver: Waiver,
    },
    /// No repository can tell.
    NoRepository,
}

impl Tree {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Clean(clean) => match clean.commit() {
                Some(commit) => {
                    format!("those of commit {}, the same before and after", &commit[..7.min(commit.len())])
                }
                None => "no files at all".to_owned(),
            },
            Self::Dirty { what, .. } => {
                format!("the same before and after, with changes in no commit: {what}")
            }
            Self::NoRepository => "not proven, there is no git repository".to_owned(),
        }
    }

    /// What became of rule 6 with it; without one nobody asked.
    pub(super) fn check(tree: Option<&Self>) -> RuleCheck {
        let rule = Rule::CleanBaseline;
        match tree {
            Some(Self::Dirty { waiver, .. }) => rule.waived(waiver),
            Some(tree @ Self::Clean(_)) => rule.pass(format!("sources are {}", tree.describe())),
            Some(Self::NoRepository) => rule.not_applicable("there is no git repository to prove it by"),
            None => rule.not_applicable("no investigation asked for it"),
        }
    }

    pub(super) fn waiver(&self) -> Option<&Waiver> {
        match self {
            Self::Dirty { waiver, .. } => Some(waiver),
            Self::Clean(_) | Self::NoRepository => None,
        }
    }
}

/// The outcome of the phase.
pub fn outcome(measured: Measured) -> Outcome {
    let findings = findings(&measured);
    let show = ["cargo", "perf", "baselines", "show", measured.label.as_str()].map(str::to_owned);
    let next = show.into_iter().chain(measured.repeated.clone()).collect();
    Outcome {
        phase: Phase::Baseline,
        status: Status::Complete,
        started_at: measured.started_at.clone(),
        findings,
        summary: summary(&measured),
        decision: None,
        evidence: evidence(&measured),
        rules: rules(&measured),
        delta: delta(&measured),
        next: NextStep::Argv(next),
        effect: Effect::Baseline(Box::new(document(measured))),
    }
}

/// What was approved against a rule.
pub fn approvals(measured: &Measured) -> Vec<Approval> {
    let short = measured.duration.waiver().cloned().or_else(|| approved_runs(measured));
    let given = [
        (Approved::Short, short),
        (Approved::Expand, measured.expanded.clone()),
        (Approved::Noise, measured.noise_accepted.clone()),
        (Approved::Dirty, measured.tree.as_ref().and_then(Tree::waiver).cloned()),
    ];
    let approval = |(what, waiver): (Approved, Option<Waiver>)| {
        Some(Approval { what, phase: Phase::Baseline, waiver: waiver? })
    };
    given.into_iter().filter_map(approval).collect()
}

/// What was done, for the log.
fn summary(measured: &Measured) -> Vec<String> {
    let mut lines = vec![format!("Version: {}", measured.label)];
    for series in &measured.benches {
        let scenarios: std::collections::BTreeSet<&str> =
            series.metrics.iter().filter_map(|metric| metric.scenario.as_deref()).collect();
        let scenarios: Vec<&str> = scenarios.into_iter().collect();
        lines.push(format!("Benchmark: {}", series.bench));
        if let Some(argv) = &series.command {
            lines.push(format!("Benchmark command: {}", line(argv)));
        }
        lines.push(format!("Results: {}", result(series).0));
        lines.push(format!("Warm-up: {:.1} s", series.totals.warm_up_s));
        if let Some(ProgramRuns::Oneshot { runs, aggregate }) = series.runs {
            lines.push(format!("Runs: {runs}, of which the {} counts", aggregate.name()));
        }
        if !scenarios.is_empty() {
            lines.push(format!("Scenarios: {}", scenarios.join(", ")));
        }
        lines.extend(doubts(series).into_iter().map(|(text, _)| format!("Note: {text}")));
    }
    if let Some(tree) = &measured.tree {
        lines.push(format!("Sources: {}", tree.describe()));
    }
    lines
}

fn evidence(measured: &Measured) -> Vec<Pointer> {
    let command = Pointer::new(PointerKind::Command, line(&measured.command));
    let file = Pointer::new(PointerKind::File, measured.file.clone());
    let series = (0..measured.benches.len())
        .map(|index| Pointer::new(PointerKind::File, format!("{}#/benches/{index}", measured.file)));
    let commit = measured.environment.context.commit.as_ref();
    let commit = commit.map(|commit| Pointer::new(PointerKind::Commit, commit.clone()));
    [command, file].into_iter().chain(series).chain(commit).collect()
}

/// The result in a few words.
fn delta(measured: &Measured) -> Option<String> {
    let series = measured.benches.first()?;
    let more = measured.benches.len() - 1;
    let words = result(series).0;
    let words = words.split(", ").next().unwrap_or_default().to_owned();
    Some(if more == 0 { words } else { format!("{words} and {more} more") })
}

/// What became of each rule. Those that can be broken here have refused before, or were waived.
fn rules(measured: &Measured) -> Vec<RuleCheck> {
    let short = measured.duration.waiver().cloned().or_else(|| approved_runs(measured));
    let totals = |of: fn(&BenchSeries) -> f64| measured.benches.iter().map(of).fold(f64::INFINITY, f64::min);
    let measured_s = totals(|series| series.totals.measured_s);
    let reruns: usize = measured.benches.iter().map(|series| series.rejected.len()).sum();
    let name = |series: &BenchSeries| series.bench.id.clone();
    let names: Vec<String> = measured.benches.iter().map(name).collect();
    Rule::ALL
        .map(|rule| match rule {
            Rule::Sequential => rule.pass("the lock of the machine was held, and nothing is left running"),
            Rule::SixtySeconds => match &short {
                Some(waiver) => rule.waived(waiver),
                None => rule.pass(format!("{measured_s:.1} s measured")),
            },
            Rule::OneChange => rule.not_applicable("nothing was changed"),
            Rule::NarrowFirst => match &measured.expanded {
                Some(waiver) => rule.waived(waiver),
                None => rule.pass(format!("one benchmark: {}", names.join(", "))),
            },
            Rule::Verify => match &measured.noise_accepted {
                Some(waiver) => rule.waived(waiver),
                None => rule.pass(format!("measured again {}", units::count(reruns, "time"))),
            },
            Rule::CleanBaseline => Tree::check(measured.tree.as_ref()),
            Rule::MinimalResources => rule.pass("output bounded, traces below the target folder only"),
            Rule::HistoryFirst => rule.not_applicable("nothing is explained or changed yet"),
            Rule::ClearTerms => rule.pass("each value has its unit, each view its definition"),
            Rule::LogAndCheckpoint => rule.logged(),
        })
        .to_vec()
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
        metrics: metrics_of(&measured.benches),
        duration: MeasuredDuration { required_s: measured.duration.measured().as_secs_f64(), waiver },
        expanded: measured.expanded,
        noise_accepted: measured.noise_accepted,
        padded: measured.benches.iter().any(BenchSeries::is_padded),
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
    short.map(|runs| approval_of_runs(runs, &measured.user, &measured.recorded_at))
}

/// The approval that a number of runs is.
pub(super) fn approval_of_runs(runs: u32, who: &str, when: &str) -> Waiver {
    Waiver { who: who.to_owned(), text: format!("approved_short: --runs {runs}"), when: when.to_owned() }
}

/// The results by bench; benches that share an id are told apart by package and target.
pub(super) fn metrics_of(benches: &[BenchSeries]) -> BTreeMap<String, MetricValues> {
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
        results.set(&metric.full_name(), metric.value);
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
    if series.is_padded() {
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
