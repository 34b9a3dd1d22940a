//! What the condition of a search compares with: the values of a stored baseline, of this machine and this
//! toolchain, or those that are measured first.

use super::load::{Compared, Load};
use super::session::Session;
use super::within::Within;
use crate::condition::Condition;
use crate::failure::{Failure, FailureKind};
use crate::investigation::control::expect_comparable;
use crate::lab::bisecting::{Reference, noise_of_mean};
use crate::model::baseline::Baseline;
use crate::model::bench::BenchName;
use crate::model::environment::Environment;
use crate::model::label::VersionLabel;
use crate::model::metric::MetricValues;
use crate::store::baselines;

/// What a condition compares with, before anything is measured.
#[derive(Debug)]
pub enum Against {
    /// With nothing.
    Nothing,
    /// With what is measured first.
    MeasuredFirst,
    /// With what is stored.
    Stored {
        /// It.
        baseline: Box<Baseline>,
        /// Its values of the benchmark.
        reference: Reference,
    },
}

impl Against {
    /// What the condition of `load` compares with, for the benchmark `name`.
    ///
    /// # Errors
    /// `Blocked` where there is no such baseline, or none with these metrics.
    pub fn find(
        load: &Load,
        name: &BenchName,
        session: &Session,
        within: Option<&Within>,
    ) -> Result<Self, Failure> {
        let Some(condition) = load.condition.as_ref().filter(|one| one.uses_baseline()) else {
            return Ok(Self::Nothing);
        };
        let version = match &load.compared {
            Compared::At(_) => return Ok(Self::MeasuredFirst),
            Compared::Stored(version) => version.clone(),
            Compared::Usual => of_investigation(within)?,
        };
        let baseline = baselines::load(&session.layout, &VersionLabel::new(&version)?)?;
        let series = baseline.benches.iter().find(|series| series.bench == *name);
        let series = series.ok_or_else(|| lacks(&version, name))?;
        let values = series.values();
        expect_named(condition, &values, &version)?;
        let compared = condition.baseline_names();
        let noises = compared.iter().filter_map(|name| noise_of_mean(&series.runs_of(name)));
        let reference = Reference { values, noise: noises.reduce(f64::max) };
        Ok(Self::Stored { baseline: Box::new(baseline), reference })
    }

    /// The values, where they are known already; refused when they were measured elsewhere than `now`, or built
    /// otherwise where cargo `builds` what is searched.
    ///
    /// # Errors
    /// `Rule`, naming in what the machine or the toolchain differs.
    pub fn reference(self, now: &Environment, builds: bool) -> Result<Option<Reference>, Failure> {
        match self {
            Self::Nothing => Ok(Some(Reference::default())),
            Self::MeasuredFirst => Ok(None),
            Self::Stored { baseline, reference } => {
                expect_comparable(&baseline, now, builds)?;
                Ok(Some(reference))
            }
        }
    }
}

fn of_investigation(within: Option<&Within>) -> Result<String, Failure> {
    let stored = within.and_then(|within| within.investigation().baseline());
    stored.map(|stored| stored.version.clone()).ok_or_else(|| {
        Failure::new(FailureKind::Blocked, "the condition compares with a baseline, and none was named")
            .hint("name a stored one with --baseline VERSION, or measure one first with --baseline-at NUMBER")
    })
}

fn lacks(version: &str, name: &BenchName) -> Failure {
    Failure::new(FailureKind::Blocked, format!("the baseline {version} holds no {name}")).hint(
        "measure it with `cargo perf baseline`, or compare with what is measured first: --baseline-at NUMBER",
    )
}

/// Refuses a stored baseline without the metrics that the condition compares with.
fn expect_named(condition: &Condition, values: &MetricValues, version: &str) -> Result<(), Failure> {
    let known: Vec<String> = values.iter().map(|(name, _)| name.to_string()).collect();
    match condition.baseline_names().into_iter().find(|name| !known.contains(name)) {
        None => Ok(()),
        Some(name) => Err(Failure::new(
            FailureKind::Blocked,
            format!("the baseline {version} holds no {name}; it holds {}", known.join(", ")),
        )
        .hint("measure it again with `cargo perf baseline`")),
    }
}
