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

fn rfc3339(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stamps_are_utc_with_whole_seconds() {
        let at = Timestamp::from_millisecond(1_700_000_000_123).expect("a valid instant");
        assert_eq!(rfc3339(at), "2023-11-14T22:13:20Z");
    }
}
