//! What a criterion executable is asked to do.

use crate::bench::reading::ForkRequest;
use crate::sys::invocation::Invocation;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

/// A pattern that matches no benchmark, so that all are skipped, and named while they are. Every
/// release takes the filter as a regular expression unless it is told otherwise.
const MATCHES_NOTHING: &str = "^cargo-perf: no benchmark has this id, all are listed$";

/// Without it criterion only tries each benchmark once.
const BENCH: &str = "--bench";

/// What releases of criterion differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// 0.3: times are whole seconds, the filter is a pattern.
    WholeSeconds,
    /// 0.4: the filter is a pattern.
    Pattern,
    /// 0.5 and later: `--exact`.
    Exact,
}

impl Dialect {
    /// The dialect of a release; one that has not said its version is taken to be recent.
    pub fn of(version: Option<&str>) -> Self {
        match version {
            Some(version) if version.starts_with("0.3.") => Self::WholeSeconds,
            Some(version) if version.starts_with("0.4.") => Self::Pattern,
            _ => Self::Exact,
        }
    }

    /// What can be asked for in this dialect, never less than was meant.
    pub fn possible(self, request: ForkRequest) -> ForkRequest {
        let whole = |time: Duration| Duration::from_secs(time.as_secs() + u64::from(time.subsec_nanos() > 0));
        match self {
            Self::WholeSeconds => ForkRequest {
                measured: whole(request.measured),
                warm_up: whole(request.warm_up),
                samples: request.samples,
            },
            _ => request,
        }
    }

    /// The arguments that choose the benchmark `id` alone.
    fn choose(self, id: &str) -> Vec<OsString> {
        // Behind `--` an id may begin with a dash.
        match self {
            Self::Exact => ["--exact", "--", id].map(OsString::from).to_vec(),
            _ => vec!["--".into(), format!("^{}$", escaped(id)).into()],
        }
    }
}

/// The text as a regular expression that matches nothing else.
fn escaped(text: &str) -> String {
    let special = |c: char| r"\.+*?()|[]{}^$#&-~".contains(c);
    text.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

/// The arguments that measure exactly the benchmark `id`.
pub fn measure(id: &str, request: ForkRequest, dialect: Dialect) -> Vec<OsString> {
    let request = dialect.possible(request);
    let seconds = |time: Duration| match dialect {
        Dialect::WholeSeconds => time.as_secs().to_string(),
        _ => format!("{:.6}", time.as_secs_f64()),
    };
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
    arguments.extend(dialect.choose(id));
    arguments
}

/// The arguments with which everything is skipped, which a runner on the socket hears by full id.
pub fn list_live() -> Vec<OsString> {
    [BENCH, "--", MATCHES_NOTHING].map(OsString::from).to_vec()
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
        let arguments = measure("--list", request, Dialect::Exact);
        assert_eq!(arguments[arguments.len() - 2..], ["--", "--list"]);
        assert!(arguments.windows(2).any(|pair| pair == ["--measurement-time", "0.400000"]));
    }

    #[test]
    fn old_releases_get_whole_seconds_and_a_pattern() {
        let request = ForkRequest {
            measured: Duration::from_millis(2100),
            warm_up: Duration::from_millis(100),
            samples: 10,
        };
        let dialect = Dialect::of(Some("0.3.6"));
        let arguments = measure("sum(1+2)*[3]", request, dialect);
        assert!(arguments.windows(2).any(|pair| pair == ["--measurement-time", "3"]));
        assert!(arguments.windows(2).any(|pair| pair == ["--warm-up-time", "1"]));
        assert_eq!(arguments.last().expect("a filter"), r"^sum\(1\+2\)\*\[3\]$");
        assert!(!arguments.contains(&"--exact".into()));
        assert_eq!(
            (Dialect::of(Some("0.4.0")), Dialect::of(Some("0.5.1"))),
            (Dialect::Pattern, Dialect::Exact)
        );
    }
}
