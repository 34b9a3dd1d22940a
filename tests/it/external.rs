//! External benchmarks: commands of `perf.toml` and of the command line, told by their environment what to
//! do, and stored as they print.

use crate::support::cases::{SHORT, command, refused};
use crate::support::perf::Perf;
use crate::support::sandbox::Sandbox;
use crate::support::{machine, trials};
use cargo_util::Sha256;
use libtest_mimic::Trial;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

pub fn trials() -> Vec<Trial> {
    trials![
        a_project_without_a_manifest_lists_and_measures_its_commands,
        an_external_benchmark_that_is_named_needs_no_cargo,
        units_and_directions_are_those_declared,
        scenarios_are_stored_by_name,
        a_command_on_the_command_line_is_measured_without_a_configuration,
        a_command_line_is_handed_to_a_shell_only_when_asked,
        a_command_runs_in_its_directory_with_its_variables,
        the_runtime_is_that_which_the_program_runs_on,
        a_run_for_a_duration_is_told_nothing_that_is_inherited,
        a_run_from_start_to_end_is_told_nothing_that_is_inherited,
        sources_that_change_meanwhile_are_of_no_commit,
        a_warm_up_is_asked_for_inside_the_measured_run_only,
        runs_become_one_value_in_each_way,
        declared_values_that_differ_are_measured_again_and_refused,
        declared_values_that_are_zero_at_times_are_refused_too,
        accepted_noise_is_stored_with_all_that_was_measured,
        values_that_nobody_declared_may_differ,
        output_before_the_metrics_may_be_long,
        a_benchmark_that_sleeps_for_most_of_its_time_is_called_padded,
    ]
}

const MEBIBYTE: u64 = 1 << 20;

/// The one series of an answer.
fn series(answer: &Value) -> &Value {
    let benches = answer["result"]["benches"].as_array().expect("benches");
    assert_eq!(benches.len(), 1, "{answer}");
    &benches[0]
}

/// C-25.
fn a_project_without_a_manifest_lists_and_measures_its_commands() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    let list = sandbox.perf(["list", "--json"]).succeeds();
    assert_eq!(list.ids(), ["line", "block"]);
    for bench in list.json()["result"]["benches"].as_array().expect("benches") {
        assert_eq!((&bench["harness"], &bench["precision"]), (&json!("external"), &json!("metrics")));
        assert_eq!((&bench["package"], &bench["target"]), (&Value::Null, &Value::Null));
    }
    let answer = sandbox.perf(["baseline", "v1", "--filter=line"]).args(SHORT).succeeds().json();
    let bench = series(&answer);
    assert_eq!((&bench["id"], &bench["accounting"]), (&json!("line"), &json!("wall")));
    let stored = sandbox.stored("v1");
    assert_eq!(stored["metrics"], json!({"line": {"mean_ms": 12.5, "throughput_per_s": 80.0}}));
    let kept = &stored["benches"][0];
    assert_eq!(kept["command"], bench["command"]);
    assert_eq!(kept["runs"], json!({"mode": "duration", "asked_s": 0.3, "warm_up_s": 0.0}));
    assert!(kept["totals"]["measured_s"].as_f64() >= Some(0.3), "{kept}");
    assert_eq!(kept["forks"][0]["metrics"], json!({"mean_ms": 12.5, "throughput_per_s": 80.0}));
    assert_eq!(stored["duration"]["waiver"]["text"], "a test");
    assert!(kept["executable_sha256"].as_str().is_some_and(|hash| hash.len() == 64), "{kept}");
}

fn an_external_benchmark_that_is_named_needs_no_cargo() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    // The manifest is broken besides, so that asking cargo would fail in any case.
    sandbox.write("Cargo.toml", "[package\n");
    let path = sandbox.programs(&["sh", "timeout"]);
    let without_cargo =
        |perf: Perf<'_>| perf.env("PATH", &path).env_remove("CARGO").args(SHORT).succeeds().json();
    let named = without_cargo(sandbox.perf(["baseline", "v1", "--filter=line"]));
    assert_eq!(series(&named)["id"], "line");
    let typed = without_cargo(sandbox.case(&["prints", "PERF_METRICS a=1"]));
    assert_eq!(series(&typed)["metrics"][0]["name"], "a");
}

