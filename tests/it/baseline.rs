//! What is stored, what is answered, and what becomes of stored baselines.

use crate::support::perf::Perf;
use crate::support::sandbox::{NOISY, Sandbox};
use crate::support::{machine, repository, trials};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

pub fn trials() -> Vec<Trial> {
    trials![
        a_stored_baseline_is_valid_under_its_schema,
        the_raw_samples_sum_to_the_time_that_was_asked_for,
        the_waiver_is_stored_with_its_words_and_its_user,
        the_answer_ends_with_the_five_keys_in_their_order,
        under_json_the_answer_is_one_object_with_all_keys,
        the_default_label_is_version_and_commit,
        outside_of_a_repository_the_default_label_is_the_version,
        a_replaced_baseline_is_said,
        measuring_changes_nothing_in_the_project_but_the_state_folder,
        the_state_folder_follows_flag_variable_configuration_and_agent,
        progress_goes_to_standard_error_only,
        events_are_lines_of_json_on_standard_error,
        a_group_that_asks_for_200_ms_is_still_measured_for_what_was_asked,
    ]
}

const FILE: &str = ".claude/perf/baselines/v1.json";

/// The program's answer and what it stored, after `seconds` were measured.
fn measured(sandbox: &Sandbox, seconds: &str, more: &[&str]) -> (String, Value) {
    let perf = sandbox.perf(["baseline", "v1", "--filter=well_behaved", "--approve-short", "first look"]);
    let ended = perf.args(["--duration", seconds, NOISY]).args(more).succeeds();
    (ended.stdout, sandbox.stored("v1"))
}

/// A short run that leaves the label to the program.
fn unlabelled(sandbox: &Sandbox) -> Perf<'_> {
    let short = ["--approve-short=a test", "--duration=0.2", NOISY];
    sandbox.perf(["baseline", "--filter=well_behaved"]).args(short)
}

/// The published schema of a baseline.
fn schema() -> jsonschema::Validator {
    let path = repository().join("docs/schemas/baseline.json");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let schema: Value = serde_json::from_str(&text).expect("a schema is JSON");
    jsonschema::validator_for(&schema).expect("a valid schema")
}

fn assert_valid(schema: &jsonschema::Validator, stored: &Value) {
    let errors: Vec<String> =
        schema.iter_errors(stored).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// S-17, S-38.
fn a_stored_baseline_is_valid_under_its_schema() {
    let _machine = machine();
    let schema = schema();
    let check = |stored: &Value| assert_valid(&schema, stored);
    let sandbox = Sandbox::of("misbehaving");
    check(&measured(&sandbox, "0.2", &[]).1);
    check(&measured(&sandbox, "0.2", &["--expand", "just so"]).1);
    sandbox.baseline("v1", "leaves_a_child").succeeds();
    check(&sandbox.stored("v1"));
    let cases = Sandbox::of("criterion-cases");
    for id in ["collatz/27", "thin/spin", "throughput/bytes", "no_socket/spin"] {
        cases.baseline("v1", id).succeeds();
        check(&cases.stored("v1"));
    }
    // The schema is worth something only when it refuses.
    let mut wrong = cases.stored("v1");
    wrong["benches"][0]["forks"][0]["count"] = json!("many");
    assert!(!schema.is_valid(&wrong));
}

/// Undoes the coding of a list of whole numbers as differences.
fn whole(deltas: &Value) -> Vec<i64> {
    let mut sum = 0;
    let step = |delta: &Value| {
        sum += delta.as_i64().expect("a whole number");
        sum
    };
    deltas.as_array().expect("a list").iter().map(step).collect()
}

/// The totals of the samples of a fork.
fn totals(fork: &Value) -> Vec<f64> {
    let samples = &fork["samples"];
    if samples["totals_delta"].is_array() {
        return whole(&samples["totals_delta"]).into_iter().map(|total| total as f64).collect();
    }
    let plain = samples["totals"].as_array().expect("totals, as differences or not");
    plain.iter().map(|total| total.as_f64().expect("a number")).collect()
}

fn close(a: f64, b: &Value) -> bool {
    b.as_f64().is_some_and(|b| (a - b).abs() <= 1e-9 * a.abs().max(1.0))
}

/// Seconds over the raw samples of a series, each fork compared with what is said of it. Forks that were
/// disturbed are kept, and count in nothing.
fn seconds_of_samples(series: &Value) -> f64 {
    let forks = series["forks"].as_array().expect("forks");
    let sums = forks.iter().map(|fork| {
        let (totals, iterations) = (totals(fork), whole(&fork["samples"]["iterations_delta"]));
        assert_eq!(totals.len(), iterations.len(), "{fork}");
        assert_eq!(fork["count"].as_u64(), Some(totals.len() as u64), "{fork}");
        assert_eq!(fork["iterations"].as_i64(), Some(iterations.iter().sum()), "{fork}");
        let sum: f64 = totals.iter().sum();
        assert!(close(sum, &fork["sum"]) && close(sum / 1e9, &fork["measured_s"]), "{fork}");
        let per_iteration = totals.iter().zip(&iterations).map(|(total, count)| total / *count as f64);
        assert!(close(per_iteration.fold(f64::INFINITY, f64::min), &fork["min"]), "{fork}");
        if fork["set_aside"].is_null() { sum / 1e9 } else { 0.0 }
    });
    sums.sum()
}

/// S-06, C-01.
fn the_raw_samples_sum_to_the_time_that_was_asked_for() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let stored = measured(&sandbox, "1.5", &[]).1;
    let series = &stored["benches"][0];
    let seconds = seconds_of_samples(series);
    assert!(seconds >= 1.5, "{seconds} s");
    assert_eq!(stored["duration"]["required_s"], 1.5);
    assert!(close(seconds, &series["totals"]["measured_s"]), "{seconds} and {}", series["totals"]);
    let forks = series["forks"].as_array().expect("forks");
    assert!(forks.len() >= 2, "one process is no evidence: {}", forks.len());
    assert_eq!(series["totals"]["forks"].as_u64(), Some(forks.len() as u64), "too few to set any aside");
    let smallest = forks.iter().filter_map(|fork| fork["min"].as_f64()).fold(f64::INFINITY, f64::min);
    let largest = forks.iter().filter_map(|fork| fork["median"].as_f64()).fold(0.0, f64::max);
    for view in ["cost", "felt"] {
        let value = series[view]["value"].as_f64().expect("a number");
        assert!((smallest..=largest).contains(&value), "{view} is {value}, {smallest}..{largest}");
    }
}

