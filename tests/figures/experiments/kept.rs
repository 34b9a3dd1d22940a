//! What was said of each seed, in a file of the repository: the hours that all seeds take need not be in one
//! piece, and no seed is ever tried twice.

use super::investigating::Said;
use crate::start::root;
use cargo_perf_lab::failure::{Context, Failure, FailureKind};
use cargo_perf_lab::sys::{clock, files};
use git2::Repository;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Where it is kept, relative to the repository.
const FILE: &str = "fixtures/experiments-said/seeds.jsonl";
/// What decides what is said; another one is another tool.
const SOURCES: [&str; 2] = ["src", "fixtures/kernels"];

/// What was said of one seed, or why it could not be tried.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    seed: u64,
    at: String,
    /// The sources it was tried with.
    sources: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    said: Option<Said>,
    #[serde(skip_serializing_if = "Option::is_none")]
    untried: Option<String>,
}

/// The seeds that were tried so far.
pub struct Kept {
    file: PathBuf,
    sources: String,
    lines: BTreeMap<u64, Line>,
}

impl Kept {
    /// What is kept of `seeds` seeds; nothing when all are there, which begins anew.
    ///
    /// # Errors
    /// `Blocked` when it was said by other sources; `State` for a file that cannot be read.
    pub fn open(seeds: usize) -> Result<Self, Failure> {
        let (file, sources) = (root().join(FILE), sources()?);
        let damaged = || format!("{FILE} cannot be read");
        let text = if file.exists() {
            fs::read_to_string(&file).context(FailureKind::State, damaged)?
        } else {
            String::new()
        };
        let mut lines = BTreeMap::new();
        for line in text.lines() {
            let line: Line = serde_json::from_str(line).context(FailureKind::State, damaged)?;
            lines.insert(line.seed, line);
        }
        if lines.len() >= seeds {
            lines.clear();
        }
        if let Some(other) = lines.values().find(|line| line.sources != sources) {
            return Err(Failure::new(
                FailureKind::Blocked,
                format!("{FILE} holds {} seeds of other sources, the first of {}", lines.len(), other.at),
            )
            .hint("go on with those sources, or remove the file to begin anew"));
        }
        Ok(Self { file, sources, lines })
    }

    /// What was said of `seed`, if it was tried.
    pub fn said(&self, seed: u64) -> Option<Result<Said, String>> {
        let line = self.lines.get(&seed)?;
        Some(line.said.clone().ok_or_else(|| line.untried.clone().unwrap_or_default()))
    }

    /// Keeps what was said of `seed`.
    ///
    /// # Errors
    /// `Environment` when it cannot be written.
    pub fn keep(&mut self, seed: u64, said: &Result<Said, String>) -> Result<(), Failure> {
        let line = Line {
            seed,
            at: clock::now_rfc3339(),
            sources: self.sources.clone(),
            said: said.as_ref().ok().cloned(),
            untried: said.as_ref().err().cloned(),
        };
        self.lines.insert(seed, line);
        let mut text = String::new();
        for line in self.lines.values() {
            let line = serde_json::to_string(line)
                .context(FailureKind::Bug, || "a seed cannot be kept".to_owned())?;
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{line}");
        }
        let made = self.file.parent().map_or(Ok(()), fs::create_dir_all);
        made.context(FailureKind::Environment, || format!("the folder of {FILE} cannot be made"))?;
        files::write_atomic(&self.file, text.as_bytes())
    }
}

/// The trees of what decides, as they are committed; what is not committed could not be named.
fn sources() -> Result<String, Failure> {
    let unread = || "the sources are in no repository that can be read".to_owned();
    let repository = Repository::open(root()).context(FailureKind::Environment, unread)?;
    let tree =
        repository.head().and_then(|head| head.peel_to_tree()).context(FailureKind::Environment, unread)?;
    let mut named = Vec::new();
    for folder in SOURCES {
        let id = tree.get_path(Path::new(folder)).context(FailureKind::Environment, unread)?.id().to_string();
        named.push(id[..12].to_owned());
        let changed = repository
            .diff_tree_to_workdir(
                Some(&tree),
                Some(git2::DiffOptions::new().pathspec(folder).include_untracked(true)),
            )
            .context(FailureKind::Environment, unread)?;
        if changed.deltas().len() > 0 {
            return Err(Failure::new(
                FailureKind::Blocked,
                format!("{folder} differs from what is committed"),
            )
            .hint("commit it first, so that the figures can say what they are of"));
        }
    }
    Ok(named.join("-"))
}
