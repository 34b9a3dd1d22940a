//! Runs that go on by themselves: `--detach`, `cargo perf wait`, `cargo perf cancel` (design, section 3).

use crate::support::perf::{Ended, Perf};
use crate::support::sandbox::{NOISY, Sandbox, run_folders};
use crate::support::traces::{self, SOON, eventually};
use crate::support::{machine, trials};
use libtest_mimic::Trial;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub fn trials() -> Vec<Trial> {
    trials![
        a_detached_run_is_announced_within_a_second,
        wait_answers_as_the_command_does,
        wait_fails_as_the_command_does,
        json_is_passed_on_as_it_is_and_text_becomes_part_of_an_object,
        what_is_wrong_with_the_arguments_is_said_at_once,
        a_run_that_ends_at_once_is_answered_at_once,
        wait_ends_with_75_while_the_run_goes_on,
        cancel_ends_the_run_and_all_it_started,
        a_run_that_does_not_listen_is_killed,
        an_unknown_run_is_refused_with_the_one_that_is_known,
        a_run_of_another_project_is_cancelled_by_name_only,
        of_several_runs_one_must_be_named,
        a_killed_run_is_told_from_one_that_ended,
        a_process_that_has_the_id_of_an_ended_run_by_now_is_left_alone,
        a_detached_run_inside_a_measured_run_is_refused,
        nothing_of_the_caller_stays_open,
        a_caller_that_is_killed_leaves_a_run_or_nothing,
        a_run_survives_its_caller_at_every_second,
    ]
}

const WELL: &str = "well_behaved";
/// The call is to return within a second. Where others compile, one call may have to wait for a
/// processor; of a few the fastest shows what the program itself takes.
const CALL: Duration = Duration::from_secs(1);
const CALLS: usize = 3;

/// A program that computes for about 0.3 s, needs no build, and may be as short as 0.1 s.
const COMPUTES: &str = "i=0; while [ $i -lt 800000 ]; do i=$((i+1)); done; echo PERF_METRICS mean_ms=1.5";

/// The folders of the records of detached runs.
fn records(sandbox: &Sandbox) -> BTreeSet<PathBuf> {
    let Ok(entries) = fs::read_dir(sandbox.state_home().join("cargo-perf/runs")) else {
        return BTreeSet::new();
    };
    entries.map(|entry| entry.expect("the folder can be read").path()).collect()
}

fn record(sandbox: &Sandbox, id: &str) -> PathBuf {
    sandbox.state_home().join("cargo-perf/runs").join(id)
}

fn known(sandbox: &Sandbox, id: &str) -> Value {
    let text = fs::read(record(sandbox, id).join("run.json")).expect("there is a record");
    serde_json::from_slice(&text).expect("a record is JSON")
}

fn supervisor(sandbox: &Sandbox, id: &str) -> i32 {
    i32::try_from(known(sandbox, id)["pid"].as_i64().expect("a process id")).expect("a process id")
}

/// Starts the run, and returns its id.
fn detach(perf: Perf<'_>) -> String {
    let ended = perf.args(["--detach"]).run();
    assert_eq!(ended.status.code(), Some(0), "{ended:#?}");
    id_in(&ended)
}

fn id_in(ended: &Ended) -> String {
    let next = ended.stdout.lines().find_map(|line| line.strip_prefix("next: cargo perf wait "));
    next.unwrap_or_else(|| panic!("no run is named: {ended:#?}")).to_owned()
}

fn wait(sandbox: &Sandbox, id: &str) -> Ended {
    sandbox.perf(["wait", id, "--timeout=900s"]).run()
}

/// Waits until the run has measured a fork; returns where it keeps its forks.
fn measures(sandbox: &Sandbox, id: &str) -> PathBuf {
    let forks = || {
        let traces = known(sandbox, id)["traces"].as_str().map(PathBuf::from)?;
        Some(traces.join("bench-1/forks.jsonl")).filter(|file| file.is_file())
    };
    eventually(Duration::from_secs(900), "a fork is measured", || forks().is_some());
    forks().expect("just seen")
}