fn the_waiver_is_stored_with_its_words_and_its_user() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let (answer, stored) = measured(&sandbox, "0.2", &[]);
    let waiver = &stored["duration"]["waiver"];
    assert_eq!(waiver["text"], "first look");
    let user = waiver["who"].as_str().expect("a name");
    let uid = rustix::process::getuid().as_raw();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let line = users.lines().find(|line| line.split(':').nth(2) == Some(&uid.to_string()));
    let expected = line.and_then(|line| line.split(':').next()).map_or(format!("uid {uid}"), str::to_owned);
    assert_eq!(user, expected);
    assert!(waiver["when"].as_str().is_some_and(|when| when.ends_with('Z') && when.len() == 20), "{waiver}");
    assert!(
        answer.contains(&format!("measured for 0.2 s only, approved by {user}: first look\n")),
        "{answer}"
    );
}

/// S-50, S-52, S-53, S-54.
fn the_answer_ends_with_the_five_keys_in_their_order() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let answer = measured(&sandbox, "0.2", &[]).0;
    let block = &answer[answer.find("phase: ").expect("the block begins with its phase")..];
    let keys: Vec<&str> = block
        .lines()
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split(':').next())
        .collect();
    assert_eq!(keys, ["phase", "status", "baseline", "findings", "next"], "{answer}");
    assert!(
        block.starts_with("phase: baseline\nstatus: complete\nbaseline: v1\nfindings:\n  - "),
        "{answer}"
    );
    let findings: Vec<&str> = block.lines().filter(|line| line.starts_with("  - ")).collect();
    assert!((1..=5).contains(&findings.len()), "{answer}");
    assert!(
        findings[0].contains(" ns, ") && findings[0].contains(&format!("({FILE}#/benches/0/cost)")),
        "{answer}"
    );
    // `next` can be run as it stands.
    let next = block.lines().last().and_then(|line| line.strip_prefix("next: cargo ")).expect("a command");
    sandbox.perf(next.split(' ')).succeeds();
}

