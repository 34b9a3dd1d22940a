//! Whether the machine is fit to measure on: the checks before a measurement, with their limits.
//!
//! Only swapping and a quota below what is asked for block. Everything else warns, since a series of
//! forks averages over much of it.

use crate::sys::census::Busy;
use crate::sys::counters::Interval;
use crate::sys::quota::Quota;
use serde::Serialize;

use super::noise::{self, Cause};

/// A process above this share of one processor is named, whatever it is.
const NAMED: f64 = 0.20;
/// Builds come in bursts: these are named above a smaller share.
const NAMED_BUILDER: f64 = 0.05;
const BUILDERS: [&str; 12] = [
    "rustc",
    "cargo",
    "cc",
    "cc1",
    "cc1plus",
    "clang",
    "ld",
    "ld.lld",
    "mold",
    "java",
    "node",
    "clippy-driver",
];
/// Steal is counted in clock ticks; two of them may be rounding.
const STEAL_S: f64 = 0.02;
/// A short probe must not fail over a single task that woke up: so much time in all is nobody's noise.
const WAITED_S: f64 = 0.02;
const LOST_S: f64 = 0.01;

/// What a probe of the machine found. Shares are 0 to 1.
#[derive(Debug, Clone, Default)]
pub struct Probe {
    /// Seconds it took.
    pub seconds: f64,
    /// Processors that were kept busy.
    pub cpus: usize,
    /// Processor time over wall time, on the processor where it was least.
    pub on_cpu: Option<f64>,
    /// Share of the time lost in pauses of more than 0.2 ms, on the processor where it was most.
    pub stalled: Option<f64>,
    /// Processor time of the probe itself, in seconds.
    pub own_cpu_s: f64,
    /// The machine's counters over the probe.
    pub interval: Interval,
    /// Other tasks that could run, typically, just before.
    pub runnable: Option<f64>,
    /// Other processes that used processors, the busiest first.
    pub processes: Vec<Busy>,
    /// The frequency governor.
    pub governor: Option<String>,
    /// `mains` or `battery`.
    pub power_source: Option<String>,
    /// The quota that somebody else has set for us.
    pub quota: Quota,
    /// Memory that can be used without swapping, in bytes.
    pub available_bytes: Option<u64>,
}

/// What the measurement will need.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Need {
    /// Processors.
    pub cpus: f64,
    /// Peak memory in bytes, when it is known.
    pub peak_bytes: Option<u64>,
}

/// How a check came out, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Within the limit.
    Ok,
    /// It cannot be read here.
    Unknown,
    /// Results will be less certain.
    Warn,
    /// Measuring is refused.
    Block,
}

/// What a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Concern {
    /// What others do on the machine now.
    Noise,
    /// How the machine is set up.
    Setting,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// What it is about.
    pub concern: Concern,
    /// How it came out.
    pub state: State,
    /// What was found, in `unit`.
    pub value: Option<f64>,
    /// `share`, `pages`, `tasks`, `processors` or `bytes`; empty for a check without a number.
    pub unit: &'static str,
    /// Up to where it is well, in words.
    pub limit: &'static str,
    /// What was found, in words.
    pub text: String,
}

/// What the checks together say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nobody else uses the machine to speak of.
    Quiet,
    /// Somebody does; results will be less certain.
    Noisy,
    /// A measurement would be refused.
    Refused,
}

impl Verdict {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Noisy => "noisy",
            Self::Refused => "refused",
        }
    }
}

/// The verdict over `checks`. How the machine is set up never makes it noisy.
pub fn verdict(checks: &[Check]) -> Verdict {
    let any = |wanted: fn(&Check) -> bool| checks.iter().any(wanted);
    if any(|check| check.state == State::Block) {
        Verdict::Refused
    } else if any(|check| check.state == State::Warn && check.concern == Concern::Noise) {
        Verdict::Noisy
    } else {
        Verdict::Quiet
    }
}

/// What the checks that did not pass point at; empty when all is quiet.
///
/// A busy loop that was disturbed while nothing else stands out is unexplained.
pub fn causes(checks: &[Check]) -> Vec<Cause> {
    let cause = |check: &Check| match check.name {
        "pressure" | "runnable" | "processes" => Some(Cause::Contention),
        "steal" => Some(Cause::Hypervisor),
        "swap" => Some(Cause::MemoryPressure),
        "outer-quota" => Some(Cause::OuterQuota),
        _ => None,
    };
    let failed = |check: &&Check| check.state >= State::Warn;
    let mut found: Vec<Cause> = checks.iter().filter(failed).filter_map(cause).collect();
    found.dedup();
    if found.is_empty() && checks.iter().any(|check| check.name == "spin" && check.state == State::Warn) {
        found.push(Cause::Unexplained);
    }
    found
}

