//! Searches for a breaking point from outside: every status, every bad input, interruptions, the phase.

mod interruptions;
mod phase;
mod refusals;
mod service;
mod statuses;

use crate::support::perf::Perf;
use crate::support::sandbox::{NOISY, Sandbox};
use libtest_mimic::Trial;
use serde_json::Value;

pub fn trials() -> Vec<Trial> {
    [statuses::trials(), refusals::trials(), interruptions::trials(), phase::trials(), service::trials()]
        .into_iter()
        .flatten()
        .collect()
}

/// A probe of a tenth of a second; the approval is what a user would give.
const SHORT: [&str; 3] = ["--approve-short=a test", "--duration=0.1", NOISY];
/// What has to hold where the fixture prints a time.
const WHILE: &str = "--while=p99_ms < 10";

impl Sandbox {
    /// A search in the case of `load-cases` that these words choose.
    fn search(&self, words: &[&str]) -> Perf<'_> {
        let command = words.iter().fold("./load.sh".to_owned(), |line, word| format!("{line} '{word}'"));
        self.perf(["bisect-load", "--command", &command]).args(SHORT)
    }
}

/// What was found.
fn found(answer: &Value) -> &Value {
    &answer["result"]["search"]
}

/// The probes that the search went by.
fn counting(answer: &Value) -> Vec<&Value> {
    let probes = found(answer)["probes"].as_array().expect("probes");
    probes.iter().filter(|probe| probe["counts"] == true).collect()
}
