//! The state of an investigation: the document `investigation.json`, and what may happen next in it.
//!
//! Keys that the format had from its beginning keep their names. What this version does not know stays
//! where it is, in `other`, and is written back.

use super::baseline::Baseline;
use super::bench::{BenchName, HarnessKind};
use super::decision::{AnyDecision, Course, Decision};
use super::experiment::{AnyExperiment, Experiment, ExperimentStatus, Filed};
use super::load::LoadTerms;
use super::metric::{Aggregate, Direction};
use super::outcome::{Phase, Status};
use super::record::{Approval, Approved, PhaseRecord, ResultFile};
use super::search::{AnyBreakingPoint, AnyProbe, BreakingPoint, ProbeRecord};
use super::waiver::Waiver;
use crate::failure::{Failure, FailureKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The version of the document that is written; larger ones are read only.
pub const SCHEMA_VERSION: u64 = 1;

/// Longest id; with an extension it fits every file system.
const LONGEST_ID: usize = 100;

/// One performance question on its way through the ten phases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Investigation {
    /// Always 1; later versions of the format count on.
    pub schema_version: u64,
    /// Its name, also that of its log: `perf-YYYYMMDD-HHMMSS-` and eight hexadecimal digits, or as given.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9._-]*$"))]
    pub id: String,
    /// Whether it goes on.
    pub status: Status,
    /// The phase that comes next, or the last one when it is complete.
    pub phase: Phase,
    /// RFC 3339 in UTC.
    pub created_at: String,
    /// RFC 3339 in UTC.
    pub updated_at: String,
    /// What is asked.
    pub scenario: Scenario,
    /// The baselines that were measured, oldest first.
    #[serde(default)]
    pub baselines: Vec<BaselineRecord>,
    /// At most five at a time, with their evidence.
    #[serde(default)]
    pub hypotheses: Vec<Value>,
    /// Candidate files and symbols.
    #[serde(default)]
    pub code_paths: Vec<Value>,
    /// Changes that were tried.
    #[serde(default)]
    pub experiments: Vec<AnyExperiment>,
    /// Results of experiments.
    #[serde(default)]
    pub results: Vec<Value>,
    /// The smallest failing load.
    #[serde(default)]
    pub breaking_point: Option<AnyBreakingPoint>,
    /// Every probe of the load search.
    #[serde(default)]
    pub breaking_point_history: Vec<AnyProbe>,
    /// Results under limits.
    #[serde(default)]
    pub constraint_results: Vec<Value>,
    /// Profiles and hotspots.
    #[serde(default)]
    pub profiling_results: Vec<Value>,
    /// Continue or stop, and why.
    #[serde(default)]
    pub decision: Option<AnyDecision>,
    /// What is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub benchmark: Option<BenchmarkRecord>,
    /// The request that started it, word for word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
    /// What was done, oldest first; a phase that was repeated has several records.
    #[serde(default)]
    pub phases: Vec<PhaseRecord>,
    /// What was approved against a rule.
    #[serde(default)]
    pub approvals: Vec<Approval>,
    /// Counts the changes of this document.
    #[serde(rename = "_version", default)]
    pub revision: u64,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What is asked, in words and in numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scenario {
    /// In words.
    pub description: String,
    /// What every metric means that will be judged.
    pub metrics: Vec<MetricTerm>,
    /// The condition under which the question is answered, in the language of conditions.
    pub success_criteria: String,
    /// Named variants with their parameters.
    #[serde(default)]
    pub scenarios: Vec<Variant>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A metric and what it means.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "AnyMetric")]
pub struct MetricTerm {
    /// Its name; that of a scenario's metric is `scenario/metric`.
    pub name: String,
    /// Its unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Which way it improves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub better: Option<Direction>,
    /// How it is computed from what was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistic: Option<String>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Older files name a metric and say nothing more.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum AnyMetric {
    Name(String),
    Term {
        name: String,
        unit: Option<String>,
        better: Option<Direction>,
        statistic: Option<String>,
        #[serde(flatten)]
        other: Map<String, Value>,
    },
}

impl From<AnyMetric> for MetricTerm {
    fn from(any: AnyMetric) -> Self {
        match any {
            AnyMetric::Name(name) => Self { name, ..Self::default() },
            AnyMetric::Term { name, unit, better, statistic, other } => {
                Self { name, unit, better, statistic, other }
            }
        }
    }
}

