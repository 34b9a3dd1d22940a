//! One run at a time on a machine, ended cleanly whatever ends it.

use crate::support::perf::Running;
use crate::support::sandbox::{NOISY, Sandbox, run_folders};
use crate::support::traces::{self, MARKER, SOON, eventually};
use crate::support::{machine, trials};
use libtest_mimic::Trial;
use rustix::process::Signal;
use serde_json::Value;
use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub fn trials() -> Vec<Trial> {
    trials![
        a_second_run_is_refused_or_waits_for_the_first,
        sigint_ends_the_tree_and_keeps_what_was_measured,
        sigterm_ends_the_tree_and_keeps_what_was_measured,
        sighup_ends_the_tree_and_keeps_what_was_measured,
        a_signal_that_the_caller_ignores_ends_nothing,
        sigkill_of_the_program_ends_the_benchmark_too,
        what_a_killed_run_left_behind_is_ended_by_the_next_run,
        sigint_ends_the_wait_for_the_machine,
        sigint_ends_a_build,
        an_extra_lock_is_taken_too,
        an_extra_lock_that_cannot_be_opened_is_refused,
        a_run_inside_a_measured_run_is_refused_instead_of_waiting_forever,
    ]
}

const WELL: &str = "well_behaved";

/// A run that has measured at least one fork, and its record of forks.
fn measuring<'s>(sandbox: &'s Sandbox, label: &str) -> (Running<'s>, PathBuf) {
    let mut running = sandbox.long_baseline(label, WELL, "30").start();
    let forks = running.measures();
    (running, forks)
}

/// A run that does not wait. Somebody outside of these tests may hold the machine for a while; nothing
/// of ours may.
fn runs_at_once(sandbox: &Sandbox, not_held_by: i32) {
    let started = Instant::now();
    loop {
        let ended = sandbox.baseline("after", WELL).args(["--no-wait"]).run();
        if ended.status.code() == Some(0) {
            return;
        }
        ended.assert_refused(9, "another benchmark holds the machine", "--no-wait");
        assert!(!ended.stderr.contains(&format!("pid {not_held_by},")), "{ended:#?}");
        assert!(started.elapsed() < Duration::from_secs(600), "{ended:#?}");
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// How long one run makes another wait.
const WAITS_S: f64 = 0.5;

/// S-05, S-55.
fn a_second_run_is_refused_or_waits_for_the_first() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let mut first = sandbox.long_baseline("first", WELL, "5").start();
    first.measures();
    // However long the others take to ask for the machine.
    first.signal(Signal::STOP);
    let holder = format!("pid {},", first.pid());
    let before = sandbox.path(".claude/perf/baselines/second.json");
    let refused = sandbox.baseline("second", WELL).args(["--no-wait"]).run();
    refused.assert_refused(9, &holder, "--no-wait");
    assert!(refused.stderr.contains("well_behaved"), "what is measured is not said: {}", refused.stderr);
    assert!(!before.exists());
    let mut second = sandbox.baseline("second", WELL).start();
    second.says("waiting for the machine, held by ");
    assert!(second.stderr_so_far().contains(&holder), "{}", second.stderr_so_far());
    std::thread::sleep(Duration::from_secs_f64(WAITS_S));
    first.signal(Signal::CONT);
    for running in [first, second] {
        let ended = running.end();
        assert_eq!(ended.status.code(), Some(0), "{ended:#?}");
    }
    let waited = sandbox.stored("second")["env"]["context"]["lock_wait_s"].as_f64();
    assert!(waited.is_some_and(|seconds| seconds >= WAITS_S), "{waited:?}");
    assert!(sandbox.stored("first")["benches"][0]["totals"]["measured_s"].as_f64() >= Some(5.0));
    sandbox.assert_no_process_left();
}

fn sigint_ends_the_tree_and_keeps_what_was_measured() {
    check_signal(Signal::INT, 130, "Ctrl-C");
}

fn sigterm_ends_the_tree_and_keeps_what_was_measured() {
    check_signal(Signal::TERM, 143, "SIGTERM");
}

fn sighup_ends_the_tree_and_keeps_what_was_measured() {
    check_signal(Signal::HUP, 129, "SIGHUP");
}

/// As under `nohup`, which people use for what takes long.
fn a_signal_that_the_caller_ignores_ends_nothing() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let ignoring = ["sh", "-c", "trap '' HUP; exec \"$@\"", "sh"];
    let words = ["baseline", "v1", "--filter=well_behaved", "--approve-short=a test", "--duration=2", NOISY];
    let mut running = sandbox.perf_through(&ignoring, words).start();
    running.measures();
    running.signal(Signal::HUP);
    let ended = running.end();
    assert_eq!(ended.status.code(), Some(0), "{ended:#?}");
    sandbox.stored("v1");
}

fn check_signal(signal: Signal, code: i32, name: &str) {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let before = sandbox.snapshot();
    let (running, forks) = measuring(&sandbox, "v1");
    let pid = running.pid();
    let sent = Instant::now();
    running.signal(signal);
    let ended = running.end_within(Duration::from_secs(3));
    ended.assert_refused(code, name, "forks.jsonl");
    let left = Duration::from_secs(3).saturating_sub(sent.elapsed());
    eventually(left, "the tree is gone", || sandbox.processes().is_empty());
    assert_eq!(before, sandbox.snapshot(), "something was stored or left");
    assert!(ended.stderr.contains(&forks.display().to_string()), "{}", ended.stderr);
    check_forks(&forks);
    runs_at_once(&sandbox, pid);
}

