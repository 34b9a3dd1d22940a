//! What experiments and a decision come to, for the report: each claim with the place where it can be checked, and none
//! that rests on what is gone.

use crate::model::decision::{Course, Decision};
use crate::model::experiment::{Doubt, Experiment, ExperimentStatus, ExperimentVerdict};
use crate::model::investigation::Investigation;
use crate::model::outcome::{Finding, file_of};
use crate::model::record::PhaseStatus;
use crate::sys::invocation::line;
use serde::Serialize;

/// What a report rests on.
#[derive(Debug, Clone, Copy)]
pub struct Basis<'a> {
    /// The investigation.
    pub investigation: &'a Investigation,
    /// The file of its state, relative to the root.
    pub state: &'a str,
    /// The file of the state of whatever investigation is current: what phases call that of their own.
    pub current: &'a str,
    /// The files that were stored, and are gone or not what was stored, relative to the root.
    pub gone: &'a [String],
}

impl<'a> Basis<'a> {
    /// Whether a file of results is gone, or is not what was stored.
    fn is_gone(&self, path: &str) -> bool {
        self.gone.iter().any(|gone| gone == path)
    }

    /// Whether what was measured of an experiment is gone.
    fn has_lost(&self, experiment: &Experiment) -> bool {
        experiment.finding.as_ref().is_some_and(|finding| self.is_gone(&finding.comparison.path))
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

    /// Findings without those that can be checked no more, each with the place where it is now.
    pub fn provable(&self, findings: Vec<Finding>) -> Vec<Finding> {
        let kept = findings.into_iter().filter(|finding| !self.is_gone(file_of(&finding.evidence)));
        kept.map(|finding| Finding { evidence: self.place(&finding.evidence), ..finding }).collect()
    }

    /// Where evidence is now: the state of an investigation moves when another one becomes current.
    pub fn place(&self, evidence: &str) -> String {
        match evidence.strip_prefix(self.current) {
            Some(inside) if inside.is_empty() || inside.starts_with('#') => format!("{}{inside}", self.state),
            _ => evidence.to_owned(),
        }
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
    let claims = basis.experiments().map(|experiment| claim(experiment, experiment.described()));
    claims.filter(|claim| !basis.is_gone(file_of(&claim.evidence))).collect()
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
            let patch = &experiment.change.patch.path;
            let how = match &experiment.applied_at {
                None if basis.is_gone(patch) => {
                    let kept = format!("refs/perf-experiments/{}/{id}", open.id);
                    format!("{patch} is gone or was changed: restore it from version control, or take the change from {kept}")
                }
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
    let experiments = experiments.filter(|claim| !basis.is_gone(file_of(&claim.evidence)));
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
    // A complete investigation takes no more experiments.
    let is_live = basis.investigation.is_live();
    let (id, patch) = (&experiment.id, &experiment.change.patch.path);
    let again = |flag: &str| {
        if is_live {
            format!("`{}`", again_with(experiment, flag))
        } else {
            format!("`cargo perf compare --patch {patch}{flag}`")
        }
    };
    if let Some(finding) = experiment.finding.as_ref().filter(|_| basis.has_lost(experiment)) {
        return Some(format!(
            "what was measured of {id} is gone or was changed, {}: restore it from version control, or measure it again, {}",
            finding.comparison.path,
            again("")
        ));
    }
    match experiment.status {
        ExperimentStatus::Complete if basis.investigation.is_contradicted(experiment) => Some(format!(
            "whether the change of {id} helps cannot be told, what was said of it does not agree: {}",
            again("")
        )),
        ExperimentStatus::Complete
            if experiment.verdict() == Some(ExperimentVerdict::Inconclusive)
                && basis.investigation.counts(experiment) =>
        {
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

/// The command that tries the change of an experiment once more, with `flag` in the place of what it had.
fn again_with(experiment: &Experiment, flag: &str) -> String {
    let mut words = experiment.again();
    let name = flag.split_whitespace().next();
    if let Some(place) = words.iter().position(|word| Some(word.as_str()) == name) {
        words.drain(place..words.len().min(place + 2));
    }
    format!("{}{flag}", line(&words))
}

/// What else was stored and is gone, and what it takes to have it again.
pub fn gone(basis: Basis<'_>) -> Vec<String> {
    // What was measured of experiments is said with them.
    let is_of_experiment = |path: &str| {
        let mut findings = basis.experiments().filter_map(|experiment| experiment.finding.as_ref());
        findings.any(|finding| finding.comparison.path == path)
    };
    let gone = basis.gone.iter().filter(|path| !is_of_experiment(path));
    gone.map(|path| format!("{path} is gone, or is not what this investigation stored: restore it from version control, or measure it again")).collect()
}
