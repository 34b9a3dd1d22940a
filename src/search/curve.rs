//! The model of probes that measure a value against a limit: how far the value is from its limit tells how
//! far the load is from where it breaks.
//!
//! Two kinds of curve are kept. On a slope, the value comes nearer to the limit with the load, and faster
//! behind it than before. On a side there is no slope: before the place the value is anywhere on its good
//! side, and behind it anywhere on its bad one. Without the second kind, a value that jumps would be read as
//! a steep slope and place the break where there is none.

use super::evidence::{Evidence, Model};
use statrs::function::erf::erfc;
use std::f64::consts::{PI, SQRT_2};

/// Beyond this excess, only the side of the limit counts: curves are straight near it at most.
const NEAR: f64 = 0.5;
/// How often a value has nothing to do with the load.
const OUTLIERS: f64 = 0.03;
/// Standard deviations of the logarithm of a value that is measured again.
const NOISES: [f64; 5] = [0.01, 0.025, 0.06, 0.12, 0.25];
/// How fast the value grows with the load at the limit: the exponent of a power.
const SLOPES: [f64; 7] = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 40.0];
/// How much steeper it becomes behind the limit.
const KINKS: [f64; 3] = [1.0, 3.0, 10.0];
/// How often a value without slope is far from its limit.
const FAR: [f64; 2] = [0.5, 0.95];

const SLOPED: usize = SLOPES.len() * KINKS.len() * NOISES.len();
const SIDED: usize = FAR.len() * NOISES.len();

/// Values around a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Curve;

impl Curve {
    /// The noise of each way, as standard deviations of the logarithm of a value.
    pub fn noises() -> impl Iterator<Item = f64> {
        (0..SLOPED + SIDED).map(|way| NOISES[way % NOISES.len()])
    }
}

/// The chance of a normal value below `z` standard deviations.
fn below(z: f64) -> f64 {
    0.5 * erfc(-z / SQRT_2)
}

fn density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / (2.0 * PI).sqrt()
}

/// The excess that each slope and kink leads to.
fn means(distance: f64) -> impl Iterator<Item = f64> {
    SLOPES.into_iter().flat_map(move |slope| {
        KINKS.map(move |kink| slope * distance * if distance > 0.0 { kink } else { 1.0 })
    })
}

impl Model for Curve {
    fn priors(&self) -> Vec<f64> {
        // As likely to have a slope as not.
        let sloped = std::iter::repeat_n(0.5 / SLOPED as f64, SLOPED);
        sloped.chain(std::iter::repeat_n(0.5 / SIDED as f64, SIDED)).collect()
    }

    fn fails(&self, distance: f64, into: &mut [f64]) {
        let (sloped, sided) = into.split_at_mut(SLOPED);
        let but_for_outliers = |chance: f64| (1.0 - OUTLIERS) * chance + OUTLIERS / 2.0;
        for (mean, into) in means(distance).zip(sloped.chunks_exact_mut(NOISES.len())) {
            for (noise, into) in NOISES.iter().zip(into) {
                *into = but_for_outliers(below(mean / noise));
            }
        }
        for (far, into) in FAR.iter().zip(sided.chunks_exact_mut(NOISES.len())) {
            for (noise, into) in NOISES.iter().zip(into) {
                let crosses = (1.0 - far) * crosses(*noise);
                *into = but_for_outliers(if distance >= 0.0 { 1.0 - crosses } else { crosses });
            }
        }
    }

    fn likelihood(&self, distance: f64, seen: &Evidence, into: &mut [f64]) {
        let Some(excess) = seen.excess else {
            let agrees = seen.fails == (distance >= 0.0);
            into.fill(if agrees { 1.0 - OUTLIERS } else { OUTLIERS });
            return;
        };
        let (sloped, sided) = into.split_at_mut(SLOPED);
        for (mean, into) in means(distance).zip(sloped.chunks_exact_mut(NOISES.len())) {
            for (noise, into) in NOISES.iter().zip(into) {
                *into = on_slope(excess, mean, *noise);
            }
        }
        for (far, into) in FAR.iter().zip(sided.chunks_exact_mut(NOISES.len())) {
            for (noise, into) in NOISES.iter().zip(into) {
                *into = on_side(excess, distance >= 0.0, *noise, *far);
            }
        }
    }
}

fn on_slope(excess: f64, mean: f64, noise: f64) -> f64 {
    if excess.abs() <= NEAR {
        (1.0 - OUTLIERS) * density((excess - mean) / noise) / noise + OUTLIERS / 4.0
    } else {
        let farther = (mean * excess.signum() - NEAR) / noise;
        (1.0 - OUTLIERS) * below(farther) + OUTLIERS / 2.0
    }
}

fn on_side(excess: f64, behind: bool, noise: f64, far: f64) -> f64 {
    // As seen from the side it should be on.
    let inwards = if behind { excess } else { -excess };
    if excess.abs() <= NEAR {
        let near = below(inwards / noise) - below((inwards - NEAR) / noise);
        (1.0 - OUTLIERS) * (1.0 - far) / NEAR * near + OUTLIERS / 4.0
    } else {
        (1.0 - OUTLIERS) * if inwards > 0.0 { far } else { 0.0 } + OUTLIERS / 2.0
    }
}

/// How often noise takes a value across the limit that is anywhere near it.
fn crosses(noise: f64) -> f64 {
    (noise / (NEAR * (2.0 * PI).sqrt())).min(0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn likelihood(distance: f64, excess: Option<f64>, fails: bool) -> Vec<f64> {
        let mut into = vec![0.0; SLOPED + SIDED];
        Curve.likelihood(distance, &Evidence { load: 1, fails, excess }, &mut into);
        into
    }

    #[test]
    fn every_way_spreads_one_over_all_values() {
        assert!((Curve.priors().iter().sum::<f64>() - 1.0).abs() < 1e-12);
        for distance in [-2.0, -0.3, -0.01, 0.0, 0.01, 0.3, 2.0] {
            // Far values count by their side, near ones by their density.
            let mut total = likelihood(distance, Some(1.0), true);
            for (total, low) in total.iter_mut().zip(likelihood(distance, Some(-1.0), false)) {
                *total += low;
            }
            let steps = 4000;
            for step in 0..steps {
                let excess = (f64::from(step) + 0.5) / f64::from(steps) * 2.0 * NEAR - NEAR;
                for (total, at) in total.iter_mut().zip(likelihood(distance, Some(excess), excess > 0.0)) {
                    *total += at * 2.0 * NEAR / f64::from(steps);
                }
            }
            for (way, total) in total.into_iter().enumerate() {
                // Without a slope, noise takes a little across the end of what is near.
                let allowed = if way < SLOPED { 0.02 } else { 0.15 };
                assert!((total - 1.0).abs() < allowed, "{distance} {way}: {total}");
            }
        }
    }

    #[test]
    fn fails_are_likely_behind_the_place() {
        let at = |distance| {
            let mut into = vec![0.0; SLOPED + SIDED];
            Curve.fails(distance, &mut into);
            into
        };
        for (before, behind) in at(-0.1).into_iter().zip(at(0.1)) {
            assert!(before < 0.5 && behind > 0.5 && before > 0.0 && behind < 1.0);
        }
    }

    #[test]
    fn a_crash_tells_the_side_only() {
        let (behind, before) = (likelihood(0.2, None, true), likelihood(-0.2, None, true));
        assert!(behind.iter().zip(before).all(|(behind, before)| *behind > 0.9 && before < 0.1));
    }
}