fn units_and_directions_are_those_declared() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    let declared = |answer: &Value| {
        let metrics = series(answer)["metrics"].as_array().expect("metrics").clone();
        metrics.into_iter().map(|metric| json!([metric["name"], metric["unit"], metric["better"]])).collect()
    };
    let measure = |flags: &[&str]| -> Vec<Value> {
        let perf = sandbox.perf(["baseline", "v1", "--filter=line", "--runs=3", "--json"]).args(flags);
        declared(&perf.succeeds().json())
    };
    let configured = json!(["mean_ms", "ms", "lower"]);
    let rate = json!(["throughput_per_s", "1/s", "higher"]);
    assert_eq!(measure(&[]), [configured.clone(), rate]);
    // What is said on the command line wins over the file.
    let flag = "--metric=throughput_per_s:requests/s:lower";
    assert_eq!(measure(&[flag]), [configured, json!(["throughput_per_s", "requests/s", "lower"])]);
    let perf = sandbox.case(&["prints", "PERF_METRICS a=1 b=2"]).args(["--metric=a::higher"]);
    let answer = perf.args(["--runs=3", "--json"]).succeeds().json();
    let found: Vec<Value> = declared(&answer);
    assert_eq!(found, [json!(["a", null, "higher"]), json!(["b", null, null])]);
}

/// C-24, C-26.
fn scenarios_are_stored_by_name() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    let stored = || sandbox.stored("v1")["metrics"].clone();
    sandbox.perf(["baseline", "v1", "--filter=block"]).args(SHORT).succeeds();
    let scenarios = json!({"read": {"mean_ms": 1.5}, "check": {"mean_ms": 3.0}});
    assert_eq!(stored()["block"], json!({"scenarios": scenarios}));
    let answer = sandbox
        .case(&["prints", "PERF_METRICS scenario=cold.1 ms=5", "PERF_METRICS scenario=warm ms=2 hits=9"])
        .args(["--metric=ms:ms:lower"])
        .args(SHORT)
        .succeeds()
        .json();
    let metrics = series(&answer)["metrics"].as_array().expect("metrics").clone();
    let of = |metric: &Value| json!([metric["scenario"], metric["name"], metric["value"], metric["unit"]]);
    let found: Vec<Value> = metrics.iter().map(of).collect();
    let expected = [
        json!(["cold.1", "ms", 5.0, "ms"]),
        json!(["warm", "hits", 9.0, null]),
        json!(["warm", "ms", 2.0, "ms"]),
    ];
    assert_eq!(found, expected);
}

fn a_command_on_the_command_line_is_measured_without_a_configuration() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    fs::remove_file(sandbox.path("perf.toml")).expect("the file was there");
    sandbox.write("Cargo.toml", "[package]\nname = \"none\"\n");
    let words = ["prints", "two  blanks", "PERF_METRICS a=1"];
    let answer = sandbox.case(&words).args(SHORT).succeeds().json();
    let bench = series(&answer);
    assert_eq!(bench["command"], json!(["./case.sh", "prints", "two  blanks", "PERF_METRICS a=1"]));
    assert_eq!(bench["id"], "./case.sh 'prints' 'two blanks' 'PERF_METRICS a=1'");
    assert_eq!(bench["harness"], "external");
    assert_eq!(sandbox.stored("v1")["benches"][0]["command"], bench["command"]);
}

