//! A search for a breaking point in words: the answer, and each load with how far it was from the limit.

use crate::model::search::{BreakingPoint, ProbeOutcome, ProbeRecord, SearchStatus};
use crate::model::units;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// Columns on each side of the limit.
const COLUMNS: i32 = 24;
/// The logarithm of a ratio that is drawn at the edge: four times the limit, or a quarter of it.
const REACH: f64 = 1.386_294_361_119_890_6;
/// The limit, a passing and a failing probe, and several of both at one place.
const LIMIT: char = '│';
const PASS: char = 'o';
const FAIL: char = 'x';
const BOTH: char = '#';

/// The answer, and a line for each load.
pub fn text(found: &BreakingPoint, probes: &[ProbeRecord]) -> String {
    let mut text = answer(found);
    text.push('\n');
    let counting: Vec<&ProbeRecord> = probes.iter().filter(|probe| probe.counts).collect();
    if let Some(noise) = found.noise {
        let _ = writeln!(text, "noise: a value that is measured again differs by {}", units::share(noise));
    }
    if let Some(noise) = found.baseline_noise {
        let known = units::share(noise);
        let _ = writeln!(text, "baseline: known to {known}, by which the interval is wider");
    }
    let _ = writeln!(text, "{}", attempts(probes, counting.len()));
    text += &plot(&counting);
    text
}

/// The answer and every attempt, for machines.
pub fn json(found: &BreakingPoint, probes: &[ProbeRecord]) -> Value {
    let probe = |probe: &ProbeRecord| {
        json!({
            "value": probe.value,
            "ok": probe.ok,
            "outcome": probe.outcome,
            "reason": probe.reason,
            "purpose": probe.purpose,
            "metrics": probe.metrics,
            "duration_s": probe.duration,
            "attempt": probe.attempt,
            "counts": probe.counts,
            "excess": probe.excess,
        })
    };
    let interval = found.interval.as_ref();
    json!({
        "status": found.status,
        "reason": found.reason,
        "condition": found.condition,
        "smallest_failing": found.smallest_failing,
        "interval": interval.map(|interval| {
            json!({"low": interval.low, "high": interval.high, "open": interval.open})
        }),
        "safe": found.safe,
        "passes": found.passes,
        "recovers": found.recovers,
        "confidence": found.confidence,
        "noise": found.noise,
        "baseline_noise": found.baseline_noise,
        "needs": found.needs,
        "probes": probes.iter().map(probe).collect::<Vec<_>>(),
    })
}

/// In one line.
pub fn answer(found: &BreakingPoint) -> String {
    let percent = format!("{} %", units::plain(100.0 * found.confidence));
    let interval = found.interval.as_ref().map(|interval| {
        let beyond = if interval.open { " or more" } else { "" };
        format!("{} to {}{beyond}", interval.low, interval.high)
    });
    let interval = interval.unwrap_or_else(|| "an unknown load".to_owned());
    let shown = |number: &Option<serde_json::Number>| {
        number.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string)
    };
    let breaks = || {
        format!(
            "breaks at {}; {percent} interval by its model {interval}; {} is safe",
            shown(&found.smallest_failing),
            shown(&found.safe)
        )
    };
    let because = |text: String| match &found.reason {
        Some(reason) => format!("{text}: {reason}"),
        None => text,
    };
    match found.status {
        SearchStatus::Found => breaks(),
        SearchStatus::NonMonotone => match &found.recovers {
            Some(load) => format!("{}; but {load} passes again", breaks()),
            None => format!("{}; but larger loads pass", breaks()),
        },
        SearchStatus::Budget => {
            let needs = found.needs.map(|needs| {
                format!(
                    "; about {} in all would tell",
                    units::count(usize::try_from(needs).unwrap_or(usize::MAX), "probe")
                )
            });
            let passes = found.passes.as_ref().filter(|_| found.interval.is_none());
            let lies = match passes {
                Some(passes) => format!("nothing has failed up to {passes}"),
                None => format!("so far it lies in {interval}"),
            };
            because(format!("not found yet; {lies}{}", needs.unwrap_or_default()))
        }
        SearchStatus::MinFails => "already the smallest load fails".to_owned(),
        SearchStatus::MaxPasses => {
            format!("does not break: even the largest load, {}, passes", shown(&found.passes))
        }
        SearchStatus::GeneratorLimited => {
            because(format!("the load cannot be generated; it passes up to {}", shown(&found.passes)))
        }
        SearchStatus::Drifted => {
            "the machine has changed meanwhile: the first load is far from what it was, and nothing is said"
                .to_owned()
        }
        SearchStatus::InfraError => because("a probe cannot be made".to_owned()),
    }
}

fn attempts(probes: &[ProbeRecord], counting: usize) -> String {
    let seconds: f64 = probes.iter().map(|probe| probe.duration).sum();
    let more = match probes.len() - counting {
        0 => String::new(),
        more => format!(", and {} that did not count", units::count(more, "attempt")),
    };
    format!(
        "{}{more}, {} in all",
        units::count(counting, "probe"),
        units::duration(Duration::from_secs_f64(seconds))
    )
}