/// A named variant of the scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Variant {
    /// Its name.
    pub name: String,
    /// Its parameters, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Map<String, Value>>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What is measured, and how it is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BenchmarkRecord {
    /// As one would type it.
    pub command: String,
    /// The version label of its baseline.
    pub version: String,
    /// Seconds that its samples must sum to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
    /// Runs from start to end instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<u32>,
    /// How the runs become one value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregate: Option<Aggregate>,
    /// The flags of `cargo perf` that choose it.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// Package, target and id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bench: Option<BenchName>,
    /// What runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub harness: Option<HarnessKind>,
    /// The program and its arguments, when it is a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argv: Option<Vec<String>>,
    /// Where it runs, relative to the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The names of the variables that are set for it; values may be secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// SHA-256 of the executable when it was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executable_sha256: Option<String>,
    /// Which loads may be searched for its breaking point, and what has to hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<LoadTerms>,
    /// What it printed or took when it was tried, by metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tried: Option<Value>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A baseline that was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BaselineRecord {
    /// Its version label.
    pub version: String,
    /// Its file, relative to the root.
    pub file: String,
    /// RFC 3339 in UTC.
    pub recorded_at: String,
    /// SHA-256 over the sources that it was measured on, state files aside; absent when they are in no commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<String>,
    /// Whether the benchmark mostly waits, so that its numbers are not those of work.
    #[serde(default)]
    pub padded: bool,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What a phase changes in the state, besides its own record.
#[derive(Debug)]
pub enum Effect {
    /// Setup settles the terms.
    Terms(Box<Terms>),
    /// A baseline is measured.
    Baseline(Box<Baseline>),
    /// The smallest failing load was searched.
    BreakingPoint {
        /// What was found.
        found: Box<BreakingPoint>,
        /// Every attempt at a probe, oldest first.
        probes: Vec<ProbeRecord>,
    },
    /// A change was tried.
    Experiment {
        /// The experiment with its verdict.
        experiment: Box<Experiment>,
        /// Its comparison, to be kept beside the state.
        file: Filed,
    },
    /// It was decided whether to go on.
    Decision(Box<Decision>),
    /// What is left is one baseline.
    Consolidation {
        /// It.
        baseline: Box<Baseline>,
        /// Whether it has new numbers, and is not the one that is stored.
        is_new: bool,
    },
    /// The phase is left out.
    Skip(Waiver),
}

/// What setup settles.
#[derive(Debug, Clone)]
pub struct Terms {
    /// What is asked.
    pub scenario: Scenario,
    /// What is measured.
    pub benchmark: BenchmarkRecord,
    /// The request, word for word.
    pub quote: String,
}