fn a_command_line_is_handed_to_a_shell_only_when_asked() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    let line = "A=7; ./case.sh prints \"PERF_METRICS a=$A\" | cat";
    let perf = sandbox.perf(["baseline", "v1", "--command", line, "--shell"]).args(SHORT);
    let answer = perf.succeeds().json();
    assert_eq!(series(&answer)["metrics"][0]["value"], 7.0);
    assert_eq!(series(&answer)["command"], json!(["sh", "-c", line]));
    sandbox.write(
        "perf.toml",
        "[[external]]\nid = 'piped'\nshell = true\ncommand = \"./case.sh prints 'PERF_METRICS a=8' | cat\"\n",
    );
    let answer = sandbox.perf(["baseline", "v1", "--filter=piped"]).args(SHORT).succeeds().json();
    assert_eq!(series(&answer)["metrics"][0]["value"], 8.0);
    // Quoted, the same characters are text.
    let text = "PERF_METRICS a=9 | cat > $HOME";
    refused(&sandbox, sandbox.case(&["prints", text]).args(SHORT), 7, "\"|\" has no value", "name=number");
}

fn told(sandbox: &Sandbox) -> Vec<Vec<String>> {
    let text = fs::read_to_string(sandbox.traces_of_runs()).expect("it was run");
    let runs = text.split("run\n").skip(1);
    runs.map(|run| run.lines().map(str::to_owned).collect()).collect()
}

/// Whether a run was told that the variable has this value; `None` means that it is not set.
#[track_caller]
fn assert_told(run: &[String], name: &str, value: Option<&str>) {
    let found = run.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    assert_eq!(found, value, "{name}: {run:#?}");
}

fn a_command_runs_in_its_directory_with_its_variables() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    sandbox.write("below/README.md", "a folder\n");
    let traces = sandbox.traces_of_runs();
    let table = |directory: &str| {
        let command = format!("['{}', 'tells', '{}']", sandbox.path("case.sh").display(), traces.display());
        let env = "env = { TOLD_A = 'two words', TOLD_B = '$HOME' }";
        format!("[[external]]\nid = 'tells'\ncommand = {command}\n{directory}\n{env}\n")
    };
    let project = sandbox.project.canonicalize().expect("the project");
    for (directory, expected) in [("", project.clone()), ("directory = 'below'", project.join("below"))] {
        sandbox.write("perf.toml", &table(directory));
        let perf = sandbox.perf(["baseline", "v1", "--filter=tells", "--runs=3"]).cwd(sandbox.path("below"));
        perf.env("TOLD_A", "inherited").env("TOLD_C", "kept").succeeds();
        let runs = told(&sandbox);
        assert_eq!(runs.len(), 4, "three runs and one that does not count");
        for run in &runs {
            assert_eq!(run[0], expected.display().to_string());
            assert_told(run, "TOLD_A", Some("two words"));
            assert_told(run, "TOLD_B", Some("$HOME"));
            assert_told(run, "TOLD_C", Some("kept"));
        }
        fs::remove_file(&traces).expect("the file is there");
    }
}

fn the_runtime_is_that_which_the_program_runs_on() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    let case = sandbox.path("case.sh");
    let script = format!(
        "#!/bin/sh\n[ \"$1\" != --version ] || exec echo v99.1.0\nexec {} prints 'PERF_METRICS a=1'\n",
        case.display()
    );
    sandbox.write("bin/node", &script);
    let node = sandbox.path("bin/node");
    fs::set_permissions(&node, fs::Permissions::from_mode(0o755)).expect("it can be executable");
    let folder = node.parent().expect("a folder").display();
    for table in [
        format!("command = ['node', 'x']\nenv = {{ PATH = '{folder}:/usr/bin:/bin' }}"),
        format!("command = ['{}', 'x']", node.display()),
        format!("command = ['./node', 'x']\ndirectory = '{folder}'"),
    ] {
        sandbox.write("perf.toml", &format!("[[external]]\nid = 'n'\n{table}\n"));
        sandbox.perf(["baseline", "v1", "--filter=n", "--runs=3"]).succeeds();
        let stored = sandbox.stored("v1");
        assert_eq!(stored["env"]["build"]["runtime"], "node v99.1.0", "{table}");
        let hash = Sha256::new().update(&fs::read(&node).expect("a script")).finish_hex();
        assert_eq!(stored["benches"][0]["executable_sha256"], hash, "{table}");
    }
}

