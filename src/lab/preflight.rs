//! The noise probe: keeps the processors busy for a moment and watches what else the machine does.

use super::Lab;
use crate::failure::Failure;
use crate::model::checkup::Preflight;
use crate::model::gate::{Need, Probe, checks};
use crate::sys::census::Census;
use crate::sys::counters::{Counters, tasks_running};
use crate::sys::spin::{Spin, spin};
use crate::sys::{host, kernel, quota};
use std::time::Duration;

/// Looks at the number of tasks that want to run; one alone would often miss a task that sleeps a little.
const LOOKS: u32 = 10;

/// How long to probe, and for what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Order {
    /// How long the processors are kept busy.
    pub length: Duration,
    /// What will be needed.
    pub need: Need,
}

impl Order {
    /// The probe of `doctor`: a second.
    pub fn thorough() -> Self {
        Self { length: Duration::from_secs(1), need: Need { cpus: 1.0, peak_bytes: None } }
    }

    /// The probe of `doctor` when the first one found noise: chores of the system are over within it, and
    /// builds are not.
    pub fn lasting() -> Self {
        Self { length: Duration::from_secs(3), ..Self::thorough() }
    }

    /// The probe before each measurement: a fraction of a second, since it takes every processor. What it
    /// misses is seen by the evidence beside each fork.
    pub fn quick() -> Self {
        Self { length: Duration::from_millis(100), ..Self::thorough() }
    }
}

impl Lab<'_> {
    /// Probes the machine. Hold its slot: the probe would disturb whoever measures.
    ///
    /// # Errors
    /// `Interrupted` only; what was found is no error.
    pub fn preflight(&mut self, order: &Order) -> Result<Preflight, Failure> {
        let runnable = self.others_runnable()?;
        let census = Census::now();
        let before = Counters::now();
        let spins = spin(order.length);
        let interval = Counters::now().since(&before);
        let processes = Census::now().busy_since(&census);
        self.interrupt.check()?;
        let facts = host::facts();
        let probe = Probe {
            seconds: interval.seconds,
            cpus: spins.len(),
            on_cpu: least(&spins, |spin| spin.cpu_s / spin.wall_s),
            stalled: least(&spins, |spin| -spin.stalled_s / spin.wall_s).map(|least| -least),
            own_cpu_s: spins.iter().map(|spin| spin.cpu_s).sum(),
            interval,
            runnable,
            processes,
            governor: kernel::governor(),
            power_source: facts.power_source,
            quota: quota::read(),
            available_bytes: host::available_memory(),
        };
        let checks = checks(&probe, &order.need);
        Ok(Preflight::of(probe, checks))
    }

    /// The median number of tasks, besides this one, that want to run.
    fn others_runnable(&self) -> Result<Option<f64>, Failure> {
        let mut seen = Vec::new();
        for _ in 0..LOOKS {
            self.interrupt.sleep(Duration::from_millis(5))?;
            seen.extend(tasks_running().map(|running| running.saturating_sub(1)));
        }
        seen.sort_unstable();
        Ok(seen.get(seen.len() / 2).map(|running| *running as f64))
    }
}

fn least(spins: &[Spin], of: fn(&Spin) -> f64) -> Option<f64> {
    spins.iter().map(of).min_by(f64::total_cmp)
}
