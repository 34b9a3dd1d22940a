//! Phase 1: what is asked, checked against what the benchmark has shown when it was tried.

use crate::condition::{Condition, Known};
use crate::failure::{Failure, FailureKind};
use crate::lab::trial::Tried;
use crate::model::investigation::{BenchmarkRecord, Effect, Investigation, MetricTerm, Scenario, Terms};
use crate::model::label::VersionLabel;
use crate::model::outcome::{Finding, MOST_FINDINGS, NextStep, Outcome, Phase, Pointer, PointerKind, Status};
use crate::model::rules::{Rule, RuleCheck};
use crate::model::{secrets, units};
use crate::report::investigation::meaning;

/// What setup must know before it looks at any benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// What is asked, in words.
    Scenario,
    /// The request, word for word.
    Quote,
    /// When it is answered.
    Success,
    /// The version that is measured.
    Version,
}

impl Term {
    /// The flag that gives it.
    pub fn flag(self) -> &'static str {
        match self {
            Self::Scenario => "--scenario",
            Self::Quote => "--quote",
            Self::Success => "--success",
            Self::Version => "--version",
        }
    }

    /// One question that asks for it.
    pub fn question(self) -> &'static str {
        match self {
            Self::Scenario => "what should be faster, in which situation?",
            Self::Quote => "what did the user ask for, word for word?",
            Self::Success => {
                "when is it fast enough? A condition such as 'cost <= baseline * 0.9' or 'p99_ms < 50'"
            }
            Self::Version => "which version is measured? A label such as 1.4.0 or main",
        }
    }
}

/// The terms as far as they are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// What is asked, in words.
    pub scenario: Option<String>,
    /// The request, word for word.
    pub quote: Option<String>,
    /// When it is answered.
    pub success: Option<String>,
    /// The version label.
    pub version: Option<String>,
}

/// Terms that are complete and make sense by themselves.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What is asked, in words.
    pub scenario: String,
    /// The request, word for word.
    pub quote: String,
    /// The condition, as it was written.
    pub success: String,
    /// The same, read.
    pub condition: Condition,
    /// The version label.
    pub version: VersionLabel,
}

impl Draft {
    /// What an investigation has settled already.
    pub fn of(investigation: &Investigation) -> Self {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.trim().is_empty());
        Self {
            scenario: given(&investigation.scenario.description),
            quote: investigation.quote.clone(),
            success: given(&investigation.scenario.success_criteria),
            version: investigation.benchmark.as_ref().and_then(|benchmark| given(&benchmark.version)),
        }
    }

    /// This one where it says something, else `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            scenario: self.scenario.or(other.scenario),
            quote: self.quote.or(other.quote),
            success: self.success.or(other.success),
            version: self.version.or(other.version),
        }
    }

    /// What is not known yet, in the order in which it is asked.
    pub fn missing(&self) -> Vec<Term> {
        let known = [
            (Term::Scenario, &self.scenario),
            (Term::Quote, &self.quote),
            (Term::Success, &self.success),
            (Term::Version, &self.version),
        ];
        known.into_iter().filter(|(_, value)| value.is_none()).map(|(term, _)| term).collect()
    }

    /// Sets one term.
    pub fn set(&mut self, term: Term, value: String) {
        let place = match term {
            Term::Scenario => &mut self.scenario,
            Term::Quote => &mut self.quote,
            Term::Success => &mut self.success,
            Term::Version => &mut self.version,
        };
        *place = Some(value);
    }

    /// The terms, checked.
    ///
    /// # Errors
    /// `Blocked` when one is missing; `Usage` for one that cannot be stored or read.
    pub fn checked(self) -> Result<Checked, Failure> {
        let missing = self.missing();
        let (Some(scenario), Some(quote), Some(success), Some(version)) =
            (self.scenario, self.quote, self.success, self.version)
        else {
            return Err(lacks(&missing));
        };
        for (flag, text) in [("--scenario", &scenario), ("--quote", &quote)] {
            check_text(flag, text)?;
        }
        if let Some(odd) = scenario.chars().find(|c| c.is_control()) {
            return Err(Failure::usage(format!("--scenario holds the control character {odd:?}"))
                .hint("describe it in one line of plain text"));
        }
        let condition = Condition::parse(&success)?;
        let version = VersionLabel::new(&version)?;
        Ok(Checked { scenario, quote, success, condition, version })
    }
}

fn check_text(flag: &str, text: &str) -> Result<(), Failure> {
    if text.trim().is_empty() {
        return Err(Failure::usage(format!("{flag} is empty"))
            .hint(format!("for example: {flag} \"parsing is slow\"")));
    }
    secrets::expect_none(flag, text)
}

