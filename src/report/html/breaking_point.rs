//! The section of a breaking point: each probe at its load, as far from the limit as its value was.

use super::escaped;
use crate::model::investigation::Investigation;
use crate::model::search::{AnyBreakingPoint, AnyProbe, BreakingPoint, ProbeOutcome, ProbeRecord};
use crate::model::units;
use crate::report::search::{answer, share_of_reach};
use serde_json::Number;
use std::fmt::Write;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 220.0;
/// Room for what is written on the left, and below.
const LEFT: f64 = 76.0;
const RIGHT: f64 = 20.0;
const AXIS: f64 = 24.0;
/// Marks on the axis of loads.
const TICKS: usize = 5;

/// The section; empty without a breaking point of ours.
pub fn section(open: &Investigation) -> String {
    let Some(found) = open.breaking_point.as_ref().and_then(AnyBreakingPoint::ours) else {
        return String::new();
    };
    let probes: Vec<&ProbeRecord> =
        open.breaking_point_history.iter().filter_map(AnyProbe::ours).filter(|probe| probe.counts).collect();
    let mut html = format!("<h2>Breaking point</h2>\n<p><strong>{}</strong></p>\n", escaped(&answer(found)));
    let holds = found.condition.as_deref().unwrap_or("exit code 0");
    let _ = writeln!(
        html,
        "<p class=\"soft\">The smallest load without <code>{}</code>; {}</p>",
        escaped(holds),
        units::count(probes.len(), "probe")
    );
    html += &chart(found, &probes);
    html
}

/// Loads from left to right by ratio, values from bottom to top, the limit in the middle.
fn chart(found: &BreakingPoint, probes: &[&ProbeRecord]) -> String {
    let loads = probes.iter().filter_map(|probe| probe.value.as_f64());
    let (low, high) =
        loads.fold((f64::INFINITY, 0.0_f64), |(low, high), load| (low.min(load), high.max(load)));
    // Loads at or below zero have no ratios; the text has them.
    if low <= 0.0 || high <= low {
        return String::new();
    }
    let bottom = HEIGHT - AXIS;
    let x = |load: f64| LEFT + (load / low).ln() / (high / low).ln() * (WIDTH - LEFT - RIGHT);
    let mut svg = format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"probes by load and distance \
         from the limit\">"
    );
    if let Some(interval) = &found.interval {
        let end = |number: &Number| x(number.as_f64().unwrap_or(low).clamp(low, high));
        let (from, to) = (end(&interval.low), end(&interval.high));
        let _ = write!(
            svg,
            "<rect class=\"margin\" x=\"{from:.1}\" y=\"2\" width=\"{:.1}\" height=\"{:.1}\"/>",
            (to - from).max(1.0),
            bottom - 2.0
        );
    }
    let middle = bottom / 2.0;
    let _ = write!(
        svg,
        "<line class=\"limit\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\"/>\
         <text x=\"0\" y=\"{:.1}\">limit</text><text x=\"0\" y=\"14\">beyond</text>\
         <text x=\"0\" y=\"{:.1}\">within</text>",
        WIDTH - RIGHT,
        middle + 4.0,
        bottom - 6.0
    );
    for probe in probes {
        let Some(load) = probe.value.as_f64() else { continue };
        let class = if probe.outcome == ProbeOutcome::Pass { "good" } else { "bad" };
        let _ = write!(
            svg,
            "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\"><title>{}: {}</title></circle>",
            x(load),
            middle - share(probe) * (middle - 10.0),
            escaped(&probe.value.to_string()),
            escaped(&probe.reason)
        );
    }
    axis(&mut svg, (low, high), bottom, x);
    svg.push_str("</svg>\n");
    svg
}

/// How far from the limit, from -1 to 1; never on it, which would hide the side.
fn share(probe: &ProbeRecord) -> f64 {
    let share = share_of_reach(probe);
    share.abs().max(0.05).copysign(share)
}

fn axis(svg: &mut String, (low, high): (f64, f64), top: f64, x: impl Fn(f64) -> f64) {
    let _ = write!(
        svg,
        "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{top:.1}\" y2=\"{top:.1}\"/>",
        WIDTH - RIGHT
    );
    for number in 0..TICKS {
        let load = low * (high / low).powf(number as f64 / (TICKS - 1) as f64);
        let _ = write!(
            svg,
            "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            x(load),
            top + 17.0,
            escaped(&units::plain(if load >= 10.0 { load.round() } else { load }))
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::investigation::Effect;
    use crate::model::metric::MetricValues;
    use crate::model::outcome::Phase;
    use crate::model::search::{LoadInterval, Purpose, SearchStatus};

    fn probe(load: u64, excess: Option<f64>) -> ProbeRecord {
        let fails = load >= 120;
        ProbeRecord {
            value: load.into(),
            ok: Some(!fails),
            metrics: MetricValues::default(),
            duration: 30.0,
            reason: "p99_ms < 50".to_owned(),
            attempt: 1,
            counts: true,
            load,
            purpose: Purpose::Narrow,
            outcome: if fails { ProbeOutcome::Fail } else { ProbeOutcome::Pass },
            excess,
            ended_at: String::new(),
        }
    }

    fn searched(probes: Vec<ProbeRecord>) -> Investigation {
        let mut open = Investigation::new("a", "2026-01-01T00:00:00Z");
        let found = BreakingPoint {
            status: SearchStatus::Found,
            reason: None,
            condition: Some("p99_ms < 50".to_owned()),
            smallest_failing: Some(120.into()),
            interval: Some(LoadInterval { low: 118.into(), high: 122.into(), open: false }),
            safe: Some(117.into()),
            passes: Some(117.into()),
            recovers: None,
            confidence: 0.95,
            noise: None,
            baseline_noise: None,
            needs: None,
        };
        let effect = Effect::BreakingPoint { found: Box::new(found), probes };
        open.apply(Phase::BreakingPoint, &effect, None, None);
        open
    }

    #[test]
    fn every_probe_is_drawn_within_the_chart_on_its_side_of_the_limit() {
        let probes =
            vec![probe(1, Some(-40.0)), probe(119, Some(-0.001)), probe(120, Some(0.001)), probe(500, None)];
        let html = section(&searched(probes));
        assert!(html.contains("breaks at 120") && html.contains("p99_ms &lt; 50"), "{html}");
        let middle = (HEIGHT - AXIS) / 2.0;
        let number = |part: &str, name: &str| -> f64 {
            let text = part.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
            text.and_then(|text| text.parse().ok()).expect("a number")
        };
        let circles: Vec<&str> = html.split("<circle").skip(1).collect();
        assert_eq!(circles.len(), 4);
        for (circle, fails) in circles.iter().zip([false, false, true, true]) {
            let (x, y) = (number(circle, "cx"), number(circle, "cy"));
            assert!((LEFT..=WIDTH - RIGHT).contains(&x) && (0.0..HEIGHT - AXIS).contains(&y), "{circle}");
            assert_eq!(y < middle, fails, "{circle}");
        }
    }

    #[test]
    fn nothing_is_drawn_where_nothing_was_searched_or_loads_have_no_ratio() {
        assert_eq!(section(&Investigation::new("a", "2026-01-01T00:00:00Z")), "");
        assert!(!section(&searched(vec![probe(5, None)])).contains("<svg"));
    }
}
