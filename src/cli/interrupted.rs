//! Comparisons that were interrupted before they could say anything: which there are, and which one goes on.

use crate::failure::Failure;
use crate::lab::intent::{Intent, Question};
use crate::store::comparisons;
use std::fs;
use std::path::{Path, PathBuf};

/// The name of the newest one.
const NEWEST: &str = "last";
/// How many are named.
const NAMED: usize = 3;

/// A comparison that was interrupted.
#[derive(Debug)]
pub struct Interrupted {
    /// The folder of its run.
    pub folder: PathBuf,
    /// What it set out to do.
    pub intent: Intent,
}

impl Interrupted {
    /// The one that is called `run`, in the folder of all runs.
    ///
    /// # Errors
    /// `Usage` when there is no such one, or it is complete; `State` when its record is damaged.
    pub fn find(runs: &Path, run: &str) -> Result<Self, Failure> {
        let ids = ids(runs);
        let id = if run == NEWEST { ids.last().cloned() } else { Some(run.to_owned()) };
        if let Some(id) = id.filter(|id| ids.contains(id)) {
            let folder = runs.join(&id);
            if let Some(intent) = Intent::kept(&folder)? {
                return Ok(Self { folder, intent });
            }
        }
        let is_name = Path::new(run).file_name().is_some_and(|name| name == run);
        let failure = if is_name && comparisons::is_complete(&runs.join(run)) {
            Failure::usage(format!("comparison {run} is complete"))
        } else {
            Failure::usage(format!("no comparison {run} was interrupted here"))
        };
        let newest: Vec<String> = ids.into_iter().rev().take(NAMED).collect();
        Err(failure.hint(if newest.is_empty() {
            "leave --resume away; none was interrupted after it had begun to measure".to_owned()
        } else {
            format!("--resume can go on with {}", newest.join(", "))
        }))
    }

    /// What the run `run` has kept, complete or not; none where nothing can be made of it.
    pub fn kept(runs: &Path, run: &str) -> Option<Self> {
        let folder = runs.join(run);
        let intent = Intent::kept(&folder).ok().flatten()?;
        Some(Self { folder, intent })
    }
}

/// What to say of a comparison that asked the same and was interrupted, if there is one; damaged ones are not
/// worth a word.
pub fn notice(runs: &Path, question: &Question) -> Option<String> {
    let same = |id: &String| {
        let kept = Intent::kept(&runs.join(id));
        kept.is_ok_and(|kept| kept.is_some_and(|intent| intent.answers(question)))
    };
    let id = ids(runs).into_iter().rev().find(same)?;
    Some(format!(
        "comparison {id} asked the same and was interrupted; --resume {id} would go on with its pairs"
    ))
}

/// The runs that have begun a comparison and not completed it, oldest first.
fn ids(runs: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(runs) else { return Vec::new() };
    let open = |folder: &Path| Intent::is_kept(folder) && !comparisons::is_complete(folder);
    let mut ids: Vec<String> = entries
        .flatten()
        .filter(|entry| open(&entry.path()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    ids.sort_unstable();
    ids
}