fn under_json_the_answer_is_one_object_with_all_keys() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let answer = sandbox.baseline("v1", "well_behaved").args(["--json"]).succeeds().json();
    let keys =
        ["baseline", "error", "findings", "next", "phase", "result", "schema", "schema_version", "status"];
    for object in [
        &answer,
        &sandbox.perf(["list", "--json"]).succeeds().json(),
        &sandbox.perf(["baselines", "--json"]).succeeds().json(),
    ] {
        let mut found: Vec<&String> = object.as_object().expect("an object").keys().collect();
        found.sort();
        assert_eq!(found, keys);
        assert!(object["schema_version"]["major"].is_u64() && object["schema_version"]["minor"].is_u64());
        assert!(object["error"].is_null() && object["findings"].is_array());
    }
    assert_eq!((&answer["schema"], &answer["phase"]), (&json!("cargo-perf/baseline"), &json!("baseline")));
    assert_eq!((&answer["status"], &answer["baseline"]), (&json!("complete"), &json!("v1")));
    assert_eq!(answer["next"]["argv"], json!(["cargo", "perf", "baselines", "show", "v1"]));
    assert!(answer["next"]["question"].is_null());
    assert_eq!(answer["result"]["file"], FILE);
    let finding = &answer["findings"][0];
    assert!(finding["text"].is_string() && finding["evidence"].is_string(), "{finding}");
    let pointer =
        finding["evidence"].as_str().and_then(|evidence| evidence.split_once('#')).expect("a pointer");
    assert!(sandbox.stored("v1").pointer(pointer.1).is_some(), "{finding} points nowhere");
}

fn the_default_label_is_version_and_commit() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let commit = sandbox.commit_all();
    let measure = || {
        let perf = unlabelled(&sandbox);
        perf.args(["--json"]).succeeds().json()["baseline"].as_str().expect("a label").to_owned()
    };
    let label = format!("0.0.0+{}", &commit[..7]);
    assert_eq!(measure(), label);
    let context = &sandbox.stored(&label)["env"]["context"];
    assert_eq!((&context["commit"], &context["dirty"]), (&json!(commit), &json!(false)));
    // The state folder itself does not make the tree a changed one.
    assert_eq!(measure(), label);
    let library = sandbox.read("src/lib.rs");
    sandbox.write("src/lib.rs", &format!("{library}\n// changed\n"));
    assert_eq!(measure(), format!("{label}.dirty"));
    assert_eq!(sandbox.stored(&format!("{label}.dirty"))["env"]["context"]["dirty"], true);
}

fn outside_of_a_repository_the_default_label_is_the_version() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    fs::remove_dir_all(sandbox.path(".git")).expect("the repository can be removed");
    unlabelled(&sandbox).succeeds();
    let stored = sandbox.stored("0.0.0");
    assert!(stored["env"]["context"]["commit"].is_null(), "{}", stored["env"]["context"]);
}

/// K-04, T-06.
fn a_replaced_baseline_is_said() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let (answer, first) = measured(&sandbox, "0.2", &[]);
    assert!(!answer.contains("replaces"), "{answer}");
    let again = measured(&sandbox, "0.2", &["--json"]).0;
    let again: Value = serde_json::from_str(&again).expect("JSON");
    assert_eq!(again["result"]["replaced"], first["recordedAt"]);
    let last = sandbox.stored("v1")["recordedAt"].as_str().expect("a time").to_owned();
    let answer = measured(&sandbox, "0.2", &[]).0;
    assert!(
        answer.contains(&format!("replaces the baseline of this version recorded at {last}\n")),
        "{answer}"
    );
}

fn measuring_changes_nothing_in_the_project_but_the_state_folder() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let before = sandbox.snapshot();
    measured(&sandbox, "0.2", &[]);
    assert_eq!(sandbox.git_status(), [FILE.to_owned()].into());
    let after = sandbox.snapshot();
    let changed: Vec<_> =
        before.iter().zip(&after).flat_map(|(a, b)| crate::support::traces::differences(a, b)).collect();
    assert_eq!(changed, [std::path::Path::new(FILE)]);
}

