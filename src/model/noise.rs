//! Evidence about what else happened on the machine while something was measured, and the cause that
//! it names for an anomaly.

use crate::sys::counters::Interval;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Others used more than this share of the machine: a fork that stands out was disturbed by them.
const FOREIGN: f64 = 0.02;
/// The kernel counts processor time in ticks; less foreign time than three of them may be rounding.
const TICKS_S: f64 = 0.03;
/// A hypervisor that takes more than this share is felt.
const STEAL: f64 = 0.01;
/// A fork interrupted this many times as often as its siblings shared its processor.
const INTERRUPTED: f64 = 10.0;

/// What the machine did while one fork ran. Shares are of the whole machine, 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ForkEvidence {
    /// Share of the time in which at least one task of the machine waited for a processor.
    pub psi_cpu_some: Option<f64>,
    /// Share of all processors' time that others used.
    pub foreign_cpu: Option<f64>,
    /// Share of all processors' time that a hypervisor withheld.
    pub steal: Option<f64>,
    /// Seconds that the fork could have run and others did.
    pub run_delay_s: Option<f64>,
    /// Pages that the machine read from and wrote to swap.
    pub swapped_pages: Option<u64>,
    /// Seconds that a quota set by somebody else stopped us.
    pub throttled_s: Option<f64>,
    /// Times a processor was slowed down because it was hot.
    pub thermal_events: Option<u64>,
}

/// What the machine did for some seconds of a series. Shares are of the whole machine, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Block {
    /// When it began, in seconds since the series did.
    pub at_s: f64,
    /// How long it is.
    pub seconds: f64,
    /// Share of all processors' time that a hypervisor withheld.
    pub steal: Option<f64>,
    /// Share of all processors' time that others used.
    pub foreign_cpu: Option<f64>,
    /// Share of the time in which at least one task of the machine waited for a processor.
    pub psi_cpu_some: Option<f64>,
}

/// Why a fork differs from its siblings, as far as the evidence goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Other processes used the processors.
    Contention,
    /// The hypervisor gave the processors to others.
    Hypervisor,
    /// Data or code came from disk.
    ColdCache,
    /// A quota that somebody else set stopped us.
    OuterQuota,
    /// Processors were slowed down because they were hot.
    Frequency,
    /// Memory was swapped.
    MemoryPressure,
    /// Nothing that was counted tells.
    Unexplained,
}

/// One fork, as far as the search for a cause looks at it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Observed {
    /// What the machine did meanwhile.
    pub evidence: ForkEvidence,
    /// Processors times seconds, the most that anybody could have used.
    pub capacity_s: f64,
    /// Times the processor was taken from the fork, per second of its wall time.
    pub interruptions_per_s: f64,
    /// Its page faults that read from disk.
    pub major_faults: f64,
}

impl ForkEvidence {
    /// The evidence of a fork that ran for `interval`. `own_cpu_s` is the processor time of the fork and
    /// its children, and of this program meanwhile.
    pub fn gather(interval: &Interval, own_cpu_s: f64, run_delay_s: Option<f64>) -> Self {
        Self {
            psi_cpu_some: interval.psi_cpu_some,
            foreign_cpu: foreign_cpu(interval, own_cpu_s),
            steal: steal(interval),
            run_delay_s,
            swapped_pages: interval.swapped_pages,
            throttled_s: interval.throttled_s,
            thermal_events: interval.thermal_events,
        }
    }
}

impl Block {
    /// The block of `interval` that began `at_s` after the series; `own_cpu_s` as for a fork.
    pub fn gather(at_s: f64, interval: &Interval, own_cpu_s: f64) -> Self {
        Self {
            at_s,
            seconds: interval.seconds,
            steal: steal(interval),
            foreign_cpu: foreign_cpu(interval, own_cpu_s),
            psi_cpu_some: interval.psi_cpu_some,
        }
    }
}

/// The share of the machine that others used: what was worked, less our own part.
///
/// Ticks and precise times are compared here, so that a share below zero is none.
pub fn foreign_cpu(interval: &Interval, own_cpu_s: f64) -> Option<f64> {
    Some(((interval.busy_s? - own_cpu_s) / capacity_s(interval)?).clamp(0.0, 1.0))
}

/// The share of the machine that a hypervisor withheld.
pub fn steal(interval: &Interval) -> Option<f64> {
    Some((interval.steal_s? / capacity_s(interval)?).min(1.0))
}

/// Processors times seconds; nothing can be a share of no time.
pub fn capacity_s(interval: &Interval) -> Option<f64> {
    let capacity = interval.cpus? as f64 * interval.seconds;
    (capacity > 0.0).then_some(capacity)
}

