//! `cargo perf doctor`: what it says about this machine, about a disturbed one, and about what is missing.

use crate::support::perf::{Ended, Perf};
use crate::support::sandbox::Sandbox;
use crate::support::{machine, trials};
use cargo_util::paths::resolve_executable;
use libtest_mimic::Trial;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub fn trials() -> Vec<Trial> {
    trials![
        it_says_everything_it_knows_under_json,
        a_busy_process_is_named_and_the_machine_is_noisy,
        tools_that_are_missing_say_what_that_costs,
        tools_that_fail_or_hang_are_found_and_their_problem_named,
        without_cargo_a_measurement_is_refused,
        outside_of_a_project_there_is_still_a_machine,
        a_state_folder_that_cannot_be_written_is_refused,
        while_somebody_measures_it_does_not_probe,
        a_wrong_flag_is_refused,
    ]
}

/// How long to wait for others who measure on this machine.
const PATIENCE: Duration = Duration::from_secs(600);

/// A run that could probe: nobody else held the machine.
fn probed<'s>(doctor: impl Fn() -> Perf<'s>) -> (Ended, Value) {
    let started = Instant::now();
    loop {
        let ended = doctor().args(["--json"]).run();
        let result = ended.json()["result"].clone();
        if result["probe"].is_object() {
            return (ended, result);
        }
        assert!(started.elapsed() < PATIENCE, "the machine is never free: {ended:#?}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap_or_else(|| panic!("no object: {value}")).keys().map(String::as_str).collect()
}

fn it_says_everything_it_knows_under_json() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let before = sandbox.snapshot();
    let (ended, result) = probed(|| sandbox.perf(["doctor"]));
    assert_eq!(ended.status.code(), Some(0), "{ended:#?}");
    assert_eq!(sandbox.snapshot(), before, "it has changed files");
    let expected = [
        "verdict",
        "obstacles",
        "warnings",
        "machine",
        "settings",
        "permissions",
        "hardware_counters",
        "control_groups",
        "limits",
        "tools",
        "lock",
        "project",
        "probe",
    ];
    assert_eq!(keys(&result), expected.into());
    assert_eq!(result["project"]["state"], ".claude/perf");
    assert_eq!(result["lock"]["holder"], Value::Null);
    let checks: Vec<&str> = result["probe"]["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .filter_map(|check| check["name"].as_str())
        .collect();
    let names = [
        "spin",
        "pressure",
        "runnable",
        "processes",
        "steal",
        "swap",
        "memory",
        "outer-quota",
        "governor",
        "power",
    ];
    assert_eq!(checks, names);
    let spun = result["probe"]["on_cpu"].as_f64().expect("a share");
    assert!(spun > 0.0 && spun <= 1.05, "{spun}");
    for required in ["cargo", "rustc"] {
        let version = tool(&result, required)["version"].as_str().expect("a version");
        assert!(version.starts_with(required), "{version}");
    }
}

/// Spins until it is dropped.
struct Spinning(Child);

impl Spinning {
    #[expect(clippy::disallowed_methods, reason = "a process that disturbs")]
    fn start() -> Self {
        let spin = Command::new("sh").args(["-c", "while :; do :; done"]).stdin(Stdio::null()).spawn();
        Self(spin.expect("a shell"))
    }
}

impl Drop for Spinning {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn a_busy_process_is_named_and_the_machine_is_noisy() {
    let _machine = machine();
    let sandbox = Sandbox::bare();
    let spinning = [Spinning::start(), Spinning::start()];
    let (ended, result) = probed(|| sandbox.perf(["doctor", "--strict"]));
    assert_eq!(ended.status.code(), Some(8), "{ended:#?}");
    assert_eq!(ended.json()["error"]["kind"], "environment");
    assert!(ended.stderr.contains("--strict"), "{}", ended.stderr);
    assert_eq!(result["verdict"], "noisy");
    let seconds = result["probe"]["seconds"].as_f64();
    assert!(seconds >= Some(3.0), "noise is probed again, for longer: {seconds:?}");
    let causes = result["probe"]["causes"].as_array().expect("causes");
    assert!(causes.contains(&Value::from("contention")), "{causes:?}");
    let processes = result["probe"]["processes"].as_array().expect("processes");
    for planted in &spinning {
        let found = processes.iter().find(|process| process["pid"] == planted.0.id());
        let share = found.unwrap_or_else(|| panic!("not seen: {processes:?}"))["share"].as_f64();
        // How much it gets depends on who else is busy here.
        assert!(share.is_some_and(|share| share > 0.05), "{share:?}");
    }
    let warnings: Vec<&str> =
        result["warnings"].as_array().expect("warnings").iter().filter_map(Value::as_str).collect();
    let busiest = format!("{} (pid {})", processes[0]["name"].as_str().expect("a name"), processes[0]["pid"]);
    assert!(warnings.iter().any(|warning| warning.contains(&busiest)), "{busiest} is not in {warnings:?}");
    // Without the flag the same is no failure.
    let (lenient, _) = probed(|| sandbox.perf(["doctor"]));
    assert_eq!(lenient.status.code(), Some(0), "{lenient:#?}");
}

fn tool<'r>(result: &'r Value, name: &str) -> &'r Value {
    let tools = result["tools"].as_array().expect("tools");
    tools.iter().find(|tool| tool["name"] == name).unwrap_or_else(|| panic!("{name} is not in {tools:?}"))
}

fn program(name: &str) -> std::path::PathBuf {
    resolve_executable(Path::new(name)).expect("the tests were built with it")
}

/// S-37.
fn tools_that_are_missing_say_what_that_costs() {
    let _machine = machine();
    let sandbox = Sandbox::bare();
    let doctor = || {
        let perf = sandbox.perf(["doctor"]).env("PATH", &sandbox.aside);
        perf.env("CARGO", program("cargo")).env("RUSTC", program("rustc"))
    };
    let (ended, result) = probed(doctor);
    assert_eq!(ended.status.code(), Some(0), "{ended:#?}");
    for (name, cost) in [("node", "JavaScript"), ("java", "Java"), ("go", "Go"), ("python3", "Python")] {
        let tool = tool(&result, name);
        assert_eq!((&tool["found"], &tool["version"]), (&Value::Bool(false), &Value::Null), "{tool}");
        assert!(tool["costs"].as_str().is_some_and(|costs| costs.contains(cost)), "{tool}");
    }
    let text = doctor().run().stdout;
    assert!(text.lines().any(|line| line.contains("node") && line.contains("missing: ")), "{text}");
}

fn tools_that_fail_or_hang_are_found_and_their_problem_named() {
    let _machine = machine();
    let sandbox = Sandbox::bare();
    let plant = |name: &str, script: &str| {
        let path = sandbox.path(name);
        sandbox.write(name, &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it can be made executable");
    };
    plant("node", "exit 3");
    plant("java", "echo \"$(printf '\\033[31m')version 17\" >&2");
    plant("go", "exec /bin/sleep 300");
    let doctor = || {
        let perf = sandbox.perf(["doctor"]).env("PATH", &sandbox.project);
        perf.env("CARGO", program("cargo")).env("RUSTC", program("rustc"))
    };
    let (ended, result) = probed(doctor);
    assert_eq!(ended.status.code(), Some(0), "{ended:#?}");
    let problem = |name: &str| {
        let tool = tool(&result, name);
        assert_eq!((&tool["found"], &tool["version"]), (&Value::Bool(true), &Value::Null), "{tool}");
        tool["problem"].as_str().expect("a problem").to_owned()
    };
    assert_eq!(problem("node"), "it exited with code 3");
    assert!(problem("go").contains("10 s"), "{}", problem("go"));
    assert_eq!(tool(&result, "java")["version"], "version 17");
    assert!(ended.wall < Duration::from_secs(60), "{:?}", ended.wall);
    // What takes long is said to take long.
    assert!(ended.stderr.contains("looking at"), "{}", ended.stderr);
    sandbox.assert_no_process_left();
}

fn without_cargo_a_measurement_is_refused() {
    let _machine = machine();
    let sandbox = Sandbox::bare();
    sandbox.perf(["doctor"]).env("CARGO", "/nothing/cargo").fails(8, "cargo cannot be run", "install");
}

fn outside_of_a_project_there_is_still_a_machine() {
    let _machine = machine();
    let sandbox = Sandbox::bare();
    let (ended, result) = probed(|| sandbox.perf(["doctor"]));
    assert_eq!((ended.status.code(), &result["project"]), (Some(0), &Value::Null), "{ended:#?}");
    let text = sandbox.perf(["doctor"]).run().stdout;
    assert!(text.contains("in no cargo project"), "{text}");
    // A manifest that is named must be there all the same.
    sandbox.perf(["doctor", "--manifest-path", "Cargo.toml"]).fails(2, "Cargo.toml", "manifest");
}

fn a_state_folder_that_cannot_be_written_is_refused() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    sandbox.perf(["doctor", "--state-dir", "/proc/nothing"]).fails(8, "/proc/nothing", "--state-dir");
    let (ended, result) = probed(|| sandbox.perf(["doctor", "--state-dir", "/proc/nothing"]));
    assert_eq!((ended.status.code(), &result["verdict"]), (Some(8), &Value::from("refused")));
    assert!(result["project"]["problem"].is_string(), "{result}");
}

fn while_somebody_measures_it_does_not_probe() {
    let _machine = machine();
    let sandbox = Sandbox::bare();
    let path = sandbox.aside.join("another.lock");
    let held = File::create(&path).expect("a lock file");
    held.lock().expect("it is free");
    let doctor = || sandbox.perf(["doctor", "--json"]).env("CARGO_PERF_LOCK", &path);
    let ended = doctor().run();
    let result = &ended.json()["result"];
    assert_eq!((ended.status.code(), &result["probe"]), (Some(0), &Value::Null), "{ended:#?}");
    assert_eq!(result["verdict"], "noisy");
    assert!(result["lock"]["holder"].is_string(), "{result}");
    assert_eq!(doctor().args(["--strict"]).run().status.code(), Some(8));
    drop(held);
    let (_, free) = probed(|| sandbox.perf(["doctor"]).env("CARGO_PERF_LOCK", &path));
    assert_eq!(free["lock"]["holder"], Value::Null);
}

fn a_wrong_flag_is_refused() {
    let sandbox = Sandbox::bare();
    sandbox.perf(["doctor", "--strictly"]).fails(2, "--strictly", "--strict");
    sandbox.perf(["doctor", "now"]).fails(2, "now", "help");
}