/// Whole lines, each a fork with its raw samples.
fn check_forks(file: &std::path::Path) {
    let text = fs::read_to_string(file).expect("the forks are kept");
    assert!(text.ends_with('\n'), "the last line is cut");
    for line in text.lines() {
        let fork: Value = serde_json::from_str(line).expect("each line is JSON");
        assert!(fork["measured_s"].as_f64().is_some_and(|seconds| seconds > 0.0), "{line}");
        assert!(fork["samples"]["iterations_delta"].is_array(), "{line}");
    }
}

fn sigkill_of_the_program_ends_the_benchmark_too() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let before = sandbox.snapshot();
    let (running, forks) = measuring(&sandbox, "v1");
    let pid = running.pid();
    // Between two forks there is only the program itself.
    eventually(SOON, "a fork runs", || sandbox.processes().len() > 1);
    running.signal(Signal::KILL);
    let ended = running.end_within(SOON);
    assert_eq!(ended.killed_by(), Some(9));
    sandbox.assert_no_process_left();
    assert_eq!(before, sandbox.snapshot(), "something was stored or left");
    check_forks(&forks);
    runs_at_once(&sandbox, pid);
}

/// S-05.
fn what_a_killed_run_left_behind_is_ended_by_the_next_run() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let mut running = sandbox.long_baseline("v1", "leaves_a_child", "30").start();
    running.measures();
    let pid = running.pid();
    let children = || {
        let all = sandbox.processes().into_iter();
        all.filter(|(_, command)| command.starts_with("sleep 300")).map(|(pid, _)| pid).collect::<Vec<_>>()
    };
    eventually(Duration::from_secs(10), "a child is left", || !children().is_empty());
    running.signal(Signal::KILL);
    running.end_within(SOON);
    assert!(!children().is_empty(), "the child should have outlived the run; it is in a session of its own");
    // No run is under way now, whose children these could be.
    let other = Sandbox::of("misbehaving");
    runs_at_once(&other, pid);
    sandbox.assert_no_process_left();
}

/// A lock of the test's own, which the program is told to take.
fn extra_lock(sandbox: &Sandbox) -> (PathBuf, File) {
    let path = sandbox.aside.join("extra.lock");
    let file = File::create(&path).expect("the lock can be made");
    file.lock().expect("the lock can be taken");
    (path, file)
}

fn sigint_ends_the_wait_for_the_machine() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let (path, _held) = extra_lock(&sandbox);
    let before = sandbox.snapshot();
    let runs = run_folders();
    let mut running = sandbox.baseline("v1", WELL).env("CARGO_PERF_LOCK", &path).start();
    let pid = running.pid();
    running.says("waiting for the machine");
    running.signal(Signal::INT);
    running.end_within(SOON).assert_refused(130, "Ctrl-C", "error");
    assert_eq!(before, sandbox.snapshot(), "something was stored or left");
    assert_eq!(runs, run_folders(), "something was measured");
    runs_at_once(&sandbox, pid);
}

fn sigint_ends_a_build() {
    let sandbox = Sandbox::of("discovery");
    sandbox
        .write("delta/build.rs", "fn main() { std::thread::sleep(std::time::Duration::from_secs(300)); }\n");
    let target = sandbox.aside.join("target");
    let mut running = sandbox.perf(["list", "-p", "delta"]).env("CARGO_TARGET_DIR", &target).start();
    running.says("building the benches");
    let building = || sandbox.processes().iter().any(|(_, command)| command.contains("build-script-build"));
    eventually(Duration::from_secs(60), "the build script runs", building);
    running.signal(Signal::INT);
    running.end_within(Duration::from_secs(4)).assert_refused(130, "Ctrl-C", "error");
    sandbox.assert_no_process_left();
}

fn an_extra_lock_is_taken_too() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let (path, held) = extra_lock(&sandbox);
    let perf = || sandbox.baseline("v1", WELL).env("CARGO_PERF_LOCK", &path);
    perf().args(["--no-wait"]).fails(9, "another benchmark holds the machine", "--no-wait");
    let mut waiting = perf().start();
    waiting.says("waiting for the machine");
    held.unlock().expect("the lock can be given back");
    assert_eq!(waiting.end().status.code(), Some(0));
}

fn an_extra_lock_that_cannot_be_opened_is_refused() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let perf = sandbox.baseline("v1", WELL).env("CARGO_PERF_LOCK", "/proc/nothing/lock");
    perf.fails(8, "/proc/nothing/lock", "CARGO_PERF_LOCK");
}

fn a_run_inside_a_measured_run_is_refused_instead_of_waiting_forever() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let (running, _) = measuring(&sandbox, "outer");
    let pid = running.pid();
    let mut run = None;
    eventually(SOON, "a fork carries the name of the run", || {
        let forks = traces::processes(MARKER, &sandbox.marker);
        run = forks.into_iter().find_map(|(pid, _)| traces::variable(pid, "CARGO_PERF_RUN"));
        run.is_some()
    });
    let run = run.expect("found above");
    let inner = sandbox.baseline("inner", WELL).env("CARGO_PERF_RUN", &run).run();
    inner.assert_refused(9, "inside the measured run", "call the benchmark itself");
    assert!(inner.stderr.contains(&run), "{}", inner.stderr);
    running.signal(Signal::TERM);
    assert_eq!(running.end_within(Duration::from_secs(3)).status.code(), Some(143));
    sandbox.assert_no_process_left();
    // The name of a run that is over hinders nobody.
    let after = sandbox.baseline("after", WELL).env("CARGO_PERF_RUN", &run);
    assert!(after.succeeds().stdout.contains("\nphase: baseline\n"));
    runs_at_once(&sandbox, pid);
}
