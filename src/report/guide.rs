//! The guide: what rules, phases, exit codes and contracts of this version are, for people and machines.

use crate::failure;
use crate::model::outcome::Phase;
use crate::model::rules::{Enforced, Rule};
use serde_json::{Value, json};
use std::fmt::Write;

/// One part of the guide.
#[derive(Debug)]
pub struct Part {
    /// For people: a heading and lines.
    pub text: String,
    /// For machines.
    pub json: Value,
}

/// A key of the configuration.
#[derive(Debug)]
pub struct Key {
    /// As it stands in the file.
    pub name: String,
    /// What it means.
    pub meaning: String,
}

/// A variable that a benchmark reads: its name, its values, and what they mean.
const VARIABLES: [(&str, &str, &str); 4] = [
    (
        perf_harness::MODE,
        "duration | oneshot",
        "repeat the work for a time, or do it once, from start to end",
    ),
    (perf_harness::DURATION, "seconds", "how long to measure, in the mode duration"),
    (perf_harness::WARM_UP, "seconds", "how long to run before that; absent: not at all"),
    (perf_harness::PARAMETER, "number", "the load; absent: none was chosen"),
];

/// The forms in which a benchmark prints its metrics, and when each is used.
const METRICS: [(&str, &str); 4] = [
    ("PERF_METRICS p99_ms=1.25 requests_per_s=5200", "one line"),
    ("PERF_METRICS scenario=low p99_ms=0.75", "a line for each scenario"),
    ("PERF_METRICS_START\\n{\"p99_ms\": 1.25}\\nPERF_METRICS_END", "a block of JSON"),
    (
        "PERF_METRICS_START\\n{\"scenarios\": {\"low\": {\"p99_ms\": 0.75}}}\\nPERF_METRICS_END",
        "a block for scenarios",
    ),
];

/// How far this version keeps the contract of benchmarks.
const CONTRACT: Enforced = Enforced::Fully;
const CONTRACT_HOW: &str = "a run that fails, ends early or prints no metrics is refused";

/// What stands before all parts: how a program drives this one.
pub fn opening(version: &str, topics: &[String]) -> String {
    format!(
        "cargo perf {version}: what this version enforces, does and means\n\n\
         With --json every command prints one object, also on failure: `error` says why it failed and\n\
         `error.code` is the exit code, `next.argv` is the command to run next, `next.question` what to ask.\n\
         `cargo perf guide TOPIC` shows one part: {}\n\n",
        topics.join(", ")
    )
}

/// The ten rules; `how` adds by what each is enforced.
pub fn rules(how: bool) -> Part {
    let mut text =
        "Rules; what is enforced has no switch, and an approval is stored with the result\n".to_owned();
    for rule in Rule::ALL {
        let (number, enforced) = (rule.number(), rule.enforced().name());
        let _ = writeln!(text, "{number:>4}  {enforced:<9}  {}. {}", rule.title(), rule.sentence());
        if how && !rule.how().is_empty() {
            let _ = writeln!(text, "{:17}{}", "", rule.how());
        }
    }
    Part { text, json: Rule::ALL.into_iter().map(rule_json).collect() }
}

fn rule_json(rule: Rule) -> Value {
    json!({
        "number": rule.number(),
        "id": rule.id(),
        "title": rule.title(),
        "rule": rule.sentence(),
        "state": rule.enforced(),
        "how": (!rule.how().is_empty()).then(|| rule.how()),
    })
}

/// The ten phases. A phase is there when its commands are among `known`, those of this version.
pub fn phases(known: &[String]) -> Part {
    let mut text = "Phases of an investigation, in order, with the command of each\n".to_owned();
    let states = Phase::ALL.map(|phase| (phase, availability(phase, known)));
    for (phase, state) in states {
        let (name, commands) = (phase.name(), phase.commands().join(", "));
        let state = state.replace('_', " ");
        let _ = writeln!(
            text,
            "{:>4}  {state:<9}  {name:<14}  {commands:<17}  {}",
            phase.number(),
            phase.purpose()
        );
    }
    if availability(Phase::Setup, known) == "planned" {
        text.push_str("Without setup there is no investigation: a command answers, and logs nothing.\n");
    }
    Part { text, json: states.into_iter().map(|(phase, state)| phase_json(phase, state, known)).collect() }
}