/// Fails when the machine is held by one of our runs. Somebody outside of these tests may hold it.
fn assert_free(sandbox: &Sandbox) {
    sandbox.assert_no_process_left();
    let ended = sandbox.baseline("after", WELL).run();
    assert_eq!(ended.status.code(), Some(0), "{ended:#?}");
}

fn a_detached_run_is_announced_within_a_second() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let mut fastest = Duration::MAX;
    for call in 0..CALLS {
        let ended = sandbox.long_baseline("v1", WELL, "20").args(["--detach"]).run();
        assert_eq!(ended.status.code(), Some(0), "{ended:#?}");
        fastest = fastest.min(ended.wall);
        let id = id_in(&ended);
        assert!(
            ended.stdout.starts_with(&format!("run {id} goes on by itself\nplan: 20 s measured, about "))
        );
        let block =
            "\n\nphase: baseline\nstatus: in_progress\nbaseline: v1\nfindings: none\nnext: cargo perf wait ";
        assert!(ended.stdout.contains(block), "{}", ended.stdout);
        assert!(!sandbox.processes().is_empty(), "nothing goes on after call {call}");
        assert_eq!(sandbox.perf(["cancel", &id]).succeeds().stderr, "");
    }
    assert!(fastest < CALL, "the fastest of {CALLS} calls took {fastest:?}");
    let ended = sandbox.long_baseline("v1", WELL, "20").args(["--detach", "--json"]).run().json();
    let id = ended["result"]["run"].as_str().expect("an id");
    assert_eq!(ended["status"], "in_progress");
    assert_eq!(ended["next"]["argv"], json!(["cargo", "perf", "wait", id]));
    assert_eq!(ended["result"]["planned"]["measured_s"], 20.0);
    assert!(ended["result"]["planned"]["wall_s"].as_f64() > Some(20.0), "{ended}");
    sandbox.perf(["cancel", id]).succeeds();
}

fn wait_answers_as_the_command_does() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let id = detach(sandbox.baseline("v1", WELL));
    let ended = wait(&sandbox, &id);
    assert_eq!(ended.status.code(), Some(0), "{ended:#?}");
    let stored = fs::read_to_string(record(&sandbox, &id).join("stdout")).expect("it printed something");
    assert_eq!(ended.stdout, stored);
    let own = sandbox.baseline("v2", WELL).succeeds().stdout;
    let shape = |text: &str| {
        let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
        text.lines().map(first).collect::<Vec<_>>()
    };
    assert_eq!(shape(&ended.stdout), shape(&own), "{}\n{own}", ended.stdout);
    let command = sandbox.stored("v1")["command"].to_string();
    assert!(command.contains("approve-short") && !command.contains("detach"), "{command}");
    // As often as one likes, and without an id too.
    let again = sandbox.perf(["wait"]).succeeds();
    assert_eq!(again.stdout, stored);
    assert!(again.stderr.contains(&format!("the latest is {id}")), "{again:#?}");
    sandbox.assert_no_process_left();
}

/// The text with the folder of a run named alike, whichever run it was.
fn without_run(text: &str) -> String {
    let mut parts = text.split("perf/runs/");
    let first = parts.next().map(str::to_owned);
    first
        .into_iter()
        .chain(parts.map(|part| format!("RUN{}", &part[part.find('/').unwrap_or(0)..])))
        .collect()
}

