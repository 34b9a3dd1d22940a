//! Benches that use the crate of this repository: their samples and allocations, exactly.

use crate::harness_kinds::{baseline, stored_series};
use crate::support::perf::clean;
use crate::support::sandbox::{NOISY, Sandbox, mirror, run_folders};
use crate::support::traces::snapshot;
use crate::support::{machine, repository, target_folder, trials};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

pub fn trials() -> Vec<Trial> {
    trials![
        a_main_on_the_harness_is_measured_by_its_samples_and_allocations,
        a_main_on_the_harness_is_told_its_load,
        a_main_on_the_harness_has_samples_and_no_runs,
        a_criterion_bench_on_the_harness_counts_its_allocations,
        a_main_on_the_harness_refuses_a_program_of_another_protocol,
        a_main_of_metrics_alone_is_compared,
        each_process_that_measures_runs_a_copy_of_its_own,
        a_failed_process_leaves_no_copy_of_its_executable,
    ]
}

/// The fixture with its path to the harness set anew, because its copy lies elsewhere.
fn own_harness() -> Sandbox {
    let sandbox = Sandbox::of("own-harness");
    let harness = repository().join("harness");
    let manifest = sandbox.read("Cargo.toml").replace("../../harness", &harness.display().to_string());
    sandbox.write("Cargo.toml", &manifest);
    sandbox.commit_all();
    sandbox
}

/// As a load has no samples, but metrics.
fn a_main_of_metrics_alone_is_compared() {
    let _machine = machine();
    let sandbox = Sandbox::of("own-harness");
    // No revision holds what lies elsewhere, so that the harness has to lie here.
    mirror(&repository().join("harness"), &sandbox.path("harness"));
    let harness = "[package]\nname = \"perf-harness\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[features]\ncriterion = \
                   []\nload = []\n\n[dependencies]\nmemchr = \"2\"\nserde_json = { version = \"1\", features = \
                   [\"float_roundtrip\", \"raw_value\"] }\nserde_core = { version = \"1\", default-features = false }\n";
    sandbox.write("harness/Cargo.toml", harness);
    let of_criterion = "[[bench]]\nname = \"criterion\"\nharness = false\n";
    let manifest = sandbox.read("Cargo.toml").replace(of_criterion, "");
    let manifest = manifest.replace("\"../../harness\", features = [\"criterion\"]", "\"harness\"");
    sandbox.write("Cargo.toml", &manifest);
    fs::remove_file(sandbox.path("benches/criterion.rs")).expect("a bench");
    let program = |value: &str| {
        format!(
            "use std::time::{{Duration, Instant}};\n\nfn main() -> Result<(), perf_harness::RunError> {{\n\
             let mut run = perf_harness::Run::from_env()?;\nlet started = Instant::now();\n\
             while started.elapsed() < Duration::from_millis(300) {{}}\nrun.metric(\"a\", {value});\nrun.finish()\n}}\n"
        )
    };
    sandbox.write("benches/program.rs", &program("10.0"));
    sandbox.commit_all();
    sandbox.write("benches/program.rs", &program("20.0"));
    let words = ["compare", "--filter=program", "--metric=a:ms:lower", "--relock", "--json"];
    let short = ["--approve-short=a test", "--duration=2", NOISY];
    let answer = sandbox.perf(words).args(short).succeeds().json();
    let found = &answer["result"]["comparisons"][0];
    assert_eq!((&found["metric"]["name"], &found["verdict"]), (&"a".into(), &"regressed".into()), "{answer}");
}

/// Measures one bench of it; returns the answer and the stored series.
fn measured_own(sandbox: &Sandbox, id: &str, flags: &[&str]) -> (Value, Value) {
    let ended = baseline(sandbox, "own-harness", id).args(flags).succeeds();
    let series = stored_series(sandbox, &ended, id);
    assert_eq!((&series["precision"], &series["accounting"]), (&json!("samples"), &json!("samples")));
    assert_eq!(series["unit"], "ns");
    for fork in series["forks"].as_array().expect("forks") {
        let count = fork["samples"]["iterations_delta"].as_array().map(Vec::len);
        assert!(count > Some(1) && fork["count"] == json!(count), "{fork}");
    }
    (ended.json()["result"]["benches"][0].clone(), series)
}

fn a_main_on_the_harness_is_measured_by_its_samples_and_allocations() {
    let _machine = machine();
    let sandbox = own_harness();
    let list = sandbox.perf(["list", "--json"]).succeeds();
    assert_eq!(list.ids(), ["boxes/1", "boxes/100", "sort", "program"]);
    let listed = list.json()["result"]["benches"][3].clone();
    assert_eq!((&listed["harness"], &listed["precision"]), (&json!("perf-harness"), &json!("samples")));
    let (shown, series) = measured_own(&sandbox, "program", &[]);
    assert_eq!(series["harness"], "perf-harness");
    assert_eq!(series["harness_version"], env!("CARGO_PKG_VERSION"), "both are released together");
    assert_eq!(shown["allocations"], json!({"per_iteration": 10.0, "bytes_per_iteration": 320.0}));
    let iterations: u64 = series["forks"]
        .as_array()
        .expect("forks")
        .iter()
        .map(|fork| fork["iterations"].as_u64().expect("a count"))
        .sum();
    assert_eq!(series["allocations"]["iterations"], iterations, "every iteration is counted");
    assert_eq!(series["allocations"]["allocations"], iterations * 10);
}

