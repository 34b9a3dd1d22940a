//! The order of phases, and what each leaves: a record, a section, a commit.

use super::{Study, recorded};
use crate::support::cases::refused;
use crate::support::{machine, trials};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub fn trials() -> Vec<Trial> {
    trials![
        s31_a_phase_waits_for_those_before_it,
        p5_a_phase_is_named_only_when_one_goes_on,
        s57_each_phase_leaves_a_record_a_section_and_a_commit,
        s14_a_commit_holds_state_and_leaves_the_users_work_alone,
        s15_each_section_names_ten_rules,
        s50_answers_end_with_the_five_keys,
        s31_a_phase_is_left_out_with_a_reason,
        k12_several_investigations_stand_side_by_side,
        p2_a_benchmark_that_waits_reaches_no_conclusion,
        p2_a_benchmark_that_does_nothing_has_no_baseline,
        p6_next_says_what_a_phase_lacks,
        k04_a_baseline_that_is_repeated_says_what_it_replaces,
        s53_a_report_names_what_it_cannot_say,
        c23_a_complete_investigation_takes_no_more_phases,
        s03_every_answer_is_one_object_and_nobody_is_asked,
    ]
}

fn s31_a_phase_waits_for_those_before_it() {
    let _machine = machine();
    let study = Study::new();
    study.perf(["baseline", "--resume"]).fails(6, "no investigation is open", "setup");
    study.perf(["next"]).fails(6, "no investigation is open", "setup");
    study.setup().succeeds();
    for phase in ["breaking-point", "profiling", "optimization", "consolidation"] {
        let perf = study.perf(["next", "--resume", "--phase", phase]);
        perf.fails(6, &format!("{phase} comes after baseline"), "cargo perf baseline");
    }
    study.perf(["next", "--skip-phase=baseline=no time"]).fails(
        2,
        "cannot be left out",
        "cargo perf baseline",
    );
    study.perf(["next", "--skip-phase=profiling=no time"]).fails(2, "does not come before", "--skip-phase");
}

fn p5_a_phase_is_named_only_when_one_goes_on() {
    let _machine = machine();
    let study = Study::new();
    study.perf(["baseline", "--phase=optimization", "--filter=line"]).fails(2, "provided: --resume", "help");
    study.perf(["next", "--resume", "--phase=banana"]).fails(2, "setup, baseline, breaking-point", "help");
    study.setup().succeeds();
    study.perf(["baseline", "--resume", "--phase=profiling"]).fails(2, "carries out baseline", "--phase");
    study.measure().args(["--resume", "--phase=baseline"]).succeeds();
    study.perf(["next", "--resume", "--phase=baseline"]).fails(2, "is done", "cargo perf baseline");
}

/// S-32, S-39, S-47, S-48, K-02, K-13, T-07.
fn s57_each_phase_leaves_a_record_a_section_and_a_commit() {
    let _machine = machine();
    let study = Study::begun();
    let id = study.id();
    assert_eq!(study.subjects()[0], format!("perf: phase setup [{id}] baseline=v1 delta=n/a"));
    let answer = study.measure().succeeds().json();
    let delta = "mean_ms 12.5 ms";
    assert_eq!(study.subjects()[0], format!("perf: phase baseline [{id}] baseline=v1 delta={delta}"));
    assert_eq!(study.subjects().len(), 3);
    let checkpoint = &answer["result"]["investigation"]["checkpoint"];
    assert_eq!(checkpoint["state"], "commit");
    let state = study.state();
    assert_eq!(recorded(&state), ["setup complete", "baseline complete"]);
    for (record, heading) in
        state["phases"].as_array().expect("records").iter().zip(["## Setup - ", "## Baseline - "])
    {
        assert_eq!(record["checkpoint"]["state"], "commit");
        assert_eq!(study.log().matches(heading).count(), 1);
        for time in ["startedAt", "finishedAt"] {
            assert!(record[time].as_str().is_some_and(|time| time.ends_with('Z')), "{record}");
        }
    }
    // K-13: the day in UTC; S-47: the commit holds the section.
    let day = study.log().split("## Baseline - ").nth(1).expect("a section")[..10].to_owned();
    assert!(day.parse::<jiff::civil::Date>().is_ok(), "{day}");
    assert_eq!(study.committed(&format!(".claude/perf/investigations/{id}.md")), study.log());
    // Status finds the commits by subject and parent.
    let status = study.status();
    let commits: Vec<&str> = status["result"]["phases"]
        .as_array()
        .expect("phases")
        .iter()
        .map(|record| record["checkpoint"]["commit"].as_str().expect("a commit"))
        .collect();
    assert_eq!(commits[1], checkpoint["commit"].as_str().expect("a commit"));
    assert_eq!(study.perf(["status", "--strict"]).succeeds().status.code(), Some(0));
    for s39 in [
        "Version: v1",
        "Benchmark: line",
        "Results: mean_ms 12.5 ms",
        "Benchmark command: ./case.sh prints",
        "Warm-up: ",
        "> make it fast",
        "baselines/v1.json",
    ] {
        assert!(study.log().contains(s39), "{s39}");
    }
    assert!(!study.log().contains(study.project.to_str().expect("text")), "S-39: a path of this machine");
}

