//! Phase 3: what a search for the smallest failing load means for an investigation.

use super::baseline::Tree;
use crate::model::bench::BenchName;
use crate::model::duration::RunDuration;
use crate::model::investigation::Effect;
use crate::model::outcome::{Finding, NextStep, Outcome, Phase, Pointer, PointerKind, Status};
use crate::model::record::{Approval, Approved};
use crate::model::rules::{Rule, RuleCheck};
use crate::model::search::{BreakingPoint, ProbeOutcome, ProbeRecord, Purpose, SearchStatus};
use crate::model::units;
use crate::model::waiver::Waiver;
use crate::report::search::answer;
use crate::sys::invocation::line;

/// What was searched, and by which command.
#[derive(Debug)]
pub struct Searched {
    /// The command, the program first.
    pub command: Vec<String>,
    /// The benchmark.
    pub bench: BenchName,
    /// What is started, when it is a command.
    pub argv: Option<Vec<String>>,
    /// The smallest and the largest load, as they were given.
    pub range: [String; 2],
    /// What was found.
    pub found: BreakingPoint,
    /// Every attempt, oldest first.
    pub probes: Vec<ProbeRecord>,
    /// How long a probe measures.
    pub probe: RunDuration,
    /// The approval of another benchmark than that of setup.
    pub expanded: Option<Waiver>,
    /// The approval of a machine that is too noisy.
    pub noise_accepted: Option<Waiver>,
    /// What the tree was like; only an investigation asks for that.
    pub tree: Option<Tree>,
    /// The commit.
    pub commit: Option<String>,
    /// Where the result is, relative to the root, and the place of the breaking point in it.
    pub file: String,
    /// When it began, RFC 3339.
    pub started_at: String,
}

/// The outcome of the phase.
pub fn outcome(searched: Searched) -> Outcome {
    Outcome {
        phase: Phase::BreakingPoint,
        status: Status::Complete,
        started_at: searched.started_at.clone(),
        findings: findings(&searched),
        summary: summary(&searched),
        decision: None,
        evidence: evidence(&searched),
        rules: rules(&searched),
        delta: Some(delta(&searched.found)),
        next: NextStep::Argv(["cargo", "perf", "status"].map(str::to_owned).to_vec()),
        effect: Effect::BreakingPoint { found: Box::new(searched.found), probes: searched.probes },
    }
}

/// What was approved against a rule.
pub fn approvals(searched: &Searched) -> Vec<Approval> {
    let given = [
        (Approved::Short, searched.probe.waiver().cloned()),
        (Approved::Expand, searched.expanded.clone()),
        (Approved::Noise, searched.noise_accepted.clone()),
        (Approved::Dirty, searched.tree.as_ref().and_then(Tree::waiver).cloned()),
    ];
    let approval = |(what, waiver): (Approved, Option<Waiver>)| {
        Some(Approval { what, phase: Phase::BreakingPoint, waiver: waiver? })
    };
    given.into_iter().filter_map(approval).collect()
}

/// The answer, and what was seen at both edges of it.
pub fn findings(searched: &Searched) -> Vec<Finding> {
    let file = &searched.file;
    let mut findings = vec![Finding { text: answer(&searched.found), evidence: file.clone() }];
    let at_edge =
        |purpose| searched.probes.iter().rev().find(|probe| probe.purpose == purpose && probe.counts);
    for (purpose, word) in [(Purpose::Low, "passed"), (Purpose::High, "failed")] {
        let expected = if purpose == Purpose::Low { ProbeOutcome::Pass } else { ProbeOutcome::Fail };
        if let Some(probe) = at_edge(purpose).filter(|probe| probe.outcome == expected) {
            let text = format!("at {} it {word}: {}", probe.value, probe.reason);
            findings.push(Finding { text, evidence: file.clone() });
        }
    }
    if let Some(noise) = searched.found.noise {
        let text = format!("a value that is measured again differs by {}", units::share(noise));
        findings.push(Finding { text, evidence: file.clone() });
    }
    findings
}

