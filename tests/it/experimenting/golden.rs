//! A whole investigation of a real workspace: each command is the one that the command before it printed.

use crate::investigation::{NOISY, STATE, Study, recorded};
use crate::support::browser::{self, CHROMIUM};
use crate::support::perf::Ended;
use crate::support::tools::missing;
use crate::support::{Outcome, machine, repository, skip, trials};
use git2::{ObjectType, Repository, TreeWalkMode, TreeWalkResult};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

pub fn trials() -> Vec<Trial> {
    trials![t08_an_investigation_goes_from_question_to_report_by_pasting_what_is_printed]
}

/// More answers than an investigation has phases.
const MOST_ANSWERS: usize = 20;
/// Of a series.
const FEWEST_PAIRS: usize = 10;
const SECRET: &str = "hunter2-is-no-good-secret";
/// A second is enough for an effect of this size; the approval is what a user would give.
const SHORT: [&str; 4] = ["--approve-short=a test", "--duration=1", NOISY, "--json"];
/// The slow function of `tables` and a repaired one.
const SLOW: &str = "    let mut distinct = Vec::new();
    for name in names {
        if !distinct.contains(name) {
            distinct.push(*name);
        }
    }
    distinct
";
const REPAIRED: &str = "    let mut seen = std::collections::HashSet::new();
    names.iter().copied().filter(|name| seen.insert(*name)).collect()
";

/// T-08, S-23 to S-25, S-39, S-44 to S-46, K-08.
fn t08_an_investigation_goes_from_question_to_report_by_pasting_what_is_printed() -> Outcome {
    let _machine = machine();
    let study = Study::of("rust-workspace");
    let first: Vec<String> = [
        "setup",
        "--scenario=removing duplicates is too slow",
        "--quote=make distinct_zones fast",
        "--success=cost <= baseline * 0.9",
        "--version=v1",
        "--filter=distinct/zones",
        "--package=tables",
    ]
    .map(str::to_owned)
    .to_vec();
    let mut words = first;
    let mut seen = Vec::new();
    loop {
        assert!(seen.len() < MOST_ANSWERS, "it never ends: {seen:?}");
        let ended = answered(&study, &words);
        seen.push(words.join(" "));
        if study.state()["status"] == "complete" {
            break;
        }
        words = pasted(&ended.json()["next"]);
        if words[0] == "experiment" {
            let file = "crates/tables/src/lib.rs";
            let (before, after) = (study.read(file), study.read(file).replace(SLOW, REPAIRED));
            assert_ne!(before, after, "the slow function is there");
            study.write(file, &after);
        }
    }
    assert_eq!(seen.last().map(String::as_str), Some("consolidate"), "{seen:?}");
    expect_result(&study);
    expect_documents(&study);
    expect_nothing_private(&study);
    expect_reports(&study);
    if let Some(why) = missing(&[CHROMIUM]) {
        return skip("the report in a browser", &why);
    }
    expect_opens(&study);
    Ok(())
}

/// Runs the command as a user would who has a secret in the environment.
fn answered(study: &Study, words: &[String]) -> Ended {
    let short: &[&str] = match words[0].as_str() {
        "baseline" | "experiment" => &SHORT,
        _ => &SHORT[3..],
    };
    let check: &[&str] = if words[0] == "experiment" { &["--check=cargo test -q -p tables"] } else { &[] };
    let ended = study.perf(words).args(short).args(check).env("API_TOKEN", SECRET).run();
    let code = ended.status.code();
    assert!(code == Some(0) || (words[0] == "next" && code == Some(6)), "{words:?}: {ended:#?}");
    ended
}

/// The command that an answer asks to paste: as words, or at the end of a question.
fn pasted(next: &Value) -> Vec<String> {
    let words: Vec<String> = if let Some(argv) = next["argv"].as_array() {
        argv.iter().map(|word| word.as_str().expect("text").to_owned()).collect()
    } else {
        let question = next["question"].as_str().unwrap_or_else(|| panic!("nothing to paste: {next}"));
        let (_, command) = question.rsplit_once("? ").unwrap_or_else(|| panic!("no command: {question}"));
        command.split(' ').map(|word| word.trim_matches('\'').replace("why", "out of scope")).collect()
    };
    assert_eq!(words[..2], ["cargo", "perf"], "{next}");
    words[2..].to_vec()
}

/// What came of it: the change is accepted, kept, and the baseline is that of the change.
fn expect_result(study: &Study) {
    let state = study.state();
    assert_eq!(recorded(&state).len(), 10, "{state}");
    let experiment = &state["experiments"][0];
    assert_eq!(experiment["finding"]["verdict"], "accept", "{experiment}");
    assert_eq!((&state["decision"]["verdict"], &state["decision"]["agrees"]), (&json!("stop"), &json!(true)));
    expect_promoted(study, experiment);
    let subjects = study.subjects();
    assert_eq!(subjects.len(), 11, "one checkpoint per phase, and the first commit: {subjects:?}");
    assert!(study.read("crates/tables/src/lib.rs").contains(REPAIRED), "the work tree is the user's");
    study.perf(["log", "--check"]).succeeds();
}

