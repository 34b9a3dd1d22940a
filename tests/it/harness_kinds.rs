//! Benches of every harness: listed, and measured by what each of them understands.

use crate::support::cases::SHORT;
use crate::support::perf::{Ended, Perf};
use crate::support::sandbox::{Sandbox, run_folder_of};
use crate::support::{machine, trials};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;

pub fn trials() -> Vec<Trial> {
    trials![
        benches_of_every_harness_are_listed_with_version_and_precision,
        every_release_of_criterion_is_measured_by_its_samples,
        old_releases_of_criterion_measure_exactly_the_chosen_id,
        a_divan_bench_is_measured_by_its_table,
        a_divan_bench_over_several_thread_counts_is_refused,
        a_divan_bench_on_threads_is_measured_by_the_clock,
        a_libtest_bench_is_measured_by_the_clock,
        a_libtest_bench_that_the_compiler_refuses_is_a_failed_build,
        a_custom_main_is_measured_by_its_own_metrics,
        a_custom_main_is_told_its_load,
    ]
}

/// The ids of `benches/criterion.rs`.
const CRITERION: [&str; 8] = [
    "checksum",
    "checksum_of_lines",
    "sum(1+2)*[3]",
    "parse/lines/64",
    "parse/64",
    "parse/lines/512",
    "parse/512",
    "sort/batched",
];
const RELEASES: [&str; 6] = ["0.3", "0.4", "0.5", "0.6", "0.7", "0.8"];

fn package(release: &str) -> String {
    format!("criterion-{}", release.replace('.', "-"))
}

/// `baseline v1` of one bench of one package.
pub fn baseline<'s>(sandbox: &'s Sandbox, package: &str, id: &str) -> Perf<'s> {
    let filter = format!("--filter={id}");
    sandbox.perf(["baseline", "v1", "--package", package, &filter]).args(SHORT)
}

/// The one stored series, after what holds for every kind was checked.
pub fn stored_series(sandbox: &Sandbox, ended: &Ended, id: &str) -> Value {
    assert_eq!(ended.ids(), [id]);
    let stored = sandbox.stored("v1");
    let series = &stored["benches"][0];
    assert_eq!(series["bench"]["id"], id);
    assert!(series["totals"]["measured_s"].as_f64() >= Some(0.3), "{series}");
    let forks = series["forks"].as_array().expect("forks");
    assert_eq!(series["totals"]["forks"], forks.len(), "{series}");
    assert!(!forks.is_empty());
    let shown = &ended.json()["result"]["benches"][0];
    for key in ["harness", "harness_version", "precision", "accounting", "cost", "felt", "totals"] {
        assert_eq!(shown[key], series[key], "{key}");
    }
    series.clone()
}

fn benches_of_every_harness_are_listed_with_version_and_precision() {
    let _machine = machine();
    let sandbox = Sandbox::of("harness-kinds");
    let list = sandbox.perf(["list", "--json"]).succeeds().json();
    let benches = list["result"]["benches"].as_array().expect("benches");
    let of = |package: &str| -> Vec<&Value> {
        benches.iter().filter(|bench| bench["package"] == package).collect()
    };
    let ids = |benches: &[&Value]| -> Vec<String> {
        benches.iter().map(|bench| bench["id"].as_str().expect("an id").to_owned()).collect()
    };
    for release in RELEASES {
        let listed = of(&package(release));
        assert_eq!(ids(&listed), CRITERION, "{release}");
        for bench in listed {
            assert_eq!((&bench["harness"], &bench["precision"]), (&json!("criterion"), &json!("samples")));
            let version = bench["harness_version"].as_str();
            assert!(version.is_some_and(|version| version.starts_with(&format!("{release}."))), "{bench}");
        }
    }
    let divan = of("divan-0-1");
    let expected: BTreeSet<&str> = DIVAN.into_iter().collect();
    assert_eq!(ids(&divan).iter().map(String::as_str).collect::<BTreeSet<_>>(), expected);
    for bench in divan {
        assert_eq!((&bench["harness"], &bench["precision"]), (&json!("divan"), &json!("table")));
    }
    let custom = of("custom");
    assert_eq!(ids(&custom), ["block", "line"]);
    for bench in custom {
        assert_eq!((&bench["harness"], &bench["precision"]), (&json!("custom"), &json!("metrics")));
    }
    assert_eq!(benches.len(), 6 * CRITERION.len() + DIVAN.len() + 2);
    assert_eq!(list["result"]["unlisted"], json!([]));
}

