//! One run of the program: started in a clean environment, with a deadline, its output in files.

#![expect(clippy::disallowed_methods, reason = "the program under test is started here")]

use super::sandbox::{self, Sandbox, run_folder_of};
use super::target_folder;
use super::traces::{self, MARKER};
use rustix::process::Signal;
use serde_json::Value;
use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Long enough to compile criterion on a slow machine, and to wait for others who measure on it.
const PATIENCE: Duration = Duration::from_secs(900);
const POLL: Duration = Duration::from_millis(10);

/// The variables of these families that a run may inherit; all others would change what it does.
const KEPT: [&str; 4] = ["CARGO", "CARGO_HOME", "CARGO_BUILD_JOBS", "CARGO_NET_OFFLINE"];
const FAMILIES: [&str; 6] = ["CARGO", "OPENCODE_", "CODEX_", "CRITERION_", "GIT_", "FIXTURE_"];
const REMOVED: [&str; 6] =
    ["AI_STATE_DIR", "RUSTFLAGS", "RUST_BACKTRACE", "RUST_LOG", "CLICOLOR_FORCE", "CUSTOM_MAIN_RAN"];

/// A run that is being prepared.
pub struct Perf<'s> {
    sandbox: &'s Sandbox,
    command: Command,
    stderr: Option<Stdio>,
}

/// A run that has been started.
pub struct Running<'s> {
    sandbox: &'s Sandbox,
    child: Child,
    started: Instant,
    out: [PathBuf; 2],
}

/// A run that has ended.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error, empty when that went elsewhere.
    pub stderr: String,
    /// From start to end.
    pub wall: Duration,
    /// The largest resident set it was seen with, in bytes.
    pub peak_memory: u64,
}

impl<'s> Perf<'s> {
    /// The program in the project of `sandbox`, as the last of the words `before`.
    pub fn new<S: AsRef<OsStr>>(
        sandbox: &'s Sandbox,
        before: &[&str],
        arguments: impl IntoIterator<Item = S>,
    ) -> Self {
        let program = env!("CARGO_BIN_EXE_cargo-perf");
        let mut words = before.iter().copied().chain([program]);
        let mut command = Command::new(words.next().expect("there is the program"));
        command.args(words).args(arguments).current_dir(&sandbox.project).stdin(Stdio::null());
        clean(&mut command);
        command.env("CARGO_TARGET_DIR", target_folder()).env(MARKER, &sandbox.marker);
        command.env("XDG_STATE_HOME", sandbox.state_home());
        // Checkouts of both sides, kept from test to test as a user's are.
        command.env("XDG_CACHE_HOME", sandbox::cache());
        // What a killed run leaves goes with the sandbox.
        let temporary = sandbox.out.join("tmp");
        fs::create_dir_all(&temporary).expect("the folder can be made");
        command.env("TMPDIR", temporary);
        Self { sandbox, command, stderr: None }
    }

    /// With more arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.command.args(arguments);
        self
    }

    /// With a variable set.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// With a variable unset.
    pub fn env_remove(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// In another folder.
    pub fn cwd(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// With a target folder of its own, in which a build would leave files.
    pub fn unbuilt(self) -> Self {
        let folder = self.sandbox.aside.join("unbuilt");
        self.env("CARGO_TARGET_DIR", folder)
    }

    /// With somebody to answer.
    pub fn stdin(mut self, stdin: Stdio) -> Self {
        self.command.stdin(stdin);
        self
    }

    /// With standard error elsewhere.
    pub fn stderr(mut self, stderr: Stdio) -> Self {
        self.stderr = Some(stderr);
        self
    }

    /// Starts it.
    pub fn start(mut self) -> Running<'s> {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        let out = ["stdout", "stderr"].map(|name| self.sandbox.out.join(format!("{run}.{name}")));
        let [stdout, stderr] = out.each_ref().map(|path| File::create(path).expect("a file for output"));
        self.command.stdout(stdout).stderr(self.stderr.take().unwrap_or(Stdio::from(stderr)));
        forget_ignored_signals(&mut self.command);
        let started = Instant::now();
        let child = self.command.spawn().expect("the program can be started");
        Running { sandbox: self.sandbox, child, started, out }
    }

    /// Runs it to its end.
    pub fn run(self) -> Ended {
        self.start().end()
    }

    /// Runs it and expects success.
    pub fn succeeds(self) -> Ended {
        let sandbox = self.sandbox;
        let ended = self.run();
        assert_eq!(ended.status.code(), Some(0), "it should succeed: {ended:#?}");
        sandbox.assert_no_process_left();
        ended
    }

    /// Runs it and expects that it is refused, and that nothing has changed by that.
    pub fn fails(self, code: i32, cause: &str, flag: &str) -> Ended {
        let sandbox = self.sandbox;
        let before = sandbox.snapshot();
        let ended = self.run();
        ended.assert_refused(code, cause, flag);
        for (before, after) in before.iter().zip(&sandbox.snapshot()) {
            let changed = traces::differences(before, after);
            assert!(changed.is_empty(), "files have changed: {changed:?}; {ended:#?}");
        }
        sandbox.assert_no_process_left();
        ended
    }
}

