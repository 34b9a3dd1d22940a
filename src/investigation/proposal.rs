//! Rule 3 before an experiment: what is proposed is one change of sources that a person can read.

use super::experiments::patch_name;
use crate::failure::{Failure, FailureKind};
use crate::git::change::Difference;
use crate::model::baseline::Baseline;
use crate::model::experiment::{Change, ChangeSource, Experiment, ExperimentStatus};
use crate::model::investigation::Investigation;
use crate::model::record::ResultFile;
use crate::model::rules::Rule;
use crate::model::waiver::Waiver;
use crate::sys::files;
use std::path::{Path, PathBuf};

/// How many paths are named at once.
const NAMED: usize = 3;
/// A patch that is larger, in bytes, is no change that a person has made.
const LARGEST: usize = 4 << 20;

/// A change that is to be tried.
#[derive(Debug)]
pub struct Proposed<'a> {
    /// In a few words.
    pub summary: &'a str,
    /// The hypothesis that it tests.
    pub hypothesis: Option<&'a str>,
    /// Where it comes from.
    pub source: ChangeSource,
    /// What it does to which files.
    pub difference: &'a Difference,
    /// The commit that it is a change of, in full.
    pub base: &'a str,
    /// SHA-256 over the sources that it is a change of, state files aside.
    pub sources: &'a str,
    /// The tree that it makes of it, in full.
    pub tree: &'a str,
    /// SHA-256 over the sources that it makes of it, state files aside.
    pub result: &'a str,
    /// The approval of files that go away.
    pub deletions: Option<&'a Waiver>,
    /// The approval of what looks like a secret.
    pub secret: Option<&'a Waiver>,
}

impl Proposed<'_> {
    /// Rule 3: it is one change of sources that a person can read.
    ///
    /// # Errors
    /// `Usage` when it changes nothing; `Rule` when it touches state files or the configuration; `Blocked` for what is too large or no text,
    /// and without approval for what looks like a secret and for files that go away.
    pub fn expect_one_change(
        &self,
        is_state: impl Fn(&Path) -> bool,
        is_config: impl Fn(&Path) -> bool,
    ) -> Result<(), Failure> {
        let Difference { files, binary, deleted, .. } = self.difference;
        if files.is_empty() {
            return Err(Failure::usage("the change changes nothing, so there is nothing to try")
                .hint("edit the work tree, or name a change with --patch or as a revision"));
        }
        let state: Vec<&PathBuf> = files.iter().filter(|path| is_state(path)).collect();
        if !state.is_empty() {
            return Err(Rule::OneChange
                .refuses(format!("a change of what is stored about experiments: {}", named(&state)))
                .hint("leave files of the state folder out of the change"));
        }
        if let Some(config) = files.iter().find(|path| is_config(path)) {
            let cause = format!("a change of {}, which both sides are measured with", config.display());
            return Err(Rule::OneChange.refuses(cause).hint(
                "leave it out of the change, or commit it, measure the baseline again, and try the rest",
            ));
        }
        if !binary.is_empty() {
            let shown = named(&binary.iter().collect::<Vec<_>>());
            return Err(Failure::new(
                FailureKind::Blocked,
                format!("the change holds what is no text, or more than a megabyte of it: {shown}"),
            )
            .hint(
                "make them in the build, have git ignore them, or commit them and measure the baseline again",
            ));
        }
        if self.difference.patch.len() > LARGEST {
            let text = format!(
                "the change is {} MB long, which nobody reads and which would be committed with the state",
                self.difference.patch.len() >> 20
            );
            return Err(Failure::new(FailureKind::Blocked, text)
                .hint("have git ignore what is made, or commit it and measure the baseline again"));
        }
        if let (Some(path), None) = (&self.difference.secret, self.secret) {
            let shown = path.display();
            return Err(Failure::new(
                FailureKind::Blocked,
                format!("what the change adds to {shown} looks like a secret, and would be committed with the state"),
            )
            .hint("take it out, or say why it is none with --allow-secret \"why\""));
        }
        if !deleted.is_empty() && self.deletions.is_none() {
            let shown = named(&deleted.iter().collect::<Vec<_>>());
            return Err(Failure::new(FailureKind::Blocked, format!("the change takes files away: {shown}"))
                .hint("leave them where they are, or approve it with --allow-deletions \"why\""));
        }
        Ok(())
    }

    /// The experiment, open, against `baseline`.
    pub fn opened(&self, id: String, open: &Investigation, baseline: &Baseline, begun: Begun) -> Experiment {
        let patch = ResultFile {
            path: format!("{}/{}", begun.state_folder, patch_name(&open.id, &id)),
            sha256: files::sha256_bytes(&self.difference.patch),
        };
        Experiment {
            id,
            hypothesis: self.hypothesis.map(str::to_owned),
            change: Change {
                summary: self.summary.to_owned(),
                source: self.source,
                patch,
                base: self.base.to_owned(),
                sources: self.sources.to_owned(),
                tree: self.tree.to_owned(),
                result: self.result.to_owned(),
                files: self.difference.files.len() as u64,
            },
            baseline: baseline.version.clone(),
            baseline_recorded_at: baseline.recorded_at.clone(),
            run: Some(begun.run),
            check: begun.check,
            deletions: self.deletions.cloned(),
            secret: self.secret.cloned(),
            round: open.round(),
            flags: begun.flags,
            status: ExperimentStatus::Open,
            started_at: begun.now,
            finished_at: None,
            finding: None,
            abandoned: None,
            applied_at: None,
            other: serde_json::Map::new(),
        }
    }
}

impl Proposed<'_> {
    /// Notes in an experiment that goes on what its change is a change of now.
    pub fn onto(&self, experiment: &mut Experiment, baseline: &Baseline) {
        self.base.clone_into(&mut experiment.change.base);
        self.sources.clone_into(&mut experiment.change.sources);
        self.tree.clone_into(&mut experiment.change.tree);
        self.result.clone_into(&mut experiment.change.result);
        experiment.change.patch.sha256 = files::sha256_bytes(&self.difference.patch);
        baseline.recorded_at.clone_into(&mut experiment.baseline_recorded_at);
    }
}

/// How an experiment begins.
#[derive(Debug, Clone)]
pub struct Begun {
    /// The state folder, relative to the root.
    pub state_folder: String,
    /// The run that measures it.
    pub run: String,
    /// What the change has passed.
    pub check: Option<String>,
    /// The flags with which it goes on.
    pub flags: Vec<String>,
    /// RFC 3339.
    pub now: String,
}

/// Refuses a hypothesis that nobody has written down.
///
/// # Errors
/// `Usage`, with those that there are.
pub fn expect_hypothesis(open: &Investigation, id: Option<&str>) -> Result<(), Failure> {
    let Some(id) = id else { return Ok(()) };
    let known: Vec<&str> = open.hypotheses.iter().filter_map(|one| one["id"].as_str()).collect();
    if known.contains(&id) {
        return Ok(());
    }
    let hint = if known.is_empty() {
        "leave --hypothesis away: none is written down in this investigation".to_owned()
    } else {
        format!("there are: {}", known.join(", "))
    };
    Err(Failure::usage(format!("there is no hypothesis {id}")).hint(hint))
}

fn named(paths: &[&PathBuf]) -> String {
    let shown: Vec<String> = paths.iter().take(NAMED).map(|path| path.display().to_string()).collect();
    match paths.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
