//! The records of detached runs: a folder for each, outside of any project, for this user alone.
//!
//! `run.json` says what was started, `stdout` and `stderr` hold what it printed, and `ended.json`, which
//! the run writes as its very last act, how it ended.

use super::layout::Environment;
use crate::failure::{Context, Failure, FailureKind};
use crate::sys::{clock, files, tree};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// Bytes at the end of standard error that an answer repeats.
const TAIL: u64 = 8 * 1024;
/// Seconds for which a run counts as running whose starter is gone: it may just be starting.
const STARTING_S: f64 = 5.0;

/// What was started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its name, which sorts by time.
    pub id: String,
    /// The process that does the work; while the run is starting, the one that starts it.
    pub pid: i32,
    /// Start time of that process, in clock ticks since boot.
    pub start_time: u64,
    /// Whether the process that does the work has yet to write itself down.
    pub starting: bool,
    /// The command, as one would type it.
    pub argv: Vec<String>,
    /// Whether its answer is one JSON object.
    pub json: bool,
    /// Its working directory.
    pub cwd: String,
    /// The root of the project.
    pub root: String,
    /// When it was started, RFC 3339.
    pub started_at: String,
    /// What was expected of it then.
    pub planned: Planned,
    /// Where it keeps what it measures, once it measures.
    pub traces: Option<String>,
}

/// How long a run is expected to take, as far as that can be told before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// Time that the samples of each benchmark must sum to, in seconds.
    pub measured_s: Option<f64>,
    /// Wall time of each benchmark without building it, in seconds.
    pub wall_s: Option<f64>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Its exit code.
    pub exit_code: u8,
    /// When, RFC 3339.
    pub ended_at: String,
    /// Why it ended early, when it did.
    pub message: Option<String>,
    /// What helps.
    pub hint: Option<String>,
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Its process lives.
    Running,
    /// It has said how it ended.
    Ended(Ended),
    /// Its process is gone and has not said how: it was killed, or the machine restarted.
    Lost,
}

/// The record of one run.
#[derive(Debug, Clone)]
pub struct Record {
    folder: PathBuf,
    /// What was started.
    pub run: Run,
}

impl Ended {
    /// An end with this exit code now, for the reason that `failure` gives.
    pub fn now(exit_code: u8, failure: Option<&Failure>) -> Self {
        Self {
            exit_code,
            ended_at: clock::now_rfc3339(),
            message: failure.map(|failure| failure.message.clone()),
            hint: failure.and_then(|failure| failure.hint.clone()),
        }
    }

    /// Why it ended early, when it did.
    pub fn failure(&self) -> Option<Failure> {
        let kind = FailureKind::of_exit_code(self.exit_code)?;
        let message =
            self.message.clone().unwrap_or_else(|| format!("it ended with exit code {}", self.exit_code));
        let failure = Failure::new(kind, message);
        Some(match &self.hint {
            Some(hint) => failure.hint(hint.clone()),
            None => failure,
        })
    }
}

impl Record {
    /// Makes a record in the first folder where that can be done, and forgets old ones.
    ///
    /// # Errors
    /// `Environment` when it can be made nowhere.
    pub fn create(run: &Run, environment: &dyn Environment) -> Result<Self, Failure> {
        forget_old(environment);
        let mut reasons = Vec::new();
        for place in places(environment) {
            let folder = place.join("runs").join(&run.id);
            let record = Self { folder: folder.clone(), run: run.clone() };
            let made = files::make_private(&place).and_then(|()| files::make_private(&folder));
            match made.and_then(|()| record.save()) {
                Ok(()) => return Ok(record),
                Err(failure) => reasons.push(failure.message),
            }
        }
        Err(Failure::environment(format!("a detached run cannot be recorded: {}", reasons.join("; ")))
            .hint("name a folder of your own in XDG_STATE_HOME"))
    }

    /// Stores what is known of the run.
    ///
    /// # Errors
    /// `Environment` when it cannot be written.
    pub fn save(&self) -> Result<(), Failure> {
        self.write("run.json", &self.run)
    }

