//! Repeats work and takes its time.

use crate::allocations::{Counts, counted};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Samples of one run: enough for quantiles, few enough that taking the time costs nothing.
const SAMPLES: u32 = 200;

/// Calls of the work that were timed together.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sample {
    pub(super) iterations: u64,
    pub(super) time: Duration,
    pub(super) allocated: Counts,
}

impl Sample {
    pub(super) fn nanoseconds_each(&self) -> f64 {
        self.time.as_nanos() as f64 / self.iterations as f64
    }

    fn add(&mut self, other: Self) {
        self.iterations += other.iterations;
        self.time += other.time;
        self.allocated = self.allocated.plus(other.allocated);
    }
}

/// Repeats `work` for at least `time`; how long it took.
pub(super) fn warm_up<T>(time: Duration, work: &mut impl FnMut() -> T) -> Duration {
    let started = Instant::now();
    while started.elapsed() < time {
        black_box(work());
    }
    started.elapsed()
}

/// Repeats `work` until the samples sum to at least `time`. No time at all is one call.
pub(super) fn samples<T>(time: Duration, work: &mut impl FnMut() -> T) -> Vec<Sample> {
    // Nothing is allocated between samples.
    let mut samples = Vec::with_capacity(SAMPLES as usize + 1);
    let enough = time / SAMPLES;
    let mut measured = Duration::ZERO;
    let mut batch = 1;
    loop {
        let sample = sample(enough, &mut batch, work);
        measured += sample.time;
        samples.push(sample);
        if measured >= time {
            return samples;
        }
    }
}

/// Batches of calls until they sum to `enough`. The first sample grows from one call, so that no time is
/// spent on finding out how long a call takes.
fn sample<T>(enough: Duration, batch: &mut u64, work: &mut impl FnMut() -> T) -> Sample {
    let mut sample = Sample::default();
    loop {
        sample.add(timed(*batch, work));
        *batch = next_batch(&sample, enough, *batch);
        if sample.time >= enough {
            return sample;
        }
    }
}

/// As many calls as the sample lacks, or a whole one needs; at most twice as many as before, because the
/// time of few calls says little.
fn next_batch(sample: &Sample, enough: Duration, before: u64) -> u64 {
    let lacking = enough.checked_sub(sample.time).filter(|rest| !rest.is_zero()).unwrap_or(enough);
    let calls = lacking.as_nanos() as f64 / sample.nanoseconds_each().max(1e-3);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded and not negative")]
    let calls = calls.ceil() as u64;
    calls.clamp(1, sample.iterations.max(before).saturating_mul(2))
}

fn timed<T>(iterations: u64, work: &mut impl FnMut() -> T) -> Sample {
    let before = counted().unwrap_or_default();
    let started = Instant::now();
    for _ in 0..iterations {
        black_box(work());
    }
    let time = started.elapsed();
    let allocated = counted().unwrap_or_default().since(before);
    Sample { iterations, time, allocated }
}

/// The middle of sorted values, of which there is at least one.
pub(super) fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}
