//! Phase 9: what follows from the experiments, and what was decided.

use crate::condition::{Compared, Condition, Quantity, Values};
use crate::failure::Failure;
use crate::model::bench::BenchName;
use crate::model::decision::{Course, Decision, Recommendation};
use crate::model::experiment::{Doubt, Experiment, ExperimentFinding, ExperimentVerdict, NumberChange};
use crate::model::investigation::{Effect, Investigation};
use crate::model::outcome::{Finding, MOST_FINDINGS, NextStep, Outcome, Phase, Pointer, PointerKind, Status};
use crate::model::rules::Rule;
use crate::model::units;
use crate::model::verdict::{Effect as Percent, Verdict, ViewName};
use crate::sys::invocation::line;

/// What follows from what was measured.
pub fn recommend(open: &Investigation) -> Recommendation {
    let concluded = |verdict: ExperimentVerdict| {
        let of =
            move |experiment: &&Experiment| experiment.verdict() == Some(verdict) && open.counts(experiment);
        open.own_experiments().filter(of).collect::<Vec<&Experiment>>()
    };
    let (accepted, rejected) = (concluded(ExperimentVerdict::Accept), concluded(ExperimentVerdict::Reject));
    let mut doubtful = concluded(ExperimentVerdict::Inconclusive);
    doubtful.extend(open.own_experiments().filter(|experiment| open.is_contradicted(experiment)));
    // Whoever went on did so in spite of earlier ones.
    doubtful.retain(|experiment| experiment.round == open.round() && !open.is_tried_again(experiment));
    let (present, earlier): (Vec<_>, Vec<_>) =
        accepted.into_iter().partition(|experiment| open.is_of_present(experiment));
    let best = best_of(open, &present);
    let (verdict, why) = match &best {
        Some((kept, success)) => with_an_improvement(kept, success.holds),
        None if !earlier.is_empty() && doubtful.is_empty() => with_earlier(open, &earlier),
        None if !doubtful.is_empty() => (
            Course::Continue,
            format!(
                "nothing can be told of {} yet: {}, or try another change",
                ids(&doubtful),
                remedies(&doubtful)
            ),
        ),
        None if !rejected.is_empty() => {
            (Course::Stop, format!("{} tried, none is worth keeping", units::count(rejected.len(), "change")))
        }
        None => (Course::Stop, without_a_verdict(open)),
    };
    let (keep, success) =
        best.map_or((None, Success::default()), |(kept, success)| (Some(kept.id.clone()), success));
    Recommendation {
        verdict,
        why,
        keep,
        success: success.holds,
        reasons: success.reasons,
        short: open.own_experiments().filter(|one| one.is_short()).map(|one| one.id.clone()).collect(),
    }
}

/// Why to stop where no experiment of this round has told anything.
fn without_a_verdict(open: &Investigation) -> String {
    match open.own_experiments().count() {
        0 => "no change was tried, so there is nothing to keep".to_owned(),
        tried => format!("{} tried, none was accepted", units::count(tried, "change")),
    }
}

/// The accepted experiment that is worth keeping: one that meets the condition, else the one with the largest effect.
fn best_of<'a>(open: &Investigation, accepted: &[&'a Experiment]) -> Option<(&'a Experiment, Success)> {
    let effect = |experiment: &Experiment| {
        let numbers = experiment.finding.iter().flat_map(|finding| &finding.numbers);
        let better = numbers.filter(|number| number.verdict == Verdict::Improved);
        better.filter_map(|number| number.effect).map(|effect| effect.percent.abs()).fold(0.0, f64::max)
    };
    accepted
        .iter()
        .filter_map(|experiment| Some((*experiment, success(open, experiment.finding.as_ref()?))))
        .max_by(|a, b| {
            let meets = |found: &(&Experiment, Success)| found.1.holds == Some(true);
            meets(a).cmp(&meets(b)).then(effect(a.0).total_cmp(&effect(b.0)))
        })
}

fn with_an_improvement(kept: &Experiment, success: Option<bool>) -> (Course, String) {
    let why = kept.finding.as_ref().map(|finding| finding.why.clone()).unwrap_or_default();
    let id = &kept.id;
    match success {
        Some(true) => (Course::Stop, format!("{id} meets the condition of success; {why}")),
        Some(false) => (
            Course::Continue,
            format!("{id} is worth keeping and does not meet the condition of success yet; {why}"),
        ),
        None => (
            Course::Continue,
            format!("{id} is worth keeping, and whether it suffices cannot be told; {why}"),
        ),
    }
}

