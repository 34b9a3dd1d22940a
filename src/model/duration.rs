//! How long is measured: the rule of sixty seconds as a type.

use super::rules::Rule;
use super::waiver::Waiver;
use crate::failure::Failure;
use std::time::Duration;

/// Measured time that the second rule asks for, per series.
pub const FULL: Duration = Duration::from_secs(60);
/// The same for one probe of a search for a breaking point.
pub const PROBE: Duration = Duration::from_secs(30);
/// Warm-up that goes with a full measurement, over all its forks.
pub const FULL_WARM_UP: Duration = Duration::from_secs(10);
/// Below this nothing is measured, only started.
const SHORTEST: Duration = Duration::from_millis(100);

/// A measured time that the rules allow.
#[derive(Debug, Clone, PartialEq)]
pub struct RunDuration {
    measured: Duration,
    waiver: Option<Waiver>,
}

impl RunDuration {
    /// Sixty seconds.
    pub fn full() -> Self {
        Self { measured: FULL, waiver: None }
    }

    /// `asked` seconds, sixty by default; fewer need a waiver.
    ///
    /// # Errors
    /// `Rule` for less than sixty seconds without a waiver, `Usage` for a waiver that waives nothing or
    /// a time too short to measure anything.
    pub fn new(asked: Option<Duration>, waiver: Option<Waiver>) -> Result<Self, Failure> {
        Self::at_least(FULL, asked, waiver)
    }

    /// The time of one probe of a search: `asked` seconds, thirty by default; fewer need a waiver.
    ///
    /// # Errors
    /// As [`Self::new`], with thirty seconds.
    pub fn probe(asked: Option<Duration>, waiver: Option<Waiver>) -> Result<Self, Failure> {
        Self::at_least(PROBE, asked, waiver)
    }

    fn at_least(least: Duration, asked: Option<Duration>, waiver: Option<Waiver>) -> Result<Self, Failure> {
        let measured = asked.unwrap_or(least);
        if waiver.as_ref().is_some_and(|waiver| waiver.text.trim().is_empty()) {
            return Err(Failure::usage("--approve-short needs a reason, which is stored with the result")
                .hint("for example: --approve-short \"first look\" --duration 10"));
        }
        if measured >= least {
            return match waiver {
                None => Ok(Self { measured, waiver: None }),
                Some(_) => Err(Failure::usage(format!(
                    "--approve-short goes with a --duration below {} seconds",
                    least.as_secs()
                ))
                .hint("add for example --duration 10, or leave --approve-short away")),
            };
        }
        if measured < SHORTEST {
            return Err(Failure::usage(format!("{} ms cannot be measured", measured.as_millis()))
                .hint("the shortest --duration is 0.1"));
        }
        if waiver.is_none() {
            return Err(Rule::SixtySeconds
                .refuses(format!("--duration {}", measured.as_secs_f64()))
                .hint("say why it may be short: --approve-short \"first look\""));
        }
        Ok(Self { measured, waiver })
    }

    /// Of the time of a probe: that of the run behind a search, at what it found to be safe. A full minute, or twice
    /// a probe that was approved to be short.
    pub fn of_finish(&self) -> Duration {
        if self.waiver.is_some() { 2 * self.measured } else { self.measured.max(FULL) }
    }

    /// Time that the samples must sum to.
    pub fn measured(&self) -> Duration {
        self.measured
    }

    /// Warm-up over all forks: ten seconds for sixty measured, never more, less only under a waiver.
    pub fn warm_up(&self) -> Duration {
        FULL_WARM_UP.min(self.measured.mul_f64(FULL_WARM_UP.as_secs_f64() / FULL.as_secs_f64()))
    }

    /// The approval, when the time is short.
    pub fn waiver(&self) -> Option<&Waiver> {
        self.waiver.as_ref()
    }
}

/// Reads seconds as people write them: `10`, `0.5`, `10s`, `2m`.
///
/// # Errors
/// A message that says what is expected.
pub fn parse_seconds(text: &str) -> Result<Duration, String> {
    let (number, scale) = match text.strip_suffix('m') {
        Some(minutes) => (minutes, 60.0),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let plain = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || c == '.');
    number
        .parse::<f64>()
        .ok()
        .filter(|_| plain)
        .and_then(|value| Duration::try_from_secs_f64(value * scale).ok())
        // A day is longer than any measurement, and far from overflow in what is computed from it.
        .filter(|value| *value <= Duration::from_secs(86_400))
        .ok_or_else(|| "expected seconds, as in `10`, `0.5`, `10s` or `2m`, at most one day".to_owned())
}

/// Reads the seconds after which a process is ended; none at all would end every process.
///
/// # Errors
/// A message that says what is expected.
pub fn parse_timeout(text: &str) -> Result<Duration, String> {
    parse_seconds(text).and_then(|time| {
        if time >= SHORTEST { Ok(time) } else { Err("expected at least 0.1 seconds".to_owned()) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureKind;

    fn waiver(text: &str) -> Waiver {
        Waiver { who: "ann".into(), text: text.into(), when: "2026-01-01T00:00:00Z".into() }
    }

    #[test]
    fn less_than_sixty_seconds_needs_a_waiver_with_a_reason() {
        let short = Some(Duration::from_millis(59_999));
        assert_eq!(RunDuration::new(short, None).expect_err("refused").kind, FailureKind::Rule);
        assert_eq!(
            RunDuration::new(short, Some(waiver("  "))).expect_err("refused").kind,
            FailureKind::Usage
        );
        let approved = RunDuration::new(short, Some(waiver("first look"))).expect("approved");
        assert_eq!(approved.waiver().expect("kept").text, "first look");
    }

    #[test]
    fn a_full_run_has_ten_seconds_of_warm_up_and_no_waiver() {
        let full = RunDuration::new(None, None).expect("full");
        assert_eq!((full.measured(), full.warm_up()), (FULL, FULL_WARM_UP));
        assert_eq!(RunDuration::new(None, Some(waiver("x"))).expect_err("refused").kind, FailureKind::Usage);
        let longer = RunDuration::new(Some(Duration::from_secs(120)), None).expect("longer");
        assert_eq!(longer.warm_up(), FULL_WARM_UP);
    }

    #[test]
    fn s06_a_probe_may_be_half_as_long_and_the_run_behind_a_search_may_not() {
        let probe = RunDuration::probe(None, None).expect("thirty seconds");
        assert_eq!((probe.measured(), probe.of_finish()), (PROBE, FULL));
        let short = Some(Duration::from_secs(29));
        assert_eq!(RunDuration::probe(short, None).expect_err("refused").kind, FailureKind::Rule);
        let approved = RunDuration::probe(Some(Duration::from_secs(1)), Some(waiver("a test")));
        assert_eq!(approved.expect("approved").of_finish(), Duration::from_secs(2));
        let needless = RunDuration::probe(Some(PROBE), Some(waiver("a test"))).expect_err("refused");
        assert!(needless.message.contains("below 30 seconds"), "{needless}");
        let long = RunDuration::probe(Some(Duration::from_secs(90)), None).expect("longer");
        assert_eq!(long.of_finish(), Duration::from_secs(90));
    }

    #[test]
    fn seconds_are_plain_decimal_numbers() {
        assert_eq!(parse_seconds("10"), Ok(Duration::from_secs(10)));
        assert_eq!(parse_seconds("0.5s"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_seconds("2m"), Ok(Duration::from_secs(120)));
        for text in ["", "s", "-1", "nan", "inf", "1e3", "1,5", "0x10", "1h", "100000000000"] {
            assert!(parse_seconds(text).is_err(), "{text}");
        }
    }
}
