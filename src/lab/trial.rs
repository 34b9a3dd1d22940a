//! Tries a benchmark once, to see that it runs and which metrics it has. Nothing of that counts.

use super::Lab;
use super::catalogue::{Entry, Program};
use super::demand::Demand;
use super::fork::{ForkOrder, ForkResult};
use super::metrics::{declared, expect_declared};
use super::observe::Watch;
use super::prepared::Prepared;
use super::program::external_sha256;
use super::series::{Series, views_of};
use crate::bench::reading::ForkRequest;
use crate::failure::Failure;
use crate::model::bench::HarnessKind;
use crate::model::event::Event;
use crate::model::investigation::MetricTerm;
use crate::model::metric::{Direction, MetricName, MetricValues};
use crate::sys::slot::Slot;
use std::path::Path;

/// Output of the trial that may go to disk.
const LOG_LIMIT: u64 = 1 << 20;

/// What a trial has shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// Each metric with what is known of its meaning, and its value this once.
    pub metrics: Vec<(MetricTerm, f64)>,
    /// Wall time, in seconds.
    pub wall_s: f64,
    /// SHA-256 of the executable, as far as it is one file.
    pub executable_sha256: Option<String>,
}

impl Lab<'_> {
    /// Tries `entry` once.
    ///
    /// # Errors
    /// `Environment` when its program is not there; `Benchmark` when it fails, prints no metrics, or not those
    /// that are declared of it.
    pub fn try_once(
        &mut self,
        entry: &Entry,
        demand: &Demand,
        slot: &Slot,
        folder: &Path,
    ) -> Result<Tried, Failure> {
        self.report(Event::PilotStarted { bench: entry.benchmark.name.to_string() });
        match (&entry.program, entry.benchmark.harness) {
            (Program::Bench(prepared), kind) if kind != HarnessKind::Custom => {
                self.try_bench(entry, prepared, demand, slot, folder)
            }
            (program, _) => {
                let (values, wall_s) = self.try_whole_program(entry, demand, slot, folder)?;
                expect_declared(entry, demand, &values)?;
                let executable_sha256 = match program {
                    Program::Bench(prepared) => Some(prepared.sha256.clone()),
                    Program::External(external) => external_sha256(external),
                };
                Ok(Tried { metrics: printed(entry, demand, &values), wall_s, executable_sha256 })
            }
        }
    }

    fn try_bench(
        &mut self,
        entry: &Entry,
        prepared: &Prepared,
        demand: &Demand,
        slot: &Slot,
        folder: &Path,
    ) -> Result<Tried, Failure> {
        let log = folder.join("trial.log");
        let order = ForkOrder::pilot(entry, prepared, demand, log, LOG_LIMIT, self.timeout);
        let result = self.fork(&order, slot, &mut Watch::start())?;
        let added = result.metrics.clone().unwrap_or_default();
        expect_declared(entry, demand, &added)?;
        let mut metrics = match &result.reading {
            None if result.has_metrics_alone() => Vec::new(),
            Some(_) => views(entry, demand, &result, order.request)?,
            None => announced(&result),
        };
        metrics.extend(printed(entry, demand, &added));
        Ok(Tried {
            metrics,
            wall_s: result.ended.wall.as_secs_f64(),
            executable_sha256: Some(prepared.sha256.clone()),
        })
    }
}

/// The two views of a fork. Both improve downwards: they are what one iteration costs.
fn views(
    entry: &Entry,
    demand: &Demand,
    result: &ForkResult,
    request: ForkRequest,
) -> Result<Vec<(MetricTerm, f64)>, Failure> {
    let mut series = Series::new(entry, &demand.duration);
    series.take(result, request)?;
    let unit = result.reading.as_ref().map_or("ns", |reading| reading.unit.as_str());
    let views = series.forks.iter().flat_map(views_of);
    Ok(views.map(|(name, value)| (view(name, unit), value)).collect())
}

/// A fork that was ended when it announced how long it takes has told that alone.
fn announced(result: &ForkResult) -> Vec<(MetricTerm, f64)> {
    let Some(announced) = result.announced else { return Vec::new() };
    let each = announced.estimate.as_secs_f64() * 1e9 / announced.iterations.max(1) as f64;
    ["cost", "felt"].map(|name| (view(name, "ns"), each)).to_vec()
}

fn view(name: &str, unit: &str) -> MetricTerm {
    let statistic = match name {
        "cost" => "low end of each fork, 10th percentile over forks",
        _ => "median of each fork, median over forks",
    };
    MetricTerm {
        name: name.to_owned(),
        unit: Some(unit.to_owned()),
        better: Some(Direction::Lower),
        statistic: Some(statistic.to_owned()),
        ..MetricTerm::default()
    }
}

/// Metrics that a program printed, with what is declared of them.
fn printed(entry: &Entry, demand: &Demand, values: &MetricValues) -> Vec<(MetricTerm, f64)> {
    let declared = declared(entry, demand);
    let statistic = demand.runs.map(|(runs, aggregate)| format!("{} of {runs} runs", aggregate.name()));
    let term = |(name, value): (MetricName, f64)| {
        let spec = declared.get(&name.name).cloned().unwrap_or_default();
        let term = MetricTerm {
            name: name.to_string(),
            unit: spec.unit,
            better: spec.better,
            statistic: statistic.clone(),
            ..MetricTerm::default()
        };
        (term, value)
    };
    values.iter().map(term).collect()
}
