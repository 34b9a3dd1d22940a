//! Places between two steps that change files, where a test may kill this process. In a release build
//! they are nothing.

/// Ends the process by SIGKILL at the point of this number, the first being 1. Debug builds only.
pub const AT_VARIABLE: &str = "CARGO_PERF_FAULT_AT";
/// A file that gets one line for each point that is reached. Debug builds only.
pub const LOG_VARIABLE: &str = "CARGO_PERF_FAULT_LOG";

/// One such place, reached after `step`.
#[cfg(not(debug_assertions))]
#[inline]
pub fn point(_step: &str) {}

/// One such place, reached after `step`.
#[cfg(debug_assertions)]
pub fn point(step: &str) {
    use std::env;
    use std::fs::File;
    use std::io::Write;
    use std::sync::atomic::{AtomicU64, Ordering};
    static REACHED: AtomicU64 = AtomicU64::new(0);
    let number = REACHED.fetch_add(1, Ordering::Relaxed) + 1;
    if let Some(log) = env::var_os(LOG_VARIABLE) {
        // A test that misses lines fails by itself.
        let _ = File::options()
            .create(true)
            .append(true)
            .open(log)
            .and_then(|mut log| writeln!(log, "{number} {step}"));
    }
    if env::var(AT_VARIABLE).is_ok_and(|at| at == number.to_string()) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}