/// That terms are missing: their flags, and one question for the first.
pub fn lacks(missing: &[Term]) -> Failure {
    let flags: Vec<&str> = missing.iter().map(|term| term.flag()).collect();
    let failure = Failure::new(FailureKind::Blocked, format!("setup lacks {}", flags.join(", ")));
    match missing.first() {
        Some(first) => failure.hint(format!("{} ({})", first.question(), first.flag())),
        None => failure,
    }
}

/// The metrics that will be judged, from those that were seen: each has a unit and a direction.
///
/// # Errors
/// `Usage` when the condition names others or does not fit their units; `Blocked` when one that it names has
/// no unit or direction, or when none has.
pub fn judged(condition: &Condition, tried: &Tried, name: &str) -> Result<Vec<MetricTerm>, Failure> {
    let find = |name: &str| tried.metrics.iter().map(|(term, _)| term).find(|term| term.name == name);
    let is_clear = |term: &MetricTerm| term.unit.is_some() && term.better.is_some();
    let named = condition.names().into_iter().chain(condition.baseline_names());
    let unclear = named.filter_map(|name| find(&name)).find(|term| !is_clear(term));
    let nothing_clear = !tried.metrics.iter().any(|(term, _)| is_clear(term));
    let ask = unclear.or_else(|| tried.metrics.first().map(|(term, _)| term).filter(|_| nothing_clear));
    condition.check(&|name| find(name).map(|term| Known { unit: term.unit.clone() }))?;
    if let Some(term) = ask {
        let bare = term.name.rsplit('/').next().unwrap_or(&term.name);
        let printed: Vec<&str> = tried.metrics.iter().map(|(term, _)| term.name.as_str()).collect();
        return Err(Failure::new(
            FailureKind::Blocked,
            format!("{} says nothing yet: {name} prints {}", term.name, printed.join(", ")),
        )
        .hint(format!("in which unit is {bare}, and is lower or higher better? --metric {bare}:ms:lower")));
    }
    Ok(tried.metrics.iter().map(|(term, _)| term.clone()).filter(is_clear).collect())
}

/// Everything that setup has settled.
#[derive(Debug)]
pub struct Settled {
    /// The terms.
    pub checked: Checked,
    /// The metrics that will be judged.
    pub metrics: Vec<MetricTerm>,
    /// What is measured.
    pub benchmark: BenchmarkRecord,
    /// The trial.
    pub tried: Tried,
    /// The command that was given, as one would type it.
    pub command: String,
    /// Where state goes and why, and which commits will be made.
    pub place: Vec<String>,
    /// The file of the state, relative to the root.
    pub file: String,
    /// When it began, RFC 3339 in UTC.
    pub started_at: String,
}

/// The outcome of the phase.
pub fn outcome(settled: Settled) -> Outcome {
    let name = settled
        .benchmark
        .bench
        .as_ref()
        .map_or_else(|| settled.benchmark.command.clone(), ToString::to_string);
    let at = |place: &str| format!("{}#/{place}", settled.file);
    let seen = settled.tried.metrics.iter().map(|(term, value)| Finding {
        text: format!("tried once: {} {}", term.name, with_unit(*value, term)),
        evidence: at(&format!("benchmark/tried/metrics/{}", pointed(&term.name))),
    });
    let findings = seen.take(MOST_FINDINGS).collect();
    let evidence = vec![
        Pointer::new(PointerKind::Command, settled.command.clone()),
        Pointer::new(PointerKind::File, at("scenario")),
        Pointer::new(PointerKind::File, at("benchmark")),
    ];
    Outcome {
        phase: Phase::Setup,
        status: Status::InProgress,
        started_at: settled.started_at.clone(),
        findings,
        summary: summary(&settled, &name),
        decision: None,
        evidence,
        rules: rules(&settled, &name),
        delta: None,
        next: NextStep::Argv(["cargo", "perf", "baseline"].map(str::to_owned).to_vec()),
        effect: Effect::Terms(Box::new(Terms {
            scenario: Scenario {
                description: settled.checked.scenario,
                metrics: settled.metrics,
                success_criteria: settled.checked.success,
                ..Scenario::default()
            },
            benchmark: settled.benchmark,
            quote: settled.checked.quote,
        })),
    }
}

fn summary(settled: &Settled, name: &str) -> Vec<String> {
    let meaning = settled.metrics.iter().map(|term| format!("Metric: {}", meaning(term)));
    let terms = [
        format!("Scenario: {}", settled.checked.scenario),
        format!("Success criteria: {}", settled.checked.success),
        format!("Version: {}", settled.checked.version),
        format!("Benchmark: {name}"),
        format!("Benchmark command: {}", settled.benchmark.command),
    ];
    let unclear: Vec<&str> = settled
        .tried
        .metrics
        .iter()
        .filter(|(term, _)| term.better.is_none())
        .map(|(term, _)| term.name.as_str())
        .collect();
    let not_judged = (!unclear.is_empty())
        .then(|| format!("Not judged, for lack of unit or direction: {}", unclear.join(", ")));
    terms.into_iter().chain(meaning).chain(not_judged).chain(settled.place.iter().cloned()).collect()
}

