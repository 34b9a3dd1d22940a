//! Searches the load at which a benchmark breaks: tries it once, probes it as the search asks, keeps each
//! attempt before the next one starts, and says what was found.

use super::Lab;
use super::classify::Terms;
use super::probing::{Probing, lasting};
use super::searching::{Attempt, Ended, Outside, Searching};
use crate::bench::selection::near_misses;
use crate::condition::{Condition, Known, is_of_time};
use crate::failure::{Failure, FailureKind};
use crate::model::duration::RunDuration;
use crate::model::event::Event;
use crate::model::metric::{MetricSpec, MetricValues};
use crate::model::parameter::Parameter;
use crate::model::search::{BreakingPoint, LoadInterval, ProbeOutcome, ProbeRecord, Purpose, SearchStatus};
use crate::model::units;
use crate::search::answer::{Answer, Edge};
use crate::search::course::Search;
use crate::search::settings::Settings;
use crate::store::probes::ProbeLog;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// What a benchmark is asked for that is only tried.
const TRIAL: Duration = Duration::from_secs(1);
/// What generators say of themselves that wait for each answer before they ask again.
const CLOSED: &str = "closed_loop";
/// Units of time that end the names of metrics. Minutes do not: a `_min` is the smallest of something.
const NAMED: [&str; 4] = ["_ns", "_us", "_ms", "_s"];
/// What ends the name of a rate.
const RATE: &str = "_per_s";
/// A limit that was measured may be off by so many standard deviations: 95 %.
const SIGMAS: f64 = 1.96;
/// How often the values are measured that a condition compares with, when they are measured here.
const BASELINE_PROBES: usize = 3;

/// A search, with everything that is settled before its first probe.
#[derive(Debug, Clone, Copy)]
pub struct Bisecting<'a> {
    /// What all probes have in common.
    pub probing: Probing<'a>,
    /// The loads.
    pub parameter: &'a Parameter,
    /// How certain it is to be.
    pub settings: &'a Settings,
    /// How long a probe measures.
    pub probe: &'a RunDuration,
    /// The pause between two probes, in which what was asked last is done.
    pub pause: Duration,
    /// What all probes together may take.
    pub most_time: Option<Duration>,
    /// Whether times of a closed loop are judged all the same.
    pub accept_closed: bool,
    /// How far the values that a condition compares with are known, as the standard deviation of their logarithm.
    pub baseline_noise: Option<f64>,
}

/// A search that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Bisected {
    /// What was found.
    pub found: BreakingPoint,
    /// Every attempt, oldest first.
    pub probes: Vec<ProbeRecord>,
}

