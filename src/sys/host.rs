//! Facts about the machine, read from `/proc` and `/sys`. What cannot be read is `None`, never a guess.

use super::files;
use std::fs;
use std::path::Path;

/// What kind of machine this is and what it is doing.
#[derive(Debug, Clone, Default)]
pub struct HostFacts {
    /// The processor.
    pub processor: Processor,
    /// Processors this process may use.
    pub logical_cpus: Option<u64>,
    /// Processors that are online.
    pub online_cpus: Option<u64>,
    /// The processors this process may use, as the kernel lists them: `0-3,8`.
    pub affinity: Option<String>,
    /// Caches of the first processor, smallest first: `L1 data 32K`.
    pub caches: Option<Vec<String>>,
    /// Memory nodes.
    pub numa_nodes: Option<u64>,
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
    /// Swap space in bytes.
    pub swap_bytes: Option<u64>,
    /// Whether simultaneous multithreading is active.
    pub smt: Option<bool>,
    /// What is below the kernel: `none`, a product, or `hypervisor` when it does not say which.
    pub virtualisation: Option<String>,
    /// The kind of container we are in, `none` when none of the usual marks is there.
    pub container: Option<String>,
    /// A salted hash of the machine's id, or of its name when it has none. Neither can be read from it.
    pub id: Option<String>,
    /// `mains` or `battery`, on machines that have both.
    pub power_source: Option<String>,
    /// The load average of the last minute.
    pub load_1min: Option<f64>,
    /// Seconds since the machine was started.
    pub uptime_s: Option<f64>,
}

/// The processor, in its maker's terms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Processor {
    /// The model's name.
    pub name: Option<String>,
    /// Who made it.
    pub vendor: Option<String>,
    /// Family.
    pub family: Option<String>,
    /// Model within the family.
    pub model: Option<String>,
    /// Stepping.
    pub stepping: Option<String>,
    /// Version of the microcode.
    pub microcode: Option<String>,
    /// Cores, not counting what multithreading makes of them.
    pub cores: Option<u64>,
    /// Whether it says that it runs under a hypervisor.
    pub virtual_machine: Option<bool>,
}

