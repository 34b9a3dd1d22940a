//! Rule 6 of an experiment: its baseline is of this machine and of these sources, and can be reproduced. A search
//! that compares with a baseline asks for the machine too.

use crate::failure::Failure;
use crate::lab::doubt::over_limit;
use crate::model::baseline::{Baseline, BenchSeries, MetricSeries};
use crate::model::bench::BenchName;
use crate::model::comparison::{BenchVerdict, ComparedBench};
use crate::model::environment::{Class, Difference, Environment, compare as differences};
use crate::model::experiment::Control;
use crate::model::metric::Aggregate;
use crate::model::rules::Rule;
use crate::model::units;
use crate::model::verdict::ViewName;
use crate::stats::summary::aggregate;

/// What of a build decides over numbers, beside the profile, and is the same wherever sources are checked out.
const BUILD: [&str; 5] = ["rustc", "rustflags", "encoded_rustflags", "target_cpu", "features"];
/// What of the settings of a machine decides over numbers.
const SETTINGS: [&str; 2] = ["governor", "turbo"];

/// What is refused against a baseline.
const EXPERIMENT: &str = "an experiment against";
const SEARCH: &str = "a search that compares with";
/// Why, where it was measured or built elsewhere.
const OTHER_MACHINE: &str = "is of another machine";
const OTHER_BUILD: &str = "was built otherwise";

/// Rule 6: the baseline is of this machine and of these sources.
///
/// # Errors
/// `Rule`, naming what differs.
pub fn expect_baseline(baseline: &Baseline, now: &Environment, same_sources: bool) -> Result<(), Failure> {
    if !same_sources {
        return Err(refused(EXPERIMENT, baseline, "was measured on other sources"));
    }
    expect_equal(EXPERIMENT, baseline, now, (OTHER_MACHINE, is_of_machine))
}

/// Rule 6: what was built of the sources of the baseline was built as the baseline was.
///
/// # Errors
/// `Rule`, naming what differs.
pub fn expect_same_build(baseline: &Baseline, built: &Environment) -> Result<(), Failure> {
    expect_equal(EXPERIMENT, baseline, built, (OTHER_BUILD, is_of_build))
}

/// Rule 6 of a search: the baseline that its condition compares with is of this machine and, where cargo `builds` what is
/// searched, of this toolchain. Its sources may be others: that is often the question.
///
/// # Errors
/// `Rule`, naming what differs.
pub fn expect_comparable(baseline: &Baseline, now: &Environment, builds: bool) -> Result<(), Failure> {
    let machine = expect_equal(SEARCH, baseline, now, (OTHER_MACHINE, is_of_machine));
    let build =
        || if builds { expect_equal(SEARCH, baseline, now, (OTHER_BUILD, is_of_build)) } else { Ok(()) };
    machine.and_then(|()| build()).map_err(|failure| {
        failure.hint(
            "measure it again here, on its sources: `cargo perf baseline`; or compare with what is measured first: \
             --baseline-at NUMBER",
        )
    })
}

