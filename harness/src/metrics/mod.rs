//! The grammar of `PERF_METRICS`: what a benchmark prints, and who reads it back.
//!
//! A line gives metrics by name, perhaps of a scenario. A block gives them as JSON. Anything else in
//! the output is left alone.
//!
//! ```text
//! PERF_METRICS requests_per_s=5200 p99_ms=1.25
//! PERF_METRICS scenario=low p99_ms=0.75
//!
//! PERF_METRICS_START
//! {"p50_ms": 0.5, "scenarios": {"high": {"p99_ms": 8}}}
//! PERF_METRICS_END
//! ```
//!
//! What is wrong is an error and never a smaller result: a benchmark that lost half of its metrics to a
//! typo looks like one that has none to lose.
//!
//! | part | rule |
//! |---|---|
//! | marker | the first word of its line; behind other words, where a logger puts it, only when a `name=` follows, or for `PERF_METRICS_START` a `{` or the end of the line |
//! | line end | LF, CR LF or CR; line numbers count LF |
//! | name | `[A-Za-z_][A-Za-z0-9_.:/%-]*`, at most 256 bytes, but not `scenario` or `scenarios` |
//! | scenario | any word without spaces and control characters, at most 256 bytes; once in a line, anywhere in it |
//! | number | `[+-]digits[.digits][e[+-]digits]`, finite; an integer too large for a 64-bit float is rounded and named in [`Metrics::rounded`] |
//! | several lines | are added up; each metric of a scenario, and each without, comes once |
//! | block | one in all; lines and block are added up |
//! | nothing | a block, or a scenario, without a metric is an error; a line with the marker alone is one when nothing else gives a metric |
//! | colours | control sequences `ESC [ ... letter` are removed around and inside of metrics; a byte order mark before a marker too |
//! | encoding | UTF-8 in lines and blocks of metrics; anything elsewhere |
//! | limits | 64 KiB a line, 256 KiB a block, 4096 metrics |

mod block;
mod error;
mod grammar;
mod line;
mod marker;
mod reader;

pub use error::{MetricsError, MetricsErrorKind};
pub use grammar::{LONGEST_BLOCK, LONGEST_LINE, LONGEST_NAME, MOST_METRICS};
pub use reader::Reader;

use error::Fault;
use std::collections::BTreeMap;
use std::fmt;

/// Metrics by name, with and without a scenario.
///
/// `Display` writes them as lines that [`Reader`] reads back, when names and numbers are ones that it
/// accepts.
///
/// ```
/// use perf_harness::metrics::Metrics;
///
/// let mut metrics = Metrics::default();
/// metrics.flat.insert("p99_ms".to_owned(), 1.25);
/// assert_eq!(metrics.to_string(), "PERF_METRICS p99_ms=1.25\n");
/// assert_eq!(Metrics::read(metrics.to_string().as_bytes())?, metrics);
/// # Ok::<(), perf_harness::metrics::MetricsError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metrics {
    /// Metrics without a scenario.
    pub flat: BTreeMap<String, f64>,
    /// Metrics by scenario.
    pub scenarios: BTreeMap<String, BTreeMap<String, f64>>,
    /// Integers that a 64-bit float cannot hold and that were rounded, as `name` or `scenario: name`.
    pub rounded: Vec<String>,
}

impl Metrics {
    /// The metrics in `output`, which is all there is.
    ///
    /// # Errors
    /// The first thing that is wrong with them, or that there are none.
    pub fn read(output: &[u8]) -> Result<Self, MetricsError> {
        let mut reader = Reader::default();
        reader.push(output);
        reader.finish()
    }

    /// Adds a metric without a scenario.
    ///
    /// # Errors
    /// A name or a number that the grammar does not know, or a name that is already given.
    pub fn insert(&mut self, name: &str, number: f64) -> Result<(), MetricsError> {
        let unplaced = |fault: Fault| MetricsError { kind: fault.kind, line: None, message: fault.message };
        self.add(None, name, &Shown(number).to_string()).map_err(unplaced)
    }

    /// How many metrics there are, those of scenarios included.
    pub fn len(&self) -> usize {
        self.flat.len() + self.scenarios.values().map(BTreeMap::len).sum::<usize>()
    }

    /// Whether there is no metric.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds one metric as it is written.
    fn add(&mut self, scenario: Option<&str>, name: &str, text: &str) -> Result<(), Fault> {
        grammar::metric_name(name)?;
        let value = grammar::value(name, text)?;
        let full = scenario.map_or_else(|| name.to_owned(), |scenario| format!("{scenario}: {name}"));
        if self.len() == MOST_METRICS {
            let message = format!("{full} is one metric too many");
            return Err(Fault::new(MetricsErrorKind::TooMany, message));
        }
        let metrics = match scenario {
            Some(scenario) => self.scenarios.entry(scenario.to_owned()).or_default(),
            None => &mut self.flat,
        };
        if metrics.insert(name.to_owned(), value.number).is_some() {
            let message = format!("{full} is given a second time");
            return Err(Fault::new(MetricsErrorKind::Duplicate, message));
        }
        if value.rounded {
            self.rounded.push(full);
        }
        Ok(())
    }
}

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        lines(f, None, &self.flat)?;
        self.scenarios.iter().try_for_each(|(scenario, metrics)| lines(f, Some(scenario), metrics))
    }
}

/// Writes metrics in as many lines as keep each of them below the limit.
fn lines(f: &mut fmt::Formatter<'_>, scenario: Option<&str>, metrics: &BTreeMap<String, f64>) -> fmt::Result {
    const OF_ONE_LINE: usize = 100;
    for (index, (name, number)) in metrics.iter().enumerate() {
        if index % OF_ONE_LINE == 0 {
            f.write_str(if index == 0 { "PERF_METRICS" } else { "\nPERF_METRICS" })?;
            scenario.map_or(Ok(()), |scenario| write!(f, " scenario={scenario}"))?;
        }
        write!(f, " {name}={}", Shown(*number))?;
    }
    if metrics.is_empty() { Ok(()) } else { f.write_str("\n") }
}

/// A number with all of its digits; plain where plain digits say no more than the float holds.
struct Shown(f64);

/// 2^53: up to here floats hold every integer.
const LARGEST_PLAIN: f64 = 9_007_199_254_740_992.0;

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self.0 == 0.0 || (1e-6..=LARGEST_PLAIN).contains(&self.0.abs());
        if plain { write!(f, "{}", self.0) } else { write!(f, "{:e}", self.0) }
    }
}

#[cfg(test)]
mod tests;
