//! What a criterion executable is asked to do.

use crate::sys::invocation::Invocation;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

/// A filter that matches no benchmark, so that all are skipped, and named while they are.
const MATCHES_NOTHING: &str = "cargo-perf: no benchmark has this id, all are listed";

/// Without it criterion only tries each benchmark once.
const BENCH: &str = "--bench";

/// What one fork is to do. Settings of the bench itself override it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ForkRequest {
    /// Time to measure.
    pub measured: Duration,
    /// Time to warm up.
    pub warm_up: Duration,
    /// Samples to take, at least ten.
    pub samples: u32,
}

/// The arguments that measure exactly the benchmark `id`.
pub fn measure(id: &str, request: ForkRequest) -> Vec<OsString> {
    let seconds = |time: Duration| format!("{:.6}", time.as_secs_f64());
    let mut arguments = vec![OsString::from(BENCH)];
    arguments.extend(
        [
            ("--measurement-time", seconds(request.measured)),
            ("--warm-up-time", seconds(request.warm_up)),
            ("--sample-size", request.samples.to_string()),
            // Analysis happens here, not there; this is the fewest that criterion takes without a warning.
            ("--nresamples", "1000".to_owned()),
        ]
        .into_iter()
        .flat_map(|(flag, value)| [OsString::from(flag), OsString::from(value)]),
    );
    // Behind `--` an id may begin with a dash.
    arguments.extend(["--exact", "--", id].map(OsString::from));
    arguments
}

/// The arguments with which everything is skipped, which a runner on the socket hears by full id.
pub fn list_live() -> Vec<OsString> {
    [BENCH, "--exact", "--", MATCHES_NOTHING].map(OsString::from).to_vec()
}

/// The arguments that print titles, which are ids as long as those are short.
pub fn list_printed() -> Vec<OsString> {
    [BENCH, "--list"].map(OsString::from).to_vec()
}

/// The invocation with its home set, so that the user's own results are not touched and no process is
/// spent on looking for the target directory, and with the port when somebody listens.
pub fn connect(invocation: Invocation, home: &Path, port: Option<u16>) -> Invocation {
    let mut invocation = invocation.env("CRITERION_HOME", home);
    invocation.env.insert("CRITERION_DEBUG".to_owned(), None);
    invocation.env.insert("CARGO_CRITERION_PORT".to_owned(), port.map(|port| port.to_string().into()));
    invocation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_looks_like_a_flag_stays_an_id() {
        let request = ForkRequest {
            measured: Duration::from_millis(400),
            warm_up: Duration::from_millis(100),
            samples: 10,
        };
        let arguments = measure("--list", request);
        assert_eq!(arguments[arguments.len() - 2..], ["--", "--list"]);
        assert!(arguments.windows(2).any(|pair| pair == ["--measurement-time", "0.400000"]));
    }
}
