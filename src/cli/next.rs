//! `cargo perf next`.

use super::arguments::Global;
use super::asked::BenchArgs;
use super::baseline;
use super::bisect_load;
use super::consolidate;
use super::emit::Printer;
use super::investigating::{self, InvestigationArgs};
use super::session::Session;
use super::workplace::take_machine;
use crate::failure::{Failure, FailureKind};
use crate::investigation::advance::{Noted, Standing};
use crate::investigation::dossier::{self, Asked};
use crate::investigation::gate;
use crate::investigation::needs::has_load;
use crate::model::event::Listener;
use crate::model::investigation::Investigation;
use crate::model::outcome::{NextStep, Phase, Status};
use crate::report::reply::{End, Reply};
use crate::sys::interrupt::Interrupt;
use crate::sys::slot::Patience;
use serde_json::{Value, json};
use std::fmt::Write;

/// Carry out the next phase of the investigation, or say what it lacks
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    bench: BenchArgs,
    #[command(flatten)]
    investigation: InvestigationArgs,
}

/// Answers the command.
pub fn run(
    args: &Args,
    global: &Global,
    interrupt: &Interrupt,
    printer: &mut Printer,
) -> Result<Reply, Failure> {
    let session = Session::open(global)?;
    let given = &args.investigation;
    let asked = given.asked(given.phase.unwrap_or(Phase::Setup))?;
    let found = dossier::live(&session.layout, &asked)?.ok_or_else(dossier::nothing_open)?;
    let open = &found.investigation;
    let phase = destination(open, &asked, given.phase)?;
    // Who only leaves phases out runs none.
    if asked.skips.is_empty() || given.phase.is_some() {
        gate::pass(open, phase, &asked.skips)?;
    } else {
        gate::in_turn(open, phase, &asked.skips)?;
    }
    // Nothing is committed, and no other investigation becomes the current one, while somebody measures.
    let patience = if args.bench.measuring.no_wait { Patience::NoWait } else { Patience::Wait };
    let take = |printer: &mut Printer| {
        let report = |event| printer.event(event);
        take_machine(&global.run_id(), "cargo perf next", patience, interrupt, report)
    };
    let mut skipped = Vec::new();
    if !asked.skips.is_empty() {
        let slot = take(printer)?;
        found.make_current(&session.layout)?;
        let standing = Standing::Within(open.id.clone());
        let desk = investigating::desk(&session, standing, given, Vec::new(), &slot, interrupt);
        skipped = investigating::leave_out(&desk, &asked.skips)?;
    }
    let now = skipped.last().map_or(open, |noted: &Noted| &noted.investigation);
    if !asked.skips.is_empty() && given.phase.is_none() {
        return Ok(answer(now, &skipped, global));
    }
    match phase {
        Phase::Baseline => {
            // What was left out is stored; the command itself answers.
            let investigation = InvestigationArgs { skip_phase: Vec::new(), phase: None, ..given.clone() };
            let bench = args.bench.clone();
            baseline::run(&baseline::Args::within(bench, investigation), global, interrupt, printer)
        }
        Phase::BreakingPoint if has_load(now) => {
            let investigation = InvestigationArgs { skip_phase: Vec::new(), phase: None, ..given.clone() };
            let args = bisect_load::Args::within(args.bench.clone(), investigation)?;
            bisect_load::run(&args, global, interrupt, printer)
        }
        Phase::Consolidation => {
            let investigation = InvestigationArgs { skip_phase: Vec::new(), phase: None, ..given.clone() };
            consolidate::run(&consolidate::Args { investigation }, global, interrupt, printer)
        }
        _ => {
            if !found.current && skipped.is_empty() {
                let _slot = take(printer)?;
                found.make_current(&session.layout)?;
            }
            Ok(answer(now, &skipped, global))
        }
    }
}

/// The phase that is meant: the one that was named, else the first that is neither done nor left out now.
fn destination(open: &Investigation, asked: &Asked, named: Option<Phase>) -> Result<Phase, Failure> {
    let left_out = |phase: &Phase| asked.skips.iter().any(|skip| skip.phase == *phase);
    let open_phases = Phase::ALL.into_iter().filter(|phase| open.record(*phase).is_none());
    let upcoming = open_phases.into_iter().find(|phase| !left_out(phase)).unwrap_or(Phase::Consolidation);
    match named {
        Some(named) if open.record(named).is_some() => {
            let hint = format!("repeat it with `cargo perf {}`, or leave --phase away", named.commands()[0]);
            Err(Failure::usage(format!("the phase {} is done in {}", named.name(), open.id)).hint(hint))
        }
        Some(named) => Ok(named),
        None => Ok(upcoming),
    }
}

/// Where the investigation stands now, and what the next phase lacks.
fn answer(open: &Investigation, skipped: &[Noted], global: &Global) -> Reply {
    let mut text = String::new();
    for noted in skipped {
        let phase = noted.record().map_or("", |record| record.phase.name());
        let _ = write!(text, "{phase} left out\n{}", investigating::noted_text(noted));
    }
    let left_out: Vec<Value> = skipped
        .iter()
        .map(|noted| json!({"phase": noted.record().map(|record| record.phase), "investigation": investigating::noted_of(noted)}))
        .collect();
    let mut reply = Reply::plain("next", text, json!({"id": open.id, "left_out": left_out}));
    reply.phase = Some(open.phase);
    reply = investigating::with_standing(reply, open, global);
    if let (Some(NextStep::Question(question)), true) = (&reply.next, skipped.is_empty()) {
        let what = format!("{} cannot be carried out yet", open.phase.name());
        reply.status = Status::Blocked;
        reply.end = End::Failed(Failure::new(FailureKind::Blocked, what).hint(question.clone()));
    }
    reply
}
