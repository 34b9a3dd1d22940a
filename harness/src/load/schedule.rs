//! When requests are planned.

use fastrand::Rng;
use std::time::Duration;

/// How requests follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrivals {
    /// Each as long after the one before.
    Constant,
    /// At random, as independent users come: the gaps are exponential.
    Poisson {
        /// The same seed plans the same times.
        seed: u64,
    },
}

/// Planned times, in their order, from the start. Each is computed from the start and not from the one
/// before, so that no delay ever adds up.
#[derive(Debug)]
pub(super) struct Schedule {
    rate: f64,
    next: u64,
    random: Option<Random>,
}

#[derive(Debug)]
struct Random {
    rng: Rng,
    /// Of the next request, in mean gaps.
    at: f64,
}

impl Schedule {
    pub(super) fn new(rate: f64, arrivals: Arrivals) -> Self {
        let random = match arrivals {
            Arrivals::Constant => None,
            Arrivals::Poisson { seed } => Some(Random { rng: Rng::with_seed(seed), at: 0.0 }),
        };
        Self { rate, next: 0, random }
    }

    /// Requests per second.
    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    /// The number and the time of the next request.
    pub(super) fn peek(&self) -> (u64, Duration) {
        let gaps = self.random.as_ref().map_or(self.next as f64, |random| random.at);
        // A time that no clock holds never comes.
        (self.next, Duration::try_from_secs_f64(gaps / self.rate).unwrap_or(Duration::MAX))
    }

    /// Goes on to the one after it.
    pub(super) fn advance(&mut self) {
        self.next += 1;
        if let Some(random) = &mut self.random {
            random.advance();
        }
    }
}

impl Random {
    fn advance(&mut self) {
        self.at -= (1.0 - self.rng.f64()).ln();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &mut Schedule) -> (u64, Duration) {
        let next = schedule.peek();
        schedule.advance();
        next
    }

    #[test]
    fn constant_times_are_multiples_of_the_gap() {
        let mut schedule = Schedule::new(400.0, Arrivals::Constant);
        let times: Vec<u64> = (0..5)
            .map(|_| next(&mut schedule))
            .map(|(_, time)| u64::try_from(time.as_micros()).unwrap())
            .collect();
        assert_eq!(times, [0, 2500, 5000, 7500, 10_000]);
    }

    #[test]
    fn random_times_have_the_rate_and_exponential_gaps() {
        let mut schedule = Schedule::new(1000.0, Arrivals::Poisson { seed: 7 });
        let times: Vec<f64> = (0..20_000).map(|_| next(&mut schedule).1.as_secs_f64()).collect();
        assert!((times[times.len() - 1] - 20.0).abs() < 0.6);
        let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| *gap >= 0.0));
        // Of exponential gaps, e to the power of -2 are longer than two means.
        let long = gaps.iter().filter(|gap| **gap > 0.002).count() as f64 / gaps.len() as f64;
        assert!((long - 0.135).abs() < 0.01, "{long}");
    }

    #[test]
    fn the_same_seed_plans_the_same() {
        let times = |seed| {
            let mut schedule = Schedule::new(10.0, Arrivals::Poisson { seed });
            (0..10).map(|_| next(&mut schedule)).collect::<Vec<_>>()
        };
        assert_eq!(times(1), times(1));
        assert_ne!(times(1), times(2));
    }
}
