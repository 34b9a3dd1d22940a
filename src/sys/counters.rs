//! Counters of the whole machine, read at two moments: who used it, and who had to wait, in between.
//!
//! All are cumulative since boot, so that nothing runs while something is measured. One reading opens
//! six small files and takes about 0.2 ms. What the kernel does not offer is `None`.

use std::fs;
use std::time::Instant;

/// The counters at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Counters {
    at: Instant,
    processors: Option<Ticks>,
    context_switches: Option<u64>,
    processes_created: Option<u64>,
    cpu_some_us: Option<u64>,
    memory_some_us: Option<u64>,
    io_some_us: Option<u64>,
    swapped_pages: Option<u64>,
    throttled_us: Option<u64>,
    thermal_events: Option<u64>,
}

/// What happened on the machine between two moments, everybody's part and our own together.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Interval {
    /// Seconds between the two moments.
    pub seconds: f64,
    /// Processors that are online.
    pub cpus: Option<u64>,
    /// Seconds that processors worked, summed over processors. In steps of a clock tick, usually 10 ms.
    pub busy_s: Option<f64>,
    /// Seconds that a hypervisor kept processors from us while there was work, summed over processors.
    pub steal_s: Option<f64>,
    /// Share of the time in which at least one task waited for a processor, 0 to 1.
    pub psi_cpu_some: Option<f64>,
    /// Share of the time in which at least one task waited for memory, 0 to 1.
    pub psi_memory_some: Option<f64>,
    /// Share of the time in which at least one task waited for input or output, 0 to 1.
    pub psi_io_some: Option<f64>,
    /// Pages read from and written to swap.
    pub swapped_pages: Option<u64>,
    /// Seconds that the control group of this process was kept from running by its quota.
    pub throttled_s: Option<f64>,
    /// Times a processor was slowed down because it was hot, summed over processors.
    pub thermal_events: Option<u64>,
    /// Context switches.
    pub context_switches: Option<u64>,
    /// Processes and threads created.
    pub processes_created: Option<u64>,
}

/// Processor time in clock ticks, summed over processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticks {
    cpus: u64,
    busy: u64,
    steal: u64,
}

impl Counters {
    /// Reads all of them now.
    pub fn now() -> Self {
        Self {
            throttled_us: super::quota::throttled_us(),
            thermal_events: thermal_events(),
            ..Self::read(Instant::now(), |path| fs::read_to_string(path).ok())
        }
    }

    fn read(at: Instant, text: impl Fn(&str) -> Option<String>) -> Self {
        let stat = text("/proc/stat");
        let stat = stat.as_deref();
        let waited = |path: &str| text(path).as_deref().and_then(some_total);
        Self {
            at,
            processors: stat.and_then(ticks),
            context_switches: stat.and_then(|stat| number(stat, "ctxt")),
            processes_created: stat.and_then(|stat| number(stat, "processes")),
            cpu_some_us: waited("/proc/pressure/cpu"),
            memory_some_us: waited("/proc/pressure/memory"),
            io_some_us: waited("/proc/pressure/io"),
            swapped_pages: text("/proc/vmstat").as_deref().and_then(swapped),
            throttled_us: None,
            thermal_events: None,
        }
    }

    /// What happened since `earlier`.
    pub fn since(&self, earlier: &Self) -> Interval {
        let seconds = self.at.saturating_duration_since(earlier.at).as_secs_f64();
        let of_a_tick = 1.0 / rustix::param::clock_ticks_per_second() as f64;
        let ticks = |of: fn(Ticks) -> u64| {
            grown(self.processors.map(of), earlier.processors.map(of)).map(|ticks| ticks as f64 * of_a_tick)
        };
        let micros = |now, before| grown(now, before).map(|micros| micros as f64 / 1e6);
        // The kernel's clock and ours are read one after the other, so a full share can come out above one.
        let share = |now, before| {
            micros(now, before).filter(|_| seconds > 0.0).map(|waited: f64| (waited / seconds).min(1.0))
        };
        Interval {
            seconds,
            cpus: self.processors.map(|ticks| ticks.cpus),
            busy_s: ticks(|ticks| ticks.busy),
            steal_s: ticks(|ticks| ticks.steal),
            psi_cpu_some: share(self.cpu_some_us, earlier.cpu_some_us),
            psi_memory_some: share(self.memory_some_us, earlier.memory_some_us),
            psi_io_some: share(self.io_some_us, earlier.io_some_us),
            swapped_pages: grown(self.swapped_pages, earlier.swapped_pages),
            throttled_s: micros(self.throttled_us, earlier.throttled_us),
            thermal_events: grown(self.thermal_events, earlier.thermal_events),
            context_switches: grown(self.context_switches, earlier.context_switches),
            processes_created: grown(self.processes_created, earlier.processes_created),
        }
    }
}

