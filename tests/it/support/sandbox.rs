//! A copy of a fixture with a git repository, alone in its folder.
//!
//! Cargo names packages by their path, so a copy in a new folder is compiled anew. Sandboxes therefore
//! live in a few folders that are used again, one test at a time; what a test changed is undone by the
//! next one. They lie outside the repository, whose own files would count for them otherwise.

#![expect(clippy::disallowed_methods, reason = "files of a sandbox need not survive a crash")]

use super::perf::Perf;
use super::traces::{self, MARKER, Snapshot};
use super::{repository, target_folder};
use cargo_util::Sha256;
use git2::{IndexAddOption, Repository, Signature};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, DirEntry, File};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The approval that a test gives which is not about noise: the machine may be as loud as it likes.
pub const NOISY: &str = "--accept-noise=a test";

/// A project to run the program in.
pub struct Sandbox {
    /// The project's folder.
    pub project: PathBuf,
    /// An empty folder beside it, for what a test needs outside of the project.
    pub aside: PathBuf,
    /// Where output goes.
    pub out: PathBuf,
    /// The value of [`MARKER`] in everything that is started here.
    pub marker: String,
    _claim: File,
}

impl Sandbox {
    /// A copy of the fixture, committed.
    pub fn of(fixture: &str) -> Self {
        let sandbox = Self::claim(fixture);
        mirror(&repository().join("fixtures").join(fixture), &sandbox.project);
        sandbox.commit_all();
        sandbox
    }

    /// An empty folder, not even a repository.
    pub fn bare() -> Self {
        let sandbox = Self::claim("bare");
        empty(&sandbox.project);
        sandbox
    }

    fn claim(fixture: &str) -> Self {
        static CLAIMS: AtomicU32 = AtomicU32::new(0);
        let pool = pool();
        // Before anything runs here.
        LazyLock::force(&EARLIER);
        for number in 0..64 {
            let folder = pool.join(format!("{fixture}-{number}"));
            fs::create_dir_all(&folder).expect("the folder can be made");
            let lock = File::create(folder.join("lock")).expect("the lock can be made");
            if lock.try_lock().is_err() {
                continue;
            }
            let claim = CLAIMS.fetch_add(1, Ordering::Relaxed);
            let sandbox = Self {
                project: folder.join("project"),
                aside: folder.join("aside"),
                out: folder.join("out"),
                marker: format!("{}-{claim}-{fixture}", std::process::id()),
                _claim: lock,
            };
            empty(&sandbox.aside);
            empty(&sandbox.out);
            return sandbox;
        }
        panic!("no sandbox is free for {fixture}");
    }

