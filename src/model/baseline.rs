//! A stored baseline: the document `baselines/<version>.json`.

use super::bench::{BenchName, HarnessKind, Precision, Throughput};
use super::duration::RunDuration;
use super::environment::Environment;
use super::format::SchemaVersion;
use super::metric::{Aggregate, Direction, MetricName, MetricValues};
use super::noise::{Block, Cause, ForkEvidence};
use super::samples::{CodedSamples, Sampling};
use super::waiver::Waiver;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name of the document's schema.
pub const SCHEMA: &str = "cargo-perf/baseline";

/// A process that computes for less than this share of its time mostly waits.
const PADDED_BELOW: f64 = 0.1;

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
    /// The results of every bench: id, then view and unit (`cost_ns`, `felt_ns`) or the program's own
    /// metrics, then value.
    pub metrics: BTreeMap<String, MetricValues>,
    /// How long was to be measured.
    pub duration: MeasuredDuration,
    /// Why several benches share this baseline, in the user's words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expanded: Option<Waiver>,
    /// Why a series that disagrees with itself was stored all the same, in the user's words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub noise_accepted: Option<Waiver>,
    /// Whether a bench computes for less than a tenth of its time: then its numbers are mostly those of
    /// waiting, and later phases refuse it.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub padded: bool,
    /// The environment.
    pub env: Environment,
    /// The benches.
    pub benches: Vec<BenchSeries>,
}

impl BenchSeries {
    /// What its runs came to, of the number that conditions call `name`: forks have a low end and a median.
    pub fn runs_of(&self, name: &str) -> Vec<f64> {
        let forks = counting(&self.forks);
        match name {
            "cost" => forks.filter_map(|fork| fork.min.or(fork.median)).collect(),
            "felt" => forks.filter_map(|fork| fork.median).collect(),
            _ => self
                .metrics
                .iter()
                .find(|metric| metric.full_name().to_string() == name)
                .map_or_else(Vec::new, |metric| metric.values.clone()),
        }
    }

    /// Its values, named as conditions name them.
    pub fn values(&self) -> MetricValues {
        let mut values = MetricValues::default();
        for (name, view) in [("cost", self.cost), ("felt", self.felt)] {
            values.flat.extend(view.map(|view| (name.to_owned(), view.value)));
        }
        for metric in &self.metrics {
            values.set(&metric.full_name(), metric.value);
        }
        values
    }

    /// Whether it computes for less than a tenth of its time, and waits for the rest.
    pub fn is_padded(&self) -> bool {
        self.totals.active_share < PADDED_BELOW
    }
}

/// How long was to be measured, and who allowed less than sixty seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MeasuredDuration {
    /// Seconds that the samples of each bench must sum to.
    pub required_s: f64,
    /// The approval of less than sixty seconds.
    pub waiver: Option<Waiver>,
}

impl From<&RunDuration> for MeasuredDuration {
    fn from(duration: &RunDuration) -> Self {
        Self { required_s: duration.measured().as_secs_f64(), waiver: duration.waiver().cloned() }
    }
}

/// How the measured time of a bench is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Accounting {
    /// The sum of the samples' own times.
    Samples,
    /// The clock of this program: of samples that count something else than time, or of a whole process
    /// that does not tell its samples.
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
    /// How much of what it measured is here.
    #[serde(default)]
    pub precision: Precision,
    /// SHA-256 of the executable; of an external benchmark that of the program its command starts.
    pub executable_sha256: Option<String>,
    /// The command of an external benchmark, the program first.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub command: Option<Vec<String>>,
    /// How often the program ran and for how long, when it computes its metrics itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub runs: Option<ProgramRuns>,
    /// The load it was measured at, as the program was told.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub parameter: Option<String>,
    /// The unit of both views and of all samples, `ns` unless the bench measures something else.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unit: Option<String>,
    /// How the measured time is known.
    pub accounting: Accounting,
    /// What one iteration processes.
    pub throughput: Vec<Throughput>,
    /// What was asked of each fork.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub plan: Option<ForkPlan>,
    /// What the bench did otherwise than it was asked, in words.
    pub overrides: Vec<String>,
    /// Sums over all forks.
    pub totals: Totals,
    /// The low end: 10th percentile over forks of their smallest value per iteration.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cost: Option<View>,
    /// What a user feels: median over forks of their median value per iteration.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub felt: Option<View>,
    /// The metrics that the program computes itself.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub metrics: Vec<MetricSeries>,
    /// What the measured thread allocated, when the bench counts it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub allocations: Option<Allocations>,
    /// Each process that was measured.
    pub forks: Vec<Fork>,
    /// What the machine did beside, about every five seconds.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub blocks: Vec<Block>,
    /// Series that disagreed with themselves and were measured again, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub rejected: Vec<RejectedSeries>,
    /// Where the raw samples are, when they are not in `forks`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub raw: Option<RawFile>,
}

