//! Phase 1: what is asked for, checked, tried and stored.

use super::{STATE, Study, recorded};
use crate::support::cases::{command, refused};
use crate::support::{machine, trials};
use libtest_mimic::Trial;
use serde_json::{Value, json};

pub fn trials() -> Vec<Trial> {
    trials![
        s16_s34_each_missing_term_is_asked_for_alone,
        s16_the_benchmark_is_tried_and_its_metrics_are_shown,
        s36_the_benchmark_is_stored_with_words_and_folder,
        s26_it_says_where_state_goes_and_which_commits_will_be_made,
        t9_a_live_investigation_is_never_replaced,
        p1_what_fails_leaves_nothing,
        s13_a_metric_without_unit_or_direction_is_asked_about,
        s35_a_condition_that_cannot_be_checked_is_refused,
        s08_one_benchmark_is_chosen,
        t10_terms_that_cannot_be_stored_are_refused,
        x10_what_looks_like_a_secret_is_not_stored,
        s16_terms_can_be_changed_until_a_baseline_is_measured,
        s16_a_bench_is_judged_by_its_cost,
    ]
}

fn s16_s34_each_missing_term_is_asked_for_alone() {
    let study = Study::new();
    let all =
        [("--scenario", "zones"), ("--quote", "fast"), ("--success", "mean_ms < 20"), ("--version", "v1")];
    for (missing, _) in all {
        let given = all.into_iter().filter(|(flag, _)| *flag != missing).flat_map(<[&str; 2]>::from);
        let perf = study.perf(["setup", "--filter=line", "--json"]).args(given);
        let answer = perf.fails(6, &format!("setup lacks {missing}"), missing).json();
        assert_eq!(answer["status"], "blocked");
        let question = answer["next"]["question"].as_str().expect("a question");
        assert!(question.contains(missing), "{question}");
        let others = all.iter().filter(|(flag, _)| *flag != missing);
        assert!(others.clone().all(|(flag, _)| !question.contains(flag)), "{question}");
    }
    study.perf(["setup"]).fails(6, "--scenario, --quote, --success, --version", "--scenario");
}

fn s16_the_benchmark_is_tried_and_its_metrics_are_shown() {
    let _machine = machine();
    let study = Study::new();
    let answer = study.setup().succeeds().json();
    assert_eq!(answer["schema"], "cargo-perf/setup");
    assert_eq!((&answer["phase"], &answer["status"]), (&json!("setup"), &json!("in_progress")));
    assert_eq!(answer["next"]["argv"], json!(["cargo", "perf", "baseline"]));
    let tried = &answer["result"]["benchmark"]["tried"]["metrics"];
    assert_eq!(*tried, json!({"mean_ms": 12.5, "throughput_per_s": 80.0}));
    let text: Vec<&str> =
        answer["findings"].as_array().expect("findings").iter().filter_map(|f| f["text"].as_str()).collect();
    assert!(text.iter().any(|text| text.contains("mean_ms 12.5 ms")), "{text:?}");
    let state = study.state();
    assert_eq!(recorded(&state), ["setup complete"]);
    assert_eq!(state["scenario"]["description"], "reading zones");
    assert_eq!(state["scenario"]["successCriteria"], "mean_ms < 20");
    assert_eq!(state["scenario"]["metrics"][0], json!({"name": "mean_ms", "unit": "ms", "better": "lower"}));
    assert_eq!((&state["quote"], &state["phase"]), (&json!("make it fast"), &json!("baseline")));
}