/// Why the fork `of` differs from `siblings`, the other forks of its series.
///
/// What stops a process altogether is asked first, since it shows in the other counters too. Unknown
/// evidence names no cause.
pub fn cause(of: &Observed, siblings: &[Observed]) -> Cause {
    let evidence = &of.evidence;
    let usual_faults = median(siblings.iter().map(|sibling| sibling.major_faults));
    if evidence.swapped_pages.is_some_and(|pages| pages > 0) {
        Cause::MemoryPressure
    } else if evidence.throttled_s.is_some_and(|seconds| seconds > 0.0) {
        Cause::OuterQuota
    } else if evidence.thermal_events.is_some_and(|events| events > 0) {
        Cause::Frequency
    } else if of.is_stolen_from() && evidence.steal > evidence.foreign_cpu {
        Cause::Hypervisor
    } else if of.is_contended() || interrupted_more(of, siblings) {
        Cause::Contention
    } else if of.major_faults > usual_faults {
        Cause::ColdCache
    } else {
        Cause::Unexplained
    }
}

impl Observed {
    /// Whether other processes used the processors.
    fn is_contended(&self) -> bool {
        let foreign = self.evidence.foreign_cpu.unwrap_or_default();
        foreign > FOREIGN && foreign * self.capacity_s > TICKS_S
    }

    /// Whether a hypervisor gave the processors to others.
    fn is_stolen_from(&self) -> bool {
        self.evidence.steal.unwrap_or_default() > STEAL
    }
}

/// Whether somebody else had the processors during a series, whatever else happened as well.
pub fn is_shared(forks: &[Observed]) -> bool {
    mean_of(forks).is_some_and(|series| series.is_contended() || series.is_stolen_from())
}

/// Why a whole series disagrees with itself: the mean of its forks, judged like one fork.
pub fn cause_of_series(forks: &[Observed]) -> Cause {
    mean_of(forks).map_or(Cause::Unexplained, |series| cause(&series, &[]))
}

/// A series as if it were one fork.
fn mean_of(forks: &[Observed]) -> Option<Observed> {
    if forks.is_empty() {
        return None;
    }
    let count = forks.len() as f64;
    let mean = |of: fn(&Observed) -> f64| forks.iter().map(of).sum::<f64>() / count;
    let known_mean = |of: fn(&ForkEvidence) -> Option<f64>| {
        let known: Vec<f64> = forks.iter().filter_map(|fork| of(&fork.evidence)).collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    };
    let most =
        |of: fn(&ForkEvidence) -> Option<u64>| forks.iter().filter_map(|fork| of(&fork.evidence)).max();
    Some(Observed {
        evidence: ForkEvidence {
            psi_cpu_some: known_mean(|evidence| evidence.psi_cpu_some),
            foreign_cpu: known_mean(|evidence| evidence.foreign_cpu),
            steal: known_mean(|evidence| evidence.steal),
            run_delay_s: known_mean(|evidence| evidence.run_delay_s),
            swapped_pages: most(|evidence| evidence.swapped_pages),
            throttled_s: known_mean(|evidence| evidence.throttled_s),
            thermal_events: most(|evidence| evidence.thermal_events),
        },
        // Rounding evens out over many forks.
        capacity_s: forks.iter().map(|fork| fork.capacity_s).sum(),
        interruptions_per_s: 0.0,
        major_faults: mean(|fork| fork.major_faults).floor(),
    })
}

fn interrupted_more(of: &Observed, siblings: &[Observed]) -> bool {
    let usual = median(siblings.iter().map(|sibling| sibling.interruptions_per_s));
    // Once a second happens to everybody, and ten times nothing is nothing.
    !siblings.is_empty() && of.interruptions_per_s > INTERRUPTED * usual.max(1.0)
}

/// The upper median; zero of nothing.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

impl Cause {
    /// The word for it, as it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Contention => "contention",
            Self::Hypervisor => "hypervisor",
            Self::ColdCache => "cold-cache",
            Self::OuterQuota => "outer-quota",
            Self::Frequency => "frequency",
            Self::MemoryPressure => "memory-pressure",
            Self::Unexplained => "unexplained",
        }
    }
}

impl fmt::Display for Cause {
    /// The cause in words, to stand behind "because" or a colon.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Contention => "other processes used the processors",
            Self::Hypervisor => "the hypervisor gave the processors to others",
            Self::ColdCache => "data or code was read from disk",
            Self::OuterQuota => "a quota set outside of cargo perf stopped it",
            Self::Frequency => "processors were slowed down because they were hot",
            Self::MemoryPressure => "memory was swapped",
            Self::Unexplained => "nothing that was counted tells why",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet() -> Observed {
        let evidence = ForkEvidence {
            psi_cpu_some: Some(0.001),
            foreign_cpu: Some(0.005),
            steal: Some(0.0),
            run_delay_s: Some(0.0001),
            swapped_pages: Some(0),
            throttled_s: Some(0.0),
            thermal_events: Some(0),
        };
        Observed { evidence, capacity_s: 4.0, interruptions_per_s: 2.0, major_faults: 0.0 }
    }

    fn with(change: impl FnOnce(&mut Observed)) -> Cause {
        let mut fork = quiet();
        change(&mut fork);
        cause(&fork, &[quiet(); 5])
    }