/// What follows from changes that were accepted on sources which the baseline is not of: it was measured since, with
/// them or without.
fn with_earlier(open: &Investigation, earlier: &[&Experiment]) -> (Course, String) {
    let since = "the baseline was measured on other sources since, and stays as it is";
    match best_of(open, earlier) {
        Some((kept, success)) => {
            let (course, why) = with_an_improvement(kept, success.holds);
            (course, format!("{why}; {since}"))
        }
        None => (Course::Continue, format!("{} helped; {since}", ids(earlier))),
    }
}

/// What would settle experiments that are in doubt.
fn remedies(doubtful: &[&Experiment]) -> String {
    let doubts = doubtful.iter().filter_map(|experiment| match experiment.verdict() {
        Some(ExperimentVerdict::Inconclusive) => experiment.finding.as_ref()?.doubt,
        _ => Some(Doubt::Contradiction),
    });
    let mut found: Vec<&str> = doubts.map(Doubt::remedy).collect();
    found.dedup();
    found.join(", or ")
}

fn ids(experiments: &[&Experiment]) -> String {
    experiments.iter().map(|experiment| experiment.id.as_str()).collect::<Vec<_>>().join(", ")
}

/// Whether the condition of success holds, and the comparisons of it in words.
#[derive(Debug, Default)]
struct Success {
    holds: Option<bool>,
    reasons: Vec<String>,
}

/// Of so many numbers in a condition all ends are tried.
const MOST_NAMES: usize = 10;

/// Whether the condition of success holds with the change: only when it does at all ends of the intervals.
fn success(open: &Investigation, finding: &ExperimentFinding) -> Success {
    let bench = open.benchmark.as_ref().and_then(|benchmark| benchmark.bench.as_ref());
    let at = |condition: &Condition, end: &dyn Fn(&str) -> End| {
        condition.evaluate(&Measured { finding, bench, end })
    };
    let parsed = Condition::parse(&open.scenario.success_criteria);
    let (condition, verdict) = match parsed.and_then(|found| Ok((at(&found, &|_| End::Estimate)?, found))) {
        Ok((verdict, condition)) => (condition, verdict),
        Err(failure) => {
            let way_out = "begin another investigation with a condition on what is measured";
            let reason =
                format!("{}; {way_out}, `cargo perf setup --id NEW --success CONDITION`", failure.message);
            return Success { holds: None, reasons: vec![reason] };
        }
    };
    let mut reasons: Vec<String> = verdict.comparisons.iter().map(shown).collect();
    let names: Vec<String> = condition.names().into_iter().collect();
    // What one number is at its best may come with the worst of another.
    let everywhere = names.len() <= MOST_NAMES
        && (0..1_u32 << names.len()).all(|ends| {
            let end = |name: &str| match names.iter().position(|other| other == name) {
                Some(place) if ends >> place & 1 == 1 => End::High,
                Some(_) => End::Low,
                None => End::Estimate,
            };
            at(&condition, &end).is_ok_and(|at| at.holds == verdict.holds)
        });
    if !everywhere {
        reasons.push(
            "within the interval of the effect it holds and does not hold: measure it for longer".to_owned(),
        );
    }
    Success { holds: everywhere.then_some(verdict.holds), reasons }
}

/// A comparison of the condition with its values, and how far it is from holding.
fn shown(made: &Compared) -> String {
    let quantity = |quantity: &Quantity| {
        let unit = quantity.unit.as_deref().map(|unit| format!(" {unit}")).unwrap_or_default();
        format!("{}{unit}", units::plain(quantity.value))
    };
    let (left, right) = (quantity(&made.left), quantity(&made.right));
    let remaining = ((made.left.value - made.right.value) / made.left.value).abs();
    let holds = if made.holds { "holds" } else { "does not hold" };
    let compared = format!("{}: {holds}, {left} against {right}", made.text);
    if made.holds || !remaining.is_finite() {
        return compared;
    }
    format!("{compared}, {} remain", units::share(remaining))
}

/// The numbers of the benchmark that setup chose: values are those with the change, stored ones those of the base beside
/// it.
struct Measured<'a> {
    finding: &'a ExperimentFinding,
    bench: Option<&'a BenchName>,
    end: &'a dyn Fn(&str) -> End,
}

/// Which value of an interval stands for what was measured with the change.
#[derive(Debug, Clone, Copy)]
enum End {
    Estimate,
    Low,
    High,
}

