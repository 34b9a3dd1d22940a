//! The report as one page that needs nothing else: no script, no request, readable on paper and in the dark.

mod breaking_point;
mod chart;

use super::experiments::{self as summed, Basis, Claim};
use super::investigation::{insufficient, meaning};
use crate::model::baseline::Baseline;
use crate::model::comparison::{Comparison, Sides};
use crate::model::environment::Environment;
use crate::model::experiment::{Experiment, ExperimentVerdict, NumberChange};
use crate::model::investigation::Investigation;
use crate::model::outcome::{Phase, PointerKind};
use crate::model::record::{PhaseRecord, PhaseStatus};
use crate::model::units;
use crate::model::verdict::Verdict;
use crate::stats::numbers::Numbers;
use crate::sys::invocation::line;
use serde_json::Value;
use std::fmt::Write;

const STYLE: &str = include_str!("style.css");
/// A page that is larger is not looked at.
pub const LARGEST: usize = 2 << 20;

/// How much is shown, from everything to what fits always.
#[derive(Debug, Clone, Copy)]
struct Detail {
    /// Logs and patches that are longer, in bytes, are cut; they are in files of their own.
    log: usize,
    patch: usize,
    /// Dots of a side of a chart; without any there is no chart of forks.
    dots: usize,
}

const DETAILS: [Detail; 3] = [
    Detail { log: 200_000, patch: 40_000, dots: 300 },
    Detail { log: 40_000, patch: 4_000, dots: 60 },
    Detail { log: 0, patch: 0, dots: 0 },
];

/// What the page is made of.
#[derive(Debug)]
pub struct Page<'a> {
    /// The investigation, with what is known of its evidence.
    pub basis: Basis<'a>,
    /// What became of the commit of each phase.
    pub checkpoints: &'a [String],
    /// The log.
    pub log: &'a str,
    /// The baseline, where it can be read.
    pub baseline: Option<&'a Baseline>,
    /// The experiments with what is stored of them, oldest first.
    pub experiments: Vec<Shown<'a>>,
}

/// An experiment with what is stored of it.
#[derive(Debug)]
pub struct Shown<'a> {
    /// The experiment.
    pub experiment: &'a Experiment,
    /// Its comparison, where it is still there.
    pub comparison: Option<Comparison>,
    /// Its patch, where it is still there.
    pub patch: Option<String>,
}

/// The page, with as much detail as fits; below [`LARGEST`] bytes for all but absurd investigations.
pub fn page(page: &Page<'_>) -> String {
    let fits = |detail: &Detail| Some(rendered(page, *detail)).filter(|html| html.len() < LARGEST);
    DETAILS.iter().find_map(fits).unwrap_or_else(|| rendered(page, DETAILS[DETAILS.len() - 1]))
}

fn rendered(page: &Page<'_>, detail: Detail) -> String {
    let (basis, open) = (page.basis, page.basis.investigation);
    let title = escaped(&open.scenario.description);
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n\
         <p class=\"soft\">Investigation <code>{}</code>, {}</p>\n",
        escaped(&open.id),
        open.status.name()
    );
    html += &question(open);
    html += &decision(basis);
    html += &claims("Recommendations", &summed::recommendations(basis));
    html += &experiments(page, detail);
    html += &breaking_point::section(open);
    html += &baseline(page);
    html += &claims("Abandoned", &summed::abandoned(basis));
    html += &list("What the evidence does not say", &insufficient(basis));
    html += &phases(page);
    html += &commands(page);
    if let Some(baseline) = page.baseline {
        html += &environment(&baseline.env);
    }
    html += &list("Approvals", &approvals(open));
    if detail.log > 0 {
        let log = shortened(page.log, detail.log);
        let _ = write!(
            html,
            "<h2>Log</h2><details><summary>as it was written</summary><pre>{log}</pre></details>"
        );
    }
    html.push_str("\n</body></html>\n");
    html
}

