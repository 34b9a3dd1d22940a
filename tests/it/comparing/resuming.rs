//! Comparisons that were interrupted go on with what they have measured, and only with the same question.

#![expect(clippy::disallowed_methods, reason = "records are damaged as a crash would")]

use super::{RUNS, Told, document, only};
use crate::support::sandbox;
use crate::support::{machine, trials};
use libtest_mimic::Trial;
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

pub fn trials() -> Vec<Trial> {
    trials![
        an_interrupted_comparison_goes_on_with_its_pairs,
        a_killed_comparison_is_named_and_goes_on_behind_a_torn_line,
        another_question_does_not_go_on,
        another_command_does_not_go_on,
        what_cannot_go_on_is_refused,
    ]
}

/// The seed of all comparisons here.
const SEED: &str = "--seed=5";

/// Begins a comparison and ends it with `signal` in the middle of its second series; returns the folder of its run.
fn interrupted(told: &Told, signal: Signal) -> PathBuf {
    let mut running = told.compare(&[SEED]).start();
    running.says("seems to have changed");
    running.keeps("bench-1/confirmation/pairs.jsonl");
    running.signal(signal);
    let pid = running.pid();
    let ended = running.end();
    assert_ne!(ended.status.code(), Some(0), "{ended:#?}");
    told.0.assert_no_process_left();
    let folder = sandbox::run_folder_of(pid).expect("a folder of the run");
    if signal == Signal::INT {
        let id = id_of(&folder);
        assert!(ended.stderr.contains(&format!("the same command with --resume {id} goes on")), "{ended:#?}");
    }
    folder
}

fn id_of(folder: &std::path::Path) -> String {
    folder.file_name().expect("a name").to_string_lossy().into_owned()
}

/// The pairs of the first series as the run has kept them.
fn kept(folder: &std::path::Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("bench-1/pairs.jsonl")).expect("the pairs");
    text.lines().map(|line| serde_json::from_str(line).expect("a pair is JSON")).collect()
}

/// What of a pair a later one could not have by chance.
fn proof(pair: &Value) -> Value {
    serde_json::json!([pair["first"], pair["base"]["wall_s"], pair["candidate"]["wall_s"]])
}

fn an_interrupted_comparison_goes_on_with_its_pairs() {
    let _machine = machine();
    let told = Told::of("a=10", "a=11");
    let folder = interrupted(&told, Signal::INT);
    let before = kept(&folder);
    assert_eq!(before.len(), 10);

    let id = id_of(&folder);
    let ended = told.compare(&["--resume", &id]).run();
    let answer = ended.json();
    assert_eq!(only(&answer)["verdict"], "regressed", "{answer}");
    let found = document(&told.0, &answer);
    assert_eq!(found["id"], id.as_str());
    assert_eq!(found["seed"], 5);
    let pairs = found["benches"][0]["series"]["pairs"].as_array().expect("pairs");
    let proofs = |pairs: &[Value]| pairs.iter().map(proof).collect::<Vec<_>>();
    assert_eq!(proofs(pairs), proofs(&before), "the pairs are those of before");
    assert!(found["benches"][0]["confirmation"]["pairs"].as_array().is_some_and(|pairs| pairs.len() >= 10));
    assert!(found["notes"].to_string().contains("it was interrupted after 1"), "{}", found["notes"]);
    told.0.perf(["verify", answer["result"]["file"].as_str().expect("a file")]).succeeds();

    // The order is that of a comparison that nobody has interrupted.
    let whole = document(&told.0, &told.compare(&[SEED]).run().json());
    let firsts = |document: &Value, series: &str| -> Vec<Value> {
        let pairs = document["benches"][0][series]["pairs"].as_array().expect("pairs");
        pairs.iter().map(|pair| pair["first"].clone()).collect()
    };
    for series in ["series", "confirmation"] {
        assert_eq!(firsts(&found, series), firsts(&whole, series), "{series}");
    }
}

