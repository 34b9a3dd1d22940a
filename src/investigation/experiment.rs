//! Phase 8: what a comparison of a change with the baseline means.

use super::baseline::approval_of_runs;
use crate::failure::Failure;
use crate::lab::doubt::over_limit;
use crate::model::bench::BenchName;
use crate::model::comparison::{BenchVerdict, ComparedBench, Comparison, SideName};
use crate::model::experiment::{
    Control, Doubt, Experiment, ExperimentFinding, ExperimentStatus, ExperimentVerdict, Filed, NumberChange,
    OtherView, TreeProof,
};
use crate::model::investigation::Effect;
use crate::model::metric::MetricName;
use crate::model::outcome::{Finding, MOST_FINDINGS, NextStep, Outcome, Phase, Pointer, PointerKind, Status};
use crate::model::record::{Approval, Approved, ResultFile};
use crate::model::rules::{Rule, RuleCheck};
use crate::model::units;
use crate::model::verdict::{Verdict, Why};
use crate::model::waiver::Waiver;
use crate::stats::numbers::Numbers;
use crate::store::packed;
use crate::sys::files;
use crate::sys::invocation::line;
use std::fmt::Write;

/// A comparison up to this size is stored as it is, a larger one packed.
const MOST_PLAIN: usize = 1 << 20;

/// What an experiment has come to.
#[derive(Debug)]
pub struct Concluded<'a> {
    /// The experiment as it was opened.
    pub experiment: Experiment,
    /// The comparison.
    pub comparison: &'a Comparison,
    /// The same as it is stored.
    pub bytes: Vec<u8>,
    /// The base against the baseline.
    pub control: Control,
    /// That the repository is as it was.
    pub unchanged: TreeProof,
    /// The approval of less than sixty seconds, in whichever form it was given.
    pub short: Option<Waiver>,
    /// Of the investigation.
    pub investigation: &'a str,
    /// The state folder, relative to the root.
    pub state_folder: String,
    /// The command, the program first.
    pub command: Vec<String>,
    /// Whether a hypothesis had to be looked for in the history.
    pub history: Option<String>,
    /// RFC 3339.
    pub now: String,
}

/// A number, its place in the comparison, and why nothing is said of it.
struct Placed {
    number: NumberChange,
    place: String,
    doubt: Option<Doubt>,
}

/// What the numbers say together, why, and which of them says so.
struct Said {
    verdict: ExperimentVerdict,
    doubt: Option<Doubt>,
    why: String,
    place: String,
}

/// The metrics that one side prints and the other does not, of those that somebody judges by.
fn one_sided(comparison: &Comparison) -> Vec<String> {
    let of = |bench: &ComparedBench| {
        let only = Numbers::of(&bench.series).metrics().1;
        let judged =
            |name: &MetricName| bench.metrics.get(&name.name).is_some_and(|spec| spec.better.is_some());
        let told = |side: SideName| {
            let names = only.of(side).iter().filter(|name| judged(name));
            names.map(move |name| format!("only the {} prints {name}", side.name())).collect::<Vec<_>>()
        };
        SideName::BOTH.into_iter().flat_map(told).collect::<Vec<_>>()
    };
    comparison.benches.iter().flat_map(of).collect()
}

