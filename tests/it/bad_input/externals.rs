//! External benchmarks that cannot be started as they stand, that do not do what they are asked, or that
//! are asked what they cannot do.

use crate::support::cases::{SHORT, Unchanged, refused};
use crate::support::perf::Perf;
use crate::support::sandbox::{Sandbox, run_folder_of};
use crate::support::{machine, trials};
use libtest_mimic::Trial;
use std::fs;

pub fn trials() -> Vec<Trial> {
    trials![
        a_benchmark_that_ends_a_little_early_is_refused_without_slack,
        a_benchmark_that_ignores_its_time_is_refused_in_its_first_run,
        a_benchmark_that_sleeps_is_refused_in_its_first_run,
        a_benchmark_that_only_prints_is_refused_in_both_modes,
        a_runtime_that_is_missing_is_refused_as_the_environments_fault,
        a_launcher_that_is_misspelt_names_what_comes_near,
        a_program_that_is_no_file_to_execute_is_refused,
        a_direction_that_is_none_is_refused_with_those_that_are,
        an_aggregate_that_is_none_is_refused_with_those_that_are,
        a_number_of_runs_that_is_none_or_too_small_is_refused,
        runs_do_not_go_with_a_duration_or_its_approval,
        runs_of_a_criterion_bench_are_refused_before_it_is_measured,
        a_parameter_that_is_no_decimal_or_that_nobody_reads_is_refused,
        what_only_a_shell_understands_is_refused_with_the_flag_that_starts_one,
        a_variable_before_the_command_is_refused_with_another_way,
        a_quote_that_is_not_closed_is_refused,
        a_command_that_names_no_program_is_refused,
        a_command_and_a_bench_at_once_are_refused,
        flags_for_cargo_are_refused_where_it_builds_nothing,
        a_harness_of_another_protocol_says_which_side_to_upgrade,
        an_external_benchmark_that_is_wrong_is_refused_with_its_place,
        two_external_benchmarks_of_one_id_are_refused,
        a_wrong_command_in_the_configuration_is_refused_by_its_id,
        an_id_that_nobody_declared_names_what_comes_near,
        several_external_benchmarks_are_not_measured_without_being_asked_for,
    ]
}

/// A sandbox with the command of a case that would leave a trace if it ran.
fn traced() -> (Sandbox, String) {
    let sandbox = Sandbox::of("external-cases");
    let command = format!("./case.sh tells {}", sandbox.traces_of_runs().display());
    (sandbox, command)
}

/// Expects that nothing is run, and not a single file written.
fn unstarted(sandbox: &Sandbox, perf: Perf<'_>, cause: &str, remedy: &str) {
    perf.unbuilt().fails(2, cause, remedy);
    assert_eq!(sandbox.runs(), 0, "something was run");
}

fn a_benchmark_that_ends_a_little_early_is_refused_without_slack() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    // As 58 seconds of 60.
    let ended = loop {
        let unchanged = Unchanged::of(&sandbox);
        let ended = sandbox.case(&["ends_early"]).args(["--approve-short=a test", "--duration=6"]).run();
        if ended.status.code() != Some(0) {
            unchanged.expect(&ended);
            break ended;
        }
        // Where starting it takes as long as it spares, it has lasted for long enough.
        let wall = sandbox.stored("v1")["benches"][0]["forks"][0]["wall_s"].as_f64();
        assert!(wall >= Some(6.0), "accepted with {wall:?} s");
        fs::remove_file(sandbox.path(".claude/perf/baselines/v1.json")).expect("it is stored");
    };
    ended.assert_refused(7, "although it was asked for 6.00 s", "PERF_RUN_DURATION");
    assert!(
        ended.stderr.contains("ended after 5.8") || ended.stderr.contains("ended after 5.9"),
        "{ended:#?}"
    );
    assert!(ended.stderr.contains("--runs 5"), "{}", ended.stderr);
}

fn a_benchmark_that_ignores_its_time_is_refused_in_its_first_run() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    let traces = sandbox.traces_of_runs();
    let perf = sandbox.case(&["ignores_its_time", traces.to_str().expect("text")]);
    let perf = perf.args(["--approve-short=a test", "--duration=12"]);
    refused(&sandbox, perf, 7, "although it was asked for 2.00 s", "PERF_RUN_DURATION");
    assert_eq!(sandbox.runs(), 1);
}

fn a_benchmark_that_sleeps_is_refused_in_its_first_run() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    let perf = sandbox.case(&["sleeps"]).args(SHORT);
    let ended = refused(&sandbox, perf, 7, "of processor time in 1 process", "instead of waiting");
    assert!(!ended.stderr.contains("plan: "), "{}", ended.stderr);
}