/// Seconds that the threads of `pid` could have run and did not, because others did.
///
/// Of a process that lives, or has ended and was not waited for; threads that are gone took their
/// share with them.
pub fn run_delay(pid: i32) -> Option<f64> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let delays: Vec<u64> = threads
        .flatten()
        .filter_map(|thread| delay_ns(&fs::read_to_string(thread.path().join("schedstat")).ok()?))
        .collect();
    (!delays.is_empty()).then(|| delays.iter().sum::<u64>() as f64 / 1e9)
}

/// Tasks that run or could run now, over the whole machine; the caller is one of them.
pub fn tasks_running() -> Option<u64> {
    running(&fs::read_to_string("/proc/loadavg").ok()?)
}

/// The fourth field of the load average is `running/all`.
fn running(loadavg: &str) -> Option<u64> {
    loadavg.split_whitespace().nth(3)?.split_once('/')?.0.parse().ok()
}

/// Share of the last ten seconds in which at least one task waited, 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pressure {
    /// For a processor.
    pub cpu: Option<f64>,
    /// For memory.
    pub memory: Option<f64>,
    /// For input or output.
    pub io: Option<f64>,
}

/// What the kernel says about the last ten seconds.
pub fn recent_pressure() -> Pressure {
    let of = |name: &str| {
        fs::read_to_string(format!("/proc/pressure/{name}")).ok().as_deref().and_then(some_recent)
    };
    Pressure { cpu: of("cpu"), memory: of("memory"), io: of("io") }
}

/// How far a counter has come; one that went backwards says nothing.
fn grown(now: Option<u64>, before: Option<u64>) -> Option<u64> {
    now?.checked_sub(before?)
}

/// The line of all processors in `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal.
fn ticks(stat: &str) -> Option<Ticks> {
    let fields: Vec<u64> = stat
        .lines()
        .find_map(|line| line.strip_prefix("cpu "))?
        .split_whitespace()
        .map_while(|field| field.parse().ok())
        .collect();
    // Guest time, behind steal, is part of user time already.
    let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = fields[..] else { return None };
    let is_one = |line: &&str| {
        line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    };
    let cpus = stat.lines().filter(is_one).count() as u64;
    Some(Ticks { cpus, busy: user + nice + system + irq + softirq, steal })
}

/// A line `name number`.
fn number(table: &str, name: &str) -> Option<u64> {
    table.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

/// The microseconds of `some` in a file of `/proc/pressure`.
fn some_total(pressure: &str) -> Option<u64> {
    some(pressure, "total=")?.parse().ok()
}

/// The share of ten seconds in `some`, which the kernel gives in percent.
fn some_recent(pressure: &str) -> Option<f64> {
    some(pressure, "avg10=")?.parse::<f64>().ok().map(|percent| percent / 100.0)
}

fn some<'a>(pressure: &'a str, field: &str) -> Option<&'a str> {
    let line = pressure.lines().find(|line| line.starts_with("some "))?;
    line.split_whitespace().find_map(|word| word.strip_prefix(field))
}

fn swapped(vmstat: &str) -> Option<u64> {
    Some(number(vmstat, "pswpin")? + number(vmstat, "pswpout")?)
}

/// `<time on the processor> <time waiting for it> <time slices>`; all zero when the kernel does not count.
fn delay_ns(schedstat: &str) -> Option<u64> {
    let fields: Vec<u64> = schedstat.split_whitespace().filter_map(|field| field.parse().ok()).collect();
    let [_, delay, slices] = fields[..] else { return None };
    (slices > 0).then_some(delay)
}

