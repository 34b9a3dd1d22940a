//! The change that is to be tried: found, compared with the baseline's sources, and saved for later.

use super::choosing::Chosen;
use super::measuring::approval;
use super::session::Session;
use super::within::Within;
use crate::failure::{Context, Failure, FailureKind};
use crate::git::change::{Difference, lies_in};
use crate::git::revision::{Revision, Source};
use crate::investigation::control::expect_baseline;
use crate::investigation::proposal::Proposed;
use crate::lab::Lab;
use crate::lab::facts::Checkout;
use crate::model::baseline::Baseline;
use crate::model::comparison::Sides;
use crate::model::experiment::{ChangeSource, Experiment};
use crate::model::investigation::Investigation;
use crate::model::label::VersionLabel;
use crate::model::rules::Rule;
use crate::model::waiver::Waiver;
use crate::store::{baselines, config, results};
use crate::sys::interrupt::Interrupt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Which change is meant.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "The change")]
pub struct ProposalArgs {
    /// A branch or commit, for what it has changed since it parted from what is checked out (default: the work tree as it
    /// stands)
    #[arg(value_name = "REVISION")]
    pub revision: Option<String>,
    /// The change as a patch that `git diff` made
    #[arg(long, value_name = "FILE", conflicts_with = "revision")]
    pub patch: Option<PathBuf>,
    /// What it changes, in a few words
    #[arg(long, value_name = "TEXT")]
    pub change: Option<String>,
    /// The hypothesis that it tests
    #[arg(long, value_name = "ID")]
    pub hypothesis: Option<String>,
    /// Approve a change that takes files away; the reason is stored
    #[arg(long, value_name = "WHY")]
    pub allow_deletions: Option<String>,
    /// Approve a change that adds what looks like a secret, and is none; the reason is stored
    #[arg(long, value_name = "WHY")]
    pub allow_secret: Option<String>,
}

/// A change that is to be tried.
#[derive(Debug)]
pub struct Proposal {
    /// What it changes, in a few words.
    summary: String,
    hypothesis: Option<String>,
    source: ChangeSource,
    /// The sources of the baseline, and those with the change.
    pub revisions: Sides<Revision>,
    /// What the change does to which files.
    pub difference: Difference,
    /// The approval of files that go away.
    pub deletions: Option<Waiver>,
    /// The approval of what looks like a secret.
    secret: Option<Waiver>,
    /// SHA-256 over the sources of the baseline, state files aside.
    sources: String,
    /// The same with the change.
    result: String,
    /// What it is tried against.
    pub baseline: Baseline,
}

impl ProposalArgs {
    /// The change that is meant, against the baseline of `open`.
    ///
    /// # Errors
    /// `Usage` for what cannot be found or does not apply; `Blocked` for a work tree that cannot be saved, and
    /// without a baseline.
    pub fn proposal(
        &self,
        source: &Source,
        session: &Session,
        open: &Investigation,
        interrupt: &Interrupt,
    ) -> Result<Proposal, Failure> {
        let base = source.head()?;
        let (kind, candidate) = match (&self.revision, &self.patch) {
            (Some(name), _) => (ChangeSource::Revision, source.onto(&base, &source.find(name)?)?),
            (None, Some(file)) => {
                // As it is printed to be pasted, a path begins at the root.
                let places = [session.cwd.join(file), session.layout.root.join(file)];
                let place = places.iter().find(|place| place.exists()).unwrap_or(&places[0]);
                let patch = fs::read(place)
                    .context(FailureKind::Usage, || format!("{} cannot be read", file.display()))
                    .map_err(|failure| failure.hint("--patch names a file that `git diff` made"))?;
                // Where it lies on this machine is nobody's business.
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                (ChangeSource::Patch, patched(source, &base, &patch, &name)?)
            }
            (None, None) => {
                let candidate = source.snapshot(&session.layout.folder, interrupt)?;
                (ChangeSource::WorkTree, candidate)
            }
        };
        let difference = source.difference(&base, &candidate)?;
        expect_kept(source, &base, &candidate, &difference)?;
        let usual = match kind {
            ChangeSource::WorkTree => "work tree",
            ChangeSource::Patch | ChangeSource::Revision => candidate.name.as_str(),
        };
        Ok(Proposal {
            summary: self.change.clone().unwrap_or_else(|| usual.to_owned()),
            hypothesis: self.hypothesis.clone(),
            source: kind,
            sources: source.sources_of(&base, &session.layout.folder)?,
            result: source.sources_of(&candidate, &session.layout.folder)?,
            revisions: Sides { base, candidate },
            difference,
            deletions: approval(self.allow_deletions.as_deref(), "--allow-deletions")?,
            secret: approval(self.allow_secret.as_deref(), "--allow-secret")?,
            baseline: baseline_of(open, session)?,
        })
    }
}