/// The verdict over all numbers of a comparison, in which the benchmark `changed` is not the same on both sides, and
/// these metrics are those of one side.
fn said(changed: Option<&BenchName>, one_sided: &[String], numbers: &[Placed]) -> Said {
    let of = |verdict: Verdict| numbers.iter().filter(move |placed| placed.number.verdict == verdict);
    let shown = |placed: &[&Placed]| {
        placed.iter().map(|placed| placed.number.described()).collect::<Vec<_>>().join(", ")
    };
    let say = |verdict, what: &str, deciding: &[&Placed]| {
        let place = deciding.first().map_or_else(|| "/benches/0".to_owned(), |placed| placed.place.clone());
        Said { verdict, doubt: None, why: format!("{what}: {}", shown(deciding)), place }
    };
    let doubt = |doubt: Doubt, what: &str, deciding: &[&Placed]| Said {
        doubt: Some(doubt),
        ..say(ExperimentVerdict::Inconclusive, what, deciding)
    };
    let all: Vec<&Placed> = numbers.iter().collect();
    if let Some(bench) = changed {
        let what = format!("the source of {bench} itself is changed, which may measure something else");
        return doubt(Doubt::Benchmark, &what, &all);
    }
    let worse: Vec<&Placed> = of(Verdict::Regressed).collect();
    let better: Vec<&Placed> = of(Verdict::Improved).collect();
    let untold: Vec<&Placed> = of(Verdict::Inconclusive).collect();
    let contradictory: Vec<&Placed> =
        untold.iter().copied().filter(|placed| placed.doubt == Some(Doubt::Contradiction)).collect();
    if !worse.is_empty() {
        say(ExperimentVerdict::Reject, "worse", &worse)
    } else if !contradictory.is_empty() {
        doubt(Doubt::Contradiction, "what was measured contradicts itself", &contradictory)
    } else if !one_sided.is_empty() {
        doubt(Doubt::OneSided, &one_sided.join(", "), &all)
    } else if !better.is_empty() {
        let mut said = say(ExperimentVerdict::Accept, "better", &better);
        if !untold.is_empty() {
            let _ = write!(said.why, "; cannot be told: {}", shown(&untold));
        }
        said
    } else if !numbers.is_empty() && untold.is_empty() {
        say(ExperimentVerdict::Reject, "no difference that matters", &all)
    } else {
        let why = untold.iter().find_map(|placed| placed.doubt).unwrap_or(Doubt::Noise);
        doubt(why, "cannot be told", &untold)
    }
}

/// What of a verdict's reason decides what would settle it.
fn doubt_of(why: Why) -> Doubt {
    match why {
        Why::TooFewPairs { .. } | Why::TooWide | Why::AtTheMargin | Why::NotPositive => Doubt::Noise,
        Why::Coarse { .. } => Doubt::Coarse,
        Why::ViewsDisagree | Why::NotConfirmed { .. } | Why::Drift { .. } => Doubt::Contradiction,
        Why::NoDirection => Doubt::Direction,
    }
}

fn numbers(comparison: &Comparison) -> Vec<Placed> {
    let mut found = Vec::new();
    for (at, bench) in comparison.benches.iter().enumerate() {
        for (index, verdict) in bench.verdicts.iter().enumerate() {
            let place = format!("/benches/{at}/verdicts/{index}");
            let doubt = verdict.why.map(doubt_of);
            found.extend(number(bench, verdict).map(|number| Placed { number, place, doubt }));
        }
    }
    found
}

fn number(bench: &ComparedBench, verdict: &BenchVerdict) -> Option<NumberChange> {
    let deciding = verdict.views.first()?;
    let other_view = verdict.views.get(1).map(|other| OtherView {
        view: other.view,
        effect: other.effect,
        base: other.values.base,
        candidate: other.values.candidate,
    });
    Some(NumberChange {
        bench: bench.bench.clone(),
        metric: verdict.metric.clone(),
        view: deciding.view,
        unit: verdict.unit.clone().or_else(|| bench.unit.clone()),
        better: verdict.better,
        verdict: verdict.verdict,
        effect: deciding.effect,
        other_view,
        detectable_percent: deciding.detectable_percent,
        base: deciding.values.base,
        candidate: deciding.values.candidate,
    })
}

