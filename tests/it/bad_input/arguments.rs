//! Wrong words on the command line, in `perf.toml`, and in the project itself.

use crate::support::perf::Ended;
use crate::support::sandbox::Sandbox;
use crate::support::{machine, trials};
use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
    trials![
        a_folder_without_a_manifest_is_refused_and_the_flag_named,
        a_manifest_that_does_not_exist_is_refused,
        a_manifest_that_cannot_be_read_is_refused_with_the_message_of_cargo,
        a_bench_that_does_not_compile_ends_with_101_and_the_message_of_rustc,
        a_filter_without_a_match_names_what_comes_near,
        a_misspelt_package_or_target_names_what_comes_near,
        a_label_that_is_no_file_name_is_refused_before_any_build,
        a_label_that_begins_like_a_flag_is_refused_before_any_build,
        two_different_labels_are_refused,
        one_label_given_twice_is_one_label,
        a_short_duration_without_approval_is_refused_by_rule_2,
        an_approval_needs_a_reason_and_a_short_duration,
        a_duration_that_is_no_number_of_seconds_is_refused,
        a_timeout_that_is_no_number_of_seconds_is_refused,
        a_timeout_of_zero_is_refused_before_any_build,
        an_approval_of_several_benches_needs_a_reason,
        an_unknown_flag_or_command_is_refused_and_help_named,
        several_benches_are_not_measured_without_being_asked_for,
        under_json_a_failure_is_one_object_that_agrees_with_the_exit_code,
        help_and_version_are_no_failures,
    ]
}

const SHORT: [&str; 4] = ["--approve-short", "a test", "--duration", "0.2"];

fn a_folder_without_a_manifest_is_refused_and_the_flag_named() {
    let sandbox = Sandbox::bare();
    for command in ["list", "baseline", "baselines"] {
        sandbox.perf([command]).unbuilt().fails(2, "Cargo.toml", "--manifest-path");
    }
    sandbox.write("README.md", "a repository without a manifest\n");
    sandbox.commit_all();
    for command in ["list", "baseline"] {
        sandbox.perf([command]).unbuilt().fails(2, "Cargo.toml", "--manifest-path");
    }
}

fn a_manifest_that_does_not_exist_is_refused() {
    let sandbox = Sandbox::of("misbehaving");
    let named = ["list", "--manifest-path", "elsewhere/Cargo.toml"];
    sandbox.perf(named).unbuilt().fails(2, "elsewhere/Cargo.toml", "manifest");
}

fn a_manifest_that_cannot_be_read_is_refused_with_the_message_of_cargo() {
    let sandbox = Sandbox::of("misbehaving");
    sandbox.write("Cargo.toml", "[package\n");
    for command in ["list", "baseline"] {
        sandbox.perf([command]).unbuilt().fails(2, "Cargo.toml", "cargo metadata");
    }
}

fn a_bench_that_does_not_compile_ends_with_101_and_the_message_of_rustc() {
    let _machine = machine();
    let sandbox = Sandbox::of("discovery");
    sandbox.write("delta/benches/custom.rs", "fn main() { planted_error }\n");
    let scope = ["-p", "delta", "--bench", "custom"];
    for command in ["list", "baseline"] {
        let refused = sandbox.perf([command]).args(scope).fails(101, "could not build", "cargo bench");
        assert!(refused.stderr.contains("cannot find value `planted_error`"), "{}", refused.stderr);
    }
    let events = sandbox.perf(["list", "--events", "--json"]).args(scope).run();
    assert_eq!(events.json()["error"]["code"], 101);
    assert!(events.stderr.contains("planted_error"), "{}", events.stderr);
}

fn a_filter_without_a_match_names_what_comes_near() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    sandbox.baseline("v1", "exits1").fails(2, "\"exits1\"", "exits_1");
    sandbox.baseline("v1", "behaved").fails(2, "\"behaved\"", "well_behaved");
    sandbox.perf(["list", "--filter", "exits1"]).fails(2, "\"exits1\"", "exits_1");
    sandbox.baseline("v1", "nothing_is_like_this").fails(2, "nothing_is_like_this", "--filter");
    // Only the whole id counts, and no other character than `*` is special.
    sandbox.baseline("v1", "well_").fails(2, "\"well_\"", "well_behaved");
    sandbox.baseline("v1", "well.behaved").fails(2, "\"well.behaved\"", "well_behaved");
}

fn a_misspelt_package_or_target_names_what_comes_near() {
    let sandbox = Sandbox::of("discovery");
    for command in ["list", "baseline"] {
        let perf = || sandbox.perf([command]).unbuilt();
        perf().args(["-p", "alfa"]).fails(2, "\"alfa\"", "alpha");
        perf().args(["--bench", "renmaed"]).fails(2, "\"renmaed\"", "renamed");
        perf().args(["-p", "beta", "--bench", "auto"]).fails(2, "\"auto\"", "--bench");
        perf().args(["-p", "excluded"]).fails(2, "\"excluded\"", "-p");
    }
}