fn a_killed_comparison_is_named_and_goes_on_behind_a_torn_line() {
    let _machine = machine();
    let told = Told::of("a=10", "a=11");
    let folder = interrupted(&told, Signal::KILL);
    let record = folder.join("bench-1/pairs.jsonl");
    let lines: Vec<String> =
        fs::read_to_string(&record).expect("the pairs").lines().map(str::to_owned).collect();
    // As if the disk had kept nine of ten, and half of the last.
    let torn = format!("{}\n{}", lines[..9].join("\n"), &lines[9][..lines[9].len() / 2]);
    fs::write(&record, torn).expect("the record can be written");
    // The second series was measured behind the tenth pair, so that it cannot be there either.
    fs::remove_dir_all(folder.join("bench-1/confirmation")).expect("it was there");

    let id = id_of(&folder);
    let other = told.compare(&[SEED]).run();
    assert!(other.stderr.contains(&format!("comparison {id} asked the same")), "{other:#?}");
    let answer = told.compare(&["--resume=last"]).run().json();
    assert_eq!(document(&told.0, &answer)["id"], id.as_str());
    let pairs = kept(&folder);
    assert_eq!(pairs.len(), 10);
    for (pair, line) in pairs.iter().zip(&lines[..9]) {
        assert_eq!(*pair, serde_json::from_str::<Value>(line).expect("a pair"));
    }
    // It is complete now, so nothing is said of it any more.
    let after = told.compare(&[SEED]).run();
    assert!(!after.stderr.contains(&id), "{after:#?}");
}

fn another_question_does_not_go_on() {
    let _machine = machine();
    let told = Told::of("a=10", "a=11");
    let folder = interrupted(&told, Signal::INT);
    let before = kept(&folder);
    let id = id_of(&folder);
    let resume = ["--resume", id.as_str()];
    for (other, difference) in [
        ("--margin=2", "other terms"),
        ("--view=cost", "other terms"),
        ("--max-time=600", "another --max-time"),
        ("--metric=b:ms:lower", "other declarations of metrics"),
        ("--prepare=true", "another --prepare"),
    ] {
        let ended = told.compare(&[resume[0], resume[1], other]).run();
        ended.assert_refused(2, difference, "--resume");
    }
    told.0.write("says", "PERF_METRICS a=12\n");
    told.compare(&resume).run().assert_refused(2, "other sources", "--resume");
    assert_eq!(kept(&folder), before, "nothing is lost");
}

/// Both sides are measured with what the work tree says now.
fn another_command_does_not_go_on() {
    let _machine = machine();
    let told = Told::of("a=10", "a=11");
    let sandbox = &told.0;
    let declared = |more: &str| {
        let text = "[[external]]\nid = 'told'\ncommand = ['./case.sh', 'reads', 'says']\nmetrics.a = { better = 'lower' }\n";
        sandbox.write("perf.toml", &format!("{text}{more}"));
    };
    declared("");
    sandbox.commit_all();
    let compare =
        |more: &[&str]| sandbox.perf(["compare", "HEAD~1", "HEAD", "--filter=told"]).args(RUNS).args(more);
    let mut running = compare(&[]).start();
    running.keeps("bench-1/pairs.jsonl");
    running.signal(Signal::INT);
    running.end();
    declared("env.MORE = 'x'\n");
    compare(&["--resume=last"]).run().assert_refused(2, "another command, or other variables", "--resume");
    declared("");
    compare(&["--resume=last"]).succeeds();
}

fn what_cannot_go_on_is_refused() {
    let _machine = machine();
    let told = Told::of("a=10", "a=11");
    let elsewhere = told.0.aside.join("target");
    let none = told.compare(&["--resume=last"]).env("CARGO_TARGET_DIR", &elsewhere).run();
    none.assert_refused(2, "no comparison last was interrupted here", "--resume");
    let complete = told.compare(&[SEED]).run().json();
    let id = document(&told.0, &complete)["id"].as_str().expect("an id").to_owned();
    told.compare(&["--resume", &id]).run().assert_refused(2, "is complete", "--resume");
    told.compare(&["--resume=../runs"]).run().assert_refused(2, "was interrupted here", "");
    told.compare(&["--resume=x", SEED]).run().assert_refused(2, "--seed", "");

    let folder = interrupted(&told, Signal::INT);
    let record = folder.join("bench-1/pairs.jsonl");
    let text = fs::read_to_string(&record).expect("the pairs");
    fs::write(&record, text.replacen("\"first\"", "\"frist\"", 1)).expect("the record can be written");
    let id = id_of(&folder);
    told.compare(&["--resume", &id]).run().assert_refused(10, "line 1 of", "--resume");
    let turned = if text.contains(r#""first":"base""#) {
        text.replacen(r#""first":"base""#, r#""first":"candidate""#, 1)
    } else {
        text.replacen(r#""first":"candidate""#, r#""first":"base""#, 1)
    };
    fs::write(&record, turned).expect("the record can be written");
    told.compare(&["--resume", &id]).run().assert_refused(10, "order of their seed", "--resume");
    fs::write(folder.join("intent.json"), "{").expect("the intent can be written");
    told.compare(&["--resume", &id]).run().assert_refused(10, "is no intent", "");
}
