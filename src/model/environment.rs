//! The environment of a result, in classes that decide how far two results can be compared.
//!
//! An absent value is unknown; two unknowns are not equal. No field holds a host name, a path, or a
//! variable of the environment beyond the flags of the compiler.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;

/// Where and from what a result was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// Results that differ here measure different things.
    pub identity: Identity,
    /// How the executables were made.
    pub build: Build,
    /// Results that differ here come from another machine.
    pub machine: Machine,
    /// Differences here make a result less certain.
    pub soft: Soft,
    /// Never compared.
    pub context: Context,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    /// Processor architecture.
    pub arch: String,
    /// Operating system.
    pub os: String,
    /// The target that was built for, as a triple.
    pub target: Option<String>,
}

/// How it was built.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Build {
    /// `rustc -vV`: version, commit and host on one line.
    pub rustc: Option<String>,
    /// The flags that were passed to cargo and decide what is built.
    pub cargo_flags: Vec<String>,
    /// `RUSTFLAGS` of the environment, empty when it is not set. Absolute paths in flags are hashed.
    pub rustflags: Option<String>,
    /// `CARGO_ENCODED_RUSTFLAGS` of the environment, separated by spaces, empty when it is not set.
    pub encoded_rustflags: Option<String>,
    /// Flags for rustc in cargo's configuration, as `place: flags`.
    pub config_rustflags: Option<Vec<String>>,
    /// The processor that code was generated for, `default` when no flag says so.
    pub target_cpu: Option<String>,
    /// The features that were asked for.
    pub features: Option<Vec<String>>,
    /// The profile, with what manifest, configuration and environment make of it.
    pub profile: Option<Profile>,
    /// SHA-256 of the lock file.
    pub lockfile_sha256: Option<String>,
    /// The runtime of a program that is not machine code, with its version; `none` for machine code.
    pub runtime: Option<String>,
}

/// Settings of cargo's profile, in its own words. Overrides for single packages are not among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Profile {
    /// The profile's name.
    pub name: String,
    /// `opt-level`.
    pub opt_level: String,
    /// `lto`.
    pub lto: String,
    /// `codegen-units`.
    pub codegen_units: String,
    /// `panic`; benches are built with `unwind` whatever it says.
    pub panic: String,
    /// `debug`.
    pub debug: String,
    /// `debug-assertions`.
    pub debug_assertions: String,
    /// `overflow-checks`.
    pub overflow_checks: String,
}

/// The machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Machine {
    /// The processor's model name.
    pub cpu_model: Option<String>,
    /// Who made the processor.
    pub cpu_vendor: Option<String>,
    /// The processor's family, in its maker's count.
    pub cpu_family: Option<String>,
    /// The model within the family.
    pub cpu_model_number: Option<String>,
    /// The processor's stepping.
    pub cpu_stepping: Option<String>,
    /// The version of its microcode.
    pub microcode: Option<String>,
    /// Processors this process may use.
    pub logical_cpus: Option<u64>,
    /// Processors that are online.
    pub online_cpus: Option<u64>,
    /// Cores, not counting what multithreading makes of them.
    pub physical_cores: Option<u64>,
    /// The processors this process may use, as a list like `0-3,8`.
    pub affinity: Option<String>,
    /// Processors that a quota outside of this program allows, `none` without one.
    pub outer_quota: Option<String>,
    /// Caches of the first processor.
    pub caches: Option<Vec<String>>,
    /// Memory nodes.
    pub numa_nodes: Option<u64>,
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
    /// Whether a hypervisor is below.
    pub virtual_machine: Option<bool>,
    /// What is below the kernel: `none`, a product, or `hypervisor` when it does not say which.
    pub virtualisation: Option<String>,
    /// The kind of container, `none` when none of the usual marks is there.
    pub container: Option<String>,
    /// Whether simultaneous multithreading is active.
    pub smt: Option<bool>,
    /// A salted hash that names the machine and tells nothing about it.
    pub id: Option<String>,
}

/// What may differ between two runs on one machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Soft {
    /// The kernel release.
    pub kernel: Option<String>,
    /// SHA-256 of the kernel's command line.
    pub cmdline_sha256: Option<String>,
    /// SHA-256 of what the kernel says about flaws of the processor and what it does about them.
    pub mitigations_sha256: Option<String>,
    /// The frequency governor.
    pub governor: Option<String>,
    /// The frequency driver.
    pub frequency_driver: Option<String>,
    /// Whether processors may run faster than their nominal frequency.
    pub turbo: Option<bool>,
    /// Lowest frequency in MHz.
    pub min_mhz: Option<u64>,
    /// Highest frequency in MHz.
    pub max_mhz: Option<u64>,
    /// Address space layout randomisation mode.
    pub aslr: Option<u64>,
    /// Mode of transparent huge pages.
    pub huge_pages: Option<String>,
    /// `vm.swappiness`.
    pub swappiness: Option<u64>,
    /// Swap space in bytes.
    pub swap_bytes: Option<u64>,
    /// The source of the kernel's clock.
    pub clocksource: Option<String>,
    /// The kernel's preemption model.
    pub preemption: Option<String>,
    /// The C library of this program.
    pub libc: Option<String>,
    /// `mains` or `battery`, on machines that have both.
    pub power_source: Option<String>,
    /// A name of this boot of the machine.
    pub boot_id: Option<String>,
}

