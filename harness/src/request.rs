//! The environment contract: how a run is asked for.

use std::ffi::OsString;
use std::fmt;
use std::time::Duration;

/// Says how the run ends.
pub const MODE: &str = "PERF_RUN_MODE";
/// Holds the seconds to measure.
pub const DURATION: &str = "PERF_RUN_DURATION";
/// Holds the seconds to warm up.
pub const WARM_UP: &str = "PERF_WARMUP_DURATION";
/// Holds the load.
pub const PARAMETER: &str = "PERF_PARAM_VALUE";

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The work is repeated until this much time has been measured. Waiting does not count as work.
    Duration(Duration),
    /// The work is done once, from start to end.
    Oneshot,
}

/// What one run asks of a benchmark.
///
/// ```
/// use perf_harness::{Mode, Request};
/// use std::time::Duration;
///
/// let request = Request::read(|name| match name {
///     "PERF_RUN_DURATION" => Some("60".into()),
///     "PERF_PARAM_VALUE" => Some("250".into()),
///     _ => None,
/// })?;
/// assert_eq!(request.mode, Mode::Duration(Duration::from_secs(60)));
/// assert_eq!(request.warm_up, Duration::ZERO);
/// assert_eq!(request.parameter, Some(250.0));
/// # Ok::<(), perf_harness::RequestError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Request {
    /// How the run ends.
    pub mode: Mode,
    /// Time to run before anything is measured.
    pub warm_up: Duration,
    /// The load, when one was chosen.
    pub parameter: Option<f64>,
}

impl Request {
    /// The request of this process. By hand, with none of the variables set, that is one shot.
    ///
    /// # Errors
    /// The first variable whose value breaks the contract.
    pub fn from_env() -> Result<Self, RequestError> {
        Self::read(|name| std::env::var_os(name))
    }

    /// The request that `lookup` holds, which maps the name of a variable to its value.
    ///
    /// # Errors
    /// The first variable whose value breaks the contract.
    pub fn read(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, RequestError> {
        Ok(Self {
            mode: mode(&lookup)?,
            warm_up: value(&lookup, WARM_UP, SECONDS, seconds)?.unwrap_or_default(),
            parameter: value(&lookup, PARAMETER, NUMBER, decimal)?,
        })
    }
}

/// A variable whose value breaks the contract.
///
/// ```
/// use perf_harness::Request;
///
/// let error = Request::read(|name| (name == "PERF_RUN_MODE").then(|| "fast".into())).unwrap_err();
/// assert_eq!(error.variable(), "PERF_RUN_MODE");
/// assert_eq!(error.to_string(), r#"PERF_RUN_MODE is "fast", expected `duration` or `oneshot`"#);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestError {
    variable: &'static str,
    found: Option<String>,
    expected: &'static str,
}

impl RequestError {
    /// The name of the variable.
    pub fn variable(&self) -> &'static str {
        self.variable
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variable, found, expected } = self;
        match found {
            Some(found) => write!(f, "{variable} is {found:?}, expected {expected}"),
            None => write!(f, "{variable} is not set, expected {expected}"),
        }
    }
}

impl std::error::Error for RequestError {}

const MODES: &str = "`duration` or `oneshot`";
const SECONDS: &str = "seconds as a plain decimal, such as `60` or `0.5`";
const NUMBER: &str = "a plain decimal, such as `250` or `0.5`";

fn mode(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Mode, RequestError> {
    let timed = value(&lookup, MODE, MODES, |text| match text {
        "duration" => Some(true),
        "oneshot" => Some(false),
        _ => None,
    })?;
    if timed == Some(false) {
        return Ok(Mode::Oneshot);
    }
    match value(&lookup, DURATION, SECONDS, seconds)? {
        Some(time) => Ok(Mode::Duration(time)),
        None if timed.is_none() => Ok(Mode::Oneshot),
        None => Err(RequestError { variable: DURATION, found: None, expected: SECONDS }),
    }
}

/// The value of `variable` as `parse` reads it; absent is not an error, unreadable is.
fn value<T>(
    lookup: impl Fn(&str) -> Option<OsString>,
    variable: &'static str,
    expected: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, RequestError> {
    let Some(found) = lookup(variable) else { return Ok(None) };
    let shown = || Some(found.to_string_lossy().into_owned());
    let parsed = found.to_str().and_then(parse).map(Some);
    parsed.ok_or_else(|| RequestError { variable, found: shown(), expected })
}

fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(decimal(text)?).ok()
}

/// Digits, and perhaps a point with digits behind it: what Rust reads as a number is wider than that.
fn decimal(text: &str) -> Option<f64> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let number = text.parse::<f64>().ok()?;
    (digits(whole) && digits(fraction) && number.is_finite()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Request, RequestError> {
        Request::read(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        })
    }

    #[test]
    fn nothing_set_is_one_shot_without_load_or_warm_up() {
        let by_hand = Request { mode: Mode::Oneshot, warm_up: Duration::ZERO, parameter: None };
        assert_eq!(read(&[]), Ok(by_hand));
    }

    #[test]
    fn a_full_request_is_read_as_it_stands() {
        let request =
            read(&[(MODE, "duration"), (DURATION, "60"), (WARM_UP, "10.5"), (PARAMETER, "007.250")]).unwrap();
        assert_eq!(request.mode, Mode::Duration(Duration::from_secs(60)));
        assert_eq!((request.warm_up, request.parameter), (Duration::from_millis(10_500), Some(7.25)));
    }

    #[test]
    fn a_duration_alone_says_the_mode_and_a_mode_alone_lacks_a_duration() {
        let timed = read(&[(DURATION, "0.25")]).unwrap();
        assert_eq!(timed.mode, Mode::Duration(Duration::from_millis(250)));
        let error = read(&[(MODE, "duration")]).unwrap_err();
        assert_eq!(error.variable(), DURATION);
        assert!(error.to_string().starts_with("PERF_RUN_DURATION is not set"), "{error}");
    }

    #[test]
    fn a_duration_left_over_from_elsewhere_does_not_count_in_one_shot() {
        assert_eq!(read(&[(MODE, "oneshot"), (DURATION, "junk")]).unwrap().mode, Mode::Oneshot);
    }

    #[test]
    fn only_plain_decimals_are_numbers() {
        let long = "9".repeat(400);
        let signs =
            ["", " 1", "1 ", "-1", "+1", "1e3", ".5", "5.", "1.2.3", "1,5", "1_0", "0x1", "nan", "inf"];
        for text in signs.into_iter().chain(["٣", long.as_str()]) {
            for variable in [DURATION, WARM_UP, PARAMETER] {
                assert_eq!(read(&[(variable, text)]).unwrap_err().variable(), variable, "{text:?}");
            }
        }
    }

    #[test]
    fn a_time_that_no_clock_holds_and_an_unknown_mode_are_errors() {
        assert_eq!(read(&[(DURATION, "99999999999999999999")]).unwrap_err().variable(), DURATION);
        for text in ["", "Duration", "one-shot", "binary-search"] {
            assert_eq!(read(&[(MODE, text)]).unwrap_err().variable(), MODE, "{text:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_and_refused() {
        use std::os::unix::ffi::OsStringExt;
        let bytes = |name: &str| (name == PARAMETER).then(|| OsString::from_vec(vec![b'1', 0xff]));
        let error = Request::read(bytes).unwrap_err();
        assert_eq!(error.to_string(), format!("PERF_PARAM_VALUE is \"1\u{fffd}\", expected {NUMBER}"));
    }
}