fn thermal_events() -> Option<u64> {
    let of = |cpu: usize| {
        let path = format!("/sys/devices/system/cpu/cpu{cpu}/thermal_throttle/core_throttle_count");
        fs::read_to_string(path).ok()?.trim().parse::<u64>().ok()
    };
    let first = of(0)?;
    Some(first + (1..).map_while(of).sum::<u64>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const STAT: &str = "cpu  100 10 20 999 5 1 2 30 7 7\ncpu0 1 1 1 1 1 1 1 1 1 1\nctxt 500\nbtime 1\nprocesses 40\nprocs_running 2\n";
    const LATER: &str = "cpu  250 10 30 1009 4 1 2 50 7 7\ncpu0 1 1 1 1 1 1 1 1 1 1\nctxt 800\nbtime 1\nprocesses 47\nprocs_running 2\n";

    fn pressure(total: u64) -> String {
        format!(
            "some avg10=0.13 avg60=2.95 avg300=1.97 total={total}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=9\n"
        )
    }

    fn between(first: impl Fn(&str) -> Option<String>, then: impl Fn(&str) -> Option<String>) -> Interval {
        let start = Instant::now();
        Counters::read(start + Duration::from_secs(2), then).since(&Counters::read(start, first))
    }

    fn texts(stat: &'static str, total: u64, swapped: u64) -> impl Fn(&str) -> Option<String> {
        move |path| match path {
            "/proc/stat" => Some(stat.to_owned()),
            "/proc/vmstat" => Some(format!("pgfree 1\npswpin {swapped}\npswpout 3\npswpoutx 9\n")),
            _ => Some(pressure(total)),
        }
    }

    #[test]
    fn an_interval_is_the_difference_of_two_readings() {
        let interval = between(texts(STAT, 1_000_000, 4), texts(LATER, 1_500_000, 6));
        let tick = 1.0 / rustix::param::clock_ticks_per_second() as f64;
        assert!((interval.seconds - 2.0).abs() < 1e-9);
        assert_eq!(interval.cpus, Some(1));
        assert_eq!(interval.busy_s, Some(160.0 * tick));
        assert_eq!(interval.steal_s, Some(20.0 * tick));
        assert_eq!(interval.psi_cpu_some, Some(0.25));
        assert_eq!(interval.psi_memory_some, Some(0.25));
        assert_eq!(interval.psi_io_some, Some(0.25));
        assert_eq!(interval.swapped_pages, Some(2));
        assert_eq!(interval.context_switches, Some(300));
        assert_eq!(interval.processes_created, Some(7));
    }

    #[test]
    fn what_the_kernel_does_not_offer_is_unknown_and_not_zero() {
        let nothing = between(|_| None, |_| None);
        assert_eq!(nothing, Interval { seconds: nothing.seconds, ..Interval::default() });
        let half = between(texts(STAT, 1, 1), |_| None);
        assert_eq!(half, Interval { seconds: half.seconds, ..Interval::default() });
    }

    #[test]
    fn a_counter_that_went_backwards_says_nothing() {
        let interval = between(texts(LATER, 9, 9), texts(STAT, 8, 8));
        assert_eq!((interval.busy_s, interval.psi_cpu_some, interval.swapped_pages), (None, None, None));
    }

    #[test]
    fn a_share_is_never_above_one() {
        let interval = between(texts(STAT, 0, 0), texts(STAT, 2_100_000, 0));
        assert_eq!(interval.psi_cpu_some, Some(1.0));
        assert_eq!(interval.busy_s, Some(0.0));
    }

    #[test]
    fn the_recent_share_is_that_of_ten_seconds() {
        assert_eq!(some_recent(&pressure(7)), Some(0.0013));
        assert_eq!(some_recent(""), None);
    }

    #[test]
    fn running_tasks_stand_in_the_load_average() {
        assert_eq!(running("0.42 0.43 0.79 3/88 20871\n"), Some(3));
        assert_eq!(running("0.42"), None);
        assert!(tasks_running().is_some_and(|count| count >= 1));
    }

    #[test]
    fn waiting_is_the_second_field_and_unknown_without_time_slices() {
        assert_eq!(delay_ns("1040432004 5667408 173\n"), Some(5_667_408));
        assert_eq!(delay_ns("1040432004 0 173\n"), Some(0));
        assert_eq!(delay_ns("0 0 0\n"), None);
        assert_eq!(delay_ns(""), None);
    }

    #[test]
    fn this_machine_counts_its_own_work() {
        let before = Counters::now();
        let started = Instant::now();
        while started.elapsed() < Duration::from_millis(100) {
            std::hint::spin_loop();
        }
        let interval = Counters::now().since(&before);
        assert!(interval.seconds >= 0.1);
        assert!(interval.busy_s.is_some_and(|busy| busy > 0.0), "{interval:?}");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a process that nobody waits for yet")]
    fn a_process_that_has_ended_still_says_how_long_it_waited() {
        let mut child = std::process::Command::new("true").spawn().expect("started");
        let pid = i32::try_from(child.id()).expect("a small pid");
        let state = || fs::read_to_string(format!("/proc/{pid}/stat")).expect("not waited for");
        while !state().contains(") Z") {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(run_delay(pid).is_some_and(|seconds| (0.0..10.0).contains(&seconds)));
        child.wait().expect("waited for");
        assert_eq!(run_delay(pid), None);
    }
}
