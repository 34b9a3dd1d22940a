//! Two sides of real benches, whatever runs them: a planted change is found in each.

use super::only;
use crate::support::sandbox::{NOISY, Sandbox};
use crate::support::tools::{COMPILER, GO, JAVA, NODE, PYTHON, missing, preloaded};
use crate::support::{Outcome, machine, repository, skip, trials};
use libtest_mimic::Trial;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::time::UNIX_EPOCH;

pub fn trials() -> Vec<Trial> {
    trials![
        a_change_is_found_by_criterion,
        a_change_is_found_by_divan,
        a_clock_that_leaps_hides_no_change,
        what_takes_long_is_told_before_and_can_be_ended,
        a_change_is_found_in_javascript,
        a_change_is_found_in_python,
        a_change_is_found_in_go,
        a_change_is_found_in_java,
    ]
}

/// Three seconds of each side.
const SHORT: [&str; 4] = ["--approve-short=a test", "--duration=3", NOISY, "--json"];

/// Changes the only place of `from` in a file of the work tree.
fn change(sandbox: &Sandbox, file: &str, from: &str, to: &str) {
    let text = sandbox.read(file);
    assert_eq!(text.matches(from).count(), 1, "{from} in {file}");
    sandbox.write(file, &text.replace(from, to));
}

/// Ten times the work in each kernel but one: machines are in use on which the same code takes two thirds
/// longer in one process than in the next, and three seconds must be enough on them too.
fn plant(sandbox: &Sandbox) {
    change(sandbox, "src/lib.rs", "pub const UNITS: usize = 100;", "pub const UNITS: usize = 1000;");
}

/// What was planted is found, with about its size.
fn expect_planted(found: &Value) {
    assert_eq!(found["verdict"], "regressed", "{found}");
    let effect = |end: &str| found["effect"][end].as_f64().expect("an effect");
    assert!((400.0..1600.0).contains(&effect("percent")), "ten times the work: {}", found["effect"]);
    assert!(effect("low") <= effect("percent") && effect("percent") <= effect("high"), "{found}");
}

/// A third more work is found, a bench of a nanosecond is no failure, and another unit is.
fn a_change_is_found_by_criterion() {
    let _machine = machine();
    let sandbox = Sandbox::of("kernels");
    let benches = "benches/kernels.rs";
    let nothing = "    c.bench_function(\"nothing\", |b| b.iter(|| black_box(1)));\n    let mut slot = 0;\n";
    change(&sandbox, benches, "    let mut slot = 0;\n", nothing);
    sandbox.commit_all();
    plant(&sandbox);
    let compare = |id: &str| {
        let filter = format!("--filter={id}");
        sandbox.perf(["compare", &filter]).args(SHORT).run()
    };
    let answer = compare("spin").json();
    let found = only(&answer);
    assert_eq!(found["harness"], "criterion", "{found}");
    expect_planted(found);

    let answer = compare("nothing").json();
    let found = only(&answer);
    assert_ne!(found["verdict"], Value::Null, "{found}");
    let nanoseconds = found["views"][0]["values"]["base"].as_f64().expect("a value");
    assert!(nanoseconds < 5.0, "{found}");

    // The same id, with another unit.
    let of_steps = repository().join("fixtures/criterion-cases/benches/measurement.rs");
    let mut of_steps = fs::read_to_string(of_steps).expect("the fixture");
    for (from, to) in [
        ("use criterion_cases::{STEPS, collatz};", "use std::sync::atomic::AtomicU64;"),
        ("/// Counts the steps", COLLATZ),
        ("    let mut group = c.benchmark_group(\"collatz\");\n", ""),
        ("group.bench_function(number.to_string(), ", "c.bench_function(\"spin\", "),
        ("for number in [27, 97]", "for number in [27]"),
        ("    group.finish();\n", ""),
    ] {
        assert_eq!(of_steps.matches(from).count(), 1, "{from}");
        of_steps = of_steps.replace(from, to);
    }
    sandbox.write(benches, &of_steps);
    let ended = compare("spin");
    ended.assert_refused(7, "measures ns in the base and steps in the candidate", "same unit");
    sandbox.assert_no_process_left();
}

/// What the bench of steps takes from the library of its own fixture.
const COLLATZ: &str = "static STEPS: AtomicU64 = AtomicU64::new(0);

fn collatz(mut number: u64) -> u64 {
    while number != 1 {
        STEPS.fetch_add(1, Ordering::Relaxed);
        number = if number % 2 == 0 { number / 2 } else { 3 * number + 1 };
    }
    number
}

/// Counts the steps";

