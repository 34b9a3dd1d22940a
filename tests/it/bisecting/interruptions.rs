//! A search that is ended in the middle goes on behind its probes, and only when the same is asked.

#![expect(clippy::disallowed_methods, reason = "records are damaged as a crash would")]

use super::{SHORT, found};
use crate::support::mounts::{NO_MOUNT, mounting};
use crate::support::perf::{Perf, Running};
use crate::support::sandbox::{Sandbox, run_folder_of};
use crate::support::{Outcome, machine, skip, trials};
use libtest_mimic::Trial;
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

pub fn trials() -> Vec<Trial> {
    trials![
        a_killed_search_goes_on_as_if_nothing_had_happened,
        ctrl_c_ends_the_probe_and_keeps_those_before,
        what_was_changed_meanwhile_is_another_search,
        a_disk_that_is_full_loses_nothing,
        a_search_goes_on_by_itself,
        what_was_mended_meanwhile_is_probed_again,
    ]
}

/// A search whose values do not depend on when it runs.
fn search<'s>(sandbox: &'s Sandbox, flags: &[&str]) -> Perf<'s> {
    sandbox.perf(["bisect-load", "--filter=service", "--json"]).args(SHORT).args(flags)
}

/// The probes of a search as they are kept, without what time is in them.
fn kept(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("probes.jsonl")).expect("the probes");
    let whole = &text[..=text.rfind('\n').expect("a line")];
    let read = |line: &str| {
        let mut probe: Value = serde_json::from_str(line).expect("a probe is JSON");
        for name in ["duration", "endedAt"] {
            probe.as_object_mut().expect("an object").remove(name);
        }
        probe
    };
    whole.lines().skip(1).map(read).collect()
}

/// Ends a search with `signal` as soon as it says `text`; returns the folder of its run.
fn ended(mut running: Running<'_>, text: &str, signal: Signal) -> (PathBuf, Option<i32>) {
    running.says(text);
    running.signal(signal);
    let pid = running.pid();
    let ended = running.end();
    (run_folder_of(pid).expect("a folder of the run"), ended.status.code())
}

fn a_killed_search_goes_on_as_if_nothing_had_happened() {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    let whole = search(&sandbox, &[]).succeeds().json();
    let whole_log = folder_of(&sandbox, &whole);
    for text in ["probe 1 at", "probe 4 at", "probe 9 at"] {
        let (folder, code) = ended(search(&sandbox, &[]).start(), text, Signal::KILL);
        assert_eq!(code, None);
        sandbox.assert_no_process_left();
        // As if it had been killed while it wrote.
        let log = folder.join("probes.jsonl");
        let before = fs::read_to_string(&log).expect("the probes");
        fs::write(&log, format!("{before}{{\"value\":77,\"ok\":tr")).expect("the line is torn");
        let answer = search(&sandbox, &["--resume"]).succeeds().json();
        assert_eq!(kept(&folder), kept(&whole_log), "killed behind {text:?}");
        for name in ["status", "smallest_failing", "interval", "safe"] {
            assert_eq!(found(&answer)[name], found(&whole)[name], "{name}");
        }
        let after = fs::read_to_string(&log).expect("the probes");
        assert!(after.starts_with(&before), "what was kept is never changed");
    }
}

/// The folder of the run that gave this answer.
fn folder_of(sandbox: &Sandbox, answer: &Value) -> PathBuf {
    let log = answer["result"]["log"].as_str().expect("a log");
    let log = if Path::new(log).is_absolute() { PathBuf::from(log) } else { sandbox.path(log) };
    log.parent().expect("a folder").to_path_buf()
}

fn ctrl_c_ends_the_probe_and_keeps_those_before() {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    let mut running = search(&sandbox, &[]).start();
    running.says("probe 5 at");
    running.signal(Signal::INT);
    let pid = running.pid();
    let ended = running.end();
    assert_eq!(ended.status.code(), Some(130), "{ended:#?}");
    assert!(ended.stderr.contains("--resume goes on behind the probes so far"), "{ended:#?}");
    sandbox.assert_no_process_left();
    assert!(kept(&run_folder_of(pid).expect("a folder")).len() >= 5);
    let answer = search(&sandbox, &["--resume"]).succeeds().json();
    assert_eq!(found(&answer)["status"], "found");
}

