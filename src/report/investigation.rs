//! An investigation in words: where it stands, and the report about it.

use super::experiments::{self, Basis};
use crate::model::investigation::{Investigation, MetricTerm};
use crate::model::outcome::{Finding, MOST_FINDINGS, Phase, file_of};
use crate::model::record::PhaseRecord;
use crate::model::rules::{Kept, Rule};
use crate::model::units;
use serde_json::{Value, json};
use std::fmt::Write;

/// What is asked and measured, a line each.
pub fn terms(investigation: &Investigation) -> String {
    let mut text = format!("investigation {}: {}\n", investigation.id, investigation.status.name());
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "{name}: {value}");
        }
    };
    line("scenario", &investigation.scenario.description);
    line("success", &investigation.scenario.success_criteria);
    if let Some(benchmark) = &investigation.benchmark {
        let name = benchmark.bench.as_ref().map_or_else(|| benchmark.command.clone(), ToString::to_string);
        line("benchmark", &format!("{name}, version {}", benchmark.version));
    }
    text
}

/// The ten phases, a line each; `checkpoints` says what became of the commit of each record.
pub fn phases(investigation: &Investigation, checkpoints: &[String]) -> String {
    let upcoming = investigation.upcoming();
    let mut text = String::new();
    for phase in Phase::ALL {
        let (number, name) = (phase.number(), phase.name());
        let state = match latest(investigation, checkpoints, phase) {
            Some((record, checkpoint)) => {
                let why = record.reason.as_deref().map(|why| format!(", {why}")).unwrap_or_default();
                format!("{} {}{why}; {}", record.status.name(), record.finished_at, checkpoint)
            }
            None if upcoming == Some(phase) => "next".to_owned(),
            None => "-".to_owned(),
        };
        let _ = writeln!(text, "{number:>2} {name:<15} {state}");
    }
    text
}

/// The latest record of a phase, with what became of its commit.
fn latest<'a>(
    investigation: &'a Investigation,
    checkpoints: &'a [String],
    phase: Phase,
) -> Option<(&'a PhaseRecord, &'a str)> {
    let records = investigation.phases.iter().zip(checkpoints.iter().map(String::as_str));
    records.rev().find(|(record, _)| record.phase == phase)
}

/// One line of a list of investigations.
pub fn summary(investigation: &Investigation, current: bool) -> String {
    let mark = if current { "*" } else { " " };
    let status = investigation.status.name();
    let at = investigation.phase.name();
    format!("{mark} {}  {status}, {at}  {}\n", investigation.id, investigation.scenario.description)
}

/// The latest findings first, each record's once, at most five.
pub fn findings(investigation: &Investigation) -> Vec<Finding> {
    let latest = Phase::ALL.into_iter().rev().filter_map(|phase| investigation.record(phase));
    let mut findings: Vec<Finding> = latest
        .flat_map(|record| {
            let there = |finding: &&Finding| !investigation.is_replaced(record, file_of(&finding.evidence));
            record.findings.iter().filter(there)
        })
        .cloned()
        .collect();
    findings.truncate(MOST_FINDINGS);
    findings
}

/// The report as Markdown.
pub fn markdown(basis: Basis<'_>, checkpoints: &[String]) -> String {
    let investigation = basis.investigation;
    let mut text = format!("# {}\n\n", plain(&investigation.scenario.description));
    let _ = writeln!(text, "Investigation `{}`, {}.\n", investigation.id, investigation.status.name());
    section(&mut text, "Question", question(investigation));
    section(
        &mut text,
        "Findings",
        basis
            .provable(findings(investigation))
            .iter()
            .map(|finding| format!("{} (`{}`)", plain(&finding.text), finding.evidence))
            .collect(),
    );
    section(&mut text, "Experiments", claims(&experiments::experiments(basis)));
    section(&mut text, "Decision", claims(&experiments::decision(basis)));
    section(&mut text, "Recommendations", claims(&experiments::recommendations(basis)));
    section(&mut text, "Abandoned", claims(&experiments::abandoned(basis)));
    let _ = writeln!(text, "## Phases\n\n| phase | state | findings | checkpoint |\n|---|---|---|---|");
    for phase in Phase::ALL {
        let row = match latest(investigation, checkpoints, phase) {
            Some((record, checkpoint)) => {
                let why = record.reason.as_deref().map(|why| format!(": {}", plain(why))).unwrap_or_default();
                let state = format!("{}{why}", record.status.name());
                format!("{state} | {} | {}", record.findings.len(), plain(checkpoint))
            }
            None => "not done | | ".to_owned(),
        };
        let _ = writeln!(text, "| {} | {row} |", phase.name());
    }
    text.push('\n');
    section(&mut text, "Rules", kept(investigation));
    section(
        &mut text,
        "Approvals",
        investigation
            .approvals
            .iter()
            .map(|approval| {
                let waiver = &approval.waiver;
                let what = approval.what.name();
                format!(
                    "{what} in {}: {}, by {} at {}",
                    approval.phase.name(),
                    plain(&waiver.text),
                    plain(&waiver.who),
                    waiver.when
                )
            })
            .collect(),
    );
    section(&mut text, "What the evidence does not say", insufficient(basis));
    text
}