    #[test]
    fn each_kind_of_evidence_names_its_cause() {
        assert_eq!(with(|_| {}), Cause::Unexplained);
        assert_eq!(with(|fork| fork.evidence.foreign_cpu = Some(0.03)), Cause::Contention);
        assert_eq!(with(|fork| fork.interruptions_per_s = 21.0), Cause::Contention);
        assert_eq!(with(|fork| fork.evidence.steal = Some(0.02)), Cause::Hypervisor);
        assert_eq!(with(|fork| fork.major_faults = 1.0), Cause::ColdCache);
        assert_eq!(with(|fork| fork.evidence.throttled_s = Some(0.1)), Cause::OuterQuota);
        assert_eq!(with(|fork| fork.evidence.thermal_events = Some(1)), Cause::Frequency);
        assert_eq!(with(|fork| fork.evidence.swapped_pages = Some(1)), Cause::MemoryPressure);
    }

    #[test]
    fn the_stronger_evidence_wins() {
        let both = |foreign, steal| {
            with(|fork| {
                fork.evidence.foreign_cpu = Some(foreign);
                fork.evidence.steal = Some(steal);
            })
        };
        assert_eq!(both(0.30, 0.02), Cause::Contention);
        assert_eq!(both(0.03, 0.20), Cause::Hypervisor);
        // Swapping reads from disk, and a quota interrupts.
        assert_eq!(
            with(|fork| {
                fork.evidence.swapped_pages = Some(7);
                fork.major_faults = 7.0;
            }),
            Cause::MemoryPressure
        );
    }

    #[test]
    fn what_siblings_have_too_explains_nothing() {
        let mut faulting = quiet();
        faulting.major_faults = 3.0;
        faulting.interruptions_per_s = 100.0;
        assert_eq!(cause(&faulting, &[faulting; 5]), Cause::Unexplained);
    }

    #[test]
    fn foreign_time_of_a_tick_or_two_may_be_rounding() {
        let mut short = quiet();
        short.capacity_s = 0.8;
        short.evidence.foreign_cpu = Some(0.025);
        assert_eq!(cause(&short, &[short; 3]), Cause::Unexplained);
        short.evidence.foreign_cpu = Some(0.05);
        assert_eq!(cause(&short, &[short; 3]), Cause::Contention);
    }

    #[test]
    fn unknown_evidence_names_no_cause() {
        assert_eq!(cause(&Observed::default(), &[]), Cause::Unexplained);
        assert_eq!(cause_of_series(&[Observed::default(); 4]), Cause::Unexplained);
        assert_eq!(cause_of_series(&[]), Cause::Unexplained);
    }

    #[test]
    fn a_series_is_judged_by_the_mean_of_its_forks() {
        let mut loud = quiet();
        loud.evidence.foreign_cpu = Some(0.2);
        assert_eq!(cause_of_series(&[quiet(), loud, loud, quiet()]), Cause::Contention);
        assert_eq!(cause_of_series(&[quiet(); 4]), Cause::Unexplained);
    }

    #[test]
    fn a_shared_machine_is_seen_whatever_else_happened() {
        let with = |change: fn(&mut Observed)| {
            let mut fork = quiet();
            change(&mut fork);
            fork
        };
        let loud = with(|fork| {
            fork.evidence.foreign_cpu = Some(0.5);
            fork.evidence.swapped_pages = Some(1);
        });
        assert_eq!((cause_of_series(&[loud]), is_shared(&[loud])), (Cause::MemoryPressure, true));
        assert!(is_shared(&[with(|fork| fork.evidence.steal = Some(0.05))]));
        assert!(!is_shared(&[with(|fork| fork.evidence.swapped_pages = Some(9))]));
        assert!(!is_shared(&[quiet(); 4]) && !is_shared(&[]));
    }

    #[test]
    fn foreign_time_is_what_was_worked_less_our_own() {
        let interval = Interval {
            seconds: 2.0,
            cpus: Some(4),
            busy_s: Some(3.0),
            steal_s: Some(0.8),
            ..Interval::default()
        };
        assert_eq!(foreign_cpu(&interval, 1.0), Some(0.25));
        assert_eq!(foreign_cpu(&interval, 3.01), Some(0.0));
        assert_eq!(steal(&interval), Some(0.1));
        let unknown = Interval { busy_s: None, ..interval };
        assert_eq!(foreign_cpu(&unknown, 1.0), None);
        assert_eq!(foreign_cpu(&Interval { seconds: 0.0, ..interval }, 1.0), None);
        let fork = ForkEvidence::gather(&interval, 1.0, Some(0.5));
        assert_eq!((fork.foreign_cpu, fork.run_delay_s, fork.psi_cpu_some), (Some(0.25), Some(0.5), None));
        let block = Block::gather(5.0, &interval, 1.0);
        assert_eq!((block.at_s, block.seconds, block.foreign_cpu), (5.0, 2.0, Some(0.25)));
    }

    #[test]
    fn names_are_those_that_are_stored() {
        for cause in [Cause::Contention, Cause::ColdCache, Cause::MemoryPressure, Cause::OuterQuota] {
            assert_eq!(serde_json::to_value(cause).expect("coded"), cause.name());
        }
    }
}
