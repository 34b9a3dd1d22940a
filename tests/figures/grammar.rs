//! What it takes to find metrics in much output.

use crate::page::{Figure, Row, megabytes};
use crate::{Setting, say};
use cargo_perf_lab::failure::{Context, Failure, FailureKind};
use cargo_perf_lab::stats::summary::median;
use perf_harness::metrics::Reader;
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write;
use std::time::Instant;

const BYTES: usize = 100_000_000;
/// What one piece holds; the same one is read again and again, so that input takes no memory of its own.
const PIECE: usize = 1_000_000;
const FEWEST_MB_PER_S: f64 = 200.0;
const MOST_GROWTH_MB: f64 = 10.0;
const RUNS: usize = 30;
const FEWEST_RUNS: usize = 3;

/// Outputs, by what repeats in them.
const OUTPUTS: [(&str, &str); 3] = [
    ("lines of a log", "2026-01-31T12:00:00Z INFO server: request 4711 served in 1.25 ms, 512 bytes\n"),
    ("one line without an end", "."),
    ("lines that speak of the marker", "expected PERF_METRICS but found nothing\n"),
];

/// Reads 100 MB of each output, with the metrics at its end.
pub fn measure(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let runs = setting.repetitions(RUNS, FEWEST_RUNS);
    let (mut rows, mut raw) = (Vec::new(), Vec::new());
    for (name, repeated) in OUTPUTS {
        say(&format!("grammar: {runs} runs over {name}"));
        let output = measure_output(setting, runs, repeated)?;
        rows.extend(output.rows(name)?);
        raw.push(json!({"output": name, "seconds": output.seconds, "growth_bytes": output.growth}));
    }
    Ok(vec![Figure {
        name: "grammar",
        title: "Finding metrics in much output",
        how: format!(
            "`perf_harness::metrics::Reader` over 100 MB in pieces of 1 MB, with one `PERF_METRICS` line at the \
             end: the median of {runs} runs, and what the largest resident set (`VmHWM`) of the process exceeds, \
             at most in a run, the resident set before it."
        ),
        rows,
        raw: Value::Array(raw),
    }])
}

/// What reading one output took, run by run.
struct Output {
    seconds: Vec<f64>,
    growth: Vec<u64>,
}

impl Output {
    fn rows(&self, name: &str) -> Result<[Row; 2], Failure> {
        let nothing = || Failure::benchmark("nothing was read");
        let speed = megabytes(BYTES as u64) / median(&self.seconds).ok_or_else(nothing)?;
        let growth = megabytes(*self.growth.iter().max().ok_or_else(nothing)?);
        Ok([
            Row {
                figure: format!("{name}: speed"),
                value: format!("{speed:.0} MB/s"),
                bound: "at least 200 MB/s",
                met: speed >= FEWEST_MB_PER_S,
            },
            Row {
                figure: format!("{name}: memory added"),
                value: format!("{growth:.1} MB"),
                bound: "at most 10 MB",
                met: growth <= MOST_GROWTH_MB,
            },
        ])
    }
}

fn measure_output(setting: &Setting, runs: usize, repeated: &str) -> Result<Output, Failure> {
    let piece = repeated.repeat(PIECE / repeated.len());
    let mut output = Output { seconds: Vec::new(), growth: Vec::new() };
    for _ in 0..runs {
        setting.interrupt.check()?;
        let before = forget_peak()?;
        let started = Instant::now();
        read(piece.as_bytes())?;
        output.seconds.push(started.elapsed().as_secs_f64());
        output.growth.push(memory("VmHWM:")?.saturating_sub(before));
    }
    Ok(output)
}

fn read(piece: &[u8]) -> Result<(), Failure> {
    let mut reader = Reader::default();
    for _ in 0..BYTES.div_ceil(piece.len()) {
        reader.push(piece);
    }
    reader.push(b"\nPERF_METRICS p99_ms=1.25\n");
    let metrics = reader.finish().map_err(|error| Failure::benchmark(error.to_string()))?;
    if metrics.len() == 1 { Ok(()) } else { Err(Failure::benchmark("the metric was not found")) }
}

/// Starts the account of the largest resident set anew; the resident set of now, in bytes.
fn forget_peak() -> Result<u64, Failure> {
    let file = File::options().write(true).open("/proc/self/clear_refs");
    file.and_then(|mut file| file.write_all(b"5")).context(FailureKind::Environment, || {
        "the kernel does not reset the largest resident set".to_owned()
    })?;
    memory("VmRSS:")
}

/// A line of `/proc/self/status`, in bytes.
fn memory(name: &str) -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")
        .context(FailureKind::Environment, || "/proc/self/status cannot be read".to_owned())?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().strip_suffix(" kB"))
        .and_then(|kibibytes| kibibytes.parse::<u64>().ok())
        .map(|kibibytes| kibibytes * 1024)
        .ok_or_else(|| Failure::benchmark(format!("/proc/self/status has no {name}")))
}