/// The approval of less than sixty seconds a side: one of a shorter time, or a number of runs that takes less.
pub fn approved_short(comparison: &Comparison, runs: Option<u32>, user: &str) -> Option<Waiver> {
    let required = comparison.duration.required_s;
    let is_short = |bench: &ComparedBench| {
        let totals = &bench.series.totals;
        totals.base.measured_s.min(totals.candidate.measured_s) < required
    };
    let by_runs = runs.filter(|_| comparison.benches.iter().any(is_short));
    let approved = || by_runs.map(|runs| approval_of_runs(runs, user, &comparison.recorded_at));
    comparison.duration.waiver.clone().or_else(approved)
}

/// What was approved against a rule.
pub fn approvals(comparison: &Comparison, experiment: &Experiment, short: Option<&Waiver>) -> Vec<Approval> {
    let given = [
        (Approved::Short, short.cloned()),
        (Approved::Expand, comparison.expanded.clone()),
        (Approved::Noise, comparison.noise_accepted.clone()),
        (Approved::Deletions, experiment.deletions.clone()),
        (Approved::Secret, experiment.secret.clone()),
    ];
    let approval = |(what, waiver): (Approved, Option<Waiver>)| {
        Some(Approval { what, phase: Phase::Optimization, waiver: waiver? })
    };
    given.into_iter().filter_map(approval).collect()
}

/// The outcome of the phase.
///
/// # Errors
/// `Bug` when its comparison cannot be packed.
pub fn outcome(concluded: Concluded<'_>) -> Result<Outcome, Failure> {
    let numbers = numbers(concluded.comparison);
    let changed = concluded.comparison.benches.iter().find(|bench| bench.source_differs);
    let said = said(changed.map(|bench| &bench.bench), &one_sided(concluded.comparison), &numbers);
    let file = concluded.file()?;
    let comparison = ResultFile {
        path: format!("{}/{}", concluded.state_folder, file.name),
        sha256: files::sha256_bytes(&file.bytes),
    };
    let (id, verdict) = (concluded.experiment.id.clone(), said.verdict.name());
    let deciding = format!("{}#{}", comparison.path, said.place);
    let decision = format!("{id}: {verdict}, {}", said.why);
    let started_at = concluded.experiment.started_at.clone();
    let (findings, evidence) =
        (concluded.findings(&comparison.path, &deciding, &said), concluded.evidence(&deciding));
    let (summary, rules) = (concluded.summary(&numbers, &said), concluded.rules());
    let finding = ExperimentFinding {
        verdict: said.verdict,
        hypothesis: concluded.experiment.hypothesis.as_ref().map(|_| said.verdict.for_hypothesis()),
        why: said.why,
        doubt: said.doubt,
        numbers: numbers.into_iter().map(|placed| placed.number).collect(),
        place: said.place,
        comparison,
        control: concluded.control,
        short: concluded.short,
        unchanged: concluded.unchanged,
    };
    let experiment = Experiment {
        status: ExperimentStatus::Complete,
        finished_at: Some(concluded.now),
        finding: Some(finding),
        ..concluded.experiment
    };
    Ok(Outcome {
        phase: Phase::Optimization,
        status: Status::InProgress,
        started_at,
        findings,
        summary,
        decision: Some(decision),
        evidence,
        rules,
        delta: Some(format!("{id} {verdict}")),
        next: NextStep::Argv(["cargo", "perf", "next"].map(str::to_owned).to_vec()),
        effect: Effect::Experiment { experiment: Box::new(experiment), file },
    })
}

