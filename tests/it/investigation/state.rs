//! The state file: older, newer, damaged, and what is no file at all.

use super::{STATE, Study, recorded};
use crate::support::{machine, trials};
use cargo_perf_lab::sys::files::write_atomic;
use libtest_mimic::Trial;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

pub fn trials() -> Vec<Trial> {
    trials![
        k14_a_file_of_the_older_format_is_read_without_loss,
        t3_what_is_not_known_is_kept,
        t7_a_damaged_file_is_refused_with_the_place_in_it,
        t8_a_newer_file_is_only_read,
        t7_what_is_no_file_is_refused,
        s27_a_folder_that_cannot_be_written_is_the_environments_fault,
        t4_a_clock_that_goes_backwards_changes_nothing,
        t6_writers_at_once_lose_nothing,
        t6_six_commands_at_once_lose_no_update,
        t9_one_id_is_opened_once,
        t5_terms_that_change_after_their_baseline_are_refused,
    ]
}

/// As the older format wrote it.
fn older() -> Value {
    json!({
        "schemaVersion": 1, "id": "perf-20260129-171328-583b3dab", "status": "in_progress", "phase": "profiling",
        "createdAt": "2026-01-29T17:13:28.000Z", "updatedAt": "2026-01-29T17:20:00.000Z",
        "scenario": {
            "description": "sync the library", "metrics": ["lines", "files"], "successCriteria": "stays below",
            "scenarios": [{"name": "small", "params": {"files": 3}}]
        },
        "baselines": [], "hypotheses": [{"id": "H1", "hypothesis": "too many reads"}], "codePaths": [], "experiments": [],
        "results": [], "breakingPoint": null, "breakingPointHistory": [], "constraintResults": [],
        "profilingResults": [], "decision": null,
        "benchmark": {"command": "node bench.js", "version": "v4.0.0"}, "_version": 7, "mine": {"deep": [1, 2]}
    })
}

fn k14_a_file_of_the_older_format_is_read_without_loss() {
    let _machine = machine();
    let study = Study::new();
    let text = serde_json::to_string_pretty(&older()).expect("coded");
    study.write(STATE, &text);
    study.commit_all();
    let status = study.status();
    assert_eq!(status["result"]["investigation"]["id"], older()["id"]);
    assert_eq!(status["result"]["missing"].as_array().map(Vec::len), Some(10));
    assert_eq!(study.read(STATE), text, "reading changes nothing");
    // It has no record of any phase, so it goes on at the first.
    study.perf(["baseline", "--resume"]).fails(6, "baseline comes after setup", "cargo perf setup");
    let flags = ["--quote=q", "--success=mean_ms < 20", "--filter=line"];
    study.perf(["setup", "--resume"]).args(flags).succeeds();
    let state = study.state();
    assert_eq!(recorded(&state), ["setup complete"]);
    for kept in ["hypotheses", "mine", "createdAt", "id"] {
        assert_eq!(state[kept], older()[kept], "{kept}");
    }
    assert_eq!(state["scenario"]["scenarios"], older()["scenario"]["scenarios"]);
    assert_eq!(state["benchmark"]["version"], "v4.0.0");
    assert!(state["_version"].as_u64() > Some(7));
    let copy = study.read(".claude/perf/investigations/perf-20260129-171328-583b3dab.before.json");
    assert_eq!(copy, text);
    study.perf(["log", "--check"]).succeeds();
}

fn t3_what_is_not_known_is_kept() {
    let _machine = machine();
    let study = Study::begun();
    let mut state = study.state();
    state["mine"] = json!({"a": {"b": 1}});
    state["benchmark"]["mine"] = json!(2);
    state["phases"][0]["mine"] = json!(3);
    study.write(STATE, &state.to_string());
    study.measure().succeeds();
    let after = study.state();
    assert_eq!(after["mine"], state["mine"]);
    assert_eq!((&after["benchmark"]["mine"], &after["phases"][0]["mine"]), (&json!(2), &json!(3)));
}