fn availability(phase: Phase, known: &[String]) -> &'static str {
    let is_known = |command: &&str| known.iter().any(|name| name == command);
    match phase.commands().iter().filter(|command| is_known(command)).count() {
        0 => "planned",
        some if some < phase.commands().len() => "in_part",
        _ => "available",
    }
}

fn phase_json(phase: Phase, state: &str, known: &[String]) -> Value {
    let commands = phase.commands().iter().map(
        |name| json!({"argv": ["cargo", "perf", name], "available": known.iter().any(|known| known == name)}),
    );
    json!({
        "number": phase.number(),
        "phase": phase.name(),
        "state": state,
        "commands": commands.collect::<Vec<_>>(),
        "does": phase.purpose(),
    })
}

/// How an investigation is driven, as far as this version goes: each step, its command, and what comes of it.
const STEPS: [(&str, &[&str], &str); 12] = [
    ("find the id of a benchmark", &["list"], "one line each; perf.toml adds external commands"),
    (
        "settle what is asked",
        &[
            "setup",
            "--scenario",
            "SCENARIO",
            "--quote",
            "QUOTE",
            "--success",
            "CONDITION",
            "--version",
            "VERSION",
            "--filter",
            "ID",
            "--detach",
        ],
        "tries the benchmark once; `result.run` is the id of the detached run",
    ),
    (
        "wait for it",
        &["wait", "--timeout", "45s"],
        "exit code 75: it still runs, wait again; else its own answer",
    ),
    ("measure the baseline", &["baseline", "--detach"], "commit your changes first: the tree must be clean"),
    ("wait for it", &["wait", "--timeout", "45s"], "as before"),
    (
        "see what comes next",
        &["next"],
        "carries out the next phase, or asks for what it lacks with exit code 6",
    ),
    (
        "leave out what this version does not carry out",
        &[
            "next",
            "--skip-phase",
            "breaking-point=WHY",
            "--skip-phase",
            "constraints=WHY",
            "--skip-phase",
            "hypotheses=WHY",
            "--skip-phase",
            "code-paths=WHY",
            "--skip-phase",
            "profiling=WHY",
        ],
        "each is a section of the log",
    ),
    (
        "change one thing in the work tree, and try it",
        &["experiment", "--change", "CHANGE", "--detach"],
        "commit nothing: the change is measured beside the commit, and stays where it is",
    ),
    ("wait for it", &["wait", "--timeout", "45s"], "as before; accept, reject or inconclusive"),
    (
        "decide",
        &["decide", "stop", "--rationale", "WHY"],
        "without a verdict it says what is recommended; `continue` leads back to the next change",
    ),
    ("consolidate", &["consolidate"], "one baseline is left; `cargo perf apply E1` keeps an accepted change"),
    (
        "check the evidence",
        &["log", "--check"],
        "exit code 10 when something of it is missing or was changed",
    ),
];

/// How an investigation is driven.
pub fn investigation() -> Part {
    let mut text = "Investigation: one question on its way through the phases, each with a section in the log and a commit\n\
                    A condition compares metrics, as in 'cost <= baseline * 0.9' or 'p99_ms < 50'; benches have cost and\n\
                    felt, programs what they print, with --metric NAME:UNIT:lower|higher. QUOTE is what the user said.\n"
        .to_owned();
    for (number, (what, words, then)) in (1..).zip(STEPS) {
        let _ = writeln!(text, "{number:>4}  {what}: {then}\n        cargo perf {}", words.join(" "));
    }
    text.push_str(
        "  A phase is left out with `cargo perf next --skip-phase 'PHASE=why'`; setup, baseline, decision and\n  \
           consolidation are not. `cargo perf status` shows where it stands, --resume --id ID goes on with another.\n",
    );
    let steps: Vec<Value> = STEPS
        .iter()
        .map(|(what, words, then)| {
            let argv: Vec<&str> = ["cargo", "perf"].iter().chain(*words).copied().collect();
            json!({"step": what, "argv": argv, "then": then})
        })
        .collect();
    let placeholders = json!({
        "SCENARIO": "what should be faster, in which situation",
        "QUOTE": "what the user asked for, word for word",
        "CONDITION": "when it is fast enough, as in 'cost <= baseline * 0.9'",
        "VERSION": "a label of letters, digits, '.', '_', '+' and '-'",
        "ID": "the id of a benchmark, from `list`",
        "CHANGE": "what the change does, in a few words",
        "WHY": "the reason, which is logged",
    });
    Part { text, json: json!({"steps": steps, "placeholders": placeholders}) }
}

