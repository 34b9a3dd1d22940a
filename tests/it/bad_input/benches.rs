//! Benches that fail, hang, flood, or leave something behind.

use crate::support::perf::Ended;
use crate::support::sandbox::{Sandbox, run_folder_of};
use crate::support::{machine, trials};
use libtest_mimic::Trial;
use std::fs;
use std::path::Path;
use std::time::Duration;

pub fn trials() -> Vec<Trial> {
    trials![
        a_bench_that_exits_1_is_refused_with_its_code,
        a_bench_that_exits_3_in_the_midst_of_its_samples_is_refused_with_its_code,
        a_bench_that_panics_is_refused_with_what_it_said,
        a_bench_that_aborts_is_refused_with_the_signal_named,
        a_bench_that_is_killed_is_refused_with_the_signal_named,
        a_bench_that_hangs_is_ended_after_its_timeout,
        a_bench_that_forks_and_exits_is_refused_and_its_child_ended,
        a_child_left_behind_is_ended_and_said,
        a_bench_that_prints_100_mb_on_stdout_is_measured_in_little_memory,
        a_bench_that_prints_100_mb_on_stderr_is_measured_in_little_memory,
        a_bench_that_prints_invalid_utf8_is_measured_and_json_stays_json,
        a_bench_that_only_waits_is_refused,
        a_target_without_benches_has_nothing_to_measure,
        a_main_of_its_own_that_prints_no_metrics_is_refused,
        a_failed_bench_does_not_replace_the_baseline_it_was_to_replace,
    ]
}

const MEBIBYTE: u64 = 1 << 20;

/// Measures the bench `id` and expects that it is refused.
fn refused(id: &str, code: i32, cause: &str, help: &str) -> Ended {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    sandbox.baseline("v1", id).fails(code, cause, help)
}

fn a_bench_that_exits_1_is_refused_with_its_code() {
    refused("exits_1", 7, "exits_1 (misbehaving of misbehaving) exited with code 1", "cargo bench");
}

fn a_bench_that_exits_3_in_the_midst_of_its_samples_is_refused_with_its_code() {
    refused("exits_3_later", 7, "exited with code 3", "cargo bench");
}

fn a_bench_that_panics_is_refused_with_what_it_said() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    // What the last line is depends on the backtrace.
    for backtrace in ["0", "1", "full"] {
        let perf = sandbox.baseline("v1", "panics").env("RUST_BACKTRACE", backtrace);
        let refused = perf.fails(7, "planted panic", "its output is in ");
        assert!(refused.stderr.contains("code 101"), "{}", refused.stderr);
        let named = refused.stderr.split("its output is in ").nth(1).expect("a path");
        let log = fs::read_to_string(sandbox.path(named.trim())).expect("the named log exists");
        assert!(log.contains("benches/misbehaving.rs"), "{log}");
    }
}

fn a_bench_that_aborts_is_refused_with_the_signal_named() {
    refused("aborts", 7, "signal 6 (SIGABRT)", "cargo bench");
}

fn a_bench_that_is_killed_is_refused_with_the_signal_named() {
    refused("killed", 7, "signal 9 (SIGKILL", "cargo bench");
}

fn a_bench_that_hangs_is_ended_after_its_timeout() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    // So that the time below is that of the bench alone.
    sandbox.perf(["list"]).succeeds();
    let hanging = sandbox.baseline("v1", "hangs").args(["--timeout", "2"]);
    let refused = hanging.fails(7, "did not end within 2 s", "--timeout");
    assert!(refused.wall >= Duration::from_secs(2), "{refused:#?}");
}

fn a_bench_that_forks_and_exits_is_refused_and_its_child_ended() {
    refused("forks_and_exits", 7, "ended without measuring anything", "cargo bench");
}

fn a_child_left_behind_is_ended_and_said() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let ended = sandbox.baseline("v1", "leaves_a_child").succeeds();
    assert!(ended.stdout.contains("that it left running"), "{}", ended.stdout);
    let stored = sandbox.stored("v1");
    for fork in stored["benches"][0]["forks"].as_array().expect("forks") {
        assert_eq!(fork["noise"]["leftovers"], serde_json::json!(["sleep"]));
    }
}

fn a_bench_that_prints_100_mb_on_stdout_is_measured_in_little_memory() {
    check_flood("prints_100_mb_out");
}

fn a_bench_that_prints_100_mb_on_stderr_is_measured_in_little_memory() {
    check_flood("prints_100_mb_err");
}

fn check_flood(id: &str) {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let running = sandbox.baseline("v1", id).args(["--json"]).start();
    let pid = running.pid();
    let ended = running.end();
    assert_eq!(ended.status.code(), Some(0), "{ended:#?}");
    assert_eq!(ended.ids(), [id]);
    assert!(ended.peak_memory > 0, "the peak of memory was not seen");
    assert!(ended.peak_memory < 60 * MEBIBYTE, "{} MiB in memory", ended.peak_memory / MEBIBYTE);
    let folder = run_folder_of(pid).expect("a run folder");
    let logged = size(&folder);
    assert!(logged > MEBIBYTE && logged < 65 * MEBIBYTE, "{} MiB on disk", logged / MEBIBYTE);
    // Every process wrote 100 MB; what is not on disk is counted there.
    let pilot = fs::read_dir(folder.join("bench-1")).expect("the folder of the bench").flatten();
    let cut = pilot.filter(|entry| ends_with_omission(&entry.path())).count();
    assert!(cut > 0, "no log says that something was left out");
    // Large, and of no use to anybody.
    fs::remove_dir_all(&folder).expect("the run folder can be removed");
    sandbox.assert_no_process_left();
}

fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).expect("the folder can be read").flatten();
    let of = |path: &Path| if path.is_dir() { size(path) } else { path.metadata().expect("a size").len() };
    entries.map(|entry| of(&entry.path())).sum()
}

fn ends_with_omission(log: &Path) -> bool {
    let bytes = fs::read(log).unwrap_or_default();
    bytes.ends_with(b" bytes omitted]\n")
}

fn a_bench_that_prints_invalid_utf8_is_measured_and_json_stays_json() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let ended = sandbox.baseline("v1", "invalid_utf8").args(["--json", "--events"]).succeeds();
    assert_eq!(ended.ids(), ["invalid_utf8"]);
    assert!(ended.json()["error"].is_null());
    assert_eq!(sandbox.stored("v1")["version"], "v1");
}

fn a_bench_that_only_waits_is_refused() {
    let _machine = machine();
    let sandbox = Sandbox::of("criterion-cases");
    let waiting = sandbox.baseline("v1", "sampling/auto_slow");
    waiting.fails(7, "processor time", "--duration");
}

fn a_target_without_benches_has_nothing_to_measure() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let perf = sandbox.perf(["baseline", "v1", "--bench", "nothing"]);
    perf.fails(7, "nothing to measure", "cargo perf list");
}

fn a_main_of_its_own_that_prints_no_metrics_is_refused() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let perf = sandbox
        .perf(["baseline", "v1", "--bench", "custom"])
        .args(["--approve-short=a test", "--duration=0.2"]);
    perf.fails(7, "printed no metrics", "PERF_METRICS");
}

fn a_failed_bench_does_not_replace_the_baseline_it_was_to_replace() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    sandbox.baseline("v1", "well_behaved").succeeds();
    // Nothing below the state folder changes, which is part of the check.
    sandbox.baseline("v1", "exits_3_later").fails(7, "exited with code 3", "cargo bench");
    assert_eq!(sandbox.stored("v1")["benches"][0]["bench"]["id"], "well_behaved");
}