fn s36_the_benchmark_is_stored_with_words_and_folder() {
    let _machine = machine();
    let study = Study::new();
    study.write("deep/run.sh", "#!/bin/sh\nexec ../case.sh \"$@\"\n");
    let words =
        ["setup", "--scenario=s", "--quote=q", "--version=v1", "--success=a > 0", "--metric=a:ms:lower"];
    let line = "../case.sh prints 'PERF_METRICS a=1'";
    study.perf(words).args(["--command", line]).cwd(study.path("deep")).succeeds();
    let benchmark = study.state()["benchmark"].clone();
    assert_eq!(benchmark["argv"], json!(["../case.sh", "prints", "PERF_METRICS a=1"]));
    assert_eq!((&benchmark["cwd"], &benchmark["version"]), (&json!("deep"), &json!("v1")));
    assert_eq!(benchmark["executableSha256"].as_str().map(str::len), Some(64));
    // From another folder, the same thing is measured in the same place.
    study.commit_all();
    study.measure().succeeds();
    assert_eq!(study.stored("v1")["benches"][0]["command"], benchmark["argv"]);
}

fn s26_it_says_where_state_goes_and_which_commits_will_be_made() {
    let _machine = machine();
    let study = Study::new();
    let said = study.setup().args(["--checkpoint=ref"]).succeeds().stderr;
    assert!(said.contains("State: .claude/perf (the default)"), "{said}");
    assert!(said.contains("Commits: one per phase onto refs/perf/perf-"), "{said}");
    let study = Study::new();
    study.write(".gitignore", ".claude/\n");
    study.commit_all();
    let ended = study.setup().succeeds();
    assert!(ended.stderr.contains("Commits: none, git ignores the state folder"), "{}", ended.stderr);
    let checkpoint = &ended.json()["result"]["investigation"]["checkpoint"];
    assert_eq!((&checkpoint["state"], &checkpoint["reason"]), (&json!("none"), &json!("ignored")));
}

fn t9_a_live_investigation_is_never_replaced() {
    let _machine = machine();
    let study = Study::begun();
    let id = study.id();
    study.setup().fails(6, &id, "--id NEW");
    study.setup().args(["--id", &id]).fails(2, "already", "--resume --id");
    study.setup().args(["--id=beside"]).succeeds();
    assert_eq!(study.id(), "beside");
    let parked = study.read(format!(".claude/perf/investigations/{id}.json"));
    assert!(parked.contains("reading zones"));
}

fn p1_what_fails_leaves_nothing() {
    let _machine = machine();
    let study = Study::new();
    for (words, code, cause) in [
        (&["exits", "3", "PERF_METRICS a=1"][..], 7, "exited with code 3"),
        (&["prints", "nothing of metrics"], 7, "printed no metrics"),
        (&["prints", "PERF_METRICS a=x"], 7, "cannot be read"),
        (&["prints", "PERF_METRICS b=1"], 7, "does not print it"),
    ] {
        let ended = refused(&study, study.setup_case(words), code, cause, "");
        assert_eq!(ended.json()["status"], "blocked");
        assert!(!study.path(STATE).exists());
    }
    study.setup().args(["--filter=lime"]).fails(2, "filter", "");
    let expand = study.setup().args(["--expand=why"]);
    expand.fails(2, "--expand", "baseline");
}

fn s13_a_metric_without_unit_or_direction_is_asked_about() {
    let _machine = machine();
    let study = Study::new();
    let line = command(&["prints", "PERF_METRICS b=1"]);
    for declared in [None, Some("--metric=b::lower"), Some("--metric=b:ms:")] {
        let perf = study.terms("b < 5").args(["--command", &line]).args(declared);
        refused(&study, perf, if declared == Some("--metric=b:ms:") { 2 } else { 6 }, "b", "--metric");
    }
    study.terms("b < 5").args(["--command", &line, "--metric=b:ms:lower"]).succeeds();
}

fn s35_a_condition_that_cannot_be_checked_is_refused() {
    let _machine = machine();
    let study = Study::new();
    for (success, cause) in [
        ("fast", "column"),
        ("mean_ms <", "column"),
        ("median_ms < 20", "median_ms"),
        ("mean_ms < 20B", "ms"),
        ("mean_ms < throughput_per_s", "throughput_per_s"),
    ] {
        refused(&study, study.terms(success).args(["--filter=line"]), 2, cause, "");
        assert!(!study.path(STATE).exists(), "{success}");
    }
}