fn t7_a_damaged_file_is_refused_with_the_place_in_it() {
    let _machine = machine();
    let study = Study::begun();
    let whole = study.state();
    let with = |place: &str, value: Value| {
        let mut state = whole.clone();
        *state.pointer_mut(place).expect("the place") = value;
        state.to_string()
    };
    let cut = study.read(STATE)[..200].to_owned();
    for (text, place) in [
        (String::new(), "EOF"),
        (cut, "EOF"),
        ("[]".to_owned(), "/"),
        (with("/status", json!(42)), "/status"),
        (with("/phase", json!("who-knows")), "/phase"),
        (with("/id", json!("../../x")), "/id"),
        (with("/id", json!("")), "/id"),
        (with("/schemaVersion", json!(0)), "/schemaVersion"),
        (with("/scenario/metrics", json!([1])), "/scenario/metrics/0"),
        (with("/phases/0/status", json!("done")), "/phases/0/status"),
        (with("/phases/0/startedAt", Value::Null), "/phases/0/startedAt"),
    ] {
        study.write(STATE, &text);
        for words in
            [&["status"][..], &["next"], &["baseline", "--filter=line"], &["switch", "--park"], &["log"]]
        {
            let said = study.perf(words).fails(10, "is damaged", "restore it").stderr;
            assert!(said.contains(place), "{place}: {said}");
        }
        study.setup().fails(10, "is damaged", "restore it");
        let listed = study.perf(["status", "--all"]).succeeds().stdout;
        assert!(listed.contains("is damaged"), "{listed}");
    }
}

fn t8_a_newer_file_is_only_read() {
    let _machine = machine();
    let study = Study::begun();
    let mut state = study.state();
    state["schemaVersion"] = json!(99);
    study.write(STATE, &state.to_string());
    for words in [&["status"][..], &["next"], &["baseline", "--filter=line"], &["switch", "--park"]] {
        study.perf(words).fails(10, "schemaVersion 99, of a newer version", "update");
    }
    study.setup().args(["--id=new"]).fails(10, "newer version", "update");
}

fn t7_what_is_no_file_is_refused() {
    let study = Study::new();
    let folder = study.path(".claude/perf");
    fs::create_dir_all(&folder).expect("made");
    let file = folder.join("investigation.json");
    let elsewhere = study.aside.join("state.json");
    write_atomic(&elsewhere, older().to_string().as_bytes()).expect("written");
    symlink(&elsewhere, &file).expect("linked");
    let refused = |what: &str| {
        for words in [&["status"][..], &["next"], &["switch", "--park"]] {
            let ended = study.perf(words).run();
            ended.assert_refused(10, "investigation.json", "");
            assert!(file.symlink_metadata().is_ok(), "{what}");
        }
    };
    refused("a link");
    assert_eq!(fs::read_to_string(&elsewhere).expect("still there"), older().to_string());
    fs::remove_file(&file).expect("removed");
    fs::create_dir(&file).expect("a folder");
    refused("a folder");
    fs::remove_dir(&file).expect("removed");
    let mode = rustix::fs::Mode::from_raw_mode(0o644);
    rustix::fs::mknodat(rustix::fs::CWD, &file, rustix::fs::FileType::Fifo, mode, 0).expect("a pipe");
    refused("a pipe");
    fs::remove_file(&file).expect("removed");
}

fn s27_a_folder_that_cannot_be_written_is_the_environments_fault() {
    let _machine = machine();
    let study = Study::begun();
    let folder = study.path(".claude/perf");
    let set = |mode| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).expect("set");
    let words = ["next", "--approve-short=a test", "--duration=0.3", super::NOISY];
    let before = study.read(STATE);
    set(0o555);
    let ended = if rustix::process::getuid().is_root() {
        // Permissions hold for root too without these capabilities.
        let limited = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"];
        study.perf_through(&limited, words).run()
    } else {
        study.perf(words).run()
    };
    set(0o755);
    ended.assert_refused(8, ".claude/perf", "");
    assert_eq!(study.read(STATE), before);
    study.measure().succeeds();
}

