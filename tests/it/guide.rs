//! The guide: what the program says of itself.

use crate::support::sandbox::Sandbox;
use crate::support::{repository, trials};
use cargo_perf_lab::failure;
use cargo_perf_lab::model::outcome::Phase;
use cargo_perf_lab::model::rules::Rule;
use libtest_mimic::Trial;
use perf_harness::metrics::Metrics;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const TOPICS: [&str; 6] = ["rules", "phases", "investigation", "exit-codes", "contract", "config"];

pub fn trials() -> Vec<Trial> {
    trials![
        the_guide_names_every_rule_phase_and_exit_code,
        a_topic_shows_its_part_and_no_other,
        an_unknown_topic_is_refused_with_the_list_of_topics,
        the_guide_is_one_object_for_programs,
        a_phase_is_available_when_its_command_is,
        the_contract_names_what_the_harness_reads,
        the_forms_of_metrics_are_read_as_they_stand,
        the_guide_names_every_key_of_the_configuration,
    ]
}

/// What the guide answers as JSON, outside of any project.
fn guide(arguments: &[&str]) -> Value {
    let sandbox = Sandbox::bare();
    sandbox.perf(["guide", "--json"]).args(arguments).succeeds().json()
}

fn the_guide_names_every_rule_phase_and_exit_code() {
    let sandbox = Sandbox::bare();
    let text = sandbox.perf(["guide"]).succeeds().stdout;
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    let has = |wanted: &str| {
        let wanted: Vec<&str> = wanted.split_whitespace().collect();
        lines.iter().any(|line| line.windows(wanted.len()).any(|words| words == wanted))
    };
    for rule in Rule::ALL {
        let state = rule.enforced().name();
        assert!(has(&format!("{} {state} {}. {}", rule.number(), rule.title(), rule.sentence())), "{text}");
    }
    for phase in Phase::ALL {
        assert!(has(&format!("{} {}", phase.name(), phase.commands().join(", "))), "{phase:?}: {text}");
    }
    for row in failure::exit_codes() {
        let kind = row.kind.map_or("-", failure::FailureKind::name);
        assert!(has(&format!("{row} {kind} {}", row.meaning)), "{row:?}: {text}");
    }
}

fn a_topic_shows_its_part_and_no_other() {
    let sandbox = Sandbox::bare();
    let heading = |topic: &str| {
        let text = sandbox.perf(["guide", topic]).succeeds().stdout;
        text.lines().next().expect("a heading").to_owned()
    };
    let all = sandbox.perf(["guide"]).succeeds().stdout;
    let headings = TOPICS.map(heading);
    for (topic, own) in TOPICS.iter().zip(&headings) {
        assert!(all.lines().any(|line| line == own), "{topic} is not part of the whole: {all}");
        let text = sandbox.perf(["guide", topic]).succeeds().stdout;
        let found: Vec<&String> = headings.iter().filter(|heading| text.contains(heading.as_str())).collect();
        assert_eq!(found, [own], "{text}");
    }
}

fn an_unknown_topic_is_refused_with_the_list_of_topics() {
    let sandbox = Sandbox::bare();
    sandbox.perf(["guide", "weather"]).fails(2, &TOPICS.join(", "), "cargo perf help");
    sandbox.perf(["guide", "phase"]).fails(2, &TOPICS.join(", "), "'phases'");
}

