//! `cargo perf consolidate`.

use super::arguments::Global;
use super::emit::Printer;
use super::investigating::{self, InvestigationArgs};
use super::session::Session;
use super::settling::Settling;
use crate::failure::{Failure, FailureKind};
use crate::git::revision::Source;
use crate::investigation::consolidation::{self as phase, Consolidated};
use crate::model::comparison::Comparison;
use crate::model::experiment::Experiment;
use crate::model::label::VersionLabel;
use crate::model::outcome::Phase;
use crate::report::reply::Reply;
use crate::store::{baselines, comparisons, results};
use crate::sys::clock;
use crate::sys::interrupt::Interrupt;
use serde_json::json;

/// Leave one baseline of the version, with the numbers of the change that is kept, and complete the investigation
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub(super) investigation: InvestigationArgs,
}

/// Answers the command.
pub fn run(
    args: &Args,
    global: &Global,
    interrupt: &Interrupt,
    printer: &mut Printer,
) -> Result<Reply, Failure> {
    let session = Session::open(global)?;
    let settling = Settling::open(&session, global, &args.investigation, Phase::Consolidation)?;
    let command = super::stored_command(&session.layout.root);
    let state = settling.state();
    let applied = settling.store(interrupt, printer, |open| {
        phase::decision(open)?;
        let record = open.baseline().ok_or_else(|| {
            Failure::new(FailureKind::Blocked, "there is no baseline to be left")
                .hint("measure one: `cargo perf baseline`")
        })?;
        let stored = baselines::load(&session.layout, &VersionLabel::new(&record.version)?)?;
        let kept = phase::kept(open);
        let comparison = kept.map(|kept| comparison_of(kept, &session)).transpose()?;
        let consolidated = Consolidated {
            stored: &stored,
            kept: kept.zip(comparison.as_ref()),
            commit: kept.map(|kept| commit_of(kept, &session)).transpose()?.flatten(),
            command: command.clone(),
            file: record.file.clone(),
            state: state.clone(),
            now: clock::now_rfc3339(),
        };
        consolidated.expect_reproduced()?;
        Ok(phase::outcome(open, &consolidated))
    })?;
    let text = applied.outcome.summary.first().map(|line| format!("{line}\n")).unwrap_or_default();
    let open = applied.noted.as_ref().map(|noted| &noted.investigation);
    let result = json!({
        "file": open.and_then(|open| open.baseline()).map(|baseline| &baseline.file),
        "kept": open.and_then(phase::kept).map(|kept| &kept.id),
    });
    Ok(investigating::reply("consolidate", text, result, &applied, global))
}

/// The comparison of an experiment as it was stored.
fn comparison_of(kept: &Experiment, session: &Session) -> Result<Comparison, Failure> {
    let missing = || Failure::state(format!("{} has no comparison", kept.id));
    let file = &kept.finding.as_ref().ok_or_else(missing)?.comparison;
    comparisons::parse(&results::read(&session.layout.root, file)?, &file.path)
}

/// The commit that is checked out, when it holds the sources with the change; none when it does not, or when the
/// commit that the change was made of is not here to tell.
fn commit_of(kept: &Experiment, session: &Session) -> Result<Option<String>, Failure> {
    let source = Source::open(&session.layout.root)?;
    if !source.knows(&kept.change.base) {
        return Ok(None);
    }
    let patch = results::read(&session.layout.root, &kept.change.patch)?;
    let with_change = source.patched(&source.find(&kept.change.base)?, &patch, &kept.id)?;
    let head = source.head()?;
    let same = source.has_same_sources([&with_change, &head], &session.layout.folder)?;
    Ok(same.then_some(head.commit))
}
