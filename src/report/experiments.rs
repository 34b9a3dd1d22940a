//! What experiments and a decision come to, for the report: each claim with the place where it can be checked, and none
//! that rests on what is gone.

use crate::model::decision::{Course, Decision};
use crate::model::experiment::{Doubt, Experiment, ExperimentStatus, ExperimentVerdict};
use crate::model::investigation::Investigation;
use crate::model::outcome::Finding;
use crate::model::record::PhaseStatus;
use serde::Serialize;

/// What a report rests on.
#[derive(Debug, Clone, Copy)]
pub struct Basis<'a> {
    /// The investigation.
    pub investigation: &'a Investigation,
    /// The file of its state, relative to the root.
    pub state: &'a str,
    /// The experiments whose comparison is gone, or is not what was stored.
    pub lost: &'a [String],
}

impl<'a> Basis<'a> {
    /// Whether what was measured of an experiment is gone.
    fn has_lost(&self, experiment: &Experiment) -> bool {
        self.lost.contains(&experiment.id)
    }

    /// The experiments, oldest first.
    fn experiments(&self) -> impl DoubleEndedIterator<Item = &'a Experiment> {
        self.investigation.own_experiments()
    }

    /// Those with this verdict on their change, as far as it can be checked.
    fn concluded(&self, verdict: ExperimentVerdict) -> impl Iterator<Item = &'a Experiment> {
        let counts = move |experiment: &&Experiment| {
            experiment.verdict() == Some(verdict) && self.investigation.counts(experiment)
        };
        self.experiments().filter(counts).filter(move |experiment| !self.has_lost(experiment))
    }

    /// Those with another verdict than most with the same change, and what these say.
    fn outvoted(&self) -> impl Iterator<Item = (&'a Experiment, ExperimentVerdict)> {
        let conclusive = |verdict: &ExperimentVerdict| *verdict != ExperimentVerdict::Inconclusive;
        self.experiments().filter(|experiment| !self.has_lost(experiment)).filter_map(move |experiment| {
            experiment.verdict().filter(conclusive)?;
            let on_change = self.investigation.verdict_on_change(experiment).filter(conclusive)?;
            (experiment.verdict() != Some(on_change)).then_some((experiment, on_change))
        })
    }

    fn decision(&self) -> Option<&'a Decision> {
        self.investigation.own_decision()
    }

    /// Findings without those that can be checked no more.
    pub fn provable(&self, findings: Vec<Finding>) -> Vec<Finding> {
        let lost = self.experiments().filter(|experiment| self.has_lost(experiment));
        let gone: Vec<&str> = lost
            .filter_map(|experiment| experiment.finding.as_ref())
            .map(|finding| finding.comparison.path.as_str())
            .collect();
        let file = |finding: &Finding| finding.evidence.split('#').next().unwrap_or_default().to_owned();
        findings.into_iter().filter(|finding| !gone.contains(&file(finding).as_str())).collect()
    }
}

/// Something that is said, and where it can be checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// In words.
    pub text: String,
    /// A file of the project, with the place in it where it is JSON.
    pub evidence: String,
}

/// The experiments, oldest first.
pub fn experiments(basis: Basis<'_>) -> Vec<Claim> {
    let kept = basis.experiments().filter(|experiment| !basis.has_lost(experiment));
    kept.map(|experiment| claim(experiment, experiment.described())).collect()
}

/// A claim about an experiment: it is checked in its comparison, or in the change that was saved.
fn claim(experiment: &Experiment, text: String) -> Claim {
    let evidence = match &experiment.finding {
        Some(finding) => format!("{}#{}", finding.comparison.path, finding.place),
        None => experiment.change.patch.path.clone(),
    };
    Claim { text, evidence }
}

/// What was decided and what was recommended, a line each.
pub fn decision(basis: Basis<'_>) -> Vec<Claim> {
    let lines = basis.decision().map(Decision::lines).unwrap_or_default();
    let evidence = format!("{}#/decision", basis.state);
    lines.into_iter().map(|text| Claim { text, evidence: evidence.clone() }).collect()
}

/// What should be done with what was found.
pub fn recommendations(basis: Basis<'_>) -> Vec<Claim> {
    let open = basis.investigation;
    let recommended = |experiment: &&Experiment| !is_passed_over(basis, experiment);
    basis
        .concluded(ExperimentVerdict::Accept)
        .filter(recommended)
        .map(|experiment| {
            let id = &experiment.id;
            let how = match &experiment.applied_at {
                Some(when) => format!("applied at {when}"),
                None if is_kept(basis, experiment) || open.is_of_present(experiment) => {
                    format!("`cargo perf apply {id} --id {}` puts it into the work tree", open.id)
                }
                None => "the baseline was measured on other sources since".to_owned(),
            };
            claim(experiment, format!("{}; {how}", experiment.described()))
        })
        .collect()
}

