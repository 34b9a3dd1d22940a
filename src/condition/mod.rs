//! Conditions on measured values, as in `p99_ms < 50 && cost <= baseline * 0.95`: read, checked
//! against the units of the metrics before anything is measured, and decided afterwards.
//!
//! `docs/conditions.md` is the language for users. Nothing here knows where values come from.

mod evaluate;
mod kind;
mod parse;
mod token;
mod tree;
mod unit;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use unit::is_of_time;

use crate::failure::Failure;
use std::collections::BTreeSet;
use std::fmt;

/// The longest condition, in bytes.
pub const LONGEST: usize = 4096;
/// How deep parentheses, `!` and signs may be nested.
pub const DEEPEST: usize = 64;

/// What must hold. Displayed in canonical form, which reads back as the same condition unless its spaces
/// make it longer than [`LONGEST`].
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    tree: tree::Logic,
}

/// A value and its unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantity {
    /// The number, in `unit`.
    pub value: f64,
    /// The unit as it was declared; `cost` and `felt` without one are nanoseconds.
    pub unit: Option<String>,
}

/// What is known of a metric before it is measured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// The unit as it was declared; `cost` and `felt` without one are nanoseconds.
    pub unit: Option<String>,
}

/// What a condition is decided on. Names are as in results: `p99_ms`, `low/p99_ms`, `cost`, `felt`.
pub trait Values {
    /// The measured value of a metric.
    fn value(&self, name: &str) -> Option<Quantity>;
    /// The stored value of a metric.
    fn baseline(&self, name: &str) -> Option<Quantity>;
    /// The load it was measured at.
    fn param(&self) -> Option<f64>;
    /// The exit code of the benchmark; for a signal it is up to the caller whether there is one.
    fn exit(&self) -> Option<i32>;
    /// The metrics that were measured, for the message about one that is missing.
    fn names(&self) -> Vec<String>;
}

/// Whether a condition holds, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Whether it holds.
    pub holds: bool,
    /// How far the values are beyond the limit that decides, as the natural logarithm of their ratio:
    /// negative where it holds. Of several comparisons that must all hold it is the worst, of several of
    /// which one must, the best. `None` where no number decides, as with an exit code.
    pub excess: Option<f64>,
    /// Its comparisons in the order in which they are written, without those that could not be made and
    /// did not matter.
    pub comparisons: Vec<Compared>,
}

/// One comparison of a condition. Both sides are in one unit: that of the metric, or `ns` or `B` where
/// several units met; none where they are plain numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// The comparison in canonical form.
    pub text: String,
    /// The value of the left side.
    pub left: Quantity,
    /// The value of the right side.
    pub right: Quantity,
    /// Whether it holds.
    pub holds: bool,
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// Usage, with the column (counted in characters from 1) and what was expected there.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        parse::condition(text).map(|tree| Self { tree })
    }

    /// The measured metrics it needs, as results call them.
    pub fn names(&self) -> BTreeSet<String> {
        self.names_where(|leaf| match leaf {
            tree::Leaf::Metric(metric) => Some(metric),
            _ => None,
        })
    }

    /// The metrics whose stored values it needs, as results call them.
    pub fn baseline_names(&self) -> BTreeSet<String> {
        self.names_where(|leaf| match leaf {
            tree::Leaf::Baseline { of, .. } => Some(of),
            _ => None,
        })
    }

    /// Whether it needs a stored value.
    pub fn uses_baseline(&self) -> bool {
        !self.baseline_names().is_empty()
    }

    /// Whether it needs the load.
    pub fn uses_param(&self) -> bool {
        self.has(&tree::Leaf::Param)
    }

    /// Whether it looks at the exit code.
    pub fn uses_exit(&self) -> bool {
        self.has(&tree::Leaf::Exit)
    }

    /// Looks for unknown metrics and for units that do not fit, before anything is measured. Stored values
    /// are taken to have the units of the measured ones.
    ///
    /// # Errors
    /// Usage, naming the metrics that `unit_of` does not know, or both sides that do not fit.
    pub fn check(&self, unit_of: &dyn Fn(&str) -> Option<Known>) -> Result<(), Failure> {
        evaluate::check(self, unit_of)
    }

    /// Decides it. Read from the left as Rust reads it: where `&&` and `||` are decided, what lacks on
    /// their right does not matter.
    ///
    /// # Errors
    /// Benchmark for a metric that is missing and for a result that is not finite, blocked for a stored
    /// value that is missing, usage for units that do not fit.
    pub fn evaluate(&self, values: &dyn Values) -> Result<Verdict, Failure> {
        evaluate::verdict(self, values)
    }

    fn names_where(&self, pick: fn(&tree::Leaf) -> Option<&tree::Metric>) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        self.tree.each_leaf(&mut |leaf| found.extend(pick(leaf).map(|metric| metric.name.clone())));
        found
    }

    fn has(&self, wanted: &tree::Leaf) -> bool {
        let mut found = false;
        self.tree.each_leaf(&mut |leaf| found |= leaf == wanted);
        found
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tree.fmt(f)
    }
}