fn s14_a_commit_holds_state_and_leaves_the_users_work_alone() {
    let _machine = machine();
    let study = Study::begun();
    let of_state = |paths: &BTreeSet<String>| paths.iter().all(|path| path.starts_with(".claude/perf/"));
    assert!(of_state(&study.newest_commit_changed()));
    study.measure().succeeds();
    let changed = study.newest_commit_changed();
    assert!(of_state(&changed), "{changed:?}");
    assert!(changed.contains(".claude/perf/baselines/v1.json"), "{changed:?}");
    assert_eq!(study.git_status(), BTreeSet::new(), "the state folder is clean after a phase");
    // What was staged before a checkpoint stays staged, and the next commit of the user's holds nothing else.
    study.write("staged.txt", "mine\n");
    study.write("untracked.txt", "mine too\n");
    let repository = git2::Repository::open(&study.project).expect("a repository");
    let mut index = repository.index().expect("an index");
    index.add_path("staged.txt".as_ref()).expect("staged");
    index.write().expect("written");
    study.perf(["next", "--skip-phase=breaking-point=no load"]).succeeds();
    assert!(of_state(&study.newest_commit_changed()));
    assert_eq!(study.git_status(), ["staged.txt", "untracked.txt"].map(str::to_owned).into());
    let mut index = repository.index().expect("an index");
    index.read(true).expect("read");
    let tree = repository.find_tree(index.write_tree().expect("a tree")).expect("a tree");
    let head = repository.head().and_then(|head| head.peel_to_commit()).expect("a commit");
    let author = git2::Signature::now("A User", "user@example.org").expect("a signature");
    repository.commit(Some("HEAD"), &author, &author, "mine", &tree, &[&head]).expect("a commit");
    assert_eq!(study.newest_commit_changed(), ["staged.txt".to_owned()].into());
}

fn s15_each_section_names_ten_rules() {
    let _machine = machine();
    let study = Study::measured();
    study.perf(["next", "--skip-phase=breaking-point=no load"]).succeeds();
    assert_eq!(study.log().matches("\n- rule ").count(), 30);
    let state = study.state();
    for record in state["phases"].as_array().expect("records") {
        assert_eq!(record["rules"].as_array().map(Vec::len), Some(10), "{record}");
    }
}

/// S-51, S-52, S-53.
fn s50_answers_end_with_the_five_keys() {
    let _machine = machine();
    let study = Study::begun();
    study.measure().succeeds();
    let keys = ["phase: ", "status: ", "baseline: ", "findings:", "next: "];
    for words in [
        &["status"][..],
        &["next", "--skip-phase=breaking-point=no load"],
        &[
            "setup",
            "--id=two",
            "--scenario=s",
            "--quote=q",
            "--version=v2",
            "--success=mean_ms<20",
            "--filter=line",
        ],
    ] {
        let text = study.perf(words).succeeds().stdout;
        let block = &text[text.rfind("phase: ").expect("a block")..];
        let found: Vec<&str> = block.lines().filter(|line| !line.starts_with("  - ")).collect();
        assert_eq!(found.len(), keys.len(), "{block}");
        assert!(found.iter().zip(keys).all(|(line, key)| line.starts_with(key)), "{block}");
        assert!(block.lines().filter(|line| line.starts_with("  - ")).count() <= 5, "{block}");
    }
}

fn s31_a_phase_is_left_out_with_a_reason() {
    let _machine = machine();
    let study = Study::measured();
    let skips = ["--skip-phase=constraints=no limits here", "--skip-phase=breaking-point=no load"];
    study.perf(["next"]).args(skips).succeeds();
    let state = study.state();
    assert_eq!(recorded(&state)[2..], ["breaking-point skipped", "constraints skipped"]);
    assert_eq!(state["phases"][2]["reason"], "no load");
    let approval = &state["approvals"].as_array().expect("approvals").last().expect("one").clone();
    assert_eq!((&approval["what"], &approval["text"]), (&json!("skip-phase"), &json!("no limits here")));
    assert!(approval["who"].is_string() && approval["when"].is_string(), "{approval}");
    assert!(study.log().contains("- left out by "), "{}", study.log());
    assert_eq!(study.subjects().len(), 5, "each has a commit of its own");
    study.perf(["next", "--skip-phase=hypotheses="]).fails(2, "needs a reason", "--skip-phase");
    study.perf(["next", "--skip-phase=decision=why"]).fails(2, "cannot be left out", "decide");
    study.perf(["next", "--skip-phase=constraints=why"]).fails(2, "is done", "status");
}