fn every_release_of_criterion_is_measured_by_its_samples() {
    let _machine = machine();
    let sandbox = Sandbox::of("harness-kinds");
    for release in RELEASES {
        let ended = baseline(&sandbox, &package(release), "checksum").succeeds();
        let series = stored_series(&sandbox, &ended, "checksum");
        assert_eq!((&series["harness"], &series["precision"]), (&json!("criterion"), &json!("samples")));
        assert!(series["harness_version"].as_str().is_some_and(|found| found.starts_with(release)));
        assert_eq!((&series["accounting"], &series["unit"]), (&json!("samples"), &json!("ns")));
        for fork in series["forks"].as_array().expect("forks") {
            let count = fork["samples"]["iterations_delta"].as_array().map(Vec::len);
            assert!(count >= Some(10) && fork["count"] == json!(count), "{fork}");
        }
        // Only the oldest takes no fractions of a second.
        let whole = |key: &str| series["plan"][key].as_f64().is_some_and(|seconds| seconds.fract() == 0.0);
        let both = whole("measured_s") && whole("warm_up_s");
        assert_eq!(both, release == "0.3", "{release}: {}", series["plan"]);
    }
}

fn old_releases_of_criterion_measure_exactly_the_chosen_id() {
    let _machine = machine();
    let sandbox = Sandbox::of("harness-kinds");
    // The ids that a sloppy pattern would choose besides, `checksum` and `parse/64`, fail when they run.
    let source = sandbox
        .read("benches/criterion.rs")
        .replace("lines().map", "lines().inspect(|_| panic!(\"not chosen\")).map")
        .replace("|| kernels::parse(ledger))", "|| assert!(ledger.is_empty(), \"not chosen\"))")
        .replace("parse(ledger).len()", "parse(ledger).get(64).is_none_or(|_| panic!(\"not chosen\"))");
    assert_eq!(source.matches("not chosen").count(), 3, "{source}");
    sandbox.write("benches/criterion.rs", &source);
    for release in ["0.3", "0.4"] {
        for id in ["checksum", "sum(1+2)*[3]", "parse/64"] {
            let ended = baseline(&sandbox, &package(release), id).succeeds();
            stored_series(&sandbox, &ended, id);
        }
        baseline(&sandbox, &package(release), "parse/512").fails(7, "not chosen", "its output is in ");
    }
}

const DIVAN: [&str; 11] = [
    "kernels::checksum",
    "kernels::collect::BTreeSet<u64>::16",
    "kernels::collect::BTreeSet<u64>::256",
    "kernels::collect::BinaryHeap<u64>::16",
    "kernels::collect::BinaryHeap<u64>::256",
    "kernels::order::stable",
    "kernels::parse::64",
    "kernels::parse::512",
    "kernels::sum",
    "kernels::sum_of_ten_samples",
    "kernels::sum_on_threads",
];

fn a_divan_bench_is_measured_by_its_table() {
    let _machine = machine();
    let sandbox = Sandbox::of("harness-kinds");
    for id in
        ["kernels::sum", "kernels::checksum", "kernels::collect::BTreeSet<u64>::16", "kernels::parse::64"]
    {
        let ended = baseline(&sandbox, "divan-0-1", id)
            .env("DIVAN_SAMPLE_COUNT", "1")
            .env("DIVAN_MAX_TIME", "0.001")
            .succeeds();
        let series = stored_series(&sandbox, &ended, id);
        assert_eq!((&series["harness"], &series["precision"]), (&json!("divan"), &json!("table")));
        assert_eq!(series["unit"], "ns");
        for fork in series["forks"].as_array().expect("forks") {
            let value = |key: &str| fork[key].as_f64().unwrap_or_else(|| panic!("no {key}: {fork}"));
            assert!(value("min") <= value("median") && value("min") <= value("mean"), "{fork}");
            assert!(value("count") > 1.0 && value("iterations") >= value("count"), "{fork}");
            assert_eq!(fork.get("samples"), None, "it tells no samples");
        }
    }
}

fn a_divan_bench_over_several_thread_counts_is_refused() {
    let _machine = machine();
    let sandbox = Sandbox::of("harness-kinds");
    let perf = baseline(&sandbox, "divan-0-1", "kernels::sum_on_threads");
    perf.fails(7, "2 rows of times", "a single thread count");
}

/// Its threads have more time together than has passed, which is what 60 s are of.
fn a_divan_bench_on_threads_is_measured_by_the_clock() {
    let _machine = machine();
    let sandbox = Sandbox::of("harness-kinds");
    let file = "divan-0-1/benches/kernels.rs";
    let (small, large) = ("divan::black_box(&[1, 2, 3])", "&(0..100_000).collect::<Vec<u64>>()");
    let source = sandbox.read(file).replace("threads = [1, 2]", "threads = 4");
    let (before, on_threads) = source.split_once("fn sum_on_threads").expect("the bench");
    sandbox.write(file, &format!("{before}fn sum_on_threads{}", on_threads.replacen(small, large, 1)));
    let ended = baseline(&sandbox, "divan-0-1", "kernels::sum_on_threads").succeeds();
    let series = stored_series(&sandbox, &ended, "kernels::sum_on_threads");
    assert_eq!(series["accounting"], "wall", "{}", series["totals"]);
    for fork in series["forks"].as_array().expect("forks") {
        assert!(fork["measured_s"].as_f64() <= fork["wall_s"].as_f64(), "{fork}");
    }
}

