//! The fixture `external-cases`: commands that are benchmarks, measured and refused.

use super::perf::{Ended, Perf};
use super::sandbox::{NOISY, Sandbox};
use super::traces::{self, Snapshot};
use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

/// A short measurement for a duration, whatever else the machine does, with its result as JSON.
pub const SHORT: [&str; 4] = ["--approve-short=a test", "--duration=0.3", NOISY, "--json"];

/// The command that runs a case, as one types it. No word may hold a single quote.
pub fn command(words: &[&str]) -> String {
    words.iter().fold("./case.sh".to_owned(), |line, word| format!("{line} '{word}'"))
}

impl Sandbox {
    /// `baseline v1` of the case that these words choose.
    pub fn case(&self, words: &[&str]) -> Perf<'_> {
        self.perf(["baseline", "v1", "--command", &command(words)])
    }

    /// A file for traces of runs, outside of what must not change when a command is refused.
    pub fn traces_of_runs(&self) -> PathBuf {
        self.out.join("runs")
    }

    /// A folder with links to these programs and no others, to stand for `PATH`.
    pub fn programs(&self, names: &[&str]) -> PathBuf {
        let folder = self.out.join("bin");
        fs::create_dir_all(&folder).expect("the folder can be made");
        let path = env::var_os("PATH").expect("there is a path");
        for name in names {
            let mut places = env::split_paths(&path).map(|place| place.join(name));
            let found = places.find(|file| file.is_file()).unwrap_or_else(|| panic!("there is no {name}"));
            symlink(found, folder.join(name)).expect("a link can be made");
        }
        folder
    }

    /// How often a case that leaves a line per run was started.
    pub fn runs(&self) -> usize {
        fs::read_to_string(self.traces_of_runs()).map_or(0, |text| text.matches("run\n").count())
    }
}

/// Runs it and expects that it is refused, that what is stored stays as it was, and that nothing runs on.
/// Output of failed runs may be kept below `target/`.
pub fn refused(sandbox: &Sandbox, perf: Perf<'_>, code: i32, cause: &str, remedy: &str) -> Ended {
    let unchanged = Unchanged::of(sandbox);
    let ended = perf.run();
    ended.assert_refused(code, cause, remedy);
    unchanged.expect(&ended);
    ended
}

/// What is stored before a command that may be refused.
pub struct Unchanged<'a> {
    sandbox: &'a Sandbox,
    before: Snapshot,
}

impl<'a> Unchanged<'a> {
    pub fn of(sandbox: &'a Sandbox) -> Self {
        Self { sandbox, before: stored(sandbox) }
    }

    /// Expects that all of it is as it was when the command has ended, and that nothing runs on.
    pub fn expect(&self, ended: &Ended) {
        let changed = traces::differences(&self.before, &stored(self.sandbox));
        assert!(changed.is_empty(), "files have changed: {changed:?}; {ended:#?}");
        self.sandbox.assert_no_process_left();
    }
}

fn stored(sandbox: &Sandbox) -> Snapshot {
    let mut files = traces::snapshot(&sandbox.project);
    files.retain(|path, _| !path.starts_with("target"));
    files
}