fn k12_several_investigations_stand_side_by_side() {
    let _machine = machine();
    let study = Study::measured();
    let first = study.id();
    study.setup().args(["--id=two"]).succeeds();
    let listed = study.perf(["status", "--all", "--json"]).succeeds().json();
    let ids = |listed: &Value| -> Vec<(String, bool)> {
        let all = listed["result"]["investigations"].as_array().expect("all").clone();
        all.iter()
            .map(|one| (one["id"].as_str().expect("an id").to_owned(), one["current"] == true))
            .collect()
    };
    assert_eq!(ids(&listed), [("two".to_owned(), true), (first.clone(), false)]);
    study.perf(["next", "--id", &first]).fails(2, "is not the current investigation", "--resume --id");
    study.perf(["switch", "three"]).fails(2, "there is no investigation three", "status --all");
    study.perf(["switch"]).fails(2, "ID", "help");
    study.perf(["next", "--resume", "--id", &first, "--skip-phase=breaking-point=no load"]).succeeds();
    assert_eq!(study.id(), first);
    assert_eq!(recorded(&study.state()).len(), 3);
    study.perf(["switch", "two"]).succeeds();
    assert_eq!((study.id().as_str(), recorded(&study.state()).len()), ("two", 1));
    // What is printed to be pasted is meant for the one that was asked about.
    let reported = study.perf(["report", "--id", &first, "--json"]).succeeds().json();
    assert_eq!(reported["next"]["argv"], json!(["cargo", "perf", "switch", first]));
    let lacks = study.perf(["next", "--resume", "--id", &first, "--json"]).run().json();
    assert!(lacks["next"]["question"].to_string().contains("constraints"), "{lacks}");
    assert_eq!(study.id(), first);
    study.perf(["switch", "two"]).succeeds();
    study.perf(["switch", "--park"]).succeeds();
    assert!(study.status()["result"]["investigation"].is_null());
    assert!(study.perf(["status"]).succeeds().stdout.contains("2 investigations put aside"));
    // Nothing of it is lost, and a new one may begin.
    study.setup().args(["--id", &first]).fails(2, "already", "--resume");
    study.setup().succeeds();
    let listed = study.perf(["status", "--all", "--json"]).succeeds().json();
    assert_eq!(ids(&listed).len(), 3);
}

fn p2_a_benchmark_that_waits_reaches_no_conclusion() {
    let _machine = machine();
    let study = Study::new();
    study.setup_case(&["dozes"]).succeeds();
    // Long enough that a tenth of it is more than what it computes.
    study.perf(["baseline", "--approve-short=a test", "--duration=3", super::NOISY]).succeeds();
    let state = study.state();
    assert_eq!(state["baselines"][0]["padded"], true);
    assert_eq!(study.stored("v1")["padded"], true);
    let findings = state["phases"][1]["findings"].to_string();
    assert!(findings.contains("padded"), "{findings}");
    let skip = |phases: &[&str]| -> Vec<String> {
        phases.iter().map(|phase| format!("--skip-phase={phase}=a test")).collect()
    };
    for (phase, before) in [
        ("constraints", &["breaking-point"][..]),
        ("profiling", &["breaking-point", "constraints", "hypotheses", "code-paths"]),
        ("optimization", &["breaking-point", "constraints", "hypotheses", "code-paths", "profiling"]),
    ] {
        let perf = study.perf(["next", "--resume", "--phase", phase]).args(skip(before));
        perf.fails(5, "padded", "cargo perf baseline");
    }
    // To leave them out is no conclusion.
    study.perf(["next"]).args(skip(&["breaking-point", "constraints"])).succeeds();
    study.perf(["next"]).args(skip(&["hypotheses", "code-paths", "profiling", "optimization"])).succeeds();
    assert_eq!(recorded(&study.state()).last().map(String::as_str), Some("optimization skipped"));
    let report = study.perf(["report"]).succeeds().stdout;
    assert!(report.contains("nothing can be concluded from its time"), "{report}");
}