fn wait_fails_as_the_command_does() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    for (id, code) in [("panics", 7), ("no_such_bench", 2)] {
        let perf = || sandbox.baseline("v1", id);
        let own = perf().run();
        assert_eq!(own.status.code(), Some(code), "{own:#?}");
        // A machine that builds fast has the answer before the caller is let go.
        let asked = perf().args(["--detach"]).run();
        let is_answered = asked.status.code() != Some(0);
        let ended = if is_answered { asked } else { wait(&sandbox, &id_in(&asked)) };
        assert_eq!(ended.status.code(), Some(code), "{ended:#?}");
        assert_eq!(without_run(&ended.stdout), without_run(&own.stdout));
        let why = |ended: &Ended| {
            let (_, why) =
                ended.stderr.split_once("error: ").unwrap_or_else(|| panic!("no cause: {ended:#?}"));
            without_run(why)
        };
        assert_eq!(why(&ended), why(&own));
        assert!(ended.stderr.contains("\nhelp: "), "{ended:#?}");
    }
}

fn json_is_passed_on_as_it_is_and_text_becomes_part_of_an_object() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let asked = sandbox.baseline("v1", WELL).args(["--detach", "--json"]).run().json();
    let id = asked["result"]["run"].as_str().expect("an id").to_owned();
    let waited = sandbox.perf(["wait", &id, "--timeout=900", "--json"]).run();
    assert_eq!(waited.stdout, fs::read_to_string(record(&sandbox, &id).join("stdout")).expect("printed"));
    let json = waited.json();
    assert_eq!((&json["schema"], &json["status"]), (&json!("cargo-perf/baseline"), &json!("complete")));
    assert_eq!(json["result"]["benches"][0]["id"], WELL);

    let id = detach(sandbox.baseline("v1", "panics"));
    let waited = sandbox.perf(["wait", &id, "--timeout=900", "--json"]).run();
    let json = waited.json();
    assert_eq!(waited.status.code(), Some(7), "{waited:#?}");
    assert_eq!(json["schema"], "cargo-perf/wait");
    assert_eq!((&json["error"]["code"], &json["error"]["kind"]), (&json!(7), &json!("benchmark")));
    assert!(json["error"]["message"].as_str().is_some_and(|text| text.contains("planted panic")), "{json}");
    assert_eq!((&json["result"]["run"], &json["result"]["exit_code"]), (&json!(id), &json!(7)));
    assert!(json["result"]["stdout"].as_str().is_some_and(|text| text.starts_with("phase: baseline\n")));
}

fn what_is_wrong_with_the_arguments_is_said_at_once() {
    let sandbox = Sandbox::of("misbehaving");
    let perf = |words: &[&str]| sandbox.perf(words).args(["--detach"]);
    perf(&["baseline", "a/b"]).fails(2, "the version label", "help");
    perf(&["baseline", "v1", "--duration=5"]).fails(5, "--duration 5", "--approve-short");
    perf(&["baseline", "v1", "--expand="]).fails(2, "--expand needs a reason", "stored");
    perf(&["baseline", "v1", "--state-dir=../up"]).fails(2, "leads upwards", "--state-dir");
    perf(&["baseline", "v1", "--command=no-such-program-anywhere"]).fails(8, "no-such-program", "PATH");
    assert!(records(&sandbox).is_empty(), "a run was recorded");
    // Elsewhere there is no such flag.
    perf(&["list"]).fails(2, "--detach", "help");
}

fn a_run_that_ends_at_once_is_answered_at_once() {
    let sandbox = Sandbox::of("misbehaving");
    let path = sandbox.aside.join("extra.lock");
    let file = File::create(&path).expect("the lock can be made");
    file.lock().expect("the lock can be taken");
    // Others may measure on this machine; that changes who is named, and not what happens.
    let perf = |flags: &[&str]| {
        let perf = sandbox.perf(["baseline", "v1", "--command=true", "--no-wait", "--detach"]).args(flags);
        perf.env("CARGO_PERF_LOCK", &path)
    };
    let mut ended = perf(&[]).run();
    for _ in 0..CALLS {
        // On a busy machine it may end too late for that; the answer is the same then.
        if ended.status.code() != Some(0) {
            break;
        }
        wait(&sandbox, &id_in(&ended)).assert_refused(9, "another benchmark holds the machine", "--no-wait");
        ended = perf(&[]).run();
    }
    ended.assert_refused(9, "another benchmark holds the machine", "--no-wait");
    let json = perf(&["--json"]).run().json();
    assert!(json["schema"] == "cargo-perf/baseline", "{json}");
    sandbox.assert_no_process_left();
}