impl End {
    /// The value with the change; what has no interval has only one.
    fn of(self, effect: Option<Percent>, base: f64, candidate: f64) -> f64 {
        match (self, effect) {
            (Self::Low, Some(effect)) => base * (1.0 + effect.low / 100.0),
            (Self::High, Some(effect)) => base * (1.0 + effect.high / 100.0),
            _ => candidate,
        }
    }
}

impl Measured<'_> {
    fn numbers(&self) -> impl Iterator<Item = &NumberChange> {
        self.finding.numbers.iter().filter(|number| self.bench.is_none_or(|bench| *bench == number.bench))
    }

    fn both(&self, name: &str) -> Option<(Quantity, Quantity)> {
        let view = [ViewName::Cost, ViewName::Felt].into_iter().find(|view| view.name() == name);
        self.numbers().find_map(|number| {
            let quantity = |value: f64| Quantity { value, unit: number.unit.clone() };
            let (effect, base, candidate) = match (&number.metric, view) {
                (Some(metric), _) if metric.to_string() == name => {
                    (number.effect, number.base, number.candidate)
                }
                (None, Some(view)) if number.view == view => (number.effect, number.base, number.candidate),
                (None, Some(view)) => {
                    let other = number.other_view.as_ref().filter(|other| other.view == view)?;
                    (other.effect, other.base, other.candidate)
                }
                _ => return None,
            };
            Some((quantity(base), quantity((self.end)(name).of(effect, base, candidate))))
        })
    }
}

impl Values for Measured<'_> {
    fn value(&self, name: &str) -> Option<Quantity> {
        self.both(name).map(|(_, candidate)| candidate)
    }

    fn baseline(&self, name: &str) -> Option<Quantity> {
        self.both(name).map(|(base, _)| base)
    }

    fn param(&self) -> Option<f64> {
        None
    }

    fn exit(&self) -> Option<i32> {
        // A fork that fails ends the experiment.
        Some(0)
    }

    fn names(&self) -> Vec<String> {
        self.numbers().map(NumberChange::name).collect()
    }
}

/// Which numbers the baseline is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// Those that were measured.
    Baseline,
    /// Those of an experiment.
    Experiment(String),
}

impl From<String> for Keep {
    fn from(word: String) -> Self {
        if word == "none" { Self::Baseline } else { Self::Experiment(word) }
    }
}

impl Keep {
    /// The experiment, if one is meant.
    ///
    /// # Errors
    /// `Usage` for one that was not accepted, or on other sources than the baseline is of.
    fn id(self, open: &Investigation) -> Result<Option<String>, Failure> {
        let Self::Experiment(id) = self else { return Ok(None) };
        let known = || {
            open.own_experiments().filter(|experiment| {
                experiment.verdict() == Some(ExperimentVerdict::Accept)
                    && open.counts(experiment)
                    && open.is_of_present(experiment)
            })
        };
        if known().any(|experiment| experiment.id == id) {
            return Ok(Some(id));
        }
        let there: Vec<&Experiment> = known().collect();
        let hint = if there.is_empty() {
            "--keep none leaves the baseline as it was measured".to_owned()
        } else {
            format!("--keep takes none or one of: {}", ids(&there))
        };
        Err(Failure::usage(format!("{id} is no accepted experiment against the present baseline")).hint(hint))
    }
}

/// What was decided, and by which command.
#[derive(Debug)]
pub struct Decided<'a> {
    /// Whether it goes on.
    pub verdict: Course,
    /// Why.
    pub rationale: &'a str,
    /// The experiment that is to be kept, where somebody said which.
    pub keep: Option<Keep>,
    /// The command, the program first.
    pub command: Vec<String>,
    /// The state, relative to the root.
    pub state: String,
    /// RFC 3339.
    pub now: String,
}

/// The outcome of the phase.
///
/// # Errors
/// `Usage` for an experiment that cannot be kept.
pub fn outcome(open: &Investigation, decided: &Decided<'_>) -> Result<Outcome, Failure> {
    let recommendation = recommend(open);
    let keep = match decided.keep.clone() {
        Some(keep) => keep.id(open)?,
        None => recommendation.keep.clone(),
    };
    let word = decided.verdict.name();
    let findings = findings(open, &recommendation, &decided.state);
    let decision = Decision {
        verdict: decided.verdict,
        rationale: decided.rationale.to_owned(),
        agrees: recommendation.verdict == decided.verdict && recommendation.keep == keep,
        keep,
        recommendation,
        decided_at: decided.now.clone(),
        other: serde_json::Map::new(),
    };
    let rules = Rule::ALL.map(|rule| match rule {
        Rule::LogAndCheckpoint => rule.logged(),
        Rule::ClearTerms => rule.pass("each number of the condition has its unit"),
        _ => rule.of_no_measurement(),
    });
    Ok(Outcome {
        phase: Phase::Decision,
        status: Status::InProgress,
        started_at: decided.now.clone(),
        findings,
        summary: decision.lines(),
        decision: Some(format!("{word}: {}", decided.rationale)),
        evidence: vec![
            Pointer::new(PointerKind::Command, line(&decided.command)),
            Pointer::new(PointerKind::File, format!("{}#/experiments", decided.state)),
        ],
        rules: rules.to_vec(),
        delta: Some(word.to_owned()),
        next: NextStep::Argv(["cargo", "perf", "next"].map(str::to_owned).to_vec()),
        effect: Effect::Decision(Box::new(decision)),
    })
}