fn the_guide_is_one_object_for_programs() {
    let answer = guide(&[]);
    assert_eq!(answer["schema"], "cargo-perf/guide");
    assert_eq!(answer["error"], Value::Null);
    let result = &answer["result"];
    assert_eq!(result["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(result["topics"], json!(TOPICS));
    let keys: BTreeSet<&str> = result.as_object().expect("an object").keys().map(String::as_str).collect();
    let parts = ["rules", "phases", "investigation", "exit_codes", "contract", "config"];
    assert_eq!(keys, parts.into_iter().chain(["version", "topics"]).collect());
    let ids: Vec<&Value> = array(&result["rules"]).iter().map(|rule| &rule["id"]).collect();
    assert_eq!(ids, Rule::ALL.map(Rule::id));
    let states = [json!("fully"), json!("in_part"), json!("planned")];
    assert!(array(&result["rules"]).iter().all(|rule| states.contains(&rule["state"])), "{result:#}");
    let busy = json!({"code": 9, "plus_signal": false, "kind": "busy", "meaning": "another benchmark holds the machine"});
    assert!(array(&result["exit_codes"]).contains(&busy), "{result:#}");
    let signal = array(&result["exit_codes"]).last().expect("a code");
    assert_eq!((&signal["code"], &signal["plus_signal"]), (&json!(128), &json!(true)));
    for (topic, part) in TOPICS.iter().zip(parts) {
        assert_eq!(guide(&[topic])["result"][part], result[part], "{topic}");
    }
}

fn a_phase_is_available_when_its_command_is() {
    let sandbox = Sandbox::bare();
    for phase in array(&guide(&["phases"])["result"]["phases"]) {
        for command in array(&phase["commands"]) {
            let words = array(&command["argv"]).iter().map(|word| word.as_str().expect("a word"));
            let help = sandbox.perf(words.skip(2)).args(["--help"]).run();
            assert_eq!(help.status.success(), command["available"] == true, "{command}");
        }
    }
}

fn the_contract_names_what_the_harness_reads() {
    let sandbox = Sandbox::bare();
    let text = sandbox.perf(["guide", "contract"]).succeeds().stdout;
    let constants = constants_below(&repository().join("harness/src"));
    assert!(constants.len() >= 4, "{constants:?}");
    for name in constants {
        assert!(text.contains(&name), "the contract does not name {name}: {text}");
    }
}

/// The forms are what people copy, so the reader of metrics has to understand them.
fn the_forms_of_metrics_are_read_as_they_stand() {
    let answer = guide(&["contract"]);
    let forms = array(&answer["result"]["contract"]["metrics"]);
    assert_eq!(forms.len(), 4, "{forms:?}");
    for form in forms {
        let form = form["form"].as_str().expect("a form");
        let read = Metrics::read(form.as_bytes()).unwrap_or_else(|error| panic!("{form}: {error}"));
        assert!(!read.is_empty(), "{form}");
    }
}

/// The values of public constants that begin with `PERF_`.
fn constants_below(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("the sources can be read").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(constants_below(&path));
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source can be read");
        let constants = text.lines().filter(|line| line.trim_start().starts_with("pub const "));
        found.extend(constants.filter_map(|line| {
            let value = line.split('"').nth(1)?;
            value.starts_with("PERF_").then(|| value.to_owned())
        }));
    }
    found
}

/// The reader of the configuration names the keys of a table when it meets an unknown one.
fn the_guide_names_every_key_of_the_configuration() {
    let sandbox = Sandbox::bare();
    let answer = guide(&["config"]);
    let keys = array(&answer["result"]["config"]["keys"]);
    for (table, before) in [
        ("", ""),
        ("[defaults]\n", "defaults."),
        ("[metrics.a]\n", "metrics.NAME."),
        ("[[external]]\n", "external[]."),
        ("[[external]]\n[external.metrics.a]\n", "external[].metrics.NAME."),
    ] {
        // Every table is a key of the first list, which comes first.
        if !keys.iter().any(|key| key["key"].as_str().is_some_and(|key| key.starts_with(before))) {
            continue;
        }
        sandbox.write("perf.toml", &format!("{table}planted = 1\n"));
        let refused = sandbox.perf(["baselines", "--json"]).run();
        let message = refused.json()["error"]["message"].to_string();
        let (_, expected) = message.split_once("expected").expect("the known keys");
        let known: BTreeSet<&str> = expected.split('`').skip(1).step_by(2).collect();
        let inside = keys.iter().filter_map(|key| key["key"].as_str()?.strip_prefix(before));
        let named: BTreeSet<&str> =
            inside.map(|key| key.split(['.', '[']).next().expect("a first part")).collect();
        assert_eq!(named, known, "{message}");
    }
    assert!(keys.iter().all(|key| key["meaning"].as_str().is_some_and(|text| !text.is_empty())), "{keys:?}");
}

fn array(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("not an array: {value}"))
}