fn a_main_on_the_harness_is_told_its_load() {
    let _machine = machine();
    let sandbox = own_harness();
    for (load, bytes) in [(3, 96), (0, 0)] {
        let flag = format!("--param-value={load}");
        let (shown, _) = measured_own(&sandbox, "program", &[&flag]);
        let expected = json!({"per_iteration": f64::from(load), "bytes_per_iteration": f64::from(bytes)});
        assert_eq!(shown["allocations"], expected);
    }
}

fn a_main_on_the_harness_has_samples_and_no_runs() {
    let _machine = machine();
    let sandbox = own_harness();
    let perf = sandbox.perf(["baseline", "v1", "--filter=program", "--runs=3"]);
    perf.fails(2, "program (program of own-harness) is a perf-harness bench", "leave --runs away");
    let misspelt = baseline(&sandbox, "own-harness", "program").args(["--metric=hit:hits:higher"]);
    misspelt.fails(7, "which does not print it", "it prints boxes");
    let computed = baseline(&sandbox, "own-harness", "program").args(["--metric=mean_ns:ns:lower"]);
    computed.fails(7, "comes from the samples", "leave --metric mean_ns away");
}

fn a_criterion_bench_on_the_harness_counts_its_allocations() {
    let _machine = machine();
    let sandbox = own_harness();
    for (id, allocations, bytes) in [("boxes/1", 1.0, 32.0), ("boxes/100", 100.0, 3200.0), ("sort", 0.0, 0.0)]
    {
        let (shown, series) = measured_own(&sandbox, id, &[]);
        assert_eq!(series["harness"], "criterion");
        let expected = json!({"per_iteration": allocations, "bytes_per_iteration": bytes});
        assert_eq!(shown["allocations"], expected, "{id}");
    }
}

#[expect(clippy::disallowed_methods, reason = "the bench is started as one would by hand")]
fn a_main_on_the_harness_refuses_a_program_of_another_protocol() {
    let _machine = machine();
    let sandbox = own_harness();
    for (protocol, remedy) in
        [("2.0", "cargo update -p perf-harness"), ("0.9", "cargo install cargo-perf-lab")]
    {
        let mut command = Command::new("cargo");
        command.args(["bench", "--bench", "program"]).current_dir(&sandbox.project);
        clean(&mut command);
        command.env("CARGO_TARGET_DIR", target_folder()).env("PERF_PROTOCOL", protocol);
        let output = command.output().expect("cargo can be started");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{said}");
        assert!(said.contains(&format!("protocol {protocol} and perf-harness 1.0")), "{said}");
        assert!(said.contains(remedy), "{said}");
        assert!(!String::from_utf8_lossy(&output.stdout).contains("PERF_METRICS"));
    }
}

/// Says where its executable is and measures in the way that `main` ends with.
fn telling_where(end: &str) -> Sandbox {
    let sandbox = own_harness();
    let begin = r#"fn main() { eprintln!("{}", std::env::current_exe().unwrap().display()); "#;
    sandbox.write("benches/program.rs", &format!("{begin}{end} }}\n"));
    sandbox.commit_all();
    sandbox
}

/// Each standard error in the newest run folder.
fn said_in(folder: &Path) -> Vec<String> {
    let names = snapshot(folder).into_keys();
    let streams = names.filter(|name| name.extension().is_some_and(|kind| kind == "stderr"));
    streams.map(|name| fs::read_to_string(folder.join(name)).expect("text").trim().to_owned()).collect()
}

fn each_process_that_measures_runs_a_copy_of_its_own() {
    let _machine = machine();
    let sandbox = telling_where(
        "let mut run = perf_harness::Run::from_env().unwrap(); run.measure(|| own_harness::boxes(9)); \
         run.finish().unwrap();",
    );
    let before = run_folders();
    sandbox.long_baseline("v1", "program", "3").succeeds();
    let run = run_folders().difference(&before).next().expect("a run folder").clone();
    let said = said_in(&run);
    let own: BTreeSet<&Path> = said.iter().map(Path::new).collect();
    assert!(own.len() > 2 && own.len() == said.len(), "one executable for each process: {said:?}");
    // A series that is measured again has a folder of its own.
    let of_first = |path: &&String| path.contains("fork-") && !path.contains("/again-");
    let lengths: BTreeSet<usize> = said.iter().filter(of_first).map(String::len).collect();
    assert_eq!(lengths.len(), 1, "paths of equal length: {said:?}");
    for path in own {
        assert!(path.starts_with(&run) && !path.parent().expect("a folder").exists(), "{}", path.display());
    }
}

fn a_failed_process_leaves_no_copy_of_its_executable() {
    let _machine = machine();
    let sandbox = telling_where("std::process::exit(3)");
    let before = run_folders();
    baseline(&sandbox, "own-harness", "program").fails(7, "exited with code 3", "its output is in");
    let run = run_folders().difference(&before).next().expect("a run folder").clone();
    let said = said_in(&run);
    assert_eq!(said.len(), 1);
    assert!(!Path::new(&said[0]).parent().expect("a folder").exists(), "{said:?}");
}
