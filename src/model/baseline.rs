//! A stored baseline: the document `baselines/<version>.json`.

use super::bench::{BenchName, HarnessKind, Throughput};
use super::duration::Waiver;
use super::environment::Environment;
use super::format::SchemaVersion;
use super::samples::{CodedSamples, Sampling};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name of the document's schema.
pub const SCHEMA: &str = "cargo-perf/baseline";

/// Everything that was measured for one version, with the raw samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Baseline {
    /// Always `cargo-perf/baseline`.
    pub schema: String,
    /// The version of the document's form.
    pub schema_version: SchemaVersion,
    /// The label; also the file's name.
    pub version: String,
    /// When it was stored, RFC 3339 in UTC.
    #[serde(rename = "recordedAt")]
    pub recorded_at: String,
    /// The command that measured it, the program first.
    pub command: Vec<String>,
    /// The version of this program.
    pub tool: String,
    /// The two views of every bench: id, then view and unit (`cost_ns`, `felt_ns`), then value.
    pub metrics: BTreeMap<String, BTreeMap<String, f64>>,
    /// How long was to be measured.
    pub duration: MeasuredDuration,
    /// Why several benches share this baseline, in the user's words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expanded: Option<Waiver>,
    /// The environment.
    pub env: Environment,
    /// The benches.
    pub benches: Vec<BenchSeries>,
}

/// How long was to be measured, and who allowed less than sixty seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MeasuredDuration {
    /// Seconds that the samples of each bench must sum to.
    pub required_s: f64,
    /// The approval of less than sixty seconds.
    pub waiver: Option<Waiver>,
}

/// How the measured time of a bench is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Accounting {
    /// The sum of the samples' own times.
    Samples,
    /// The samples count something else than time; the clock of this program ran beside them.
    Wall,
}

/// One bench: its forks, and what they say together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BenchSeries {
    /// Package, target and id.
    pub bench: BenchName,
    /// What ran it.
    pub harness: HarnessKind,
    /// Version of the harness, when it says so.
    pub harness_version: Option<String>,
    /// SHA-256 of the executable.
    pub executable_sha256: String,
    /// The unit of all values, `ns` unless the bench measures something else.
    pub unit: String,
    /// How the measured time is known.
    pub accounting: Accounting,
    /// What one iteration processes.
    pub throughput: Vec<Throughput>,
    /// What was asked of each fork.
    pub plan: ForkPlan,
    /// Settings of the bench that overrode the plan, in words.
    pub overrides: Vec<String>,
    /// Sums over all forks.
    pub totals: Totals,
    /// The low end: 10th percentile over forks of their smallest value per iteration.
    pub cost: View,
    /// What a user feels: median over forks of their median value per iteration.
    pub felt: View,
    /// Each process that was measured.
    pub forks: Vec<Fork>,
    /// Where the raw samples are, when they are not in `forks`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub raw: Option<RawFile>,
}

/// What was asked of each fork.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ForkPlan {
    /// Seconds to measure.
    pub measured_s: f64,
    /// Seconds to warm up.
    pub warm_up_s: f64,
    /// Samples to take.
    pub samples: u32,
}

/// Sums over the forks of a bench. All times are seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Totals {
    /// Processes.
    pub forks: u64,
    /// Measured.
    pub measured_s: f64,
    /// Warmed up, the discarded pilot included.
    pub warm_up_s: f64,
    /// The benchmark's own set-up, before and between samples.
    pub setup_s: f64,
    /// From the first process to the end of the last.
    pub wall_s: f64,
    /// Processor time of all forks over their wall time; a benchmark that sleeps has little.
    pub active_share: f64,
}

/// One number for a bench and how far it can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct View {
    /// The value per iteration, in the bench's unit.
    pub value: f64,
    /// The larger log ratio between even and odd forks and between first and second half; unknown for
    /// fewer than four forks.
    pub deviation: Option<f64>,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fork {
    /// Samples.
    pub count: u64,
    /// Iterations over all samples.
    pub iterations: u64,
    /// Sum of the samples, in the bench's unit.
    pub sum: f64,
    /// Smallest value per iteration.
    pub min: f64,
    /// 5th percentile of the values per iteration.
    pub p5: f64,
    /// Median of the values per iteration.
    pub median: f64,
    /// Sum divided by iterations.
    pub mean: f64,
    /// How iterations were spread over samples.
    pub sampling: Sampling,
    /// Seconds measured.
    pub measured_s: f64,
    /// Seconds warmed up.
    pub warm_up_s: f64,
    /// Seconds of wall time of the process.
    pub wall_s: f64,
    /// What the kernel counted.
    pub noise: ForkNoise,
    /// The raw samples, when they are stored inside.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub samples: Option<CodedSamples>,
}

/// What the kernel counted for a fork.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ForkNoise {
    /// Processor time in user mode, in seconds.
    pub user_s: f64,
    /// Processor time in the kernel, in seconds.
    pub system_s: f64,
    /// Largest resident set, in bytes.
    pub max_rss_bytes: u64,
    /// Page faults that read from disk.
    pub major_faults: u64,
    /// Page faults served without reading from disk.
    pub minor_faults: u64,
    /// Times the processor was given away.
    pub voluntary_switches: u64,
    /// Times the processor was taken away.
    pub involuntary_switches: u64,
    /// Names of processes it left behind, which were ended.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub leftovers: Vec<String>,
}

/// Raw samples in a file beside the baseline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RawFile {
    /// Path relative to the state folder: gzip of a JSON array with one entry per fork.
    pub path: String,
    /// SHA-256 of the compressed file.
    pub sha256: String,
}
