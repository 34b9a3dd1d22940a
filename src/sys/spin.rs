//! Keeps every processor busy for a moment and sees how often it was taken away.
//!
//! The only place that starts threads, one per processor, and never while something is measured.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// Two looks at the clock that are further apart than this were interrupted by more than the kernel's
/// own short work.
const STALL: Duration = Duration::from_micros(200);

/// What one processor gave us.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spin {
    /// The processor's number.
    pub cpu: usize,
    /// Seconds the loop took.
    pub wall_s: f64,
    /// Seconds of processor time in them.
    pub cpu_s: f64,
    /// Seconds lost in pauses of more than 0.2 ms.
    pub stalled_s: f64,
}

/// Spins for `length` on all processors that this process may use, at once. Empty when the kernel does
/// not say which they are.
pub fn spin(length: Duration) -> Vec<Spin> {
    let allowed = allowed();
    let together = Barrier::new(allowed.len());
    thread::scope(|scope| {
        let spinning: Vec<_> =
            allowed.iter().map(|cpu| scope.spawn(|| on(*cpu, length, &together))).collect();
        spinning.into_iter().filter_map(|thread| thread.join().ok()).collect()
    })
}

/// The numbers of the processors that this process may use.
fn allowed() -> Vec<usize> {
    let Ok(set) = sched_getaffinity(None) else { return Vec::new() };
    (0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect()
}

fn on(cpu: usize, length: Duration, together: &Barrier) -> Spin {
    let mut only = CpuSet::new();
    only.set(cpu);
    // Without a fixed place the scheduler moves the thread, and sees to the rest.
    let _ = sched_setaffinity(None, &only);
    together.wait();
    let started = Instant::now();
    let before = processor_time();
    let mut last = started;
    let mut stalled = Duration::ZERO;
    while last.duration_since(started) < length {
        let now = Instant::now();
        let gap = now.duration_since(last);
        if gap > STALL {
            stalled += gap;
        }
        last = now;
    }
    Spin {
        cpu,
        wall_s: started.elapsed().as_secs_f64(),
        cpu_s: processor_time() - before,
        stalled_s: stalled.as_secs_f64(),
    }
}

/// Of the calling thread, in seconds.
fn processor_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_allowed_processor_is_kept_busy() {
        let spins = spin(Duration::from_millis(50));
        let cpus: Vec<usize> = spins.iter().map(|spin| spin.cpu).collect();
        assert_eq!(cpus, allowed());
        for spin in spins {
            assert!(spin.wall_s >= 0.05 && spin.cpu_s > 0.0, "{spin:?}");
            assert!(spin.cpu_s <= spin.wall_s + 0.01 && spin.stalled_s <= spin.wall_s, "{spin:?}");
        }
    }
}
