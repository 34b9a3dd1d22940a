//! Whether the noise probe of `cargo perf doctor` tells a machine on which a build runs from a quiet one.

use crate::page::{Figure, Row};
use crate::start::{cargo, shell, tool};
use crate::{Setting, say};
use cargo_perf_lab::failure::{Context, Failure, FailureKind};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

const TRIES: usize = 20;
/// Enough to see that it works.
const FEWEST_TRIES: usize = 1;
const FIXTURE: &str = "rust-workspace";
/// Until cargo has read its manifests and compilers run.
const UNDER_WAY: Duration = Duration::from_secs(2);
/// Until the kernel has written and freed what a build left.
const SETTLED: Duration = Duration::from_secs(5);

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
        let (answer, _) = with_build(&folder, |_| {
            setting.interrupt.sleep(UNDER_WAY)?;
            setting.interrupt.check()?;
            doctor()
        })?;
        building.push(answer);
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

/// Does `work` while builds run, one after the other, and ends them. Returns how many had ended by then, too.
pub fn with_build<T>(
    folder: &Path,
    work: impl FnOnce(&mut Builds) -> Result<T, Failure>,
) -> Result<(T, usize), Failure> {
    let mut builds = Builds::start(folder)?;
    let worked = work(&mut builds);
    let ended = builds.end()?;
    Ok((worked?, ended))
}

/// Builds into an empty folder, again and again, in a process of their own: this one ends whatever forks leave behind,
/// and would take a build that begins meanwhile for that.
#[derive(Debug)]
pub struct Builds {
    shell: Child,
    folder: PathBuf,
    /// A line for each build that has ended.
    ended: PathBuf,
}

/// Ends by itself when who started it is gone, or when a build fails.
const AGAIN_AND_AGAIN: &str = r#"
    while kill -0 "$4" && "$1" build --benches --target-dir "$2"; do echo >> "$3"; rm -rf "$2"; done"#;

impl Builds {
    fn start(folder: &Path) -> Result<Self, Failure> {
        let failed = || "the builds could not be started".to_owned();
        let ended = folder.with_extension("ended");
        let mut command = shell(FIXTURE, AGAIN_AND_AGAIN);
        command.arg(cargo(FIXTURE).get_program()).arg(folder).arg(&ended).arg(std::process::id().to_string());
        command.stderr(Stdio::null()).process_group(0);
        let shell = command.spawn().context(FailureKind::Environment, failed)?;
        Ok(Self { shell, folder: folder.to_path_buf(), ended })
    }

    /// Refuses to go on when nothing is built any more.
    ///
    /// # Errors
    /// `Build`.
    pub fn expect_running(&mut self) -> Result<(), Failure> {
        let failed = || "the builds cannot be watched".to_owned();
        match self.shell.try_wait().context(FailureKind::Environment, failed)? {
            None => Ok(()),
            Some(_) => {
                Err(Failure::new(FailureKind::Build, "the fixture does not build, or its builds were ended"))
            }
        }
    }

    fn end(mut self) -> Result<usize, Failure> {
        let watched = self.expect_running();
        if let Some(group) = i32::try_from(self.shell.id()).ok().and_then(Pid::from_raw) {
            // It may have ended in between.
            let _ = kill_process_group(group, Signal::KILL);
        }
        // Whoever reaped it, it is gone.
        let _ = self.shell.wait();
        let _ = fs::remove_dir_all(&self.folder);
        watched.map(|()| fs::read_to_string(&self.ended).map_or(0, |lines| lines.lines().count()))
    }
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