/// In which kind of difference two environments are not equal, in words, and what is one of it.
type Kind = (&'static str, fn(&Difference) -> bool);

fn expect_equal(
    asked: &str,
    baseline: &Baseline,
    now: &Environment,
    (what, counts): Kind,
) -> Result<(), Failure> {
    let Some(found) = differences(&baseline.env, now).into_iter().find(counts) else { return Ok(()) };
    let shown = |value: Option<String>| value.unwrap_or_else(|| "unknown".to_owned());
    let text = format!("{what}: {} was {} and is {}", found.field, shown(found.a), shown(found.b));
    Err(refused(asked, baseline, &text))
}

fn refused(asked: &str, baseline: &Baseline, what: &str) -> Failure {
    Rule::CleanBaseline
        .refuses(format!("{asked} {}, which {what}", baseline.version))
        .hint("measure it again: `cargo perf baseline`")
}

/// Whether numbers on both sides of a difference are of two machines.
fn is_of_machine(found: &Difference) -> bool {
    match found.class {
        Class::Identity | Class::Machine => !found.unknown,
        Class::Build => false,
        // What was known of a machine is not forgotten by it.
        Class::Soft => found.a.is_some() && SETTINGS.contains(&found.field.as_str()),
    }
}

/// Whether they are of two ways to build.
fn is_of_build(found: &Difference) -> bool {
    let field = found.field.as_str();
    found.class == Class::Build && !found.unknown && (BUILD.contains(&field) || field.starts_with("profile."))
}

/// That the bench which setup chose is among those that are measured, and the baseline has numbers of it.
///
/// # Errors
/// `Usage` when it is not measured; `State` for a baseline without it.
pub fn expect_controlled(
    baseline: &Baseline,
    chosen: Option<&BenchName>,
    measured: &[&BenchName],
) -> Result<(), Failure> {
    let Some(chosen) = chosen.or(measured.first().copied()) else { return Ok(()) };
    if !measured.contains(&chosen) {
        return Err(Failure::usage(format!(
            "{chosen}, which setup chose, is not among what is to be measured"
        ))
        .hint("measure it too: with --expand \"why\" others may be measured beside it"));
    }
    if baseline.benches.iter().any(|series| series.bench == *chosen) {
        return Ok(());
    }
    Err(Failure::state(format!("baseline {} has no numbers of {chosen}", baseline.version))
        .hint("measure it again: `cargo perf baseline`"))
}

/// Rule 6: the base, measured beside the change, agrees with the baseline. Returns the number that is furthest away.
///
/// # Errors
/// `Rule` when it does not agree, unless that was approved: the way out is the caller's to say. `State` for a baseline without this bench.
pub fn control(baseline: &Baseline, compared: &ComparedBench, accepted: bool) -> Result<Control, Failure> {
    let lacks = || {
        Failure::state(format!("baseline {} has no numbers of {}", baseline.version, compared.bench))
            .hint("measure it again: `cargo perf baseline`")
    };
    let series = baseline.benches.iter().find(|series| series.bench == compared.bench).ok_or_else(lacks)?;
    let controls = compared.verdicts.iter().filter_map(|verdict| of(series, verdict));
    let furthest = controls.max_by(|a, b| a.deviation.total_cmp(&b.deviation)).ok_or_else(lacks)?;
    if accepted || over_limit(Some(furthest.deviation)).is_none() {
        return Ok(furthest);
    }
    Err(Rule::CleanBaseline.refuses(format!(
        "the experiment: {} is {} now and {} in the baseline {}, {} away",
        furthest.number,
        units::plain(furthest.measured),
        units::plain(furthest.stored),
        baseline.version,
        units::percent(furthest.deviation),
    )))
}

/// One number of the base beside that of the baseline; none where the baseline does not have it.
fn of(series: &BenchSeries, verdict: &BenchVerdict) -> Option<Control> {
    // The first series has more pairs than the second.
    let view = verdict.first.as_ref().or(verdict.views.first())?;
    let (number, stored) = if let Some(metric) = &verdict.metric {
        let is_it = |found: &&MetricSeries| found.name == metric.name && found.scenario == metric.scenario;
        // As a comparison takes them, whatever else the runs of the baseline were made into.
        let values = &series.metrics.iter().find(is_it)?.values;
        (metric.to_string(), aggregate(values, Aggregate::Median)?)
    } else {
        let stored = match view.view {
            ViewName::Cost => series.cost,
            ViewName::Felt => series.felt,
        };
        (view.view.name().to_owned(), stored?.value)
    };
    let measured = view.values.base;
    Some(Control { number, stored, measured, deviation: deviation(stored, measured) })
}

/// How far two numbers are apart, as a log ratio; as far as can be when one of them has no logarithm.
fn deviation(stored: f64, measured: f64) -> f64 {
    if stored.to_bits() == measured.to_bits() || (stored == 0.0 && measured == 0.0) {
        return 0.0;
    }
    let deviation = (measured / stored).ln().abs();
    if deviation.is_finite() { deviation } else { f64::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_without_a_logarithm_are_equal_or_far_apart() {
        assert_eq!(deviation(0.0, 0.0).to_bits(), 0.0f64.to_bits());
        assert_eq!(deviation(0.0, -0.0).to_bits(), 0.0f64.to_bits());
        assert!(deviation(0.0, 3.0) > 1e300 && deviation(3.0, 0.0) > 1e300 && deviation(-1.0, 2.0) > 1e300);
        assert!((deviation(100.0, 105.0) - 1.05f64.ln()).abs() < 1e-12);
    }
}
