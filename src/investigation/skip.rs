//! A phase that is left out: an outcome like any other, with its section and its commit.

use super::gate::Skip;
use crate::model::investigation::Effect;
use crate::model::outcome::{NextStep, Outcome, Pointer, PointerKind, Status};
use crate::model::rules::Rule;
use crate::model::waiver::Waiver;
use crate::sys::invocation::line;

/// The outcome of leaving out a phase, which `who` approved at `now` with `command`.
pub fn outcome(skip: &Skip, command: &[String], who: &str, now: &str) -> Outcome {
    let name = skip.phase.name();
    let waiver = Waiver { who: who.to_owned(), text: skip.why.clone(), when: now.to_owned() };
    let rules = Rule::ALL.map(|rule| match rule {
        Rule::LogAndCheckpoint => rule.logged(),
        _ => rule.not_applicable("the phase was left out"),
    });
    Outcome {
        phase: skip.phase,
        status: Status::InProgress,
        started_at: now.to_owned(),
        findings: Vec::new(),
        summary: vec![format!("Left out: {name}")],
        decision: Some(format!("left out by {who}: {}", skip.why)),
        evidence: vec![Pointer::new(PointerKind::Command, line(command))],
        rules: rules.to_vec(),
        delta: Some("left out".to_owned()),
        next: NextStep::Argv(["cargo", "perf", "next"].map(str::to_owned).to_vec()),
        effect: Effect::Skip(waiver),
    }
}
