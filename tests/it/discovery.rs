//! Benches are found wherever they are declared, and started as cargo would start them.

#![expect(clippy::disallowed_methods, reason = "cargo is run for comparison")]

use crate::support::perf::clean;
use crate::support::sandbox::{Sandbox, cache};
use crate::support::{machine, target_folder, traces, trials};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

pub fn trials() -> Vec<Trial> {
    trials![
        all_members_of_a_virtual_manifest_are_listed,
        the_list_is_the_same_from_a_folder_below,
        a_manifest_path_is_enough_from_elsewhere,
        an_excluded_package_is_a_workspace_of_its_own,
        a_target_without_its_feature_is_listed_with_the_flag,
        default_features_can_be_left_off,
        packages_and_targets_can_be_chosen,
        harnesses_are_told_apart_by_what_is_in_the_executable,
        a_bench_with_its_own_main_is_never_run_to_be_listed,
        without_building_targets_are_listed_as_they_are_declared,
        executables_are_kept_in_the_target_folder_of_the_environment,
        executables_are_kept_in_the_target_folder_of_the_configuration,
        executables_are_kept_in_the_default_target_folder,
        a_workspace_without_benches_is_listed_empty_and_not_measured,
        a_variable_that_is_set_wins_over_the_configuration_unless_that_forces_it,
        a_measured_bench_sees_the_environment_that_cargo_bench_gives_it,
        the_commands_of_the_list_measure_what_they_say,
    ]
}

/// Package, target and id of every benchmark in a list.
fn listed(sandbox: &Sandbox, arguments: &[&str]) -> Vec<(String, String, String)> {
    benches(&sandbox.perf(["list", "--json"]).args(arguments).succeeds().json())
}

fn benches(list: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let name = |bench: &Value| (text(&bench["package"]), text(&bench["target"]), text(&bench["id"]));
    list["result"]["benches"].as_array().expect("benches").iter().map(name).collect()
}

fn expected(names: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    names.iter().map(|(package, target, id)| ((*package).into(), (*target).into(), (*id).into())).collect()
}

const BENCHES: [(&str, &str, &str); 10] = [
    ("alpha", "auto", "auto"),
    ("alpha", "auto", "env/FIXTURE_PLAIN=plain"),
    ("alpha", "auto", "env/FIXTURE_FORCED=forced"),
    ("alpha", "auto", "env/FIXTURE_FROM_BUILD=1"),
    ("alpha", "auto", "env/FIXTURE_RELATIVE"),
    ("alpha", "environment", "environment"),
    ("alpha", "nested", "nested"),
    ("beta", "renamed", "renamed"),
    ("delta", "custom", "custom"),
    ("gamma", "default_feature", "default_feature"),
];

fn all_members_of_a_virtual_manifest_are_listed() {
    let sandbox = Sandbox::of("discovery");
    assert_eq!(listed(&sandbox, &[]), expected(&BENCHES));
    let text = sandbox.perf(["perf", "list"]).succeeds().stdout;
    let mut ids = text.lines().filter_map(|line| line.strip_prefix("  "));
    assert!(BENCHES.iter().all(|(_, _, id)| ids.next() == Some(*id)), "{text}");
    assert!(text.contains("\n10 benchmarks; a baseline of one takes about "), "{text}");
    assert!(!text.contains("excluded") && !text.contains("not_a_target"), "{text}");
}

fn the_list_is_the_same_from_a_folder_below() {
    let sandbox = Sandbox::of("discovery");
    let list = sandbox.perf(["list", "--json"]).cwd(sandbox.path("nested/deep")).succeeds();
    assert_eq!(benches(&list.json()), expected(&BENCHES));
}