fn t4_a_clock_that_goes_backwards_changes_nothing() {
    let _machine = machine();
    let study = Study::begun();
    let mut state = study.state();
    // As written before the clock was set back.
    for place in ["/createdAt", "/updatedAt", "/phases/0/startedAt", "/phases/0/finishedAt"] {
        *state.pointer_mut(place).expect("the place") = json!("2090-01-01T00:00:00Z");
    }
    study.write(STATE, &state.to_string());
    study.measure().succeeds();
    let after = study.state();
    assert_eq!(after["updatedAt"], "2090-01-01T00:00:00Z");
    assert_eq!(recorded(&after), ["setup complete", "baseline complete"]);
    assert!(after["_version"].as_u64() > state["_version"].as_u64());
}

/// Six processes change which investigation is current, twenty times each.
fn t6_writers_at_once_lose_nothing() {
    let _machine = machine();
    let study = Study::begun();
    let first = study.id();
    study.setup().args(["--id=two"]).succeeds();
    let mut running = Vec::new();
    for writer in 0..6 {
        let ids = if writer % 2 == 0 { [first.as_str(), "two"] } else { ["two", first.as_str()] };
        let script =
            "for i in $(seq 10); do \"$0\" switch \"$1\" >&2 && \"$0\" switch \"$2\" >&2 || exit 1; done";
        running.push(study.perf_through(&["sh", "-c", script], ids).start());
    }
    for writer in running {
        let ended = writer.end();
        assert_eq!(ended.status.code(), Some(0), "{ended:#?}");
    }
    let listed = study.perf(["status", "--all", "--json"]).succeeds().json();
    assert_eq!(listed["result"]["investigations"].as_array().map(Vec::len), Some(2), "{listed}");
    for id in [first.as_str(), "two"] {
        study.perf(["switch", id]).succeeds();
        assert_eq!(recorded(&study.state()), ["setup complete"]);
        study.perf(["log", "--check"]).succeeds();
    }
}

/// S-27: each of the updates is a record, a section and a commit.
fn t6_six_commands_at_once_lose_no_update() {
    const WRITERS: usize = 6;
    const UPDATES: usize = 20;
    let _machine = machine();
    let study = Study::new();
    study.setup().args(["--runs=3"]).succeeds();
    let script = "for i in $(seq \"$1\"); do \"$0\" setup --resume >&2 || exit 1; done";
    let updates = UPDATES.to_string();
    let start = |_| study.perf_through(&["sh", "-c", script], [updates.as_str()]).start();
    let writers: Vec<_> = (0..WRITERS).map(start).collect();
    for writer in writers {
        let ended = writer.end();
        assert_eq!(ended.status.code(), Some(0), "{ended:#?}");
    }
    let expected = WRITERS * UPDATES + 1;
    let state = study.state();
    assert_eq!(recorded(&state).len(), expected);
    assert_eq!(study.log().matches("\n## Setup - ").count(), expected);
    assert_eq!(study.subjects().len(), expected + 1);
    study.perf(["log", "--check"]).succeeds();
    assert!(study.git_status().is_empty());
}

fn t9_one_id_is_opened_once() {
    let _machine = machine();
    let study = Study::new();
    let opening: Vec<_> = (0..3).map(|_| study.setup().args(["--id=one", "--runs=3"]).start()).collect();
    let codes: Vec<_> = opening.into_iter().map(|one| one.end().status.code()).collect();
    let opened = codes.iter().filter(|code| **code == Some(0)).count();
    // Who comes later finds it there, or finds that it has come meanwhile.
    assert!(opened == 1 && codes.iter().all(|code| [Some(0), Some(2), Some(10)].contains(code)), "{codes:?}");
    assert_eq!(recorded(&study.state()), ["setup complete"]);
    assert!(!study.path(".claude/perf/investigations/one.json").exists());
}

/// Who waits for the machine finds the terms settled when it is free.
fn t5_terms_that_change_after_their_baseline_are_refused() {
    let _machine = machine();
    let study = Study::begun();
    let mut baseline =
        study.perf(["baseline", "--approve-short=a test", "--duration=3", super::NOISY]).start();
    baseline.says("plan:");
    let before = study.state()["scenario"].clone();
    let setup = study.perf(["setup", "--resume", "--success=mean_ms < 1"]).run();
    setup.assert_refused(10, "got its baseline", "status --all");
    assert_eq!(baseline.end().status.code(), Some(0));
    assert_eq!(study.state()["scenario"], before);
    assert_eq!(recorded(&study.state()), ["setup complete", "baseline complete"]);
}
