//! What came of a probe: five things, of which two say something of the load. A benchmark that fails under
//! its load is an answer; one that could not run, or printed nothing to judge by, is none.

use crate::condition::{Condition, Quantity, Values};
use crate::failure::{Failure, FailureKind};
use crate::model::metric::{MetricName, MetricSpec, MetricValues};
use crate::model::search::ProbeOutcome;
use crate::model::units;
use crate::sys::ended::Exit;
use std::collections::BTreeMap;

/// The exit code by which a benchmark says that it could not run: `EX_TEMPFAIL` of sysexits.h.
pub const INFRA_EXIT: i32 = 75;
/// The codes by which shells and launchers say that a command is not there, or cannot be started.
const NOT_STARTED: [i32; 2] = [126, 127];
/// Of the requests that were planned, so many have to be sent.
const LEAST_SENT: f64 = 0.99;
/// What generators call the share of the planned requests that they sent.
const SENT: &str = "sent_ratio";
/// What they call the rate that was asked for, and the largest that they can send.
const RATE: &str = "rate_per_s";
const MOST: &str = "generator_max_per_s";
/// Above this share of it, what is measured may be the generator.
const HONEST_SHARE: f64 = 0.5;

/// What must hold, and what a benchmark means by its exit codes.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// What must hold; without it the exit code decides.
    pub condition: Option<&'a Condition>,
    /// What is declared of metrics.
    pub declared: &'a BTreeMap<String, MetricSpec>,
    /// The values of the baseline, for conditions that compare with it.
    pub baseline: &'a MetricValues,
    /// More codes by which it says that it could not run.
    pub infra_exits: &'a [i32],
}

/// A probe that has ended.
#[derive(Debug)]
pub struct Seen<'a> {
    /// The load, as a number.
    pub param: f64,
    /// How it ended.
    pub exit: Exit,
    /// Whether it did not end in time, and was ended.
    pub timed_out: bool,
    /// What it printed, or why that is nothing.
    pub metrics: Result<&'a MetricValues, &'a Failure>,
    /// Seconds that it measured, and those that it was asked for.
    pub measured_s: f64,
    /// See above.
    pub asked_s: f64,
}

/// What came of it, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Classified {
    /// What.
    pub outcome: ProbeOutcome,
    /// Why, in a few words.
    pub reason: String,
    /// How far the value that decides was beyond its limit, as a logarithm of their ratio.
    pub excess: Option<f64>,
}

impl Classified {
    fn new(outcome: ProbeOutcome, reason: impl Into<String>) -> Self {
        Self { outcome, reason: reason.into(), excess: None }
    }

    fn fail(reason: impl Into<String>) -> Self {
        Self::new(ProbeOutcome::Fail, reason)
    }

    fn infra(reason: impl Into<String>) -> Self {
        Self::new(ProbeOutcome::InfraError, reason)
    }
}

/// What came of a probe.
///
/// # Errors
/// `Usage` and `Blocked` of a condition that cannot be decided on any values.
pub fn classify(seen: &Seen<'_>, terms: &Terms<'_>) -> Result<Classified, Failure> {
    if seen.timed_out {
        return Ok(Classified::fail("it did not end in time"));
    }
    let code = match seen.exit {
        Exit::Signal(_) => return Ok(Classified::fail(seen.exit.to_string())),
        Exit::Code(code) => code,
    };
    if code == INFRA_EXIT || terms.infra_exits.contains(&code) {
        return Ok(Classified::infra(format!(
            "it exited with code {code}, which says that it could not run"
        )));
    }
    if NOT_STARTED.contains(&code) {
        return Ok(Classified::infra(format!("it exited with code {code}, as when a command is not found")));
    }
    if code != 0 && !terms.condition.is_some_and(Condition::uses_exit) {
        return Ok(Classified::fail(seen.exit.to_string()));
    }
    if code == 0 && seen.measured_s < seen.asked_s {
        return Ok(Classified::infra(format!(
            "it ended after {:.2} s, although it was asked for {} s",
            seen.measured_s, seen.asked_s
        )));
    }
    let none = MetricValues::default();
    let metrics = match seen.metrics {
        Ok(metrics) => metrics,
        // What failed has a reason to print nothing, and its exit code may be all that is asked.
        Err(_) if code != 0 || terms.condition.is_none() => &none,
        Err(failure) => return Ok(Classified::infra(failure.message.clone())),
    };
    if let Some(reason) = beyond_generator(metrics) {
        return Ok(Classified::new(ProbeOutcome::GeneratorLimited, reason));
    }
    let Some(condition) = terms.condition else {
        return Ok(unless_unsent(metrics, Classified::new(ProbeOutcome::Pass, "it exited with code 0")));
    };
    let values = Judged { metrics, code, param: seen.param, terms };
    match condition.evaluate(&values) {
        Ok(verdict) => {
            let why = |holds| verdict.comparisons.iter().find(|one| one.holds == holds).map(told);
            let told = why(verdict.holds).unwrap_or_else(|| condition.to_string());
            let decided = |outcome| Classified { excess: verdict.excess, ..Classified::new(outcome, told) };
            Ok(if verdict.holds {
                unless_unsent(metrics, decided(ProbeOutcome::Pass))
            } else {
                decided(ProbeOutcome::Fail)
            })
        }
        Err(_) if code != 0 => Ok(Classified::fail(seen.exit.to_string())),
        Err(failure) if failure.kind == FailureKind::Benchmark => Ok(Classified::infra(failure.message)),
        Err(failure) => Err(failure),
    }
}