/// A value of a metric with its unit.
pub fn with_unit(value: f64, term: &MetricTerm) -> String {
    match term.unit.as_deref() {
        Some("ns") => units::nanoseconds(value),
        Some(unit) => format!("{} {unit}", units::plain(value)),
        None => units::plain(value),
    }
}

/// A name inside a JSON pointer.
fn pointed(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn rules(settled: &Settled, name: &str) -> Vec<RuleCheck> {
    let clear: Vec<String> = settled.metrics.iter().map(meaning).collect();
    Rule::ALL
        .map(|rule| match rule {
            Rule::Sequential => rule.pass("the lock of the machine was held while the benchmark was tried"),
            Rule::SixtySeconds => rule.not_applicable("the trial does not count"),
            Rule::OneChange => rule.not_applicable("nothing was changed"),
            Rule::NarrowFirst => rule.pass(format!("one benchmark: {name}")),
            Rule::Verify | Rule::CleanBaseline => rule.not_applicable("nothing was measured"),
            Rule::MinimalResources => rule.pass(format!("one trial of {:.1} s", settled.tried.wall_s)),
            Rule::HistoryFirst => rule.not_applicable("nothing is explained or changed yet"),
            Rule::ClearTerms => rule.pass(clear.join("; ")),
            Rule::LogAndCheckpoint => rule.logged(),
        })
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::metric::Direction;

    fn draft() -> Draft {
        let some = |text: &str| Some(text.to_owned());
        Draft {
            scenario: some("parse"),
            quote: some("make it fast"),
            success: some("a_ms < 5"),
            version: some("v1"),
        }
    }

    fn tried(metrics: &[(&str, Option<&str>, Option<Direction>)]) -> Tried {
        let term = |(name, unit, better): &(&str, Option<&str>, Option<Direction>)| MetricTerm {
            name: (*name).to_owned(),
            unit: unit.map(str::to_owned),
            better: *better,
            ..MetricTerm::default()
        };
        let metrics = metrics.iter().map(|metric| (term(metric), 1.0)).collect();
        Tried { metrics, wall_s: 0.1, executable_sha256: None }
    }

    #[test]
    fn s34_each_term_that_is_missing_is_asked_for_alone() {
        for term in [Term::Scenario, Term::Quote, Term::Success, Term::Version] {
            let mut draft = draft();
            match term {
                Term::Scenario => draft.scenario = None,
                Term::Quote => draft.quote = None,
                Term::Success => draft.success = None,
                Term::Version => draft.version = None,
            }
            let failure = draft.checked().expect_err("missing");
            assert_eq!(failure.kind, FailureKind::Blocked);
            assert_eq!(failure.message, format!("setup lacks {}", term.flag()));
            assert!(failure.hint.is_some_and(|hint| hint.contains(term.flag())));
        }
        draft().checked().expect("complete");
    }

    #[test]
    fn t10_terms_that_cannot_be_stored_or_read_are_refused() {
        type Spoil = fn(&mut Draft);
        let spoil: [(&str, Spoil); 6] = [
            ("control", |draft| draft.scenario = Some("a\u{7}b".into())),
            ("newline", |draft| draft.scenario = Some("a\nb".into())),
            ("empty", |draft| draft.quote = Some("  ".into())),
            ("condition", |draft| draft.success = Some("fast".into())),
            ("label", |draft| draft.version = Some("../v".into())),
            ("secret", |draft| draft.quote = Some("use token=abc".into())),
        ];
        for (what, spoil) in spoil {
            let mut draft = draft();
            spoil(&mut draft);
            assert_eq!(draft.checked().expect_err(what).kind, FailureKind::Usage, "{what}");
        }
    }

    #[test]
    fn s13_a_metric_without_unit_or_direction_is_asked_about() {
        let condition = Condition::parse("a_ms < 5").expect("read");
        let lower = Some(Direction::Lower);
        let clear = judged(&condition, &tried(&[("a_ms", Some("ms"), lower), ("b", None, None)]), "x")
            .expect("clear");
        assert_eq!(clear.iter().map(|term| term.name.as_str()).collect::<Vec<_>>(), ["a_ms"]);
        for unclear in [("a_ms", Some("ms"), None), ("a_ms", None, lower), ("a_ms", None, None)] {
            let failure =
                judged(&condition, &tried(&[("b", Some("s"), lower), unclear]), "x").expect_err("unclear");
            assert_eq!(failure.kind, FailureKind::Blocked, "{failure}");
            assert!(failure.hint.is_some_and(|hint| hint.contains("--metric a_ms:")));
        }
        let unknown = judged(&condition, &tried(&[("b", Some("s"), lower)]), "x").expect_err("unknown");
        assert_eq!(unknown.kind, FailureKind::Usage);
    }
}
