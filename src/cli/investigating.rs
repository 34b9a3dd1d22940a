//! What all commands of an investigation share: their flags, and how they say what became of it.

use super::arguments::Global;
use super::session::Session;
use crate::failure::Failure;
use crate::git::checkpoint::Reason;
use crate::investigation::advance::{Applied, Desk, Noted, Standing, advance};
use crate::investigation::dossier::Asked;
use crate::investigation::gate::Skip;
use crate::investigation::{needs, skip};
use crate::lab::catalogue::Entry;
use crate::model::checkpoint::{CheckpointRecord, CheckpointState, Mode};
use crate::model::investigation::Investigation;
use crate::model::outcome::{NextStep, Phase, Status};
use crate::model::record::Approval;
use crate::model::secrets;
use crate::report::reply::Reply;
use crate::sys::interrupt::Interrupt;
use crate::sys::slot::Slot;
use crate::sys::{clock, host};
use serde_json::{Value, json};
use std::fmt::Write;

/// Which investigation a command belongs to.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Investigation")]
pub struct InvestigationArgs {
    /// Go on with an investigation; with --id of another than the current one
    #[arg(long)]
    pub resume: bool,
    /// The phase that is meant, to be sure
    #[arg(long, value_name = "PHASE", requires = "resume", value_parser = parse_phase)]
    pub phase: Option<Phase>,
    /// The investigation; with --resume also another than the current one
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// What the user asked for in this phase, word for word (default: repeat that of setup)
    #[arg(long, value_name = "TEXT")]
    pub quote: Option<String>,
    /// Leave out a phase before this one; the reason is logged (repeatable)
    #[arg(long, value_name = "PHASE=WHY")]
    pub skip_phase: Vec<String>,
    /// Where the commit of the phase goes: branch, ref or off (default: perf.toml, branch)
    #[arg(long, value_name = "WHERE")]
    pub checkpoint: Option<Mode>,
}

impl InvestigationArgs {
    /// What is asked of the command that carries out `own`.
    ///
    /// # Errors
    /// `Usage` for another phase, or a phase that cannot be left out.
    pub fn asked(&self, own: Phase) -> Result<Asked, Failure> {
        if let Some(phase) = self.phase.filter(|phase| *phase != own) {
            return Err(Failure::usage(format!(
                "this command carries out {}, not {}",
                own.name(),
                phase.name()
            ))
            .hint(format!(
                "leave --phase away, or see `cargo perf next --resume --phase {}`",
                phase.name()
            )));
        }
        if self.quote.as_deref().is_some_and(|quote| quote.trim().is_empty()) {
            return Err(Failure::usage("--quote needs what the user said, word for word"));
        }
        let quotes = self.quote.iter().map(|text| ("--quote", text));
        for (flag, text) in quotes.chain(self.skip_phase.iter().map(|text| ("--skip-phase", text))) {
            secrets::expect_none(flag, text)?;
        }
        let skips = self.skip_phase.iter().map(|text| Skip::parse(text)).collect::<Result<_, _>>()?;
        Ok(Asked { resume: self.resume, id: self.id.clone(), skips })
    }

    /// Where commits go.
    pub fn mode(&self, session: &Session) -> Mode {
        self.checkpoint.unwrap_or(session.config.checkpoint)
    }

    /// Refuses flags that mean nothing where no investigation is open.
    ///
    /// # Errors
    /// `Usage`, naming the flag.
    pub fn expect_unused(&self) -> Result<(), Failure> {
        let given = [
            ("--quote", self.quote.is_some()),
            ("--skip-phase", !self.skip_phase.is_empty()),
            ("--checkpoint", self.checkpoint.is_some()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            Some((flag, _)) => {
                Err(Failure::usage(format!("{flag} is for an investigation, and none is open"))
                    .hint("start one with `cargo perf setup`"))
            }
            None => Ok(()),
        }
    }
}

/// Refuses commands that hold what looks like a secret: they are logged.
///
/// # Errors
/// `Usage`, naming what it is and not its value.
pub fn expect_no_secret(entries: &[&Entry]) -> Result<(), Failure> {
    let mut commands = entries.iter().filter_map(|entry| entry.as_external());
    commands.try_for_each(|external| secrets::expect_none_in_command(&external.argv))
}

/// The place where a phase of `open` is stored; without one it stands alone.
pub fn desk<'a>(
    session: &'a Session,
    standing: Standing,
    args: &InvestigationArgs,
    approvals: Vec<Approval>,
    slot: &'a Slot,
    interrupt: &'a Interrupt,
) -> Desk<'a> {
    let (mode, quote) = (args.mode(session), args.quote.clone());
    Desk { layout: &session.layout, standing, quote, approvals, mode, slot, interrupt }
}

