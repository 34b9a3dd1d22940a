//! Which two revisions are meant.

use super::session::Session;
use crate::failure::{Context, Failure, FailureKind};
use crate::git::revision::{Revision, Source};
use crate::model::comparison::Sides;
use crate::model::label::VersionLabel;
use crate::store::baselines;
use crate::sys::interrupt::Interrupt;
use std::fs;
use std::path::PathBuf;

/// What is compared with what.
#[derive(Debug, Clone, clap::Args)]
pub struct SideArgs {
    /// The revision or stored baseline to compare with (default: where the branch began, or HEAD)
    #[arg(value_name = "BASE")]
    pub base: Option<String>,
    /// The revision or stored baseline that is judged (default: the work tree as it stands)
    #[arg(value_name = "CANDIDATE")]
    pub candidate: Option<String>,
    /// Judge BASE (default: HEAD) with this patch applied
    #[arg(long, value_name = "FILE", conflicts_with = "candidate")]
    pub patch: Option<PathBuf>,
}

/// Both sides, found in the repository.
#[derive(Debug)]
pub struct Named {
    /// Where they come from.
    pub source: Source,
    /// The revisions.
    pub revisions: Sides<Revision>,
    /// What should be known beside the verdicts, in words.
    pub notes: Vec<String>,
}

impl SideArgs {
    /// Finds both sides.
    ///
    /// # Errors
    /// `Usage` for a name that means nothing here; `Blocked` for a baseline of sources that no commit holds;
    /// `Environment` without a repository.
    pub fn named(&self, session: &Session, interrupt: &Interrupt) -> Result<Named, Failure> {
        let source = Source::open(&session.layout.root)?;
        let mut notes = Vec::new();
        let base = match (&self.base, &self.patch) {
            (Some(name), _) => revision(name, &source, session, &mut notes)?,
            (None, Some(_)) => source.head()?,
            (None, None) => source.base()?,
        };
        let candidate = match (&self.candidate, &self.patch) {
            (Some(name), _) => revision(name, &source, session, &mut notes)?,
            (None, Some(file)) => {
                let shown = file.display().to_string();
                let patch = fs::read(session.cwd.join(file))
                    .context(FailureKind::Usage, || format!("{shown} cannot be read"))
                    .map_err(|failure| failure.hint("--patch names a file that `git diff` made"))?;
                source.patched(&base, &patch, &shown)?
            }
            (None, None) => source.snapshot(&session.layout.folder, interrupt)?,
        };
        if base.tree == candidate.tree {
            notes.push("both sides have the same sources, so any difference is noise".to_owned());
        }
        Ok(Named { source, revisions: Sides { base, candidate }, notes })
    }

    /// These arguments as they were given.
    pub fn words(&self) -> Vec<String> {
        let patch = self.patch.iter().flat_map(|file| ["--patch".to_owned(), file.display().to_string()]);
        self.base.iter().chain(&self.candidate).cloned().chain(patch).collect()
    }
}

/// A revision of git, or the commit on which a baseline was measured.
fn revision(
    name: &str,
    source: &Source,
    session: &Session,
    notes: &mut Vec<String>,
) -> Result<Revision, Failure> {
    let stored = VersionLabel::new(name)
        .ok()
        .filter(|label| session.layout.baseline(label).exists())
        .map(|label| baselines::load(&session.layout, &label));
    match stored {
        Some(stored) if !source.knows(name) => {
            let context = stored?.env.context;
            let blocked = |why: String| {
                Failure::new(FailureKind::Blocked, format!("baseline {name} was measured on {why}")).hint(
                    format!("name a revision; `cargo perf baselines show {name}` has the numbers of then"),
                )
            };
            let commit = context.commit.filter(|_| context.dirty == Some(false)).ok_or_else(|| {
                blocked("sources that no commit holds, so they cannot be built again".to_owned())
            })?;
            if !source.knows(&commit) {
                return Err(blocked(format!("commit {commit}, which this repository does not have")));
            }
            let found = source.find(&commit)?;
            notes.push(format!("baseline {name} is measured anew on its commit, beside the other side"));
            Ok(Revision { name: format!("baseline {name}"), ..found })
        }
        Some(_) => {
            notes.push(format!("{name} is a revision and a baseline; the revision is meant"));
            source.find(name)
        }
        None => source.find(name),
    }
}
