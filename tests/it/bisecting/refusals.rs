//! What a search refuses, and what it makes of benchmarks that cannot be probed.

use super::{SHORT, WHILE, counting, found};
use crate::support::perf::Perf;
use crate::support::sandbox::{NOISY, Sandbox};
use crate::support::{machine, trials};
use libtest_mimic::Trial;
use serde_json::Value;

pub fn trials() -> Vec<Trial> {
    trials![
        ranges_that_are_none_name_their_flag,
        s06_a_short_probe_needs_an_approval,
        c14_variables_that_decide_how_programs_run_hold_no_load,
        flags_that_a_search_sets_itself_are_refused,
        conditions_are_read_before_anything_runs,
        an_unknown_metric_is_found_before_the_first_long_probe,
        what_cannot_start_is_no_breaking_point,
        what_says_that_it_could_not_run_is_no_breaking_point,
        what_could_not_run_once_is_probed_again,
        metrics_that_go_missing_are_no_breaking_point,
        times_of_a_closed_loop_are_refused,
        a_baseline_that_is_not_there_is_named,
        what_is_measured_first_is_compared_with,
        s10_what_is_stored_is_compared_with_on_its_machine_only,
        the_load_is_told_in_both_variables,
        several_benchmarks_are_refused,
    ]
}

fn ranges_that_are_none_name_their_flag() {
    let sandbox = Sandbox::of("load-cases");
    let beyond = u64::MAX.to_string();
    for (flags, cause, remedy) in [
        (vec!["--param-min=500", "--param-max=1"], "--param-min 500 is above --param-max 1", "exchange"),
        (vec!["--param-min=5", "--param-max=5"], "both 5", "--param-value"),
        (vec!["--param-min=0.5"], "--param-min 0.5 is no whole number", "--step"),
        (vec!["--param-min=0"], "has no ratio", "--scale linear"),
        (vec!["--param-max=1e5"], "no plain decimal", "no exponent"),
        (vec!["--param-max", &beyond], "does not fit into 64 bits", "the largest value"),
        (vec!["--beyond-max=400"], "--beyond-max 400 is not above", "--param-max 500"),
    ] {
        sandbox.search(&["exits", "5"]).args(&flags).fails(2, cause, remedy);
    }
    for flag in
        ["--tolerance=7", "--confidence=2", "--ramp=1", "--max-probes=1", "--audit=x", "--infra-exit=0"]
    {
        let name = flag.split('=').next().expect("a name");
        sandbox.search(&["exits", "5"]).args([flag]).fails(2, name, "help");
    }
}

fn s06_a_short_probe_needs_an_approval() {
    let sandbox = Sandbox::of("load-cases");
    let search = |flags: &[&str]| sandbox.perf(["bisect-load", "--filter=service"]).args(flags);
    search(&["--duration=29"]).fails(5, "rule 2 (sixty seconds) refuses --duration 29", "--approve-short");
    search(&["--duration=29", "--approve-short="]).fails(2, "needs a reason", "first look");
    search(&["--approve-short=a test"]).fails(2, "below 30 seconds", "--duration 10");
}

fn c14_variables_that_decide_how_programs_run_hold_no_load() {
    let sandbox = Sandbox::of("load-cases");
    for name in ["PATH", "HOME", "LD_PRELOAD", "CARGO_HOME", "PERF_RUN_MODE"] {
        let flag = format!("--param-env={name}");
        sandbox.search(&["exits", "5"]).args([flag.as_str()]).fails(2, name, "more than the load");
    }
    sandbox.search(&["exits", "5"]).args(["--param-env=2 B"]).fails(2, "2 B", "the name of a variable");
    let file = sandbox.read("perf.toml").replace("[external.load]", "[external.load]\nenv = 'PATH'");
    sandbox.write("perf.toml", &file);
    sandbox.perf(["bisect-load", "--filter=service"]).args(SHORT).fails(2, "load.env: PATH", "perf.toml");
}

fn flags_that_a_search_sets_itself_are_refused() {
    let sandbox = Sandbox::of("load-cases");
    let search = |flag: &str| sandbox.perf(["bisect-load", "--filter=service", flag]);
    search("--timeout=20").fails(2, "a timeout of 20 s would end the run behind the search", "--timeout");
    search("--timeout=60").fails(2, "a timeout of 60 s would end the run", "--timeout");
    search("--runs=5").fails(2, "--runs means nothing to a search", "--duration");
    search("--param-value=5").fails(2, "--param-value means nothing to a search", "--param-min");
    search("--baseline=v1").fails(2, "the condition compares with no baseline", "--while");
    // Another test may have been interrupted in this folder.
    search("--resume").unbuilt().fails(2, "no search of service was interrupted here", "--resume");
}

