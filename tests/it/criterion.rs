//! Benches on criterion: any id, any setting, heard live or read from files.

use crate::support::sandbox::{NOISY, Sandbox};
use crate::support::{machine, target_folder, traces, trials};
use libtest_mimic::Trial;
use serde_json::{Value, json};

pub fn trials() -> Vec<Trial> {
    trials![
        ids_are_listed_whole_and_unaltered,
        every_odd_id_can_be_measured_by_its_exact_name,
        an_id_that_holds_a_star_is_that_one_bench,
        a_wildcard_that_means_several_needs_an_approval,
        several_approved_benches_share_one_baseline,
        every_kind_of_throughput_is_stored,
        another_measurement_keeps_its_unit_and_is_timed_by_the_clock,
        the_sampling_mode_of_the_bench_is_kept,
        settings_of_the_bench_that_win_are_said,
        the_results_of_the_users_own_runs_are_left_alone,
        without_a_connection_benches_are_listed_and_measured_through_files,
    ]
}

const SHORT: [&str; 4] = ["--approve-short=a test", "--duration=0.2", NOISY, "--json"];

fn odd_ids() -> Vec<String> {
    let long = format!("long_{}", "0123456789".repeat(32));
    [
        "plain",
        "with two spaces",
        "single 'quotes'",
        "double \"quotes\"",
        "ünïcödé/Ω/時間/🦀",
        "back\\slash",
        "glob*",
        "[x]",
        "(y)",
        "regex.+?^$|{2}",
        "--begins-like-an-option",
        "prefix",
        "prefix_and_more",
        long.as_str(),
        "a/b/c",
        "a/b/c/d",
        "group/function/1",
        "group/1",
        "group/function/2",
        "group/2",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn ids_are_listed_whole_and_unaltered() {
    let sandbox = Sandbox::of("criterion-cases");
    let list = sandbox.perf(["list", "--json", "--bench", "ids"]).succeeds();
    assert_eq!(list.ids(), odd_ids());
    assert!(list.ids().iter().any(|id| id.len() == 325));
    let text = sandbox.perf(["list", "--bench", "ids"]).succeeds().stdout;
    for id in odd_ids() {
        assert!(text.contains(&format!("\n  {id}\n")), "{id} is not in {text}");
    }
}

fn every_odd_id_can_be_measured_by_its_exact_name() {
    let _machine = machine();
    let sandbox = Sandbox::of("criterion-cases");
    for id in odd_ids() {
        let ended = sandbox.baseline("v1", &id).args(["--bench", "ids", "--json"]).succeeds();
        assert_eq!(ended.ids(), [id.as_str()]);
        let stored = sandbox.stored("v1");
        assert_eq!(stored["benches"][0]["bench"]["id"], id);
        assert!(stored["metrics"][&id]["cost_ns"].as_f64().is_some_and(|cost| cost > 0.0), "{stored}");
    }
}

fn an_id_that_holds_a_star_is_that_one_bench() {
    let _machine = machine();
    let sandbox = Sandbox::of("criterion-cases");
    sandbox.write("benches/ids.rs", &sandbox.read("benches/ids.rs").replace("\"[x]\"", "\"globe\""));
    // Now `glob*` stands for two ids, one of which is exactly that.
    let ended = sandbox.baseline("v1", "glob*").args(["--bench", "ids", "--json"]).succeeds();
    assert_eq!(ended.ids(), ["glob*"]);
}

fn a_wildcard_that_means_several_needs_an_approval() {
    let _machine = machine();
    let sandbox = Sandbox::of("criterion-cases");
    let refused = sandbox.baseline("v1", "prefix*").fails(5, "rule 4", "--expand");
    for id in ["prefix", "prefix_and_more"] {
        let command = format!("--bench ids --filter {id}\n");
        assert!(refused.stdout.contains(&command), "{}", refused.stdout);
    }
}

fn several_approved_benches_share_one_baseline() {
    let _machine = machine();
    let sandbox = Sandbox::of("criterion-cases");
    let why = "they belong together";
    sandbox.baseline("v1", "group/*").args(["--expand", why]).succeeds();
    let stored = sandbox.stored("v1");
    assert_eq!(stored["expanded"]["text"], why);
    let ids = ["group/function/1", "group/1", "group/function/2", "group/2"];
    let measured = stored["benches"].as_array().expect("benches");
    assert!(measured.iter().map(|bench| &bench["bench"]["id"]).eq(ids), "{measured:?}");
    for (index, id) in ids.iter().enumerate() {
        assert_eq!(stored["metrics"][id]["cost_ns"], measured[index]["cost"]["value"]);
        assert_eq!(stored["metrics"][id]["felt_ns"], measured[index]["felt"]["value"]);
        let seconds = measured[index]["totals"]["measured_s"].as_f64().expect("a number");
        assert!(seconds >= 0.2, "{id} was measured for {seconds} s");
    }
}

fn every_kind_of_throughput_is_stored() {
    let _machine = machine();
    let sandbox = Sandbox::of("criterion-cases");
    let perf = sandbox.perf(["baseline", "v1", "--bench=throughput", "--expand=all kinds"]).args(SHORT);
    let answer = perf.succeeds().json();
    let kind = |kind: &str, amount: u32| json!({"kind": kind, "amount": amount});
    for (id, expected) in [
        ("bits", vec![kind("bits", 8_000)]),
        ("bytes", vec![kind("bytes", 1_024)]),
        ("bytes_decimal", vec![kind("bytes_decimal", 1_000)]),
        ("elements", vec![kind("elements", 10)]),
        ("elements_and_bytes", vec![kind("elements", 10), kind("bytes", 80)]),
    ] {
        let id = format!("throughput/{id}");
        let benches = answer["result"]["benches"].as_array().expect("benches");
        let bench = benches.iter().find(|bench| bench["id"] == id).expect("it was measured");
        let mut found = bench["throughput"].as_array().expect("a list").clone();
        let mut expected = expected;
        for list in [&mut found, &mut expected] {
            list.sort_by_key(ToString::to_string);
        }
        assert_eq!(found, expected, "{id}");
    }
}

fn another_measurement_keeps_its_unit_and_is_timed_by_the_clock() {
    let _machine = machine();
    let sandbox = Sandbox::of("criterion-cases");
    for (id, steps) in [("collatz/27", 111.0), ("collatz/97", 118.0)] {
        let answer = sandbox.baseline("v1", id).args(["--json"]).succeeds().json();
        let bench = &answer["result"]["benches"][0];
        assert_eq!(bench["unit"], "steps");
        assert_eq!(bench["accounting"], "wall");
        assert_eq!(
            (bench["cost"]["value"].as_f64(), bench["felt"]["value"].as_f64()),
            (Some(steps), Some(steps))
        );
        let stored = sandbox.stored("v1");
        assert_eq!(stored["metrics"][id], json!({"cost_steps": steps, "felt_steps": steps}));
        let measured = stored["benches"][0]["totals"]["measured_s"].as_f64().expect("a number");
        assert!((0.2..10.0).contains(&measured), "{measured} s");
    }
}

fn the_sampling_mode_of_the_bench_is_kept() {
    let _machine = machine();
    let sandbox = Sandbox::of("criterion-cases");
    for mode in ["linear", "flat"] {
        sandbox.baseline("v1", &format!("sampling/{mode}")).succeeds();
        let stored = sandbox.stored("v1");
        for fork in stored["benches"][0]["forks"].as_array().expect("forks") {
            assert_eq!(fork["sampling"], mode);
            let deltas = fork["samples"]["iterations_delta"].as_array().expect("iterations");
            let first = &deltas[0];
            // Linear: each sample runs that many iterations more; flat: as many as the one before.
            let next = if mode == "linear" { first.clone() } else { json!(0) };
            assert!(deltas[1..].iter().all(|delta| *delta == next), "{mode}: {deltas:?}");
        }
    }
}

fn settings_of_the_bench_that_win_are_said() {
    let _machine = machine();
    let sandbox = Sandbox::of("criterion-cases");
    for (id, said) in [
        ("short/spin", "the bench sets measurement_time to 0.2 s"),
        ("thin/spin", "the bench sets sample_size to 10"),
        ("cold/spin", "the bench sets warm_up_time to 0.001 s"),
    ] {
        // Longer than what the bench sets, and than one fork.
        let filter = format!("--filter={id}");
        let perf = sandbox.perf(["baseline", "v1", &filter, "--approve-short=a test", "--duration=1"]);
        let ended = perf.args([NOISY]).succeeds();
        assert!(ended.stdout.contains(&format!("  note: {said}\n")), "{}", ended.stdout);
        assert!(ended.stdout.contains(&format!("  - {id}: {said} (")), "{}", ended.stdout);
        let stored = sandbox.stored("v1");
        assert_eq!(stored["benches"][0]["overrides"], json!([said]));
        let measured = stored["benches"][0]["totals"]["measured_s"].as_f64().expect("a number");
        assert!(measured >= 1.0, "{id}: {measured} s");
    }
    let perf = sandbox.perf(["baseline", "v1", "--filter=short/spin", "--approve-short=a test"]);
    let ended = perf.args(["--duration=2", NOISY, "--events"]).succeeds();
    let planned = ended.stderr.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let forks = planned.filter(|event| event["event"] == "planned").find_map(|event| event["forks"].as_u64());
    assert!(forks.is_some_and(|forks| (8..=12).contains(&forks)), "{forks:?} of 0.2 s sum to 2 s");
    sandbox.perf(["baseline", "v1", "--filter=plain", "--bench=overrides"]).args(SHORT).succeeds();
    assert_eq!(sandbox.stored("v1")["benches"][0]["overrides"], json!([]));
}

fn the_results_of_the_users_own_runs_are_left_alone() {
    let _machine = machine();
    let sandbox = Sandbox::of("criterion-cases");
    let homes = || {
        let folders = [target_folder().join("criterion"), sandbox.path("target"), sandbox.aside.join("home")];
        folders.map(|folder| (folder.exists(), traces::snapshot(&folder)))
    };
    let before = homes();
    for id in ["plain", "no_socket/spin"] {
        let filter = format!("--filter={id}");
        let perf =
            || sandbox.perf(["baseline", "v1", &filter, "--bench=ids", "--bench=no_socket"]).args(SHORT);
        perf().succeeds();
        perf().env("CRITERION_HOME", sandbox.aside.join("home")).succeeds();
        assert_eq!(before, homes(), "{id}");
    }
}

fn without_a_connection_benches_are_listed_and_measured_through_files() {
    let _machine = machine();
    let sandbox = Sandbox::of("criterion-cases");
    let list = sandbox.perf(["list", "--json", "--bench=no_socket"]).succeeds();
    assert_eq!(list.ids(), ["no_socket/spin", "no_socket/a/b c"]);
    for id in list.ids() {
        let answer = sandbox.baseline("v1", &id).args(["--json"]).succeeds().json();
        let bench = &answer["result"]["benches"][0];
        assert_eq!(bench["id"], id);
        assert_eq!((&bench["unit"], &bench["harness"]), (&json!("ns"), &json!("criterion")));
        assert_eq!(bench["harness_version"], Value::Null, "nobody could tell the version");
        let stored = sandbox.stored("v1");
        let totals = &stored["benches"][0]["totals"];
        assert!(totals["measured_s"].as_f64().is_some_and(|seconds| seconds >= 0.2), "{totals}");
    }
}