impl Running<'_> {
    /// Its process id.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a process id")
    }

    /// What it has written to standard error so far.
    pub fn stderr_so_far(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.out[1]).expect("the file is there")).into_owned()
    }

    /// Waits until it has written `text` to standard error.
    pub fn says(&mut self, text: &str) {
        let err = self.out[1].clone();
        self.until(text, || fs::read(&err).is_ok_and(|said| String::from_utf8_lossy(&said).contains(text)));
    }

    /// Waits until a fork has been measured, and returns the record of forks.
    pub fn measures(&mut self) -> PathBuf {
        self.keeps("bench-1/forks.jsonl")
    }

    /// Waits until something is kept in `record` of the folder of its run, and returns the file.
    pub fn keeps(&mut self, record: &str) -> PathBuf {
        let pid = self.pid();
        let file = || Some(run_folder_of(pid)?.join(record)).filter(|file| file.is_file());
        self.until(record, || file().is_some());
        file().expect("seen above")
    }

    fn until(&mut self, what: &str, mut done: impl FnMut() -> bool) {
        let started = Instant::now();
        while !done() {
            let over = self.child.try_wait().expect("it can be waited for").is_some();
            let late = started.elapsed() > PATIENCE;
            assert!(!over && !late, "there never was {what:?}: {}", self.stderr_so_far());
            std::thread::sleep(POLL);
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        traces::signal(self.pid(), signal);
    }

    /// Waits for its end.
    pub fn end(self) -> Ended {
        self.end_within(PATIENCE)
    }

    /// Waits for its end, for at most `limit` from now.
    pub fn end_within(mut self, limit: Duration) -> Ended {
        let asked = Instant::now();
        let mut peak_memory = 0;
        let status = loop {
            peak_memory = peak_memory.max(traces::peak_memory(self.pid()).unwrap_or_default());
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                break status;
            }
            assert!(
                asked.elapsed() < limit,
                "it does not end: {} {:?}",
                self.stderr_so_far(),
                self.sandbox.processes()
            );
            std::thread::sleep(POLL);
        };
        let [stdout, stderr] = self.out.each_ref().map(|path| fs::read(path).expect("the output is there"));
        let stdout = String::from_utf8(stdout).expect("standard output is UTF-8");
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        Ended { status, stdout, stderr, wall: self.started.elapsed(), peak_memory }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // A test that fails meanwhile must not leave it; once it was waited for, this does nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Whether it ended with `code`, and says why on standard error and what helps.
    pub fn assert_refused(&self, code: i32, cause: &str, flag: &str) {
        assert_eq!(self.status.code(), Some(code), "another exit code was expected: {self:#?}");
        assert!(self.stderr.contains(cause), "the cause {cause:?} is not named: {self:#?}");
        assert!(self.stderr.contains(flag), "{flag:?}, which would help, is not named: {self:#?}");
        assert!(!self.stderr.contains("panicked at"), "it shows a panic: {self:#?}");
    }

    /// The one JSON object on standard output.
    pub fn json(&self) -> Value {
        let value: Value = serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("standard output is not one JSON value ({error}): {self:#?}"));
        assert!(value.is_object(), "not an object: {value}");
        value
    }

    /// The signal that killed it.
    pub fn killed_by(&self) -> Option<i32> {
        self.status.signal()
    }

    /// The ids of `result.benches`.
    pub fn ids(&self) -> Vec<String> {
        let result = &self.json()["result"];
        let benches = result["benches"].as_array().unwrap_or_else(|| panic!("no benches: {self:#?}"));
        benches.iter().map(|bench| bench["id"].as_str().expect("an id").to_owned()).collect()
    }
}

/// Leaves of the inherited environment what a user's shell would have.
pub fn clean(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        let of_family = FAMILIES.iter().any(|family| text.starts_with(family));
        if (of_family && !KEPT.contains(&text)) || REMOVED.contains(&text) {
            command.env_remove(&name);
        }
    }
    command.env("NO_COLOR", "1");
}

/// The tests themselves may run under `nohup` or as a job in the background, where these signals are
/// ignored, and the program would rightly go on ignoring them.
#[expect(unsafe_code, reason = "code between fork and exec is unsafe to install")]
fn forget_ignored_signals(command: &mut Command) {
    let reset = || {
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            // SAFETY: signal with SIG_DFL installs no handler and is async-signal-safe.
            if unsafe { libc::signal(signal, libc::SIG_DFL) } == libc::SIG_ERR {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    };
    // SAFETY: the closure calls only signal(2), allocates nothing and takes no lock.
    unsafe { command.pre_exec(reset) };
}
