//! What the tool itself takes from the machine while it measures.

use crate::overhead::{Run, baseline};
use crate::page::{Figure, Row, megabytes};
use crate::{Setting, say};
use cargo_perf_lab::failure::Failure;
use serde_json::{Value, json};
use std::time::Duration;

const BELOW_CPU_SHARE: f64 = 0.01;
const BELOW_MB: f64 = 60.0;
/// What a benchmark that floods a stream may add.
const MOST_GROWTH_MB: f64 = 10.0;

/// Prints nothing.
const QUIET: &str = "well_behaved";
const NOISY: [(&str, &str); 2] =
    [("prints_100_mb_out", "standard output"), ("prints_100_mb_err", "standard error")];

/// The cost during `runs`, and the memory that a benchmark with much output adds.
pub fn measure(runs: &[Run], setting: &Setting) -> Result<Figure, Failure> {
    let quiet = peak(setting, QUIET)?;
    let mut rows: Vec<Row> = runs.iter().flat_map(rows_of_run).collect();
    let mut peaks = vec![json!({"bench": QUIET, "peak_bytes": quiet})];
    for (id, stream) in NOISY {
        let noisy = peak(setting, id)?;
        rows.push(growth(stream, quiet, noisy));
        peaks.push(json!({"bench": id, "peak_bytes": noisy}));
    }
    Ok(Figure {
        name: "own-cost",
        title: "What the tool itself takes",
        how: "Of the process `cargo perf` alone, without its children: user and system time of \
              `/proc/<pid>/stat` against wall time and the largest resident set (`VmHWM`), read every 200 ms, in \
              the runs above; and the largest resident set with benches of `misbehaving` that print 100 MB in \
              every fork, against one that prints nothing."
            .to_owned(),
        rows,
        raw: Value::Array(peaks),
    })
}

fn rows_of_run(run: &Run) -> [Row; 2] {
    let observed = &run.observed;
    let share = observed.cpu_s / observed.wall_s;
    let peak = megabytes(observed.peak_bytes);
    [
        Row {
            figure: format!("{}: processor time", run.case),
            value: format!("{:.2} s, {:.2} % of wall time", observed.cpu_s, share * 100.0),
            bound: "under 1 %",
            met: share < BELOW_CPU_SHARE,
        },
        Row {
            figure: format!("{}: memory", run.case),
            value: format!("{peak:.1} MB"),
            bound: "under 60 MB",
            met: peak < BELOW_MB,
        },
    ]
}

fn growth(stream: &str, quiet: u64, noisy: u64) -> Row {
    let growth = megabytes(noisy) - megabytes(quiet);
    Row {
        figure: format!("100 MB on {stream}: memory added"),
        value: format!("{growth:+.1} MB, to {:.1} MB", megabytes(noisy)),
        bound: "at most 10 MB",
        met: growth <= MOST_GROWTH_MB,
    }
}

fn peak(setting: &Setting, id: &str) -> Result<u64, Failure> {
    say(&format!("own cost: memory with {id}"));
    let choice = ["-p", "misbehaving", "--bench", "misbehaving"];
    let asked = setting.measured(Duration::from_secs(1));
    Ok(baseline(setting, "misbehaving", &choice, id, asked)?.peak_bytes)
}
