//! How the measured time of a bench is spent on forks: short ones, as long as their fixed cost stays
//! small, with as many samples as fit.

use crate::bench::reading::ForkRequest;
use crate::model::baseline::ForkPlan;
use crate::model::duration::RunDuration;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Short forks average out what differs between processes; below this their fixed cost dominates.
const SHORTEST_FORK: f64 = 0.4;
/// Longer forks bring nothing at the same measured time (measured: `docs/adr/0003-forks.md`).
const LONGEST_FORK: f64 = 5.0;
/// The fixed cost of a fork may take this share of it.
const FIXED_SHARE: f64 = 0.3;
/// A fork has at least this many iterations, whatever that takes.
const FEWEST_ITERATIONS: f64 = 10.0;
/// Samples of a fork; with many short ones some are free of what neighbours do.
const SAMPLES: std::ops::RangeInclusive<f64> = 10.0..=100.0;
const SHORTEST_WARM_UP: f64 = 0.1;

/// What trying a bench once has shown. All times are seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pilot {
    /// One iteration.
    pub iteration_s: f64,
    /// Start-up and set-up before the benchmark begins.
    pub before_s: f64,
    /// Set-up that is repeated for each sample.
    pub per_sample_s: f64,
}

/// How a bench will be measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What each fork is asked for.
    pub request: ForkRequest,
    /// Forks that will be needed.
    pub forks: usize,
    /// Wall time that will be needed, in seconds.
    pub wall_s: f64,
}

/// What the pilot itself is asked for: little, because it does not count.
pub fn pilot_request(duration: &RunDuration) -> ForkRequest {
    ForkRequest {
        measured: duration.measured().min(Duration::from_secs_f64(SHORTEST_FORK)),
        warm_up: Duration::from_secs_f64(SHORTEST_WARM_UP),
        samples: 10,
    }
}

/// Chooses length and samples of the forks.
pub fn choose(pilot: Pilot, duration: &RunDuration) -> Plan {
    let target = duration.measured().as_secs_f64();
    let iteration = pilot.iteration_s.max(1e-9);
    // The closure with its set-up runs once per sample and per doubling of the warm-up.
    let warm_up_rounds = (SHORTEST_WARM_UP / iteration).max(1.0).log2().ceil() + 1.0;
    let fixed = pilot.before_s + pilot.per_sample_s * (SAMPLES.start() + warm_up_rounds);
    let wanted = (fixed * (1.0 - FIXED_SHARE) / FIXED_SHARE).clamp(SHORTEST_FORK, LONGEST_FORK);
    // Whole nanoseconds, as criterion will be told.
    let asked = Duration::from_secs_f64(wanted.min(target).max(FEWEST_ITERATIONS * iteration));
    let length = asked.as_secs_f64();

    let fitting = (length / iteration).floor();
    let affordable = if pilot.per_sample_s > 0.0 {
        (length * FIXED_SHARE / pilot.per_sample_s).floor()
    } else {
        f64::INFINITY
    };
    let samples = fitting.min(affordable).clamp(*SAMPLES.start(), *SAMPLES.end());

    let measured = expected_measured(length, samples, iteration);
    let forks = (target / measured).ceil().max(1.0);
    let warm_up = (duration.warm_up().as_secs_f64() / forks).max(SHORTEST_WARM_UP);
    let wall = forks * (measured + warm_up.max(iteration) * 1.5 + pilot.before_s)
        + forks * pilot.per_sample_s * (samples + warm_up_rounds);
    // Both are small positive whole numbers by the lines above.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped above")]
    let (samples, forks) = (samples as u32, forks as usize);
    Plan {
        request: ForkRequest { measured: asked, warm_up: Duration::from_secs_f64(warm_up), samples },
        forks,
        wall_s: wall,
    }
}

/// The same for a harness that takes whole seconds only: its shortest warm-up of a second is part of the
/// fixed cost, which makes forks longer.
pub fn choose_whole_seconds(pilot: Pilot, duration: &RunDuration) -> Plan {
    let fixed = Pilot { before_s: pilot.before_s + 1.0, ..pilot };
    let mut plan = choose(fixed, duration);
    let measured = plan.request.measured.as_secs_f64().ceil();
    let expected = expected_measured(measured, f64::from(plan.request.samples), pilot.iteration_s.max(1e-9));
    plan.forks = forks_of(expected, duration);
    let forks = plan.forks as f64;
    let warm_up = (duration.warm_up().as_secs_f64() / forks).ceil().max(1.0);
    plan.request.measured = Duration::from_secs_f64(measured);
    plan.request.warm_up = Duration::from_secs_f64(warm_up);
    plan.wall_s = forks * (expected + warm_up * 1.5 + pilot.before_s);
    plan
}

impl Plan {
    /// The same for a bench that measures for `measured_s` and warms up for `warm_up_s` in each fork,
    /// whatever it is asked for. Both as the pilot announced them, in seconds.
    #[must_use]
    pub fn with_own_length(self, measured_s: f64, warm_up_s: f64, duration: &RunDuration) -> Self {
        let forks = forks_of(measured_s.max(1e-3), duration);
        Self { forks, wall_s: forks as f64 * (measured_s + warm_up_s), ..self }
    }

    /// What is asked of each fork, as it is stored.
    pub fn record(&self) -> ForkPlan {
        let ForkRequest { measured, warm_up, samples } = self.request;
        ForkPlan { measured_s: measured.as_secs_f64(), warm_up_s: warm_up.as_secs_f64(), samples }
    }