    /// Stores how it ended.
    ///
    /// # Errors
    /// `Environment` when it cannot be written.
    pub fn end(&self, ended: &Ended) -> Result<(), Failure> {
        self.write("ended.json", ended)
    }

    /// Removes it. What cannot be removed is forgotten some day.
    pub fn forget(&self) {
        let _ = fs::remove_dir_all(&self.folder);
    }

    /// The record as it is stored now.
    pub fn reloaded(&self) -> Option<Self> {
        load(&self.folder)
    }

    /// Where the run stands.
    pub fn state(&self) -> State {
        let ended = || serde_json::from_slice(&fs::read(self.folder.join("ended.json")).ok()?).ok();
        if let Some(ended) = ended() {
            return State::Ended(ended);
        }
        // The process may be another one by now than when this record was read.
        let now = self.reloaded().map_or_else(|| self.run.clone(), |record| record.run);
        let may_start = now.starting && self.elapsed_s() < STARTING_S;
        if may_start || tree::lives(now.pid, now.start_time) {
            return State::Running;
        }
        // It may have ended between the two looks.
        ended().map_or(State::Lost, State::Ended)
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of its standard output.
    pub fn stdout(&self) -> PathBuf {
        self.folder.join("stdout")
    }

    /// The file of its standard error.
    pub fn stderr(&self) -> PathBuf {
        self.folder.join("stderr")
    }

    /// All it has printed to standard output.
    pub fn printed(&self) -> String {
        files::tail(&self.stdout(), u64::MAX)
    }

    /// The end of what it has written to standard error.
    pub fn reported(&self) -> String {
        files::tail(&self.stderr(), TAIL)
    }

    /// The last line of that.
    pub fn said(&self) -> Option<String> {
        let reported = self.reported();
        let mut lines = reported.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.next_back().map(str::to_owned)
    }

    /// Seconds since it was started.
    pub fn elapsed_s(&self) -> f64 {
        clock::seconds_since(&self.run.started_at).unwrap_or_default()
    }

    fn write(&self, name: &str, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(value)
            .context(FailureKind::Bug, || format!("{name} cannot be written"))?;
        files::write_atomic(&self.folder.join(name), &text)
    }
}

/// All records of this user, the oldest first.
pub fn all(environment: &dyn Environment) -> Vec<Record> {
    let mut records: Vec<Record> = folders(environment).iter().filter_map(|folder| load(folder)).collect();
    records.sort_by(|one, other| one.run.id.cmp(&other.run.id));
    records
}

/// The folders of all records, those included that were never finished.
fn folders(environment: &dyn Environment) -> Vec<PathBuf> {
    let places = places(environment).into_iter().filter(|place| files::is_private(place));
    let entries = places.filter_map(|place| fs::read_dir(place.join("runs")).ok()).flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// The record with this id.
pub fn find(id: &str, environment: &dyn Environment) -> Option<Record> {
    all(environment).into_iter().find(|record| record.run.id == id)
}

fn load(folder: &Path) -> Option<Record> {
    let run: Run = serde_json::from_slice(&fs::read(folder.join("run.json")).ok()?).ok()?;
    // What is named otherwise is a copy, and no record.
    (folder.file_name()?.to_str()? == run.id).then(|| Record { folder: folder.to_path_buf(), run })
}

fn forget_old(environment: &dyn Environment) {
    for folder in folders(environment) {
        // The folder changes for the last time when the run ends.
        let changed = fs::metadata(&folder).and_then(|data| data.modified());
        let old = changed.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > files::UNUSED));
        let runs = || load(&folder).is_some_and(|record| record.state() == State::Running);
        if old && !runs() {
            // What cannot be removed is forgotten another time.
            let _ = fs::remove_dir_all(&folder);
        }
    }
}