fn summary(searched: &Searched) -> Vec<String> {
    let found = &searched.found;
    let [low, high] = &searched.range;
    let mut lines = vec![format!("Benchmark: {}", searched.bench)];
    if let Some(argv) = &searched.argv {
        lines.push(format!("Benchmark command: {}", line(argv)));
    }
    let holds = found.condition.as_deref().unwrap_or("exit code 0");
    lines.push(format!("Searched: the smallest load from {low} to {high} without {holds}"));
    lines.push(format!("Found: {}", answer(found)));
    lines.push(format!("Probes: {}", counts(&searched.probes)));
    let finished =
        searched.probes.iter().rev().find(|probe| probe.purpose == Purpose::Finish && probe.counts);
    if let Some(probe) = finished {
        let (value, outcome, reason) = (&probe.value, probe.outcome.name(), &probe.reason);
        lines.push(format!("Run behind it: {:.0} s at {value}: {outcome}, {reason}", probe.duration));
    }
    if let Some(tree) = &searched.tree {
        lines.push(format!("Sources: {}", tree.describe()));
    }
    lines
}

fn counts(probes: &[ProbeRecord]) -> String {
    let of = |outcome| probes.iter().filter(|probe| probe.outcome == outcome).count();
    let seconds: f64 = probes.iter().map(|probe| probe.duration).sum();
    let lost = match of(ProbeOutcome::InfraError) {
        0 => String::new(),
        lost => format!("; {lost} could not be made"),
    };
    format!(
        "{}, of which {} passed and {} failed, {seconds:.0} s in all{lost}",
        units::count(probes.len(), "attempt"),
        of(ProbeOutcome::Pass),
        of(ProbeOutcome::Fail)
    )
}

fn evidence(searched: &Searched) -> Vec<Pointer> {
    let command = Pointer::new(PointerKind::Command, line(&searched.command));
    let file = Pointer::new(PointerKind::File, searched.file.clone());
    let commit = searched.commit.as_ref().map(|commit| Pointer::new(PointerKind::Commit, commit.clone()));
    [command, file].into_iter().chain(commit).collect()
}

/// The result in a few words.
fn delta(found: &BreakingPoint) -> String {
    let number = |number: &Option<serde_json::Number>| {
        number.as_ref().map_or_else(|| "an unknown load".to_owned(), ToString::to_string)
    };
    match (found.status, &found.interval) {
        (SearchStatus::MaxPasses, _) => format!("does not break up to {}", number(&found.passes)),
        (SearchStatus::Budget, Some(interval)) => {
            format!("breaks from {} to {}", interval.low, interval.high)
        }
        _ if found.is_answer() => format!("breaks at {}", number(&found.smallest_failing)),
        (status, _) => status.name().replace('_', " "),
    }
}