    /// What a fork is expected to take, in seconds.
    pub fn fork_s(&self) -> f64 {
        self.wall_s / self.forks as f64
    }
}

/// The plan for a harness whose runs have a length of their own.
pub fn whole_runs(one: Duration, duration: &RunDuration) -> Plan {
    let one = one.as_secs_f64().max(1e-3);
    let forks = forks_of(one, duration);
    Plan { request: pilot_request(duration), forks, wall_s: forks as f64 * one }
}

/// Forks that sum to the time that is asked for, when each measures for `each_s` seconds.
fn forks_of(each_s: f64, duration: &RunDuration) -> usize {
    let forks = (duration.measured().as_secs_f64() / each_s).ceil().max(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small whole number")]
    let forks = forks as usize;
    forks
}

/// What a baseline of a bench takes about which nothing is known: wall time.
pub fn typical_wall(duration: &RunDuration) -> Duration {
    let plan = choose(Pilot { iteration_s: 1e-4, before_s: 0.005, per_sample_s: 0.0 }, duration);
    Duration::from_secs_f64(plan.wall_s)
}

/// What criterion will measure when asked for `length`: growing samples unless they take over twice as
/// long as asked, else equal ones; whole iterations either way.
fn expected_measured(length: f64, samples: f64, iteration: f64) -> f64 {
    // Ten iterations in ten samples are one each, whatever the last bit of the quotient says.
    let whole = |count: f64| (count - 1e-6).ceil().max(1.0);
    let steps = samples * (samples + 1.0) / 2.0;
    let growing = whole(length / iteration / steps) * steps * iteration;
    if growing <= 2.0 * length { growing } else { whole(length / iteration / samples) * samples * iteration }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plan(iteration_s: f64, before_s: f64, per_sample_s: f64) -> Plan {
        choose(Pilot { iteration_s, before_s, per_sample_s }, &RunDuration::full())
    }

    #[test]
    fn a_fast_bench_gets_the_shortest_forks_with_most_samples() {
        let plan = plan(1e-6, 0.005, 0.0);
        assert_eq!((plan.request.measured, plan.request.samples), (Duration::from_millis(400), 100));
        assert!(plan.request.warm_up >= Duration::from_millis(100));
        assert!((100..=150).contains(&plan.forks), "{}", plan.forks);
    }

    #[test]
    fn costly_start_up_makes_forks_longer_up_to_five_seconds() {
        assert_eq!(plan(1e-6, 0.6, 0.0).request.measured, Duration::from_secs_f64(1.4));
        assert_eq!(plan(1e-6, 10.0, 0.0).request.measured, Duration::from_secs(5));
    }

    #[test]
    fn set_up_per_sample_thins_the_samples() {
        let plan = plan(1e-6, 0.005, 0.3);
        assert_eq!((plan.request.measured, plan.request.samples), (Duration::from_secs(5), 10));
    }

    #[test]
    fn a_slow_bench_gets_ten_iterations_a_fork() {
        let plan = plan(2.0, 0.0, 0.0);
        assert_eq!((plan.request.measured, plan.request.samples), (Duration::from_secs(20), 10));
        assert_eq!(plan.forks, 3);
    }

    #[test]
    fn a_harness_of_whole_seconds_gets_longer_forks_of_whole_seconds() {
        let pilot = Pilot { iteration_s: 1e-6, before_s: 0.005, per_sample_s: 0.0 };
        let plan = choose_whole_seconds(pilot, &RunDuration::full());
        assert_eq!(
            (plan.request.measured, plan.request.warm_up),
            (Duration::from_secs(3), Duration::from_secs(1))
        );
        assert_eq!(plan.forks, 20);
    }

    #[test]
    fn a_bench_that_sets_its_own_length_gets_as_many_forks_as_that_takes() {
        let long = plan(1e-3, 0.005, 0.0).with_own_length(60.0, 3.0, &RunDuration::full());
        assert_eq!((long.forks, long.fork_s()), (1, 63.0));
        let short = plan(1e-6, 0.005, 0.0).with_own_length(0.2, 0.1, &RunDuration::full());
        assert_eq!(short.forks, 300);
    }

    #[test]
    fn runs_of_a_length_of_their_own_are_repeated_until_they_sum() {
        let plan = whole_runs(Duration::from_secs(7), &RunDuration::full());
        assert_eq!(plan.forks, 9);
    }

    #[test]
    fn rounding_does_not_double_a_fork() {
        let iteration = 10_f64.powf(0.237_670_298_003_981_57);
        assert_eq!(plan(iteration, 0.0, 0.0).forks, 4);
    }

    proptest! {
        #[test]
        fn any_plan_measures_enough_within_its_bounds(
            exponent in -9.0..1.0_f64, before in 0.0..3.0_f64, per_sample in 0.0..1.0_f64
        ) {
            let iteration = 10_f64.powf(exponent);
            let plan = plan(iteration, before, per_sample);
            let length = plan.request.measured.as_secs_f64();
            let measured = expected_measured(length, f64::from(plan.request.samples), iteration);
            prop_assert!(plan.forks as f64 * measured >= 59.999);
            prop_assert!(plan.forks as f64 * plan.request.warm_up.as_secs_f64() >= 9.999);
            prop_assert!((10..=100).contains(&plan.request.samples));
            prop_assert!(length >= 10.0 * iteration - 1e-9 && length >= 0.4 - 1e-9);
            prop_assert!(measured.is_finite() && plan.wall_s >= 59.9);
        }
    }
}