/// All checks, in a fixed order.
pub fn checks(probe: &Probe, need: &Need) -> Vec<Check> {
    vec![
        spin(probe),
        pressure(probe),
        runnable(probe),
        processes(probe),
        steal(probe),
        swap(probe),
        memory(probe, need),
        quota(probe, need),
        governor(probe),
        power(probe),
    ]
}

/// Processes that are worth naming.
pub fn culprits(processes: &[Busy]) -> Vec<&Busy> {
    let limit = |name: &str| if BUILDERS.contains(&name) { NAMED_BUILDER } else { NAMED };
    processes.iter().filter(|busy| busy.share > limit(&busy.name)).collect()
}

/// A process and what it used, in words.
pub fn blame(busy: &Busy) -> String {
    format!("{} (pid {}) used {:.0} % of a processor", busy.name, busy.pid, busy.share * 100.0)
}

fn noise(name: &'static str, value: Option<f64>, unit: &'static str, limit: &'static str) -> Check {
    Check { name, concern: Concern::Noise, state: State::Unknown, value, unit, limit, text: String::new() }
}

fn setting(name: &'static str, value: Option<f64>, unit: &'static str, limit: &'static str) -> Check {
    Check { concern: Concern::Setting, ..noise(name, value, unit, limit) }
}

impl Check {
    /// Judges the value; without one the check stays unknown and says `unknown`.
    fn judge(mut self, unknown: &str, judge: impl FnOnce(f64) -> (State, String)) -> Self {
        (self.state, self.text) = self.value.map_or_else(|| (State::Unknown, unknown.to_owned()), judge);
        self
    }
}

