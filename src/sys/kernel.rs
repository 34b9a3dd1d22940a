//! Settings of the kernel and of the C library that change how programs run on one machine.

use super::files;
use super::host::line;
use serde::Serialize;
use std::fs;
use std::path::Path;

/// The settings; what cannot be read is `None`.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The kernel release.
    pub release: Option<String>,
    /// SHA-256 of the kernel's command line.
    pub cmdline_sha256: Option<String>,
    /// SHA-256 of what the kernel says of each known flaw of processors.
    pub mitigations_sha256: Option<String>,
    /// The frequency governor of the first processor.
    pub governor: Option<String>,
    /// The frequency driver of the first processor.
    pub frequency_driver: Option<String>,
    /// Whether processors may run faster than their nominal frequency.
    pub turbo: Option<bool>,
    /// Lowest frequency of the first processor, in MHz.
    pub min_mhz: Option<u64>,
    /// Highest frequency of the first processor, in MHz.
    pub max_mhz: Option<u64>,
    /// Address space layout randomisation, as `kernel.randomize_va_space`.
    pub aslr: Option<u64>,
    /// The chosen mode of transparent huge pages.
    pub huge_pages: Option<String>,
    /// `vm.swappiness`.
    pub swappiness: Option<u64>,
    /// The source of the kernel's clock.
    pub clocksource: Option<String>,
    /// The preemption model the kernel was built with, as it says.
    pub preemption: Option<String>,
    /// The C library of this process and its version.
    pub libc: Option<String>,
    /// A name of this boot of the machine.
    pub boot_id: Option<String>,
}

/// What the kernel lets us see of processes and processors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Permissions {
    /// `kernel.perf_event_paranoid`.
    pub perf_event_paranoid: Option<i64>,
    /// `kernel.yama.ptrace_scope`.
    pub ptrace_scope: Option<i64>,
    /// `kernel.kptr_restrict`.
    pub kptr_restrict: Option<i64>,
}

/// Reads the settings.
pub fn settings() -> Settings {
    let cpufreq = |name: &str| line(format!("/sys/devices/system/cpu/cpu0/cpufreq/{name}"));
    let mhz = |name: &str| cpufreq(name)?.parse::<u64>().ok().map(|khz| khz / 1000);
    Settings {
        release: line("/proc/sys/kernel/osrelease"),
        cmdline_sha256: line("/proc/cmdline").map(|text| files::sha256_bytes(text.as_bytes())),
        mitigations_sha256: mitigations(Path::new("/sys/devices/system/cpu/vulnerabilities")),
        governor: governor(),
        frequency_driver: cpufreq("scaling_driver"),
        turbo: turbo(),
        min_mhz: mhz("cpuinfo_min_freq"),
        max_mhz: mhz("cpuinfo_max_freq"),
        aslr: line("/proc/sys/kernel/randomize_va_space").and_then(|mode| mode.parse().ok()),
        huge_pages: line("/sys/kernel/mm/transparent_hugepage/enabled").as_deref().and_then(chosen),
        swappiness: line("/proc/sys/vm/swappiness").and_then(|value| value.parse().ok()),
        clocksource: line("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        preemption: line("/proc/version").as_deref().and_then(preemption),
        libc: libc(),
        boot_id: line("/proc/sys/kernel/random/boot_id"),
    }
}

/// The frequency governor of the first processor.
pub fn governor() -> Option<String> {
    line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
}

/// Reads what we may see.
pub fn permissions() -> Permissions {
    let setting = |name: &str| line(format!("/proc/sys/kernel/{name}"))?.parse().ok();
    Permissions {
        perf_event_paranoid: setting("perf_event_paranoid"),
        ptrace_scope: setting("yama/ptrace_scope"),
        kptr_restrict: setting("kptr_restrict"),
    }
}

/// One hash over names and texts, in order of names.
fn mitigations(folder: &Path) -> Option<String> {
    let mut names: Vec<_> = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    names.sort();
    let said: Vec<String> = names
        .iter()
        .filter_map(|path| Some(format!("{}: {}\n", path.file_name()?.to_str()?, line(path)?)))
        .collect();
    (!said.is_empty()).then(|| files::sha256_bytes(said.concat().as_bytes()))
}

fn turbo() -> Option<bool> {
    let forbidden = line("/sys/devices/system/cpu/intel_pstate/no_turbo").map(|no| no == "0");
    forbidden.or_else(|| line("/sys/devices/system/cpu/cpufreq/boost").map(|boost| boost == "1"))
}

/// The word in brackets.
fn chosen(choices: &str) -> Option<String> {
    choices.split_whitespace().find_map(|word| Some(word.strip_prefix('[')?.strip_suffix(']')?.to_owned()))
}

fn preemption(version: &str) -> Option<String> {
    version.split_whitespace().find(|word| word.starts_with("PREEMPT")).map(str::to_owned)
}

/// The version stands as text in the library, which is mapped into this process when it uses one.
fn libc() -> Option<String> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let path = maps.lines().filter_map(|line| line.split_whitespace().nth(5)).find(|path| is_libc(path))?;
    let bytes = fs::read(path).ok()?;
    banner(&bytes)
}

fn is_libc(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    name == "libc.so.6" || name.starts_with("libc-2.")
}

/// From `GNU C Library (Distribution 2.36-9) stable release version 2.36.`
fn banner(bytes: &[u8]) -> Option<String> {
    let start = b"GNU C Library";
    let at = bytes.windows(start.len()).position(|window| window == start)?;
    let text = String::from_utf8_lossy(bytes.get(at..bytes.len().min(at + 200))?).into_owned();
    let (_, behind) = text.split_once("release version ")?;
    let version: String = behind.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    Some(format!("glibc {}", version.trim_end_matches('.')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::files::write_atomic;

    #[test]
    fn words_are_found_in_what_the_kernel_says() {
        assert_eq!(chosen("always [madvise] never").as_deref(), Some("madvise"));
        assert_eq!(chosen("always"), None);
        let version = "Linux version 6.1.0 (gcc 12) #1 SMP PREEMPT_DYNAMIC Debian 6.1.0-9";
        assert_eq!(preemption(version).as_deref(), Some("PREEMPT_DYNAMIC"));
        assert_eq!(preemption("Linux version 6.1.0 #1 SMP"), None);
    }

    #[test]
    fn the_c_library_is_known_by_its_banner() {
        let bytes = b"\x7fELF...GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\nCopyright";
        assert_eq!(banner(bytes).as_deref(), Some("glibc 2.36"));
        assert_eq!(banner(b"nothing"), None);
        assert!(is_libc("/lib/x86_64-linux-gnu/libc.so.6") && is_libc("/lib/libc-2.31.so"));
        assert!(!is_libc("/usr/lib/libcap.so.2"));
    }

    #[test]
    fn mitigations_change_when_one_of_them_does() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(mitigations(folder.path()), None);
        write_atomic(&folder.path().join("meltdown"), b"Not affected\n").expect("written");
        let before = mitigations(folder.path());
        write_atomic(&folder.path().join("meltdown"), b"Vulnerable\n").expect("written");
        assert!(before.is_some() && before != mitigations(folder.path()));
    }
}
