//! The noise probe: keeps the processors busy for a moment and watches what else the machine does.

use super::Lab;
use crate::failure::Failure;
use crate::model::gate::{Check, Need, Probe, State, Verdict, checks, verdict};
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

/// What a probe found, and what that means.
#[derive(Debug, Clone)]
pub struct Preflight {
    /// What was found.
    pub probe: Probe,
    /// Against the limits.
    pub checks: Vec<Check>,
    /// Together.
    pub verdict: Verdict,
}

impl Order {
    /// The probe of `doctor`: a second.
    pub fn thorough() -> Self {
        Self { length: Duration::from_secs(1), need: Need { cpus: 1.0, peak_bytes: None } }
    }

    /// The probe before each measurement: under half a second in all.
    pub fn quick() -> Self {
        Self { length: Duration::from_millis(300), ..Self::thorough() }
    }
}

impl Preflight {
    /// Judges what a probe found.
    pub fn of(probe: Probe, need: &Need) -> Self {
        let checks = checks(&probe, need);
        let verdict = verdict(&checks);
        Self { probe, checks, verdict }
    }

    /// One sentence for each sign of noise, and for each setting that disturbs.
    pub fn warnings(&self) -> Vec<String> {
        self.in_state(State::Warn).map(|check| check.text.clone()).collect()
    }

    /// Why measuring is refused, when it is.
    pub fn refusal(&self) -> Option<Failure> {
        let reasons: Vec<&str> = self.in_state(State::Block).map(|check| check.text.as_str()).collect();
        (!reasons.is_empty()).then(|| {
            Failure::environment(format!("this machine cannot measure now: {}", reasons.join("; ")))
                .hint("free memory or raise the quota; `cargo perf doctor` shows each check and its limit")
        })
    }

    fn in_state(&self, state: State) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(move |check| check.state == state)
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
        Ok(Preflight::of(probe, &order.need))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureKind;
    use crate::sys::counters::Interval;

    #[test]
    fn a_swapping_machine_is_refused_with_the_reason() {
        let interval = Interval { swapped_pages: Some(12), ..Interval::default() };
        let preflight = Preflight::of(Probe { interval, ..Probe::default() }, &Order::quick().need);
        let refusal = preflight.refusal().expect("refused");
        assert_eq!((preflight.verdict, refusal.kind), (Verdict::Refused, FailureKind::Environment));
        assert!(refusal.message.contains("12 pages"), "{refusal}");
    }

    #[test]
    fn a_machine_that_tells_nothing_is_not_refused() {
        let preflight = Preflight::of(Probe::default(), &Order::quick().need);
        assert!(preflight.refusal().is_none() && preflight.warnings().is_empty());
    }
}
