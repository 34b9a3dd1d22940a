//! What a look at the machine found: tools, lock, state folder, settings, noise; and what follows.

use super::environment::{Machine, Soft};
use super::gate::{Check, Probe, State, Verdict, causes, verdict};
use super::noise::Cause;
use crate::failure::Failure;
use crate::sys::kernel::Permissions;
use crate::sys::quota::ControlGroups;
use serde::Serialize;

/// What a noise probe found, and what that means.
#[derive(Debug, Clone)]
pub struct Preflight {
    /// What was found.
    pub probe: Probe,
    /// Against the limits.
    pub checks: Vec<Check>,
    /// Together.
    pub verdict: Verdict,
}

impl Preflight {
    /// Judges what a probe found.
    pub fn of(probe: Probe, checks: Vec<Check>) -> Self {
        let verdict = verdict(&checks);
        Self { probe, checks, verdict }
    }

    /// One sentence for each sign of noise, and for each setting that disturbs.
    pub fn warnings(&self) -> Vec<String> {
        self.in_state(State::Warn).map(|check| check.text.clone()).collect()
    }

    /// Why measuring is refused, when it is.
    pub fn refusal(&self) -> Option<Failure> {
        let reasons = self.reasons();
        (!reasons.is_empty()).then(|| {
            Failure::environment(format!("this machine cannot measure now: {}", reasons.join("; ")))
                .hint("free memory or raise the quota; `cargo perf doctor` shows each check and its limit")
        })
    }

    /// What the noise comes from; empty on a quiet machine.
    pub fn causes(&self) -> Vec<Cause> {
        causes(&self.checks)
    }

    fn reasons(&self) -> Vec<String> {
        self.in_state(State::Block).map(|check| check.text.clone()).collect()
    }

    fn in_state(&self, state: State) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(move |check| check.state == state)
    }
}

/// Everything that was looked at.
#[derive(Debug, Clone)]
pub struct Checkup {
    /// The machine.
    pub machine: Machine,
    /// Its settings.
    pub soft: Soft,
    /// What the kernel lets us see.
    pub permissions: Permissions,
    /// Control groups.
    pub control_groups: ControlGroups,
    /// Programs, found or not.
    pub tools: Vec<Tool>,
    /// The machine-wide lock.
    pub lock: Lock,
    /// The project around the working directory.
    pub project: Option<Project>,
    /// The noise probe; absent while somebody else measures, whom it would disturb.
    pub preflight: Option<Preflight>,
}

/// A program that measuring needs, or that benchmarks of some kind need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Whether nothing can be measured without it.
    pub required: bool,
    /// Whether it is there.
    pub found: bool,
    /// What it says about its version.
    pub version: Option<String>,
    /// Why the version is not known, when it is there.
    pub problem: Option<String>,
    /// What its absence costs.
    pub costs: String,
}

/// The machine-wide lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lock {
    /// Its files.
    pub files: Vec<LockFile>,
    /// Who holds it, in words.
    pub holder: Option<String>,
    /// Why it could not be taken, when nobody holds it.
    pub problem: Option<String>,
}

/// One file of the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LockFile {
    /// Where it is.
    pub path: String,
    /// Why it cannot be used.
    pub problem: Option<String>,
}

/// The project, and where its results go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Project {
    /// The state folder, relative to the root when it lies in it.
    pub state: String,
    /// Why it is this one.
    pub reason: String,
    /// Why it cannot be written.
    pub problem: Option<String>,
}

impl Checkup {
    /// Why a measurement would be refused.
    pub fn obstacles(&self) -> Vec<String> {
        let missing = self.tools.iter().filter(|tool| tool.required && tool.version.is_none());
        let mut found: Vec<String> = missing.map(|tool| format!("{} cannot be run", tool.name)).collect();
        found.extend(self.lock.problem.clone());
        found.extend(self.project.as_ref().and_then(|project| project.problem.clone()));
        found.extend(self.preflight.iter().flat_map(Preflight::reasons));
        found
    }

    /// What makes results less certain.
    pub fn warnings(&self) -> Vec<String> {
        let held =
            self.lock.holder.as_ref().map(|holder| format!("another benchmark holds the machine: {holder}"));
        held.into_iter().chain(self.preflight.iter().flat_map(Preflight::warnings)).collect()
    }

    /// All together. A machine that somebody else measures on is not quiet.
    pub fn verdict(&self) -> Verdict {
        let noisy = self.preflight.as_ref().is_none_or(|preflight| preflight.verdict == Verdict::Noisy);
        if !self.obstacles().is_empty() {
            Verdict::Refused
        } else if noisy || self.lock.holder.is_some() {
            Verdict::Noisy
        } else {
            Verdict::Quiet
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::gate::{Need, checks};
    use crate::sys::counters::Interval;

    fn preflight(interval: Interval) -> Preflight {
        let probe = Probe { interval, ..Probe::default() };
        let checks = checks(&probe, &Need { cpus: 1.0, peak_bytes: None });
        Preflight::of(probe, checks)
    }

    fn healthy() -> Checkup {
        Checkup {
            machine: Machine::default(),
            soft: Soft::default(),
            permissions: Permissions::default(),
            control_groups: ControlGroups::default(),
            tools: Vec::new(),
            lock: Lock { files: Vec::new(), holder: None, problem: None },
            project: None,
            preflight: Some(preflight(Interval::default())),
        }
    }

    fn tool(required: bool, version: Option<&str>) -> Tool {
        Tool {
            name: "cargo".into(),
            required,
            found: version.is_some(),
            version: version.map(str::to_owned),
            problem: None,
            costs: "all".into(),
        }
    }

    #[test]
    fn a_swapping_machine_is_refused_with_the_reason() {
        let swapping = preflight(Interval { swapped_pages: Some(12), ..Interval::default() });
        let refusal = swapping.refusal().expect("refused");
        assert!(refusal.message.contains("12 pages"), "{refusal}");
        let checkup = Checkup { preflight: Some(swapping), ..healthy() };
        assert_eq!(checkup.verdict(), Verdict::Refused);
        assert!(checkup.obstacles()[0].contains("12 pages"));
    }

    #[test]
    fn a_machine_that_tells_nothing_is_not_refused() {
        let silent = preflight(Interval::default());
        assert!(silent.refusal().is_none() && silent.warnings().is_empty());
        assert_eq!(healthy().verdict(), Verdict::Quiet);
    }

    #[test]
    fn each_thing_that_measuring_needs_is_an_obstacle_when_it_fails() {
        let refused = |change: fn(&mut Checkup)| {
            let mut checkup = healthy();
            change(&mut checkup);
            checkup.verdict() == Verdict::Refused
        };
        assert!(refused(|checkup| checkup.tools.push(tool(true, None))));
        assert!(!refused(|checkup| checkup.tools.push(tool(false, None))));
        assert!(!refused(|checkup| checkup.tools.push(tool(true, Some("cargo 1")))));
        assert!(refused(|checkup| checkup.lock.problem = Some("closed".into())));
        assert!(refused(|checkup| {
            checkup.project =
                Some(Project { state: "s".into(), reason: "r".into(), problem: Some("read-only".into()) });
        }));
    }

    #[test]
    fn while_somebody_measures_the_machine_is_not_quiet() {
        let mut checkup = Checkup { preflight: None, ..healthy() };
        checkup.lock.holder = Some("ann".into());
        assert_eq!(checkup.verdict(), Verdict::Noisy);
        assert!(checkup.warnings()[0].contains("ann"));
    }
}