/// A pass, unless requests were left out: they are load that was never there.
fn unless_unsent(metrics: &MetricValues, pass: Classified) -> Classified {
    match metrics.flat.get(SENT).filter(|sent| **sent < LEAST_SENT) {
        None => pass,
        Some(sent) => Classified::new(
            ProbeOutcome::GeneratorLimited,
            format!("only {:.1} % of the planned requests were sent", 100.0 * sent),
        ),
    }
}

/// Why the load is more than its generator sends without being the bottleneck itself.
fn beyond_generator(metrics: &MetricValues) -> Option<String> {
    let of = |name| metrics.flat.get(name).copied();
    let (rate, most) = (of(RATE)?, of(MOST)?);
    (rate > HONEST_SHARE * most).then(|| {
        format!("{rate:.0} requests a second are more than half of the {most:.0} that can be sent here")
    })
}

fn told(one: &crate::condition::Compared) -> String {
    let unit = one.left.unit.as_deref().unwrap_or_default();
    format!("{} is {} {unit}", one.text, units::plain(one.left.value)).trim_end().to_owned()
}

/// What a condition is decided on.
struct Judged<'a> {
    metrics: &'a MetricValues,
    code: i32,
    param: f64,
    terms: &'a Terms<'a>,
}

impl Judged<'_> {
    fn of(&self, values: &MetricValues, name: &str) -> Option<Quantity> {
        let (scenario, plain) = match name.split_once('/') {
            Some((scenario, plain)) => (Some(scenario.to_owned()), plain),
            None => (None, name),
        };
        let value = values.get(&MetricName { scenario, name: plain.to_owned() })?;
        let unit = self.terms.declared.get(plain).and_then(|spec| spec.unit.clone());
        Some(Quantity { value, unit })
    }
}

