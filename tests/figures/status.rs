//! How long it takes to see where an investigation stands.

use crate::page::{Figure, Row};
use crate::start;
use crate::{Setting, say};
use cargo_perf_lab::failure::{Context, Failure, FailureKind};
use cargo_perf_lab::stats::summary::{median, quantile};
use cargo_perf_lab::sys::files::write_atomic;
use git2::{Repository, Signature};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;

const RUNS: usize = 100;
/// Enough to see that it works.
const FEWEST_RUNS: usize = 5;
/// Commits of somebody else's behind the investigation, so that its own have to be looked for.
const COMMITS: usize = 1_000;
const MOST_S: f64 = 0.050;
/// The phases that can be left out, which makes an investigation with many commits.
const LEFT_OUT: [&str; 6] =
    ["breaking-point", "constraints", "hypotheses", "code-paths", "profiling", "optimization"];

/// Prepares an investigation and asks for its status.
pub fn measure(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let runs = setting.repetitions(RUNS, FEWEST_RUNS);
    say(&format!("status: {runs} runs"));
    let project = setting.scratch.path().join("status");
    let repository = begin(&project)?;
    let run = |words: &[&str]| start::timed(tool(&project, words), &setting.interrupt);
    let terms = [
        "--scenario=s",
        "--quote=q",
        "--success=a > 0",
        "--version=v1",
        "--approve-short=figure",
        "--duration=0.2",
    ];
    let command = ["--metric=a:ms:lower", "--command=sh bench.sh"];
    run(&[&["setup"][..], &terms, &command].concat())?;
    run(&["baseline", "--accept-noise=figure"])?;
    let skips: Vec<String> = LEFT_OUT.iter().map(|phase| format!("--skip-phase={phase}=figure")).collect();
    let skips: Vec<&str> = skips.iter().map(String::as_str).collect();
    run(&[&["next"][..], &skips].concat())?;
    more_commits(&repository)?;
    run(&["status"])?;
    let walls = (0..runs).map(|_| run(&["status"])).collect::<Result<Vec<f64>, _>>()?;
    let nothing = || Failure::benchmark("nothing was run");
    let middle = median(&walls).ok_or_else(nothing)?;
    let high = quantile(&walls, 0.95).ok_or_else(nothing)?;
    Ok(vec![Figure {
        name: "status",
        title: "Seeing where an investigation stands",
        how: format!(
            "`cargo perf status` of an investigation with eight phases and as many checkpoints, {COMMITS} commits \
             behind them: {runs} runs of the whole process, after one that does not count."
        ),
        rows: vec![Row {
            figure: "status".to_owned(),
            value: format!("{:.1} ms, 95 of 100 below {:.1} ms", middle * 1e3, high * 1e3),
            bound: "under 50 ms",
            met: high < MOST_S,
        }],
        raw: json!({"status_s": walls}),
    }])
}

fn tool(project: &Path, words: &[&str]) -> Command {
    let mut command = start::tool("external-cases");
    command.current_dir(project).args(words);
    command
}

/// A project with one command to measure, which git knows.
fn begin(project: &Path) -> Result<Repository, Failure> {
    let what = || "the project cannot be made".to_owned();
    fs::create_dir_all(project).context(FailureKind::Environment, what)?;
    let script = "end=$(($(date +%s%N) + 300000000))\nwhile [ \"$(date +%s%N)\" -lt $end ]; do :; done\necho PERF_METRICS a=1\n";
    write_atomic(&project.join("bench.sh"), script.as_bytes())?;
    write_atomic(&project.join("perf.toml"), b"")?;
    let repository = Repository::init(project).context(FailureKind::Environment, what)?;
    let mut config = repository.config().context(FailureKind::Environment, what)?;
    for (name, value) in [("user.name", "figures"), ("user.email", "figures@example.org")] {
        config.set_str(name, value).context(FailureKind::Environment, what)?;
    }
    let mut index = repository.index().context(FailureKind::Environment, what)?;
    index.add_all(["*"], git2::IndexAddOption::DEFAULT, None).context(FailureKind::Environment, what)?;
    index.write().context(FailureKind::Environment, what)?;
    commit(&repository, &mut index).context(FailureKind::Environment, what)?;
    Ok(repository)
}

fn more_commits(repository: &Repository) -> Result<(), Failure> {
    let what = || "commits cannot be made".to_owned();
    let mut index = repository.index().context(FailureKind::Environment, what)?;
    for _ in 0..COMMITS {
        commit(repository, &mut index).context(FailureKind::Environment, what)?;
    }
    Ok(())
}

fn commit(repository: &Repository, index: &mut git2::Index) -> Result<(), git2::Error> {
    let tree = repository.find_tree(index.write_tree()?)?;
    let author = Signature::now("figures", "figures@example.org")?;
    let parent = repository.head().ok().and_then(|head| head.peel_to_commit().ok());
    let parents: Vec<_> = parent.iter().collect();
    repository.commit(Some("HEAD"), &author, &author, "a commit", &tree, &parents).map(|_| ())
}