fn a_manifest_path_is_enough_from_elsewhere() {
    let sandbox = Sandbox::of("discovery");
    let manifest = sandbox.path("Cargo.toml");
    let list = |manifest: &str| {
        let perf = sandbox.perf(["list", "--json", "--bench=auto", "--manifest-path", manifest]);
        perf.cwd(&sandbox.aside).succeeds().json()
    };
    // The configuration lies above the manifest, where cargo does not look for it.
    let own = expected(&[BENCHES[0], BENCHES[3]]);
    assert_eq!(benches(&list(manifest.to_str().expect("text"))), own);
    assert_eq!(benches(&list("../project/Cargo.toml")), own);
    assert_eq!(benches(&list("../project/alpha/Cargo.toml")), own);
}

fn an_excluded_package_is_a_workspace_of_its_own() {
    let sandbox = Sandbox::of("discovery");
    let list = sandbox.perf(["list", "--json"]).cwd(sandbox.path("excluded")).succeeds();
    assert_eq!(benches(&list.json()), expected(&[("excluded", "excluded", "excluded")]));
}

fn a_target_without_its_feature_is_listed_with_the_flag() {
    let sandbox = Sandbox::of("discovery");
    let without = sandbox.perf(["list", "-p", "gamma"]).succeeds().stdout;
    assert!(without.contains("needs_feature of gamma needs --features extra\n"), "{without}");
    let with = [("gamma", "default_feature", "default_feature"), ("gamma", "needs_feature", "needs_feature")];
    for flags in [&["--features", "extra"][..], &["--features=gamma/extra"], &["--all-features"]] {
        assert_eq!(listed(&sandbox, &[&["-p", "gamma"], flags].concat()), expected(&with), "{flags:?}");
    }
    let only = sandbox.perf(["list", "--bench", "needs_feature"]);
    only.fails(2, "needs_feature", "--features extra");
}

fn default_features_can_be_left_off() {
    let sandbox = Sandbox::of("discovery");
    let list = sandbox.perf(["list", "--json", "-p", "gamma", "-p", "beta", "--no-default-features"]);
    let list = list.succeeds().json();
    assert_eq!(benches(&list), expected(&[("beta", "renamed", "renamed")]));
    let skipped: Vec<_> = list["result"]["skipped"].as_array().expect("skipped").iter().collect();
    let missing = |target: &str, feature: &str| {
        skipped.iter().any(|skip| skip["target"] == target && skip["missing_features"] == json!([feature]))
    };
    assert!(missing("default_feature", "standard") && missing("needs_feature", "extra"), "{list}");
}

fn packages_and_targets_can_be_chosen() {
    let sandbox = Sandbox::of("discovery");
    let list = |arguments: &[&str]| listed(&sandbox, arguments);
    assert_eq!(list(&["-p", "beta"]), expected(&BENCHES[7..8]));
    assert_eq!(
        list(&["-p", "beta", "--package", "gamma"]),
        expected(&[&BENCHES[7..8], &BENCHES[9..10]].concat())
    );
    assert_eq!(list(&["--bench", "nested", "--bench", "renamed"]), expected(&BENCHES[6..8]));
    assert_eq!(list(&["-p", "alpha", "--bench=nested"]), expected(&BENCHES[6..7]));
    assert_eq!(list(&["--filter", "env/*_F*"]), expected(&BENCHES[2..4]));
    assert_eq!(list(&["--filter", "nested"]), expected(&BENCHES[6..7]));
}

fn harnesses_are_told_apart_by_what_is_in_the_executable() {
    let sandbox = Sandbox::of("discovery");
    let list = sandbox.perf(["list", "--json", "-p", "beta", "-p", "delta"]).succeeds().json();
    let bench = &list["result"]["benches"][0];
    assert_eq!((&bench["harness"], &bench["harness_version"]), (&json!("criterion"), &json!("0.8.2")));
    let unlisted = list["result"]["unlisted"].as_array().expect("unlisted").clone();
    let custom = &list["result"]["benches"][1];
    assert_eq!((&custom["id"], &custom["harness"]), (&json!("custom"), &json!("custom")));
    // The harness of the standard library was asked, and holds nothing.
    assert_eq!(unlisted.len(), 1, "{list}");
    assert_eq!((&unlisted[0]["target"], &unlisted[0]["harness"]), (&json!("libtest"), &json!("libtest")));
}

