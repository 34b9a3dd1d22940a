//! Whether the noise probe of `cargo perf doctor` tells a machine on which a build runs from a quiet one.

use crate::page::{Figure, Row};
use crate::start::{cargo, tool};
use crate::{Setting, say};
use cargo_perf_lab::failure::{Context, Failure, FailureKind};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const TRIES: usize = 20;
/// Enough to see that it works.
const FEWEST_TRIES: usize = 1;
const FIXTURE: &str = "rust-workspace";
/// Until cargo has read its manifests and compilers run.
const UNDER_WAY: Duration = Duration::from_secs(2);
/// Until the kernel has written and freed what a build left.
const SETTLED: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);

/// Asks the doctor with and without a build, in turn, and counts right answers.
pub fn measure(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let tries = setting.repetitions(TRIES, FEWEST_TRIES);
    say(&format!("noise: {tries} tries with a build and {tries} without"));
    // A build that waits for downloads is none.
    run(&["fetch"])?;
    let (mut quiet, mut building) = (Vec::new(), Vec::new());
    for number in 0..tries {
        setting.interrupt.sleep(SETTLED)?;
        setting.interrupt.check()?;
        quiet.push(doctor()?);
        let folder = setting.scratch.path().join(format!("noise-{number}"));
        building.push(with_build(&folder, || {
            setting.interrupt.sleep(UNDER_WAY)?;
            setting.interrupt.check()?;
            doctor()
        })?);
    }
    Ok(vec![Figure {
        name: "noise",
        title: "A running build against a quiet machine",
        how: format!(
            "`cargo perf doctor` without anything else, and while `cargo build --benches` of \
             `fixtures/rust-workspace` runs, each time into an empty folder and started again when it is done: {tries} \
             tries each, in turn, with 5 s of rest after each build. Right is that `contention` is among the causes \
             it names in the second case only; what a hypervisor withholds is another cause."
        ),
        rows: vec![row("quiet machine", false, &quiet), row("running build", true, &building)],
        raw: json!({"quiet": quiet, "building": building}),
    }])
}

fn row(what: &str, right: bool, answers: &[Value]) -> Row {
    let named = |answer: &Value| {
        answer["causes"].as_array().is_some_and(|causes| causes.contains(&Value::from("contention")))
    };
    let count = answers.iter().filter(|answer| named(answer) == right).count();
    Row {
        figure: format!("{what}: right answers"),
        value: format!("{count} of {}", answers.len()),
        bound: "20 of 20",
        met: count == answers.len(),
    }
}

/// What the doctor says, as a user would ask it.
fn doctor() -> Result<Value, Failure> {
    let unreadable = || "the answer of cargo perf doctor cannot be read".to_owned();
    let mut command = tool(FIXTURE);
    command.args(["doctor", "--json"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let output = command.output().context(FailureKind::Environment, || "cargo perf doctor".to_owned())?;
    let answer: Value =
        serde_json::from_slice(&output.stdout).context(FailureKind::Environment, unreadable)?;
    let result = &answer["result"];
    if !result["probe"].is_object() {
        return Err(Failure::environment("somebody else measures on this machine, so there was no probe"));
    }
    let probe = &result["probe"];
    Ok(json!({
        "verdict": result["verdict"],
        "warnings": result["warnings"],
        "causes": probe["causes"],
        "on_cpu": probe["on_cpu"],
        "psi_cpu_some": probe["psi_cpu_some"],
        "foreign_cpu": probe["foreign_cpu"],
    }))
}

/// Does `work` while builds run, one after the other, and ends them.
pub fn with_build<T>(folder: &Path, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let builds = scope.spawn(|| builds_until(&over, folder));
        let worked = work();
        over.store(true, Ordering::Relaxed);
        let built = builds.join().map_err(|_| Failure::environment("the builds could not be watched"))?;
        built.and(worked)
    })
}

/// Builds into an empty folder again and again.
fn builds_until(over: &AtomicBool, folder: &Path) -> Result<(), Failure> {
    let failed = || "cargo build could not be run".to_owned();
    while !over.load(Ordering::Relaxed) {
        let mut command = cargo(FIXTURE);
        command
            .args(["build", "--benches", "--target-dir"])
            .arg(folder)
            .stderr(Stdio::null())
            .process_group(0);
        let mut build = command.spawn().context(FailureKind::Environment, failed)?;
        let finished = wait(&mut build, over)?;
        // Also of an unfinished one: the next begins with nothing.
        let _ = fs::remove_dir_all(folder);
        if finished == Some(false) {
            return Err(Failure::new(FailureKind::Build, "the fixture does not build"));
        }
    }
    Ok(())
}

/// Waits until a build has ended, which is returned with whether it succeeded, or ends it.
fn wait(build: &mut Child, over: &AtomicBool) -> Result<Option<bool>, Failure> {
    let failed = || "cargo build cannot be waited for".to_owned();
    while !over.load(Ordering::Relaxed) {
        if let Some(status) = build.try_wait().context(FailureKind::Environment, failed)? {
            return Ok(Some(status.success()));
        }
        thread::sleep(POLL);
    }
    if let Some(group) = i32::try_from(build.id()).ok().and_then(Pid::from_raw) {
        // It may have ended in between.
        let _ = kill_process_group(group, Signal::KILL);
    }
    build.wait().context(FailureKind::Environment, failed)?;
    Ok(None)
}

fn run(arguments: &[&str]) -> Result<(), Failure> {
    let failed = || format!("cargo {}", arguments.join(" "));
    let status = cargo(FIXTURE)
        .args(arguments)
        .stderr(Stdio::null())
        .status()
        .context(FailureKind::Environment, failed)?;
    if status.success() { Ok(()) } else { Err(Failure::environment(format!("{} {status}", failed()))) }
}