/// Circumstances.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Context {
    /// When measuring began, RFC 3339 in UTC.
    pub date: Option<String>,
    /// Seconds since the machine was started.
    pub uptime_s: Option<f64>,
    /// The commit that was checked out.
    pub commit: Option<String>,
    /// Whether tracked files differed from it.
    pub dirty: Option<bool>,
    /// The load average of the last minute, before measuring.
    pub load_1min: Option<f64>,
    /// Share of the last ten seconds before measuring in which a task waited for a processor, 0 to 1.
    pub psi_cpu_some: Option<f64>,
    /// The same for memory.
    pub psi_memory_some: Option<f64>,
    /// The same for input and output.
    pub psi_io_some: Option<f64>,
    /// Seconds spent waiting for the machine-wide lock.
    pub lock_wait_s: f64,
    /// What the noise probe said of the machine before measuring: `quiet` or `noisy`.
    pub doctor: Option<String>,
    /// The version of this program.
    pub tool: Option<String>,
}

/// A class of the environment that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// What was measured.
    Identity,
    /// How it was built.
    Build,
    /// The machine.
    Machine,
    /// What may differ between two runs on one machine.
    Soft,
}

/// A field in which two environments are not known to be equal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Where the field belongs.
    pub class: Class,
    /// Its name; parts of a part are joined by dots.
    pub field: String,
    /// Its value in the first environment.
    pub a: Option<String>,
    /// Its value in the second.
    pub b: Option<String>,
    /// Whether it is unknown in one or both, so that nobody can tell whether they differ.
    pub unknown: bool,
}

/// All fields in which `a` and `b` are not known to be equal, in the order of classes and names.
/// The context is left out: it is never compared.
pub fn compare(a: &Environment, b: &Environment) -> Vec<Difference> {
    let classes = [
        (Class::Identity, coded(&a.identity), coded(&b.identity)),
        (Class::Build, coded(&a.build), coded(&b.build)),
        (Class::Machine, coded(&a.machine), coded(&b.machine)),
        (Class::Soft, coded(&a.soft), coded(&b.soft)),
    ];
    let mut found = Vec::new();
    for (class, a, b) in &classes {
        collect(*class, "", a, b, &mut found);
    }
    found
}

/// As JSON the classes can be walked field by field, so that no new field is forgotten.
fn coded(class: &impl Serialize) -> Value {
    serde_json::to_value(class).unwrap_or(Value::Null)
}

fn collect(class: Class, path: &str, a: &Value, b: &Value, found: &mut Vec<Difference>) {
    if let (Value::Object(a), Value::Object(b)) = (a, b) {
        let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        for name in names {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let of = |object: &serde_json::Map<String, Value>| object.get(name).cloned().unwrap_or_default();
            collect(class, &path, &of(a), &of(b), found);
        }
        return;
    }
    let unknown = a.is_null() || b.is_null();
    if unknown || a != b {
        found.push(Difference { class, field: path.to_owned(), a: shown(a), b: shown(b), unknown });
    }
}

fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        Environment {
            identity: Identity { arch: "x86_64".into(), os: "linux".into(), target: Some("t".into()) },
            build: Build::default(),
            machine: Machine::default(),
            soft: Soft::default(),
            context: Context::default(),
        }
    }

    fn difference(field: &str, a: &Environment, b: &Environment) -> Option<Difference> {
        compare(a, b).into_iter().find(|difference| difference.field == field)
    }

    #[test]
    fn two_unknowns_are_unknown_and_never_equal() {
        let found = difference("governor", &environment(), &environment()).expect("reported");
        assert_eq!((found.class, found.a, found.b, found.unknown), (Class::Soft, None, None, true));
    }

    #[test]
    fn one_unknown_is_no_difference_that_anybody_knows_of() {
        let mut known = environment();
        known.machine.id = Some("abc".into());
        let found = difference("id", &known, &environment()).expect("reported");
        assert_eq!((found.a.as_deref(), found.b.as_deref(), found.unknown), (Some("abc"), None, true));
    }

    #[test]
    fn what_is_known_and_equal_is_not_mentioned() {
        let mut known = environment();
        known.soft.governor = Some("performance".into());
        assert_eq!(difference("governor", &known, &known), None);
        assert_eq!(difference("arch", &known, &known), None);
        assert_eq!(difference("cargo_flags", &known, &known), None);
    }

    #[test]
    fn a_part_of_the_profile_is_named_by_its_path() {
        let profile = |lto: &str| Profile {
            name: "bench".into(),
            opt_level: "3".into(),
            lto: lto.into(),
            codegen_units: "16".into(),
            panic: "unwind".into(),
            debug: "false".into(),
            debug_assertions: "false".into(),
            overflow_checks: "false".into(),
        };
        let (mut a, mut b) = (environment(), environment());
        a.build.profile = Some(profile("false"));
        b.build.profile = Some(profile("thin"));
        let found = difference("profile.lto", &a, &b).expect("reported");
        assert_eq!((found.class, found.unknown), (Class::Build, false));
        assert_eq!((found.a.as_deref(), found.b.as_deref()), (Some("false"), Some("thin")));
        assert_eq!(difference("profile.panic", &a, &b), None);
        // A profile that is not known at all is one unknown, not eight.
        let unknown: Vec<Difference> = compare(&a, &environment())
            .into_iter()
            .filter(|found| found.field.starts_with("profile"))
            .collect();
        assert!(matches!(unknown.as_slice(), [one] if one.unknown), "{unknown:?}");
    }

    #[test]
    fn circumstances_are_never_compared() {
        let mut later = environment();
        later.context.load_1min = Some(7.0);
        assert_eq!(compare(&environment(), &later), compare(&environment(), &environment()));
    }
}