fn a_benchmark_that_only_prints_is_refused_in_both_modes() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    let echo = || sandbox.perf(["baseline", "v1", "--command", "echo PERF_METRICS a=1"]);
    let perf = echo().args(["--approve-short=a test", "--duration=12"]);
    refused(&sandbox, perf, 7, "although it was asked for 2.00 s", "PERF_RUN_DURATION");
    refused(&sandbox, echo().args(["--runs=3"]), 7, "there is nothing to measure", "compute");
}

fn a_runtime_that_is_missing_is_refused_as_the_environments_fault() {
    let _machine = machine();
    let sandbox = Sandbox::of("node");
    let path = sandbox.programs(&["sh"]);
    let perf = sandbox.perf(["baseline", "v1", "--filter=ledger"]).args(SHORT).env("PATH", path);
    refused(&sandbox, perf, 8, "there is no program \"node\" on the PATH", "install it");
}

fn a_launcher_that_is_misspelt_names_what_comes_near() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    let perf = sandbox.perf(["baseline", "v1", "--command", "noded bench.mjs"]).args(SHORT);
    refused(&sandbox, perf, 8, "there is no program \"noded\"", "is \"node\" meant?");
}

fn a_program_that_is_no_file_to_execute_is_refused() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    for program in ["./nothing.sh", "./README.md", "./"] {
        let perf = sandbox.perf(["baseline", "v1", "--command", program]).args(SHORT);
        refused(&sandbox, perf, 8, &format!("there is no program {program}"), "can be executed");
    }
}

fn a_direction_that_is_none_is_refused_with_those_that_are() {
    let (sandbox, command) = traced();
    for flag in
        ["--metric=a:ms:down", "--metric=a:ms:Lower", "--metric=a:ms", "--metric=a", "--metric=:ms:lower"]
    {
        let perf = sandbox.perf(["baseline", "v1", "--command", &command, flag]);
        unstarted(&sandbox, perf, "NAME:UNIT:lower or NAME:UNIT:higher", "--metric");
    }
    let table = format!("[[external]]\nid = 'a'\ncommand = \"{command}\"\n[external.metrics]\n");
    sandbox.write("perf.toml", &format!("{table}a = {{ better = 'down' }}\n"));
    for command in ["baseline", "list"] {
        let perf = sandbox.perf([command]);
        unstarted(&sandbox, perf, "perf.toml:5:16: unknown variant `down`", "`lower` or `higher`");
    }
}

fn an_aggregate_that_is_none_is_refused_with_those_that_are() {
    let (sandbox, command) = traced();
    let with = |flags: &[&str]| sandbox.perf(["baseline", "v1", "--command", &command]).args(flags);
    for aggregate in ["p95", "average", ""] {
        let flag = format!("--aggregate={aggregate}");
        unstarted(&sandbox, with(&["--runs=3", &flag]), "--aggregate", "expected median, mean, min or max");
    }
    unstarted(&sandbox, with(&["--aggregate=mean"]), "required", "--runs");
    for other in ["--duration=60", "--warm-up=1"] {
        unstarted(&sandbox, with(&["--aggregate=mean", other]), "cannot be used with", "--aggregate");
    }
}

fn a_number_of_runs_that_is_none_or_too_small_is_refused() {
    let (sandbox, command) = traced();
    for runs in ["2", "0", "-3", "2.9", "3.0", "three", "", "10001", "99999999999"] {
        let flag = format!("--runs={runs}");
        let perf = sandbox.perf(["baseline", "v1", "--command", &command, &flag]);
        unstarted(&sandbox, perf, "invalid value", "--runs");
    }
}

fn runs_do_not_go_with_a_duration_or_its_approval() {
    let (sandbox, command) = traced();
    let with = |flag: &str| sandbox.perf(["baseline", "v1", "--command", &command, "--runs=3", flag]);
    unstarted(&sandbox, with("--duration=10"), "cannot be used with", "--duration");
    unstarted(&sandbox, with("--approve-short=a test"), "does not go with --runs", "--approve-short");
    unstarted(&sandbox, with("--warm-up=1"), "cannot be used with", "--warm-up");
}

fn runs_of_a_criterion_bench_are_refused_before_it_is_measured() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let before = sandbox.snapshot();
    let running = sandbox.perf(["baseline", "v1", "--filter=well_behaved", "--runs=3"]).start();
    let pid = running.pid();
    let ended = running.end();
    ended.assert_refused(2, "well_behaved (misbehaving of misbehaving) is a criterion bench", "--runs");
    assert_eq!(run_folder_of(pid), None, "a run was begun");
    assert_eq!(before, sandbox.snapshot());
}

