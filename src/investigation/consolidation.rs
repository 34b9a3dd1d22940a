//! Phase 10: one baseline is left, of the version with the change that is worth keeping or as it was.

use super::baseline::metrics_of;
use super::control::{control, expect_baseline};
use crate::failure::{Failure, FailureKind};
use crate::lab::doubt::doubt;
use crate::lab::promotion::promoted;
use crate::model::baseline::{Baseline, BenchSeries, MeasuredDuration};
use crate::model::comparison::{Comparison, SideName};
use crate::model::decision::{Course, Decision};
use crate::model::experiment::Experiment;
use crate::model::investigation::{Effect, Investigation};
use crate::model::outcome::{Finding, MOST_FINDINGS, NextStep, Outcome, Phase, Pointer, PointerKind, Status};
use crate::model::rules::Rule;
use crate::model::waiver::Waiver;
use crate::sys::invocation::line;

/// The decision that consolidation rests on.
///
/// # Errors
/// `Blocked` when there is none, or it says to go on.
pub fn decision(open: &Investigation) -> Result<&Decision, Failure> {
    match open.own_decision() {
        Some(decision) if decision.verdict == Course::Stop => Ok(decision),
        Some(_) => Err(Failure::new(FailureKind::Blocked, "the decision was to continue")
            .hint("try another change, then decide again: `cargo perf decide stop --rationale \"why\"`")),
        None => Err(Failure::new(FailureKind::Blocked, "nothing was decided")
            .hint("decide first: `cargo perf decide`")),
    }
}

/// The experiment whose numbers become those of the baseline.
pub fn kept(open: &Investigation) -> Option<&Experiment> {
    let keep = decision(open).ok()?.keep.as_deref()?;
    open.own_experiments().find(|experiment| experiment.id == keep)
}

/// What was consolidated, and by which command.
#[derive(Debug)]
pub struct Consolidated<'a> {
    /// The baseline as it is stored.
    pub stored: &'a Baseline,
    /// The experiment that is kept, with its comparison.
    pub kept: Option<(&'a Experiment, &'a Comparison)>,
    /// The commit that holds the sources with the change, when one does.
    pub commit: Option<String>,
    /// The command, the program first.
    pub command: Vec<String>,
    /// Where the baseline is, relative to the root.
    pub file: String,
    /// The state, relative to the root.
    pub state: String,
    /// RFC 3339.
    pub now: String,
}

impl Consolidated<'_> {
    /// That an experiment beside an earlier baseline of the same sources speaks of the present one: both are of one
    /// machine, and what the experiment measured of its base is what the baseline says now.
    ///
    /// # Errors
    /// `Rule`, naming what differs.
    pub fn expect_reproduced(&self) -> Result<(), Failure> {
        let Some((experiment, comparison)) = self.kept else { return Ok(()) };
        if experiment.baseline_recorded_at == self.stored.recorded_at {
            return Ok(());
        }
        let id = &experiment.id;
        let hint = format!(
            "the baseline was measured again since {id}: try that change once more beside it, or decide to keep the \
             baseline with `cargo perf decide stop --keep none`"
        );
        let accepted = comparison.noise_accepted.is_some();
        expect_baseline(self.stored, &comparison.env, true).map_err(|failure| failure.hint(hint.clone()))?;
        for compared in &comparison.benches {
            if self.stored.benches.iter().any(|series| series.bench == compared.bench) {
                control(self.stored, compared, accepted).map_err(|failure| failure.hint(hint.clone()))?;
            }
        }
        Ok(())
    }

    /// The baseline with the numbers of the change; none when it stays as it is.
    fn promoted(&self) -> Option<Baseline> {
        let (experiment, comparison) = self.kept?;
        // Benches that the change was not measured with stay what they are.
        let mut benches = self.stored.benches.clone();
        for compared in &comparison.benches {
            if let Some(series) = benches.iter_mut().find(|series| series.bench == compared.bench) {
                *series = promoted(series, compared, SideName::Candidate);
            }
        }
        let mut env = comparison.env.clone();
        env.context.dirty = Some(self.commit.is_none());
        env.context.commit = self.commit.clone().or(env.context.commit);
        let short = experiment.finding.as_ref().and_then(|finding| finding.short.clone());
        // What stays needs its approvals on.
        let is_measured =
            |series: &BenchSeries| comparison.benches.iter().any(|one| one.bench == series.bench);
        let kept = Some(self.stored).filter(|stored| !stored.benches.iter().all(is_measured));
        let stored = |of: fn(&Baseline) -> &Option<Waiver>| kept.and_then(|kept| of(kept).clone());
        Some(Baseline {
            recorded_at: self.now.clone(),
            command: comparison.command.clone(),
            metrics: metrics_of(&benches),
            duration: MeasuredDuration {
                waiver: short.or_else(|| stored(|baseline| &baseline.duration.waiver)),
                ..comparison.duration.clone()
            },
            expanded: comparison.expanded.clone().or_else(|| stored(|baseline| &baseline.expanded)),
            noise_accepted: comparison
                .noise_accepted
                .clone()
                .or_else(|| stored(|baseline| &baseline.noise_accepted)),
            padded: benches.iter().any(BenchSeries::is_padded),
            env,
            benches,
            ..self.stored.clone()
        })
    }
}