/// Whether it was decided to stop, and this is what the baseline becomes.
fn is_kept(basis: Basis<'_>, experiment: &Experiment) -> bool {
    stopped(basis).is_some_and(|decision| decision.keep.as_ref() == Some(&experiment.id))
}

/// Whether it was decided to stop with something else than this change: another one, or none of the present sources.
fn is_passed_over(basis: Basis<'_>, experiment: &Experiment) -> bool {
    let other = stopped(basis).filter(|decision| decision.keep.as_ref() != Some(&experiment.id));
    other.is_some_and(|decision| decision.keep.is_some() || basis.investigation.is_of_present(experiment))
}

fn stopped(basis: Basis<'_>) -> Option<&Decision> {
    basis.decision().filter(|decision| decision.verdict == Course::Stop)
}

/// What was left out, tried in vain, given up, or not kept.
pub fn abandoned(basis: Basis<'_>) -> Vec<Claim> {
    let phases = basis.investigation.phases.iter().enumerate();
    let left_out =
        phases.filter(|(_, record)| record.status == PhaseStatus::Skipped).map(|(index, record)| Claim {
            text: format!("{}: {}", record.phase.name(), record.reason.as_deref().unwrap_or("left out")),
            evidence: format!("{}#/phases/{index}", basis.state),
        });
    let in_vain = basis.concluded(ExperimentVerdict::Reject);
    let given_up = basis.experiments().filter(|experiment| experiment.status == ExperimentStatus::Abandoned);
    let not_kept =
        basis.concluded(ExperimentVerdict::Accept).filter(|experiment| is_passed_over(basis, experiment));
    let experiments = in_vain.chain(given_up).map(|experiment| claim(experiment, experiment.described()));
    let not_kept = not_kept.map(|experiment| {
        claim(experiment, format!("{}; it was decided not to keep it", experiment.described()))
    });
    let outvoted = basis.outvoted().map(|(experiment, on_change)| {
        let text = format!(
            "{}; but it counts less than the {} of the same change",
            experiment.described(),
            on_change.name()
        );
        claim(experiment, text)
    });
    left_out.chain(experiments).chain(outvoted).chain(not_kept).collect()
}

/// What experiments have not settled, and the run that would settle it.
pub fn unsettled(basis: Basis<'_>) -> Vec<String> {
    let open = basis.investigation;
    let not_again = |experiment: &&Experiment| !open.is_tried_again(experiment);
    let left = basis.experiments().filter(not_again);
    let mut lacks: Vec<String> = left.filter_map(|experiment| unsettled_by(basis, experiment)).collect();
    if let Some(found) = basis.decision().map(|decision| &decision.recommendation)
        && let (Some(keep), None) = (&found.keep, found.success)
    {
        let why = found.reasons.last().map_or("its condition was not measured", String::as_str);
        lacks.push(format!("whether {keep} suffices cannot be told: {why}"));
    }
    if basis.experiments().next().is_none() {
        lacks.push("no change was tried, so nothing is recommended".to_owned());
    }
    lacks
}

fn unsettled_by(basis: Basis<'_>, experiment: &Experiment) -> Option<String> {
    let is_live = basis.investigation.is_live();
    let (id, patch) = (&experiment.id, &experiment.change.patch.path);
    // A complete investigation takes no more experiments.
    let command = if is_live { "experiment" } else { "compare" };
    let again = |flag: &str| format!("`cargo perf {command} --patch {patch}{flag}`");
    if let Some(finding) = experiment.finding.as_ref().filter(|_| basis.has_lost(experiment)) {
        return Some(format!(
            "what was measured of {id} is gone or was changed, {}: restore it from version control, or measure it again, {}",
            finding.comparison.path,
            again("")
        ));
    }
    match experiment.status {
        ExperimentStatus::Complete if basis.investigation.is_contradicted(experiment) => Some(format!(
            "whether the change of {id} helps cannot be told, it was accepted and rejected as often: {}",
            again("")
        )),
        ExperimentStatus::Complete if experiment.verdict() == Some(ExperimentVerdict::Inconclusive) => {
            let doubt = experiment.finding.as_ref().and_then(|finding| finding.doubt).unwrap_or(Doubt::Noise);
            let run = doubt.flag().map(|flag| format!(": {}", again(flag))).unwrap_or_default();
            Some(format!("whether {id} helps cannot be told, {}{run}", doubt.remedy()))
        }
        ExperimentStatus::Open if is_live => {
            Some(format!("{id} has no verdict: `{}`", experiment.going_on()))
        }
        ExperimentStatus::Open => Some(format!("{id} has no verdict: {}", again(""))),
        _ => None,
    }
}