/// The program in an environment that says everything that a benchmark could be told, wrongly.
fn misled(perf: Perf<'_>) -> Perf<'_> {
    perf.env("PERF_RUN_MODE", "binary-search")
        .env("PERF_RUN_DURATION", "9999")
        .env("PERF_WARMUP_DURATION", "8888")
        .env("PERF_PARAM_VALUE", "7777")
        .env("PERF_PROTOCOL", "66.6")
        .env("PERF_REPORT_FILE", "/nonexistent/report")
}

fn assert_reports_to_this_program(run: &[String]) {
    assert_told(run, "PERF_PROTOCOL", Some("1.0"));
    let file = run.iter().find_map(|line| line.strip_prefix("PERF_REPORT_FILE="));
    assert!(file.is_some_and(|file| file.contains("/perf/runs/")), "{run:#?}");
}

fn a_run_for_a_duration_is_told_nothing_that_is_inherited() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    let traces = sandbox.traces_of_runs();
    let traces = traces.to_str().expect("text");
    for parameter in [None, Some("250")] {
        let flag = parameter.map(|value| format!("--param-value={value}"));
        misled(sandbox.case(&["tells", traces])).args(SHORT).args(flag).succeeds();
        let runs = told(&sandbox);
        // A run that the machine disturbed was measured again, warm-up and all.
        assert!(!runs.is_empty() && runs.len().is_multiple_of(2), "{runs:#?}");
        for (index, run) in runs.iter().enumerate() {
            assert_told(run, "PERF_RUN_MODE", Some("duration"));
            assert_told(run, "PERF_RUN_DURATION", Some(if index % 2 == 0 { "0.05" } else { "0.3" }));
            assert_told(run, "PERF_WARMUP_DURATION", None);
            assert_told(run, "PERF_PARAM_VALUE", parameter);
            assert_reports_to_this_program(run);
        }
        fs::remove_file(traces).expect("the file is there");
    }
}

/// C-09.
fn a_run_from_start_to_end_is_told_nothing_that_is_inherited() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    let traces = sandbox.traces_of_runs();
    let traces = traces.to_str().expect("text");
    for parameter in [None, Some("0.5")] {
        let flag = parameter.map(|value| format!("--param-value={value}"));
        misled(sandbox.case(&["tells", traces])).args(["--runs=3"]).args(flag).succeeds();
        let runs = told(&sandbox);
        assert_eq!(runs.len(), 4, "three runs and one that does not count");
        for run in &runs {
            assert_told(run, "PERF_RUN_MODE", Some("oneshot"));
            assert_told(run, "PERF_RUN_DURATION", None);
            assert_told(run, "PERF_WARMUP_DURATION", None);
            assert_told(run, "PERF_PARAM_VALUE", parameter);
            assert_reports_to_this_program(run);
        }
        fs::remove_file(traces).expect("the file is there");
    }
}

/// K-03: nobody can measure that commit again and get these numbers.
fn sources_that_change_meanwhile_are_of_no_commit() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    sandbox.write("kept", "as it is committed\n");
    sandbox.commit_all();
    let ended = sandbox.case(&["tells", "kept"]).args(SHORT).succeeds();
    assert!(ended.stderr.contains("the sources were changed while it was measured"), "{ended:#?}");
    let context = &sandbox.stored("v1")["env"]["context"];
    assert_eq!(context["dirty"], true, "{context}");
    sandbox.perf(["compare", "v1", "--command", "true"]).fails(
        6,
        "sources that no commit holds",
        "baselines show v1",
    );
}