/// The exit codes.
pub fn exit_codes() -> Part {
    let mut text = "Exit codes, with the kind of failure in `error.kind`\n".to_owned();
    let mut rows = Vec::new();
    for row in failure::exit_codes() {
        let kind = row.kind.map(failure::FailureKind::name);
        let _ = writeln!(text, "{row:>9}  {:<11}  {}", kind.unwrap_or("-"), row.meaning);
        let signal = matches!(row.kind, Some(failure::FailureKind::Interrupted(_)));
        rows.push(json!({"code": row.code, "plus_signal": signal, "kind": kind, "meaning": row.meaning}));
    }
    Part { text, json: Value::Array(rows) }
}

/// What a benchmark that is a program of its own is told, and how it answers.
pub fn contract() -> Part {
    let mut text = format!(
        "Contract of benchmarks that are programs of their own\n  {}: {CONTRACT_HOW}\n",
        CONTRACT.name()
    );
    text.push_str("  they are told by their environment, in plain decimals:\n");
    for (name, values, meaning) in VARIABLES {
        let _ = writeln!(text, "    {name:<20}  {values:<18}  {meaning}");
    }
    text.push_str("  and print their metrics, names and finite numbers (`\\n` ends a line):\n");
    for (form, when) in METRICS {
        let _ = writeln!(text, "    {when:<24}  {form}");
    }
    text.push_str("  In Rust, the crate perf-harness reads them, and reports exact samples where PERF_REPORT_FILE says,\n  in the version of PERF_PROTOCOL.\n");
    let variables = VARIABLES
        .map(|(name, values, meaning)| json!({"variable": name, "values": values, "meaning": meaning}));
    let metrics = METRICS.map(|(form, when)| json!({"form": form.replace("\\n", "\n"), "used": when}));
    let json = json!({"state": CONTRACT, "how": CONTRACT_HOW, "environment": variables, "metrics": metrics});
    Part { text, json }
}

/// The keys of the configuration `file`.
pub fn config(file: &str, keys: &[Key]) -> Part {
    let mut text = format!("Configuration in {file} at the root of the project; every key also has a flag\n");
    let width = keys.iter().map(|key| key.name.len()).max().unwrap_or_default();
    for key in keys {
        let _ = writeln!(text, "  {:<width$}  {}", key.name, key.meaning);
    }
    let list: Vec<Value> = keys.iter().map(|key| json!({"key": key.name, "meaning": key.meaning})).collect();
    Part { text, json: json!({"file": file, "keys": list}) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_is_there_when_its_commands_are() {
        let known = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let state = |names: &[&str]| phases(&known(names)).json[7]["state"].clone();
        assert_eq!(state(&["list"]), "planned");
        assert_eq!(state(&["experiment"]), "in_part");
        assert_eq!(state(&["apply", "experiment"]), "available");
    }

    #[test]
    fn that_nothing_is_logged_is_said_until_there_is_a_setup() {
        let says = |names: &[String]| phases(names).text.contains("logs nothing");
        assert!(says(&[]));
        assert!(!says(&["setup".to_owned()]));
    }

    #[test]
    fn how_a_rule_is_enforced_is_said_where_it_is_asked_for() {
        let how = Rule::NarrowFirst.how();
        assert!(rules(true).text.contains(how));
        assert!(!rules(false).text.contains(how));
    }
}