/// Reads all facts; takes well under a millisecond per file.
pub fn facts() -> HostFacts {
    let text = |path: &str| fs::read_to_string(path).ok();
    let meminfo = text("/proc/meminfo");
    let status = text("/proc/self/status");
    let processor = text("/proc/cpuinfo").map(|info| processor(&info)).unwrap_or_default();
    HostFacts {
        logical_cpus: std::thread::available_parallelism().ok().map(|count| count.get() as u64),
        online_cpus: line("/sys/devices/system/cpu/online").as_deref().and_then(count_of_list),
        affinity: status.as_deref().and_then(|status| field(status, "Cpus_allowed_list")).map(str::to_owned),
        caches: caches(Path::new("/sys/devices/system/cpu/cpu0/cache")),
        numa_nodes: line("/sys/devices/system/node/online").as_deref().and_then(count_of_list),
        memory_bytes: meminfo.as_deref().and_then(|info| kib_field(info, "MemTotal:")),
        swap_bytes: meminfo.as_deref().and_then(|info| kib_field(info, "SwapTotal:")),
        smt: line("/sys/devices/system/cpu/smt/active").map(|active| active == "1"),
        virtualisation: virtualisation(&processor),
        container: container(),
        id: id(),
        power_source: power_source(Path::new("/sys/class/power_supply")),
        load_1min: first_number("/proc/loadavg"),
        uptime_s: first_number("/proc/uptime"),
        processor,
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

/// Memory that can be used without swapping, in bytes.
pub fn available_memory() -> Option<u64> {
    kib_field(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")
}

/// The content of a file of one line, unless it is empty.
pub(in crate::sys) fn line(path: impl AsRef<Path>) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

fn first_number(path: &str) -> Option<f64> {
    line(path)?.split_whitespace().next()?.parse().ok()
}

/// The names differ between x86 and Arm.
fn processor(info: &str) -> Processor {
    let named = |names: &[&str]| names.iter().find_map(|name| field(info, name)).map(str::to_owned);
    let flags = field(info, "flags");
    Processor {
        name: named(&["model name"]),
        vendor: named(&["vendor_id", "CPU implementer"]),
        family: named(&["cpu family", "CPU architecture"]),
        model: named(&["model", "CPU part"]),
        stepping: named(&["stepping", "CPU revision"]),
        microcode: named(&["microcode"]),
        cores: cores(info),
        virtual_machine: flags.map(|flags| flags.split_whitespace().any(|flag| flag == "hypervisor")),
    }
}

/// Different pairs of package and core.
fn cores(info: &str) -> Option<u64> {
    let of =
        |block: &str| Some((field(block, "physical id")?.to_owned(), field(block, "core id")?.to_owned()));
    let pairs: std::collections::BTreeSet<_> = info.split("\n\n").filter_map(of).collect();
    (!pairs.is_empty()).then_some(pairs.len() as u64)
}

/// The value of `name: value`.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

/// How many numbers a list like `0-3,8` names.
fn count_of_list(list: &str) -> Option<u64> {
    let length = |part: &str| match part.split_once('-') {
        Some((from, to)) => Some(to.parse::<u64>().ok()?.checked_sub(from.parse().ok()?)? + 1),
        None => part.parse::<u64>().ok().map(|_| 1),
    };
    list.split(',').map(length).sum()
}

fn caches(folder: &Path) -> Option<Vec<String>> {
    let describe = |index: u32| {
        let of = |name: &str| line(folder.join(format!("index{index}")).join(name));
        Some(format!("L{} {} {}", of("level")?, of("type")?.to_lowercase(), of("size")?))
    };
    let found: Vec<String> = (0..).map_while(describe).collect();
    (!found.is_empty()).then_some(found)
}

fn virtualisation(processor: &Processor) -> Option<String> {
    let dmi = |name: &str| line(format!("/sys/class/dmi/id/{name}"));
    let makers = format!(
        "{} {}",
        dmi("sys_vendor").unwrap_or_default().to_lowercase(),
        dmi("product_name").unwrap_or_default().to_lowercase()
    );
    let kernel = line("/proc/sys/kernel/osrelease").unwrap_or_default().to_lowercase();
    if kernel.contains("microsoft") {
        return Some("wsl".to_owned());
    }
    if processor.virtual_machine == Some(false) {
        return Some("none".to_owned());
    }
    if let Some(kind) = line("/sys/hypervisor/type") {
        return Some(kind);
    }
    known_maker(&makers)
        .map(str::to_owned)
        .or_else(|| processor.virtual_machine.map(|_| "hypervisor".to_owned()))
}

fn known_maker(makers: &str) -> Option<&'static str> {
    let known = [
        ("kvm", "kvm"),
        ("qemu", "qemu"),
        ("vmware", "vmware"),
        ("virtualbox", "virtualbox"),
        ("microsoft", "hyper-v"),
        ("amazon", "amazon"),
        ("google", "google"),
        ("xen", "xen"),
        ("parallels", "parallels"),
    ];
    known.iter().find(|(word, _)| makers.contains(word)).map(|(_, kind)| *kind)
}

fn container() -> Option<String> {
    let marks = [("/.dockerenv", "docker"), ("/run/.containerenv", "podman")];
    if let Some((_, kind)) = marks.iter().find(|(path, _)| Path::new(path).exists()) {
        return Some((*kind).to_owned());
    }
    if let Some(kind) = line("/run/systemd/container") {
        return Some(kind);
    }
    let groups = fs::read_to_string("/proc/1/cgroup").ok()?;
    let known = [("kubepods", "kubernetes"), ("docker", "docker"), ("libpod", "podman"), ("lxc", "lxc")];
    let kind = known.iter().find(|(word, _)| groups.contains(word)).map_or("none", |(_, kind)| kind);
    Some(kind.to_owned())
}

/// Salted, so that it is of no use outside of comparisons between results of this program.
fn id() -> Option<String> {
    let own = line("/etc/machine-id").or_else(|| line("/proc/sys/kernel/hostname"))?;
    Some(files::sha256_bytes(format!("cargo-perf machine {own}").as_bytes())[..16].to_owned())
}

fn power_source(folder: &Path) -> Option<String> {
    let supplies: Vec<_> = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    let kind = |wanted: &str| {
        supplies.iter().find(|supply| line(supply.join("type")).is_some_and(|kind| kind == wanted))
    };
    kind("Battery")?;
    let mains = line(kind("Mains")?.join("online"))?;
    Some(if mains == "1" { "mains" } else { "battery" }.to_owned())
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
    use crate::sys::files::write_atomic;

    const X86: &str = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: Some CPU @ 2GHz\n\
        stepping\t: 1\nmicrocode\t: 0x1000065\nphysical id\t: 0\ncore id\t\t: 0\nflags\t\t: fpu hypervisor sse\n\n\
        processor\t: 1\nphysical id\t: 0\ncore id\t\t: 0\n\nprocessor\t: 2\nphysical id\t: 0\ncore id\t\t: 1\n\n";

    #[test]
    fn a_processor_is_described_in_its_makers_terms() {
        let found = processor(X86);
        assert_eq!(found.name.as_deref(), Some("Some CPU @ 2GHz"));
        assert_eq!(found.vendor.as_deref(), Some("AuthenticAMD"));
        assert_eq!((found.family.as_deref(), found.model.as_deref()), (Some("25"), Some("17")));
        assert_eq!((found.stepping.as_deref(), found.microcode.as_deref()), (Some("1"), Some("0x1000065")));
        assert_eq!((found.cores, found.virtual_machine), (Some(2), Some(true)));
        let arm = processor("processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n");
        assert_eq!((arm.vendor.as_deref(), arm.model.as_deref()), (Some("0x41"), Some("0xd0c")));
        assert_eq!((arm.name, arm.cores, arm.virtual_machine), (None, None, None));
    }

    #[test]
    fn fields_are_found_in_the_kernels_tables() {
        assert_eq!(kib_field("MemTotal:       1024 kB\nMemFree: 1 kB", "MemTotal:"), Some(1024 * 1024));
        assert_eq!(user_name("root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/:/bin/sh", 1000), Some("ann"));
        assert_eq!(user_name("root:x:0:0::/root:/bin/sh", 7), None);
        assert_eq!((count_of_list("0-3,8"), count_of_list("0"), count_of_list("")), (Some(5), Some(1), None));
        assert_eq!(known_maker("qemu standard pc (q35 + ich9, 2009)"), Some("qemu"));
        assert_eq!(known_maker("lenovo 20xw"), None);
    }

    #[test]
    fn power_is_known_only_where_there_are_two_sources() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let put = |path: &str, text: &str| {
            write_atomic(&folder.path().join(path), text.as_bytes()).expect("written");
        };
        assert_eq!(power_source(folder.path()), None);
        put("AC/type", "Mains\n");
        put("AC/online", "0\n");
        assert_eq!(power_source(folder.path()), None);
        put("BAT0/type", "Battery\n");
        assert_eq!(power_source(folder.path()).as_deref(), Some("battery"));
        put("AC/online", "1\n");
        assert_eq!(power_source(folder.path()).as_deref(), Some("mains"));
    }

    #[test]
    fn the_id_of_the_machine_is_neither_its_id_nor_its_name() {
        let own = id();
        assert_eq!(own, id());
        for secret in [line("/etc/machine-id"), line("/proc/sys/kernel/hostname")].into_iter().flatten() {
            assert!(own.as_ref().is_none_or(|id| !id.contains(&secret)));
        }
    }

    #[test]
    fn this_process_has_used_some_memory() {
        let (cpu, peak) = own_cost();
        assert!(cpu.is_some_and(|seconds| seconds >= 0.0));
        assert!(peak.is_some_and(|bytes| bytes > 100_000));
    }
}