impl Values for Judged<'_> {
    fn value(&self, name: &str) -> Option<Quantity> {
        self.of(self.metrics, name)
    }

    fn baseline(&self, name: &str) -> Option<Quantity> {
        self.of(self.terms.baseline, name)
    }

    fn param(&self) -> Option<f64> {
        Some(self.param)
    }

    fn exit(&self) -> Option<i32> {
        Some(self.code)
    }

    fn names(&self) -> Vec<String> {
        self.metrics.iter().map(|(name, _)| name.to_string()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(pairs: &[(&str, f64)]) -> MetricValues {
        let flat = pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        MetricValues { flat, ..MetricValues::default() }
    }

    struct Probe {
        exit: Exit,
        timed_out: bool,
        metrics: Option<MetricValues>,
        measured_s: f64,
    }

    impl Probe {
        fn printing(pairs: &[(&str, f64)]) -> Self {
            Self { exit: Exit::Code(0), timed_out: false, metrics: Some(metrics(pairs)), measured_s: 30.0 }
        }

        fn silent(exit: Exit) -> Self {
            Self { exit, metrics: None, ..Self::printing(&[]) }
        }

        fn under(&self, condition: Option<&str>) -> Result<Classified, Failure> {
            let condition = condition.map(|text| Condition::parse(text).expect("a condition"));
            let missing = Failure::benchmark("it printed no metrics");
            let seen = Seen {
                param: 200.0,
                exit: self.exit,
                timed_out: self.timed_out,
                metrics: self.metrics.as_ref().ok_or(&missing),
                measured_s: self.measured_s,
                asked_s: 30.0,
            };
            let terms = Terms {
                condition: condition.as_ref(),
                declared: &BTreeMap::new(),
                baseline: &metrics(&[("rps", 100.0)]),
                infra_exits: &[9],
            };
            classify(&seen, &terms)
        }

        fn is(&self, condition: Option<&str>) -> ProbeOutcome {
            self.under(condition).expect("decided").outcome
        }
    }

    #[test]
    fn a_condition_says_pass_or_fail_and_how_far() {
        let probe = Probe::printing(&[("p99", 40.0), ("rps", 190.0)]);
        let pass = probe.under(Some("p99 < 50")).expect("decided");
        assert_eq!((pass.outcome, pass.reason.as_str()), (ProbeOutcome::Pass, "p99 < 50 is 40"));
        assert!(pass.excess.is_some_and(|excess| (excess - 0.8_f64.ln()).abs() < 1e-9));
        let fail = probe.under(Some("p99 < 50 && rps >= param")).expect("decided");
        assert_eq!((fail.outcome, fail.reason.as_str()), (ProbeOutcome::Fail, "rps >= param is 190"));
        assert!(fail.excess.is_some_and(|excess| excess > 0.0));
        assert_eq!(probe.is(Some("rps >= 2 * baseline")), ProbeOutcome::Fail);
    }

    #[test]
    fn without_a_condition_the_exit_code_decides_and_no_metric_is_needed() {
        assert_eq!(Probe::silent(Exit::Code(0)).is(None), ProbeOutcome::Pass);
        assert_eq!(Probe::silent(Exit::Code(1)).is(None), ProbeOutcome::Fail);
        assert_eq!(Probe::silent(Exit::Signal(11)).is(Some("p99 < 50")), ProbeOutcome::Fail);
        let hung = Probe { timed_out: true, ..Probe::silent(Exit::Signal(9)) };
        assert_eq!(hung.under(None).expect("decided").reason, "it did not end in time");
    }

    #[test]
    fn what_could_not_run_or_be_judged_is_no_fail() {
        for code in [INFRA_EXIT, 9, 126, 127] {
            for condition in ["p99 < 50", "p99 < 50 && exit == 0"] {
                let outcome = Probe::silent(Exit::Code(code)).is(Some(condition));
                assert_eq!(outcome, ProbeOutcome::InfraError, "{code} under {condition}");
            }
        }
        assert_eq!(Probe::silent(Exit::Code(0)).is(Some("p99 < 50")), ProbeOutcome::InfraError);
        assert_eq!(Probe::printing(&[("p50", 1.0)]).is(Some("p99 < 50")), ProbeOutcome::InfraError);
        assert_eq!(Probe::printing(&[("p99", f64::NAN)]).is(Some("p99 < 50")), ProbeOutcome::InfraError);
        let short = Probe { measured_s: 3.0, ..Probe::printing(&[("p99", 40.0)]) };
        let said = short.under(Some("p99 < 50")).expect("decided");
        assert_eq!(said.outcome, ProbeOutcome::InfraError);
        assert_eq!(said.reason, "it ended after 3.00 s, although it was asked for 30 s");
    }

    #[test]
    fn a_condition_may_ask_for_the_exit_code() {
        assert_eq!(Probe::silent(Exit::Code(3)).is(Some("exit == 3")), ProbeOutcome::Pass);
        assert_eq!(Probe::silent(Exit::Code(2)).is(Some("exit == 0 && p99 < 50")), ProbeOutcome::Fail);
    }

    #[test]
    fn load_that_was_not_sent_proves_nothing_unless_it_was_too_much_already() {
        let probe = |p99| Probe::printing(&[("p99", p99), ("sent_ratio", 0.9)]);
        assert_eq!(probe(40.0).is(Some("p99 < 50")), ProbeOutcome::GeneratorLimited);
        assert_eq!(probe(60.0).is(Some("p99 < 50")), ProbeOutcome::Fail);
        assert_eq!(probe(40.0).is(None), ProbeOutcome::GeneratorLimited);
    }

    #[test]
    fn what_may_be_the_generator_itself_is_no_fail_of_what_it_loads() {
        let probe =
            |rate| Probe::printing(&[("p99", 60.0), ("rate_per_s", rate), ("generator_max_per_s", 1000.0)]);
        assert_eq!(probe(500.0).is(Some("p99 < 50")), ProbeOutcome::Fail);
        assert_eq!(probe(501.0).is(Some("p99 < 50")), ProbeOutcome::GeneratorLimited);
        assert_eq!(
            (probe(500.0).is(None), probe(501.0).is(None)),
            (ProbeOutcome::Pass, ProbeOutcome::GeneratorLimited)
        );
    }

    #[test]
    fn a_condition_that_nothing_decides_is_an_error() {
        let failure = Probe::printing(&[("p99", 1.0)]).under(Some("p99 < baseline")).expect_err("refused");
        assert_eq!(failure.kind, FailureKind::Blocked);
    }
}
