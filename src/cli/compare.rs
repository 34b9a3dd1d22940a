//! `cargo perf compare`.

use super::arguments::Global;
use super::asked::BenchArgs;
use super::contesting::{ContestArgs, Contesting};
use super::emit::Printer;
use super::session::Session;
use super::sides::SideArgs;
use super::terms::{Alarm, TermsArgs};
use super::workplace::Workplace;
use super::{detach, narrowing};
use crate::failure::Failure;
use crate::model::bench::Benchmark;
use crate::model::comparison::Comparison;
use crate::model::outcome::NextStep;
use crate::report::comparison as rendered;
use crate::report::reply::{End, Reply};
use crate::store::comparisons;
use crate::sys::files;
use crate::sys::interrupt::Interrupt;
use serde_json::json;
use std::fmt::Write;

/// Compare two revisions: both are built apart, measured in pairs, and judged
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    sides: SideArgs,
    #[command(flatten)]
    terms: TermsArgs,
    /// End with 3 when something regressed, with 4 when something is inconclusive
    #[arg(long, value_name = "VERDICT", value_delimiter = ',', help_heading = "Judging")]
    fail_on: Vec<Alarm>,
    #[command(flatten)]
    contest: ContestArgs,
    /// Go on with a comparison that was interrupted: its id, or `last`
    #[arg(long, value_name = "RUN", help_heading = "Measuring", conflicts_with = "seed")]
    resume: Option<String>,
    #[command(flatten)]
    bench: BenchArgs,
}

/// Answers the command.
pub fn run(
    args: &Args,
    global: &Global,
    interrupt: &Interrupt,
    printer: &mut Printer,
) -> Result<Reply, Failure> {
    args.bench.measuring.expect_no_aggregate()?;
    let session = Session::open(global)?;
    let mut contesting = args.contesting(&session, global, interrupt)?;
    let mut lab = contesting.chosen.lab(&session, args.bench.measuring.timeout, interrupt, printer)?;
    if args.bench.measuring.detach {
        let planned = contesting.planned();
        let order = detach::Order { command: ("compare", None), label: None, planned, session: &session };
        return detach::start(&order, interrupt);
    }
    let built = contesting.build(&mut lab, args.resume.as_deref())?;
    let found = contesting.matched(&built)?;
    let benchmarks: Vec<&Benchmark> = found.pairs.iter().map(|pair| &pair.candidate.benchmark).collect();
    let repeated = args.repeated(global);
    if let Some(refusal) = narrowing::refusal(&benchmarks, &narrow(&contesting, &repeated)) {
        return Ok(refusal);
    }
    let place = contesting.place(&mut lab, &built, &found)?;
    let comparison = contesting.measure(&mut lab, &built, found, &place)?;
    args.reply(&comparison, &place.work, &session)
}

fn narrow<'a>(contesting: &'a Contesting<'_>, repeated: &'a [String]) -> narrowing::Asked<'a> {
    narrowing::Asked {
        command: ("compare", None),
        filter: contesting.chosen.selection.filter.as_deref(),
        expanded: Some(contesting.measuring.expanded.is_some()),
        each: contesting.typical_wall(),
        repeated,
    }
}

impl Args {
    /// What was asked, checked.
    fn contesting<'a>(
        &'a self,
        session: &'a Session,
        global: &'a Global,
        interrupt: &Interrupt,
    ) -> Result<Contesting<'a>, Failure> {
        let measuring = self.bench.measuring.checked(&session.config)?;
        let chosen = self.bench.chosen(global, session, &session.cwd)?;
        let named = self.sides.named(session, interrupt)?;
        let judging = self.terms.judging(&session.config);
        let asked = ("compare", session, global);
        Ok(Contesting::new(asked, &self.bench, (measuring, chosen), named, &self.contest, judging))
    }

    /// The arguments that a command printed for the user must repeat to mean the same.
    fn repeated(&self, global: &Global) -> Vec<String> {
        let flags = self.bench.cargo.flags(global).building();
        let sides = self.sides.words().into_iter().chain(global.repeated());
        sides.chain(flags).chain(self.bench.measuring.repeated()).collect()
    }

    fn reply(&self, comparison: &Comparison, place: &Workplace, session: &Session) -> Result<Reply, Failure> {
        let root = &session.layout.root;
        let file = files::relative(&comparisons::save(&place.folder, comparison)?.0, root);
        let mut text = rendered::text(comparison);
        let _ = writeln!(text, "everything measured is in {file}");
        let mut result = rendered::json(comparison);
        result["file"] = json!(file);
        let mut reply = Reply::plain("compare", text, result);
        reply.findings = rendered::findings(comparison, &file);
        let verify = ["cargo", "perf", "verify", &file].map(str::to_owned);
        reply.next = Some(NextStep::Argv(verify.to_vec()));
        if let Some(code) = Alarm::code(&self.fail_on, comparison) {
            reply.end = End::Alarm(code);
        }
        Ok(reply)
    }
}
