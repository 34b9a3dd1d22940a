//! What the tests stand on: sandboxes, runs of the program, and what can be told from its traces.

pub mod browser;
pub mod cases;
pub mod mounts;
pub mod perf;
pub mod sandbox;
pub mod tools;
pub mod traces;

use libtest_mimic::{Failed, Trial};
use std::cell::Cell;
use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A test's answer when it can be skipped.
pub type Outcome = Result<(), Failed>;

/// The trials of a module: the names of its tests are its functions.
macro_rules! trials {
    ($($test:ident),+ $(,)?) => {
        vec![$(crate::support::trial(module_path!(), stringify!($test), $test)),+]
    };
}
pub(crate) use trials;

/// Tests that always run return nothing, others an [`Outcome`].
pub trait IntoOutcome {
    /// The answer for libtest-mimic.
    fn into_outcome(self) -> Outcome;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Outcome {
        Ok(())
    }
}

impl IntoOutcome for Outcome {
    fn into_outcome(self) -> Outcome {
        self
    }
}

/// One trial, named by module and function.
pub fn trial<R: IntoOutcome + 'static>(module: &str, name: &str, test: fn() -> R) -> Trial {
    let module = module.split_once("::").map_or(module, |(_, module)| module);
    let name = format!("{module}::{name}");
    let called = name.clone();
    Trial::test(name, move || {
        let started = Instant::now();
        WAITED.set(Duration::ZERO);
        let outcome = test().into_outcome();
        let took = started.elapsed().saturating_sub(WAITED.get());
        lock(&TOOK).push((took, called));
        outcome
    })
}

/// How long each test took, and how much of the present one was spent waiting for the machine.
static TOOK: Mutex<Vec<(Duration, String)>> = Mutex::new(Vec::new());
thread_local! {
    static WAITED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// How many of the slowest tests are named.
const SLOWEST: usize = 40;

/// Prints which tests took longest: what they take is what everybody waits for.
pub fn report_slowest() {
    let mut took = lock(&TOOK);
    took.sort_unstable();
    let all: Duration = took.iter().map(|(time, _)| *time).sum();
    let mut out = io::stdout().lock();
    writeln!(out, "slowest of {:.0} s in all:", all.as_secs_f64()).expect("standard output is open");
    for (time, name) in took.iter().rev().take(SLOWEST) {
        writeln!(out, "  {:6.1} s  {name}", time.as_secs_f64()).expect("standard output is open");
    }
}

static SKIPPED: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

/// Notes that a test cannot run on this machine.
pub fn skip(name: &str, why: &str) -> Outcome {
    if env::var_os("CARGO_PERF_TESTS_MUST_RUN").is_some() {
        return Err(format!("must run here, but cannot: {why}").into());
    }
    lock(&SKIPPED).push((name.to_owned(), why.to_owned()));
    Ok(())
}

/// Prints what was skipped and why.
pub fn report_skipped() {
    let skipped = lock(&SKIPPED);
    let count = if skipped.is_empty() { "none".to_owned() } else { skipped.len().to_string() };
    let mut out = io::stdout().lock();
    writeln!(out, "skipped: {count}").expect("standard output is open");
    for (name, why) in skipped.iter() {
        writeln!(out, "  {name}: {why}").expect("standard output is open");
    }
}

static MACHINE: Mutex<()> = Mutex::new(());

/// The right of one test to measure. The program has a lock of its own, for which tests would wait in
/// vain when they look at who holds it; take this before a sandbox.
pub fn machine() -> MutexGuard<'static, ()> {
    let started = Instant::now();
    let machine = lock(&MACHINE);
    WAITED.set(WAITED.get() + started.elapsed());
    machine
}

fn lock<T>(mutex: &'static Mutex<T>) -> MutexGuard<'static, T> {
    // A test that failed while it held the lock has failed already; the others go on.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The target folder that all sandboxes share, so that criterion is compiled once.
pub fn target_folder() -> PathBuf {
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    temporary.parent().expect("the folder lies in the target folder").join("perf-tests")
}

/// The folder of this package.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