fn a_warm_up_is_asked_for_inside_the_measured_run_only() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    let traces = sandbox.traces_of_runs();
    let table = format!(
        "[[external]]\nid = 'warm'\nwarm-up = 0.2\ncommand = ['./case.sh', 'tells', '{}']\n",
        traces.display()
    );
    sandbox.write("perf.toml", &table);
    let configured = sandbox.perf(["baseline", "v1", "--filter=warm"]);
    let typed = sandbox.case(&["tells", traces.to_str().expect("text")]).args(["--warm-up=0.2"]);
    for perf in [configured, typed] {
        misled(perf).args(SHORT).succeeds();
        for (index, run) in told(&sandbox).iter().enumerate() {
            assert_told(run, "PERF_WARMUP_DURATION", if index % 2 == 0 { None } else { Some("0.2") });
            assert_told(run, "PERF_RUN_DURATION", Some(if index % 2 == 0 { "0.05" } else { "0.3" }));
        }
        let bench = &sandbox.stored("v1")["benches"][0];
        assert_eq!(bench["runs"], json!({"mode": "duration", "asked_s": 0.3, "warm_up_s": 0.2}));
        let wall = bench["forks"][0]["wall_s"].as_f64();
        assert!(wall >= Some(0.5), "the warm-up lies in the measured run: {wall:?}");
        fs::remove_file(&traces).expect("the file is there");
    }
    misled(sandbox.perf(["baseline", "v1", "--filter=warm", "--runs=3"])).succeeds();
    for run in told(&sandbox) {
        assert_told(&run, "PERF_WARMUP_DURATION", None);
    }
}

/// The words of a case that prints these values of the metric `value` run after run, the first one in the
/// run that does not count.
fn values(sandbox: &Sandbox, values: [u32; 4]) -> Vec<String> {
    let file = sandbox.traces_of_runs().to_str().expect("text").to_owned();
    let lines = values.map(|value| format!("PERF_METRICS value={value}"));
    ["turns".to_owned(), file].into_iter().chain(lines).collect()
}

fn case_of<'s>(sandbox: &'s Sandbox, words: &[String]) -> Perf<'s> {
    sandbox.case(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

/// C-02, X-02.
fn runs_become_one_value_in_each_way() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    let words = values(&sandbox, [1000, 1, 6, 2]);
    for (how, expected) in
        [(None, 2.0), (Some("median"), 2.0), (Some("mean"), 3.0), (Some("min"), 1.0), (Some("max"), 6.0)]
    {
        let flag = how.map(|how| format!("--aggregate={how}"));
        let perf = case_of(&sandbox, &words).args(["--runs=3", "--json"]).args(flag);
        let answer = perf.succeeds().json();
        let metric = &series(&answer)["metrics"][0];
        assert_eq!((&metric["value"], &metric["values"]), (&json!(expected), &json!([1.0, 6.0, 2.0])));
        assert_eq!(metric["deviation"], 2.0, "6 lies twice its median of 2 away from it");
        let stored = sandbox.stored("v1");
        let id = command(&words.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(stored["metrics"][id]["value"], expected);
        let bench = &stored["benches"][0];
        assert_eq!(
            bench["runs"],
            json!({"mode": "oneshot", "runs": 3, "aggregate": how.unwrap_or("median")})
        );
        let each = bench["forks"].as_array().expect("forks").iter().map(|fork| &fork["metrics"]["value"]);
        assert!(each.eq(&[1.0, 6.0, 2.0]), "{bench}");
        assert_eq!(stored["duration"]["waiver"]["text"], "approved_short: --runs 3");
    }
    assert_eq!(sandbox.runs(), 5 * 4, "nothing was measured twice");
}

fn declared_values_that_are_zero_at_times_are_refused_too() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    let words = values(&sandbox, [0, 0, 0, 1]);
    let perf = case_of(&sandbox, &words).args(["--runs=3", "--metric=value:errors:lower"]);
    let ended = refused(&sandbox, perf, 8, "measured 3 times", "--accept-noise");
    assert!(ended.stderr.contains("value is 0 in the middle of its runs, and not in all"), "{ended:#?}");
    let perf = case_of(&sandbox, &words).args(["--runs=3"]).succeeds();
    assert!(perf.stdout.contains("0 in the middle of the runs, and not in all"), "{}", perf.stdout);
}