    /// The program with these arguments, in the project.
    pub fn perf<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Perf<'_> {
        Perf::new(self, &[], arguments)
    }

    /// The program with these arguments, started by the words before it.
    pub fn perf_through<S: AsRef<OsStr>>(
        &self,
        before: &[&str],
        arguments: impl IntoIterator<Item = S>,
    ) -> Perf<'_> {
        Perf::new(self, before, arguments)
    }

    /// `baseline` of the bench with this id, under `label`, approved to be as short as it can be.
    pub fn baseline(&self, label: &str, id: &str) -> Perf<'_> {
        let filter = format!("--filter={id}");
        self.perf(["baseline", label, &filter, "--approve-short", "a test", "--duration", "0.2", NOISY])
    }

    /// Like [`Sandbox::baseline`], for so many seconds that a test can act meanwhile.
    pub fn long_baseline(&self, label: &str, id: &str, seconds: &str) -> Perf<'_> {
        let filter = format!("--filter={id}");
        self.perf(["baseline", label, &filter, "--approve-short", "a test", "--duration", seconds, NOISY])
    }

    /// The path of a file of the project.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.project.join(path)
    }

    /// Writes a file of the project.
    pub fn write(&self, path: impl AsRef<Path>, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
        fs::write(path, text).expect("the file can be written");
    }

    /// The text of a file of the project.
    pub fn read(&self, path: impl AsRef<Path>) -> String {
        let path = self.path(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// A stored baseline as JSON.
    pub fn stored(&self, label: &str) -> serde_json::Value {
        let text = self.read(format!(".claude/perf/baselines/{label}.json"));
        serde_json::from_str(&text).expect("a baseline is JSON")
    }

    /// Where records of detached runs are kept, outside of what a snapshot holds.
    pub fn state_home(&self) -> PathBuf {
        self.out.join("state")
    }

    /// Hashes of all files of the project and beside it.
    pub fn snapshot(&self) -> [Snapshot; 2] {
        [traces::snapshot(&self.project), traces::snapshot(&self.aside)]
    }

    /// Processes started here that still live.
    pub fn processes(&self) -> Vec<(i32, String)> {
        traces::processes(MARKER, &self.marker)
    }

    /// Fails when something that was started here goes on running.
    pub fn assert_no_process_left(&self) {
        traces::eventually(traces::SOON, "all processes are gone", || self.processes().is_empty());
    }

    /// Makes the folder a repository if need be, and commits everything. Returns the commit.
    pub fn commit_all(&self) -> String {
        let repository = Repository::init(&self.project).expect("a repository");
        let mut index = repository.index().expect("an index");
        index.add_all(["*"], IndexAddOption::FORCE, None).expect("files can be added");
        index.write().expect("the index can be written");
        let tree = repository.find_tree(index.write_tree().expect("a tree")).expect("the tree exists");
        let author = Signature::now("A Test", "test@example.org").expect("a signature");
        let parent = repository.head().ok().and_then(|head| head.peel_to_commit().ok());
        let parents: Vec<_> = parent.iter().collect();
        let commit = repository.commit(Some("HEAD"), &author, &author, "a commit", &tree, &parents);
        commit.expect("a commit").to_string()
    }

    /// Paths that git shows as changed or new, the state folder's included.
    pub fn git_status(&self) -> BTreeSet<String> {
        let repository = Repository::open(&self.project).expect("a repository");
        let mut options = git2::StatusOptions::new();
        options.include_untracked(true).recurse_untracked_dirs(true);
        // Somebody's own configuration may ignore the state folder.
        options.include_ignored(true).recurse_ignored_dirs(true);
        let statuses = repository.statuses(Some(&mut options)).expect("a status");
        statuses.iter().map(|entry| entry.path().expect("a path of text").to_owned()).collect()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // After a failed test; the others have proved that there are none.
        for (pid, _) in self.processes() {
            traces::signal(pid, Signal::KILL);
        }
    }
}

/// The folders of the run folders of all sandboxes.
pub fn run_folders() -> BTreeSet<PathBuf> {
    let Ok(entries) = fs::read_dir(target_folder().join("perf/runs")) else { return BTreeSet::new() };
    entries.map(|entry| entry.expect("the folder can be read").path()).collect()
}

/// What tests that ran before this one have left.
static EARLIER: LazyLock<BTreeSet<PathBuf>> = LazyLock::new(run_folders);

/// The run folder that the process `pid` has made.
pub fn run_folder_of(pid: i32) -> Option<PathBuf> {
    let ending = format!("-{pid:08x}");
    // Process ids come again: those of earlier tests are not meant, and of the others the newest is.
    let is_it = |folder: &PathBuf| folder.to_string_lossy().ends_with(&ending) && !EARLIER.contains(folder);
    run_folders().into_iter().rfind(is_it)
}

/// Where checkouts go: outside of every repository.
pub fn cache() -> PathBuf {
    pool().join("cache")
}

/// What sandboxes depend on is compiled in a third of the time when nobody optimises it, and is not what is
/// measured in them.
const QUICKLY: &str = "[profile.release.package.\"*\"]\nopt-level = 0\n";

fn pool() -> &'static Path {
    static POOL: LazyLock<PathBuf> = LazyLock::new(|| {
        let mine = format!("{}-{}", rustix::process::getuid().as_raw(), target_folder().display());
        let hash = Sha256::new().update(mine.as_bytes()).finish_hex();
        let pool = std::env::temp_dir().join(format!("cargo-perf-tests-{}", &hash[..8]));
        fs::create_dir_all(pool.join(".cargo")).expect("the folder can be made");
        fs::write(pool.join(".cargo/config.toml"), QUICKLY).expect("the file can be written");
        pool
    });
    &POOL
}

fn empty(folder: &Path) {
    if folder.exists() {
        fs::remove_dir_all(folder).expect("the folder can be removed");
    }
    fs::create_dir_all(folder).expect("the folder can be made");
}

/// Makes `to` equal to `from`, and leaves the files alone that already are.
pub fn mirror(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the folder can be made");
    // Somebody may have built the fixture in its place.
    let wanted = |entry: &DirEntry| entry.file_name() != "target";
    for entry in fs::read_dir(to).expect("the folder can be read").flatten() {
        let path = entry.path();
        let original = from.join(entry.file_name());
        if path.is_dir() && !(original.is_dir() && wanted(&entry)) {
            fs::remove_dir_all(&path).expect("a folder can be removed");
        } else if path.is_file() && !original.is_file() {
            fs::remove_file(&path).expect("a file can be removed");
        }
    }
    for entry in fs::read_dir(from).expect("the fixture exists").flatten().filter(wanted) {
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            mirror(&path, &copy);
        } else if fs::read(&copy).ok() != Some(fs::read(&path).expect("the fixture can be read")) {
            fs::copy(&path, &copy).expect("a file can be copied");
        }
    }
}