fn wait_ends_with_75_while_the_run_goes_on() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let id = detach(sandbox.long_baseline("v1", WELL, "30"));
    measures(&sandbox, &id);
    // The first line comes with the first fork, and the report of the run stands in the line.
    let started = Instant::now();
    let ended = sandbox.perf(["wait", "--timeout", "1.5s"]).run();
    assert_eq!(ended.status.code(), Some(75), "{ended:#?}");
    assert!(started.elapsed() >= Duration::from_millis(1500));
    assert!(ended.wall < Duration::from_secs(10), "{ended:#?}");
    assert!(ended.stdout.contains(&format!("next: cargo perf wait {id} --timeout 1.5s\n")), "{ended:#?}");
    let lines: Vec<&str> = ended.stderr.lines().collect();
    let [line] = lines.as_slice() else { panic!("one line is expected: {ended:#?}") };
    assert!(line.starts_with(&format!("run {id}: ")) && line.contains("of 30 s measured in "), "{line}");
    assert!(line.contains("planned about "), "{line}");

    let json = sandbox.perf(["wait", &id, "--timeout=0", "--json"]).run();
    assert_eq!(json.status.code(), Some(75));
    let json = json.json();
    assert_eq!((&json["status"], &json["error"]), (&json!("in_progress"), &Value::Null));
    assert_eq!(json["next"]["argv"], json!(["cargo", "perf", "wait", id, "--timeout", "0s"]));
    assert_eq!(json["result"]["run"], json!(id));
    let events = sandbox.perf(["wait", &id, "--timeout=0", "--events"]).run().stderr;
    let event: Value = serde_json::from_str(&events).expect("one event");
    assert_eq!((&event["event"], &event["run"]), (&json!("detached"), &json!(id)));

    // Who stops waiting ends nothing but that.
    let mut waiting = sandbox.perf(["wait", &id]).start();
    waiting.says("of 30 s measured");
    waiting.signal(Signal::INT);
    waiting.end_within(SOON).assert_refused(130, "Ctrl-C", "cargo perf cancel");
    assert_eq!(sandbox.perf(["wait", &id, "--timeout=0"]).run().status.code(), Some(75));
    sandbox.perf(["cancel", &id]).succeeds();
}

fn cancel_ends_the_run_and_all_it_started() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let before = sandbox.snapshot();
    let id = detach(sandbox.long_baseline("v1", WELL, "30"));
    let forks = measures(&sandbox, &id);
    let ended = sandbox.perf(["cancel", &id]).succeeds();
    assert!(ended.stdout.starts_with(&format!("run {id} was ended: cargo perf baseline v1 ")), "{ended:#?}");
    let traces = forks.ancestors().nth(2).expect("a folder");
    assert!(ended.stdout.contains(&traces.display().to_string()), "{ended:#?}");
    assert_eq!(before, sandbox.snapshot(), "something was stored or left");
    let text = fs::read_to_string(&forks).expect("the forks are kept");
    assert!(text.ends_with('\n') && text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    let again = sandbox.perf(["cancel", &id]).succeeds();
    assert!(again.stdout.contains("had ended already, with exit code 143"), "{again:#?}");
    let json = sandbox.perf(["cancel", "--json"]).succeeds().json();
    assert_eq!((&json["result"]["run"], &json["result"]["ended"]), (&json!(id), &json!(false)));
    wait(&sandbox, &id).assert_refused(143, "ended by SIGTERM", "forks.jsonl");
    assert_free(&sandbox);
}

