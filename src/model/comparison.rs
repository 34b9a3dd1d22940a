//! A comparison of two sides: everything that was measured, and the verdicts that follow from it.

use super::baseline::{Accounting, Fork, ForkPlan, MeasuredDuration, Totals};
use super::bench::{BenchName, HarnessKind, Precision};
use super::environment::{Build, Environment};
use super::format::SchemaVersion;
use super::metric::{Direction, MetricName, MetricSpec};
use super::noise::Block;
use super::verdict::{Effect, Modes, Terms, Verdict, ViewName, Why};
use super::waiver::Waiver;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name of the document's schema.
pub const SCHEMA: &str = "cargo-perf/comparison";

/// One thing for each side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sides<T> {
    /// Of the side that is compared with.
    pub base: T,
    /// Of the side that is judged.
    pub candidate: T,
}

/// Which side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SideName {
    /// The side that is compared with.
    Base,
    /// The side that is judged.
    Candidate,
}

impl SideName {
    /// Both, the base first.
    pub const BOTH: [Self; 2] = [Self::Base, Self::Candidate];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Candidate => "candidate",
        }
    }

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Base => Self::Candidate,
            Self::Candidate => Self::Base,
        }
    }
}

impl<T> Sides<T> {
    /// What `make` makes for each side, the base first.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn try_make<E>(mut make: impl FnMut(SideName) -> Result<T, E>) -> Result<Self, E> {
        Ok(Self { base: make(SideName::Base)?, candidate: make(SideName::Candidate)? })
    }

    /// That of one side.
    pub fn of(&self, side: SideName) -> &T {
        match side {
            SideName::Base => &self.base,
            SideName::Candidate => &self.candidate,
        }
    }

    /// That of one side, to be changed.
    pub fn of_mut(&mut self, side: SideName) -> &mut T {
        match side {
            SideName::Base => &mut self.base,
            SideName::Candidate => &mut self.candidate,
        }
    }

    /// References to both.
    pub fn as_ref(&self) -> Sides<&T> {
        Sides { base: &self.base, candidate: &self.candidate }
    }

    /// Both, changed alike.
    pub fn map<U>(self, mut to: impl FnMut(T) -> U) -> Sides<U> {
        Sides { base: to(self.base), candidate: to(self.candidate) }
    }
}

/// Everything that a verdict follows from, and the verdicts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// Always `cargo-perf/comparison`.
    pub schema: String,
    /// The version of the document's form.
    pub schema_version: SchemaVersion,
    /// The run that measured it.
    pub id: String,
    /// When it was stored, RFC 3339 in UTC.
    #[serde(rename = "recordedAt")]
    pub recorded_at: String,
    /// The command that measured it, the program first.
    pub command: Vec<String>,
    /// The version of this program.
    pub tool: String,
    /// What was compared.
    pub sides: Sides<Side>,
    /// How sure verdicts have to be, and of what.
    pub terms: Terms,
    /// Decides the order within pairs.
    pub seed: u64,
    /// How long each side was to be measured.
    pub duration: MeasuredDuration,
    /// Why several benches were compared at once, in the user's words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expanded: Option<Waiver>,
    /// Why a machine that is too noisy was accepted, in the user's words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub noise_accepted: Option<Waiver>,
    /// The environment. Its build is that of the candidate.
    pub env: Environment,
    /// What should be known beside the verdicts, in words.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub notes: Vec<String>,
    /// Benches that were not compared.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub left_out: Vec<LeftOut>,
    /// The benches that were compared.
    pub benches: Vec<ComparedBench>,
}

/// One side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Side {
    /// What it is called: a revision as the user named it, `work tree`, a baseline.
    pub name: String,
    /// The commit that was checked out, in full.
    pub commit: String,
    /// Its tree, in full: equal for equal sources.
    pub tree: String,
    /// For a snapshot of the work tree, or of a patch: the commit that it was made onto.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub onto: Option<String>,
    /// How it was built.
    pub build: Build,
}

/// A bench that was not compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftOut {
    /// The bench.
    pub bench: BenchName,
    /// Why, in words.
    pub why: String,
}

/// One bench: its pairs, and what they say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedBench {
    /// Package, target and id.
    pub bench: BenchName,
    /// What ran it.
    pub harness: HarnessKind,
    /// How much of what it measured is here.
    pub precision: Precision,
    /// SHA-256 of the executables; equal ones are the same program.
    pub executable_sha256: Sides<Option<String>>,
    /// Whether the source of the bench itself differs between the sides: then it may measure something else.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub source_differs: bool,
    /// The unit of both views and of all samples, `ns` unless the bench measures something else.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unit: Option<String>,
    /// How the measured time is known.
    pub accounting: Accounting,
    /// The view that decides.
    pub view: ViewName,
    /// What is declared of the metrics that it computes itself, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub metrics: BTreeMap<String, MetricSpec>,
    /// What was asked of each fork.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub plan: Option<ForkPlan>,
    /// The first series.
    pub series: PairedSeries,
    /// The series that was measured because the first one says that something changed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub confirmation: Option<PairedSeries>,
    /// What they say: one verdict, or one for each metric that the program computes.
    pub verdicts: Vec<BenchVerdict>,
}

/// Pairs of neighbours in time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PairedSeries {
    /// In the order in which they were measured.
    pub pairs: Vec<Pair>,
    /// How many pairs had been measured at each look at the result; those set aside are among them.
    pub looks: Vec<u64>,
    /// Sums over the forks of each side.
    pub totals: Sides<Totals>,
    /// What the machine did beside, about every five seconds.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub blocks: Vec<Block>,
}

/// Two forks, one of each side, one right after the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pair {
    /// The side that came first.
    pub first: SideName,
    /// The fork of each side.
    #[serde(flatten)]
    pub forks: Sides<Fork>,
}

impl Pair {
    /// Whether it counts: neither fork was set aside.
    pub fn counts(&self) -> bool {
        self.forks.base.counts() && self.forks.candidate.counts()
    }
}

/// What became of one number of a bench.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BenchVerdict {
    /// The metric; absent for the time per iteration.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub metric: Option<MetricName>,
    /// The unit of the metric, as declared.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unit: Option<String>,
    /// Which way it improves.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub better: Option<Direction>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is inconclusive.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why: Option<Why>,
    /// What each view says, that which decides first.
    pub views: Vec<ViewVerdict>,
    /// Where a side takes one of two values in the view that decides.
    #[serde(skip_serializing_if = "has_one_mode", default)]
    pub modes: Sides<Option<Modes>>,
    /// What the first series says, where a second one was measured.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first: Option<ViewVerdict>,
}

/// What one view says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ViewVerdict {
    /// Which view.
    pub view: ViewName,
    /// What it says for itself.
    pub verdict: Verdict,
    /// The value of each side over its forks.
    pub values: Sides<f64>,
    /// The effect, when there are enough pairs for an interval.
    pub effect: Option<Effect>,
    /// The smallest effect that would be found in nine of ten such measurements, in percent.
    pub detectable_percent: Option<f64>,
    /// How likely signed ranks at least so lopsided are when there is no effect.
    pub p: f64,
    /// Pairs that count.
    pub pairs: u64,
}

fn has_one_mode(modes: &Sides<Option<Modes>>) -> bool {
    modes.base.is_none() && modes.candidate.is_none()
}