/// C-10, C-18, X-04.
fn the_state_folder_follows_flag_variable_configuration_and_agent() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let stored = |perf: Perf<'_>, folder: &str, reason: &str| {
        let answer = perf.succeeds().stdout;
        let said = format!("stored in {folder}/perf/baselines/v1.json ({reason})\n");
        assert!(answer.contains(&said), "{answer}");
        assert!(sandbox.path(format!("{folder}/perf/baselines/v1.json")).is_file());
    };
    let measure = || sandbox.baseline("v1", "well_behaved");
    stored(measure(), ".claude", "the default");
    stored(measure().env("CODEX_HOME", "/anywhere"), ".codex", "Codex is used here");
    fs::create_dir(sandbox.path(".opencode")).expect("the folder can be made");
    stored(measure().env("CODEX_HOME", "/anywhere"), ".opencode", "OpenCode is used here");
    sandbox.write("perf.toml", "state-dir = \"configured\"\n");
    stored(measure(), "configured", "state-dir in perf.toml");
    stored(measure().env("AI_STATE_DIR", "variable"), "variable", "AI_STATE_DIR");
    let flag = measure().env("AI_STATE_DIR", "variable").args(["--state-dir", "flag"]);
    stored(flag, "flag", "--state-dir");
}

fn progress_goes_to_standard_error_only() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let ended = sandbox.baseline("v1", "well_behaved").args(["--json"]).succeeds();
    ended.json();
    for part in ["building ", "plan: 0.2 s", "of 0.2 s"] {
        assert!(ended.stderr.contains(part), "{part:?} is not in {}", ended.stderr);
    }
    let plain = sandbox.baseline("v1", "well_behaved").succeeds();
    assert!(plain.stdout.starts_with("well_behaved (misbehaving of misbehaving)\n"), "{}", plain.stdout);
    assert!(!plain.stdout.contains("plan:") && !plain.stdout.contains("building"), "{}", plain.stdout);
}

fn events_are_lines_of_json_on_standard_error() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let ended = sandbox.baseline("v1", "well_behaved").args(["--events"]).succeeds();
    let events: Vec<Value> = ended
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}")))
        .collect();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().expect("a name")).collect();
    // Somebody else may hold the machine, and the bench may be built already.
    let steps = ["build_started", "build_finished", "pilot_started", "planned", "fork_finished"];
    let mut rest = names.iter();
    assert!(steps.iter().all(|step| rest.any(|name| name == step)), "{names:?}");
    let last = events.last().expect("an event");
    assert!(last["measured_s"].as_f64().is_some_and(|seconds| seconds >= 0.2), "{last}");
    assert_eq!(last["target_s"], 0.2);
    assert!(ended.stdout.contains("\nphase: baseline\n"), "{}", ended.stdout);
}

/// T-05. That sixty seconds are measured when nobody asks for less, and ten of warm-up before them (K-01), is
/// checked in a run of its own, by `.ci/check_baseline.py`.
fn a_group_that_asks_for_200_ms_is_still_measured_for_what_was_asked() {
    let _machine = machine();
    let sandbox = Sandbox::of("criterion-cases");
    let asked = ["--approve-short=a test", "--duration=3", NOISY];
    let perf = sandbox.perf(["baseline", "v1", "--bench=overrides", "--filter=short/spin"]).args(asked);
    assert!(perf.succeeds().wall >= Duration::from_secs(3));
    let stored = sandbox.stored("v1");
    assert_valid(&schema(), &stored);
    assert_eq!(stored["duration"]["required_s"], 3.0);
    let mut series = stored["benches"][0].clone();
    if !series["raw"].is_null() {
        unpack(&sandbox, &mut series);
    }
    let seconds = seconds_of_samples(&series);
    assert!(seconds >= 3.0, "{seconds} s");
    assert!(close(seconds, &series["totals"]["measured_s"]), "{seconds} and {}", series["totals"]);
    assert_eq!(series["overrides"], json!(["the bench sets measurement_time to 0.2 s"]));
    sandbox.perf(["baselines", "show", "v1"]).succeeds();
}

/// Puts samples that are stored beside the baseline back into it.
fn unpack(sandbox: &Sandbox, series: &mut Value) {
    use std::io::Read;
    let path = series["raw"]["path"].as_str().expect("a path");
    let packed = fs::read(sandbox.path(".claude/perf").join(path)).expect("the samples are there");
    let hash = cargo_util::Sha256::new().update(&packed).finish_hex();
    assert_eq!(series["raw"]["sha256"], hash);
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut text).expect("packed text");
    let samples: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let forks = series["forks"].as_array_mut().expect("forks");
    assert_eq!(samples.len(), forks.len());
    for (fork, samples) in forks.iter_mut().zip(samples) {
        fork["samples"] = samples;
    }
}