fn s08_one_benchmark_is_chosen() {
    let study = Study::new();
    let answer = study.terms("mean_ms < 20").fails(6, "2 benchmarks could be meant", "--filter").json();
    let ids: Vec<&Value> =
        answer["result"]["benches"].as_array().expect("benches").iter().map(|b| &b["id"]).collect();
    assert_eq!(ids, ["line", "block"]);
}

fn t10_terms_that_cannot_be_stored_are_refused() {
    let study = Study::new();
    let with = |flag: &str, value: &str| {
        let words = ["--scenario", "--quote", "--success", "--version"].into_iter().flat_map(|given| {
            let usual = match given {
                "--success" => "mean_ms < 20",
                "--version" => "v1",
                _ => "text",
            };
            [given.to_owned(), if given == flag { value.to_owned() } else { usual.to_owned() }]
        });
        study.perf(["setup".to_owned(), "--filter=line".to_owned()].into_iter().chain(words))
    };
    with("--scenario", "a\u{7}b").fails(2, "control character", "");
    with("--scenario", "a\nb").fails(2, "control character", "");
    with("--scenario", " ").fails(2, "--scenario is empty", "for example");
    with("--version", "../v1").fails(2, "version label", "");
    with("--version", &"v".repeat(300)).fails(2, "version label", "");
    for id in ["../x", "a/b", ".", "a b"] {
        with("", "").args(["--id", id]).fails(2, "investigation id", "--id");
    }
}

fn x10_what_looks_like_a_secret_is_not_stored() {
    let study = Study::new();
    let secret =
        study.terms("a > 0").args(["--metric=a:ms:lower", "--command", "./case.sh prints --token=abc"]);
    secret.fails(2, "secret (token)", "variable");
    let quoted =
        study.perf(["setup", "--scenario=s", "--quote=use API_KEY=abc", "--success=a>0", "--version=v1"]);
    quoted.fails(2, "secret (API_KEY)", "without the value");
}

fn s16_terms_can_be_changed_until_a_baseline_is_measured() {
    let _machine = machine();
    let study = Study::begun();
    let before = study.state();
    study.perf(["setup", "--resume", "--success=mean_ms < 10"]).succeeds();
    let after = study.state();
    assert_eq!(after["scenario"]["successCriteria"], "mean_ms < 10");
    for same in ["id", "createdAt", "quote"] {
        assert_eq!(before[same], after[same], "{same}");
    }
    assert_eq!(before["benchmark"]["arguments"], after["benchmark"]["arguments"]);
    assert_eq!(recorded(&after), ["setup complete", "setup complete"]);
    study.measure().succeeds();
    study.perf(["setup", "--resume", "--success=mean_ms < 5"]).fails(6, "settled", "--id NEW");
}

fn s16_a_bench_is_judged_by_its_cost() {
    let _machine = machine();
    let study = Study::of("misbehaving");
    let bench = ["--filter=well_behaved", "--bench=misbehaving"];
    let answer = study.terms("cost <= baseline * 0.9").args(bench).succeeds().json();
    let metrics = answer["result"]["scenario"]["metrics"].as_array().expect("metrics");
    let named: Vec<(&Value, &Value, &Value)> =
        metrics.iter().map(|m| (&m["name"], &m["unit"], &m["better"])).collect();
    assert_eq!(
        named,
        [(&json!("cost"), &json!("ns"), &json!("lower")), (&json!("felt"), &json!("ns"), &json!("lower"))]
    );
    assert_eq!(answer["result"]["benchmark"]["bench"]["target"], "misbehaving");
    study.measure().succeeds();
    assert_eq!(study.stored("v1")["benches"][0]["bench"]["id"], "well_behaved");
}