/// Why promoted numbers are not as sure as those of a baseline have to be: the experiment has told its sides apart, but
/// each of them may vary. Each with its place in the file.
fn doubts(promoted: &Baseline, comparison: &Comparison, file: &str) -> Vec<Finding> {
    let benches = promoted.benches.iter().enumerate();
    let measured =
        benches.filter(|(_, series)| comparison.benches.iter().any(|one| one.bench == series.bench));
    let finding = |(place, series): (usize, &BenchSeries)| {
        let reason = doubt(series)?.reason;
        let text = format!("{}: {reason}", series.bench.id);
        Some(Finding { text, evidence: format!("{file}#/benches/{place}") })
    };
    measured.filter_map(finding).take(MOST_FINDINGS - 1).collect()
}

/// The outcome of the phase.
pub fn outcome(open: &Investigation, consolidated: &Consolidated<'_>) -> Outcome {
    let version = &consolidated.stored.version;
    let promoted = consolidated.promoted();
    let what = match consolidated.kept {
        Some((experiment, _)) => format!("baseline {version} has the numbers of {}", experiment.id),
        None => format!("baseline {version} stays as it was measured"),
    };
    let doubts = match (&promoted, consolidated.kept) {
        (Some(promoted), Some((_, comparison))) => doubts(promoted, comparison, &consolidated.file),
        _ => Vec::new(),
    };
    let mut summary = vec![format!("Baseline: {what}")];
    summary.push(format!("Version: {version}"));
    summary.push(format!("Path: {}", consolidated.file));
    if consolidated.kept.is_some() && consolidated.commit.is_none() {
        summary.push("Note: the change is in no commit yet".to_owned());
    }
    summary.extend(doubts.iter().map(|doubt| format!("Note: {}", doubt.text)));
    let what_is_kept = Finding { text: what.clone(), evidence: format!("{}#/benches/0", consolidated.file) };
    let rules = Rule::ALL.map(|rule| match rule {
        Rule::CleanBaseline => rule.pass(format!("one baseline of {version}: {}", consolidated.file)),
        Rule::LogAndCheckpoint => rule.logged(),
        _ => rule.of_no_measurement(),
    });
    Outcome {
        phase: Phase::Consolidation,
        status: Status::Complete,
        started_at: consolidated.now.clone(),
        findings: std::iter::once(what_is_kept).chain(doubts).collect(),
        summary,
        decision: open
            .own_decision()
            .map(|decision| format!("{}: {}", decision.verdict.name(), decision.rationale)),
        evidence: vec![
            Pointer::new(PointerKind::Command, line(&consolidated.command)),
            Pointer::new(PointerKind::File, consolidated.file.clone()),
            Pointer::new(PointerKind::File, format!("{}#/decision", consolidated.state)),
        ],
        rules: rules.to_vec(),
        delta: Some(what),
        next: NextStep::Argv(["cargo", "perf", "report"].map(str::to_owned).to_vec()),
        effect: Effect::Consolidation {
            is_new: promoted.is_some(),
            baseline: Box::new(promoted.unwrap_or_else(|| consolidated.stored.clone())),
        },
    }
}