fn warn_if(bad: bool) -> State {
    if bad { State::Warn } else { State::Ok }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn spin(probe: &Probe) -> Check {
    noise("spin", probe.on_cpu, "share", "at least 99 % of the time on the processor").judge(
        "the kernel does not say which processors may be used",
        |share| {
            let stalled = probe.stalled.unwrap_or_default();
            let text = format!(
                "a busy loop got {} of its processor, {} of the time was lost in pauses",
                percent(share),
                percent(stalled)
            );
            (warn_if(share < 0.99 && (1.0 - share) * probe.seconds > LOST_S), text)
        },
    )
}

fn pressure(probe: &Probe) -> Check {
    noise(
        "pressure",
        probe.interval.psi_cpu_some,
        "share",
        "tasks wait for a processor below 2 % of the time",
    )
    .judge("the kernel does not account for waiting (PSI)", |share| {
        let state = warn_if(share >= 0.02 && share * probe.seconds > WAITED_S);
        (state, format!("tasks waited for a processor {} of the time", percent(share)))
    })
}

fn runnable(probe: &Probe) -> Check {
    noise("runnable", probe.runnable, "tasks", "no other task wants to run").judge(
        "the number of tasks cannot be read",
        |others| {
            let text = match others {
                0.0 => "no other task wanted to run".to_owned(),
                1.0 => "one other task wanted to run".to_owned(),
                _ => format!("{others:.0} other tasks wanted to run"),
            };
            (warn_if(others >= 1.0), text)
        },
    )
}

fn steal(probe: &Probe) -> Check {
    let seconds = probe.interval.steal_s.unwrap_or_default();
    noise(
        "steal",
        noise::steal(&probe.interval),
        "share",
        "a hypervisor withholds less than 0.2 %, or two clock ticks",
    )
    .judge("the kernel does not count what a hypervisor withholds", |share| {
        let state = warn_if(share >= 0.002 && seconds > STEAL_S);
        (state, format!("a hypervisor withheld {} of processor time", percent(share)))
    })
}

fn processes(probe: &Probe) -> Check {
    let foreign = noise::foreign_cpu(&probe.interval, probe.own_cpu_s);
    let check =
        noise("processes", foreign, "share", "no process above 20 % of a processor, no compiler above 5 %");
    let named: Vec<String> = culprits(&probe.processes).into_iter().map(blame).collect();
    if named.is_empty() {
        return check.judge("what others used cannot be read", |share| {
            (State::Ok, format!("no process stands out; all others used {} of the machine", percent(share)))
        });
    }
    // Three are enough to know where to look; JSON has all.
    let more = named.len().saturating_sub(3);
    let rest = if more > 0 { format!(", and {more} more") } else { String::new() };
    Check { state: State::Warn, text: format!("{}{rest}", named[..named.len().min(3)].join(", ")), ..check }
}

fn swap(probe: &Probe) -> Check {
    noise("swap", probe.interval.swapped_pages.map(|pages| pages as f64), "pages", "nothing is swapped")
        .judge("the kernel does not count swapped pages", |pages| {
            if pages > 0.0 {
                return (State::Block, format!("{pages:.0} pages were swapped during the probe"));
            }
            (State::Ok, "nothing was swapped".to_owned())
        })
}

fn memory(probe: &Probe, need: &Need) -> Check {
    let available = probe.available_bytes.map(|bytes| bytes as f64);
    let gigabytes = |bytes: f64| format!("{:.1} GB", bytes / 1e9);
    let check = setting("memory", available, "bytes", "twice the expected peak is available");
    let Some(peak) = need.peak_bytes.map(|bytes| bytes as f64) else {
        let text = available.map_or_else(
            || "the available memory cannot be read".to_owned(),
            |bytes| format!("{} available; what a benchmark needs is not known before", gigabytes(bytes)),
        );
        return Check { text, ..check };
    };
    check.judge("the available memory cannot be read", |bytes| {
        let text = format!("{} available for an expected peak of {}", gigabytes(bytes), gigabytes(peak));
        (warn_if(bytes < 2.0 * peak), text)
    })
}

fn quota(probe: &Probe, need: &Need) -> Check {
    let finite = probe.quota.cpus.filter(|cpus| cpus.is_finite());
    let check = setting("outer-quota", finite, "processors", "no quota of a container or service");
    let (state, text) = match probe.quota.cpus {
        None => (State::Unknown, "the control group of this process cannot be read".to_owned()),
        Some(cpus) if cpus.is_infinite() => (State::Ok, "no quota limits this process".to_owned()),
        Some(cpus) if cpus < need.cpus => {
            (State::Block, format!("a quota allows {cpus} of the {} processors that are needed", need.cpus))
        }
        Some(cpus) => (State::Warn, format!("a quota allows {cpus} processors")),
    };
    Check { state, text, ..check }
}

fn governor(probe: &Probe) -> Check {
    let check = setting("governor", None, "", "the governor `performance`");
    let (state, text) = match probe.governor.as_deref() {
        None => (State::Unknown, "the frequency governor cannot be read".to_owned()),
        Some("performance") => (State::Ok, "the governor is performance".to_owned()),
        Some(other) => (State::Warn, format!("the governor is {other}, so frequencies follow the load")),
    };
    Check { state, text, ..check }
}

fn power(probe: &Probe) -> Check {
    let check = setting("power", None, "", "not on battery");
    let (state, text) = match probe.power_source.as_deref() {
        None => (State::Unknown, "no battery is visible".to_owned()),
        Some("battery") => (State::Warn, "the machine runs on battery".to_owned()),
        Some(other) => (State::Ok, format!("the machine runs on {other}")),
    };
    Check { state, text, ..check }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut Probe);

    const NEED: Need = Need { cpus: 1.0, peak_bytes: None };

    fn quiet() -> Probe {
        Probe {
            seconds: 1.0,
            cpus: 2,
            on_cpu: Some(0.999),
            stalled: Some(0.001),
            own_cpu_s: 1.99,
            interval: Interval {
                seconds: 1.0,
                cpus: Some(2),
                busy_s: Some(2.0),
                steal_s: Some(0.0),
                psi_cpu_some: Some(0.001),
                swapped_pages: Some(0),
                ..Interval::default()
            },
            runnable: Some(0.0),
            processes: vec![Busy { pid: 9, name: "sshd".into(), share: 0.01 }],
            governor: Some("performance".into()),
            power_source: Some("mains".into()),
            quota: Quota { cpus: Some(f64::INFINITY) },
            available_bytes: Some(4_000_000_000),
        }
    }

    fn with(change: impl FnOnce(&mut Probe)) -> Vec<Check> {
        let mut probe = quiet();
        change(&mut probe);
        checks(&probe, &NEED)
    }

    fn state(name: &str, checks: &[Check]) -> State {
        checks.iter().find(|check| check.name == name).expect("there is such a check").state
    }

    #[test]
    fn a_quiet_machine_passes_everything_that_can_be_read() {
        let checks = checks(&quiet(), &NEED);
        assert_eq!(verdict(&checks), Verdict::Quiet);
        let not_ok: Vec<&str> =
            checks.iter().filter(|check| check.state != State::Ok).map(|check| check.name).collect();
        assert_eq!(not_ok, ["memory"]);
    }

    #[test]
    fn each_sign_of_others_makes_it_noisy() {
        let noisy: [(&str, Change); 5] = [
            ("spin", |probe| probe.on_cpu = Some(0.98)),
            ("pressure", |probe| probe.interval.psi_cpu_some = Some(0.03)),
            ("runnable", |probe| probe.runnable = Some(1.0)),
            ("steal", |probe| probe.interval.steal_s = Some(0.05)),
            ("processes", |probe| probe.processes[0].share = 0.3),
        ];
        for (name, change) in noisy {
            let checks = with(change);
            assert_eq!((state(name, &checks), verdict(&checks)), (State::Warn, Verdict::Noisy), "{name}");
        }
    }

    #[test]
    fn what_disturbs_is_told_apart() {
        let causes_with = |change: Change| causes(&with(change));
        assert_eq!(causes_with(|_| {}), []);
        assert_eq!(causes_with(|probe| probe.interval.psi_cpu_some = Some(0.5)), [Cause::Contention]);
        assert_eq!(causes_with(|probe| probe.interval.steal_s = Some(0.1)), [Cause::Hypervisor]);
        assert_eq!(causes_with(|probe| probe.on_cpu = Some(0.9)), [Cause::Unexplained]);
        assert_eq!(causes_with(|probe| probe.quota.cpus = Some(0.5)), [Cause::OuterQuota]);
        let all = causes_with(|probe| {
            probe.on_cpu = Some(0.4);
            probe.runnable = Some(2.0);
            probe.interval.psi_cpu_some = Some(0.9);
            probe.interval.steal_s = Some(0.1);
            probe.processes[0].share = 0.9;
        });
        assert_eq!(all, [Cause::Contention, Cause::Hypervisor]);
    }

    #[test]
    fn only_swapping_and_a_quota_below_the_need_refuse() {
        let swapping = with(|probe| probe.interval.swapped_pages = Some(3));
        assert_eq!((state("swap", &swapping), verdict(&swapping)), (State::Block, Verdict::Refused));
        let narrow = with(|probe| probe.quota.cpus = Some(0.5));
        assert_eq!((state("outer-quota", &narrow), verdict(&narrow)), (State::Block, Verdict::Refused));
        let wide = with(|probe| probe.quota.cpus = Some(2.0));
        assert_eq!((state("outer-quota", &wide), verdict(&wide)), (State::Warn, Verdict::Quiet));
        let terrible = with(|probe| {
            probe.on_cpu = Some(0.1);
            probe.interval.psi_cpu_some = Some(1.0);
            probe.interval.steal_s = Some(0.5);
            probe.runnable = Some(64.0);
        });
        assert_eq!(verdict(&terrible), Verdict::Noisy);
    }

    #[test]
    fn what_cannot_be_read_is_unknown_and_never_ok() {
        let checks = checks(&Probe::default(), &NEED);
        let known: Vec<&str> =
            checks.iter().filter(|check| check.state != State::Unknown).map(|check| check.name).collect();
        assert_eq!(known, Vec::<&str>::new());
        assert!(checks.iter().all(|check| !check.text.is_empty()));
    }

    #[test]
    fn compilers_are_named_sooner_than_others() {
        let busy = |name: &str, share| Busy { pid: 1, name: name.into(), share };
        let all = [busy("rustc", 0.1), busy("bash", 0.1), busy("bash", 0.21), busy("rustc", 0.04)];
        let shares: Vec<f64> = culprits(&all).into_iter().map(|busy| busy.share).collect();
        assert_eq!(shares, [0.1, 0.21]);
    }

    #[test]
    fn how_the_machine_is_set_up_warns_and_is_no_noise() {
        let checks = with(|probe| {
            probe.governor = Some("powersave".into());
            probe.power_source = Some("battery".into());
        });
        assert_eq!((state("governor", &checks), state("power", &checks)), (State::Warn, State::Warn));
        assert_eq!(verdict(&checks), Verdict::Quiet);
    }

    #[test]
    fn a_tick_or_two_of_steal_may_be_rounding() {
        let checks = with(|probe| probe.interval.steal_s = Some(0.02));
        assert_eq!(state("steal", &checks), State::Ok);
    }

    #[test]
    fn a_task_that_woke_up_once_does_not_fail_a_short_probe() {
        let short = with(|probe| {
            probe.seconds = 0.3;
            probe.on_cpu = Some(0.98);
            probe.interval.psi_cpu_some = Some(0.04);
        });
        assert_eq!(verdict(&short), Verdict::Quiet);
        let busy = with(|probe| {
            probe.seconds = 0.3;
            probe.on_cpu = Some(0.9);
        });
        assert_eq!(verdict(&busy), Verdict::Noisy);
    }

    #[test]
    fn memory_is_judged_only_when_the_need_is_known() {
        let known = |peak| checks(&quiet(), &Need { cpus: 1.0, peak_bytes: Some(peak) });
        assert_eq!(state("memory", &known(1_000_000_000)), State::Ok);
        assert_eq!(state("memory", &known(3_000_000_000)), State::Warn);
    }
}