fn a_label_that_is_no_file_name_is_refused_before_any_build() {
    let sandbox = Sandbox::of("misbehaving");
    let long = "1".repeat(300);
    for (label, cause) in [
        ("..", "starts with"),
        ("a/b", "'/'"),
        (".hidden", "starts with"),
        (long.as_str(), "300 characters"),
        ("CON", "reserved"),
        ("nul.txt", "reserved"),
        ("", "empty"),
        ("a b", "' '"),
        ("ü", "'ü'"),
        ("../../../outside", "'/'"),
    ] {
        let help = "cargo perf baseline 1.4.0";
        sandbox.baseline(label, "well_behaved").unbuilt().fails(2, cause, help);
        let flag = format!("--version={label}");
        let flagged = sandbox.perf(["baseline", &flag, "--filter", "well_behaved"]).args(SHORT);
        flagged.unbuilt().fails(2, cause, help);
        sandbox.perf(["baselines", "show", label]).fails(2, cause, help);
        sandbox.perf(["baselines", "remove", label]).fails(2, cause, help);
    }
}

fn a_label_that_begins_like_a_flag_is_refused_before_any_build() {
    let sandbox = Sandbox::of("misbehaving");
    let help = "cargo perf baseline 1.4.0";
    sandbox.perf(["baseline", "--version=-x"]).unbuilt().fails(2, "starts with", help);
    sandbox.perf(["baseline", "--", "-x"]).unbuilt().fails(2, "starts with", help);
    sandbox.perf(["baselines", "show", "--", "-x"]).fails(2, "starts with", help);
    // Without the dashes it could be a flag as well.
    sandbox.baseline("-x", "well_behaved").unbuilt().fails(2, "-x", "help");
}

fn two_different_labels_are_refused() {
    let sandbox = Sandbox::of("misbehaving");
    let both = sandbox.baseline("v1", "well_behaved").args(["--version", "v2"]);
    both.unbuilt().fails(2, "two version labels", "--version");
}

fn one_label_given_twice_is_one_label() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    sandbox.baseline("v1", "well_behaved").args(["--version", "v1"]).succeeds();
    assert_eq!(sandbox.stored("v1")["version"], "v1");
}

/// S-06, S-56.
fn a_short_duration_without_approval_is_refused_by_rule_2() {
    let sandbox = Sandbox::of("misbehaving");
    for seconds in ["10", "0.2", "59.999", "30s"] {
        let short = sandbox.perf(["baseline", "v1", "--filter", "well_behaved", "--duration", seconds]);
        let refused = short.unbuilt().fails(5, "rule 2", "--approve-short");
        assert!(refused.stderr.contains("sixty seconds"), "{}", refused.stderr);
    }
}

fn an_approval_needs_a_reason_and_a_short_duration() {
    let sandbox = Sandbox::of("misbehaving");
    let perf = || sandbox.perf(["baseline", "v1", "--filter", "well_behaved"]).unbuilt();
    for empty in ["", "  "] {
        perf().args(["--duration", "10", "--approve-short", empty]).fails(
            2,
            "needs a reason",
            "--approve-short",
        );
    }
    for long in [&["--duration", "60"][..], &["--duration=2m"], &[]] {
        perf().args(["--approve-short", "why"]).args(long).fails(2, "60 seconds", "--duration");
    }
}

const NO_SECONDS: [&str; 8] = ["nan", "-1", "1e3", "inf", "", "0x10", "1,5", "999999999999999999999"];

fn a_duration_that_is_no_number_of_seconds_is_refused() {
    let sandbox = Sandbox::of("misbehaving");
    for seconds in NO_SECONDS.iter().chain(&["0", "0.0", "0s"]) {
        let perf = sandbox.perf(["baseline", "v1", "--filter=well_behaved", "--approve-short=why"]);
        let flag = format!("--duration={seconds}");
        perf.args([flag]).unbuilt().fails(2, "", "--duration");
    }
}

fn a_timeout_that_is_no_number_of_seconds_is_refused() {
    let sandbox = Sandbox::of("misbehaving");
    for command in ["baseline", "list"] {
        for seconds in NO_SECONDS {
            let flag = format!("--timeout={seconds}");
            sandbox.perf([command, &flag]).unbuilt().fails(2, "expected seconds", "--timeout");
        }
    }
}

fn a_timeout_of_zero_is_refused_before_any_build() {
    let sandbox = Sandbox::of("misbehaving");
    sandbox.baseline("v1", "well_behaved").args(["--timeout=0"]).unbuilt().fails(2, "0", "--timeout");
}

