//! Investigations from outside: what each phase refuses, stores, logs and commits.

mod evidence;
mod guide;
mod killed;
mod phases;
mod rules;
mod setup;
mod state;

use crate::support::cases::command;
use crate::support::perf::Perf;
pub use crate::support::sandbox::NOISY;
use crate::support::sandbox::Sandbox;
use git2::{Repository, Sort};
use libtest_mimic::Trial;
use serde_json::Value;
use std::collections::BTreeSet;
use std::ops::Deref;

pub fn trials() -> Vec<Trial> {
    [
        setup::trials(),
        phases::trials(),
        rules::trials(),
        state::trials(),
        evidence::trials(),
        killed::trials(),
        guide::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The state file.
pub const STATE: &str = ".claude/perf/investigation.json";

/// A project in which somebody investigates, and whom git knows.
pub struct Study(Sandbox);

impl Deref for Study {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.0
    }
}

impl Study {
    /// The commands of `external-cases`.
    pub fn new() -> Self {
        Self::of("external-cases")
    }

    /// A copy of a fixture.
    pub fn of(fixture: &str) -> Self {
        let sandbox = Sandbox::of(fixture);
        let repository = Repository::open(&sandbox.project).expect("a repository");
        let mut config = repository.config().expect("its configuration");
        for (name, value) in
            [("user.name", "A Test"), ("user.email", "test@example.org"), ("commit.gpgsign", "false")]
        {
            config.set_str(name, value).expect("it can be set");
        }
        Self(sandbox)
    }

    /// `setup` of the benchmark `line`, with all that it needs.
    pub fn setup(&self) -> Perf<'_> {
        self.terms("mean_ms < 20").args(["--filter=line"])
    }

    /// `setup` with all terms and no benchmark.
    pub fn terms(&self, success: &str) -> Perf<'_> {
        self.perf(["setup", "--scenario", "reading zones", "--quote", "make it fast", "--version", "v1"])
            .args(["--success", success, "--json"])
    }

    /// `setup` of the case that these words choose, which prints the metric `a`.
    pub fn setup_case(&self, words: &[&str]) -> Perf<'_> {
        self.terms("a > 0").args(["--metric=a:ms:lower", "--command", &command(words)])
    }

    /// A study that is set up.
    pub fn begun() -> Self {
        let study = Self::new();
        study.setup().succeeds();
        study
    }

    /// `baseline`, as short as it can be.
    pub fn measure(&self) -> Perf<'_> {
        self.perf(["baseline", "--approve-short=a test", "--duration=0.3", NOISY, "--json"])
    }

    /// A study whose baseline is measured.
    pub fn measured() -> Self {
        let study = Self::begun();
        study.measure().succeeds();
        study
    }

    /// The state as JSON.
    pub fn state(&self) -> Value {
        serde_json::from_str(&self.read(STATE)).expect("the state is JSON")
    }

    /// The id of the current investigation.
    pub fn id(&self) -> String {
        self.state()["id"].as_str().expect("an id").to_owned()
    }

    /// The log of the current investigation.
    pub fn log(&self) -> String {
        self.read(format!(".claude/perf/investigations/{}.md", self.id()))
    }

    /// The answer of `status`.
    pub fn status(&self) -> Value {
        self.perf(["status", "--json"]).succeeds().json()
    }

    /// The subjects of all commits, newest first.
    pub fn subjects(&self) -> Vec<String> {
        let repository = Repository::open(&self.project).expect("a repository");
        let mut walk = repository.revwalk().expect("a walk");
        walk.push_head().expect("there is a head");
        walk.set_sorting(Sort::TOPOLOGICAL).expect("sorted");
        walk.map(|id| {
            let commit = repository.find_commit(id.expect("an id")).expect("a commit");
            commit.summary().ok().flatten().expect("a subject").to_owned()
        })
        .collect()
    }

    /// What the newest commit holds in the file at `path`.
    pub fn committed(&self, path: &str) -> String {
        let repository = Repository::open(&self.project).expect("a repository");
        let tree = repository.head().and_then(|head| head.peel_to_tree()).expect("a tree");
        let entry = tree.get_path(path.as_ref()).expect("the file is in the commit");
        let blob = repository.find_blob(entry.id()).expect("a file");
        String::from_utf8(blob.content().to_vec()).expect("text")
    }

    /// The paths that the newest commit changed.
    pub fn newest_commit_changed(&self) -> BTreeSet<String> {
        let repository = Repository::open(&self.project).expect("a repository");
        let head = repository.head().and_then(|head| head.peel_to_commit()).expect("a commit");
        let before = head.parent(0).ok().map(|parent| parent.tree().expect("a tree"));
        let after = head.tree().expect("a tree");
        let diff = repository.diff_tree_to_tree(before.as_ref(), Some(&after), None).expect("a diff");
        diff.deltas()
            .map(|delta| delta.new_file().path().expect("a path").to_string_lossy().into_owned())
            .collect()
    }
}

/// The phases with a record, as `phase status`.
pub fn recorded(state: &Value) -> Vec<String> {
    let records = state["phases"].as_array().expect("records");
    let word = |value: &Value| value.as_str().expect("a word").to_owned();
    records.iter().map(|record| format!("{} {}", word(&record["phase"]), word(&record["status"]))).collect()
}
