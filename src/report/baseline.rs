//! A baseline in words and for machines.

use crate::model::baseline::{Accounting, Baseline, BenchSeries, View};
use crate::model::units;
use serde_json::{Value, json};
use std::fmt::Write;
use std::time::Duration;

/// The benches of a baseline, a few lines each.
pub fn benches(baseline: &Baseline) -> String {
    let mut text = baseline.benches.iter().map(bench).collect::<String>();
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
        format!("{} {}{others}", series.bench.id, units::quantity(series.cost.value, &series.unit))
    });
    format!("{}  {}  {}", baseline.version, baseline.recorded_at, value.unwrap_or_default())
}

/// A series for machines, without its samples.
pub fn series_json(series: &BenchSeries) -> Value {
    json!({
        "id": series.bench.id,
        "package": series.bench.package,
        "target": series.bench.target,
        "harness": series.harness.name(),
        "harness_version": series.harness_version,
        "unit": series.unit,
        "accounting": series.accounting,
        "cost": series.cost,
        "felt": series.felt,
        "totals": series.totals,
        "plan": series.plan,
        "overrides": series.overrides,
        "throughput": series.throughput,
    })
}

fn bench(series: &BenchSeries) -> String {
    let mut text = format!("{} ({} of {})\n", series.bench.id, series.bench.target, series.bench.package);
    let totals = &series.totals;
    let forks = units::count(series.forks.len(), "fork");
    for (name, view, how) in
        [("cost", series.cost, "low end of the forks"), ("felt", series.felt, "median of the forks")]
    {
        let value = units::quantity(view.value, &series.unit);
        let _ = writeln!(text, "  {name}  {value:>10} per iteration   {how}, {}", agreement(view));
    }
    for throughput in &series.throughput {
        let _ = writeln!(text, "  {}", rate(throughput.amount, &throughput.kind, series));
    }
    let samples: u64 = series.forks.iter().map(|fork| fork.count).sum();
    let iterations: u64 = series.forks.iter().map(|fork| fork.iterations).sum();
    let seconds = |value: f64| units::duration(Duration::from_secs_f64(value));
    let by_clock = if series.accounting == Accounting::Wall { " by the clock" } else { "" };
    let _ = writeln!(
        text,
        "  measured {:.1} s{by_clock} in {forks}: {samples} samples, {iterations} iterations\n  warm-up {}, set-up {}, wall time {}",
        totals.measured_s,
        seconds(totals.warm_up_s),
        seconds(totals.setup_s),
        seconds(totals.wall_s),
    );
    for line in &series.overrides {
        let _ = writeln!(text, "  note: {line}");
    }
    text
}

fn agreement(view: View) -> String {
    match view.deviation {
        Some(deviation) => format!("halves agree within {}", units::percent(deviation)),
        None => "too few forks to compare halves".to_owned(),
    }
}

fn rate(amount: u64, kind: &str, series: &BenchSeries) -> String {
    if series.unit != "ns" {
        return format!("{amount} {kind} per iteration");
    }
    let per_second = amount as f64 / (series.cost.value / 1e9);
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
