//! Wall-clock time stamps. Durations are always taken from `std::time::Instant`, which is monotonic.

use jiff::Timestamp;

/// Now, as RFC 3339 in UTC with whole seconds.
pub fn now_rfc3339() -> String {
    rfc3339(Timestamp::now())
}

/// A name for something that starts now: sorts by time and is unique per process.
pub fn run_id() -> String {
    let now = Timestamp::now().strftime("%Y%m%d-%H%M%S").to_string();
    format!("{now}-{:08x}", std::process::id())
}

/// Seconds since a time stamp, none for a text that is no time stamp; never below zero.
pub fn seconds_since(rfc3339: &str) -> Option<f64> {
    let at: Timestamp = rfc3339.parse().ok()?;
    Some(Timestamp::now().duration_since(at).as_secs_f64().max(0.0))
}

fn rfc3339(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_has_passed_is_counted_from_a_time_stamp() {
        assert!(seconds_since(&now_rfc3339()).is_some_and(|seconds| (0.0..5.0).contains(&seconds)));
        assert!(seconds_since("2023-11-14T22:13:20Z").is_some_and(|seconds| seconds > 9e7));
        assert_eq!(seconds_since("yesterday"), None);
    }

    #[test]
    fn time_stamps_are_utc_with_whole_seconds() {
        let at = Timestamp::from_millisecond(1_700_000_000_123).expect("a valid instant");
        assert_eq!(rfc3339(at), "2023-11-14T22:13:20Z");
    }
}