/// What became of each rule. Those that can be broken here have refused before, or were waived.
fn rules(searched: &Searched) -> Vec<RuleCheck> {
    let each = searched.probe.measured().as_secs_f64();
    let has = |purpose| searched.probes.iter().any(|probe| probe.purpose == purpose && probe.counts);
    Rule::ALL
        .map(|rule| match rule {
            Rule::Sequential => rule.pass("the lock of the machine was held, and one probe ran at a time"),
            Rule::SixtySeconds => match searched.probe.waiver() {
                Some(waiver) => rule.waived(waiver),
                None if has(Purpose::Finish) => rule.pass(format!(
                    "{} s for each probe, {} s for the run behind them",
                    units::plain(each),
                    units::plain(searched.probe.of_finish().as_secs_f64())
                )),
                None => rule.pass(format!("{} s for each probe", units::plain(each))),
            },
            Rule::OneChange => rule.not_applicable("nothing was changed but the load"),
            Rule::NarrowFirst => match &searched.expanded {
                Some(waiver) => rule.waived(waiver),
                None => rule.pass(format!("one benchmark: {}", searched.bench.id)),
            },
            Rule::Verify if has(Purpose::Low) && has(Purpose::High) => {
                rule.pass(match searched.found.baseline_noise {
                    Some(noise) if noise > 0.0 => {
                        "both ends of the interval for the limit as it was measured were probed again, contradictions too"
                    }
                    _ => "both ends of the interval were probed again, contradictions too",
                })
            }
            Rule::Verify if has(Purpose::Top) => rule.pass("the largest load was probed twice"),
            Rule::Verify => rule.not_applicable("no interval is claimed to be narrow enough"),
            Rule::CleanBaseline => Tree::check(searched.tree.as_ref()),
            Rule::MinimalResources => rule.pass("output bounded, traces below the target folder only"),
            Rule::HistoryFirst => rule.not_applicable("nothing is explained or changed yet"),
            Rule::ClearTerms => rule.pass("what has to hold is a condition, checked against units before"),
            Rule::LogAndCheckpoint => rule.logged(),
        })
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::metric::MetricValues;
    use crate::model::search::LoadInterval;

    fn probe(load: u64, purpose: Purpose, outcome: ProbeOutcome) -> ProbeRecord {
        ProbeRecord {
            value: load.into(),
            ok: Some(outcome == ProbeOutcome::Pass),
            metrics: MetricValues::default(),
            duration: 30.0,
            reason: format!("p99_ms < 50 is {load}"),
            attempt: 1,
            counts: outcome != ProbeOutcome::InfraError,
            load,
            purpose,
            outcome,
            excess: None,
            ended_at: "2026-01-01T00:00:30Z".to_owned(),
        }
    }

    fn searched() -> Searched {
        Searched {
            command: ["cargo", "perf", "bisect-load"].map(str::to_owned).to_vec(),
            bench: BenchName::external("load".to_owned()),
            argv: None,
            range: ["1", "500"].map(str::to_owned),
            found: BreakingPoint {
                status: SearchStatus::Found,
                reason: None,
                condition: Some("p99_ms < 50".to_owned()),
                smallest_failing: Some(120.into()),
                interval: Some(LoadInterval { low: 118.into(), high: 122.into(), open: false }),
                safe: Some(117.into()),
                passes: Some(117.into()),
                recovers: None,
                confidence: 0.95,
                noise: Some(0.03),
                baseline_noise: None,
                needs: None,
            },
            probes: vec![
                probe(1, Purpose::Floor, ProbeOutcome::Pass),
                probe(117, Purpose::Low, ProbeOutcome::Pass),
                probe(122, Purpose::High, ProbeOutcome::InfraError),
                probe(122, Purpose::High, ProbeOutcome::Fail),
                probe(117, Purpose::Finish, ProbeOutcome::Pass),
            ],
            probe: RunDuration::probe(None, None).expect("thirty seconds"),
            expanded: None,
            noise_accepted: None,
            tree: None,
            commit: None,
            file: "state/investigation.json#/breakingPoint".to_owned(),
            started_at: "2026-01-01T00:00:00Z".to_owned(),
        }
    }

    #[test]
    fn s18_what_was_found_is_said_with_what_was_seen_at_both_edges() {
        let outcome = outcome(searched());
        let texts: Vec<&str> = outcome.findings.iter().map(|finding| finding.text.as_str()).collect();
        assert!(texts[0].starts_with("breaks at 120"), "{texts:?}");
        assert_eq!(
            texts[1..3],
            ["at 117 it passed: p99_ms < 50 is 117", "at 122 it failed: p99_ms < 50 is 122"]
        );
        assert_eq!(outcome.delta.as_deref(), Some("breaks at 120"));
        assert!(
            outcome.summary.iter().any(|line| line.contains("1 could not be made")),
            "{:?}",
            outcome.summary
        );
        assert_eq!(outcome.rules.len(), 10);
    }

    #[test]
    fn s06_thirty_seconds_are_the_rule_and_less_is_waived() {
        let kept = |searched: &Searched| rules(searched)[1].clone();
        assert!(kept(&searched()).reason.starts_with("30 s for each probe, 60 s"));
        let waiver = Waiver { who: "ann".into(), text: "a look".into(), when: "2026-01-01T00:00:00Z".into() };
        let short =
            RunDuration::probe(Some(std::time::Duration::from_secs(1)), Some(waiver)).expect("approved");
        let searched = Searched { probe: short, ..searched() };
        assert!(kept(&searched).reason.contains("a look"));
        assert_eq!(approvals(&searched).len(), 1);
    }
}