fn a_libtest_bench_is_measured_by_the_clock() {
    let _machine = machine();
    let sandbox = Sandbox::of("libtest");
    let list = sandbox.perf(["list", "--json"]).env("RUSTC_BOOTSTRAP", "1").succeeds();
    assert_eq!(list.ids(), ["count", "sorted::distinct"]);
    for bench in list.json()["result"]["benches"].as_array().expect("benches") {
        assert_eq!((&bench["harness"], &bench["precision"]), (&json!("libtest"), &json!("median")));
    }
    for id in ["count", "sorted::distinct"] {
        let ended = baseline(&sandbox, "libtest", id).env("RUSTC_BOOTSTRAP", "1").succeeds();
        let series = stored_series(&sandbox, &ended, id);
        assert_eq!((&series["harness"], &series["precision"]), (&json!("libtest"), &json!("median")));
        assert_eq!(series["accounting"], "wall");
        for fork in series["forks"].as_array().expect("forks") {
            assert!(fork["median"].as_f64() > Some(0.0), "{fork}");
            assert_eq!((fork.get("min"), fork.get("count")), (None, None), "it tells one number");
            assert_eq!(fork["measured_s"], fork["wall_s"]);
        }
    }
}

fn a_libtest_bench_that_the_compiler_refuses_is_a_failed_build() {
    let _machine = machine();
    let sandbox = Sandbox::of("libtest");
    // Cargo would not build anew what it has built.
    sandbox.write("benches/words.rs", &format!("{}\n// changed\n", sandbox.read("benches/words.rs")));
    for command in ["list", "baseline"] {
        let perf = sandbox.perf([command]).env_remove("RUSTC_BOOTSTRAP");
        let refused = perf.fails(101, "could not build", "cargo bench");
        assert!(refused.stderr.contains("#![feature]"), "{}", refused.stderr);
    }
}

fn a_custom_main_is_measured_by_its_own_metrics() {
    let _machine = machine();
    let sandbox = Sandbox::of("harness-kinds");
    let ended = baseline(&sandbox, "custom", "line").args(["--metric=mean_ms:ms:lower"]).succeeds();
    let series = stored_series(&sandbox, &ended, "line");
    assert_eq!((&series["harness"], &series["precision"]), (&json!("custom"), &json!("metrics")));
    assert_eq!((&series["accounting"], &series["cost"]), (&json!("wall"), &Value::Null));
    let names: Vec<&Value> = metrics(&series).iter().map(|metric| &metric["name"]).collect();
    assert_eq!(names, ["iterations", "mean_ms", "p95_ms", "throughput_per_s"]);
    assert_eq!(
        (&metrics(&series)[1]["unit"], &metrics(&series)[1]["better"]),
        (&json!("ms"), &json!("lower"))
    );
    assert!(series["executable_sha256"].is_string() && series["command"].is_null(), "{series}");

    let ended = baseline(&sandbox, "custom", "block").succeeds();
    let series = stored_series(&sandbox, &ended, "block");
    let scenarios: BTreeSet<&str> =
        metrics(&series).iter().filter_map(|one| one["scenario"].as_str()).collect();
    assert_eq!(scenarios, BTreeSet::from(["check", "read"]));

    let runs = sandbox.perf(["baseline", "v1", "--package=custom", "--filter=line", "--param-value=1000000"]);
    let ended = runs.args(["--runs=3", "--aggregate=min", "--json"]).succeeds();
    assert_eq!(ended.ids(), ["line"]);
    let stored = sandbox.stored("v1");
    assert_eq!(stored["benches"][0]["runs"], json!({"mode": "oneshot", "runs": 3, "aggregate": "min"}));
    assert!(
        metrics(&stored["benches"][0])[0]["values"] == json!([1.0, 1.0, 1.0]),
        "one iteration in each run"
    );
}

fn metrics(series: &Value) -> &Vec<Value> {
    series["metrics"].as_array().expect("metrics")
}

fn a_custom_main_is_told_its_load() {
    let _machine = machine();
    let sandbox = Sandbox::of("harness-kinds");
    let running = baseline(&sandbox, "custom", "line").args(["--param-value=250"]).start();
    let pid = running.pid();
    let ended = running.end();
    assert_eq!(ended.status.code(), Some(0), "{ended:#?}");
    let log = run_folder_of(pid).expect("a run folder").join("bench-1/run-0001.stdout");
    let printed = fs::read_to_string(log).expect("the log is kept");
    assert!(printed.starts_with("a ledger of 250 lines\n"), "{printed}");
    let refused = baseline(&sandbox, "custom", "line").args(["--param-value=50"]);
    refused.fails(7, "PERF_PARAM_VALUE must be a whole number of lines", "its output is in ");
    let misspelt = baseline(&sandbox, "custom", "line").args(["--metric=mean_us:us:lower"]);
    misspelt.fails(7, "which does not print it", "it prints mean_ms");
}
