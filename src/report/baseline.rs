//! A baseline in words and for machines.

use crate::model::baseline::{Accounting, Baseline, BenchSeries, Fork, MetricSeries, View, counting};
use crate::model::units;
use serde_json::{Value, json};
use std::fmt::Write;
use std::time::Duration;

/// The benches of a baseline, a few lines each.
pub fn benches(baseline: &Baseline) -> String {
    let mut text = baseline.benches.iter().map(bench).collect::<String>();
    if let Some(waiver) = &baseline.noise_accepted {
        let _ = writeln!(text, "disagreement accepted by {}: {}", waiver.who, waiver.text);
    }
    if let Some(waiver) = &baseline.duration.waiver {
        let _ = writeln!(
            text,
            "measured for {} s only, approved by {}: {}",
            baseline.duration.required_s, waiver.who, waiver.text
        );
    }
    text
}

/// The stored facts of a baseline beside its benches.
pub fn details(baseline: &Baseline) -> String {
    let env = &baseline.env;
    let known = |value: Option<&String>| value.cloned().unwrap_or_else(|| "unknown".to_owned());
    let dirty = if env.context.dirty == Some(true) { ", with uncommitted changes" } else { "" };
    format!(
        "version   {}\nrecorded  {} by {}\ncommand   {}\ncommit    {}{dirty}\nmachine   {}, {} processors, kernel {}\ncompiler  {}\n\n{}",
        baseline.version,
        baseline.recorded_at,
        baseline.tool,
        baseline.command.join(" "),
        known(env.context.commit.as_ref()),
        known(env.machine.cpu_model.as_ref()),
        env.machine.logical_cpus.map_or_else(|| "unknown".to_owned(), |count| count.to_string()),
        known(env.soft.kernel.as_ref()),
        env.build.rustc.as_deref().and_then(|text| text.split(';').next()).unwrap_or("unknown"),
        benches(baseline),
    )
}

/// A baseline in one line, for lists.
pub fn summary(baseline: &Baseline) -> String {
    let first = baseline.benches.first();
    let value = first.map(|series| {
        let more = baseline.benches.len() - 1;
        let others = if more == 0 { String::new() } else { format!(" and {more} more") };
        format!("{} {}{others}", series.bench.id, result(series))
    });
    format!("{}  {}  {}", baseline.version, baseline.recorded_at, value.unwrap_or_default())
}

/// The number that stands for a series where there is room for one.
fn result(series: &BenchSeries) -> String {
    match (series.cost, series.metrics.iter().find(|metric| metric.better.is_some())) {
        (Some(cost), _) => quantity(cost.value, series),
        (None, Some(metric)) => metric_value(metric),
        _ => series.metrics.first().map(metric_value).unwrap_or_default(),
    }
}

/// A series for machines, without its samples.
pub fn series_json(series: &BenchSeries) -> Value {
    json!({
        "id": series.bench.id,
        "package": series.bench.package,
        "target": series.bench.target,
        "harness": series.harness.name(),
        "harness_version": series.harness_version,
        "precision": series.precision,
        "command": series.command,
        "runs": series.runs,
        "parameter": series.parameter,
        "unit": series.unit,
        "accounting": series.accounting,
        "cost": series.cost,
        "felt": series.felt,
        "metrics": series.metrics,
        "allocations": series.allocations.and_then(|counted| counted.per_iteration()).map(
            |(allocations, bytes)| json!({"per_iteration": allocations, "bytes_per_iteration": bytes})
        ),
        "totals": series.totals,
        "plan": series.plan,
        "overrides": series.overrides,
        "throughput": series.throughput,
        "set_aside": series.forks.len() - counting(&series.forks).count(),
        "rejected": series.rejected.iter().map(|rejected| json!({
            "reason": rejected.reason,
            "cause": rejected.cause,
            "cost": rejected.cost,
            "felt": rejected.felt,
            "metrics": rejected.metrics,
        })).collect::<Vec<_>>(),
    })
}

fn bench(series: &BenchSeries) -> String {
    let mut text = format!("{}\n", series.bench);
    for (name, view, how) in
        [("cost", series.cost, "low end of the forks"), ("felt", series.felt, "median of the forks")]
    {
        if let Some(view) = view {
            let value = quantity(view.value, series);
            let _ =
                writeln!(text, "  {name}  {value:>10} per iteration   {how}, {}", agreement(view, series));
        }
    }
    text += &metrics(&series.metrics);
    for throughput in &series.throughput {
        let _ = writeln!(text, "  {}", rate(throughput.amount, &throughput.kind, series));
    }
    if let Some((allocations, bytes)) = series.allocations.and_then(|counted| counted.per_iteration()) {
        let _ = writeln!(
            text,
            "  allocations  {} and {} B per iteration",
            units::plain(allocations),
            units::plain(bytes)
        );
    }
    text + &course(series)
}