fn p2_a_benchmark_that_does_nothing_has_no_baseline() {
    let _machine = machine();
    let study = Study::new();
    study.terms("a > 0").args(["--metric=a:ms:lower", "--command", "echo PERF_METRICS a=1"]).succeeds();
    for flags in [&["--approve-short=a test", "--duration=0.3"][..], &["--runs=3"]] {
        let perf = study.perf(["baseline"]).args(flags).args([super::NOISY]);
        refused(&study, perf, 7, "echo", "");
    }
    assert!(!study.path(".claude/perf/baselines/v1.json").exists());
    assert_eq!(recorded(&study.state()), ["setup complete"]);
}

fn p6_next_says_what_a_phase_lacks() {
    let _machine = machine();
    let study = Study::begun();
    let answer = study
        .perf(["next", "--approve-short=a test", "--duration=0.3", super::NOISY, "--json"])
        .succeeds()
        .json();
    assert_eq!((&answer["schema"], &answer["phase"]), (&json!("cargo-perf/baseline"), &json!("baseline")));
    let answer = study.perf(["next", "--json"]).fails(6, "breaking-point", "--skip-phase").json();
    assert!(
        answer["next"]["question"].as_str().is_some_and(|question| question.contains("bisect-load")),
        "{answer}"
    );
}

fn k04_a_baseline_that_is_repeated_says_what_it_replaces() {
    let _machine = machine();
    let study = Study::measured();
    let before = study.stored("v1")["recordedAt"].clone();
    let answer = study.measure().succeeds().json();
    assert_eq!(answer["result"]["replaced"], before);
    let state = study.state();
    assert_eq!(recorded(&state), ["setup complete", "baseline complete", "baseline complete"]);
    assert_eq!(state["baselines"].as_array().map(Vec::len), Some(1));
    study.perf(["log", "--check"]).succeeds();
}

fn s53_a_report_names_what_it_cannot_say() {
    let _machine = machine();
    let study = Study::measured();
    let text = study.perf(["report"]).succeeds().stdout;
    for part in ["# reading zones", "- asked: make it fast", "| baseline | complete |", "no change was tried"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let report = study.perf(["report", "--json"]).succeeds().json();
    for key in ["summary", "recommendations", "abandoned", "next_steps", "insufficient"] {
        assert!(!report["result"][key].is_null(), "K-08: {key}");
    }
    study.perf(["report", "--id=none"]).fails(2, "there is no investigation none", "status --all");
}

fn c23_a_complete_investigation_takes_no_more_phases() {
    let _machine = machine();
    let study = Study::measured();
    let id = study.id();
    // As the phases leave it that this version does not carry out yet.
    let mut state = study.state();
    let record = state["phases"][1].clone();
    let phases = state["phases"].as_array_mut().expect("records");
    for phase in [
        "breaking-point",
        "constraints",
        "hypotheses",
        "code-paths",
        "profiling",
        "optimization",
        "decision",
        "consolidation",
    ] {
        let mut record = record.clone();
        record["phase"] = json!(phase);
        phases.push(record);
    }
    state["status"] = json!("complete");
    state["phase"] = json!("consolidation");
    study.write(super::STATE, &state.to_string());
    for words in [&["next", "--resume"][..], &["baseline", "--resume"], &["setup", "--resume"]] {
        study.perf(words).fails(6, &format!("{id} is complete"), "report");
    }
    study.perf(["next"]).fails(6, "no investigation is open", "setup");
    let status = study.perf(["status"]).succeeds().stdout;
    assert!(status.contains("status: complete\n"), "{status}");
    // A new one takes its place, and it is kept.
    study.setup().succeeds();
    assert!(study.read(format!(".claude/perf/investigations/{id}.json")).contains("\"complete\""));
    study.perf(["report", "--id", &id]).succeeds();
}

fn s03_every_answer_is_one_object_and_nobody_is_asked() {
    let _machine = machine();
    let study = Study::measured();
    for (words, code) in [
        (&["status"][..], 0),
        (&["status", "--all"], 0),
        (&["log"], 0),
        (&["log", "--check"], 0),
        (&["report"], 0),
        (&["next"], 6),
        (&["setup"], 6),
        (&["switch", "nobody"], 2),
        (&["switch", "--park"], 0),
    ] {
        let ended = study.perf(words).args(["--json"]).run();
        assert_eq!(ended.status.code(), Some(code), "{words:?}");
        let answer = ended.json();
        assert_eq!(answer["schema"], format!("cargo-perf/{}", words[0]));
        assert_eq!(answer["error"]["code"].as_i64().unwrap_or_default(), i64::from(code), "{words:?}");
    }
}
