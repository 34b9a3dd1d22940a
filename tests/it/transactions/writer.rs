//! The processes that tests of transactions start and kill: this test program itself, as a writer.

#![expect(clippy::disallowed_methods, reason = "this program is started here, and what it reads is prepared")]

use crate::support::perf::clean;
use cargo_perf_lab::failure::{Failure, FailureKind};
use cargo_perf_lab::store::transaction::{Change, Guard, peek};
use cargo_perf_lab::sys::{fault, files};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::time::{Duration, Instant};

/// Holds the job of a writer, which gets the state folder as its one argument.
pub const VARIABLE: &str = "CARGO_PERF_TEST_WRITER";

/// The state file, the log and the baseline that change together.
pub const FILES: [&str; 3] = ["investigation.json", "investigations/a.md", "baselines/v1.json"];
const PATIENCE: Duration = Duration::from_secs(60);
/// The bytes that a job asks for which is to fill a disk of 64 KiB.
const TOO_MANY: usize = 256 * 1024;

/// What each of [`FILES`] holds in a version; none where the version has no such file.
pub fn contents(version: &str) -> Vec<Option<Vec<u8>>> {
    let binary = [&[0, 159, 146, 150, 255], version.as_bytes()].concat();
    match version {
        "nothing" => vec![None; FILES.len()],
        "without baseline" => vec![Some(b"{}\n".to_vec()), Some(b"# Log\n\nremoved\n".to_vec()), None],
        _ => vec![
            Some(format!("{{\"version\": \"{version} \\u00fc\"}}\n").into_bytes()),
            Some(format!("# Log\n\n{}\n", version.repeat(300)).into_bytes()),
            Some(binary),
        ],
    }
}

/// The change that leads to a version.
pub fn change(version: &str) -> Change {
    FILES.iter().zip(contents(version)).fold(Change::new(), |change, (name, content)| match content {
        Some(bytes) => change.write(*name, bytes),
        None => change.remove(*name),
    })
}

/// Puts a version in its place by other means than a transaction.
pub fn place(folder: &Path, version: &str) {
    for (name, content) in FILES.iter().zip(contents(version)) {
        let path = folder.join(name);
        if let Some(bytes) = content {
            fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
            fs::write(path, bytes).expect("the file can be written");
        }
    }
}

/// A process that does `job` in `folder`, not started yet.
pub fn writer(folder: &Path, job: &str) -> Command {
    writer_through(&[], folder, job)
}

