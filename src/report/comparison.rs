//! A comparison in words and for machines.

use super::plot;
use crate::model::comparison::{BenchVerdict, ComparedBench, Comparison, Side, SideName, Sides, ViewVerdict};
use crate::model::outcome::Finding;
use crate::model::units;
use crate::model::verdict::{Effect, Verdict, Why};
use crate::stats::numbers::Numbers;
use serde_json::{Value, json};
use std::fmt::Write;

/// A pointer to each finding is enough; the table has them all.
const MOST_FINDINGS: usize = 5;

/// One number that got a verdict.
struct Row<'a> {
    bench: &'a ComparedBench,
    verdict: &'a BenchVerdict,
    /// Its place in the document.
    pointer: String,
}

/// Everything: the sides, the table, what should be known of each line.
pub fn text(comparison: &Comparison) -> String {
    let mut text = String::new();
    for side in SideName::BOTH {
        let _ = writeln!(text, "{:<10} {}", side.name(), side_in_words(comparison.sides.of(side)));
    }
    text.push('\n');
    let rows = rows(comparison);
    text += &table(&rows);
    if let Some(mean) = geometric_mean(&rows) {
        let _ = writeln!(text, "geometric mean: {}", signed(mean));
    }
    for bench in &comparison.benches {
        let own = rows.iter().filter(|row| std::ptr::eq(row.bench, bench));
        text.extend(own.map(details));
        text += &notes(bench);
    }
    text += &circumstances(comparison);
    text
}

/// What a side is, in one line.
fn side_in_words(side: &Side) -> String {
    let short = |commit: &str| commit.chars().take(7).collect::<String>();
    match &side.onto {
        Some(onto) => format!("{} on {}", side.name, short(onto)),
        None if side.commit.starts_with(&side.name) => short(&side.commit),
        None => format!("{} ({})", side.name, short(&side.commit)),
    }
}

fn rows(comparison: &Comparison) -> Vec<Row<'_>> {
    let of = |(at, bench): (usize, &'_ ComparedBench)| -> Vec<(usize, usize)> {
        (0..bench.verdicts.len()).map(|number| (at, number)).collect()
    };
    let places = comparison.benches.iter().enumerate().flat_map(of);
    places
        .map(|(at, number)| {
            let bench = &comparison.benches[at];
            let pointer = format!("/benches/{at}/verdicts/{number}");
            Row { bench, verdict: &bench.verdicts[number], pointer }
        })
        .collect()
}

impl Row<'_> {
    fn name(&self) -> String {
        let id = &self.bench.bench.id;
        match &self.verdict.metric {
            None => id.clone(),
            Some(metric) => match &metric.scenario {
                Some(scenario) => format!("{id}: {scenario}/{}", metric.name),
                None => format!("{id}: {}", metric.name),
            },
        }
    }

    /// The view that decides.
    fn view(&self) -> &ViewVerdict {
        &self.verdict.views[0]
    }

    fn quantity(&self, value: f64) -> String {
        match (&self.verdict.metric, &self.verdict.unit) {
            (None, unit) => units::quantity(value, unit.as_deref().unwrap_or("ns")),
            (Some(_), Some(unit)) => format!("{} {unit}", units::plain(value)),
            (Some(_), None) => units::plain(value),
        }
    }
}

/// A line for each number: what became of it, by how much, and how small a change would have been seen.
fn table(rows: &[Row<'_>]) -> String {
    let cells: Vec<[String; 5]> = rows
        .iter()
        .map(|row| {
            let view = row.view();
            let values = view.values.as_ref().map(|value| row.quantity(*value));
            let detectable =
                view.detectable_percent.map(|percent| format!("finds {percent:.1} %")).unwrap_or_default();
            [
                row.name(),
                row.verdict.verdict.name().to_owned(),
                effect_in_words(row.verdict.verdict, view.effect),
                format!("{} → {}", values.base, values.candidate),
                detectable,
            ]
        })
        .collect();
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..5).map(width).collect();
    cells.iter().fold(String::new(), |mut text, row| {
        let line: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(text, "{}", line.join("  ").trim_end());
        text
    })
}