fn what_was_changed_meanwhile_is_another_search() {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    let (folder, _) = ended(search(&sandbox, &[]).start(), "probe 3 at", Signal::KILL);
    let before = kept(&folder);
    let refused = |flags: &[&str], what: &str| {
        let all: Vec<&str> = ["--resume"].iter().chain(flags).copied().collect();
        let ended = search(&sandbox, &all).run();
        ended.assert_refused(2, what, "leave --resume away");
        sandbox.assert_no_process_left();
    };
    refused(&["--while=p99_ms < 11"], "another condition");
    refused(&["--param-max=400"], "other loads");
    refused(&["--tolerance=10%"], "another certainty");
    let file = sandbox.read("perf.toml");
    sandbox.write("perf.toml", &file.replace("\"breaks\", \"120\"", "\"breaks\", \"121\""));
    refused(&[], "another command");
    sandbox.write("perf.toml", &file);
    let script = sandbox.read("load.sh");
    sandbox.write("load.sh", &script.replace("# Whether the load", "# If the load"));
    refused(&[], "another command, or another build of it");
    sandbox.write("load.sh", &script);
    sandbox.write("more", "a source");
    refused(&[], "other sources");
    fs::remove_file(sandbox.path("more")).expect("it can be removed");
    assert_eq!(kept(&folder), before, "nothing of it was probed");
    // More probes are no other question, and neither is one that was asked since and has its answer.
    let other = search(&sandbox, &["--param-max=400"]).succeeds().json();
    let answer = search(&sandbox, &["--resume", "--max-probes=50"]).succeeds().json();
    assert_eq!(found(&answer)["status"], "found");
    assert_eq!(kept(&folder)[..before.len()], before[..], "it went on behind its own probes");
    assert_ne!(folder_of(&sandbox, &answer), folder_of(&sandbox, &other));
    // What has its answer does not go on. Other tests may have been interrupted in the folder that all share.
    search(&sandbox, &[]).unbuilt().succeeds();
    let again = search(&sandbox, &["--resume"]).unbuilt().run();
    again.assert_refused(2, "no search of service was interrupted here", "--resume");
}

fn a_disk_that_is_full_loses_nothing() -> Outcome {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    let (small, saved) = (sandbox.aside.join("small"), sandbox.out.join("saved"));
    fs::create_dir_all(&small).expect("the folder can be made");
    let (shown, kept_in) = (small.display(), saved.display());
    // What was on the small disk is saved before it goes with the program.
    let mount = format!(
        "mount -t tmpfs -o size=64k none {shown}; set +e; \"$@\"; code=$?; rm -rf {kept_in}; cp -r {shown} {kept_in}; exit $code"
    );
    let Some(words) = mounting(&mount) else {
        return skip("a_disk_that_is_full_loses_nothing", NO_MOUNT);
    };
    let arguments = ["bisect-load", "--filter=service", "--json"];
    let full = sandbox.perf_through(&words, arguments).args(SHORT).env("CARGO_TARGET_DIR", &small).run();
    // Its output does not fit, or the record of it.
    assert!(matches!(full.status.code(), Some(7 | 8)), "{full:#?}");
    full.assert_refused(full.status.code().expect("a code"), "No space left on device", "--resume");
    sandbox.assert_no_process_left();
    let runs = fs::read_dir(saved.join("perf/runs")).expect("the runs").flatten();
    let folder = runs.map(|entry| entry.path()).max().expect("a run");
    let before = kept(&folder);
    assert!(before.len() >= 2, "{before:?}");
    let answer = search(&sandbox, &["--resume"]).env("CARGO_TARGET_DIR", &saved).succeeds().json();
    assert_eq!(found(&answer)["status"], "found");
    assert_eq!(kept(&folder)[..before.len()], before[..]);
    Ok(())
}

fn what_was_mended_meanwhile_is_probed_again() {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    let mended = sandbox.out.join("mended");
    let words = ["waits_for", mended.to_str().expect("text"), "50", "120"];
    let broken = sandbox.search(&words).run();
    broken.assert_refused(7, "could not run", "--resume");
    let again = sandbox.search(&words).args(["--resume"]).run();
    again.assert_refused(7, "could not run", "--resume");
    fs::write(&mended, "").expect("the file can be written");
    let answer = sandbox.search(&words).args(["--resume", "--json"]).succeeds().json();
    assert_eq!(found(&answer)["status"], "found");
    let lost = found(&answer)["probes"].as_array().expect("probes").iter();
    assert_eq!(lost.filter(|probe| probe["outcome"] == "infra_error").count(), 6, "{answer}");
}

fn a_search_goes_on_by_itself() {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    let answer = search(&sandbox, &["--detach"]).run().json();
    let run = answer["result"]["run"].as_str().expect("a run").to_owned();
    let ended = sandbox.perf(["wait", &run, "--timeout=300s"]).succeeds();
    assert_eq!(found(&ended.json())["status"], "found", "{ended:#?}");
    // One whose answer is not what was asked for ends as it would have ended here.
    let words = ["bisect-load", "--filter=service", "--detach", "--max-probes=4"];
    sandbox.perf(words).args(SHORT).run();
    let ended = sandbox.perf(["wait", "--timeout=300s", "--json"]).run();
    assert_eq!(
        (ended.status.code(), &ended.json()["result"]["exit_code"]),
        (Some(4), &4.into()),
        "{ended:#?}"
    );
}
