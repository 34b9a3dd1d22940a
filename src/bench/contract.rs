//! The environment contract: what a program that measures itself is told by its environment.
//!
//! Nothing is inherited: a variable that is not set here is removed, whatever the caller's environment
//! holds.

use crate::sys::invocation::Invocation;
use perf_harness::report;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

/// How a program is asked to run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum RunMode {
    /// Repeat the work until this much time has been measured.
    Duration {
        /// Time to measure.
        measured: Duration,
        /// Time to warm up before, on top.
        warm_up: Option<Duration>,
    },
    /// Do the work once.
    Oneshot,
}

/// The variables by which a program is asked.
const ASKED: [&str; 4] =
    [perf_harness::MODE, perf_harness::DURATION, perf_harness::WARM_UP, perf_harness::PARAMETER];

/// The invocation of a program that is asked to run like this, with `parameter` as its load.
pub fn ask(invocation: Invocation, mode: RunMode, parameter: Option<&str>) -> Invocation {
    let seconds = |time: Duration| OsString::from(time.as_secs_f64().to_string());
    let (name, duration, warm_up) = match mode {
        RunMode::Duration { measured, warm_up } => ("duration", Some(measured), warm_up),
        RunMode::Oneshot => ("oneshot", None, None),
    };
    set(
        invocation,
        [
            (perf_harness::MODE, Some(name.into())),
            (perf_harness::DURATION, duration.map(seconds)),
            (perf_harness::WARM_UP, warm_up.map(seconds)),
            (perf_harness::PARAMETER, parameter.map(OsString::from)),
        ],
    )
}

/// The invocation in which Gradle starts no daemon: one that lives already keeps the environment of the
/// call that started it, and would measure what that one was asked for.
pub fn without_daemon(invocation: Invocation) -> Invocation {
    let name = invocation.argv.first().map(Path::new).and_then(Path::file_name);
    if !name.is_some_and(|name| name == "gradle" || name == "gradlew") {
        return invocation;
    }
    let own = invocation.env.get("GRADLE_OPTS").cloned().unwrap_or_else(|| std::env::var_os("GRADLE_OPTS"));
    let mut options = own.unwrap_or_default();
    options.push(" -Dorg.gradle.daemon=false");
    invocation.env("GRADLE_OPTS", options)
}

/// The invocation of a bench that is told what to do in another way.
pub fn silent(invocation: Invocation) -> Invocation {
    set(invocation, ASKED.map(|name| (name, None)))
}

/// The invocation with the place for a report, which only the crate perf-harness writes.
pub fn with_report(invocation: Invocation, file: &Path) -> Invocation {
    set(
        invocation,
        [
            (report::PROTOCOL, Some(report::Protocol::CURRENT.to_string().into())),
            (report::FILE, Some(file.as_os_str().to_owned())),
        ],
    )
}

/// By which a program can tell the side of an experiment that it is on: 0 without the change, 1 with it.
pub const EXPERIMENT: &str = "PERF_EXPERIMENT";

/// Whether the contract gives the variable a meaning, so that nobody else may set it.
pub fn is_ours(name: &str) -> bool {
    ASKED.contains(&name) || [EXPERIMENT, report::PROTOCOL, report::FILE].contains(&name)
}

fn set<const N: usize>(mut invocation: Invocation, variables: [(&str, Option<OsString>); N]) -> Invocation {
    invocation.env.extend(variables.map(|(name, value)| (name.to_owned(), value)));
    // Of whoever calls this program it says nothing here.
    invocation.env.entry(EXPERIMENT.to_owned()).or_insert(None);
    invocation
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::invocation::Output;

    #[test]
    fn gradle_alone_is_kept_from_its_daemon() {
        let start = |program: &str| {
            let output = Output::Recorded { log: "log".into(), log_limit: 0 };
            without_daemon(Invocation::new([program], "/", output).env("GRADLE_OPTS", "-Xmx1g"))
        };
        for program in ["gradle", "./gradlew"] {
            let options = variable(&start(program), "GRADLE_OPTS").expect("set");
            assert_eq!(options, "-Xmx1g -Dorg.gradle.daemon=false");
        }
        assert_eq!(variable(&start("mvn"), "GRADLE_OPTS").as_deref(), Some("-Xmx1g"));
    }

    fn variable(invocation: &Invocation, name: &str) -> Option<String> {
        invocation.env.get(name).expect("decided").clone().map(|value| value.into_string().expect("text"))
    }

    #[test]
    fn every_variable_is_set_or_removed() {
        let plain = || {
            let output = Output::Recorded { log: "log".into(), log_limit: 0 };
            Invocation::new(["true"], "/", output)
        };
        let sixty = Duration::from_secs(60);
        let asked = ask(plain(), RunMode::Duration { measured: sixty, warm_up: None }, Some("250"));
        assert_eq!(variable(&asked, "PERF_RUN_MODE").as_deref(), Some("duration"));
        assert_eq!(variable(&asked, "PERF_RUN_DURATION").as_deref(), Some("60"));
        assert_eq!(variable(&asked, "PERF_WARMUP_DURATION"), None);
        assert_eq!(variable(&asked, "PERF_PARAM_VALUE").as_deref(), Some("250"));
        let once = ask(plain(), RunMode::Oneshot, None);
        assert_eq!(variable(&once, "PERF_RUN_MODE").as_deref(), Some("oneshot"));
        assert_eq!(variable(&once, "PERF_RUN_DURATION"), None);
        assert_eq!(variable(&silent(plain()), "PERF_RUN_MODE"), None);
    }
}