impl Investigation {
    /// A new investigation that has done nothing.
    pub fn new(id: &str, now: &str) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            id: id.to_owned(),
            status: Status::InProgress,
            phase: Phase::Setup,
            created_at: now.to_owned(),
            updated_at: now.to_owned(),
            scenario: Scenario::default(),
            baselines: Vec::new(),
            hypotheses: Vec::new(),
            code_paths: Vec::new(),
            experiments: Vec::new(),
            results: Vec::new(),
            breaking_point: None,
            breaking_point_history: Vec::new(),
            constraint_results: Vec::new(),
            profiling_results: Vec::new(),
            decision: None,
            benchmark: None,
            quote: None,
            phases: Vec::new(),
            approvals: Vec::new(),
            revision: 0,
            other: Map::new(),
        }
    }

    /// Whether it goes on.
    pub fn is_live(&self) -> bool {
        self.status != Status::Complete
    }

    /// The latest record of a phase that still counts: a decision to go on opens the phases of experiment and decision
    /// again, and an experiment or a baseline opens those that rest on it.
    pub fn record(&self, phase: Phase) -> Option<&PhaseRecord> {
        let behind = |is_last: &dyn Fn(&PhaseRecord) -> bool| {
            self.phases.iter().rposition(is_last).map_or(0, |at| at + 1)
        };
        let from = match phase {
            Phase::Optimization => behind(&|record| record.decided == Some(Course::Continue)),
            Phase::Decision | Phase::Consolidation => behind(&|record| {
                record.decided == Some(Course::Continue)
                    || matches!(record.phase, Phase::Baseline | Phase::Optimization)
            }),
            _ => 0,
        };
        self.phases[from..].iter().rev().find(|record| record.phase == phase)
    }

    /// The experiments that this program has made, oldest first.
    pub fn own_experiments(&self) -> impl DoubleEndedIterator<Item = &Experiment> {
        self.experiments.iter().filter_map(AnyExperiment::ours)
    }

    /// What was decided, when this program understands it.
    pub fn own_decision(&self) -> Option<&Decision> {
        self.decision.as_ref().and_then(AnyDecision::ours)
    }

    /// The experiment that has begun and has no verdict.
    pub fn open_experiment(&self) -> Option<&Experiment> {
        self.own_experiments().find(|experiment| experiment.status == ExperimentStatus::Open)
    }

    /// How often it was decided to go on.
    pub fn round(&self) -> u64 {
        self.phases.iter().filter(|record| record.decided == Some(Course::Continue)).count() as u64
    }

    /// Whether the change was tried on sources that the present baseline is of.
    pub fn is_of_present(&self, experiment: &Experiment) -> bool {
        self.baseline().is_some_and(|present| {
            experiment.baseline_recorded_at == present.recorded_at
                || present.sources.as_ref() == Some(&experiment.change.sources)
        })
    }

    /// The files of results as they were stored last.
    pub fn stored_files(&self) -> BTreeMap<&str, &ResultFile> {
        let of_phases = self.phases.iter().flat_map(|record| &record.results);
        let of_experiments = self.own_experiments().flat_map(|experiment| {
            let comparison = experiment.finding.as_ref().map(|finding| &finding.comparison);
            [Some(&experiment.change.patch), comparison].into_iter().flatten()
        });
        of_phases.chain(of_experiments).map(|file| (file.path.as_str(), file)).collect()
    }

    /// Whether a later phase stored another file in the place of this result of `record`.
    pub fn is_replaced(&self, record: &PhaseRecord, path: &str) -> bool {
        let own = record.results.iter().find(|file| file.path == path);
        let mut latest = self.phases.iter().rev().flat_map(|record| &record.results);
        let last = latest.find(|file| file.path == path);
        own.zip(last).is_some_and(|(own, last)| own.sha256 != last.sha256)
    }

    /// Puts an experiment in the place of the one of its id, or behind the others.
    pub fn put_experiment(&mut self, experiment: Experiment) {
        let is_it = |other: &AnyExperiment| other.ours().is_some_and(|ours| ours.id == experiment.id);
        let place = self.experiments.iter().position(is_it);
        let any = AnyExperiment::Ours(Box::new(experiment));
        match place {
            Some(place) => self.experiments[place] = any,
            None => self.experiments.push(any),
        }
    }

    /// The phase that comes next; none when all are done.
    pub fn upcoming(&self) -> Option<Phase> {
        Phase::ALL.into_iter().find(|phase| self.record(*phase).is_none())
    }

    /// The phases before `phase` that are neither done nor skipped.
    pub fn missing_before(&self, phase: Phase) -> Vec<Phase> {
        Phase::ALL.into_iter().filter(|before| *before < phase && self.record(*before).is_none()).collect()
    }

    /// The label of the baseline, when one was measured.
    pub fn baseline(&self) -> Option<&BaselineRecord> {
        self.baselines.last()
    }

    /// Applies what a phase changes.
    ///
    /// `file` is where its baseline lies, relative to the root; `sources` are those it was measured on.
    pub fn apply(&mut self, phase: Phase, effect: &Effect, file: Option<String>, sources: Option<String>) {
        match effect {
            Effect::Terms(terms) => {
                let scenarios = std::mem::take(&mut self.scenario.scenarios);
                let other = std::mem::take(&mut self.scenario.other);
                self.scenario = Scenario { scenarios, other, ..terms.scenario.clone() };
                self.benchmark = Some(terms.benchmark.clone());
                self.quote = Some(terms.quote.clone());
            }
            Effect::BreakingPoint { found, probes } => {
                self.breaking_point = Some(AnyBreakingPoint::Ours(found.clone()));
                self.breaking_point_history =
                    probes.iter().map(|probe| AnyProbe::Ours(Box::new(probe.clone()))).collect();
            }
            Effect::Experiment { experiment, .. } => self.put_experiment(experiment.as_ref().clone()),
            Effect::Decision(decision) => self.decision = Some(AnyDecision::Ours(decision.clone())),
            Effect::Consolidation { is_new: false, .. } => {}
            Effect::Consolidation { baseline, .. } | Effect::Baseline(baseline) => {
                self.baselines.retain(|stored| stored.version != baseline.version);
                self.baselines.push(BaselineRecord {
                    version: baseline.version.clone(),
                    file: file.unwrap_or_default(),
                    recorded_at: baseline.recorded_at.clone(),
                    sources,
                    padded: baseline.padded,
                    other: Map::new(),
                });
            }
            Effect::Skip(waiver) => {
                self.approvals.push(Approval { what: Approved::SkipPhase, phase, waiver: waiver.clone() });
            }
        }
    }

    /// Notes that a phase has ended, at `now`.
    pub fn note(&mut self, record: PhaseRecord, now: &str) {
        self.phases.push(record);
        self.phase = self.upcoming().unwrap_or(Phase::Consolidation);
        if self.upcoming().is_none() {
            self.status = Status::Complete;
        }
        self.touch(now);
    }

    /// Notes that the document has changed. A clock that goes backwards does not take the time back.
    pub fn touch(&mut self, now: &str) {
        self.revision += 1;
        // RFC 3339 in UTC with whole seconds sorts as text.
        if *now > *self.updated_at {
            now.clone_into(&mut self.updated_at);
        }
    }
}

