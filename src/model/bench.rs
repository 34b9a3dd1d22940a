//! Benches: the executables a workspace builds for measuring, and the single benchmarks inside them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// What runs the benchmarks inside a bench executable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HarnessKind {
    /// The criterion crate.
    Criterion,
    /// The divan crate.
    Divan,
    /// The test crate of the compiler.
    Libtest,
    /// A `main` that uses the crate perf-harness.
    PerfHarness,
    /// A `main` of its own, which may do anything when it is run.
    Custom,
    /// A command that is no bench of a cargo workspace.
    External,
}

/// How much of what a benchmark measures reaches a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Every sample, as it was taken.
    #[default]
    Samples,
    /// Fastest, median and mean of each fork, in four digits.
    Table,
    /// One median per fork, of measurements whose number is not told.
    Median,
    /// The numbers that the program itself computes and prints.
    Metrics,
}

impl Precision {
    /// What it means, in a few words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Samples => "every sample",
            Self::Table => "four digits per fork",
            Self::Median => "one median per fork",
            Self::Metrics => "the program's own numbers",
        }
    }
}

impl HarnessKind {
    /// Its name in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Criterion => "criterion",
            Self::Divan => "divan",
            Self::Libtest => "libtest",
            Self::PerfHarness => "perf-harness",
            Self::Custom => "custom",
            Self::External => "external",
        }
    }

    /// The precision of what it tells.
    pub fn precision(self) -> Precision {
        match self {
            Self::Criterion | Self::PerfHarness => Precision::Samples,
            Self::Divan => Precision::Table,
            Self::Libtest => Precision::Median,
            Self::Custom | Self::External => Precision::Metrics,
        }
    }

    /// Whether it keeps the contract of programs, by which it hears its load and prints its metrics.
    pub fn is_program(self) -> bool {
        matches!(self, Self::External | Self::Custom | Self::PerfHarness)
    }
}

/// A bench target of a package, as its manifest declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BenchTarget {
    /// Package name.
    pub package: String,
    /// The id by which cargo names the package in its messages.
    pub package_id: String,
    /// Package version.
    pub package_version: String,
    /// Target name, as `cargo bench --bench` takes it.
    pub target: String,
    /// The folder of the package's manifest, where its benches run.
    pub manifest_dir: PathBuf,
    /// The file in which its source begins.
    pub source: PathBuf,
    /// What the manifest says about the harness, before anything is built.
    pub declared: DeclaredHarness,
    /// Features the target requires that are not enabled.
    pub missing_features: Vec<String>,
    /// The variables cargo derives from the manifest for everything it runs (`CARGO_PKG_*` and kin).
    pub package_env: Vec<(String, String)>,
}

/// What can be known about a harness from manifests alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeclaredHarness {
    /// `harness = true`, the default: the compiler's own.
    Libtest,
    /// `harness = false`, and the package depends on a known harness crate.
    Likely(HarnessKind),
    /// `harness = false`, and nothing says more.
    Unknown,
}

impl BenchTarget {
    /// Whether it can be built with the enabled features.
    pub fn is_buildable(&self) -> bool {
        self.missing_features.is_empty()
    }
}

/// A bench target that has been built.
#[derive(Debug, Clone)]
pub struct BuiltBench {
    /// Where it comes from.
    pub target: BenchTarget,
    /// The executable cargo made.
    pub executable: PathBuf,
    /// What runs inside, found in the executable.
    pub harness: HarnessKind,
    /// Variables that come from the build: of the package's build script, and where its programs are.
    pub build_env: Vec<(String, String)>,
    /// Folders with dynamic libraries that the build script linked against.
    pub library_paths: Vec<PathBuf>,
}

/// One benchmark, the thing that gets measured.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct BenchName {
    /// Package name; an external benchmark belongs to none.
    pub package: Option<String>,
    /// Target name; an external benchmark belongs to none.
    pub target: Option<String>,
    /// The full id inside the executable, or the id of the external benchmark.
    pub id: String,
}

impl BenchName {
    /// The name of a benchmark inside a bench target.
    pub fn within(target: &BenchTarget, id: String) -> Self {
        Self { package: Some(target.package.clone()), target: Some(target.target.clone()), id }
    }

    /// The name of an external benchmark.
    pub fn external(id: impl Into<String>) -> Self {
        Self { package: None, target: None, id: id.into() }
    }

    /// Package, target and id in one word, for places where ids alone could be mistaken.
    pub fn path(&self) -> String {
        let parts = [self.package.as_deref(), self.target.as_deref(), Some(self.id.as_str())];
        parts.into_iter().flatten().collect::<Vec<_>>().join("/")
    }
}

impl fmt::Display for BenchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.target, &self.package) {
            (Some(target), Some(package)) => write!(f, "{} ({target} of {package})", self.id),
            _ => f.write_str(&self.id),
        }
    }
}

/// How much one iteration processes, as the benchmark declares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Throughput {
    /// `bytes`, `bytes_decimal`, `bits`, `elements`.
    pub kind: String,
    /// Amount per iteration.
    pub amount: u64,
}

/// A benchmark inside a bench executable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Benchmark {
    /// Its name.
    pub name: BenchName,
    /// What runs it.
    pub harness: HarnessKind,
    /// Version of the harness, when it says so.
    pub harness_version: Option<String>,
    /// What one iteration processes; empty when it does not say.
    pub throughput: Vec<Throughput>,
}