fn question(open: &Investigation) -> String {
    let mut html = "<h2>Question</h2>\n".to_owned();
    if let Some(quote) = &open.quote {
        let _ = writeln!(html, "<p>“{}”</p>", escaped(quote));
    }
    let _ = writeln!(html, "<p>Answered when <code>{}</code></p>", escaped(&open.scenario.success_criteria));
    html += &list("", &open.scenario.metrics.iter().map(meaning).collect::<Vec<_>>());
    if let Some(benchmark) = &open.benchmark {
        let _ = writeln!(
            html,
            "<p>Measured with <code>{}</code>, version {}</p>",
            escaped(&benchmark.command),
            escaped(&benchmark.version)
        );
    }
    html
}

fn decision(basis: Basis<'_>) -> String {
    let claims = summed::decision(basis);
    let Some((decided, rest)) = claims.split_first() else { return String::new() };
    let rest: Vec<String> = rest.iter().map(|claim| claim.text.clone()).collect();
    let (text, place) = (escaped(&decided.text), escaped(&decided.evidence));
    format!("<h2>Decision</h2>\n<p><strong>{text}</strong><br><code>{place}</code></p>\n{}", list("", &rest))
}

fn experiments(page: &Page<'_>, detail: Detail) -> String {
    if page.experiments.is_empty() {
        return String::new();
    }
    let mut html = "<h2>Experiments</h2>\n".to_owned();
    for shown in &page.experiments {
        html += &experiment(shown, detail);
    }
    html
}

fn experiment(tried: &Shown<'_>, detail: Detail) -> String {
    let experiment = tried.experiment;
    let verdict = experiment.finding.as_ref().map(|finding| finding.verdict);
    let (word, class) = match verdict {
        Some(verdict @ ExperimentVerdict::Accept) => (verdict.name(), "good"),
        Some(verdict @ ExperimentVerdict::Reject) => (verdict.name(), "bad"),
        Some(verdict @ ExperimentVerdict::Inconclusive) => (verdict.name(), "none"),
        None => ("no verdict", "none"),
    };
    let mut html = format!(
        "<section class=\"card\"><header><h3>{}</h3><span class=\"badge {class}\">{word}</span><span>{}</span></header>\n",
        escaped(&experiment.id),
        escaped(&experiment.change.summary)
    );
    if let Some(given_up) = &experiment.abandoned {
        let _ = writeln!(html, "<p>Given up: {}</p>", escaped(&given_up.text));
    }
    if let Some(finding) = &experiment.finding {
        let _ = writeln!(html, "<p>{}</p>", escaped(&finding.why));
        for number in &finding.numbers {
            html += &number_shown(number, tried.comparison.as_ref(), detail.dots);
        }
        let control = &finding.control;
        let number = finding.numbers.iter().find(|number| number.name() == control.number);
        let shown =
            |value| escaped(&number.map_or_else(|| units::plain(value), |number| with_unit(number, value)));
        let _ = writeln!(
            html,
            "<p class=\"soft\">Control: {} was {} in the baseline, {} beside the change</p>",
            escaped(&control.number),
            shown(control.stored),
            shown(control.measured)
        );
    }
    if let (Some(patch), true) = (&tried.patch, detail.patch > 0) {
        let patch = shortened(patch, detail.patch);
        let _ = writeln!(html, "<details><summary>the change</summary><pre>{patch}</pre></details>");
    }
    let evidence = &experiment.change.patch.path;
    let _ = writeln!(html, "<p class=\"soft\"><code>{}</code></p>", escaped(evidence));
    html.push_str("</section>\n");
    html
}

fn number_shown(number: &NumberChange, comparison: Option<&Comparison>, dots: usize) -> String {
    let name = number.name();
    let shown = |value: f64| with_unit(number, value);
    let class = match number.verdict {
        Verdict::Improved => "good",
        Verdict::Regressed => "bad",
        Verdict::Unchanged | Verdict::Inconclusive => "none",
    };
    let mut html = format!(
        "<p><strong>{}</strong>: <span class=\"{class}\">{}</span>, {} → {}",
        escaped(&name),
        number.verdict.name(),
        escaped(&shown(number.base)),
        escaped(&shown(number.candidate))
    );
    if let Some(effect) = number.effect {
        let _ = write!(html, ", {:+.1} % ({:+.1} to {:+.1})", effect.percent, effect.low, effect.high);
    }
    html.push_str("</p>\n");
    if let Some(effect) = number.effect {
        let margin = comparison.map_or(1.0, |comparison| comparison.terms.margin_percent);
        html += &chart::interval(effect.percent, (effect.low, effect.high), margin, class);
    }
    if let Some(values) = comparison.and_then(|comparison| forks(number, comparison))
        && dots > 0
    {
        html += &chart::distributions(&values, dots, shown);
    }
    html
}

