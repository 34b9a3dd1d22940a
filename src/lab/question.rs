//! What a search for a breaking point is asked, kept in front of its probes: it goes on only with the same. How
//! many probes and how much time it may take is not part of that, so that more can be granted.

use super::bisecting::{Bisecting, Reference};
use super::catalogue::Program;
use super::program::external_sha256;
use crate::failure::Failure;
use crate::model::bench::BenchName;
use crate::model::environment::{Identity, Machine};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadQuestion {
    program: AskedProgram,
    load: AskedLoad,
    judging: AskedJudging,
    /// The values that the condition compares with, and where they come from.
    pub baseline: Reference,
    origin: String,
    sources: Option<String>,
    place: AskedPlace,
}

/// What is started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct AskedProgram {
    bench: BenchName,
    command: Option<Vec<String>>,
    directory: Option<PathBuf>,
    warm_up: Option<Duration>,
    sha256: Option<String>,
    /// The units in which its metrics are read.
    units: BTreeMap<String, Option<String>>,
}

/// The loads, and how long each is probed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct AskedLoad {
    variable: Option<String>,
    /// The smallest value, the largest, and the one behind the smallest.
    values: [String; 3],
    beyond: Option<String>,
    linear: bool,
    probe_s: f64,
    finish_s: f64,
}

/// What has to hold, and how certain the answer is to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct AskedJudging {
    condition: Option<String>,
    infra_exits: Vec<i32>,
    tolerance: f64,
    confidence: f64,
    ramp: f64,
    sentinels: usize,
}

/// The project, the investigation in it, and the machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct AskedPlace {
    root: PathBuf,
    #[serde(default)]
    investigation: Option<String>,
    identity: Identity,
    machine: Machine,
}

impl LoadQuestion {
    /// What `order` asks of `sources`, for an investigation or for none, on a machine.
    pub fn of(
        order: &Bisecting<'_>,
        origin: &str,
        (root, investigation): (&Path, Option<&str>),
        sources: Option<String>,
        (identity, machine): (Identity, Machine),
    ) -> Self {
        let Bisecting { probing, parameter, settings, probe, .. } = *order;
        let terms = probing.terms;
        let external = probing.entry.as_external();
        let sha256 = match &probing.entry.program {
            Program::Bench(prepared) => Some(prepared.sha256.clone()),
            Program::External(external) => external_sha256(external),
        };
        let units = terms.declared.iter().map(|(name, spec)| (name.clone(), spec.unit.clone()));
        let program = AskedProgram {
            bench: probing.entry.benchmark.name.clone(),
            command: external.map(|external| external.argv.clone()),
            directory: external.map(|external| external.directory.clone()),
            warm_up: external.and_then(|external| external.warm_up),
            sha256,
            units: units.collect(),
        };
        Self {
            program,
            load: AskedLoad {
                variable: probing.variable.map(str::to_owned),
                values: [parameter.min, parameter.max, parameter.min + 1].map(|load| parameter.text(load)),
                beyond: parameter.beyond.map(|load| parameter.text(load)),
                linear: settings.linear,
                probe_s: probe.measured().as_secs_f64(),
                finish_s: probe.of_finish().as_secs_f64(),
            },
            judging: AskedJudging {
                condition: terms.condition.map(ToString::to_string),
                infra_exits: terms.infra_exits.to_vec(),
                tolerance: settings.tolerance,
                confidence: settings.confidence,
                ramp: settings.ramp,
                sentinels: settings.sentinels,
            },
            baseline: Reference { values: terms.baseline.clone(), noise: order.baseline_noise },
            origin: origin.to_owned(),
            sources,
            place: AskedPlace {
                root: root.to_path_buf(),
                investigation: investigation.map(str::to_owned),
                identity,
                machine,
            },
        }
    }

    /// Whether it asks of this benchmark of the project at `root`, for the same investigation or for none.
    pub fn is_of(&self, bench: &BenchName, root: &Path, investigation: Option<&str>) -> bool {
        let place = &self.place;
        self.program.bench == *bench && place.root == root && place.investigation.as_deref() == investigation
    }

    /// In what `self` is another question than `kept`, in words; `None` when it is the same.
    fn differs_from(&self, kept: &Self) -> Option<&'static str> {
        let same = [
            (self.program.bench == kept.program.bench, "another benchmark"),
            (self.program == kept.program, "another command, or another build of it"),
            (self.judging.condition == kept.judging.condition, "another condition"),
            (self.load == kept.load, "other loads, or another length"),
            (self.judging == kept.judging, "another certainty"),
            (self.origin == kept.origin && self.baseline == kept.baseline, "another baseline"),
            (self.sources == kept.sources, "other sources"),
            (self.place == kept.place, "another machine"),
        ];
        same.into_iter().find_map(|(same, what)| (!same).then_some(what))
    }

    /// Refuses to go on behind the probes of another question.
    ///
    /// # Errors
    /// `Usage`, naming in what it is another.
    pub fn expect_same(&self, kept: &Self) -> Result<(), Failure> {
        match self.differs_from(kept) {
            None => Ok(()),
            Some(what) => Err(Failure::usage(format!("the search that was interrupted asked of {what}"))
                .hint("ask the same again, or leave --resume away to search anew")),
        }
    }
}
