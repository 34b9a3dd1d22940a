//! What is searched for, and with how much certainty.

use super::curve::Curve;
use super::evidence::{Evidence, Model};
use super::knee::Knee;
use super::place::Scale;

/// Cells of the grid per tolerance.
const CELLS: f64 = 4.0;
/// The widest tolerance that a grid is made for: coarser cells would hide slopes.
const COARSEST: f64 = 0.05;
/// A tolerance below this asks for passes and fails, whatever they are derived from: values are told apart
/// by one hundredth at best.
const FINEST_OF_VALUES: f64 = 0.01;

/// The terms of a search. Loads are whole steps of the parameter, from 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The smallest load; at least 1.
    pub min: u64,
    /// The largest load; at most two below that of 64 bits.
    pub max: u64,
    /// How far to go up when even the largest load passes.
    pub beyond: Option<u64>,
    /// Whether distances are differences; otherwise they are ratios.
    pub linear: bool,
    /// How far from the middle of the interval its ends may lie: a ratio, or a share of the range when
    /// distances are differences; 0 asks for the exact load.
    pub tolerance: f64,
    /// How likely the interval is to contain the smallest failing load.
    pub confidence: f64,
    /// The factor from one load to the next on the way up.
    pub ramp: f64,
    /// Loads below the interval that are tried though nobody expects them to fail.
    pub sentinels: usize,
    /// Probes after which the search ends.
    pub most_probes: usize,
    /// Whether probes measure a value against its limit.
    pub values: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            min: 1,
            max: 500,
            beyond: None,
            linear: false,
            tolerance: 0.05,
            confidence: 0.95,
            ramp: 4.0,
            sentinels: 3,
            most_probes: 40,
            values: false,
        }
    }
}

impl Settings {
    /// How far loads lie apart.
    pub fn scale(&self) -> Scale {
        if self.linear { Scale::Linear { span: self.max - self.min } } else { Scale::Log }
    }

    /// The width of an interval that is as narrow as asked for.
    pub fn widest(&self) -> f64 {
        2.0 * if self.linear { self.tolerance } else { self.tolerance.ln_1p() }
    }

    /// The width of the cells that a search begins with.
    pub fn step(&self) -> f64 {
        self.tolerance.clamp(FINEST_OF_VALUES, COARSEST) / CELLS
    }

    /// The width below which no cell is worth splitting.
    pub fn finest(&self) -> f64 {
        self.tolerance / CELLS
    }

    /// The shares of belief at the ends of the interval.
    pub fn ends(&self) -> [f64; 2] {
        let outside = (1.0 - self.confidence) / 2.0;
        [outside, 1.0 - outside]
    }

    /// How results are seen.
    pub fn shape(&self) -> Shape {
        if self.values && self.tolerance >= FINEST_OF_VALUES {
            Shape::Curve(Curve)
        } else {
            Shape::Knee(Knee::for_tolerance(self.tolerance))
        }
    }
}

/// The model of a search.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Probes pass or fail.
    Knee(Knee),
    /// Probes measure a value against its limit.
    Curve(Curve),
}

impl Shape {
    /// The noise of values in each way; none where there are no values.
    pub fn noises(&self) -> Option<impl Iterator<Item = f64>> {
        matches!(self, Self::Curve(_)).then(Curve::noises)
    }

    fn model(&self) -> &dyn Model {
        match self {
            Self::Knee(knee) => knee,
            Self::Curve(curve) => curve,
        }
    }
}

impl Model for Shape {
    fn priors(&self) -> Vec<f64> {
        self.model().priors()
    }

    fn fails(&self, distance: f64, into: &mut [f64]) {
        self.model().fails(distance, into);
    }

    fn likelihood(&self, distance: f64, seen: &Evidence, into: &mut [f64]) {
        self.model().likelihood(distance, seen, into);
    }
}
