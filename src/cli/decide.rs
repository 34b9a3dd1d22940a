//! `cargo perf decide`.

use super::arguments::Global;
use super::emit::Printer;
use super::investigating::{self, InvestigationArgs};
use super::session::Session;
use super::settling::Settling;
use crate::failure::{Failure, FailureKind};
use crate::investigation::decision::{self as phase, Decided, Keep};
use crate::model::decision::{Course, Recommendation};
use crate::model::investigation::Effect;
use crate::model::outcome::{NextStep, Phase, Status};
use crate::model::secrets;
use crate::report::reply::{End, Reply};
use crate::sys::clock;
use crate::sys::interrupt::Interrupt;
use clap::ValueEnum;
use serde_json::json;

/// Decide whether to go on, beside what follows from the experiments
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What is decided (default: only say what is recommended)
    #[arg(value_name = "VERDICT")]
    verdict: Option<Word>,
    /// The same, as a flag
    #[arg(long = "verdict", value_name = "VERDICT", conflicts_with = "verdict")]
    flag: Option<Word>,
    /// Why, in your words
    #[arg(long, value_name = "TEXT")]
    rationale: Option<String>,
    /// The accepted experiment whose numbers the baseline gets, or `none` (default: the one that is recommended)
    #[arg(long, value_name = "EXPERIMENT")]
    keep: Option<Keep>,
    #[command(flatten)]
    investigation: InvestigationArgs,
}

/// The words for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Word {
    /// Try another change
    Continue,
    /// Consolidate what is there
    #[value(alias = "abandon", alias = "pause")]
    Stop,
}

impl From<Word> for Course {
    fn from(word: Word) -> Self {
        match word {
            Word::Continue => Self::Continue,
            Word::Stop => Self::Stop,
        }
    }
}

/// Answers the command.
pub fn run(
    args: &Args,
    global: &Global,
    interrupt: &Interrupt,
    printer: &mut Printer,
) -> Result<Reply, Failure> {
    let session = Session::open(global)?;
    let settling = Settling::open(&session, global, &args.investigation, Phase::Decision)?;
    let Some(verdict) = args.verdict.or(args.flag).map(Course::from) else {
        return Ok(recommended(&phase::recommend(settling.investigation())));
    };
    let rationale = args.rationale.as_deref().map(str::trim).unwrap_or_default();
    if rationale.is_empty() {
        return Err(Failure::usage("a decision needs a reason, which is logged")
            .hint(format!("cargo perf decide {} --rationale 'why'", verdict.name())));
    }
    secrets::expect_none("--rationale", rationale)?;
    let (command, state) = (super::stored_command(&session.layout.root), settling.state());
    let applied = settling.store(interrupt, printer, |open| {
        let (command, state) = (command.clone(), state.clone());
        let (now, keep) = (clock::now_rfc3339(), args.keep.clone());
        phase::outcome(open, &Decided { verdict, rationale, keep, command, state, now })
    })?;
    let Effect::Decision(decision) = &applied.outcome.effect else {
        return Err(Failure::new(FailureKind::Bug, "a decision decided nothing"));
    };
    let result = json!({"decision": decision});
    Ok(investigating::reply("decide", lines(&decision.lines()), result, &applied, global))
}

fn lines(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect::<Vec<_>>().concat()
}

/// What is recommended, where nothing was decided.
fn recommended(recommendation: &Recommendation) -> Reply {
    let mut reply =
        Reply::plain("decide", lines(&recommendation.lines()), json!({"recommendation": recommendation}));
    let verdict = recommendation.verdict.name();
    let question = format!("continue or stop? cargo perf decide {verdict} --rationale 'why'");
    reply.phase = Some(Phase::Decision);
    reply.status = Status::Blocked;
    reply.end = End::Failed(Failure::new(FailureKind::Blocked, "nothing was decided").hint(question.clone()));
    reply.next = Some(NextStep::Question(question));
    reply
}