fn a_bench_with_its_own_main_is_never_run_to_be_listed() {
    let sandbox = Sandbox::of("discovery");
    let ran = sandbox.aside.join("ran");
    for arguments in [&[][..], &["--no-build"], &["--bench", "custom"]] {
        let list = sandbox.perf(["list"]).args(arguments).env("CUSTOM_MAIN_RAN", &ran).succeeds();
        assert!(list.stdout.contains("custom of delta ("), "{}", list.stdout);
        assert!(!ran.exists(), "the bench was run: {arguments:?}");
    }
}

fn without_building_targets_are_listed_as_they_are_declared() {
    let sandbox = Sandbox::of("discovery");
    let list = sandbox.perf(["list", "--no-build"]).unbuilt().succeeds();
    let expected = "auto of alpha (probably criterion)\n\
                    environment of alpha (probably criterion)\n\
                    nested of alpha (probably criterion)\n\
                    renamed of beta (probably criterion)\n\
                    custom of delta (own harness)\n\
                    libtest of delta (libtest)\n\
                    default_feature of gamma (probably criterion)\n\
                    needs_feature of gamma (probably criterion)\n\
                    needs_feature of gamma needs --features extra\n";
    assert_eq!(list.stdout, expected);
    assert!(!sandbox.aside.join("unbuilt").exists() && !sandbox.path("target").exists(), "it was built");
    let json = sandbox.perf(["list", "--no-build", "--json", "-p", "beta"]).unbuilt().succeeds().json();
    let beta = json!({"package": "beta", "target": "renamed", "declared": "probably criterion", "missing_features": []});
    assert_eq!(json["result"]["targets"], json!([beta]));
}

/// The package `delta` has no dependencies, so that it is compiled quickly wherever it is.
const QUICK: [&str; 3] = ["list", "-p", "delta"];

fn executables_are_kept_in_the_target_folder_of_the_environment() {
    let sandbox = Sandbox::of("discovery");
    let before = sandbox.snapshot();
    sandbox.perf(QUICK).succeeds();
    assert!(target_folder().join("perf/executables").is_dir());
    assert_eq!(before, sandbox.snapshot());
}

fn executables_are_kept_in_the_target_folder_of_the_configuration() {
    let sandbox = Sandbox::of("discovery");
    let configuration = sandbox.read(".cargo/config.toml");
    let built = format!("[build]\ntarget-dir = \"built/here\"\n\n{configuration}");
    sandbox.write(".cargo/config.toml", &built);
    sandbox.perf(QUICK).env_remove("CARGO_TARGET_DIR").succeeds();
    assert!(sandbox.path("built/here/perf/executables").is_dir());
    assert!(!sandbox.path("target").exists());
}

fn executables_are_kept_in_the_default_target_folder() {
    let sandbox = Sandbox::of("discovery");
    sandbox.perf(QUICK).env_remove("CARGO_TARGET_DIR").cwd(sandbox.path("nested")).succeeds();
    assert!(sandbox.path("target/perf/executables").is_dir());
    assert!(!sandbox.path("nested/target").exists());
}

fn a_workspace_without_benches_is_listed_empty_and_not_measured() {
    let sandbox = Sandbox::bare();
    sandbox.write("Cargo.toml", "[workspace]\nmembers = [\"quiet\"]\nresolver = \"3\"\n");
    sandbox.write("quiet/Cargo.toml", "[package]\nname = \"quiet\"\nedition = \"2024\"\n");
    sandbox.write("quiet/src/lib.rs", "//! Nothing.\n");
    let declared = sandbox.perf(["list", "--no-build"]).unbuilt().succeeds();
    assert_eq!(declared.stdout, "there are no bench targets and no external benchmarks\n");
    for command in ["list", "baseline"] {
        sandbox.perf([command]).unbuilt().fails(2, "no bench targets", "--manifest-path");
    }
}