fn a_parameter_that_is_no_decimal_or_that_nobody_reads_is_refused() {
    let (sandbox, command) = traced();
    for value in ["", "1e3", "-1", "0x10", "many", "1.", "NaN"] {
        let flag = format!("--param-value={value}");
        let perf = sandbox.perf(["baseline", "v1", "--command", &command, &flag]);
        unstarted(&sandbox, perf, "--param-value", "plain decimal");
    }
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let perf = sandbox.perf(["baseline", "v1", "--filter=well_behaved", "--param-value=250"]);
    perf.fails(2, "is a criterion bench", "leave --param-value away");
    let perf = sandbox.perf(["baseline", "v1", "--filter=well_behaved", "--metric=ms:ms:lower"]);
    perf.fails(2, "is a criterion bench", "leave --metric away");
}

fn what_only_a_shell_understands_is_refused_with_the_flag_that_starts_one() {
    let (sandbox, command) = traced();
    for (tail, named) in [
        (" | cat", "`|`"),
        (" && echo", "`&`"),
        (" &", "`&`"),
        ("; echo", "`;`"),
        (" > file", "`>`"),
        (" < file", "`<`"),
        (" $HOME", "`$`"),
        (" \"$HOME\"", "`$`"),
        (" $(date)", "`$`"),
        (" `date`", "a backtick"),
        (" *.json", "`*`"),
        (" ~/file", "`~`"),
        (" # why", "`#`"),
        ("\necho", "a line break"),
    ] {
        let line = format!("{command}{tail}");
        let perf = sandbox.perf(["baseline", "v1", "--command", &line]);
        unstarted(&sandbox, perf, &format!("{named}, which only a shell understands"), "--shell");
    }
}

fn a_variable_before_the_command_is_refused_with_another_way() {
    let (sandbox, command) = traced();
    let perf = sandbox.perf(["baseline", "v1", "--command", &format!("A=1 {command}")]);
    unstarted(&sandbox, perf, "sets A before the program", "env = { NAME");
}

fn a_quote_that_is_not_closed_is_refused() {
    let (sandbox, command) = traced();
    for tail in [" 'two words", " \"two words", " \\"] {
        let perf = sandbox.perf(["baseline", "v1", "--command", &format!("{command}{tail}")]);
        unstarted(&sandbox, perf, "a quote that is not closed", "quote it as for a shell");
    }
}

fn a_command_that_names_no_program_is_refused() {
    let (sandbox, _) = traced();
    for command in ["", "  ", "''"] {
        let perf = sandbox.perf(["baseline", "v1", "--command", command]);
        unstarted(&sandbox, perf, "the command", "program");
    }
}

fn a_command_and_a_bench_at_once_are_refused() {
    let (sandbox, command) = traced();
    for flag in ["--filter=line", "--package=a", "--bench=a"] {
        let perf = sandbox.perf(["baseline", "v1", "--command", &command, flag]);
        unstarted(&sandbox, perf, "cannot be used with", "--command");
    }
    for flag in ["--shell", "--warm-up=1"] {
        unstarted(&sandbox, sandbox.perf(["baseline", "v1", flag]), "required", "--command");
        let perf = sandbox.perf(["baseline", "v1", "--filter=line", flag]);
        unstarted(&sandbox, perf, "cannot be used with", "--filter");
    }
}

fn flags_for_cargo_are_refused_where_it_builds_nothing() {
    let (sandbox, command) = traced();
    for flag in ["--features=a", "--all-features", "--profile=dev", "--target=x", "--locked", "--offline"] {
        let perf = sandbox.perf(["baseline", "v1", "--command", &command, flag]);
        let name = flag.split('=').next().expect("a flag");
        unstarted(&sandbox, perf, "which builds nothing of", &format!("leave {name} away"));
    }
}

fn a_harness_of_another_protocol_says_which_side_to_upgrade() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    for (major, minor, remedy) in
        [("0", "9", "cargo update -p perf-harness"), ("2", "0", "cargo install cargo-perf-lab")]
    {
        let cause = format!("cargo perf speaks protocol 1.0 and perf-harness {major}.{minor}");
        for flags in [&SHORT[..], &["--runs=3"]] {
            let perf = sandbox.case(&["reports", major, minor]).args(flags);
            refused(&sandbox, perf, 8, &cause, remedy);
        }
    }
}