impl Concluded<'_> {
    /// The comparison as a file beside the state.
    fn file(&self) -> Result<Filed, Failure> {
        let name = format!("artifacts/{}/{}.json", self.investigation, self.experiment.id);
        if self.bytes.len() <= MOST_PLAIN {
            return Ok(Filed { name, bytes: self.bytes.clone() });
        }
        Ok(Filed { name: format!("{name}.gz"), bytes: packed::pack(&self.bytes)? })
    }

    fn findings(&self, file: &str, deciding: &str, said: &Said) -> Vec<Finding> {
        let id = &self.experiment.id;
        let (summary, verdict) = (&self.experiment.change.summary, said.verdict.name());
        let mut findings = vec![Finding {
            text: format!("{id}, {summary}: {verdict}, {}", said.why),
            evidence: deciding.to_owned(),
        }];
        findings.push(Finding {
            text: format!(
                "{id}: control run {} away from baseline {}",
                units::percent(self.control.deviation),
                self.experiment.baseline
            ),
            evidence: deciding.to_owned(),
        });
        for (index, note) in self.comparison.notes.iter().enumerate() {
            findings
                .push(Finding { text: format!("{id}: {note}"), evidence: format!("{file}#/notes/{index}") });
        }
        findings.truncate(MOST_FINDINGS);
        findings
    }

    fn summary(&self, numbers: &[Placed], said: &Said) -> Vec<String> {
        let change = &self.experiment.change;
        let files = units::count(to_usize(change.files), "file");
        let mut lines = vec![
            format!("Experiment: {}, {}", self.experiment.id, change.summary),
            format!("Change: {files} of commit {}", short(&change.base)),
            format!("Baseline: {}", self.experiment.baseline),
        ];
        lines.extend(numbers.iter().map(|Placed { number, .. }| {
            format!("Result: {}, {}, {}", number.bench, number.verdict.name(), number.described())
        }));
        for bench in &self.comparison.benches {
            let series = units::count(1 + usize::from(bench.confirmation.is_some()), "series");
            lines.push(format!("Measured: {}, {series} of {} pairs", bench.bench, bench.series.pairs.len()));
        }
        let left_out = self.comparison.left_out.iter();
        lines.extend(left_out.map(|left_out| format!("Left out: {}, {}", left_out.bench, left_out.why)));
        lines.push(format!(
            "Control: {} {} in the baseline, {} now",
            self.control.number,
            units::plain(self.control.stored),
            units::plain(self.control.measured)
        ));
        lines.extend(self.experiment.check.iter().map(|check| format!("Passed before: {check}")));
        lines.push("Reverted: work tree, index, branch and stashes are as before".to_owned());
        lines.push(format!("Verdict: {}, {}", said.verdict.name(), said.why));
        let hypothesis = self.experiment.hypothesis.iter();
        lines.extend(
            hypothesis.map(|id| format!("Hypothesis {id}: {}", said.verdict.for_hypothesis().name())),
        );
        lines
    }

    fn evidence(&self, deciding: &str) -> Vec<Pointer> {
        let change = &self.experiment.change;
        vec![
            Pointer::new(PointerKind::Command, line(&self.command)),
            Pointer::new(PointerKind::File, change.patch.path.clone()),
            Pointer::new(PointerKind::File, deciding),
            Pointer::new(PointerKind::Commit, change.base.clone()),
        ]
    }

    fn rules(&self) -> Vec<RuleCheck> {
        let comparison = self.comparison;
        let names: Vec<String> = comparison.benches.iter().map(|bench| bench.bench.id.clone()).collect();
        let measured_s = comparison
            .benches
            .iter()
            .flat_map(|bench| [bench.series.totals.base.measured_s, bench.series.totals.candidate.measured_s])
            .fold(f64::INFINITY, f64::min);
        let series: usize = comparison
            .benches
            .iter()
            .map(|bench| 1 + usize::from(bench.confirmation.is_some()))
            .min()
            .unwrap_or(0);
        Rule::ALL
            .map(|rule| match rule {
                Rule::Sequential => {
                    rule.pass("the lock of the machine was held, pairs one fork after the other")
                }
                Rule::SixtySeconds => match &self.short {
                    Some(waiver) => rule.waived(waiver),
                    None => rule.pass(format!("{measured_s:.1} s measured on each side")),
                },
                Rule::OneChange => rule.pass(format!(
                    "{} alone; work tree, index, branch and stashes are as before",
                    self.experiment.id
                )),
                Rule::NarrowFirst => match &comparison.expanded {
                    Some(waiver) => rule.waived(waiver),
                    None => rule.pass(format!("one benchmark: {}", names.join(", "))),
                },
                Rule::Verify => rule.pass(format!("measured in {}", units::count(series, "series"))),
                Rule::CleanBaseline => match &comparison.noise_accepted {
                    Some(waiver) if over_limit(Some(self.control.deviation)).is_some() => rule.waived(waiver),
                    _ => rule.pass(format!(
                        "the base is {} away from baseline {}",
                        units::percent(self.control.deviation),
                        self.experiment.baseline
                    )),
                },
                Rule::MinimalResources => rule.pass("both sides built apart, output bounded"),
                Rule::HistoryFirst => match &self.history {
                    Some(why) => rule.not_applicable(why.clone()),
                    None => rule.pass("hypotheses came first"),
                },
                Rule::ClearTerms => rule.pass("each number has its unit and its direction"),
                Rule::LogAndCheckpoint => rule.logged(),
            })
            .to_vec()
    }
}