/// That the patch which is kept is the whole change.
fn expect_kept(
    source: &Source,
    base: &Revision,
    candidate: &Revision,
    found: &Difference,
) -> Result<(), Failure> {
    if found.files.is_empty() || !found.binary.is_empty() {
        return Ok(());
    }
    let is_whole = || {
        let kept = source.patched(base, &found.patch, "the change").ok();
        kept.is_some_and(|kept| kept.tree == candidate.tree)
    };
    let file = match &found.unkept {
        Some(file) => file.display().to_string(),
        None if is_whole() => return Ok(()),
        None => "the change".to_owned(),
    };
    let cause = format!("{file} changes in what is not kept of a change: the mode of a file, or a submodule");
    Err(Failure::new(FailureKind::Blocked, cause)
        .hint("commit that and measure the baseline again, or leave it out of the change"))
}

/// `base` with a patch of the user's.
fn patched(source: &Source, base: &Revision, patch: &[u8], name: &str) -> Result<Revision, Failure> {
    source.patched(base, patch, name).map_err(|failure| match failure.kind {
        FailureKind::Usage => {
            failure.hint("make it with `git diff` from what is checked out, which is what it is tried on")
        }
        _ => failure,
    })
}

/// The baseline of the investigation.
fn baseline_of(open: &Investigation, session: &Session) -> Result<Baseline, Failure> {
    let record = open.baseline().ok_or_else(|| {
        Failure::new(FailureKind::Blocked, "there is no baseline to try a change against")
            .hint("measure one: `cargo perf baseline`")
    })?;
    let stored = baselines::load(&session.layout, &VersionLabel::new(&record.version)?)?;
    if stored.recorded_at == record.recorded_at {
        return Ok(stored);
    }
    let cause = format!(
        "an experiment against {}, which was measured outside of {} since, at {}",
        record.version, open.id, stored.recorded_at
    );
    Err(Rule::CleanBaseline.refuses(cause).hint("measure it again: `cargo perf baseline`"))
}

impl Proposal {
    /// The change of an experiment that was interrupted, as it was saved.
    ///
    /// # Errors
    /// `State` when it is not what was saved; `Usage` when it does not apply any more.
    pub fn again(
        experiment: &Experiment,
        source: &Source,
        session: &Session,
        open: &Investigation,
    ) -> Result<Self, Failure> {
        let patch = results::read(&session.layout.root, &experiment.change.patch)
            .map_err(|failure| failure.hint("give the experiment up: --abandon \"why\""))?;
        let base = source.head()?;
        let candidate = source.patched(&base, &patch, &experiment.change.summary).map_err(|failure| {
            failure.hint("check the commit out that it was begun on, or give it up: --abandon \"why\"")
        })?;
        let difference = source.difference(&base, &candidate)?;
        Ok(Self {
            summary: experiment.change.summary.clone(),
            hypothesis: experiment.hypothesis.clone(),
            source: experiment.change.source,
            sources: source.sources_of(&base, &session.layout.folder)?,
            result: source.sources_of(&candidate, &session.layout.folder)?,
            revisions: Sides { base, candidate },
            difference,
            deletions: experiment.deletions.clone(),
            secret: experiment.secret.clone(),
            baseline: baseline_of(open, session)?,
        })
    }

    /// In the words of the phase.
    pub fn proposed(&self) -> Proposed<'_> {
        Proposed {
            summary: &self.summary,
            hypothesis: self.hypothesis.as_deref(),
            source: self.source,
            difference: &self.difference,
            base: &self.revisions.base.commit,
            sources: &self.sources,
            tree: &self.revisions.candidate.tree,
            result: &self.result,
            deletions: self.deletions.as_ref(),
            secret: self.secret.as_ref(),
        }
    }

    /// Refuses what is not one change, and a baseline that is not that of these sources and this machine.
    ///
    /// # Errors
    /// `Rule`, `Usage` and `Blocked`, as [`Proposed::expect_one_change`] and [`expect_baseline`].
    pub fn expect(
        &self,
        source: &Source,
        session: &Session,
        within: &Within,
        lab: &mut Lab<'_>,
        chosen: &Chosen,
    ) -> Result<(), Failure> {
        let folder = &session.layout.folder;
        if within.investigation().open_experiment().is_none() {
            let config = session.layout.root.join(config::FILE);
            let lies_in = |place| move |path: &Path| lies_in(source, place, path);
            self.proposed().expect_one_change(lies_in(folder), lies_in(&config))?;
        }
        let context = &self.baseline.env.context;
        let of_baseline = context.commit.as_deref().filter(|commit| source.knows(commit));
        let same = match of_baseline {
            Some(commit) => {
                context.dirty != Some(true)
                    && source.has_same_sources([&source.find(commit)?, &self.revisions.base], folder)?
            }
            None => false,
        };
        let workspace = chosen.workspace(lab, session)?;
        let checkout = Checkout { commit: Some(self.revisions.base.commit.clone()), dirty: Some(false) };
        let now = lab.environment(workspace.as_ref(), checkout, Duration::ZERO)?;
        expect_baseline(&self.baseline, &now, same)
    }
}