impl Lab<'_> {
    /// Runs the benchmark for a moment at the smallest load, and finds out what is wrong before a long probe is
    /// spent on it. That it fails under its load is left to the search.
    ///
    /// # Errors
    /// `Usage` for a condition that names metrics which are not printed, or units that do not fit; `Benchmark`
    /// when it cannot be probed; `Blocked` for times of a closed loop.
    pub fn try_load(&mut self, order: &Bisecting<'_>) -> Result<(), Failure> {
        let probing = &order.probing;
        self.report(Event::PilotStarted { bench: probing.entry.benchmark.name.to_string() });
        let value = order.parameter.text(order.parameter.min);
        let asked = order.probe.measured().min(TRIAL);
        // What it compares with may not be measured yet.
        let terms = Terms { condition: None, ..*probing.terms };
        let tried = self.probe(&Probing { terms: &terms, ..*probing }, &value, asked, "trial")?;
        if let Some(condition) = probing.terms.condition {
            if !tried.metrics.is_empty() {
                condition
                    .check(&|name| known(probing, &tried, name))
                    .map_err(|failure| with_near(failure, condition, &tried.metrics))?;
            } else if tried.classified.outcome == ProbeOutcome::Pass && !condition.names().is_empty() {
                let name = &probing.entry.benchmark.name;
                return Err(Failure::benchmark(format!("{name} prints no metrics to decide {condition} by"))
                    .hint("let it print a line as in `PERF_METRICS p99_ms=12` (docs/external.md)"));
            }
        }
        expect_open(order, &tried.metrics)?;
        if tried.classified.outcome == ProbeOutcome::InfraError {
            let name = &probing.entry.benchmark.name;
            return Err(Failure::benchmark(format!("{name} cannot be probed: {}", tried.classified.reason))
                .hint(format!("its output is in {}", probing.folder.join("trial.stdout").display())));
        }
        Ok(())
    }

    /// Measures what a condition compares with, at the load of number `load`, by several probes.
    ///
    /// # Errors
    /// `Benchmark` when a probe fails or cannot be made.
    pub fn measure_at(&mut self, order: &Bisecting<'_>, load: u64) -> Result<Reference, Failure> {
        let value = order.parameter.text(load);
        let terms = Terms { condition: None, ..*order.probing.terms };
        let probing = Probing { terms: &terms, ..order.probing };
        let mut runs = Vec::new();
        for number in 1..=BASELINE_PROBES {
            let name = format!("baseline-{number}");
            let attempt = self.probe(&probing, &value, order.probe.measured(), &name)?;
            let text = format!("baseline {number} of {BASELINE_PROBES} at {value}");
            if attempt.classified.outcome != ProbeOutcome::Pass || attempt.metrics.is_empty() {
                return Err(Failure::benchmark(format!("{text}: {}", attempt.classified.reason))
                    .hint("choose a load at which it works with --baseline-at"));
            }
            self.report(Event::Notice { text });
            runs.push(attempt.metrics);
            self.interrupt.sleep(order.pause)?;
        }
        Ok(reference(&runs, order.probing.terms.condition))
    }

    /// Searches on behind `kept`, the attempts that `log` holds.
    ///
    /// # Errors
    /// A signal, and an attempt that cannot be kept. Everything that was attempted before is in the log.
    pub fn bisect(
        &mut self,
        order: &Bisecting<'_>,
        kept: Vec<ProbeRecord>,
        log: &mut ProbeLog,
    ) -> Result<Bisected, Failure> {
        let attempts = kept.len();
        let search = Search::new(order.settings.clone());
        let mut searching = Searching::resume(order.parameter, search, kept);
        let mut hands = Hands { lab: self, order, log, attempts, started: Instant::now(), foretold: false };
        let ended = searching.carry_out(&mut hands)?;
        let found = found(order, &searching, ended)?;
        Ok(Bisected { found, probes: searching.records().to_vec() })
    }
}

/// Values that a condition compares with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// They.
    pub values: MetricValues,
    /// How far those that count are known, as the standard deviation of their logarithm, where that can be told.
    pub noise: Option<f64>,
}

/// What is known of a metric that was seen, or that there is and could not be told of so short a run.
fn known(probing: &Probing<'_>, tried: &Attempt, name: &str) -> Option<Known> {
    let unit = probing.terms.declared.get(bare(name)).and_then(|spec| spec.unit.clone());
    let is_seen = tried.metrics.iter().any(|(metric, _)| metric.to_string() == name);
    (is_seen || tried.left_out.contains_key(name)).then_some(Known { unit })
}

/// The failure with the metrics that come near those that are not there.
fn with_near(failure: Failure, condition: &Condition, metrics: &MetricValues) -> Failure {
    let printed: Vec<String> = metrics.iter().map(|(name, _)| name.to_string()).collect();
    let named = condition.names().into_iter().chain(condition.baseline_names());
    let missing: Vec<String> = named.filter(|name| !printed.contains(name)).collect();
    let Some(first) = missing.first() else { return failure };
    let near = near_misses(first, printed.iter().map(String::as_str), 1);
    let prints = format!("it prints {}", printed.join(", "));
    failure.hint(match near.first() {
        Some(near) => format!("did you mean {near}? {prints}"),
        None => prints,
    })
}

