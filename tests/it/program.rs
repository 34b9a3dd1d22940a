//! Benchmarks in other languages, through whatever starts them.

use crate::support::cases::SHORT;
use crate::support::perf::Ended;
use crate::support::sandbox::Sandbox;
use crate::support::tools::{COMPILER, GO, GRADLE, JAVA, MAVEN, NODE, PYTEST, PYTHON, missing};
use crate::support::{Outcome, machine, skip, trials};
use libtest_mimic::Trial;
use serde_json::{Value, json};

pub fn trials() -> Vec<Trial> {
    trials![
        a_benchmark_is_measured_through_cargo,
        a_benchmark_is_measured_through_npm,
        a_benchmark_is_measured_through_pnpm,
        a_benchmark_is_measured_through_yarn,
        a_benchmark_is_measured_through_node,
        a_benchmark_is_measured_through_python,
        a_benchmark_is_measured_through_pytest,
        a_benchmark_is_measured_through_go,
        a_benchmark_is_measured_through_maven,
        a_benchmark_is_measured_through_gradle,
        a_project_in_javascript_is_listed_and_measured,
        a_project_in_python_is_listed_and_measured,
        a_project_in_go_is_listed_and_measured,
        a_project_in_java_is_listed_and_measured,
    ]
}

/// Measures the external benchmark `id` of a fixture, shortly.
fn measured(sandbox: &Sandbox, id: &str) -> Ended {
    let filter = format!("--filter={id}");
    let ended = sandbox.perf(["baseline", "v1", &filter]).args(SHORT).succeeds();
    assert_eq!(ended.ids(), [id]);
    let shown = &ended.json()["result"]["benches"][0];
    assert_eq!((&shown["harness"], &shown["precision"]), (&json!("external"), &json!("metrics")));
    let stored = sandbox.stored("v1");
    let series = &stored["benches"][0];
    assert!(series["totals"]["measured_s"].as_f64() >= Some(0.3), "{series}");
    assert_eq!((&series["accounting"], &series["totals"]["forks"]), (&json!("wall"), &json!(1)));
    // The work is done by a grandchild, as the case may be, and all of it counts.
    assert!(series["totals"]["active_share"].as_f64() >= Some(0.1), "{}", series["totals"]);
    for metric in series["metrics"].as_array().expect("metrics") {
        assert!(metric["value"].as_f64().is_some_and(|value| value > 0.0), "{metric}");
    }
    ended
}

/// One launcher of the fixture, unless what it needs is missing.
fn launched(test: &str, id: &str, tools: &[&[&str]]) -> Outcome {
    if let Some(why) = missing(tools) {
        return skip(test, &why);
    }
    let _machine = machine();
    let sandbox = Sandbox::of("launchers");
    measured(&sandbox, id);
    let stored = sandbox.stored("v1");
    let metrics = stored["benches"][0]["metrics"].as_array().expect("metrics");
    let names: Vec<&str> = metrics.iter().filter_map(|metric| metric["name"].as_str()).collect();
    for name in ["mean_ms", "p95_ms", "throughput_per_s"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(metrics.iter().all(|metric| metric["better"].is_null()), "nobody declared them: {metrics:?}");
    Ok(())
}

fn a_benchmark_is_measured_through_cargo() -> Outcome {
    launched("a_benchmark_is_measured_through_cargo", "cargo", &[])
}

fn a_benchmark_is_measured_through_npm() -> Outcome {
    launched("a_benchmark_is_measured_through_npm", "npm", &[NODE, &["npm", "--version"]])
}

fn a_benchmark_is_measured_through_pnpm() -> Outcome {
    launched("a_benchmark_is_measured_through_pnpm", "pnpm", &[NODE, &["pnpm", "--version"]])
}

fn a_benchmark_is_measured_through_yarn() -> Outcome {
    launched("a_benchmark_is_measured_through_yarn", "yarn", &[NODE, &["yarn", "--version"]])
}

fn a_benchmark_is_measured_through_node() -> Outcome {
    launched("a_benchmark_is_measured_through_node", "node", &[NODE])
}

fn a_benchmark_is_measured_through_python() -> Outcome {
    launched("a_benchmark_is_measured_through_python", "python", &[PYTHON])
}

fn a_benchmark_is_measured_through_pytest() -> Outcome {
    launched("a_benchmark_is_measured_through_pytest", "pytest", &[PYTHON, PYTEST])
}

fn a_benchmark_is_measured_through_go() -> Outcome {
    launched("a_benchmark_is_measured_through_go", "go", &[GO])
}

fn a_benchmark_is_measured_through_maven() -> Outcome {
    launched("a_benchmark_is_measured_through_maven", "mvn", &[COMPILER, MAVEN])
}

fn a_benchmark_is_measured_through_gradle() -> Outcome {
    launched("a_benchmark_is_measured_through_gradle", "gradle", &[COMPILER, GRADLE])
}

/// Lists a fixture, and measures each of `chosen`; the metrics of the first are those that are declared.
fn project(fixture: &str, ids: &[&str], chosen: &[&str]) {
    let _machine = machine();
    let sandbox = Sandbox::of(fixture);
    assert_eq!(sandbox.perf(["list", "--json"]).succeeds().ids(), ids);
    for id in chosen {
        let answer = measured(&sandbox, id).json();
        let metrics = answer["result"]["benches"][0]["metrics"].as_array().expect("metrics").clone();
        let declared = |name: &str| -> Vec<&Value> {
            let of_name = metrics.iter().filter(|metric| metric["name"] == name);
            of_name.flat_map(|metric| [&metric["unit"], &metric["better"]]).collect()
        };
        for (name, unit, better) in
            [("mean_ms", "ms", "lower"), ("p95_ms", "ms", "lower"), ("throughput_per_s", "1/s", "higher")]
        {
            let found = declared(name);
            assert!(!found.is_empty(), "{name} is not in {metrics:?}");
            assert!(found.chunks(2).all(|pair| pair == [&json!(unit), &json!(better)]), "{found:?}");
        }
    }
}

fn a_project_in_javascript_is_listed_and_measured() -> Outcome {
    if let Some(why) = missing(&[NODE]) {
        return skip("a_project_in_javascript_is_listed_and_measured", &why);
    }
    project("node", &["ledger", "scenarios"], &["ledger", "scenarios"]);
    Ok(())
}

fn a_project_in_python_is_listed_and_measured() -> Outcome {
    if let Some(why) = missing(&[PYTHON, PYTEST]) {
        return skip("a_project_in_python_is_listed_and_measured", &why);
    }
    project("python", &["script", "pytest"], &["script", "pytest"]);
    Ok(())
}

/// C-11.
fn a_project_in_go_is_listed_and_measured() -> Outcome {
    if let Some(why) = missing(&[GO]) {
        return skip("a_project_in_go_is_listed_and_measured", &why);
    }
    project("go", &["ledger"], &["ledger"]);
    Ok(())
}

/// Maven and Gradle are slow to start, and measured with the other launchers.
fn a_project_in_java_is_listed_and_measured() -> Outcome {
    if let Some(why) = missing(&[COMPILER, JAVA]) {
        return skip("a_project_in_java_is_listed_and_measured", &why);
    }
    project("java", &["source", "maven", "gradle"], &["source"]);
    Ok(())
}
