//! Facts about the machine, read from `/proc` and `/sys`. What cannot be read is `None`, never a guess.

use std::fs;

/// What kind of machine this is and what it is doing.
#[derive(Debug, Clone, Default)]
pub struct HostFacts {
    /// The processor's model name.
    pub cpu_model: Option<String>,
    /// Processors this process may use.
    pub logical_cpus: Option<u64>,
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
    /// The kernel release.
    pub kernel: Option<String>,
    /// The frequency governor of the first processor.
    pub governor: Option<String>,
    /// Whether simultaneous multithreading is active.
    pub smt: Option<bool>,
    /// Address space layout randomisation, as `kernel.randomize_va_space`.
    pub aslr: Option<u64>,
    /// Whether the processor says that it runs under a hypervisor.
    pub virtual_machine: Option<bool>,
    /// The load average of the last minute.
    pub load_1min: Option<f64>,
}

/// Reads all facts; takes well under a millisecond per file.
pub fn facts() -> HostFacts {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").ok();
    HostFacts {
        cpu_model: cpuinfo.as_deref().and_then(|info| cpuinfo_field(info, "model name")).map(str::to_owned),
        logical_cpus: std::thread::available_parallelism().ok().map(|count| count.get() as u64),
        memory_bytes: fs::read_to_string("/proc/meminfo").ok().and_then(|info| memory_total(&info)),
        kernel: line("/proc/sys/kernel/osrelease"),
        governor: line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        smt: line("/sys/devices/system/cpu/smt/active").map(|active| active == "1"),
        aslr: line("/proc/sys/kernel/randomize_va_space").and_then(|mode| mode.parse().ok()),
        virtual_machine: cpuinfo
            .as_deref()
            .and_then(|info| cpuinfo_field(info, "flags"))
            .map(|flags| flags.split_whitespace().any(|flag| flag == "hypervisor")),
        load_1min: line("/proc/loadavg").and_then(|load| load.split_whitespace().next()?.parse().ok()),
    }
}

/// The name of the user who runs this, for records that say who did something.
pub fn user() -> String {
    let uid = rustix::process::getuid().as_raw();
    fs::read_to_string("/etc/passwd")
        .ok()
        .and_then(|users| user_name(&users, uid).map(str::to_owned))
        .unwrap_or_else(|| format!("uid {uid}"))
}

/// The processor time and the peak memory of this process itself, children not counted.
///
/// Returns seconds and bytes.
pub fn own_cost() -> (Option<f64>, Option<u64>) {
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    let cpu = fs::read_to_string("/proc/self/stat").ok().and_then(|stat| {
        let fields: Vec<f64> =
            stat.rsplit_once(')')?.1.split_whitespace().filter_map(|field| field.parse().ok()).collect();
        // Behind the name come the state, which is no number, and then fields 4 and up: utime is 14, stime 15.
        Some((fields.get(10)? + fields.get(11)?) / ticks)
    });
    let peak = fs::read_to_string("/proc/self/status").ok().and_then(|status| kib_field(&status, "VmHWM:"));
    (cpu, peak)
}

fn line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

fn cpuinfo_field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

fn memory_total(info: &str) -> Option<u64> {
    kib_field(info, "MemTotal:")
}

fn kib_field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

fn user_name(users: &str, uid: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_in_the_kernels_tables() {
        assert_eq!(
            cpuinfo_field("processor\t: 0\nmodel name\t: Some CPU @ 2GHz\n", "model name"),
            Some("Some CPU @ 2GHz")
        );
        assert_eq!(memory_total("MemTotal:       1024 kB\nMemFree: 1 kB"), Some(1024 * 1024));
        assert_eq!(user_name("root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/:/bin/sh", 1000), Some("ann"));
        assert_eq!(user_name("root:x:0:0::/root:/bin/sh", 7), None);
    }

    #[test]
    fn this_process_has_used_some_memory() {
        let (cpu, peak) = own_cost();
        assert!(cpu.is_some_and(|seconds| seconds >= 0.0));
        assert!(peak.is_some_and(|bytes| bytes > 100_000));
    }
}