/// Like [`writer`], behind the words that start it.
pub fn writer_through(before: &[&str], folder: &Path, job: &str) -> Command {
    let program = std::env::current_exe().expect("this program has a path");
    let mut words = before.iter().map(OsStr::new).chain([program.as_os_str()]);
    let mut command = Command::new(words.next().expect("there is the program"));
    command.args(words).arg(folder);
    clean(&mut command);
    command.env(VARIABLE, job).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// Starts it, to be killed at the point of this number.
pub fn killed_at(mut command: Command, point: usize) -> Output {
    end(command.env(fault::AT_VARIABLE, point.to_string()).spawn().expect("the writer can be started"))
}

/// Starts it, and waits for its end.
pub fn run(mut command: Command) -> Output {
    end(command.spawn().expect("the writer can be started"))
}

/// Waits for its end; one that hangs fails the test.
pub fn end(mut child: Child) -> Output {
    let started = Instant::now();
    while child.try_wait().expect("it can be waited for").is_none() {
        if started.elapsed() > 2 * PATIENCE {
            child.kill().expect("it can be killed");
            panic!("it does not end: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    child.wait_with_output().expect("its output can be read")
}

/// Whether SIGKILL ended it; else it must have succeeded.
pub fn was_killed(ended: &Output) -> bool {
    let killed = ended.status.signal() == Some(libc::SIGKILL);
    assert!(killed || ended.status.success(), "{ended:?}");
    killed
}

/// The points that it reaches when it is not killed.
pub fn points(mut command: Command) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("points");
    let ended = run({
        command.env(fault::LOG_VARIABLE, &log);
        command
    });
    assert!(!was_killed(&ended));
    fs::read_to_string(log).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Does `job` in the folder that is the first argument; the exit code is that of the failure.
pub fn main(job: &str) -> ExitCode {
    let folder = std::env::args_os().nth(1).expect("a folder");
    match work(Path::new(&folder), job) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let hint = failure.hint.unwrap_or_default();
            writeln!(std::io::stderr(), "{}; {hint}", failure.message).expect("standard error is open");
            ExitCode::from(failure.kind.exit_code())
        }
    }
}

fn work(folder: &Path, job: &str) -> Result<(), Failure> {
    match job.split_once(' ').unwrap_or((job, "")) {
        ("change", version) => Guard::take(folder, PATIENCE)?.apply(change(version)),
        ("repair", _) => Guard::take(folder, PATIENCE).map(drop),
        ("count", name) => (0..20).try_for_each(|_| count(folder, name)),
        ("alternate", _) => loop {
            let guard = Guard::take(folder, PATIENCE)?;
            guard.apply(change("new"))?;
            guard.apply(change("without baseline"))?;
        },
        ("fill", _) => fill(folder),
        ("replace", _) => files::write_atomic(&folder.join(FILES[0]), b"replaced"),
        ("refused", _) => {
            let guard = Guard::take(folder, PATIENCE)?;
            let refused =
                [change("new"), Change::new().write(FILES[0], vec![1]), Change::new().remove(FILES[0])];
            for change in refused {
                expect_environment(guard.apply(change));
            }
            Ok(())
        }
        _ => panic!("no such job: {job}"),
    }
}

/// Adds one to the count in the state file, and a line to the log, in one change.
fn count(folder: &Path, name: &str) -> Result<(), Failure> {
    let guard = Guard::take(folder, PATIENCE)?;
    let state = guard.read(FILES[0])?.unwrap_or_else(|| b"{\"count\": 0}".to_vec());
    let state: Value = serde_json::from_slice(&state).expect("JSON");
    let count = state["count"].as_u64().expect("a count") + 1;
    let mut log = guard.read(FILES[1])?.unwrap_or_default();
    log.extend(format!("{count} by {name}\n").bytes());
    let state = json!({"count": count}).to_string().into_bytes();
    guard.apply(Change::new().write(FILES[0], state).write(FILES[1], log))
}

/// Changes of all sizes, of which the larger ones find the disk full at one step or another.
fn fill(folder: &Path) -> Result<(), Failure> {
    let guard = Guard::take(folder, PATIENCE)?;
    guard.apply(change("old"))?;
    let before = super::tree(folder);
    let (mut made, mut refused) = (0, 0);
    for size in (1..TOO_MANY).step_by(2_000) {
        let larger = change("new").write(FILES[1], vec![b'x'; size]);
        let alone = Change::new().write(FILES[1], vec![b'x'; size]);
        for change in [larger, alone] {
            match guard.apply(change) {
                Ok(()) => {
                    made += 1;
                    place(folder, "old");
                }
                Err(failure) => {
                    refused += 1;
                    expect_environment(Err(failure));
                }
            }
            assert_eq!(super::tree(folder), before, "{size} bytes have left a trace");
            assert_eq!(peek(folder, FILES[0])?, contents("old")[0]);
        }
    }
    assert!(made > 10 && refused > 10, "{made} made, {refused} refused");
    Ok(())
}

fn expect_environment(result: Result<(), Failure>) {
    let failure = result.expect_err("the disk cannot be written");
    assert_eq!(failure.kind, FailureKind::Environment, "{failure}");
    assert!(failure.hint.as_ref().is_some_and(|hint| hint.contains("--state-dir")), "{failure:?}");
}