fn a_variable_that_is_set_wins_over_the_configuration_unless_that_forces_it() {
    let sandbox = Sandbox::of("discovery");
    let perf = sandbox.perf(["list", "--json", "--filter", "env/FIXTURE_*=*"]);
    let list = perf.env("FIXTURE_PLAIN", "mine").env("FIXTURE_FORCED", "mine").succeeds();
    let ids = ["env/FIXTURE_PLAIN=mine", "env/FIXTURE_FORCED=forced", "env/FIXTURE_FROM_BUILD=1"];
    assert_eq!(list.ids(), ids);
}

/// What only a runner sets, and what a shell sets for every process.
const OF_THE_RUNNER: [&str; 7] = [
    "CRITERION_HOME",
    "CARGO_CRITERION_PORT",
    "CARGO_PERF_RUN",
    "ENVIRONMENT_TO",
    "PERF_PROTOCOL",
    "PERF_REPORT_FILE",
    "_",
];

fn a_measured_bench_sees_the_environment_that_cargo_bench_gives_it() {
    let _machine = machine();
    let sandbox = Sandbox::of("discovery");
    let (ours, cargos) = (sandbox.aside.join("ours"), sandbox.aside.join("cargos"));
    sandbox.baseline("v1", "environment").env("ENVIRONMENT_TO", &ours).succeeds();

    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    clean(&mut cargo);
    let quick = ["--noplot", "--warm-up-time", "0.1", "--measurement-time", "0.1", "--sample-size", "10"];
    cargo.args(["bench", "-p", "alpha", "--bench", "environment", "--"]).args(quick);
    cargo.env("CARGO_TARGET_DIR", target_folder()).env(traces::MARKER, &sandbox.marker);
    cargo.env("ENVIRONMENT_TO", &cargos).env("CRITERION_HOME", sandbox.aside.join("criterion"));
    cargo.env("XDG_STATE_HOME", sandbox.state_home()).env("XDG_CACHE_HOME", cache());
    cargo.env("TMPDIR", sandbox.out.join("tmp"));
    cargo.current_dir(&sandbox.project).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(cargo.status().expect("cargo can be started").success());

    let ((our_folder, ours), (cargos_folder, cargos)) = (environment(&ours), environment(&cargos));
    assert_eq!(our_folder, cargos_folder, "another working directory");
    let different: Vec<String> = ours
        .keys()
        .chain(cargos.keys().filter(|name| !ours.contains_key(*name)))
        .filter(|name| ours.get(*name) != cargos.get(*name))
        .map(|name| {
            format!("{name}\n  cargo bench: {:?}\n  cargo perf:  {:?}", cargos.get(name), ours.get(name))
        })
        .collect();
    assert!(different.is_empty(), "{}", different.join("\n"));
}

fn environment(file: &Path) -> (String, BTreeMap<String, String>) {
    let text = fs::read_to_string(file).expect("the bench wrote its environment");
    let mut lines = text.lines();
    let folder = lines.next().expect("a folder").to_owned();
    let variables = lines
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| !OF_THE_RUNNER.contains(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    (folder, variables)
}

fn the_commands_of_the_list_measure_what_they_say() {
    let _machine = machine();
    let sandbox = Sandbox::of("discovery");
    let list = sandbox.perf(["list", "--json", "-p", "alpha", "--filter", "env/*"]).succeeds().json();
    for bench in list["result"]["benches"].as_array().expect("benches") {
        let words = bench["command"].as_array().expect("a command").iter();
        let words: Vec<&str> = words.map(|word| word.as_str().expect("text")).collect();
        assert_eq!(words[..2], ["cargo", "perf"]);
        let perf = sandbox.perf(&words[1..]).args(["--approve-short=a test", "--duration=0.2", "--json"]);
        assert_eq!(perf.succeeds().ids(), [bench["id"].as_str().expect("an id")]);
    }
}