fn an_approval_of_several_benches_needs_a_reason() {
    let sandbox = Sandbox::of("misbehaving");
    let empty = sandbox.baseline("v1", "w*").args(["--expand", " "]);
    empty.unbuilt().fails(2, "needs a reason", "--expand");
}

fn an_unknown_flag_or_command_is_refused_and_help_named() {
    let sandbox = Sandbox::of("misbehaving");
    sandbox.perf(["baseline", "--fast"]).unbuilt().fails(2, "--fast", "help");
    sandbox.perf(["lsit"]).unbuilt().fails(2, "lsit", "list");
    sandbox.perf(["measure"]).unbuilt().fails(2, "measure", "help");
    sandbox.perf(["baselines", "shwo", "v1"]).unbuilt().fails(2, "shwo", "show");
    sandbox.perf(["baseline", "v1", "v2"]).unbuilt().fails(2, "v2", "help");
    sandbox.perf::<&str>([]).unbuilt().fails(2, "Usage", "baseline");
}

fn several_benches_are_not_measured_without_being_asked_for() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let all = sandbox.perf(["baseline", "v1"]).args(SHORT).fails(6, "15 benchmarks", "--filter");
    let exact = "  cargo perf baseline v1 --approve-short 'a test' --duration 0.2 \
                 -p misbehaving --bench misbehaving --filter well_behaved\n";
    assert!(all.stdout.contains(exact), "{}", all.stdout);
    assert!(all.stdout.contains("\nstatus: blocked\n"), "{}", all.stdout);
    let long = sandbox.perf(["baseline", "v1", "--duration=120", "--timeout=5m"]).fails(
        6,
        "15 benchmarks",
        "--filter",
    );
    assert!(long.stdout.contains(" v1 --duration 120 --timeout 300 -p misbehaving "), "{}", long.stdout);
    sandbox.baseline("v1", "exits_*").fails(5, "rule 4", "--expand");
}

fn under_json_a_failure_is_one_object_that_agrees_with_the_exit_code() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let measuring = |id: &str| sandbox.baseline("v1", id).args(["--json"]);
    check_envelope(&sandbox.perf(["lsit", "--json"]).run(), 2, "usage");
    check_envelope(&sandbox.perf(["--json", "list", "--filter", "nothing"]).run(), 2, "usage");
    check_envelope(&sandbox.perf(["list", "--json", "--duration", "1"]).run(), 2, "usage");
    check_envelope(&sandbox.perf(["baseline", "a/b", "--json"]).run(), 2, "usage");
    check_envelope(&sandbox.perf(["baseline", "--json", "--duration", "10"]).run(), 5, "rule");
    check_envelope(&measuring("exits_*").run(), 5, "rule");
    check_envelope(&sandbox.perf(["baseline", "--json"]).run(), 6, "blocked");
    check_envelope(&sandbox.perf(["baselines", "show", "v1", "--json"]).run(), 6, "blocked");
    check_envelope(&measuring("exits_1").run(), 7, "benchmark");
    let closed = measuring("well_behaved").env("AI_STATE_DIR", "/proc/nothing");
    check_envelope(&closed.run(), 8, "environment");
    sandbox.write(".claude/perf/baselines/v1.json", "{");
    check_envelope(&sandbox.perf(["baselines", "show", "v1", "--json"]).run(), 10, "state");
}

fn check_envelope(ended: &Ended, code: i32, kind: &str) {
    assert_eq!(ended.status.code(), Some(code), "{ended:#?}");
    let object = ended.json();
    let error = &object["error"];
    assert_eq!(error["code"], code, "{object}");
    assert_eq!(error["kind"], kind, "{object}");
    for key in ["message", "hint"] {
        assert!(error[key].as_str().is_some_and(|text| !text.is_empty()), "no {key}: {object}");
    }
    assert!(!error["message"].as_str().expect("text").contains('\n'), "more than a line: {object}");
    assert_eq!(object["status"], "blocked", "{object}");
    assert!(object["schema"].as_str().is_some_and(|name| name.starts_with("cargo-perf/")), "{object}");
    for text in [&ended.stdout, &ended.stderr] {
        assert!(!text.contains("panicked at"), "{ended:#?}");
    }
}

fn help_and_version_are_no_failures() {
    let sandbox = Sandbox::bare();
    let version = sandbox.perf(["--version"]).succeeds();
    assert_eq!(version.stdout, format!("cargo perf {}\n", env!("CARGO_PKG_VERSION")));
    for words in [&["--help"][..], &["help"], &["perf", "--help"], &["help", "baseline"], &["list", "--help"]]
    {
        let help = sandbox.perf(words).succeeds();
        assert!(help.stdout.contains("Usage: cargo perf"), "{help:#?}");
        assert!(help.stderr.is_empty(), "{help:#?}");
    }
}
