//! Comparisons from outside: what is said of two sides, where they come from, and what is refused.

mod harnesses;
mod refusals;
mod resuming;
mod sides;
mod verdicts;

use crate::support::cases::command;
use crate::support::perf::Perf;
use crate::support::sandbox::{NOISY, Sandbox};
use git2::Repository;
use libtest_mimic::Trial;
use serde_json::Value;

pub fn trials() -> Vec<Trial> {
    [verdicts::trials(), sides::trials(), harnesses::trials(), refusals::trials(), resuming::trials()]
        .into_iter()
        .flatten()
        .collect()
}

/// A comparison of whole runs: enough pairs for a verdict, in a few seconds.
const RUNS: [&str; 3] = ["--runs=10", NOISY, "--json"];

/// A repository whose benchmark prints what the file `says` of each side holds.
struct Told(Sandbox);

impl Told {
    /// `says` holds `base` in the first commit, and `candidate` in the work tree.
    fn of(base: &str, candidate: &str) -> Self {
        let sandbox = Sandbox::of("external-cases");
        sandbox.write("says", &format!("PERF_METRICS {base}\n"));
        sandbox.commit_all();
        sandbox.write("says", &format!("PERF_METRICS {candidate}\n"));
        Self(sandbox)
    }

    /// `compare` of the metric `a`, less of which is better.
    fn compare<'s>(&'s self, arguments: &[&'s str]) -> Perf<'s> {
        self.compare_declared("--metric=a:ms:lower", arguments)
    }

    fn compare_declared<'s>(&'s self, declared: &str, arguments: &[&'s str]) -> Perf<'s> {
        let command = command(&["reads", "says"]);
        self.0.perf(["compare", declared, "--command", &command]).args(RUNS).args(arguments)
    }
}

/// The only verdict of an answer.
fn only(answer: &Value) -> &Value {
    let found = answer["result"]["comparisons"].as_array().expect("comparisons");
    assert_eq!(found.len(), 1, "{answer}");
    &found[0]
}

/// The document that an answer names.
fn document(sandbox: &Sandbox, answer: &Value) -> Value {
    let file = answer["result"]["file"].as_str().expect("a file");
    serde_json::from_str(&sandbox.read(file)).expect("a comparison is JSON")
}

/// The commit that is checked out.
fn head(sandbox: &Sandbox) -> String {
    let repository = Repository::open(&sandbox.project).expect("a repository");
    repository.head().and_then(|head| head.peel_to_commit()).expect("a commit").id().to_string()
}

/// Makes a branch at what is checked out, and checks it out.
fn branch(sandbox: &Sandbox, name: &str) {
    let repository = Repository::open(&sandbox.project).expect("a repository");
    let commit = repository.head().and_then(|head| head.peel_to_commit()).expect("a commit");
    repository.branch(name, &commit, true).expect("a branch");
    repository.set_head(&format!("refs/heads/{name}")).expect("checked out");
}
