//! The gate of phases: a phase runs when those before it are done, or left out with a recorded reason.

use super::needs::needs;
use crate::failure::{Failure, FailureKind};
use crate::model::investigation::Investigation;
use crate::model::outcome::Phase;
use crate::model::rules::Rule;

/// A phase that is to be left out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// The phase.
    pub phase: Phase,
    /// In the user's words.
    pub why: String,
}

impl Skip {
    /// Reads `phase=why`, as `--skip-phase` takes it.
    ///
    /// # Errors
    /// `Usage`, naming what is wrong.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let example = "for example: --skip-phase 'breaking-point=the benchmark has no load'";
        let (name, why) = text.split_once('=').unwrap_or((text, ""));
        let name = name.trim();
        let phase = Phase::named(name).ok_or_else(|| {
            let known = Phase::ALL.map(Phase::name).join(", ");
            Failure::usage(format!("{name:?} is no phase; the phases are {known}")).hint(example)
        })?;
        if why.trim().is_empty() {
            return Err(
                Failure::usage(format!("--skip-phase {name} needs a reason, which is logged")).hint(example)
            );
        }
        if !needs(phase).skippable {
            return Err(Failure::usage(format!("the phase {name} cannot be left out")).hint(
                match phase.commands().first() {
                    Some(command) => format!("carry it out with `cargo perf {command}`"),
                    None => example.to_owned(),
                },
            ));
        }
        Ok(Self { phase, why: why.trim().to_owned() })
    }
}

/// Whether `phase` may run when `skips` are left out.
///
/// # Errors
/// As [`in_turn`]; `Rule` when it would draw conclusions from a benchmark that mostly waits.
pub fn pass(investigation: &Investigation, phase: Phase, skips: &[Skip]) -> Result<(), Failure> {
    in_turn(investigation, phase, skips)?;
    expect_work(investigation, phase)
}

/// Whether `phase` comes next when `skips` are left out, be it to run or to be left out itself.
///
/// # Errors
/// `Blocked` when a phase before it is neither done nor left out; `Usage` for a skip of a phase that is done
/// or does not come before.
pub fn in_turn(investigation: &Investigation, phase: Phase, skips: &[Skip]) -> Result<(), Failure> {
    for skip in skips {
        let name = skip.phase.name();
        if investigation.record(skip.phase).is_some() {
            return Err(Failure::usage(format!("the phase {name} is done and cannot be left out"))
                .hint("leave --skip-phase away; `cargo perf status` shows what is done"));
        }
        if skip.phase >= phase {
            return Err(Failure::usage(format!("{name} does not come before {}", phase.name()))
                .hint("--skip-phase leaves out phases before the one that is to run"));
        }
    }
    let missing: Vec<Phase> = investigation
        .missing_before(phase)
        .into_iter()
        .filter(|missing| !skips.iter().any(|skip| skip.phase == *missing))
        .collect();
    if let Some(first) = missing.first() {
        let names: Vec<&str> = missing.iter().map(|phase| phase.name()).collect();
        let message =
            format!("{} comes after {}, not done in {}", phase.name(), names.join(", "), investigation.id);
        return Err(Failure::new(FailureKind::Blocked, message).hint(remedy(*first)));
    }
    Ok(())
}

fn remedy(missing: Phase) -> String {
    let needs = needs(missing);
    let name = missing.name();
    let skip = format!("--skip-phase '{name}=why'");
    match (needs.carried_out, needs.skippable) {
        (true, true) => format!("run `cargo perf {}`, or leave it out with {skip}", missing.commands()[0]),
        (true, false) => format!("run `cargo perf {}`", missing.commands()[0]),
        (false, true) => format!("this version does not carry out {name}; leave it out with {skip}"),
        (false, false) => format!("this version does not carry out {name}, and it cannot be left out"),
    }
}

/// Refuses to conclude from a benchmark that mostly waits.
fn expect_work(investigation: &Investigation, phase: Phase) -> Result<(), Failure> {
    let padded = investigation.baseline().filter(|baseline| baseline.padded && needs(phase).wants_work);
    match padded {
        Some(baseline) => Err(Rule::CleanBaseline
            .refuses(format!("{} on the padded baseline {}", phase.name(), baseline.version))
            .hint(
                "let the benchmark work instead of waiting, and measure it with `cargo perf baseline` again",
            )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: &str = "2026-01-02T00:00:00Z";

    fn after(phases: &[Phase]) -> Investigation {
        let mut open = Investigation::new("a", NOW);
        for phase in phases {
            let record = json!({"phase": phase, "status": "complete", "startedAt": NOW, "finishedAt": NOW});
            open.note(serde_json::from_value(record).expect("a record"), NOW);
        }
        open
    }

    #[test]
    fn s31_a_phase_before_its_predecessors_is_blocked_and_says_which() {
        let open = after(&[Phase::Setup]);
        pass(&open, Phase::Baseline, &[]).expect("its turn");
        let refused = pass(&open, Phase::Optimization, &[]).expect_err("too early");
        assert_eq!(refused.kind, FailureKind::Blocked);
        assert!(refused.message.contains("baseline, breaking-point"), "{refused}");
        let skips = ["breaking-point", "constraints", "hypotheses", "code-paths", "profiling"]
            .map(|name| Skip::parse(&format!("{name}=not asked for")).expect("a skip"));
        assert!(pass(&open, Phase::Optimization, &skips).is_err(), "a baseline cannot be left out");
        pass(&after(&[Phase::Setup, Phase::Baseline]), Phase::Optimization, &skips).expect("all left out");
    }

    #[test]
    fn p5_what_cannot_be_left_out_is_refused() {
        for text in [
            "baseline=why",
            "setup=why",
            "decision=why",
            "consolidation=why",
            "banana=why",
            "profiling",
            "profiling= ",
        ] {
            assert_eq!(Skip::parse(text).expect_err(text).kind, FailureKind::Usage, "{text}");
        }
        let skip = Skip::parse("breaking-point=no load").expect("a skip");
        let early = after(&[Phase::Setup, Phase::Baseline, Phase::BreakingPoint]);
        assert_eq!(pass(&early, Phase::Constraints, &[skip]).expect_err("done").kind, FailureKind::Usage);
    }

    #[test]
    fn p2_a_benchmark_that_waits_never_reaches_a_conclusion() {
        let mut open = after(&Phase::ALL[..9]);
        open.baselines = serde_json::from_value(
            json!([{"version": "v1", "file": "f", "recordedAt": NOW, "padded": true}]),
        )
        .expect("a baseline");
        for phase in [Phase::Constraints, Phase::Profiling, Phase::Optimization] {
            assert_eq!(pass(&open, phase, &[]).expect_err("padded").kind, FailureKind::Rule, "{phase:?}");
        }
        pass(&open, Phase::BreakingPoint, &[]).expect("waiting has a breaking point too");
    }
}
