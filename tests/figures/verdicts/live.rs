//! Comparisons of equal code as users run them, while builds run, beside criterion in the same minutes.

use super::kernels::{self, KERNELS};
use crate::page::{Figure, PEER, Row};
use crate::start::{cargo, output, tool};
use crate::{Setting, noise, say};
use cargo_perf_lab::failure::{Context, Failure, FailureKind};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Comparisons with less than a minute a side, and with a whole one.
const SHORT: usize = 30;
const FULL: usize = 6;
const FEWEST: usize = 1;
const SHORT_S: Duration = Duration::from_secs(15);
const FIXTURE: &str = "kernels";

/// How criterion is asked: as it is, and as its manual says for noisy machines, with the time of a side.
const CRITERION: [(&str, &[&str]); 2] = [
    ("at its defaults", &[]),
    (
        "for 15 s, significance 0.01, noise threshold 0.01",
        &["--measurement-time", "15", "--significance-level", "0.01", "--noise-threshold", "0.01"],
    ),
];

/// Compares equal code again and again.
///
/// # Errors
/// What cannot be built or measured.
pub fn measure(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let [short, full] = [SHORT, FULL].map(|count| setting.repetitions(count, FEWEST));
    kernels::commit_both()?;
    // Both are built before builds disturb them, and criterion has something to compare with.
    for kernel in KERNELS.iter().take(short) {
        for number in 0..CRITERION.len() {
            criterion(number, kernel.name, setting)?;
        }
    }
    let folder = setting.scratch.path().join("live");
    let ((shorts, fulls, peers), builds) = noise::with_build(&folder, |builds| {
        let mut shorts = Vec::new();
        let mut peers = vec![Vec::new(); CRITERION.len()];
        for number in 0..short {
            let kernel = KERNELS[number % KERNELS.len()].name;
            say(&format!("live: comparison {} of {}", number + 1, short + full));
            shorts.push(compare(kernel, Some(setting.measured(SHORT_S)), number, setting)?);
            for (way, answers) in peers.iter_mut().enumerate() {
                answers.push(criterion(way, kernel, setting)?);
            }
            builds.expect_running()?;
        }
        let mut fulls = Vec::new();
        for number in 0..full {
            let kernel = KERNELS[number % KERNELS.len()].name;
            say(&format!("live: comparison {} of {}", short + number + 1, short + full));
            let shortened = setting.is_short().then(|| setting.measured(SHORT_S));
            fulls.push(compare(kernel, shortened, short + number, setting)?);
            builds.expect_running()?;
        }
        Ok((shorts, fulls, peers))
    })?;
    let mut rows =
        vec![row("15 s a side", &shorts, 1, "at most 1 of 30"), row("60 s a side", &fulls, 0, "none of 6")];
    rows.extend(CRITERION.iter().zip(&peers).map(|((how, _), answers)| {
        let called = answers.iter().filter(|changed| **changed).count();
        Row {
            figure: format!("criterion {how}: equal code called changed"),
            value: format!("{called} of {}", answers.len()),
            bound: PEER,
            met: true,
        }
    }));
    Ok(vec![Figure {
        name: "live",
        title: "Equal code, compared while builds run",
        how: format!(
            "`cargo perf compare` of a revision of `fixtures/kernels` with itself, built twice, kernel after kernel, while \
             `cargo build --benches` runs over and over beside it, {builds} times in all: {short} times with 15 s a side \
             and {full} times with 60 s. After each of the former criterion 0.8.2 measures the same kernel and compares with its run before, at its \
             defaults and with flags that make it more careful."
        ),
        rows,
        raw: json!({"short": shorts, "full": fulls, "criterion_changed": peers, "builds": builds}),
    }])
}

fn row(what: &str, answers: &[Value], most: usize, bound: &'static str) -> Row {
    let changed = answers.iter().filter(|answer| is_change(&answer["verdict"])).count();
    let first = answers.iter().filter(|answer| is_change(&answer["first"]["verdict"])).count();
    Row {
        figure: format!("cargo perf with {what}: equal code called changed"),
        value: format!("{changed} of {} ({} by a first series)", answers.len(), first.max(changed)),
        bound,
        met: changed <= most,
    }
}

fn is_change(verdict: &Value) -> bool {
    ["improved", "regressed"].iter().any(|name| verdict == name)
}

/// The one verdict of a comparison of the first revision with itself.
fn compare(kernel: &str, short: Option<Duration>, seed: usize, setting: &Setting) -> Result<Value, Failure> {
    setting.interrupt.check()?;
    let mut command = at_kernels(tool(FIXTURE));
    let seed = (seed + 1).to_string();
    command.args(["compare", "HEAD~1", "HEAD~1", "--json", "--filter", kernel, "--seed", &seed]);
    command.args(["--accept-noise", "builds run on purpose"]);
    if let Some(short) = short {
        let seconds = short.as_secs_f64().to_string();
        command.args(["--approve-short", "many comparisons", "--duration", &seconds]);
    }
    let said = output(command, &setting.interrupt)?;
    let answer: Value = serde_json::from_str(&said)
        .context(FailureKind::Environment, || "the answer of cargo perf compare cannot be read".to_owned())?;
    let found = &answer["result"]["comparisons"][0];
    Ok(json!({
        "kernel": kernel,
        "verdict": found["verdict"],
        "why": found["why"],
        "effect": found["effect"],
        "first": found["first"],
        "detectable_percent": found["detectable_percent"],
    }))
}

/// Whether criterion calls the kernel changed since it measured it in the same way before.
fn criterion(way: usize, kernel: &str, setting: &Setting) -> Result<bool, Failure> {
    setting.interrupt.check()?;
    let mut command = at_kernels(cargo(FIXTURE));
    command.args(["bench", "--quiet", "--bench", "kernels", "--", kernel, "--noplot"]).args(CRITERION[way].1);
    let home = setting.scratch.path().join(format!("criterion-{way}"));
    command.env("CRITERION_HOME", home);
    let said = output(command, &setting.interrupt)?;
    Ok(said.contains("Performance has regressed") || said.contains("Performance has improved"))
}

fn at_kernels(mut command: Command) -> Command {
    let folder: &Path = &kernels::repository();
    command.current_dir(folder);
    command
}