/// Checks an id that names files.
///
/// # Errors
/// `Usage`, saying what is wrong with it.
pub fn check_id(id: &str) -> Result<(), Failure> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let problem = if id.is_empty() {
        "it is empty".to_owned()
    } else if id.len() > LONGEST_ID {
        format!("it has more than {LONGEST_ID} characters")
    } else if let Some(bad) = id.chars().find(|c| !plain(*c)) {
        format!("it holds {bad:?}")
    } else if id.starts_with(['.', '-']) {
        format!("it starts with {:?}", &id[..1])
    } else if id.ends_with(".before") {
        "it ends with .before, as copies do".to_owned()
    } else {
        return Ok(());
    };
    Err(Failure::new(FailureKind::Usage, format!("the investigation id {id:?} cannot be used: {problem}"))
        .hint("use letters, digits, '.', '_' and '-', as in --id latency-2; `cargo perf status --all` shows them"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: &str = "2026-01-02T00:00:00Z";

    fn done(phase: Phase) -> PhaseRecord {
        let record = json!({"phase": phase, "status": "complete", "startedAt": NOW, "finishedAt": NOW});
        serde_json::from_value(record).expect("a record")
    }

    #[test]
    fn s31_a_phase_waits_for_all_before_it() {
        let mut open = Investigation::new("a", NOW);
        assert_eq!(open.upcoming(), Some(Phase::Setup));
        assert_eq!(open.missing_before(Phase::BreakingPoint), [Phase::Setup, Phase::Baseline]);
        open.note(done(Phase::Setup), NOW);
        assert_eq!((open.phase, open.missing_before(Phase::Baseline)), (Phase::Baseline, Vec::new()));
        for phase in Phase::ALL.into_iter().skip(1) {
            assert!(open.is_live());
            open.note(done(phase), NOW);
        }
        assert_eq!(
            (open.status, open.phase, open.upcoming()),
            (Status::Complete, Phase::Consolidation, None)
        );
    }

    #[test]
    fn s24_a_decision_to_go_on_opens_experiment_and_decision_again() {
        let mut open = Investigation::new("a", NOW);
        for phase in &Phase::ALL[..8] {
            open.note(done(*phase), NOW);
        }
        let decided = |course| PhaseRecord { decided: Some(course), ..done(Phase::Decision) };
        open.note(decided(Course::Continue), NOW);
        assert_eq!((open.phase, open.record(Phase::Decision)), (Phase::Optimization, None));
        assert!(open.record(Phase::Profiling).is_some() && open.is_live());
        open.note(done(Phase::Optimization), NOW);
        open.note(decided(Course::Stop), NOW);
        assert_eq!(open.upcoming(), Some(Phase::Consolidation));
    }

    #[test]
    fn t4_each_change_counts_and_time_never_goes_back() {
        let mut open = Investigation::new("a", NOW);
        open.touch("2026-01-01T00:00:00Z");
        assert_eq!((open.revision, open.updated_at.as_str()), (1, NOW));
        open.touch("2026-01-03T00:00:00Z");
        assert_eq!((open.revision, open.updated_at.as_str()), (2, "2026-01-03T00:00:00Z"));
    }

    #[test]
    fn t3_what_is_not_known_is_written_back_at_every_depth() {
        let mut text = serde_json::to_value(Investigation::new("a", NOW)).expect("coded");
        text["mine"] = json!({"deep": [1]});
        text["scenario"]["mine"] = json!(2);
        text["scenario"]["metrics"] = json!(["p99_ms", {"name": "q", "mine": 3}]);
        text["scenario"]["scenarios"] = json!([{"name": "low", "params": {"n": 1}, "mine": 4}]);
        text["benchmark"] = json!({"command": "node", "version": "v1", "mine": 5});
        let read: Investigation = serde_json::from_value(text.clone()).expect("read");
        let written = serde_json::to_value(&read).expect("coded");
        assert_eq!(written["mine"], text["mine"]);
        assert_eq!(written["scenario"]["mine"], json!(2));
        assert_eq!(written["scenario"]["metrics"], json!([{"name": "p99_ms"}, {"name": "q", "mine": 3}]));
        assert_eq!(written["scenario"]["scenarios"], text["scenario"]["scenarios"]);
        assert_eq!(written["benchmark"]["mine"], json!(5));
    }

    #[test]
    fn t1_an_id_is_a_file_name_and_no_path() {
        check_id("perf-20260129-171328-583b3dab").expect("the usual form");
        let long = "a".repeat(300);
        for id in ["", "..", "../x", "a/b", "a\\b", "a\0", "-a", ".a", "a b", "é", &long] {
            assert_eq!(check_id(id).expect_err(id).kind, FailureKind::Usage, "{id}");
        }
    }
}
