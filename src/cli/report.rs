//! `cargo perf report`.

use super::arguments::Global;
use super::investigating::{standing, with_standing};
use super::session::Session;
use super::status::checkpoints;
use crate::failure::{Failure, FailureKind};
use crate::investigation::advance::commits_of;
use crate::investigation::dossier;
use crate::model::baseline::Baseline;
use crate::model::experiment::Experiment;
use crate::model::investigation::Investigation;
use crate::model::label::VersionLabel;
use crate::model::outcome::NextStep;
use crate::model::record::ResultFile;
use crate::report::experiments::Basis;
use crate::report::html::{self, Page, Shown};
use crate::report::reply::Reply;
use crate::report::{block, investigation as rendered};
use crate::store::{baselines, comparisons, investigations, results};
use crate::sys::files;
use serde_json::json;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Report on the investigation as Markdown: question, findings, phases, rules, approvals
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Another investigation than the current one
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Write one page with charts, which needs no network, to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Answers the command.
pub fn run(args: &Args, global: &Global) -> Result<Reply, Failure> {
    let session = Session::open(global)?;
    let investigation = dossier::any(&session.layout, args.id.as_deref())?;
    let is_current = dossier::any(&session.layout, None).is_ok_and(|current| current.id == investigation.id);
    let next = if is_current { standing(&investigation, global).1 } else { next_of_parked(&investigation) };
    let commits = commits_of(&session.layout, &investigation);
    let checkpoints = checkpoints(&investigation, &commits);
    let (state, gone) = (state_of(&session, &investigation, is_current), gone(&session, &investigation));
    let current = session.layout.shown_file(investigations::CURRENT);
    let basis = Basis { investigation: &investigation, state: &state, current: &current, gone: &gone };
    let mut result = rendered::json(basis, &json!(block::next(&next)));
    let text = if let Some(file) = &args.html {
        let size = write_page(&session.cwd.join(file), &session, basis, &checkpoints)?;
        result["html"] = json!({"file": file, "bytes": size});
        format!("written to {} ({} KB)\n", file.display(), size.div_ceil(1024))
    } else {
        let mut text = rendered::markdown(basis, &checkpoints);
        let _ = writeln!(text, "## Next\n\n{}", block::next(&next));
        text
    };
    let mut reply = Reply::plain("report", text, result);
    reply.findings = basis.provable(rendered::findings(&investigation));
    let reply = with_standing(reply, &investigation, global);
    Ok(Reply { next: Some(next), ..reply })
}

/// What comes next in an investigation that is not the current one, for which commands are not meant.
fn next_of_parked(parked: &Investigation) -> NextStep {
    let words = if parked.is_live() {
        ["switch", &parked.id].to_vec()
    } else {
        ["report", "--id", &parked.id].to_vec()
    };
    NextStep::Argv(["cargo", "perf"].into_iter().chain(words).map(str::to_owned).collect())
}

/// Writes the page; returns its size in bytes.
fn write_page(
    file: &Path,
    session: &Session,
    basis: Basis<'_>,
    checkpoints: &[String],
) -> Result<usize, Failure> {
    let open = basis.investigation;
    if file.is_dir() {
        return Err(Failure::usage(format!("{} is a folder", file.display()))
            .hint("--html takes the file to write, as in --html report.html"));
    }
    let log = investigations::log(&session.layout, &open.id)?.unwrap_or_default();
    let baseline = baseline_of(open, session);
    let experiments = open.own_experiments().map(|experiment| shown(experiment, session)).collect();
    let page = Page { basis, checkpoints, log: &log, baseline: baseline.as_ref(), experiments };
    let html = html::page(&page);
    if html.len() >= html::LARGEST {
        let text = format!("the page would have {} MB, which nobody could look at", html.len() >> 20);
        return Err(
            Failure::environment(text).hint("leave --html away: the report as Markdown holds the same")
        );
    }
    files::write_atomic(file, html.as_bytes()).map_err(|failure| {
        Failure { kind: FailureKind::Environment, ..failure }
            .hint("--html takes a file in a folder that can be written")
    })?;
    Ok(html.len())
}

/// The file of the state, relative to the root.
fn state_of(session: &Session, open: &Investigation, is_current: bool) -> String {
    let name =
        if is_current { investigations::CURRENT.to_owned() } else { investigations::parked_name(&open.id) };
    session.layout.shown_file(&name)
}

/// The files that were stored, and are gone or not what was stored.
fn gone(session: &Session, open: &Investigation) -> Vec<String> {
    let stored = open.stored_files().into_values();
    let gone = stored.filter(|file| results::read(&session.layout.root, file).is_err());
    gone.map(|file| file.path.clone()).collect()
}

/// Its baseline; none where another investigation has measured that version since.
fn baseline_of(open: &Investigation, session: &Session) -> Option<Baseline> {
    let record = open.baseline()?;
    let label = VersionLabel::new(&record.version).ok()?;
    let stored = baselines::load(&session.layout, &label).ok()?;
    Some(stored).filter(|stored| stored.recorded_at == record.recorded_at)
}

/// What is still there of an experiment: a file that was changed since is none.
fn shown<'a>(experiment: &'a Experiment, session: &Session) -> Shown<'a> {
    let read = |file: &ResultFile| results::read(&session.layout.root, file).ok();
    let finding = experiment.finding.as_ref();
    let comparison = finding.and_then(|finding| {
        let file = &finding.comparison;
        comparisons::parse(&read(file)?, &file.path).ok()
    });
    let patch = read(&experiment.change.patch).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Shown { experiment, comparison, patch }
}
