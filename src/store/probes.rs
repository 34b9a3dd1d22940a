//! The probes of a search on disk: a line for each, on disk before the next one starts, and nothing ever
//! changed. Whatever ends a search, what it has seen is there, and the search goes on from it.

use crate::failure::{Context, Failure, FailureKind};
use crate::model::search::ProbeRecord;
use crate::sys::files;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

/// The file in the folder of a run.
pub const FILE: &str = "probes.jsonl";
/// What is beside it when the search has its answer.
const ANSWERED: &str = "answered";

/// An open log.
#[derive(Debug)]
pub struct ProbeLog {
    path: PathBuf,
    file: File,
    length: u64,
}

impl ProbeLog {
    /// A log that holds what is searched, and no probe yet.
    ///
    /// # Errors
    /// `Environment` when it cannot be written.
    pub fn create(folder: &Path, question: &impl Serialize) -> Result<Self, Failure> {
        fs::create_dir_all(folder)
            .context(FailureKind::Environment, || format!("{} cannot be made", folder.display()))?;
        let path = folder.join(FILE);
        let unmade = || format!("{} cannot be made", path.display());
        let file = OpenOptions::new().append(true).create_new(true).open(&path);
        let file = file.context(FailureKind::Environment, unmade)?;
        let mut log = Self { path, file, length: 0 };
        log.line(question)?;
        files::sync_folder(folder)?;
        Ok(log)
    }

    /// What is searched by the log in `folder`, its probes, and the log to go on with. A last line that was
    /// not written to its end was never there.
    ///
    /// # Errors
    /// `Blocked` where there is no log; `State` for one that cannot be read.
    pub fn resume<Q: DeserializeOwned>(folder: &Path) -> Result<(Q, Vec<ProbeRecord>, Self), Failure> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Err(Failure::new(
                FailureKind::Blocked,
                format!("there are no probes in {}", folder.display()),
            ));
        }
        let text = fs::read_to_string(&path)
            .context(FailureKind::State, || format!("{} cannot be read", path.display()))?;
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        let damaged = |number: usize| {
            move || format!("line {} of the probes of this search cannot be read", number + 1)
        };
        let mut lines = whole.lines();
        let question = lines.next().unwrap_or_default();
        let question = serde_json::from_str(question).context(FailureKind::State, damaged(0))?;
        let mut probes = Vec::new();
        for (number, line) in lines.enumerate() {
            probes.push(serde_json::from_str(line).context(FailureKind::State, damaged(number + 1))?);
        }
        let unopened = || format!("{} cannot be written", path.display());
        let file = OpenOptions::new().append(true).open(&path).context(FailureKind::Environment, unopened)?;
        let length = whole.len() as u64;
        file.set_len(length).context(FailureKind::Environment, unopened)?;
        Ok((question, probes, Self { path: path.clone(), file, length }))
    }

    /// Adds a probe. It is on disk when this returns; when it cannot be, the log is as before.
    ///
    /// # Errors
    /// `Environment`, as when the disk is full.
    pub fn append(&mut self, probe: &ProbeRecord) -> Result<(), Failure> {
        self.line(probe)
    }

    fn line(&mut self, of: &impl Serialize) -> Result<(), Failure> {
        let mut line =
            serde_json::to_string(of).context(FailureKind::Bug, || "a probe is no JSON".to_owned())?;
        line.push('\n');
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // What is left of the line would be dropped by whoever reads it, if this fails too.
            let _ = self.file.set_len(self.length);
            let failed = Err::<(), _>(error);
            return failed.context(FailureKind::Environment, || {
                format!("a probe cannot be kept in {}", self.path.display())
            });
        }
        self.length += line.len() as u64;
        Ok(())
    }
}

/// Says that the search in `folder` has its answer: nothing goes on with it.
///
/// # Errors
/// `Environment` when that cannot be written.
pub fn close(folder: &Path) -> Result<(), Failure> {
    files::write_atomic(&folder.join(ANSWERED), b"")
}

/// The newest folder below `runs` that holds a log without an answer, of a question that is `meant`. Others may search
/// here too.
pub fn newest<Q: DeserializeOwned>(runs: &Path, meant: impl Fn(&Q) -> bool) -> Option<PathBuf> {
    let entries = fs::read_dir(runs).ok()?;
    let folders = entries.flatten().map(|entry| entry.path());
    let open = folders.filter(|folder| !folder.join(ANSWERED).exists());
    // Their names begin with the time.
    open.filter(|folder| question(folder).is_some_and(|question| meant(&question))).max()
}