fn conditions_are_read_before_anything_runs() {
    let sandbox = Sandbox::of("load-cases");
    for (condition, cause) in [("p99_ms <", "column"), ("", "column"), ("p99_ms < 5 &&", "column")] {
        sandbox.search(&["exits", "5"]).args(["--while", condition]).fails(2, cause, "help");
    }
    sandbox.search(&["exits", "5"]).args(["--while=p99_ms < 2 * baseline"]).fails(
        6,
        "none was named",
        "--baseline-at",
    );
}

fn an_unknown_metric_is_found_before_the_first_long_probe() {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    let refused = |search: Perf<'_>, condition: &str, code, cause, remedy| {
        let ended = search.args(["--while", condition]).run();
        ended.assert_refused(code, cause, remedy);
        assert!(!ended.stderr.contains("probe 1"), "nothing was probed: {ended:#?}");
        sandbox.assert_no_process_left();
    };
    let search = |kind: &str| sandbox.search(&[kind, "120"]);
    refused(search("breaks"), "p98_ms < 10", 2, "p98_ms", "did you mean p99_ms?");
    refused(search("breaks"), "p99_ms < 2 MB", 2, "p99_ms", "help");
    refused(search("exits"), "p99_ms < 10", 7, "prints no metrics", "PERF_METRICS");
    // It ends at once; a second is longer than it takes to start it.
    let longer = sandbox.perf(["bisect-load", "--command=./load.sh ends_early", "--duration=1"]);
    let longer = longer.args(["--approve-short=a test", NOISY]);
    refused(longer, "p99_ms < 10", 7, "although it was asked for 1 s", "trial");
}

fn what_cannot_start_is_no_breaking_point() {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    let search = |command: &str| sandbox.perf(["bisect-load", "--command", command]).args(SHORT).run();
    search("./nowhere.sh").assert_refused(8, "nowhere.sh", "help");
    for code in ["126", "127", "75"] {
        let command = format!("./load.sh could_not_run 1 {code}");
        let ended = search(&command);
        ended.assert_refused(7, &format!("exited with code {code}"), "help");
        assert!(!ended.stdout.contains("breaks at"), "{ended:#?}");
    }
    sandbox.assert_no_process_left();
}

/// The answer of a search that ends because a probe cannot be made.
fn unmade(sandbox: &Sandbox, words: &[&str], flags: &[&str], reason: &str) {
    let ended = sandbox.search(words).args(flags).args(["--json"]).run();
    assert_eq!(ended.status.code(), Some(7), "{ended:#?}");
    let answer = ended.json();
    let found = found(&answer);
    assert_eq!(
        (&found["status"], &found["smallest_failing"]),
        (&"infra_error".into(), &Value::Null),
        "{answer}"
    );
    assert!(found["reason"].as_str().is_some_and(|why| why.contains(reason)), "{answer}");
    let lost = found["probes"].as_array().expect("probes").iter().filter(|probe| probe["ok"].is_null());
    assert_eq!(lost.count(), 3, "it is tried three times: {answer}");
    assert!(answer["error"]["hint"].as_str().is_some_and(|hint| hint.contains("--resume")), "{answer}");
    sandbox.assert_no_process_left();
}

fn what_says_that_it_could_not_run_is_no_breaking_point() {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    unmade(&sandbox, &["could_not_run", "50", "75"], &[], "could not run");
    unmade(&sandbox, &["could_not_run", "50", "9"], &["--infra-exit=9"], "exited with code 9");
}

fn what_could_not_run_once_is_probed_again() {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    let traces = sandbox.out.join("runs").display().to_string();
    let ended = sandbox.search(&["could_not_run_once", &traces, "4", "120"]).args(["--json"]).succeeds();
    let answer = ended.json();
    assert_eq!(found(&answer)["status"], "found");
    let probes = found(&answer)["probes"].as_array().expect("probes");
    let lost: Vec<&Value> = probes.iter().filter(|probe| probe["outcome"] == "infra_error").collect();
    assert_eq!((lost.len(), probes.len() - counting(&answer).len()), (1, 1), "{answer}");
}

fn metrics_that_go_missing_are_no_breaking_point() {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    unmade(&sandbox, &["says_nothing", "50"], &[WHILE], "metrics");
    unmade(&sandbox, &["is_no_number", "50"], &[WHILE], "p99_ms");
}

