//! The environment of a result, in classes that decide how far two results can be compared.
//!
//! An absent value is unknown; two unknowns are not equal.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
}

/// How it was built.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Build {
    /// `rustc -vV`: version, commit and host on one line.
    pub rustc: Option<String>,
    /// The flags that were passed to cargo and decide what is built.
    pub cargo_flags: Vec<String>,
    /// `RUSTFLAGS` of the environment.
    pub rustflags: Option<String>,
    /// SHA-256 of the lock file.
    pub lockfile_sha256: Option<String>,
}

/// The machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Machine {
    /// The processor's model name.
    pub cpu_model: Option<String>,
    /// Processors this process may use.
    pub logical_cpus: Option<u64>,
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
    /// Whether a hypervisor is below.
    pub virtual_machine: Option<bool>,
    /// Whether simultaneous multithreading is active.
    pub smt: Option<bool>,
}

/// What may differ between two runs on one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Soft {
    /// The kernel release.
    pub kernel: Option<String>,
    /// The frequency governor.
    pub governor: Option<String>,
    /// Address space layout randomisation mode.
    pub aslr: Option<u64>,
}

/// Circumstances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Context {
    /// The commit that was checked out.
    pub commit: Option<String>,
    /// Whether tracked files differed from it.
    pub dirty: Option<bool>,
    /// The load average of the last minute, before measuring.
    pub load_1min: Option<f64>,
    /// Seconds spent waiting for the machine-wide lock.
    pub lock_wait_s: f64,
}
