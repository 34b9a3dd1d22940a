//! Rule 4: one benchmark, unless more were approved.

use crate::failure::{Failure, FailureKind};
use crate::model::bench::Benchmark;
use crate::model::outcome::{NextStep, Phase, Status};
use crate::model::rules::Rule;
use crate::report::listing;
use crate::report::reply::Reply;
use serde_json::json;
use std::time::Duration;

/// What was asked of benchmarks.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The command, and its phase if it is one.
    pub command: (&'static str, Option<Phase>),
    /// The id that was given, perhaps with wildcards.
    pub filter: Option<&'a str>,
    /// Whether more than one was approved; `None` for what is never done with several at once.
    pub expanded: Option<bool>,
    /// What one takes.
    pub each: Duration,
    /// The arguments that a command printed for the user must repeat to mean the same.
    pub repeated: &'a [String],
}

/// The refusal of more benchmarks than one, with the command for each of them.
pub fn refusal(benchmarks: &[&Benchmark], asked: &Asked<'_>) -> Option<Reply> {
    if benchmarks.len() == 1 || asked.expanded == Some(true) {
        return None;
    }
    let (name, phase) = asked.command;
    let command = |benchmark: &Benchmark| listing::command(name, benchmark, asked.repeated);
    let all = asked.each.as_secs_f64() * benchmarks.len() as f64;
    let failure = match asked.filter {
        None => Failure::new(FailureKind::Blocked, format!("{} benchmarks could be meant", benchmarks.len()))
            .hint("choose one with --filter ID"),
        Some(filter) => Rule::NarrowFirst
            .refuses(format!("{} benchmarks at once: {filter}", benchmarks.len()))
            .hint(match asked.expanded {
                Some(_) => format!(
                    "choose one, or approve all (about {} min) with --expand \"why\"",
                    (all / 60.0).ceil()
                ),
                None => "choose one with --filter ID".to_owned(),
            }),
    };
    let mut reply = Reply::failed(name, phase, failure);
    reply.text = listing::commands(benchmarks.iter().map(|benchmark| command(benchmark)), asked.each);
    reply.status = Status::Blocked;
    reply.next = Some(NextStep::Question("which benchmark? choose one with --filter ID".to_owned()));
    reply.result = json!({
        "benches": benchmarks
            .iter()
            .map(|benchmark| listing::benchmark_json(benchmark, &command(benchmark), asked.each))
            .collect::<Vec<_>>(),
    });
    Some(reply)
}
