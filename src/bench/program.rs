//! The adapter for programs that measure themselves and print what they found.

use crate::failure::Failure;
use crate::model::metric::MetricValues;
use crate::sys::process::{Companion, Stream};
use perf_harness::metrics::{Metrics, MetricsErrorKind, Reader};

/// Reads the metrics of a process while it prints, however much that is.
#[derive(Debug, Default)]
pub struct Printed {
    stdout: Reader,
    stderr: Reader,
}

/// What a process has printed.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The metrics.
    pub values: MetricValues,
    /// Metrics whose whole numbers are too large to be kept exactly.
    pub rounded: Vec<String>,
}

impl Printed {
    /// The metrics that `name` printed.
    ///
    /// # Errors
    /// `Benchmark`, with what is wrong with them and where.
    pub fn into_found(self, name: &str) -> Result<Found, Failure> {
        let error = match self.stdout.finish() {
            Ok(Metrics { flat, scenarios, rounded }) => {
                return Ok(Found { values: MetricValues { scenarios, flat }, rounded });
            }
            Err(error) => error,
        };
        let missing = |kind: &MetricsErrorKind| *kind == MetricsErrorKind::Missing;
        if !missing(&error.kind) {
            return Err(Failure::benchmark(format!("{name} printed metrics that cannot be read: {error}"))
                .hint("`cargo perf guide contract` shows the forms that are read"));
        }
        let on_stderr = self.stderr.finish().map_or_else(|error| !missing(&error.kind), |_| true);
        let failure = Failure::benchmark(format!("{name} printed no metrics"));
        Err(if on_stderr {
            failure.hint("they are on its standard error; print them to standard output")
        } else {
            failure.hint("print a line such as `PERF_METRICS mean_ms=12.5`; see `cargo perf guide contract`")
        })
    }
}

impl Companion for Printed {
    fn output(&mut self, stream: Stream, bytes: &[u8]) {
        match stream {
            Stream::Stdout => self.stdout.push(bytes),
            Stream::Stderr => self.stderr.push(bytes),
        }
    }
}
