//! A real service, from the question to its breaking point, and a bench on criterion that reads its load.

use super::{SHORT, found};
use crate::investigation::Study;
use crate::support::perf::{Ended, Perf};
use crate::support::sandbox::{NOISY, Sandbox};
use crate::support::{machine, repository, trials};
use libtest_mimic::Trial;
use serde_json::{Value, json};

pub fn trials() -> Vec<Trial> {
    trials![
        t08_the_breaking_point_of_a_service_is_found_logged_and_committed,
        too_few_requests_for_a_quantile_are_no_failure_of_the_service,
        a_bench_on_criterion_is_searched_by_what_it_costs,
    ]
}

/// What the gate of the service lets through, and where a probe of two seconds passes 200 ms then: longer than others
/// on this machine usually delay a request.
const RATE: &str = "700";
const BREAKS_AT: f64 = 700.0 * (1.0 + 0.2 / (0.99 * 2.0));
const CONDITION: &str = "--while=p99_ms < 200";
/// More searches than a machine that delays some of their requests makes fail in a row.
const MOST_SEARCHES: usize = 5;
const PROBES: [&str; 3] = ["--approve-short=a test", "--duration=2", NOISY];

/// A copy whose path to the harness leads there.
fn studied() -> Study {
    let study = Study::of("load-server");
    let manifest = study.read("Cargo.toml");
    let harness = repository().join("harness");
    let path = format!("path = \"{}\"", harness.display());
    assert!(manifest.contains("path = \"../../harness\""), "{manifest}");
    study.write("Cargo.toml", &manifest.replace("path = \"../../harness\"", &path));
    study.commit_all();
    study
}

fn t08_the_breaking_point_of_a_service_is_found_logged_and_committed() {
    let _machine = machine();
    let study = studied();
    let of_service = |words: &[&str]| study.perf(words).env("LOAD_SERVER_RATE", RATE);
    let setup = [
        "setup",
        "--scenario=quotes under load",
        "--quote=how much can it bear",
        "--success=p50_ms <= baseline",
        "--version=v1",
        "--filter=quotes",
        "--metric=p50_ms:ms:lower",
        "--param-value=550",
    ];
    of_service(&setup).succeeds();
    let measured = of_service(&["baseline", "--json"]).args(PROBES).succeeds().json();
    // A load has metrics and no samples, and those that a short warm-up could not tell are no contradiction.
    let stored = study.stored("v1");
    assert_eq!(stored["benches"][0]["precision"], "metrics", "{stored}");
    assert!(stored["benches"][0]["metrics"].to_string().contains("p99_ms"), "{stored}");
    let question = measured["next"]["question"].as_str().expect("a question");
    assert!(question.contains("cargo perf bisect-load --while"), "{question}");
    let search = ["bisect-load", CONDITION, "--param-min=520", "--param-max=2000", "--json"];
    // Others on this machine delay requests, some of them for longer than what is searched for.
    let unable =
        [("drifted", 4), ("budget", 4), ("non_monotone", 4), ("min_fails", 6), ("generator_limited", 8)];
    let ended = searched(|| of_service(&search).args(PROBES), &unable);
    assert_eq!(ended.status.code(), Some(0), "{ended:#?}");
    let answer = ended.json();
    let end = |name: &str| found(&answer)["interval"][name].as_f64().expect("a load");
    // Others on this machine may delay a request as a full gate does, and nothing lets more through.
    assert!(end("low") <= BREAKS_AT && end("low") > 520.0, "{answer}");
    assert_eq!(study.state()["breakingPoint"]["status"], "found");
    assert!(study.log().contains("## Breaking point"));
    assert!(study.subjects()[0].contains("breaking-point"), "{:?}", study.subjects());
    study.perf(["log", "--check"]).succeeds();
    study.assert_no_process_left();
}

fn too_few_requests_for_a_quantile_are_no_failure_of_the_service() {
    let _machine = machine();
    let study = studied();
    let search = ["bisect-load", "--filter=quotes", CONDITION, "--param-max=60", "--json"];
    let ended = study.perf(search).args(SHORT).run();
    assert_eq!(ended.status.code(), Some(7), "{ended:#?}");
    let answer = ended.json();
    assert_eq!(
        (&found(&answer)["status"], &found(&answer)["smallest_failing"]),
        (&json!("infra_error"), &Value::Null)
    );
    assert!(
        found(&answer)["reason"].as_str().is_some_and(|why| why.contains("p99_ms needs 1000 requests")),
        "{answer}"
    );
}

/// Searches until it ends otherwise than with one of these statuses and exit codes, which a search may rightly have
/// on a noisy machine.
fn searched<'a>(search: impl Fn() -> Perf<'a>, unable: &[(&str, i32)]) -> Ended {
    for _ in 0..MOST_SEARCHES {
        let ended = search().run();
        let answer = ended.json();
        let status = found(&answer)["status"].as_str();
        if !status.zip(ended.status.code()).is_some_and(|end| unable.contains(&end)) {
            return ended;
        }
    }
    panic!("{MOST_SEARCHES} searches could not tell");
}

/// Its cost grows with the load, and is compared with what it is at a load that is measured first.
fn a_bench_on_criterion_is_searched_by_what_it_costs() {
    let _machine = machine();
    let sandbox = Sandbox::of("kernels");
    let benches = "benches/kernels.rs";
    let (fixed, loaded) = ("spin(black_box(UNITS), ", "spin(black_box(load), ");
    let text = sandbox.read(benches);
    let begins = "fn kernels(c: &mut Criterion) {\n";
    assert!(text.contains(fixed) && text.contains(begins), "{text}");
    let read = "    let load = std::env::var(\"PERF_PARAM_VALUE\").map_or(UNITS, |load| load.parse().expect(\"a number\"));\n";
    sandbox.write(benches, &text.replace(fixed, loaded).replace(begins, &format!("{begins}{read}")));
    let search =
        ["bisect-load", "--filter=spin", "--while=cost < 10 * baseline", "--baseline-at=20", "--json"];
    let range = ["--param-min=10", "--param-max=2000", "--tolerance=20%"];
    let short = ["--approve-short=a test", "--duration=0.3", NOISY];
    let ended = searched(|| sandbox.perf(search).args(range).args(short), &[("drifted", 4)]);
    // On a machine whose processors are slower at times, nobody can say it to a fifth.
    assert!(matches!(ended.status.code(), Some(0 | 4)), "{ended:#?}");
    sandbox.assert_no_process_left();
    let answer = ended.json();
    let end = |name: &str| found(&answer)["interval"][name].as_f64().expect("a load");
    // Ten times the cost of 20 is that of 200, give or take what a machine does to one process and not to the next.
    assert!(end("low") < 340.0 && end("high") > 120.0, "{answer}");
    assert!(
        found(&answer)["probes"][0]["metrics"]["cost"].as_f64().is_some_and(|cost| cost > 0.0),
        "{answer}"
    );
}