/// The effect with its interval; a difference that does not matter has no number of its own.
fn effect_in_words(verdict: Verdict, effect: Option<Effect>) -> String {
    let Some(Effect { percent, low, high }) = effect else { return "no interval".to_owned() };
    let interval = format!("({low:+.1} to {high:+.1} %)");
    if verdict == Verdict::Unchanged {
        format!("~ {interval}")
    } else {
        format!("{} {interval}", signed(percent))
    }
}

fn signed(percent: f64) -> String {
    format!("{percent:+.1} %")
}

/// The mean of the effects on times as ratios, where there are several. Metrics of a program are of different
/// kinds, and have no mean.
fn geometric_mean(rows: &[Row<'_>]) -> Option<f64> {
    let times = rows.iter().filter(|row| row.verdict.metric.is_none());
    let ratios: Option<Vec<f64>> =
        times.map(|row| Some((row.view().effect?.percent / 100.0).ln_1p())).collect();
    let ratios = ratios.filter(|ratios| ratios.len() > 1)?;
    Some(100.0 * (ratios.iter().sum::<f64>() / ratios.len() as f64).exp_m1())
}

/// What should be known of a line: why it says nothing, what the other view says, how its values lie.
fn details(row: &Row<'_>) -> String {
    let verdict = row.verdict;
    let mut text = format!("\n{}\n", row.name());
    let mut line = |what: String| {
        let _ = writeln!(text, "  {what}");
    };
    if let Some(why) = verdict.why {
        line(format!("inconclusive: {}", reason(why, verdict)));
    }
    for view in &verdict.views {
        let pairs = units::count(usize::try_from(view.pairs).unwrap_or(usize::MAX), "pair");
        let effect = view.effect.map_or_else(
            || "no interval".to_owned(),
            |Effect { percent, low, high }| format!("{percent:+.2} % ({low:+.2} to {high:+.2})"),
        );
        line(format!("{:<6} {effect}, {pairs}, p = {}", view.view.name(), probability(view.p)));
    }
    if let Some(first) = &verdict.first {
        let effect = first.effect.map(|effect| format!(", {}", signed(effect.percent))).unwrap_or_default();
        line(format!(
            "confirmed by a second series, of which the numbers are; the first said {}{effect}",
            first.verdict.name()
        ));
    }
    for side in SideName::BOTH {
        if let Some(modes) = verdict.modes.of(side) {
            line(format!(
                "note: the {} takes one of two values, {} and {} ({:.0} % of the forks)",
                side.name(),
                row.quantity(modes.lower),
                row.quantity(modes.upper),
                100.0 * modes.upper_share
            ));
        }
    }
    if verdict.metric.is_none() {
        text += &distributions(row);
    }
    text
}

/// How the values of both sides lie beside each other.
fn distributions(row: &Row<'_>) -> String {
    let series = row.bench.confirmation.as_ref().unwrap_or(&row.bench.series);
    let values = Numbers::of(series).values(None, row.view().view).unwrap_or_default();
    let of = |side: fn(&Sides<f64>) -> f64| values.iter().map(side).collect::<Vec<_>>();
    let sides = Sides { base: of(|pair| pair.base), candidate: of(|pair| pair.candidate) };
    let Some(drawn) = plot::beside(&sides) else { return String::new() };
    let ends = [drawn.low, drawn.high].map(|value| row.quantity(value));
    format!(
        "  base      {}\n  candidate {}\n            {:<half$}{:>half$}\n",
        drawn.strips.base,
        drawn.strips.candidate,
        ends[0],
        ends[1],
        half = plot::WIDTH / 2
    )
}

fn notes(bench: &ComparedBench) -> String {
    let mut text = String::new();
    let mut note = |what: &str| {
        let _ = writeln!(text, "  note: {what}");
    };
    let Sides { base, candidate } = &bench.executable_sha256;
    if base.is_some() && base == candidate {
        note("both executables are the same program, byte for byte");
    }
    if bench.source_differs {
        note("the source of the bench itself differs between the sides, so it may measure something else");
    }
    let numbers = Numbers::of(&bench.series);
    let only = numbers.metrics().1;
    for side in SideName::BOTH {
        for metric in only.of(side) {
            note(&format!("only the {} prints {}", side.name(), metric.name));
        }
    }
    for metric in numbers.metrics().0 {
        if !bench.verdicts.iter().any(|verdict| verdict.metric.as_ref() == Some(&metric)) {
            note(&format!("{metric} has no direction, so nothing is said of it"));
        }
    }
    let aside = bench.series.pairs.iter().filter(|pair| !pair.counts()).count();
    if aside > 0 {
        note(&format!("{} disturbed and measured anew", units::count(aside, "pair")));
    }
    text
}

/// What is true of all of it.
fn circumstances(comparison: &Comparison) -> String {
    let mut text = "\n".to_owned();
    for left_out in &comparison.left_out {
        let _ = writeln!(text, "not compared: {}: {}", left_out.bench, left_out.why);
    }
    for note in &comparison.notes {
        let _ = writeln!(text, "note: {note}");
    }
    if let Some(waiver) = &comparison.duration.waiver {
        let required = units::plain(comparison.duration.required_s);
        let _ = writeln!(
            text,
            "measured for {required} s a side only, approved by {}: {}",
            waiver.who, waiver.text
        );
    }
    text
}

fn probability(p: f64) -> String {
    if p < 0.0001 { "under 0.0001".to_owned() } else { format!("{p:.4}") }
}

/// Why a verdict is inconclusive, and what would help.
fn reason(why: Why, verdict: &BenchVerdict) -> String {
    let detectable = verdict.views[0].detectable_percent;
    match why {
        Why::TooFewPairs { pairs } => {
            format!(
                "{pairs} pairs are too few for the certainty that was asked for; measure longer with --duration"
            )
        }
        Why::TooWide => {
            let least =
                detectable.map(|percent| format!(", only from {percent:.1} % on")).unwrap_or_default();
            format!("a change that matters cannot be told from none{least}; measure longer with --max-time")
        }
        Why::AtTheMargin => {
            "there is a difference, at the margin of what matters; settle it with --margin".to_owned()
        }
        Why::Coarse { percent } => {
            format!("its harness tells nothing below {percent:.1} % apart; raise --margin to that")
        }
        Why::ViewsDisagree => {
            "the low end and the median of the forks say the opposite of each other".to_owned()
        }
        Why::NotConfirmed { first } => {
            format!("the first series said {}, a second one does not", first.name())
        }
        Why::Drift { first_percent, second_percent } => format!(
            "the effect moved while it was measured, from {} in the first half to {} in the second",
            signed(first_percent),
            signed(second_percent)
        ),
        Why::NotPositive => "a value is zero or negative, so there are no ratios".to_owned(),
        Why::NoDirection => {
            "whether more or less is better is not known; say it with --metric NAME:UNIT:lower".to_owned()
        }
    }
}

/// The verdicts as findings, those that say that something changed first.
pub fn findings(comparison: &Comparison, file: &str) -> Vec<Finding> {
    let mut rows = rows(comparison);
    rows.sort_by_key(|row| !row.verdict.verdict.is_change());
    rows.iter()
        .take(MOST_FINDINGS)
        .map(|row| Finding {
            text: format!(
                "{}: {} {}",
                row.name(),
                row.verdict.verdict.name(),
                effect_in_words(row.verdict.verdict, row.view().effect)
            ),
            evidence: format!("{file}#{}", row.pointer),
        })
        .collect()
}

/// The verdicts for machines; the raw samples are in the document.
pub fn json(comparison: &Comparison) -> Value {
    let rows = rows(comparison);
    json!({
        "id": comparison.id,
        "sides": comparison.sides,
        "terms": comparison.terms,
        "seed": comparison.seed,
        "duration": comparison.duration,
        "comparisons": rows.iter().map(row_json).collect::<Vec<_>>(),
        "geometric_mean_percent": geometric_mean(&rows),
        "left_out": comparison.left_out,
        "notes": comparison.notes,
    })
}

fn row_json(row: &Row<'_>) -> Value {
    let BenchVerdict { metric, unit, better, verdict, why, views, modes, first } = row.verdict;
    json!({
        "bench": row.bench.bench,
        "harness": row.bench.harness.name(),
        "metric": metric,
        "unit": unit,
        "better": better,
        "verdict": verdict,
        "why": why,
        "why_text": why.map(|why| reason(why, row.verdict)),
        "effect": row.view().effect,
        "detectable_percent": row.view().detectable_percent,
        "views": views,
        "first": first,
        "modes": modes,
        "executable_sha256": row.bench.executable_sha256,
        "source_differs": row.bench.source_differs,
    })
}
