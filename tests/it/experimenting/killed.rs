//! Experiments that are killed at any moment: nothing of the user's is lost, and the saved change goes on.

use super::{Bench, untouched};
use crate::investigation::NOISY;
use crate::support::perf::Perf;
use crate::support::traces::{Snapshot, eventually, snapshot};
use crate::support::{machine, trials};
use git2::Repository;
use libtest_mimic::Trial;
use rustix::process::Signal;
use serde_json::json;
use std::path::Path;
use std::time::Duration;

pub fn trials() -> Vec<Trial> {
    trials![
        s07_an_experiment_that_is_killed_anywhere_loses_nothing,
        s07_one_that_is_interrupted_says_how_to_go_on,
        s07_one_that_is_killed_before_it_is_open_has_not_begun,
    ]
}

/// How many places an experiment passes; more would mean that the count does not work.
const MOST_PLACES: usize = 100;

/// Everything of the user's that an experiment must leave alone.
#[derive(Debug, PartialEq)]
struct Users {
    files: Snapshot,
    repository: (String, Option<String>, Vec<String>),
}

impl Users {
    fn of(bench: &Bench) -> Self {
        let mut files = snapshot(&bench.project);
        let ours = [".claude", ".git", "target"];
        files.retain(|path, _| !ours.iter().any(|folder| path.starts_with(folder)));
        Self { files, repository: untouched(bench) }
    }
}

/// S-07: at each place where something is written, and while pairs are measured.
fn s07_an_experiment_that_is_killed_anywhere_loses_nothing() {
    let _machine = machine();
    let bench = Bench::new();
    keep_something_everywhere(&bench);
    bench.change("a=9");
    let before = Users::of(&bench);
    assert!(before.repository.1.is_some(), "there is a stash");
    let killed = |perf: Perf<'_>, place: usize| {
        let ended = perf.env("CARGO_PERF_FAULT_AT", place.to_string()).run();
        let killed = ended.killed_by() == Some(libc::SIGKILL);
        assert!(killed || ended.status.success(), "place {place}: {ended:#?}");
        // Whatever was left half done, the next command finds everything of the user's in its place.
        bench.perf(["status"]).succeeds();
        assert_eq!(Users::of(&bench), before, "place {place}");
        bench.assert_no_process_left();
        killed
    };
    // As a command reads it that finds a change half done.
    let experiments = || bench.perf(["report", "--json"]).succeeds().json()["result"]["experiments"].clone();
    let last = || experiments().as_array().and_then(|all| all.last().cloned()).unwrap_or_default();
    let status = || last()["status"].as_str().map(str::to_owned);
    // While the change is being saved.
    let mut places = 0;
    while status().as_deref() != Some("open") {
        places += 1;
        assert!(
            places < MOST_PLACES && killed(bench.experiment(&[]), places),
            "it has to be saved some time"
        );
    }
    assert!(places > 3, "only {places} places were passed");
    // While pairs are measured.
    bench.interrupt(&["--continue"], Signal::KILL);
    assert_eq!(Users::of(&bench), before);
    assert_eq!(status().as_deref(), Some("open"));
    let saved = last()["change"]["patch"]["path"].as_str().expect("a path").to_owned();
    assert!(bench.read(&saved).contains("+PERF_METRICS a=9"), "{}", bench.read(&saved));
    // While the result is being stored: killed there, it is stored whole or not at all.
    for place in 1..MOST_PLACES {
        if status().as_deref() == Some("complete") {
            bench.perf(["log", "--check"]).succeeds();
            bench.perf(["decide", "continue", "--rationale=a test"]).succeeds();
            bench.interrupt(&[], Signal::KILL);
        }
        if !killed(bench.experiment(&["--continue"]), place) {
            assert!(place > 5, "only {place} places were passed");
            assert_eq!(last()["finding"]["verdict"], "accept");
            bench.perf(["log", "--check"]).succeeds();
            return;
        }
    }
    panic!("there are more than {MOST_PLACES} places");
}

/// While the sides are checked out, and while the change is checked.
fn s07_one_that_is_killed_before_it_is_open_has_not_begun() {
    let _machine = machine();
    let bench = Bench::new();
    keep_something_everywhere(&bench);
    bench.change("a=9");
    let before = Users::of(&bench);
    for flag in ["--prepare", "--check"] {
        let mark = bench.aside.join(flag);
        let waits = [flag, "touch \"$MARK\" && exec sleep 60"];
        let running = bench.perf(["experiment", NOISY]).args(waits).env("MARK", &mark).start();
        eventually(Duration::from_secs(60), flag, || mark.exists());
        running.signal(Signal::KILL);
        running.end();
        bench.perf(["status"]).succeeds();
        assert_eq!(Users::of(&bench), before, "{flag}");
        assert_eq!(bench.experiments(), Vec::<serde_json::Value>::new());
    }
    let answer = bench.experiment(&[]).succeeds().json();
    assert_eq!(answer["result"]["experiment"]["id"], "E1");
    bench.assert_no_process_left();
}

/// Something in the stash, something staged, something changed behind that, and a file that git does not know.
fn keep_something_everywhere(bench: &Bench) {
    let mut repository = Repository::open(&bench.project).expect("a repository");
    bench.write("README.md", "put aside\n");
    let author = git2::Signature::now("A Test", "test@example.org").expect("a signature");
    repository.stash_save(&author, "later", None).expect("a stash");
    bench.write("README.md", "staged\n");
    let mut index = repository.index().expect("an index");
    index.add_path(Path::new("README.md")).and_then(|()| index.write()).expect("staged");
    bench.write("README.md", "changed behind that\n");
    bench.write("untracked", "mine\n");
}

fn s07_one_that_is_interrupted_says_how_to_go_on() {
    let _machine = machine();
    let bench = Bench::new();
    bench.change("a=9");
    let ended = bench.interrupt(&["--margin=2", "--expand=a test"], Signal::INT);
    ended.assert_refused(130, "ended by Ctrl-C", "goes on with the pairs");
    // T-08: what is not known yet is said, with the run that would settle it.
    let lacks = bench.perf(["report", "--json"]).succeeds().json()["result"]["insufficient"].to_string();
    let on = "E1 has no verdict: `cargo perf experiment --continue --expand 'a test' --margin 2`";
    assert!(lacks.contains(on), "{lacks}");
    let second = bench.experiment(&[]).run();
    second.assert_refused(5, "a second change while E1 is open", "--continue --expand 'a test' --margin 2`");
    let next = bench.perf(["next", "--json"]).run().json();
    assert_eq!(
        next["next"]["argv"],
        json!(["cargo", "perf", "experiment", "--continue", "--expand", "a test", "--margin", "2"])
    );
    let answer = bench.experiment(&["--continue", "--expand=a test", "--margin=2"]).succeeds().json();
    assert!(answer["result"]["notes"].to_string().contains("went on later"), "{}", answer["result"]["notes"]);
}