fn short(commit: &str) -> &str {
    &commit[..7.min(commit.len())]
}

fn to_usize(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::metric::MetricName;
    use crate::model::verdict::{Effect as Percent, ViewName};

    fn bench() -> BenchName {
        serde_json::from_value(serde_json::json!({"package": "p", "target": "t", "id": "b"})).expect("a name")
    }

    fn placed(name: &str, verdict: Verdict, doubt: Option<Doubt>) -> Placed {
        let number = NumberChange {
            bench: bench(),
            metric: Some(MetricName { scenario: None, name: name.to_owned() }),
            view: ViewName::Felt,
            unit: None,
            better: None,
            verdict,
            effect: Some(Percent { percent: 1.0, low: 0.5, high: 2.0 }),
            other_view: None,
            detectable_percent: None,
            base: 1.0,
            candidate: 1.01,
        };
        Placed { number, place: format!("/{name}"), doubt }
    }

    fn verdict(numbers: &[Placed]) -> (ExperimentVerdict, Option<Doubt>, String) {
        let said = said(None, &[], numbers);
        assert!(said.place.starts_with('/'), "{}", said.place);
        (said.verdict, said.doubt, said.why)
    }

    #[test]
    fn t03_numbers_are_judged_together() {
        use ExperimentVerdict::{Accept, Inconclusive, Reject};
        let better = || placed("a", Verdict::Improved, None);
        let worse = || placed("b", Verdict::Regressed, None);
        let same = || placed("c", Verdict::Unchanged, None);
        let untold = |doubt| placed("d", Verdict::Inconclusive, Some(doubt));
        assert_eq!(verdict(&[better(), worse()]).0, Reject);
        assert_eq!(verdict(&[better(), same()]).0, Accept);
        assert_eq!(verdict(&[same()]).0, Reject);
        let (found, doubt, why) = verdict(&[better(), untold(Doubt::Noise)]);
        assert_eq!((found, doubt), (Accept, None));
        assert!(why.ends_with("; cannot be told: d +1.0 % (+0.5 to +2.0)"), "{why}");
        // K-07: what conflicts is inconclusive, whatever else became better.
        let (found, doubt, why) = verdict(&[better(), untold(Doubt::Contradiction)]);
        assert_eq!((found, doubt), (Inconclusive, Some(Doubt::Contradiction)));
        assert!(why.contains("contradicts itself: d"), "{why}");
        assert_eq!(verdict(&[worse(), untold(Doubt::Contradiction)]).0, Reject);
        assert_eq!(verdict(&[same(), untold(Doubt::Direction)]).1, Some(Doubt::Direction));
        let lost = said(None, &["only the base prints errors".to_owned()], &[better(), same()]);
        assert_eq!((lost.verdict, lost.doubt), (Inconclusive, Some(Doubt::OneSided)));
        let other = said(Some(&bench()), &[], &[better()]);
        assert_eq!((other.verdict, other.doubt), (Inconclusive, Some(Doubt::Benchmark)));
    }
}