fn with_unit(number: &NumberChange, value: f64) -> String {
    let unit = number.unit.as_deref().unwrap_or_default();
    if number.metric.is_none() {
        units::quantity(value, unit)
    } else {
        format!("{} {unit}", units::plain(value))
    }
}

/// The value of each fork of both sides, in the series that the effect is of.
fn forks(number: &NumberChange, comparison: &Comparison) -> Option<Sides<Vec<f64>>> {
    let bench = comparison.benches.iter().find(|bench| bench.bench == number.bench)?;
    let verdict = bench.verdicts.iter().find(|verdict| verdict.metric == number.metric)?;
    let second = bench.confirmation.as_ref().filter(|_| verdict.first.is_some());
    let series = second.unwrap_or(&bench.series);
    let pairs = Numbers::of(series).values(number.metric.as_ref(), number.view)?;
    Some(Sides {
        base: pairs.iter().map(|pair| pair.base).collect(),
        candidate: pairs.iter().map(|pair| pair.candidate).collect(),
    })
}

fn baseline(page: &Page<'_>) -> String {
    let Some(baseline) = page.baseline else { return String::new() };
    let mut html = format!(
        "<h2>Baseline</h2>\n<p>{}, recorded {}</p>\n<div class=\"scroll\"><table><tr><th>benchmark</th><th>number</th><th>value</th></tr>\n",
        escaped(&baseline.version),
        escaped(&baseline.recorded_at)
    );
    for (bench, values) in &baseline.metrics {
        for (name, value) in values.iter() {
            let _ = writeln!(
                html,
                "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
                escaped(bench),
                escaped(&name.to_string()),
                units::plain(value)
            );
        }
    }
    html.push_str("</table></div>\n");
    html
}

fn phases(page: &Page<'_>) -> String {
    let mut html =
        "<h2>Phases</h2>\n<div class=\"scroll\"><table><tr><th>phase</th><th>state</th><th>findings</th><th>checkpoint</th></tr>\n"
            .to_owned();
    for (record, checkpoint) in page.basis.investigation.phases.iter().zip(page.checkpoints) {
        let why = record.reason.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
        let findings: Vec<String> = record
            .findings
            .iter()
            .map(|finding| {
                let place = page.basis.place(&finding.evidence);
                format!("{}<br><code>{}</code>", escaped(&finding.text), escaped(&place))
            })
            .collect();
        let _ = writeln!(
            html,
            "<tr><td>{} {}</td><td>{}{}</td><td>{}</td><td>{}</td></tr>",
            record.phase.number(),
            record.phase.name(),
            record.status.name(),
            escaped(&why),
            findings.join("<br>"),
            escaped(checkpoint)
        );
    }
    for phase in Phase::ALL.into_iter().filter(|phase| page.basis.investigation.record(*phase).is_none()) {
        let _ = writeln!(
            html,
            "<tr class=\"soft\"><td>{} {}</td><td>not done</td><td></td><td></td></tr>",
            phase.number(),
            phase.name()
        );
    }
    html.push_str("</table></div>\n");
    html
}

/// The commands, in their order: whoever gives them again does the same again.
fn commands(page: &Page<'_>) -> String {
    let mut tried = page.experiments.iter().filter(|shown| shown.experiment.finding.is_some());
    let mut commands = Vec::new();
    for (record, command) in page.basis.investigation.phases.iter().filter_map(command_of) {
        // As typed, an experiment would try whatever the work tree holds then.
        let is_tried = record.phase == Phase::Optimization && record.status != PhaseStatus::Skipped;
        let experiment = if is_tried { tried.next().map(repeated) } else { None };
        commands.push(escaped(experiment.as_deref().unwrap_or(command)));
    }
    if commands.is_empty() {
        return String::new();
    }
    format!("<h2>To do it again</h2>\n<pre>{}</pre>\n", commands.join("\n"))
}