fn times_of_a_closed_loop_are_refused() {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    let search = || sandbox.search(&["waits_for_answers", "120"]);
    search().args([WHILE]).run().assert_refused(6, "hide every stall", "--accept-closed");
    let answer = search().args([WHILE, "--accept-closed", "--json"]).succeeds().json();
    assert_eq!(found(&answer)["status"], "found");
    sandbox.assert_no_process_left();
}

fn a_baseline_that_is_not_there_is_named() {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    let search = |flags: &[&str]| {
        let condition = "--while=p99_ms < 2 * baseline";
        sandbox.perf(["bisect-load", "--filter=service", condition]).args(SHORT).args(flags)
    };
    search(&["--baseline=v9"]).fails(6, "v9", "baseline");
    // One of another benchmark, and one without the metric that is compared with.
    let measure = |words: &[&str]| sandbox.perf(["baseline"]).args(words).args(["--runs=3", NOISY]);
    measure(&["v1", "--command=./load.sh tells_another_metric 120"]).succeeds();
    search(&["--baseline=v1"]).fails(6, "the baseline v1 holds no service", "--baseline-at");
    let whole = sandbox.read("perf.toml");
    let other = whole.replace("\"breaks\"", "\"tells_another_metric\"").replace("p99_ms = {", "other = {");
    sandbox.write("perf.toml", &other);
    measure(&["v2", "--filter=service"]).succeeds();
    sandbox.write("perf.toml", &whole);
    search(&["--baseline=v2"]).fails(6, "the baseline v2 holds no p99_ms; it holds ", "cargo perf baseline");
}

fn what_is_measured_first_is_compared_with() {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    // Ten times what it is at 12.
    let flags = ["--while=p99_ms < 10 * baseline", "--baseline-at=12", "--json"];
    let answer = sandbox.search(&["breaks", "50"]).args(flags).succeeds().json();
    let interval = &found(&answer)["interval"];
    let end = |name: &str| interval[name].as_u64().expect("a load");
    assert!(end("low") <= 120 && 120 <= end("high"), "{answer}");
}

fn s10_what_is_stored_is_compared_with_on_its_machine_only() {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    // At the load 12, which the script has without any, it is 1.
    sandbox.perf(["baseline", "v1", "--filter=service", "--runs=3", NOISY]).succeeds();
    let search = || {
        let words = ["bisect-load", "--filter=service", "--while=p99_ms < 10 * baseline", "--baseline=v1"];
        sandbox.perf(words).args(SHORT)
    };
    let answer = search().args(["--json"]).succeeds().json();
    let interval = &found(&answer)["interval"];
    let end = |name: &str| interval[name].as_u64().expect("a load");
    assert!(end("low") <= 120 && 120 <= end("high"), "{answer}");
    let file = ".claude/perf/baselines/v1.json";
    let mut stored: Value = serde_json::from_str(&sandbox.read(file)).expect("a baseline");
    stored["env"]["machine"]["cpu_model"] = "another one".into();
    sandbox.write(file, &stored.to_string());
    let cause = "compares with v1, which is of another machine: cpu_model was another one";
    search().fails(5, cause, "cargo perf baseline");
}

fn the_load_is_told_in_both_variables() {
    let _machine = machine();
    let sandbox = Sandbox::of("load-cases");
    let traces = sandbox.out.join("told");
    let words = ["tells", traces.to_str().expect("text"), "9"];
    sandbox.search(&words).args(["--param-env=RATE", "--param-max=20", "--tolerance=0"]).succeeds();
    let told = std::fs::read_to_string(&traces).expect("traces");
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines.len() > 5, "{told}");
    for line in lines {
        let value = |name: &str| {
            let word = line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            word.unwrap_or_else(|| panic!("{name} is not in {line}")).to_owned()
        };
        assert_eq!(value("RATE"), value("PERF_PARAM_VALUE"));
        assert!(["0.1", "0.2"].contains(&value("PERF_RUN_DURATION").as_str()), "{line}");
    }
}

fn several_benchmarks_are_refused() {
    let sandbox = Sandbox::of("load-cases");
    let second = "\n[[external]]\nid = 'second'\ncommand = './load.sh exits 5'\n";
    sandbox.write("perf.toml", &(sandbox.read("perf.toml") + second));
    sandbox.perf(["bisect-load"]).args(SHORT).fails(6, "2 benchmarks could be meant", "--filter");
    sandbox.perf(["bisect-load", "--filter=*"]).args(SHORT).fails(5, "2 benchmarks at once", "choose one");
}