/// How often a program ran and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "mode", rename_all = "lowercase")]
pub enum ProgramRuns {
    /// Once, after a warm-up run that does not count.
    Duration {
        /// Seconds it was asked to measure.
        asked_s: f64,
        /// Seconds it was asked to warm up inside that run, on top.
        warm_up_s: f64,
    },
    /// Several times from start to end, after one run that does not count.
    Oneshot {
        /// Runs that count.
        runs: u32,
        /// How they become one value.
        aggregate: Aggregate,
    },
}

/// One metric over the runs of a program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricSeries {
    /// The scenario it belongs to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub scenario: Option<String>,
    /// Its name.
    pub name: String,
    /// Its unit, as declared.
    pub unit: Option<String>,
    /// Which way it improves, as declared.
    pub better: Option<Direction>,
    /// The value of all runs together.
    pub value: f64,
    /// The largest distance of a run from the median, as a share of it; unknown for a single run, and
    /// where the median is zero while others are not.
    pub deviation: Option<f64>,
    /// The value of each run.
    pub values: Vec<f64>,
}

impl MetricSeries {
    /// Its name within a run.
    pub fn full_name(&self) -> MetricName {
        MetricName { scenario: self.scenario.clone(), name: self.name.clone() }
    }

    /// Whether it is zero in the middle of its runs and not in all of them: then no distance is a share.
    pub fn is_zero_at_times(&self) -> bool {
        self.deviation.is_none() && self.values.len() > 1
    }
}

/// What the measured thread allocated over all forks: exact counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Allocations {
    /// Iterations during which it was counted.
    pub iterations: u64,
    /// Allocations.
    pub allocations: u64,
    /// Bytes allocated.
    pub bytes: u64,
}

impl Allocations {
    /// Allocations and bytes of one iteration; `None` when there was none.
    pub fn per_iteration(&self) -> Option<(f64, f64)> {
        let iterations = (self.iterations > 0).then_some(self.iterations as f64)?;
        Some((self.allocations as f64 / iterations, self.bytes as f64 / iterations))
    }
}

/// A series that was measured again, kept as it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RejectedSeries {
    /// Why, in words.
    pub reason: String,
    /// What probably disturbed it.
    pub cause: Cause,
    /// As in the series that counts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cost: Option<View>,
    /// As in the series that counts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub felt: Option<View>,
    /// As in the series that counts.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub metrics: Vec<MetricSeries>,
    /// As in the series that counts.
    pub totals: Totals,
    /// As in the series that counts.
    pub forks: Vec<Fork>,
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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

/// One process. What its harness does not tell is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fork {
    /// Samples.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub count: Option<u64>,
    /// Iterations over all samples.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub iterations: Option<u64>,
    /// Sum of the samples, in the bench's unit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sum: Option<f64>,
    /// Smallest value per iteration.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub min: Option<f64>,
    /// 5th percentile of the values per iteration.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub p5: Option<f64>,
    /// Median of the values per iteration.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub median: Option<f64>,
    /// Sum divided by iterations.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mean: Option<f64>,
    /// How iterations were spread over samples.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sampling: Option<Sampling>,
    /// The metrics that the program printed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub metrics: Option<MetricValues>,
    /// Seconds measured.
    pub measured_s: f64,
    /// Seconds warmed up.
    pub warm_up_s: f64,
    /// Seconds of wall time of the process.
    pub wall_s: f64,
    /// What the kernel counted.
    pub noise: ForkNoise,
    /// What disturbed it so much that another fork was measured in its place; it counts in nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub set_aside: Option<Cause>,
    /// The raw samples, when they are stored inside.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub samples: Option<CodedSamples>,
}

impl Fork {
    /// Whether it counts: nothing disturbed it so much that another one was measured in its place.
    pub fn counts(&self) -> bool {
        self.set_aside.is_none()
    }
}

/// The forks that count.
pub fn counting(forks: &[Fork]) -> impl Iterator<Item = &Fork> + Clone {
    forks.iter().filter(|fork| fork.counts())
}

/// What the kernel counted for a fork.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// What the machine did beside it.
    #[serde(flatten)]
    pub evidence: ForkEvidence,
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
