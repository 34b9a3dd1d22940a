//! What the list of bench targets takes beyond the call of cargo that it cannot do without.

use crate::page::{Figure, Row};
use crate::start::{self, cargo, tool};
use crate::{Setting, say};
use cargo_perf_lab::failure::Failure;
use cargo_perf_lab::stats::summary::median;
use serde_json::json;
use std::process::Command;

const RUNS: usize = 30;
/// Enough to see that it works.
const FEWEST_RUNS: usize = 3;
const FIXTURE: &str = "rust-workspace";
const MOST_RATIO: f64 = 1.3;
const MOST_ADDED_S: f64 = 0.020;

/// Runs both in turn and compares their medians.
pub fn measure(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let runs = setting.repetitions(RUNS, FEWEST_RUNS);
    say(&format!("list: {runs} runs of each"));
    let time = |command: Command| start::timed(command, &setting.interrupt);
    let (mut lists, mut metadatas) = (Vec::new(), Vec::new());
    // The files are in the cache for both from here on.
    time(list())?;
    time(metadata())?;
    for run in 0..runs {
        // Each comes first in every second turn, so that neither always runs in the wake of the other.
        if run % 2 == 0 {
            lists.push(time(list())?);
            metadatas.push(time(metadata())?);
        } else {
            metadatas.push(time(metadata())?);
            lists.push(time(list())?);
        }
    }
    let nothing = || Failure::benchmark("nothing was run");
    let list = median(&lists).ok_or_else(nothing)?;
    let metadata = median(&metadatas).ok_or_else(nothing)?;
    Ok(vec![Figure {
        name: "list",
        title: "Listing without building",
        how: format!(
            "`cargo perf list --no-build` against `cargo metadata --no-deps --format-version 1`, both in \
             `fixtures/rust-workspace` and with the same cargo (not through rustup): medians of {runs} interleaved \
             runs of whole processes each, after one that does not count."
        ),
        rows: vec![row(list, metadata)],
        raw: json!({"list_s": lists, "metadata_s": metadatas}),
    }])
}

fn row(list: f64, metadata: f64) -> Row {
    Row {
        figure: "list against metadata".to_owned(),
        value: format!(
            "{:.2} x and {:+.1} ms: {:.1} ms against {:.1} ms",
            list / metadata,
            (list - metadata) * 1e3,
            list * 1e3,
            metadata * 1e3
        ),
        bound: "at most 1.3 x plus 20 ms",
        met: list <= MOST_RATIO * metadata + MOST_ADDED_S,
    }
}

fn list() -> Command {
    let mut command = tool(FIXTURE);
    command.args(["list", "--no-build"]);
    command
}

fn metadata() -> Command {
    let mut command = cargo(FIXTURE);
    command.args(["metadata", "--no-deps", "--format-version", "1"]);
    command
}
