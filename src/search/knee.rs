//! The model of probes that pass or fail: how likely a fail is grows along a curve like an S, and some probes
//! say the wrong thing wherever they are.

use super::evidence::{Evidence, Model};

/// How far from the place a fail is still almost as likely as a pass, as distances.
const WIDTHS: [f64; 4] = [0.003, 0.02, 0.06, 0.15];
/// How often a probe says the wrong thing far from the place, and how likely that was before any did.
const LAPSES: [(f64, f64); 4] = [(0.003, 0.5), (0.03, 0.25), (0.08, 0.15), (0.2, 0.1)];
/// The smallest width is this part of the tolerance where that is small.
const FINEST: f64 = 1.0 / 16.0;

/// Passes and fails around a place.
#[derive(Debug, Clone, PartialEq)]
pub struct Knee {
    widths: Vec<f64>,
}

impl Knee {
    /// One that can be as sharp as `tolerance` asks for; at 0 it may be a step.
    pub fn for_tolerance(tolerance: f64) -> Self {
        let finest = tolerance * FINEST;
        let finer = (finest < WIDTHS[0]).then_some(finest);
        Self { widths: finer.into_iter().chain(WIDTHS).collect() }
    }
}

fn logistic(distance: f64, width: f64) -> f64 {
    if width > 0.0 { 1.0 / (1.0 + (-distance / width).exp()) } else { f64::from(u8::from(distance >= 0.0)) }
}

impl Model for Knee {
    fn priors(&self) -> Vec<f64> {
        let each = 1.0 / self.widths.len() as f64;
        self.widths.iter().flat_map(|_| LAPSES.map(|(_, prior)| prior * each)).collect()
    }

    fn fails(&self, distance: f64, into: &mut [f64]) {
        for (width, into) in self.widths.iter().zip(into.chunks_exact_mut(LAPSES.len())) {
            let beyond = logistic(distance, *width);
            for ((lapse, _), into) in LAPSES.iter().zip(into) {
                *into = lapse + (1.0 - 2.0 * lapse) * beyond;
            }
        }
    }

    fn likelihood(&self, distance: f64, seen: &Evidence, into: &mut [f64]) {
        self.fails(distance, into);
        if !seen.fails {
            for chance in into {
                *chance = 1.0 - *chance;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fail_is_likelier_behind_the_place_and_never_certain() {
        for tolerance in [0.05, 0.001, 0.0] {
            let knee = Knee::for_tolerance(tolerance);
            let priors = knee.priors();
            assert!((priors.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            let at = |distance| {
                let mut chances = vec![0.0; priors.len()];
                knee.fails(distance, &mut chances);
                chances
            };
            for (way, (before, behind)) in at(-0.01).into_iter().zip(at(0.01)).enumerate() {
                assert!(before < 0.5 && behind > 0.5 && before > 0.0 && behind < 1.0, "{way}");
                assert!((before + behind - 1.0).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn only_a_tolerance_of_zero_allows_a_step() {
        let narrowest = |tolerance| Knee::for_tolerance(tolerance).widths[0];
        assert!((narrowest(0.05) - 0.003).abs() < 1e-9);
        assert!((narrowest(0.016) - 0.001).abs() < 1e-9);
        assert!(narrowest(0.0) == 0.0);
    }
}
