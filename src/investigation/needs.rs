//! What each phase needs before it can be carried out, and which of them this version carries out.

use super::decision::recommend;
use crate::model::investigation::Investigation;
use crate::model::outcome::{NextStep, Phase};

/// What a phase needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// In words.
    pub inputs: &'static str,
    /// Whether this version carries it out.
    pub carried_out: bool,
    /// Whether it can be left out with a reason.
    pub skippable: bool,
    /// Whether its results would be those of waiting when the benchmark mostly waits.
    pub wants_work: bool,
}

/// What `phase` needs.
pub fn needs(phase: Phase) -> Needs {
    let planned = |inputs, skippable, wants_work| Needs { inputs, carried_out: false, skippable, wants_work };
    match phase {
        Phase::Setup => Needs {
            inputs: "scenario, benchmark, metrics, success criteria, version label, the request word for word",
            carried_out: true,
            skippable: false,
            wants_work: false,
        },
        Phase::Baseline => {
            Needs { inputs: "a clean tree", carried_out: true, skippable: false, wants_work: false }
        }
        Phase::BreakingPoint => Needs {
            inputs: "a benchmark that reads its load from PERF_PARAM_VALUE, and what has to hold under it",
            carried_out: true,
            skippable: true,
            wants_work: false,
        },
        Phase::Constraints => {
            planned("a benchmark that computes, and limits that can be enforced", true, true)
        }
        Phase::Hypotheses => planned("a git history", true, false),
        Phase::CodePaths => planned("the sources of the benchmark", true, false),
        Phase::Profiling => planned("a benchmark that computes, with debug symbols", true, true),
        Phase::Optimization => Needs {
            inputs: "one change, as a patch, a revision or in the work tree, and a benchmark that computes",
            carried_out: true,
            skippable: true,
            wants_work: true,
        },
        Phase::Decision => Needs {
            inputs: "a verdict and its rationale",
            carried_out: true,
            skippable: false,
            wants_work: false,
        },
        Phase::Consolidation => {
            Needs { inputs: "a decision", carried_out: true, skippable: false, wants_work: false }
        }
    }
}

/// Whether the loads of the benchmark are declared, so that its breaking point can be searched without a question.
pub fn has_load(investigation: &Investigation) -> bool {
    investigation.benchmark.as_ref().is_some_and(|benchmark| benchmark.load.is_some())
}

/// What comes next in an investigation: the command of the next phase, or what it lacks.
pub fn next(investigation: &Investigation, repeated: &[String]) -> NextStep {
    let command = |words: &[&str]| {
        let start = ["cargo", "perf"].into_iter().chain(words.iter().copied()).map(str::to_owned);
        NextStep::Argv(start.chain(repeated.iter().cloned()).collect())
    };
    let Some(phase) = investigation.upcoming() else { return command(&["report"]) };
    let needs = needs(phase);
    if let Some(open) = investigation.open_experiment() {
        let flags = open.flags.iter().map(String::as_str);
        return command(&["experiment", "--continue"].into_iter().chain(flags).collect::<Vec<_>>());
    }
    if phase == Phase::Decision {
        let found = recommend(investigation);
        let why = format!("as recommended: {}", found.why);
        return command(&["decide", found.verdict.name(), "--rationale", &why]);
    }
    if phase == Phase::BreakingPoint && !has_load(investigation) {
        return NextStep::Question(
            "under which load does it break? cargo perf bisect-load --while 'CONDITION' --param-max N searches it; \
             or has it none? cargo perf next --skip-phase 'breaking-point=why'"
                .to_owned(),
        );
    }
    if needs.carried_out && phase != Phase::Setup {
        return command(&[phase.commands()[0]]);
    }
    if needs.carried_out {
        return NextStep::Question(format!(
            "{} has no terms yet: complete them with `cargo perf setup --resume`",
            investigation.id
        ));
    }
    let (name, inputs) = (phase.name(), needs.inputs);
    let commands = match phase.commands().join(", ") {
        commands if commands == name => String::new(),
        commands => format!(" ({commands})"),
    };
    let helps = if needs.skippable {
        format!("leave it out? cargo perf next --skip-phase '{name}=why'")
    } else {
        "it cannot be left out; look at `cargo perf report`".to_owned()
    };
    NextStep::Question(format!(
        "this version does not carry out {name}{commands}, which needs {inputs}; {helps}"
    ))
}