fn a_run_that_does_not_listen_is_killed() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let id = detach(sandbox.long_baseline("v1", "leaves_a_child", "30"));
    measures(&sandbox, &id);
    traces::signal(supervisor(&sandbox, &id), Signal::STOP);
    let ended = sandbox.perf(["cancel"]).succeeds();
    assert!(ended.stdout.contains("was killed, since it did not end"), "{ended:#?}");
    wait(&sandbox, &id).assert_refused(137, "", "");
    assert_free(&sandbox);
}

fn an_unknown_run_is_refused_with_the_one_that_is_known() {
    let sandbox = Sandbox::of("misbehaving");
    for command in ["wait", "cancel"] {
        sandbox.perf([command]).fails(2, "no detached run is known", "--detach");
        sandbox.perf([command, "x"]).fails(2, "there is no detached run x", &format!("cargo perf {command}"));
    }
    let folder = record(&sandbox, "20260101-000000-00000001");
    plant(&folder, 1, 1);
    for command in ["wait", "cancel"] {
        let known = format!("cargo perf {command} 20260101-000000-00000001");
        sandbox.perf([command, "../x"]).fails(2, "there is no detached run ../x", &known);
    }
    // A folder that others may write to is not believed.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(sandbox.state_home().join("cargo-perf"), open).expect("opened");
    sandbox.perf(["wait", "20260101-000000-00000001"]).fails(2, "there is no detached run", "--detach");
}

/// Ending it cannot be taken back.
fn a_run_of_another_project_is_cancelled_by_name_only() {
    let sandbox = Sandbox::of("misbehaving");
    // The record names this very test, as if it had been started elsewhere.
    let own = std::process::id();
    let stat = fs::read_to_string(format!("/proc/{own}/stat")).expect("a process");
    let behind = stat.rsplit_once(')').expect("a name").1;
    let start_time = behind.split_whitespace().nth(19).expect("a start time").parse().expect("a number");
    plant(&record(&sandbox, "20260101-000000-00000001"), own.cast_signed(), start_time);
    let named = "cargo perf cancel 20260101-000000-00000001";
    sandbox.perf(["cancel"]).fails(2, "no run was started here", named);
}

/// Writes the record of a run that a process did which had this id and start time.
fn plant(folder: &std::path::Path, pid: i32, start_time: u64) {
    fs::create_dir_all(folder).expect("the folder can be made");
    let run = json!({
        "id": folder.file_name().expect("a name").to_str(),
        "pid": pid, "start_time": start_time, "starting": false,
        "argv": ["cargo", "perf", "baseline"], "json": false, "cwd": "/", "root": "/",
        "started_at": "2026-01-01T00:00:00Z", "planned": {}, "traces": null,
    });
    File::create(folder.join("run.json"))
        .and_then(|file| Ok(serde_json::to_writer(file, &run)?))
        .expect("written");
}

fn of_several_runs_one_must_be_named() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let runs = ["v1", "v2"].map(|label| detach(sandbox.long_baseline(label, WELL, "30")));
    for command in ["wait", "cancel"] {
        let refused = sandbox.perf([command]).run();
        refused.assert_refused(2, "2 runs are going on", &format!("cargo perf {command} {}", runs[0]));
        assert!(refused.stderr.contains(&runs[1]), "{refused:#?}");
    }
    sandbox.perf(["cancel", &runs[0]]).run();
    // What is left is the only one.
    let ended = sandbox.perf(["cancel"]).succeeds();
    assert!(ended.stdout.starts_with(&format!("run {} was ended", runs[1])), "{ended:#?}");
}

fn a_killed_run_is_told_from_one_that_ended() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let id = detach(sandbox.long_baseline("v1", "leaves_a_child", "30"));
    let forks = measures(&sandbox, &id);
    traces::signal(supervisor(&sandbox, &id), Signal::KILL);
    let ended = wait(&sandbox, &id);
    ended.assert_refused(8, "it was killed", &record(&sandbox, &id).display().to_string());
    assert!(ended.stderr.contains(&forks.ancestors().nth(2).expect("a folder").display().to_string()));
    let cancelled = sandbox.perf(["cancel", &id]).run();
    assert_eq!(cancelled.status.code(), Some(0), "{cancelled:#?}");
    assert!(cancelled.stdout.contains("had ended already, without an answer"), "{cancelled:#?}");
    assert_free(&sandbox);
}