/// Refuses to judge the times of a generator that has said that it waits for answers.
fn expect_open(order: &Bisecting<'_>, metrics: &MetricValues) -> Result<(), Failure> {
    let Probing { entry, terms, .. } = order.probing;
    let is_closed = metrics.flat.get(CLOSED).is_some_and(|closed| *closed != 0.0);
    let is_time = |name: &String| is_time(name, terms.declared.get(bare(name)));
    let judges_times = || terms.condition.is_some_and(|condition| condition.names().iter().any(is_time));
    if order.accept_closed || !is_closed || !judges_times() {
        return Ok(());
    }
    let name = &entry.benchmark.name;
    Err(Failure::new(
        FailureKind::Blocked,
        format!("{name} waits for each answer before it asks again, so its times hide every stall"),
    )
    .hint(
        "let it send requests on a schedule (docs/breaking-point.md), or judge its times all the same with \
         --accept-closed",
    ))
}

/// Whether a metric is a time: by its declared unit, or by its name.
fn is_time(name: &str, declared: Option<&MetricSpec>) -> bool {
    match declared.and_then(|spec| spec.unit.as_deref()) {
        Some(unit) => is_of_time(unit),
        None => !name.ends_with(RATE) && NAMED.iter().any(|unit| name.ends_with(unit)),
    }
}

/// The name of a metric without that of its scenario.
fn bare(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Of each metric that all runs have the middle value, and how far those that `condition` compares with are known.
fn reference(runs: &[MetricValues], condition: Option<&Condition>) -> Reference {
    let compared = condition.map(Condition::baseline_names).unwrap_or_default();
    let mut reference = Reference::default();
    for (name, _) in runs.iter().take(1).flat_map(MetricValues::iter) {
        let mut values: Vec<f64> = runs.iter().filter_map(|run| run.get(&name)).collect();
        values.sort_by(f64::total_cmp);
        if values.len() < runs.len() {
            continue;
        }
        reference.values.set(&name, values[values.len() / 2]);
        if compared.contains(&name.to_string()) {
            let both = [reference.noise, noise_of_mean(&values)];
            reference.noise = both.into_iter().flatten().reduce(f64::max);
        }
    }
    reference
}

/// The standard deviation of the mean of logarithms; `None` of fewer than two values, or where one has none.
pub fn noise_of_mean(values: &[f64]) -> Option<f64> {
    let logarithms: Vec<f64> = values.iter().filter(|value| **value > 0.0).map(|value| value.ln()).collect();
    let count = logarithms.len() as f64;
    if logarithms.len() < 2 || logarithms.len() < values.len() {
        return None;
    }
    let mean = logarithms.iter().sum::<f64>() / count;
    let squares: f64 = logarithms.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (count - 1.0) / count).sqrt())
}

/// What a search needs from outside: processes, the log, the clock and whoever listens.
struct Hands<'o, 'l, 'a> {
    lab: &'o mut Lab<'l>,
    order: &'o Bisecting<'a>,
    log: &'o mut ProbeLog,
    attempts: usize,
    started: Instant,
    foretold: bool,
}

impl Hands<'_, '_, '_> {
    fn length(&self, purpose: Purpose) -> Duration {
        if purpose == Purpose::Finish { self.order.probe.of_finish() } else { self.order.probe.measured() }
    }
}