/// Leaves phases out in their order, each with its section and its commit.
///
/// # Errors
/// As [`advance`].
pub fn leave_out(desk: &Desk<'_>, skips: &[Skip]) -> Result<Vec<Noted>, Failure> {
    let command = super::stored_command(&desk.layout.root);
    let mut skips = skips.to_vec();
    skips.sort_by_key(|skip| skip.phase);
    let mut noted = Vec::new();
    for left_out in &skips {
        let outcome = skip::outcome(left_out, &command, &host::user(), &clock::now_rfc3339());
        noted.extend(advance(desk, outcome)?.noted);
    }
    Ok(noted)
}

fn parse_phase(name: &str) -> Result<Phase, String> {
    Phase::named(name).ok_or_else(|| format!("expected one of {}", Phase::ALL.map(Phase::name).join(", ")))
}

/// Where an investigation stands, and what comes next in it.
pub fn standing(investigation: &Investigation, global: &Global) -> (Status, NextStep) {
    (investigation.status, needs::next(investigation, &global.repeated()))
}

/// The answer of a command that has carried out a phase: what it says, what became of the investigation, and what
/// comes next in it.
pub fn reply(
    command: &'static str,
    text: String,
    mut result: Value,
    applied: &Applied,
    global: &Global,
) -> Reply {
    result["investigation"] = noted_json(applied);
    let mut reply = Reply::plain(command, text, result);
    reply.phase = Some(applied.outcome.phase);
    reply.findings.clone_from(&applied.outcome.findings);
    if let Some(noted) = &applied.noted {
        reply.text.push_str(&noted_text(noted));
        reply = with_standing(reply, &noted.investigation, global);
    }
    reply
}

/// `reply` with where the investigation stands, its baseline, and what comes next in it.
pub fn with_standing(mut reply: Reply, investigation: &Investigation, global: &Global) -> Reply {
    let (status, next) = standing(investigation, global);
    (reply.status, reply.next) = (status, Some(next));
    reply.baseline = investigation.baseline().map(|baseline| baseline.version.clone());
    reply
}

/// What became of the investigation, a line each.
pub fn noted_text(noted: &Noted) -> String {
    let mut text = String::new();
    if let Some(repaired) = &noted.repaired {
        let _ = writeln!(text, "{repaired}");
    }
    let _ = writeln!(text, "logged in {}", noted.log);
    if let Some(record) = noted.checkpoint() {
        let _ = writeln!(text, "{}", checkpoint_text(record, noted.commit.as_deref()));
    }
    text
}

/// The commit of a phase in one line, or why there is none and what helps.
pub fn checkpoint_text(record: &CheckpointRecord, commit: Option<&str>) -> String {
    match (record.state, commit) {
        (CheckpointState::Commit, Some(commit)) => {
            let place = record.reference.as_deref().map(|name| format!(" on {name}")).unwrap_or_default();
            format!("checkpoint {}{place}: {}", &commit[..commit.len().min(7)], record.subject)
        }
        (CheckpointState::Commit, None) => {
            format!("checkpoint not found in the history: {}", record.subject)
        }
        (CheckpointState::None, _) => {
            let name = record.reason.as_deref().unwrap_or_default();
            match Reason::named(name) {
                Some(reason) => {
                    format!("no checkpoint commit: {} ({name}); {}", reason.explanation(), reason.remedy())
                }
                None => format!("no checkpoint commit: {name}"),
            }
        }
    }
}

/// What became of the investigation, for machines.
pub fn noted_json(applied: &Applied) -> Value {
    applied.noted.as_ref().map_or(Value::Null, noted_of)
}

/// The same for one phase.
pub fn noted_of(noted: &Noted) -> Value {
    json!({
        "id": noted.investigation.id,
        "log": noted.log,
        "repaired": noted.repaired,
        "checkpoint": noted.checkpoint().map(|record| checkpoint_json(record, noted.commit.as_deref())),
    })
}

/// A checkpoint with the id of its commit.
pub fn checkpoint_json(record: &CheckpointRecord, commit: Option<&str>) -> Value {
    let reason = record.reason.as_deref().and_then(Reason::named);
    json!({
        "state": record.state,
        "commit": commit,
        "subject": record.subject,
        "parent": record.parent,
        "ref": record.reference,
        "reason": record.reason,
        "explanation": reason.map(Reason::explanation),
        "remedy": reason.map(Reason::remedy),
    })
}