fn a_process_that_has_the_id_of_an_ended_run_by_now_is_left_alone() {
    let sandbox = Sandbox::of("misbehaving");
    let own = std::process::id().cast_signed();
    // The record names this very test, with the start time of another process.
    plant(&record(&sandbox, "20260101-000000-00000001"), own, 1);
    let waited = sandbox.perf(["wait", "20260101-000000-00000001"]).run();
    waited.assert_refused(8, "it was killed", "nothing was measured");
    let ended = sandbox.perf(["cancel", "20260101-000000-00000001"]).succeeds();
    assert!(ended.stdout.contains("had ended already"), "{ended:#?}");
}

fn a_detached_run_inside_a_measured_run_is_refused() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let id = detach(sandbox.long_baseline("v1", WELL, "30"));
    measures(&sandbox, &id);
    let inner = sandbox.baseline("inner", WELL).args(["--detach"]).env("CARGO_PERF_RUN", &id).run();
    inner.assert_refused(9, "inside the measured run", "call the benchmark itself");
    assert_eq!(records(&sandbox).len(), 1);
    sandbox.perf(["cancel"]).succeeds();
}

/// A tool that runs commands reads their pipes to the end, whatever number they have.
fn nothing_of_the_caller_stays_open() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let shell = "{ \"$@\" 2>&1 7>&1 8<Cargo.toml; } | cat";
    let words = ["baseline", "v1", "--filter=well_behaved", "--approve-short=a test", "--duration=30", NOISY];
    let perf = sandbox.perf_through(&["sh", "-c", shell, "sh"], words).args(["--detach"]);
    let ended = perf.start().end_within(Duration::from_secs(20));
    let id = id_in(&ended);
    let pid = supervisor(&sandbox, &id);
    let state = sandbox.state_home();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).expect("the run goes on").flatten() {
        let target = fs::read_link(entry.path()).unwrap_or_default();
        let number = entry.file_name().into_string().expect("a number");
        let expected = match number.as_str() {
            "0" => target.ends_with("dev/null"),
            "1" | "2" => target.starts_with(&state),
            _ => target != sandbox.path("Cargo.toml"),
        };
        assert!(expected, "{number} is {}", target.display());
    }
    assert_eq!(session(pid), Some(pid), "it is in the session of its caller");
    assert_eq!(traces::variable(pid, "CARGO_PERF_DETACHED"), Some(id.clone()));
    measures(&sandbox, &id);
    let processes = sandbox.processes();
    let (_, own) = processes.iter().find(|(other, _)| *other == pid).expect("the run goes on");
    // One that is about to become another program still is the run.
    for (other, command) in processes.iter().filter(|(_, command)| command != own) {
        assert_eq!(traces::variable(*other, "CARGO_PERF_DETACHED"), None, "{command}");
    }
    sandbox.perf(["cancel", &id]).succeeds();
}

/// What a shell that was killed has left.
struct Left {
    /// The run, when there is a record of one.
    id: Option<String>,
    /// Whether the program had been called when the shell was killed.
    called: bool,
    /// Whether that call had returned by then.
    returned: bool,
}

