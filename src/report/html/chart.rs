//! Charts as SVG: sizes in user units, colours by class, so that the page decides how they look.

use crate::model::comparison::Sides;
use std::fmt::Write;

/// Width and height of a chart of two distributions.
const WIDTH: f64 = 640.0;
const LANE: f64 = 46.0;
const AXIS: f64 = 24.0;
/// Room at both ends: for names of lanes, and for what is written below an end.
const MARGIN: f64 = 76.0;
/// What lies further out than this share of the values is drawn at the ends.
const TAIL: f64 = 0.01;
/// Marks on an axis.
const TICKS: usize = 5;

/// A range of values on the width of a chart.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    /// That of `values`; `None` when there are none.
    fn of(values: &mut Vec<f64>) -> Option<Self> {
        values.retain(|value| value.is_finite());
        values.sort_unstable_by(f64::total_cmp);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small share of a length"
        )]
        let tail = (values.len() as f64 * TAIL) as usize;
        let (low, high) = (*values.get(tail)?, *values.get(values.len() - 1 - tail)?);
        // A line of equal values is drawn in the middle.
        let room = if high > low { (high - low) * 0.04 } else { high.abs().max(1e-9) * 0.01 };
        Some(Self { low: low - room, high: high + room })
    }

    fn place(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        MARGIN + share * (WIDTH - 2.0 * MARGIN)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> + '_ {
        (0..TICKS).map(|number| self.low + (self.high - self.low) * number as f64 / (TICKS - 1) as f64)
    }
}

/// The forks of both sides as dots on one axis, at most `most` of each, with a line at each median. Empty when there is
/// nothing to draw.
pub fn distributions(values: &Sides<Vec<f64>>, most: usize, shown: impl Fn(f64) -> String) -> String {
    let mut all: Vec<f64> = values.base.iter().chain(&values.candidate).copied().collect();
    let Some(scale) = Scale::of(&mut all) else { return String::new() };
    let height = 2.0 * LANE + AXIS;
    let mut svg = format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"distributions of base and candidate\">"
    );
    for (lane, (name, values)) in
        [("base", &values.base), ("candidate", &values.candidate)].into_iter().enumerate()
    {
        let top = lane as f64 * LANE;
        dots(&mut svg, name, (values, most), top, &scale);
    }
    axis(&mut svg, &scale, 2.0 * LANE, shown);
    svg.push_str("</svg>");
    svg
}

fn dots(svg: &mut String, name: &str, (values, most): (&[f64], usize), top: f64, scale: &Scale) {
    // Of more, every so many are drawn.
    let step = values.len().div_ceil(most.max(1)).max(1);
    for (number, value) in values.iter().step_by(step).enumerate() {
        // Spread by the golden ratio, so that equal values do not hide each other, and alike each time.
        let spread = (number as f64 * 0.618_033_988_75).fract();
        let y = top + 8.0 + spread * (LANE - 16.0);
        let _ = write!(
            svg,
            "<circle class=\"{name}\" cx=\"{:.1}\" cy=\"{y:.1}\" r=\"2.2\"/>",
            scale.place(*value)
        );
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    if let Some(median) = sorted.get(sorted.len() / 2) {
        let (x, bottom) = (scale.place(*median), top + LANE - 3.0);
        let _ = write!(
            svg,
            "<line class=\"median {name}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{bottom:.1}\"/>",
            top + 3.0
        );
    }
    let _ = write!(svg, "<text x=\"0\" y=\"{:.1}\">{}</text>", top + LANE / 2.0 + 4.0, name);
}

fn axis(svg: &mut String, scale: &Scale, top: f64, shown: impl Fn(f64) -> String) {
    let _ = write!(
        svg,
        "<line class=\"axis\" x1=\"{MARGIN}\" x2=\"{:.1}\" y1=\"{top:.1}\" y2=\"{top:.1}\"/>",
        WIDTH - MARGIN
    );
    for value in scale.ticks() {
        let x = scale.place(value);
        let _ = write!(
            svg,
            "<line class=\"axis\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top:.1}\" y2=\"{:.1}\"/>\
             <text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
            top + 4.0,
            top + 17.0,
            super::escaped(&shown(value))
        );
    }
}

/// An effect with its interval on an axis around zero, and the margin within which nothing matters. All in percent.
pub fn interval(percent: f64, (low, high): (f64, f64), margin: f64, class: &str) -> String {
    const LANE: f64 = 34.0;
    let mut all = vec![percent, low, high, -1.5 * margin, 1.5 * margin];
    let Some(scale) = Scale::of(&mut all) else { return String::new() };
    let x = |value: f64| scale.place(value);
    let (height, middle) = (LANE + AXIS, LANE / 2.0);
    let mut svg = format!(
        "<svg class=\"chart effect\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"effect {percent:+.1} percent, from {low:+.1} to {high:+.1}\">\
         <text x=\"0\" y=\"{:.1}\">effect</text>\
         <rect class=\"margin\" x=\"{:.1}\" y=\"4\" width=\"{:.1}\" height=\"{:.1}\"/>\
         <line class=\"axis\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"2\" y2=\"{:.1}\"/>\
         <line class=\"span {class}\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle}\" y2=\"{middle}\"/>\
         <circle class=\"{class}\" cx=\"{:.1}\" cy=\"{middle}\" r=\"5\"/>",
        middle + 4.0,
        x(-margin),
        x(margin) - x(-margin),
        LANE - 8.0,
        x(0.0),
        x(0.0),
        LANE - 2.0,
        x(low),
        x(high),
        x(percent),
    );
    axis(&mut svg, &scale, LANE, |value| format!("{value:+.1} %"));
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_stay_within_the_chart_and_are_not_too_many() {
        let base: Vec<f64> = (0..5000).map(f64::from).chain([1e12]).collect();
        let svg =
            distributions(&Sides { base, candidate: vec![7.0] }, 300, |value| format!("{value:.0} <ns>"));
        assert!(svg.matches("<circle").count() <= 301);
        assert!(svg.contains("&lt;ns&gt;") && !svg.contains("<ns>"), "what is written is escaped");
        for part in svg.split("cx=\"").skip(1) {
            let x: f64 = part.split('"').next().and_then(|text| text.parse().ok()).expect("a number");
            assert!((MARGIN..=WIDTH - MARGIN).contains(&x), "{x}");
        }
    }

    #[test]
    fn nothing_is_drawn_of_nothing_and_equal_values_are_drawn() {
        let none = Sides { base: Vec::new(), candidate: vec![f64::NAN] };
        assert_eq!(distributions(&none, 9, |value| value.to_string()), "");
        let same = Sides { base: vec![3.0; 4], candidate: vec![3.0] };
        assert!(!distributions(&same, 9, |value| value.to_string()).contains("NaN"));
    }
}