/// The metrics of a program, aligned.
fn metrics(metrics: &[MetricSeries]) -> String {
    let label = |metric: &MetricSeries| match &metric.scenario {
        Some(scenario) => format!("{scenario}/{}", metric.name),
        None => metric.name.clone(),
    };
    let width = metrics.iter().map(|metric| label(metric).chars().count()).max().unwrap_or_default();
    metrics.iter().fold(String::new(), |mut text, metric| {
        let better = metric.better.map(|better| format!(", {} is better", better.name())).unwrap_or_default();
        let spread = match metric.deviation {
            Some(deviation) => format!("runs within {}", units::share(deviation)),
            None if metric.is_zero_at_times() => "0 in the middle of the runs, and not in all".to_owned(),
            None => "measured once, its deviation is unknown".to_owned(),
        };
        let _ =
            writeln!(text, "  {:<width$}  {:>12}   {spread}{better}", label(metric), metric_value(metric));
        text
    })
}

fn metric_value(metric: &MetricSeries) -> String {
    let unit = metric.unit.as_deref().map(|unit| format!(" {unit}")).unwrap_or_default();
    format!("{}{unit}", units::plain(metric.value))
}

/// How it was measured, and what was noticed.
fn course(series: &BenchSeries) -> String {
    let totals = &series.totals;
    let counted = counting(&series.forks).count();
    let sum = |of: fn(&Fork) -> Option<u64>| counting(&series.forks).map(of).sum::<Option<u64>>();
    let counts = match (sum(|fork| fork.count), sum(|fork| fork.iterations)) {
        (Some(samples), Some(iterations)) => format!(": {samples} samples, {iterations} iterations"),
        _ => String::new(),
    };
    let seconds = |value: f64| units::duration(Duration::from_secs_f64(value.max(0.0)));
    let by_clock = if series.accounting == Accounting::Wall { " by the clock" } else { "" };
    let noun = if series.runs.is_some() { "run" } else { "fork" };
    let mut text = format!(
        "  measured {:.1} s{by_clock} in {}{counts}\n  warm-up {}, set-up {}, wall time {}\n",
        totals.measured_s,
        units::count(counted, noun),
        seconds(totals.warm_up_s),
        seconds(totals.setup_s),
        seconds(totals.wall_s),
    );
    let aside = series.forks.len() - counted;
    if aside > 0 {
        let _ = writeln!(text, "  note: {} disturbed and measured anew", units::count(aside, "fork"));
    }
    for rejected in &series.rejected {
        let _ = writeln!(text, "  note: measured again: {}, {}", rejected.reason, rejected.cause);
    }
    for line in &series.overrides {
        let _ = writeln!(text, "  note: {line}");
    }
    text
}

fn agreement(view: View, series: &BenchSeries) -> String {
    match view.deviation {
        Some(deviation) => format!("halves agree within {}", units::percent(deviation)),
        None if series.totals.forks >= 4 => "halves cannot be compared where a fork is 0".to_owned(),
        None => "too few forks to compare halves".to_owned(),
    }
}

fn quantity(value: f64, series: &BenchSeries) -> String {
    units::quantity(value, series.unit.as_deref().unwrap_or_default())
}

fn rate(amount: u64, kind: &str, series: &BenchSeries) -> String {
    let Some(cost) = series.cost.filter(|_| series.unit.as_deref() == Some("ns")) else {
        return format!("{amount} {kind} per iteration");
    };
    let per_second = amount as f64 / (cost.value / 1e9);
    let (value, prefix) = match per_second {
        v if v >= 1e9 => (v / 1e9, "G"),
        v if v >= 1e6 => (v / 1e6, "M"),
        v if v >= 1e3 => (v / 1e3, "k"),
        v => (v, ""),
    };
    let unit = match kind {
        "bytes" | "bytes_decimal" => format!("{prefix}B"),
        "bits" => format!("{prefix}bit"),
        other => format!("{prefix} {other}").trim_start().to_owned(),
    };
    format!("rate  {value:>8.2} {unit}/s at the low end")
}