/// Each load in its order, with its probes as far from the limit as their values were. Without values, those that
/// pass stand on the left and those that fail on the right.
fn plot(probes: &[&ProbeRecord]) -> String {
    let mut loads: BTreeMap<u64, Vec<&ProbeRecord>> = BTreeMap::new();
    for probe in probes {
        loads.entry(probe.load).or_default().push(probe);
    }
    let width = loads.values().map(|probes| probes[0].value.to_string().len()).max().unwrap_or_default();
    let mut text = String::new();
    for probes in loads.values() {
        let mut columns: BTreeMap<i32, char> = [(0, LIMIT)].into();
        for probe in probes {
            let mark = if probe.outcome == ProbeOutcome::Pass { PASS } else { FAIL };
            let column = column(probe);
            let before = columns.insert(column, mark);
            if before.is_some_and(|before| before != LIMIT && before != mark) {
                columns.insert(column, BOTH);
            }
        }
        let line: String =
            (-COLUMNS..=COLUMNS).map(|column| columns.get(&column).copied().unwrap_or(' ')).collect();
        let load = probes[0].value.to_string();
        let _ = writeln!(text, "{load:>width$}  {}", line.trim_end());
    }
    text
}

/// Where a probe is drawn; never on the limit, which would hide the side that it is on.
fn column(probe: &ProbeRecord) -> i32 {
    let share = share_of_reach(probe);
    #[expect(clippy::cast_possible_truncation, reason = "at most as many as there are columns")]
    let distance = (share.abs() * f64::from(COLUMNS)).round().max(1.0) as i32;
    if share < 0.0 { -distance } else { distance }
}

/// How far a probe was from the limit, as a share of what is drawn: from -1 within to 1 beyond. Without a value only
/// the side counts, and it is half of that.
pub fn share_of_reach(probe: &ProbeRecord) -> f64 {
    let side = if probe.outcome == ProbeOutcome::Pass { -1.0 } else { 1.0 };
    side * probe.excess.map_or(0.5, |excess| (excess.abs() / REACH).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::metric::MetricValues;
    use crate::model::search::{LoadInterval, Purpose};

    fn probe(load: u64, excess: Option<f64>, outcome: ProbeOutcome) -> ProbeRecord {
        ProbeRecord {
            value: load.into(),
            ok: Some(outcome == ProbeOutcome::Pass),
            metrics: MetricValues::default(),
            duration: 30.0,
            reason: String::new(),
            attempt: 1,
            counts: outcome != ProbeOutcome::InfraError,
            load,
            purpose: Purpose::Narrow,
            outcome,
            excess,
            ended_at: String::new(),
        }
    }

    fn found(status: SearchStatus) -> BreakingPoint {
        BreakingPoint {
            status,
            reason: None,
            condition: None,
            smallest_failing: Some(120.into()),
            interval: Some(LoadInterval { low: 118.into(), high: 122.into(), open: false }),
            safe: Some(117.into()),
            passes: Some(117.into()),
            recovers: None,
            confidence: 0.95,
            noise: None,
            baseline_noise: None,
            needs: Some(80),
        }
    }

    #[test]
    fn every_ending_is_said_and_only_an_answer_has_a_number_that_breaks() {
        let said = |status| answer(&found(status));
        let breaks = "breaks at 120; 95 % interval by its model 118 to 122; 117 is safe";
        assert_eq!(said(SearchStatus::Found), breaks);
        assert_eq!(said(SearchStatus::NonMonotone), format!("{breaks}; but larger loads pass"));
        assert_eq!(
            said(SearchStatus::Budget),
            "not found yet; so far it lies in 118 to 122; about 80 probes in all would tell"
        );
        let others = [
            SearchStatus::MinFails,
            SearchStatus::MaxPasses,
            SearchStatus::GeneratorLimited,
            SearchStatus::Drifted,
            SearchStatus::InfraError,
        ];
        for status in others {
            assert!(!said(status).contains("breaks at"), "{}", said(status));
        }
        let why = BreakingPoint {
            reason: Some("it printed no metrics".to_owned()),
            ..found(SearchStatus::InfraError)
        };
        assert_eq!(answer(&why), "a probe cannot be made: it printed no metrics");
    }

    #[test]
    fn loads_stand_in_their_order_at_their_distance_from_the_limit() {
        let probes = [
            probe(500, None, ProbeOutcome::Fail),
            probe(4, Some(-9.0), ProbeOutcome::Pass),
            probe(119, Some(-0.001), ProbeOutcome::Pass),
            probe(119, Some(0.001), ProbeOutcome::Fail),
            probe(240, Some(2.0_f64.ln()), ProbeOutcome::Fail),
            probe(240, Some(2.0_f64.ln()), ProbeOutcome::InfraError),
        ];
        let text = text(&found(SearchStatus::Found), &probes);
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(lines[0], "5 probes, and 1 attempt that did not count, 3 min 00 s in all");
        let places = |line: &str| {
            let of = |mark| line.chars().position(|one| one == mark);
            (of(PASS), of(LIMIT), of(FAIL))
        };
        assert_eq!(places(lines[1]), (Some(5), Some(29), None), "{text}");
        assert_eq!(places(lines[2]), (Some(28), Some(29), Some(30)), "{text}");
        assert_eq!(places(lines[3]), (None, Some(29), Some(41)), "{text}");
        assert_eq!(places(lines[4]), (None, Some(29), Some(41)), "{text}");
    }
}