/// The report for machines; the keys of an analysis are `summary`, `recommendations`, `abandoned` and `next_steps`.
pub fn json(basis: Basis<'_>, next: &Value) -> Value {
    let investigation = basis.investigation;
    json!({
        "id": investigation.id,
        "summary": {
            "scenario": investigation.scenario,
            "benchmark": investigation.benchmark,
            "baselines": investigation.baselines,
            "findings": basis.provable(findings(investigation)),
        },
        "recommendations": experiments::recommendations(basis),
        "abandoned": experiments::abandoned(basis),
        "next_steps": [next],
        "insufficient": insufficient(basis),
        "phases": investigation.phases,
        "approvals": investigation.approvals,
        "experiments": investigation.experiments,
        "decision": investigation.decision,
    })
}

fn question(investigation: &Investigation) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(quote) = &investigation.quote {
        lines.push(format!("asked: {}", plain(quote)));
    }
    lines.push(format!("answered when: `{}`", investigation.scenario.success_criteria));
    lines.extend(
        investigation.scenario.metrics.iter().map(|term| format!("metric {}", plain(&meaning(term)))),
    );
    if let Some(benchmark) = &investigation.benchmark {
        lines.push(format!("measured with `{}`, version {}", benchmark.command, benchmark.version));
    }
    for baseline in &investigation.baselines {
        let padded = if baseline.padded { ", padded: it mostly waits" } else { "" };
        lines.push(format!(
            "baseline {} of {}{padded} (`{}`)",
            baseline.version, baseline.recorded_at, baseline.file
        ));
    }
    lines
}

/// A metric and what it means, in one line.
pub fn meaning(term: &MetricTerm) -> String {
    let better = term.better.map(|better| format!(", {} is better", better.name())).unwrap_or_default();
    let statistic = term.statistic.as_deref().map(|how| format!(", {how}")).unwrap_or_default();
    let unit = term.unit.as_deref().map(|unit| format!(" in {unit}")).unwrap_or_default();
    format!("{}{unit}{better}{statistic}", term.name)
}

/// What became of each rule over all phases.
fn kept(investigation: &Investigation) -> Vec<String> {
    Rule::ALL
        .map(|rule| {
            let of = |kept: Kept| {
                let phases = investigation.phases.iter().filter(|record| {
                    record.rules.iter().any(|check| check.rule == rule && check.kept == kept)
                });
                phases.map(|record| record.phase.name()).collect::<Vec<_>>()
            };
            let (passed, waived) = (of(Kept::Pass), of(Kept::Waived));
            let waived =
                if waived.is_empty() { String::new() } else { format!(", waived in {}", waived.join(", ")) };
            format!(
                "{} {}: checked in {}{waived}",
                rule.number(),
                rule.id(),
                units::count(passed.len(), "phase")
            )
        })
        .to_vec()
}

/// What cannot be concluded yet, and what it needs.
pub fn insufficient(basis: Basis<'_>) -> Vec<String> {
    let investigation = basis.investigation;
    let mut lacks = Vec::new();
    if investigation.baselines.is_empty() {
        lacks.push("no baseline is measured, so there are no numbers: run `cargo perf baseline`".to_owned());
    }
    if investigation.baselines.iter().any(|baseline| baseline.padded) {
        lacks.push("the benchmark mostly waits, so nothing can be concluded from its time: let it work, and measure again".to_owned());
    }
    lacks.extend(experiments::unsettled(basis));
    lacks.extend(experiments::gone(basis));
    lacks
}

fn section(text: &mut String, heading: &str, lines: Vec<String>) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(text, "## {heading}\n");
    for line in lines {
        let _ = writeln!(text, "- {line}");
    }
    text.push('\n');
}

/// Claims with the places where they can be checked, a line each.
fn claims(claims: &[experiments::Claim]) -> Vec<String> {
    claims.iter().map(|claim| format!("{} (`{}`)", plain(&claim.text), claim.evidence)).collect()
}

/// Text on one line in which nothing means anything to Markdown's tables and headings.
fn plain(text: &str) -> String {
    text.chars()
        .flat_map(|c| match c {
            '|' | '<' | '`' | '\\' => vec!['\\', c],
            c if c.is_control() => vec![' '],
            c => vec![c],
        })
        .collect()
}
