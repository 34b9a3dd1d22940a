//! Why a benchmark gives no answer.

use crate::metrics::MetricsError;
use crate::report::ReportError;
use crate::request::RequestError;
use std::fmt;

/// Why a benchmark gives no answer. Each is one line.
///
/// `Debug` writes the same line as `Display`, because it is what a `main` that returns the error prints.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunError {
    /// A variable breaks the contract.
    Request(RequestError),
    /// The report is not understood by the other side, or cannot be written.
    Report(ReportError),
    /// A metric of the benchmark's own is none.
    Metric(MetricsError),
    /// The load cannot be generated.
    Load(String),
    /// A second work was measured.
    Twice,
    /// Neither was anything measured nor a metric given.
    Nothing,
    /// Standard output cannot be written.
    Output(String),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(error) => error.fmt(f),
            Self::Report(error) => error.fmt(f),
            Self::Metric(error) => error.fmt(f),
            Self::Load(message) => f.write_str(message),
            Self::Twice => f.write_str("a second work was measured, expected one `measure` in a run"),
            Self::Nothing => {
                f.write_str("nothing was measured, expected `measure` or `metric` before `finish`")
            }
            Self::Output(message) => write!(f, "standard output cannot be written: {message}"),
        }
    }
}

impl fmt::Debug for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for RunError {}

impl From<RequestError> for RunError {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl From<ReportError> for RunError {
    fn from(error: ReportError) -> Self {
        Self::Report(error)
    }
}