fn a_change_is_found_by_divan() {
    let _machine = machine();
    let sandbox = Sandbox::of("harness-kinds");
    let once = "values.iter().fold(0, ";
    let more = "(0..10).flat_map(|_| values).fold(0, ";
    change(&sandbox, "kernels/src/lib.rs", once, more);
    let perf = sandbox.perf(["compare", "--package=divan-0-1", "--filter=kernels::sum"]).args(SHORT);
    let answer = perf.succeeds().json();
    let found = only(&answer);
    assert_eq!((&found["verdict"], &found["harness"]), (&json!("regressed"), &json!("divan")), "{found}");
}

/// The calendar's clock, an hour ahead and an hour behind in turn, in the tool and in all that it starts.
const LEAPING_CLOCK: &str = "#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    static int leaps;
    long failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && clock == CLOCK_REALTIME) now->tv_sec += leaps++ % 2 ? 3600 : -3600;
    return failed;
}
";

/// In seconds.
const DAY: u64 = 86_400;

fn a_clock_that_leaps_hides_no_change() {
    let _machine = machine();
    let sandbox = Sandbox::of("kernels");
    plant(&sandbox);
    let clock = preloaded(&sandbox.aside, LEAPING_CLOCK);
    let perf = sandbox.perf(["compare", "--filter=spin"]).args(SHORT).env("LD_PRELOAD", clock);
    let answer = perf.succeeds().json();
    expect_planted(only(&answer));
    // The clock did leap: what is recorded is an hour away.
    let id = answer["result"]["id"].as_str().expect("an id");
    let digits = |at: usize| id[at..at + 2].parse::<u64>().expect("a time of day");
    let recorded = (digits(9) * 60 + digits(11)) * 60 + digits(13);
    let now = UNIX_EPOCH.elapsed().expect("a clock").as_secs() % DAY;
    let away = now.abs_diff(recorded);
    assert!(away.min(DAY - away) > 1800, "{id} is of now");
}

/// Of an iteration that takes a second, criterion measures ten in each fork.
fn what_takes_long_is_told_before_and_can_be_ended() {
    let _machine = machine();
    let sandbox = Sandbox::of("kernels");
    let second = "let start = std::time::Instant::now(); while start.elapsed().as_secs() < 1 {}";
    let slow =
        format!("    c.bench_function(\"slow\", |b| b.iter(|| {{ {second} }}));\n    let mut slot = 0;\n");
    change(&sandbox, "benches/kernels.rs", "    let mut slot = 0;\n", &slow);
    sandbox.commit_all();
    let mut running = sandbox.perf(["compare", "--filter=slow"]).args(SHORT).start();
    running.says("plan:");
    let told = running.stderr_so_far();
    // A pause of 40 ms while both are tried makes four of them.
    assert!(
        ["about 3 min", "about 4 min"].iter().any(|time| told.contains(time)),
        "20 forks of 11 s: {told}"
    );
    running.signal(Signal::INT);
    assert_eq!(running.end().status.code(), Some(130));
    sandbox.assert_no_process_left();
}

/// One benchmark of a fixture with ten times the lines to work on.
fn changed(test: &str, fixture: &str, id: &str, at: (&str, &str, &str), tools: &[&[&str]]) -> Outcome {
    if let Some(why) = missing(tools) {
        return skip(test, &why);
    }
    let _machine = machine();
    let sandbox = Sandbox::of(fixture);
    change(&sandbox, at.0, at.1, at.2);
    let filter = format!("--filter={id}");
    let answer = sandbox.perf(["compare", &filter]).args(SHORT).succeeds().json();
    let found = answer["result"]["comparisons"].as_array().expect("comparisons");
    for name in ["mean_ms", "throughput_per_s"] {
        let of_name = found.iter().find(|found| found["metric"].to_string().contains(name));
        let found = of_name.unwrap_or_else(|| panic!("{name} is not in {answer}"));
        assert_eq!(found["verdict"], "regressed", "{found}");
    }
    Ok(())
}

fn a_change_is_found_in_javascript() -> Outcome {
    let at = ("contract.mjs", "?? 1000;", "?? 10000;");
    changed("a_change_is_found_in_javascript", "node", "ledger", at, &[NODE])
}

fn a_change_is_found_in_python() -> Outcome {
    let at = ("contract.py", "lines = 1000.0 if", "lines = 10000.0 if");
    changed("a_change_is_found_in_python", "python", "script", at, &[PYTHON])
}

fn a_change_is_found_in_go() -> Outcome {
    let at = ("contract.go", "lines = 1000\n", "lines = 10000\n");
    changed("a_change_is_found_in_go", "go", "ledger", at, &[GO])
}

fn a_change_is_found_in_java() -> Outcome {
    let at = ("src/main/java/ledger/Bench.java", ".orElse(1000)", ".orElse(10000)");
    changed("a_change_is_found_in_java", "java", "source", at, &[COMPILER, JAVA])
}
