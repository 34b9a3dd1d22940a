//! Distributions as a line of blocks each, on one scale.

use crate::model::comparison::Sides;

/// Columns of a strip.
pub const WIDTH: usize = 48;
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// What lies further out than this share of the values would only make the rest narrow.
const TAIL: f64 = 0.02;

/// Two distributions on one scale.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// A line for each.
    pub strips: Sides<String>,
    /// The value at the left end.
    pub low: f64,
    /// The value at the right end.
    pub high: f64,
}

/// Draws the values of both sides; values beyond the ends are drawn at the ends. `None` when there are none, or
/// all are equal.
pub fn beside(values: &Sides<Vec<f64>>) -> Option<Drawn> {
    let mut all: Vec<f64> = values.base.iter().chain(&values.candidate).copied().collect();
    all.sort_unstable_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small share of a length")]
    let tail = (all.len() as f64 * TAIL) as usize;
    let (low, high) = (*all.get(tail)?, *all.get(all.len() - 1 - tail)?);
    if high <= low {
        return None;
    }
    let counted = values.as_ref().map(|values| count(values, low, high));
    let most = counted.base.iter().chain(&counted.candidate).copied().max().unwrap_or(1);
    Some(Drawn { strips: counted.map(|counts| strip(&counts, most)), low, high })
}

fn count(values: &[f64], low: f64, high: f64) -> Vec<usize> {
    let mut counts = vec![0; WIDTH];
    for value in values {
        let place =
            ((value - low) / (high - low) * (WIDTH - 1) as f64).round().clamp(0.0, (WIDTH - 1) as f64);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the columns")]
        let column = place as usize;
        counts[column] += 1;
    }
    counts
}

/// What is there at all is seen.
fn strip(counts: &[usize], most: usize) -> String {
    counts.iter().map(|count| BLOCKS[(count * (BLOCKS.len() - 1)).div_ceil(most)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_are_on_one_scale() {
        let drawn = beside(&Sides { base: vec![1.0, 1.0, 2.0], candidate: vec![3.0] }).expect("a plot");
        assert_eq!((drawn.low, drawn.high), (1.0, 3.0));
        assert!(drawn.strips.base.starts_with('█') && drawn.strips.base.ends_with(' '));
        assert_eq!(drawn.strips.candidate.trim_start(), "▄");
        assert_eq!(drawn.strips.base.chars().count(), WIDTH);
    }

    #[test]
    fn a_far_value_does_not_make_the_rest_narrow() {
        let base: Vec<f64> = (0..99).map(f64::from).chain([1e9]).collect();
        let drawn = beside(&Sides { base, candidate: Vec::new() }).expect("a plot");
        assert!(drawn.high < 100.0);
    }

    #[test]
    fn nothing_is_drawn_of_nothing_and_of_what_is_all_the_same() {
        assert_eq!(beside(&Sides { base: Vec::new(), candidate: Vec::new() }), None);
        assert_eq!(beside(&Sides { base: vec![1.0; 3], candidate: vec![1.0] }), None);
    }
}