/// What is searched by the log in `folder`, when there is one that can be read.
fn question<Q: DeserializeOwned>(folder: &Path) -> Option<Q> {
    let file = File::open(folder.join(FILE)).ok()?;
    let mut line = String::new();
    BufReader::new(file).read_line(&mut line).ok()?;
    serde_json::from_str(&line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::metric::MetricValues;
    use crate::model::search::{ProbeOutcome, Purpose};
    use crate::sys::files::write_atomic;

    fn probe(load: u64) -> ProbeRecord {
        ProbeRecord {
            value: load.into(),
            ok: Some(true),
            metrics: MetricValues {
                flat: [("p99_ms".to_owned(), 0.1 + 0.2)].into(),
                ..MetricValues::default()
            },
            duration: 30.0,
            reason: "p99_ms < 50 is 0.3".to_owned(),
            attempt: 1,
            counts: true,
            load,
            purpose: Purpose::Ramp,
            outcome: ProbeOutcome::Pass,
            excess: Some(-5.1),
            ended_at: "2026-01-01T00:00:00Z".to_owned(),
        }
    }

    #[test]
    fn what_was_kept_is_read_back_exactly_and_goes_on() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut log = ProbeLog::create(folder.path(), &"what is searched").expect("made");
        let largest = u64::MAX - 2;
        for load in [1, 4, largest] {
            log.append(&probe(load)).expect("kept");
        }
        drop(log);
        let (question, probes, mut log) = ProbeLog::resume::<String>(folder.path()).expect("read");
        assert_eq!((question.as_str(), probes), ("what is searched", [1, 4, largest].map(probe).to_vec()));
        log.append(&probe(5)).expect("kept");
        assert_eq!(ProbeLog::resume::<String>(folder.path()).expect("read").1.len(), 4);
        assert_eq!(
            ProbeLog::create(folder.path(), &"another").expect_err("there is one").kind,
            FailureKind::Environment
        );
    }

    #[test]
    fn the_newest_log_is_found_by_the_name_of_its_folder() {
        let runs = tempfile::tempdir().expect("a temporary folder");
        let newest = |meant: &str| newest(runs.path(), |question: &String| question == meant);
        assert_eq!(newest("q"), None);
        let logs = [("20260102-b", "q"), ("20260103-a", "q"), ("20260101-c", "q"), ("20260105-e", "another")];
        for (run, question) in logs {
            ProbeLog::create(&runs.path().join(run), &question).expect("made");
        }
        fs::create_dir(runs.path().join("20260104-d")).expect("made");
        assert_eq!(newest("q"), Some(runs.path().join("20260103-a")));
        close(&runs.path().join("20260103-a")).expect("closed");
        assert_eq!(newest("q"), Some(runs.path().join("20260102-b")), "what has its answer is done");
    }

    #[test]
    fn a_line_that_was_not_finished_was_never_there() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut log = ProbeLog::create(folder.path(), &"q").expect("made");
        log.append(&probe(1)).expect("kept");
        let path = folder.path().join(FILE);
        let whole = fs::read_to_string(&path).expect("read");
        write_atomic(&path, format!("{whole}{{\"value\":4,\"ok\"").as_bytes()).expect("written");
        let (_, probes, mut log) = ProbeLog::resume::<String>(folder.path()).expect("read");
        assert_eq!(probes.len(), 1);
        log.append(&probe(4)).expect("kept");
        assert_eq!(ProbeLog::resume::<String>(folder.path()).expect("read").1, [probe(1), probe(4)]);
    }

    #[test]
    fn a_damaged_line_is_named_and_a_missing_log_too() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(ProbeLog::resume::<String>(folder.path()).expect_err("none").kind, FailureKind::Blocked);
        write_atomic(&folder.path().join(FILE), b"\"q\"\n{}\n").expect("written");
        let failure = ProbeLog::resume::<String>(folder.path()).expect_err("damaged");
        assert_eq!(failure.kind, FailureKind::State);
        assert!(failure.message.starts_with("line 2 "), "{}", failure.message);
    }
}
