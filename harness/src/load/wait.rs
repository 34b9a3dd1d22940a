//! Waiting for a moment, more exactly than a sleep does.

use std::hint::spin_loop;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The last part of a wait is spun through: a sleep ends late by the slack of timers, 50 µs on Linux, and by
/// what it takes to wake up.
const SPUN: Duration = Duration::from_micros(200);

/// Waits until `moment`, unless it is over.
pub(super) fn until(moment: Instant) {
    if let Some(rest) = moment.checked_duration_since(Instant::now()).and_then(|rest| rest.checked_sub(SPUN))
    {
        sleep(rest);
    }
    while Instant::now() < moment {
        spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_never_ends_early_and_a_past_moment_needs_none() {
        let started = Instant::now();
        for millis in [0, 1, 5] {
            let moment = Instant::now() + Duration::from_millis(millis);
            until(moment);
            assert!(Instant::now() >= moment);
        }
        until(started);
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}