/// S-09, C-21.
fn declared_values_that_differ_are_measured_again_and_refused() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    let words = values(&sandbox, [1, 100, 130, 100]);
    let perf = case_of(&sandbox, &words).args(["--runs=3", "--metric=value:ms:lower"]);
    let ended = refused(&sandbox, perf, 8, "measured 3 times", "--accept-noise");
    assert!(ended.stderr.contains("value lies up to 30"), "{}", ended.stderr);
    assert_eq!(ended.stderr.matches("measuring it again").count(), 2, "{}", ended.stderr);
    assert_eq!(sandbox.runs(), 3 * 4);
}

fn accepted_noise_is_stored_with_all_that_was_measured() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    let words = values(&sandbox, [1, 100, 130, 100]);
    let perf = case_of(&sandbox, &words).args(["--runs=3", "--metric=value:ms:lower", "--json"]);
    let answer = perf.args(["--accept-noise=a shared machine"]).succeeds().json();
    assert_eq!(series(&answer)["rejected"].as_array().map(Vec::len), Some(2));
    let stored = sandbox.stored("v1");
    assert_eq!(stored["noise_accepted"]["text"], "a shared machine");
    let bench = &stored["benches"][0];
    let rejected = bench["rejected"].as_array().expect("rejected series");
    assert_eq!(rejected.len(), 2);
    for one in rejected.iter().chain([bench]) {
        assert_eq!(one["metrics"][0]["values"], json!([100.0, 130.0, 100.0]));
        assert_eq!(one["forks"].as_array().map(Vec::len), Some(3));
    }
    assert!(rejected.iter().all(|one| one["reason"].as_str().is_some_and(|text| text.contains("30"))));
    assert_eq!(sandbox.runs(), 3 * 4);
}

fn values_that_nobody_declared_may_differ() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    let words = values(&sandbox, [1, 100, 130, 100]);
    case_of(&sandbox, &words).args(["--runs=3"]).succeeds();
    let stored = sandbox.stored("v1");
    assert_eq!(stored["benches"][0]["rejected"], Value::Null);
    assert_eq!(stored["noise_accepted"], Value::Null);
    assert_eq!(sandbox.runs(), 4);
}

/// S-11.
fn output_before_the_metrics_may_be_long() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    for case in ["floods", "floods_one_line"] {
        // The logs are looked at below, so they must not lie among those of other tests.
        let ended = sandbox.case(&[case]).args(SHORT).env_remove("CARGO_TARGET_DIR").succeeds();
        assert_eq!(series(&ended.json())["metrics"][0]["value"], 1.0);
        assert!(ended.peak_memory > 0, "the peak of memory was not seen");
        assert!(ended.peak_memory < 60 * MEBIBYTE, "{} MiB in memory", ended.peak_memory / MEBIBYTE);
    }
    let logged = logs(sandbox.path("target"));
    assert!(logged.iter().any(|size| *size > MEBIBYTE), "{logged:?}");
    assert!(logged.iter().all(|size| *size < 17 * MEBIBYTE), "{logged:?}");
    fs::remove_dir_all(sandbox.path("target")).expect("the folder can be removed");
}

/// The sizes of all files below a folder.
fn logs(folder: PathBuf) -> Vec<u64> {
    let mut open = vec![folder];
    let mut sizes = Vec::new();
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).expect("the folder can be read").flatten() {
            let path = entry.path();
            if path.is_dir() { open.push(path) } else { sizes.push(path.metadata().expect("a size").len()) }
        }
    }
    sizes
}

/// C-20, X-01.
fn a_benchmark_that_sleeps_for_most_of_its_time_is_called_padded() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    let ended = sandbox.case(&["dozes"]).args(["--approve-short=a test", "--duration=4"]).succeeds();
    assert!(ended.stdout.contains("padded"), "{}", ended.stdout);
    let share = sandbox.stored("v1")["benches"][0]["totals"]["active_share"].as_f64();
    assert!(share > Some(0.0) && share < Some(0.1), "{share:?}");
}
