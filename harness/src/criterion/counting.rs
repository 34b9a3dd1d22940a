//! A measurement of criterion's that counts beside the time.

use crate::allocations::{Counts, counted};
use ::criterion::Criterion;
use ::criterion::measurement::{Measurement, ValueFormatter, WallTime};
use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

thread_local! {
    /// The counts of every sample so far. Criterion measures on the thread that runs `main`.
    static SAMPLES: RefCell<Vec<Option<Counts>>> = const { RefCell::new(Vec::new()) };
}

/// Takes away the counts of all samples so far, in the order of measuring.
pub fn take_samples() -> Vec<Option<Counts>> {
    SAMPLES.take()
}

/// Wall time, with the allocations of every sample counted beside it.
///
/// Criterion's values are times and stay times, so that everything written for them works. The counts
/// are kept here and follow the same steps: criterion ends a window, may add it to those before, and
/// takes the value of a sample once, when it is complete; a warm-up is never taken.
#[derive(Debug, Default)]
pub struct Counting {
    /// Counts of the sample so far.
    sample: Cell<Option<Counts>>,
    /// Those before the last window, for when it is to be added.
    before: Cell<Option<Counts>>,
}

/// The start of a window.
#[derive(Debug)]
pub struct Started {
    allocated: Option<Counts>,
    at: Instant,
}

impl Measurement for Counting {
    type Intermediate = Started;
    type Value = Duration;

    fn start(&self) -> Started {
        let allocated = counted();
        Started { allocated, at: Instant::now() }
    }

    fn end(&self, started: Started) -> Duration {
        let time = started.at.elapsed();
        let window = counted().zip(started.allocated).map(|(now, then)| now.since(then));
        self.before.set(self.sample.replace(window));
        time
    }

    fn add(&self, sum: &Duration, window: &Duration) -> Duration {
        if let (Some(before), Some(last)) = (self.before.get(), self.sample.get()) {
            self.sample.set(Some(before.plus(last)));
        }
        WallTime.add(sum, window)
    }

    fn zero(&self) -> Duration {
        self.sample.set(None);
        WallTime.zero()
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        let counts = self.sample.take();
        SAMPLES.with_borrow_mut(|samples| samples.push(counts));
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

/// A criterion that can count.
pub trait IntoCounting {
    /// The same, counting.
    fn into_counting(self) -> Criterion<Counting>;
}

impl IntoCounting for Criterion<WallTime> {
    fn into_counting(self) -> Criterion<Counting> {
        self.with_measurement(Counting::default())
    }
}

impl IntoCounting for Criterion<Counting> {
    fn into_counting(self) -> Criterion<Counting> {
        self
    }
}

/// `criterion`, counting.
///
/// ```
/// use perf_harness::criterion::{Criterion, counting};
///
/// fn configured() -> Criterion {
///     counting(Criterion::default().sample_size(50))
/// }
/// # let _ = configured;
/// ```
pub fn counting(criterion: impl IntoCounting) -> Criterion<Counting> {
    criterion.into_counting()
}