impl Outside for Hands<'_, '_, '_> {
    fn probe(&mut self, load: u64, purpose: Purpose) -> Result<Attempt, Failure> {
        if self.attempts > 0 {
            self.lab.interrupt.sleep(self.order.pause)?;
        }
        self.attempts += 1;
        let value = self.order.parameter.text(load);
        let name = format!("probe-{:04}", self.attempts);
        let attempt = self.lab.probe(&self.order.probing, &value, self.length(purpose), &name)?;
        // What is tried for a moment may print nothing yet.
        expect_open(self.order, &attempt.metrics)?;
        self.lab.report(Event::ProbeFinished {
            attempt: self.attempts,
            load: value,
            purpose,
            outcome: attempt.classified.outcome,
            reason: attempt.classified.reason.clone(),
        });
        Ok(attempt)
    }

    fn keep(&mut self, record: &ProbeRecord) -> Result<(), Failure> {
        self.log.append(record)
    }

    fn pause(&mut self, time: Duration) -> Result<(), Failure> {
        self.lab.interrupt.sleep(time)
    }

    fn learned(&mut self, answer: &Answer) {
        let (Some(needs), Some(edge)) = (answer.needs, answer.edge) else { return };
        let most = self.order.settings.most_probes as u64;
        if self.foretold || needs <= most {
            return;
        }
        self.foretold = true;
        let parameter = self.order.parameter;
        let (low, high) = (parameter.text(edge.low), parameter.text(edge.high));
        self.lab.report(Event::Warning {
            text: format!(
                "the interval is {low} to {high} so far, and values differ so much that it takes about {} in \
                 all to make it as narrow as asked for; --max-probes is {most}, a larger --tolerance takes fewer",
                units::count(usize::try_from(needs).unwrap_or(usize::MAX), "probe")
            ),
        });
    }

    fn is_time_up(&self, purpose: Purpose) -> bool {
        let next = lasting(self.order.probing.entry, self.length(purpose));
        self.order.most_time.is_some_and(|most| self.started.elapsed() + next > most)
    }
}

/// The edge with all that it may be if the limit lies as far off as its noise allows.
fn widened(edge: Edge, search: &Search, noise: Option<f64>) -> Edge {
    let Some(noise) = noise.filter(|noise| *noise > 0.0) else { return edge };
    let [nearer, further] = [-SIGMAS * noise, SIGMAS * noise].map(|further| search.edge_for_limit(further));
    Edge {
        low: nearer.map_or(edge.low, |nearer| edge.low.min(nearer.low)),
        // Where nothing fails any more, it may not break in this range at all.
        high: further.map_or(search.top() + 1, |further| edge.high.max(further.high)),
        ..edge
    }
}

/// What was found, in loads as the benchmark is told them.
fn found(order: &Bisecting<'_>, searching: &Searching<'_>, ended: Ended) -> Result<BreakingPoint, Failure> {
    let answer = searching.search().answer();
    let stored = |load: u64| order.parameter.stored(load);
    // Without its last probes a search may believe anything.
    let edge = answer.edge.filter(|_| ended.status != SearchStatus::InfraError);
    let edge = edge.map(|edge| widened(edge, searching.search(), order.baseline_noise));
    let open = |high: u64| answer.island.is_none() && high > searching.search().top();
    let interval = edge.map(|edge| {
        Ok::<_, Failure>(LoadInterval {
            low: stored(edge.low)?,
            high: stored(edge.high)?,
            open: open(edge.high),
        })
    });
    // The rest have an interval at most, and nothing below it was tried for the sake of the answer.
    let said = edge.filter(|_| matches!(ended.status, SearchStatus::Found | SearchStatus::NonMonotone));
    Ok(BreakingPoint {
        status: ended.status,
        reason: ended.reason,
        condition: order.probing.terms.condition.map(ToString::to_string),
        smallest_failing: said.map(|edge| stored(edge.smallest_failing)).transpose()?,
        interval: interval.transpose()?,
        safe: said.map(|edge| stored(edge.safe())).transpose()?,
        passes: answer.passes.map(stored).transpose()?,
        recovers: answer.recovery.or(answer.island.and(answer.passes)).map(stored).transpose()?,
        confidence: order.settings.confidence,
        noise: answer.noise,
        baseline_noise: order.baseline_noise,
        needs: answer.needs,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_a_time_by_its_unit_or_else_by_its_name() {
        let of = |unit: &str| MetricSpec { unit: Some(unit.to_owned()), ..MetricSpec::default() };
        assert!(is_time("p99", Some(&of("ms"))) && is_time("low/p99_ms", None) && is_time("p99_us", None));
        assert!(!is_time("throughput_per_s", None) && !is_time("p99", None) && !is_time("rps_min", None));
        assert!(!is_time("queue_s", Some(&of("requests"))), "its unit is known");
    }
}