/// Starts the program with `--detach` from a shell that goes on, and kills it after `delay`.
fn killed_after(sandbox: &Sandbox, words: &[&str], delay: Duration, whole_group: bool) -> Left {
    let before = records(sandbox);
    let through = ["setsid", "sh", "-c", "\"$@\"; sleep 60", "sh"];
    let shell = sandbox.perf_through(&through, words).args(["--detach"]).start();
    let pid = shell.pid();
    eventually(SOON, "the shell leads a group", || session(pid) == Some(pid));
    std::thread::sleep(delay);
    let processes = sandbox.processes();
    let (calls, sleeps) = (|text: &str| text.contains("--detach"), |text: &str| text.starts_with("sleep 60"));
    let returned = processes.iter().any(|(_, command)| sleeps(command));
    let called = returned || processes.iter().any(|(other, command)| *other != pid && calls(command));
    if whole_group {
        kill_process_group(Pid::from_raw(pid).expect("a process id"), Signal::KILL).expect("it lives");
    } else {
        shell.signal(Signal::KILL);
    }
    shell.end_within(SOON);
    // Of a shell that was killed alone, program and sleep go on.
    for (pid, _) in sandbox.processes().into_iter().filter(|(_, command)| sleeps(command)) {
        traces::signal(pid, Signal::KILL);
    }
    let calling = || sandbox.processes().iter().any(|(_, command)| calls(command));
    eventually(Duration::from_secs(10), "the call has returned or is gone", || !calling());
    let new: Vec<PathBuf> = records(sandbox).difference(&before).cloned().collect();
    assert!(new.len() <= 1, "{new:?}");
    let named = new.first().filter(|folder| folder.join("run.json").is_file());
    let id = named.map(|folder| folder.file_name().expect("a name").to_str().expect("text").to_owned());
    Left { id, called, returned }
}

/// The session of a process.
fn session(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(3)?.parse().ok()
}

/// Waits for the run; its result is complete, or it never began. Returns which.
fn is_complete(sandbox: &Sandbox, label: &str, id: Option<&str>) -> bool {
    let stored = || sandbox.path(format!(".claude/perf/baselines/{label}.json")).is_file();
    let ended = id.map(|id| wait(sandbox, id));
    sandbox.assert_no_process_left();
    match ended {
        None => {
            assert!(!stored(), "a result that nobody announced");
            false
        }
        Some(ended) if ended.status.code() == Some(8) => {
            assert!(ended.stderr.contains("it was killed") && !stored(), "{ended:#?}");
            false
        }
        Some(ended) => {
            assert!(ended.status.code() == Some(0) && stored(), "{ended:#?}");
            assert!(ended.stdout.contains("\nstatus: complete\n"), "{ended:#?}");
            true
        }
    }
}

fn a_caller_that_is_killed_leaves_a_run_or_nothing() {
    let _machine = machine();
    let sandbox = Sandbox::bare();
    sandbox.write("perf.toml", "");
    let command = format!("--command={COMPUTES}");
    let mut survived = 0;
    for step in 0..8 {
        for whole_group in [false, true] {
            let label = format!("v{step}-{whole_group}");
            let words =
                ["baseline", &label, &command, "--shell", "--approve-short=a test", "--duration=0.1", NOISY];
            let delay = Duration::from_millis(120 * step);
            let left = killed_after(&sandbox, &words, delay, whole_group);
            let complete = is_complete(&sandbox, &label, left.id.as_deref());
            // The program itself is not hit when only its shell is.
            let must_go_on = left.returned || (left.called && !whole_group);
            assert!(complete || !must_go_on, "{label} came to nothing");
            survived += usize::from(complete);
        }
    }
    assert!(survived > 8, "of 16 runs only {survived} survived");
}

fn a_run_survives_its_caller_at_every_second() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let runs = run_folders();
    for (second, whole_group) in [(1, false), (2, true), (3, false), (4, true)] {
        let label = format!("v{second}");
        let words =
            ["baseline", &label, "--filter=well_behaved", "--approve-short=a test", "--duration=2", NOISY];
        let left = killed_after(&sandbox, &words, Duration::from_secs(second), whole_group);
        assert!(left.returned || second < 3, "the call takes longer than {second} s");
        let complete = is_complete(&sandbox, &label, left.id.as_deref());
        assert!(complete || !left.returned, "{label} came to nothing");
    }
    assert!(run_folders().difference(&runs).count() >= 2);
}