/// The folders where records may be, the one that is used first.
fn places(environment: &dyn Environment) -> Vec<PathBuf> {
    let variable =
        |name: &str| environment.variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = variable("XDG_STATE_HOME").or_else(|| Some(variable("HOME")?.join(".local/state")));
    let uid = rustix::process::getuid().as_raw();
    // A home that is missing or closed to writing keeps nobody from detaching.
    let temporary = Path::new("/tmp").join(format!("cargo-perf-{uid}"));
    state.map(|folder| folder.join("cargo-perf")).into_iter().chain([temporary]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    struct Home(Vec<(&'static str, String)>);

    impl Environment for Home {
        fn variable(&self, name: &str) -> Option<String> {
            self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
        }
    }

    fn home(folder: &Path) -> Home {
        Home(vec![("XDG_STATE_HOME", folder.display().to_string())])
    }

    fn run(id: &str) -> Run {
        let pid = std::process::id().cast_signed();
        Run {
            id: id.into(),
            pid,
            start_time: tree::start_time(pid).expect("this process lives"),
            starting: true,
            argv: vec!["cargo".into(), "perf".into()],
            json: false,
            cwd: "/p".into(),
            root: "/p".into(),
            started_at: clock::now_rfc3339(),
            planned: Planned::default(),
            traces: None,
        }
    }

    #[test]
    fn records_go_where_the_environment_says() {
        let home = |pairs: &[(&'static str, &str)]| {
            places(&Home(pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()))
        };
        let both = home(&[("XDG_STATE_HOME", "/state"), ("HOME", "/h")]);
        assert_eq!(both[0], Path::new("/state/cargo-perf"));
        assert_eq!(home(&[("HOME", "/h")])[0], Path::new("/h/.local/state/cargo-perf"));
        // The standard says that a relative path counts for nothing.
        assert_eq!(home(&[("XDG_STATE_HOME", "state"), ("HOME", "/h")]), home(&[("HOME", "/h")]));
        assert_eq!(home(&[]).len(), 1);
        assert!(home(&[])[0].starts_with("/tmp"));
    }

    #[test]
    fn a_run_is_running_ended_or_lost() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = home(folder.path());
        let record = Record::create(&run("20260101-000000-1"), &home).expect("made");
        assert_eq!(record.state(), State::Running);
        let mut gone = record.clone();
        gone.run.start_time += 1;
        gone.save().expect("saved");
        // Somebody killed the starter, and the run itself may come a moment later.
        assert_eq!(record.state(), State::Running);
        gone.run.starting = false;
        gone.save().expect("saved");
        assert_eq!(record.state(), State::Lost);
        let ended = Ended::now(7, Some(&Failure::benchmark("it panicked")));
        record.end(&ended).expect("ended");
        assert_eq!(record.state(), State::Ended(ended.clone()));
        let failure = ended.failure().expect("it failed");
        assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Benchmark, "it panicked"));
        assert!(Ended::now(0, None).failure().is_none());
    }

    #[test]
    fn records_are_listed_by_time_and_old_ones_forgotten() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = home(folder.path());
        for id in ["2", "3", "1"] {
            Record::create(&run(id), &home).expect("made");
        }
        let ids = || all(&home).into_iter().map(|record| record.run.id).collect::<Vec<_>>();
        assert_eq!(ids(), ["1", "2", "3"]);
        assert!(find("../1", &home).is_none());
        for id in ["1", "2"] {
            let record = find(id, &home).expect("there");
            let old = SystemTime::now() - files::UNUSED * 2;
            if id == "1" {
                record.end(&Ended::now(0, None)).expect("ended");
            }
            fs::File::open(record.folder())
                .and_then(|folder| folder.set_modified(old))
                .expect("a time is set");
        }
        Record::create(&run("4"), &home).expect("made");
        // The second is old and still runs.
        assert_eq!(ids(), ["2", "3", "4"]);
    }

    #[test]
    fn a_closed_home_keeps_nobody_from_detaching() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let taken = folder.path().join("taken");
        fs::File::create(&taken).expect("made");
        let home = home(&taken);
        let record = Record::create(&run("00000000-000000-test"), &home).expect("made elsewhere");
        assert!(record.folder().starts_with("/tmp"));
        assert!(find("00000000-000000-test", &home).is_some());
        record.forget();
    }
}
