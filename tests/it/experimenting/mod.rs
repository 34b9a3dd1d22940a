//! Experiments from outside: one change is tried, judged, not left behind, and decided on.

mod decisions;
mod golden;
mod killed;
mod refusals;
mod verdicts;

use crate::investigation::{NOISY, Study};
use crate::support::cases::command;
use crate::support::perf::{Ended, Perf};
use git2::Repository;
use libtest_mimic::Trial;
use rustix::process::Signal;
use serde_json::Value;
use std::ops::Deref;

pub fn trials() -> Vec<Trial> {
    [verdicts::trials(), refusals::trials(), killed::trials(), decisions::trials(), golden::trials()]
        .into_iter()
        .flatten()
        .collect()
}

/// What no test of experiments carries out.
const SKIPPED: [&str; 5] = ["breaking-point", "constraints", "hypotheses", "code-paths", "profiling"];

/// An investigation with a baseline, whose benchmark prints what the file `says` holds.
struct Bench(Study);

impl Deref for Bench {
    type Target = Study;

    fn deref(&self) -> &Study {
        &self.0
    }
}

impl Bench {
    /// It prints `a=10`, and less than 9.5 would be a success.
    fn new() -> Self {
        Self::saying("a=10", "a < 9.5", &["--metric=a:ms:lower"])
    }

    fn saying(says: &str, success: &str, declared: &[&str]) -> Self {
        let study = Study::new();
        study.write("says", &format!("PERF_METRICS {says}\n"));
        study.commit_all();
        Self::measured(study, success, declared, &command(&["reads", "says"]))
    }

    /// One of these values after the other, whichever side asks.
    fn taking_turns(values: &[u32]) -> Self {
        let study = Study::new();
        let values: Vec<String> = values.iter().map(|value| format!("PERF_METRICS a={value}")).collect();
        let traces = study.traces_of_runs().display().to_string();
        let words: Vec<&str> =
            ["turns", &traces].into_iter().chain(values.iter().map(String::as_str)).collect();
        let command = command(&words);
        Self::measured(study, "a < 950", &["--metric=a:ms:lower"], &command)
    }

    fn measured(study: Study, success: &str, declared: &[&str], command: &str) -> Self {
        study.terms(success).args(declared).args(["--command", command, "--runs=10"]).succeeds();
        study.perf(["baseline", NOISY]).succeeds();
        let skips = SKIPPED.map(|phase| format!("--skip-phase={phase}=not asked for"));
        study.perf(["next"]).args(skips).succeeds();
        Self(study)
    }

    /// Changes what the benchmark prints, in the work tree.
    fn change(&self, says: &str) {
        self.write("says", &format!("PERF_METRICS {says}\n"));
    }

    fn experiment<'s>(&'s self, arguments: &[&'s str]) -> Perf<'s> {
        self.perf(["experiment", NOISY, "--json"]).args(arguments)
    }

    /// An experiment that gets `signal` as soon as a pair was measured.
    fn interrupt(&self, arguments: &[&str], signal: Signal) -> Ended {
        let mut running = self.experiment(arguments).start();
        running.keeps("bench-1/pairs.jsonl");
        running.signal(signal);
        running.end()
    }

    /// A patch of what the benchmark prints, outside of the project.
    fn patch(&self, says: &str) -> String {
        let before = self.read("says");
        self.change(says);
        let text = {
            let repository = Repository::open(&self.project).expect("a repository");
            let diff = repository.diff_index_to_workdir(None, None).expect("a difference");
            let mut text = Vec::new();
            diff.print(git2::DiffFormat::Patch, |_, _, line| {
                if matches!(line.origin(), '+' | '-' | ' ') {
                    text.push(u8::try_from(line.origin()).expect("ASCII"));
                }
                text.extend_from_slice(line.content());
                true
            })
            .expect("printed");
            String::from_utf8(text).expect("text")
        };
        self.write("says", &before);
        self.write("../aside/change.patch", &text);
        self.aside.join("change.patch").display().to_string()
    }

    /// The experiments of the state.
    fn experiments(&self) -> Vec<Value> {
        self.state()["experiments"].as_array().expect("experiments").clone()
    }
}

/// The files of a repository that experiments must not change: HEAD, the index and its stashes.
fn untouched(study: &Study) -> (String, Option<String>, Vec<String>) {
    let repository = Repository::open(&study.project).expect("a repository");
    let head = repository.find_reference("HEAD").expect("a head");
    let head = head.symbolic_target().expect("readable").unwrap_or("detached").to_owned();
    let stash = repository.find_reference("refs/stash").ok().and_then(|stash| stash.target());
    let index = repository.index().expect("an index");
    let outside = |path: &str| !path.starts_with(".claude/");
    let entries = index
        .iter()
        .map(|entry| format!("{} {:o} {}", entry.id, entry.mode, String::from_utf8_lossy(&entry.path)))
        .filter(|line| outside(line.rsplit(' ').next().unwrap_or_default()))
        .collect();
    (head, stash.map(|id| id.to_string()), entries)
}
