//! What a baseline takes beyond its warm-up and its measured time.

use crate::own_cost;
use crate::page::{Figure, Row};
use crate::start::{self, Observed};
use crate::{Setting, say};
use cargo_perf_lab::failure::{Context, Failure, FailureKind};
use cargo_perf_lab::model::baseline::Totals;
use cargo_perf_lab::model::duration::FULL;
use serde_json::{Value, json};
use std::time::Duration;

/// Beyond warm-up and measured time, as a share of the measured time that was asked for.
const MOST_SHARE: f64 = 0.04;
const MOST_PER_FORK_S: f64 = 0.012;

/// The same kernel, alone in its executable and as one of a hundred that each fork must skip.
const CASES: [(&str, &str); 2] =
    [("one", "1 bench in the executable"), ("hundred", "100 benches in the executable")];

/// A baseline that was recorded while it ran.
#[derive(Debug)]
pub struct Run {
    /// The case, in words.
    pub case: &'static str,
    /// The process.
    pub observed: Observed,
    totals: Totals,
    build_s: f64,
    asked_s: f64,
}

impl Run {
    /// The bench has no set-up of its own, so all that is left is the tool's and the processes'.
    fn overhead_s(&self) -> f64 {
        self.observed.wall_s - self.build_s - self.totals.warm_up_s - self.totals.measured_s
    }

    fn per_fork_s(&self) -> f64 {
        self.overhead_s() / self.totals.forks as f64
    }

    fn rows(&self) -> [Row; 2] {
        let share = self.overhead_s() / self.asked_s;
        [
            Row {
                figure: format!("{}: overhead", self.case),
                value: format!("{:.2} s, {:.1} % of {} s", self.overhead_s(), share * 100.0, self.asked_s),
                bound: "at most 4 %",
                met: share <= MOST_SHARE,
            },
            Row {
                figure: format!("{}: overhead per fork", self.case),
                value: format!("{:.1} ms, {} forks", self.per_fork_s() * 1e3, self.totals.forks),
                bound: "at most 12 ms",
                met: self.per_fork_s() <= MOST_PER_FORK_S,
            },
        ]
    }

    fn raw(&self) -> Value {
        json!({
            "case": self.case,
            "wall_s": self.observed.wall_s,
            "build_s": self.build_s,
            "overhead_s": self.overhead_s(),
            "totals": self.totals,
            "own_cpu_s": self.observed.cpu_s,
            "own_peak_bytes": self.observed.peak_bytes,
        })
    }
}

/// Measures the overhead, and in the same runs what the tool itself costs.
pub fn measure(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let mut runs = Vec::new();
    for (target, case) in CASES {
        runs.push(run(setting, target, case)?);
    }
    let overhead = Figure {
        name: "overhead",
        title: "Overhead of a baseline",
        how: "`cargo perf baseline` of `spin/00` in `crowd`, 60 s: wall time of the whole command, without its \
              warm build, its warm-up (the discarded pilot included) and its measured time. The bench has no \
              set-up to subtract."
            .to_owned(),
        rows: runs.iter().flat_map(Run::rows).collect(),
        raw: runs.iter().map(Run::raw).collect(),
    };
    Ok(vec![overhead, own_cost::measure(&runs, setting)?])
}

fn run(setting: &Setting, target: &str, case: &'static str) -> Result<Run, Failure> {
    let asked = setting.measured(FULL);
    let choice = ["-p", "crowd", "--bench", target];
    say(&format!("overhead: {case}, {} s measured", asked.as_secs_f64()));
    let observed = baseline(setting, "rust-workspace", &choice, "spin/00", asked)?;
    let missing = |what: &str| Failure::benchmark(format!("the baseline reported no {what}"));
    let answer: Value = serde_json::from_str(&observed.stdout)
        .context(FailureKind::Benchmark, || "the baseline's answer cannot be read".to_owned())?;
    let totals = answer.pointer("/result/benches/0/totals").ok_or_else(|| missing("totals"))?;
    Ok(Run {
        case,
        totals: serde_json::from_value(totals.clone()).map_err(|_| missing("totals that can be read"))?,
        build_s: build_seconds(&observed.stderr).ok_or_else(|| missing("build"))?,
        asked_s: asked.as_secs_f64(),
        observed,
    })
}

/// One baseline of a bench, observed, after a list of the same target has built it.
pub fn baseline(
    setting: &Setting,
    fixture: &str,
    choice: &[&str],
    id: &str,
    asked: Duration,
) -> Result<Observed, Failure> {
    let mut list = start::tool(fixture);
    list.arg("list").args(choice);
    start::timed(list, &setting.interrupt)?;

    let mut command = start::tool(fixture);
    command.args(["baseline", "figures", "--json", "--events"]).args(choice).args(["--filter", id]);
    // State must not land in the repository.
    command.arg("--state-dir").arg(setting.scratch.path().join("state"));
    if asked >= FULL {
        // A machine that somebody else measures on gives no figure.
        command.arg("--no-wait");
    } else {
        command.args(["--approve-short", "figures", "--duration", &asked.as_secs_f64().to_string()]);
        // Nothing of this is recorded; a series that counts must be one that was not in doubt.
        command.args(["--accept-noise", "figures"]);
    }
    start::observed(command, &setting.interrupt)
}

/// What the events say that building took; `None` without such an event.
fn build_seconds(events: &str) -> Option<f64> {
    let finished = |line: &str| {
        let event: Value = serde_json::from_str(line).ok()?;
        if event["event"] == "build_finished" { event["seconds"].as_f64() } else { None }
    };
    let builds: Vec<f64> = events.lines().filter_map(finished).collect();
    (!builds.is_empty()).then(|| builds.iter().sum())
}