/// The baseline holds each process that measured the change, of both series, as it was measured.
fn expect_promoted(study: &Study, experiment: &Value) {
    let comparison: Value = serde_json::from_str(&study.read(comparison_of(experiment))).expect("JSON");
    let bench = &comparison["benches"][0];
    let of_the_change: Vec<&Value> = [&bench["series"], &bench["confirmation"]]
        .iter()
        .flat_map(|series| series["pairs"].as_array().expect("pairs"))
        .map(|pair| &pair["candidate"])
        .collect();
    assert!(of_the_change.len() >= 2 * FEWEST_PAIRS, "{} pairs", of_the_change.len());
    assert!(of_the_change.iter().any(|fork| fork["sum"].is_number()), "they measured something");
    let stored = &study.stored("v1")["benches"][0];
    let forks = stored["forks"].as_array().expect("forks");
    assert!(forks.iter().eq(of_the_change), "what is stored is something else");
    let lows = || forks.iter().filter_map(|fork| fork["min"].as_f64());
    let range = lows().fold(f64::INFINITY, f64::min)..=lows().fold(0.0, f64::max);
    let cost = stored["cost"]["value"].as_f64().expect("a number");
    assert!(range.contains(&cost), "{cost} is not of forks whose lows are {range:?}");
}

/// Where the comparison of an experiment is stored.
fn comparison_of(experiment: &Value) -> &str {
    experiment["finding"]["comparison"]["path"].as_str().expect("a path")
}

/// The stored documents are what their published schemas say.
fn expect_documents(study: &Study) {
    let state = study.state();
    for (schema, file) in [
        ("investigation", STATE),
        ("baseline", ".claude/perf/baselines/v1.json"),
        ("comparison", comparison_of(&state["experiments"][0])),
    ] {
        let path = repository().join("docs/schemas").join(schema).with_extension("json");
        let schema: Value = serde_json::from_slice(&fs::read(path).expect("a schema")).expect("JSON");
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let document: Value = serde_json::from_str(&study.read(file)).expect("JSON");
        let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{file}: {errors:?}");
    }
}

/// No place on this machine and no secret is in what is committed.
fn expect_nothing_private(study: &Study) {
    let repository = Repository::open(&study.project).expect("a repository");
    let tree = repository.head().and_then(|head| head.peel_to_tree()).expect("a tree");
    let private = [study.project.to_str().expect("text"), "/home/", "/root/", "/tmp/", SECRET];
    let mut files = 0;
    tree.walk(TreeWalkMode::PreOrder, |folder, entry| {
        let name = format!("{folder}{}", entry.name().unwrap_or_default());
        if entry.kind() == Some(ObjectType::Blob) && Path::new(&name).starts_with(".claude") {
            let blob = repository.find_blob(entry.id()).expect("a file");
            let text = String::from_utf8_lossy(blob.content());
            files += 1;
            for place in private {
                assert!(!text.contains(place), "{name} holds {place}");
            }
        }
        TreeWalkResult::Ok
    })
    .expect("walked");
    assert!(files >= 5, "state, log, baseline, patch and comparison: {files}");
}

/// Each claim of the report has a pointer that resolves, and the page opens by itself.
fn expect_reports(study: &Study) {
    let report = study.perf(["report", "--json"]).succeeds().json()["result"].clone();
    let claims = report["recommendations"].as_array().expect("claims");
    assert!(claims[0]["text"].as_str().is_some_and(|text| text.contains("cargo perf apply E1")), "{report}");
    let abandoned = report["abandoned"].as_array().expect("claims").iter();
    for claim in
        claims.iter().chain(report["summary"]["findings"].as_array().expect("findings")).chain(abandoned)
    {
        let evidence = claim["evidence"].as_str().unwrap_or_else(|| panic!("without evidence: {claim}"));
        let (file, place) = evidence.split_once('#').unwrap_or((evidence, ""));
        let document: Value = serde_json::from_str(&study.read(file)).expect("JSON");
        assert!(document.pointer(place).is_some(), "{evidence} leads nowhere");
    }
    assert_eq!(report["abandoned"].as_array().map(Vec::len), Some(5), "phases left out: {report}");
    study.perf(["report", "--html=report.html"]).succeeds();
    let page = study.read("report.html");
    assert!(page.len() < 2 << 20, "{} bytes", page.len());
    for foreign in ["<script", "<link", "<img", "<iframe", " src=", " href=", "@import", "url("] {
        assert!(!page.contains(foreign), "the page asks for {foreign}");
    }
    for part in [
        "accept",
        "<svg",
        "To do it again",
        "cargo perf experiment --patch .claude/perf/experiments/",
        "Environment",
        "distinct/zones",
        "out of scope",
    ] {
        assert!(page.contains(part), "{part} is not in the page");
    }
}

/// A real browser lays the page out without a complaint and without asking anybody for anything.
/// `CARGO_PERF_UPDATE=1` renews the picture in the documents.
fn expect_opens(study: &Study) {
    // What is to be seen is seen: a page that complains, and asks somebody.
    study.write(
        "../aside/other.html",
        "<img src=\"http://127.0.0.1:9/picture\"><script>console.error('a complaint')</script>",
    );
    let other = browser::open(&study.aside.join("other.html"), &study.aside, [300, 300]);
    assert!(other.complaints.iter().any(|line| line.contains("a complaint")), "{:?}", other.complaints);
    assert!(other.requests.iter().any(|url| url.contains("127.0.0.1:9/picture")), "{:?}", other.requests);
    let opened = browser::open(&study.path("report.html"), &study.aside, [1000, 2200]);
    assert!(opened.complaints.is_empty(), "{:?}", opened.complaints);
    assert!(opened.requests.is_empty(), "{:?}", opened.requests);
    for part in ["<svg", "E1", "Decision", "To do it again"] {
        assert!(opened.dom.contains(part), "{part} is not on the page");
    }
    let picture = fs::read(&opened.picture).expect("a picture");
    assert!(picture.len() > 20_000, "a page with charts is no white picture: {} bytes", picture.len());
    if std::env::var_os("CARGO_PERF_UPDATE").is_some() {
        let place = repository().join("docs/images/report.png");
        fs::create_dir_all(place.parent().expect("a folder")).expect("the folder can be made");
        fs::copy(&opened.picture, place).expect("the picture can be renewed");
    }
}