fn findings(open: &Investigation, recommendation: &Recommendation, state: &str) -> Vec<Finding> {
    let mut findings: Vec<Finding> = open
        .experiments
        .iter()
        .enumerate()
        .filter_map(|(index, any)| {
            let experiment = any.ours().filter(|experiment| experiment.finding.is_some())?;
            Some(Finding { text: experiment.described(), evidence: format!("{state}#/experiments/{index}") })
        })
        .collect();
    findings.reverse();
    findings.truncate(MOST_FINDINGS - 1);
    let evidence = format!("{state}#/scenario/successCriteria");
    findings.extend(recommendation.reasons.first().map(|reason| Finding { text: reason.clone(), evidence }));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::experiment::AnyExperiment;
    use serde_json::{Value, from_value, json};

    const NOW: &str = "2026-01-01T00:00:00Z";
    const BEFORE: &str = "2025-12-31T00:00:00Z";

    /// An investigation with a baseline of the sources `new`, and these experiments.
    fn open(experiments: &[Value]) -> Investigation {
        let mut open = Investigation::new("a", NOW);
        let baseline = json!({"version": "v1", "file": "v1.json", "recordedAt": NOW, "sources": "new"});
        open.baselines.push(from_value(baseline).expect("a baseline"));
        for experiment in experiments {
            let ours = from_value::<AnyExperiment>(experiment.clone()).expect("an experiment");
            assert!(ours.ours().is_some());
            open.experiments.push(ours);
        }
        open
    }

    /// An experiment against an earlier baseline.
    fn experiment(id: &str, verdict: &str, round: u64, [sources, result]: [&str; 2]) -> Value {
        let file = json!({"path": "x", "sha256": "x"});
        json!({
            "id": id, "round": round, "baseline": "v1", "baselineRecordedAt": BEFORE, "status": "complete",
            "startedAt": NOW,
            "change": {"summary": id, "source": "patch", "patch": file, "base": "x", "sources": sources, "tree": "x", "result": result, "files": 1},
            "finding": {
                "verdict": verdict, "why": "so", "numbers": [], "place": "/benches/0", "comparison": file,
                "control": {"number": "cost", "stored": 1.0, "measured": 1.0, "deviation": 0.0},
                "unchanged": {"head": "x", "indexSha256": "x", "filesSha256": "x"},
            },
        })
    }

    #[test]
    fn s24_a_doubt_ends_with_its_round_or_with_another_try() {
        let doubtful = experiment("E1", "inconclusive", 0, ["new", "t1"]);
        let other = experiment("E2", "reject", 0, ["new", "t2"]);
        assert_eq!(recommend(&open(&[doubtful.clone(), other])).verdict, Course::Continue);
        let again = experiment("E2", "reject", 0, ["new", "t1"]);
        assert_eq!(recommend(&open(&[doubtful.clone(), again])).verdict, Course::Stop);
        let mut gone_on = open(&[doubtful, experiment("E2", "reject", 1, ["new", "t2"])]);
        let decided = json!({"phase": "decision", "status": "complete", "startedAt": NOW, "finishedAt": NOW, "decided": "continue"});
        gone_on.phases.push(from_value(decided).expect("a record"));
        assert_eq!(recommend(&gone_on).verdict, Course::Stop);
    }

    /// S-24: the condition counts as met when both ends of the interval meet it.
    #[test]
    fn s24_a_condition_at_the_edge_of_the_interval_cannot_be_told() {
        let recommended = |percent: f64, half: f64| {
            let mut accepted = experiment("E1", "accept", 0, ["new", "t1"]);
            accepted["finding"]["numbers"] = json!([{
                "bench": {"package": "p", "target": "t", "id": "b"}, "view": "cost", "verdict": "improved",
                "effect": {"percent": percent, "low": percent - half, "high": percent + half},
                "base": 100.0, "candidate": 100.0 + percent,
            }]);
            let mut open = open(&[accepted]);
            open.scenario.success_criteria = "cost <= baseline * 0.9".to_owned();
            let found = recommend(&open);
            (found.verdict, found.success, found.reasons.join("; "))
        };
        assert_eq!(recommended(-15.0, 2.0).1, Some(true));
        let (course, success, reasons) = recommended(-10.1, 4.0);
        assert_eq!((course, success), (Course::Continue, None));
        assert!(reasons.contains("holds and does not hold: measure it for longer"), "{reasons}");
        let (course, success, reasons) = recommended(-5.0, 1.0);
        assert_eq!((course, success), (Course::Continue, Some(false)));
        assert!(reasons.contains("does not hold, 95 ns against 90 ns, 5.3 % remain"), "{reasons}");
    }

    /// Each of two halves holds somewhere, and neither everywhere.
    #[test]
    fn s24_ends_of_two_numbers_are_tried_in_all_ways() {
        let number = |name: &str, value: f64| {
            json!({
                "bench": {"package": "p", "target": "t", "id": "b"}, "view": "cost", "verdict": "improved",
                "metric": {"name": name}, "effect": {"percent": -50.0, "low": -55.0, "high": -45.0},
                "base": 2.0 * value, "candidate": value,
            })
        };
        let told = |condition: &str| {
            let mut accepted = experiment("E1", "accept", 0, ["new", "t1"]);
            accepted["finding"]["numbers"] = json!([number("a", 50.0), number("b", 100.0)]);
            let mut open = open(&[accepted]);
            open.scenario.success_criteria = condition.to_owned();
            recommend(&open).success
        };
        assert_eq!(told("a < 52 || b > 98"), None);
        assert_eq!(told("a < 56 || b > 98"), Some(true));
        assert_eq!(told("a < 44 && b > 98"), Some(false));
    }

    #[test]
    fn k07_one_change_with_two_verdicts_has_none_until_most_agree() {
        let change = ["new", "t1"];
        let mut tried = vec![experiment("E1", "accept", 0, change), experiment("E2", "reject", 0, change)];
        let found = recommend(&open(&tried));
        assert_eq!((found.verdict, found.keep), (Course::Continue, None));
        assert!(found.why.contains("E2") && found.why.contains("try it again"), "{}", found.why);
        tried.push(experiment("E3", "accept", 0, change));
        assert_eq!(recommend(&open(&tried)).keep.as_deref(), Some("E3"));
        tried[2]["finding"]["verdict"] = json!("reject");
        let found = recommend(&open(&tried));
        assert_eq!((found.verdict, found.keep), (Course::Stop, None));
    }

    #[test]
    fn k07_sixty_seconds_outweigh_less() {
        let mut short = experiment("E1", "accept", 0, ["new", "t1"]);
        short["finding"]["short"] = json!({"text": "a look", "who": "ann", "when": NOW});
        let full = |verdict| experiment("E2", verdict, 0, ["new", "t1"]);
        let found = recommend(&open(&[short.clone(), full("reject")]));
        assert_eq!((found.verdict, found.keep), (Course::Stop, None));
        let found = recommend(&open(&[short, full("inconclusive")]));
        assert_eq!((found.verdict, found.keep), (Course::Continue, None));
    }

    #[test]
    fn s24_what_was_tried_in_vain_was_tried() {
        let mut gone_on = open(&[experiment("E1", "inconclusive", 0, ["new", "t1"])]);
        let decided = json!({"phase": "decision", "status": "complete", "startedAt": NOW, "finishedAt": NOW, "decided": "continue"});
        gone_on.phases.push(from_value(decided).expect("a record"));
        assert_eq!(recommend(&gone_on).why, "1 change tried, none was accepted");
        assert!(recommend(&open(&[])).why.starts_with("no change was tried"));
    }

    #[test]
    fn s24_what_was_accepted_counts_on_the_sources_of_the_baseline() {
        let found = recommend(&open(&[experiment("E1", "accept", 0, ["new", "t1"])]));
        assert_eq!((found.verdict, found.keep.as_deref()), (Course::Continue, Some("E1")));
        let found = recommend(&open(&[experiment("E1", "accept", 0, ["old", "t1"])]));
        assert_eq!(found.keep, None);
        assert!(found.why.contains("E1") && found.why.contains("other sources since"), "{}", found.why);
    }
}
