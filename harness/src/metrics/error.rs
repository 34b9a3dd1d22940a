//! Why output holds no metrics that can be trusted.

use super::grammar::{LONGEST_BLOCK, LONGEST_LINE, LONGEST_NAME, MOST_METRICS};
use std::fmt;

/// What is wrong with the metrics in an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MetricsErrorKind {
    /// There is no marker at all.
    Missing,
    /// There is a marker, and no metric with it.
    Empty,
    /// A block was begun and never ended.
    Unterminated,
    /// A block ends that was not begun.
    EndWithoutStart,
    /// There is a second block.
    SecondBlock,
    /// A block does not hold one JSON object of numbers and scenarios.
    Json,
    /// A word of a line is no `name=number`.
    Word,
    /// A name is not one.
    Name,
    /// A name that means something else.
    Reserved,
    /// A scenario without a name, or a second one on the line.
    Scenario,
    /// A value is no decimal number.
    Number,
    /// A value is too large for a 64-bit float.
    NotFinite,
    /// A metric is given twice.
    Duplicate,
    /// Bytes that are no UTF-8.
    Encoding,
    /// A line or a block is longer than the limit.
    TooLong,
    /// There are more metrics than the limit.
    TooMany,
}

impl MetricsErrorKind {
    /// What would have been right.
    fn expected(self) -> String {
        match self {
            Self::Missing | Self::Empty => "`PERF_METRICS name=number ...` at the start of a line".to_owned(),
            Self::Unterminated => "a line `PERF_METRICS_END` behind the block".to_owned(),
            Self::EndWithoutStart => "a line `PERF_METRICS_START` before it".to_owned(),
            Self::SecondBlock => "one block in all of the output".to_owned(),
            Self::Json => "one JSON object such as {\"name\": 1.5}".to_owned(),
            Self::Word => "`name=number` without spaces around the sign".to_owned(),
            Self::Name => format!(
                "a letter or `_`, then letters, digits or any of `_.:/%-`, at most {LONGEST_NAME} bytes"
            ),
            Self::Reserved => "another name".to_owned(),
            Self::Scenario => {
                format!("`scenario=NAME` once, without spaces, at most {LONGEST_NAME} bytes")
            }
            Self::Number => "a decimal number such as `12`, `-0.5` or `1.5e3`".to_owned(),
            Self::NotFinite => "a number that a 64-bit float can hold".to_owned(),
            Self::Duplicate => "every metric once".to_owned(),
            Self::Encoding => "UTF-8".to_owned(),
            Self::TooLong => {
                format!("at most {LONGEST_LINE} bytes in a line and {LONGEST_BLOCK} in a block")
            }
            Self::TooMany => format!("at most {MOST_METRICS} metrics"),
        }
    }
}

/// The first thing that is wrong with the metrics in an output.
///
/// ```
/// use perf_harness::metrics::{Metrics, MetricsErrorKind};
///
/// let error = Metrics::read(b"starting\nPERF_METRICS latency_ms=12ms\n").unwrap_err();
/// assert_eq!(error.kind, MetricsErrorKind::Number);
/// assert_eq!(
///     error.to_string(),
///     "line 2: the value of latency_ms is \"12ms\"; expected a decimal number such as `12`, `-0.5` or `1.5e3`"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsError {
    /// What is wrong.
    pub kind: MetricsErrorKind,
    /// The line of the output, counted from one. There is none where something is absent, or is no output.
    pub line: Option<u64>,
    /// What was found, in one line.
    pub message: String,
}

impl fmt::Display for MetricsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        write!(f, "{}; expected {}", self.message, self.kind.expected())
    }
}

impl std::error::Error for MetricsError {}

/// An error whose line is not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: MetricsErrorKind,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(kind: MetricsErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(super) fn at(self, line: u64) -> MetricsError {
        MetricsError { kind: self.kind, line: Some(line), message: self.message }
    }
}

/// A piece of the output as it can stand in one line of a message.
pub(super) fn shown(text: &str) -> String {
    /// Enough to recognise it.
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}