fn an_external_benchmark_that_is_wrong_is_refused_with_its_place() {
    let sandbox = Sandbox::of("external-cases");
    let table = |rest: &str| format!("# ü\n[[external]]\nid = 'a'\n{rest}\n");
    let ours = table("command = 'x'\nenv = { PERF_PARAM_VALUE = '250' }");
    sandbox.write("perf.toml", &ours);
    let refused = sandbox.perf(["baseline", "v1", "--filter=a"]);
    refused.unbuilt().fails(2, "env sets PERF_PARAM_VALUE", "--param-value");
    for (text, place, cause) in [
        (table("command = 'x'\ncomand = 'y'"), "perf.toml:5:1: ", "unknown field `comand`"),
        (table("command = 5"), "perf.toml:4:11: ", "a list of strings"),
        (table("command = ['x', 5]"), "perf.toml:4:11: ", "a list of strings"),
        (table("directory = 'x'"), "perf.toml:2:1: ", "missing field `command`"),
        (table("command = 'x'\nshell = 'yes'"), "perf.toml:5:9: ", "expected a boolean"),
        (table("command = 'x'\nenv = { A = 1 }"), "perf.toml:5:13: ", "expected a string"),
        (table("command = 'x'\nwarm-up = 'soon'"), "perf.toml:5:11: ", "expected seconds"),
        (table("command = 'x'\nwarm-up = 0"), "perf.toml:5:11: ", "at least 0.1 seconds"),
        (table("command = 'x'\nmetrics = { a = { units = 'ms' } }"), "perf.toml:5:", "unknown field `units`"),
        ("[[external]]\nid = ' '\ncommand = 'x'\n".into(), "perf.toml:2:6: ", "visible character"),
        ("[external]\nid = 'a'\n".into(), "perf.toml:1:1: ", "expected a sequence"),
        ("[defaults]\nduration = 10\n".into(), "perf.toml:2:12: ", "rule 2"),
        ("[metrics]\na = 'ms'\n".into(), "perf.toml:2:5: ", "expected struct MetricSpec"),
    ] {
        sandbox.write("perf.toml", &text);
        for command in ["baseline", "list", "baselines"] {
            let refused = sandbox.perf([command]).unbuilt().fails(2, place, "docs/configuration.md");
            assert!(refused.stderr.contains(cause), "{cause:?} is not named: {}", refused.stderr);
        }
    }
}

fn two_external_benchmarks_of_one_id_are_refused() {
    let (sandbox, command) = traced();
    sandbox.write("perf.toml", &format!("[[external]]\nid = 'a'\ncommand = \"{command}\"\n").repeat(2));
    for words in [&["list"][..], &["baseline", "v1", "--filter=a"]] {
        let perf = sandbox.perf(words);
        unstarted(&sandbox, perf, "perf.toml: two external benchmarks have the id \"a\"", "an id of its own");
    }
}

fn a_wrong_command_in_the_configuration_is_refused_by_its_id() {
    let (sandbox, command) = traced();
    for (table, cause, remedy) in [
        (format!("command = \"{command} | cat\""), "`|`", "shell = true"),
        (format!("command = \"A=1 {command}\""), "sets A", "env = { NAME"),
        (format!("command = \"{command} 'x\""), "a quote that is not closed", "quote it"),
        ("command = []".to_owned(), "names no program", "the first word is the program"),
        ("command = ['sh']\nshell = true".to_owned(), "in one string", "leave shell away"),
    ] {
        sandbox.write("perf.toml", &format!("[[external]]\nid = 'zones'\n{table}\n"));
        let perf = sandbox.perf(["baseline", "v1", "--filter=zones"]);
        unstarted(&sandbox, perf, "external benchmark \"zones\": ", remedy);
        let perf = sandbox.perf(["list"]);
        unstarted(&sandbox, perf, cause, remedy);
    }
}

fn an_id_that_nobody_declared_names_what_comes_near() {
    let sandbox = Sandbox::of("external-cases");
    for command in ["baseline", "list"] {
        let perf = sandbox.perf([command, "--filter=lines"]);
        unstarted(&sandbox, perf, "\"lines\"", "line");
    }
}

fn several_external_benchmarks_are_not_measured_without_being_asked_for() {
    let sandbox = Sandbox::of("external-cases");
    let perf = sandbox.perf(["baseline", "v1"]).unbuilt();
    let refused = perf.fails(6, "2 benchmarks could be meant", "--filter");
    for id in ["line", "block"] {
        assert!(refused.stdout.contains(&format!("--filter {id}\n")), "{}", refused.stdout);
    }
    sandbox.perf(["baseline", "v1", "--filter=*"]).unbuilt().fails(5, "rule 4", "--expand");
}