/// The command of a phase.
fn command_of(record: &PhaseRecord) -> Option<(&PhaseRecord, &str)> {
    let mut commands = record.evidence.iter().filter(|pointer| pointer.kind == PointerKind::Command);
    commands.next().map(|pointer| (record, pointer.target.as_str()))
}

/// The command that tries the same change again, in the same order of pairs.
fn repeated(shown: &Shown<'_>) -> String {
    let experiment = shown.experiment;
    let mut words = experiment.again();
    let noise = shown.comparison.as_ref().and_then(|comparison| comparison.noise_accepted.as_ref());
    words.extend(noise.into_iter().flat_map(|waiver| ["--accept-noise".to_owned(), waiver.text.clone()]));
    let seed = shown.comparison.as_ref().map(|comparison| comparison.seed.to_string());
    words.extend(seed.into_iter().flat_map(|seed| ["--seed".to_owned(), seed]));
    line(&words)
}

fn environment(environment: &Environment) -> String {
    let mut html =
        "<h2>Environment</h2>\n<details><summary>of the baseline</summary><div class=\"scroll\"><table>\n"
            .to_owned();
    let classes = [
        ("identity", serde_json::to_value(&environment.identity)),
        ("build", serde_json::to_value(&environment.build)),
        ("machine", serde_json::to_value(&environment.machine)),
        ("soft", serde_json::to_value(&environment.soft)),
        ("context", serde_json::to_value(&environment.context)),
    ];
    for (class, value) in classes {
        let Ok(Value::Object(fields)) = value else { continue };
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let _ = writeln!(html, "<tr><td>{class}</td><td>{name}</td><td>{}</td></tr>", escaped(&shown));
        }
    }
    html.push_str("</table></div></details>\n");
    html
}

fn approvals(open: &Investigation) -> Vec<String> {
    open.approvals
        .iter()
        .map(|approval| {
            let waiver = &approval.waiver;
            format!(
                "{} in {}: {}, by {} at {}",
                approval.what.name(),
                approval.phase.name(),
                waiver.text,
                waiver.who,
                waiver.when
            )
        })
        .collect()
}

/// Claims below a heading, each with its place; nothing without claims.
fn claims(heading: &str, claims: &[Claim]) -> String {
    let items = claims.iter().fold(String::new(), |mut items, claim| {
        let _ =
            writeln!(items, "<li>{}<br><code>{}</code></li>", coded(&claim.text), escaped(&claim.evidence));
        items
    });
    if items.is_empty() { items } else { format!("<h2>{heading}</h2>\n<ul>\n{items}</ul>\n") }
}

/// Lines of text below a heading; nothing without lines.
fn list(heading: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let heading = if heading.is_empty() { String::new() } else { format!("<h2>{heading}</h2>\n") };
    let items = lines.iter().fold(String::new(), |mut items, line| {
        let _ = writeln!(items, "<li>{}</li>", coded(line));
        items
    });
    format!("{heading}<ul>\n{items}</ul>\n")
}

fn shortened(text: &str, longest: usize) -> String {
    let end = text.char_indices().map(|(at, _)| at).find(|at| *at >= longest).unwrap_or(text.len());
    let more = if end < text.len() { "\n… and more, see the file" } else { "" };
    format!("{}{more}", escaped(&text[..end]))
}

/// Text with what stands between backticks set as code.
fn coded(text: &str) -> String {
    let mut parts = text.split('`');
    let mut html = escaped(parts.next().unwrap_or_default());
    while let Some(code) = parts.next() {
        match parts.next() {
            Some(behind) => {
                let _ = write!(html, "<code>{}</code>{}", escaped(code), escaped(behind));
            }
            // One without a second stays what it is.
            None => {
                let _ = write!(html, "`{}", escaped(code));
            }
        }
    }
    html
}

/// Text in which nothing means anything to HTML.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c if c.is_control() && c != '\n' && c != '\t' => html.push('\u{fffd}'),
            c => html.push(c),
        }
    }
    html
}
