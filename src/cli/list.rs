//! `cargo perf list`.

use super::arguments::{CargoArgs, Choice, Global};
use super::choosing::Chosen;
use super::emit::Printer;
use super::session::Session;
use crate::failure::Failure;
use crate::lab::{Lab, plan};
use crate::model::bench::Benchmark;
use crate::model::duration::{RunDuration, parse_timeout};
use crate::model::external::External;
use crate::report::listing;
use crate::report::reply::Reply;
use crate::sys::interrupt::Interrupt;
use serde_json::{Value, json};

/// List the benches of the workspace, with the time a baseline of each takes
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Build nothing; show bench targets as their manifests declare them
    #[arg(long)]
    no_build: bool,
    /// End a bench that takes longer than this to say what it holds
    #[arg(long, value_name = "SECONDS", value_parser = parse_timeout)]
    timeout: Option<std::time::Duration>,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    cargo: CargoArgs,
}

/// Answers the command.
pub fn run(
    args: &Args,
    global: &Global,
    interrupt: &Interrupt,
    printer: &mut Printer,
) -> Result<Reply, Failure> {
    let session = Session::open(global)?;
    let shown = printer.shares_stderr();
    let chosen = Chosen::new(&args.choice, &args.cargo, global, &session)?;
    let timeout = args.timeout.or(session.config.defaults.timeout);
    let flags = chosen.flags.clone();
    let mut lab = Lab::new(session.cwd.clone(), flags, timeout, shown, interrupt, printer)?;
    if args.no_build {
        return declared(&chosen, &mut lab, &session);
    }
    let selection = &chosen.selection;
    let workspace = chosen.workspace(&mut lab, &session)?;
    let catalogue = chosen.catalogue(&mut lab, workspace)?;
    let empty = catalogue.entries.is_empty() && selection.filter.is_none();
    let entries = if empty { Vec::new() } else { catalogue.filtered(selection)? };
    let benchmarks: Vec<&Benchmark> = entries.into_iter().map(|entry| &entry.benchmark).collect();
    let each = plan::typical_wall(&RunDuration::full());
    let repeated: Vec<String> =
        global.repeated().into_iter().chain(args.cargo.flags(global).building()).collect();
    let text = listing::benchmarks(&benchmarks, each)
        + &listing::unlisted(&catalogue.unlisted)
        + &listing::missing(catalogue.skipped.iter());
    let unlisted: Vec<Value> = catalogue
        .unlisted
        .iter()
        .map(|(target, harness, why)| {
            json!({"package": target.package, "target": target.target, "harness": harness.name(), "reason": why})
        })
        .collect();
    let result = json!({
        "benches": benchmarks.iter().map(|benchmark| listing::benchmark_json(benchmark, &listing::command("baseline", benchmark, &repeated), each)).collect::<Vec<_>>(),
        "unlisted": unlisted,
        "skipped": catalogue.skipped.iter().map(listing::target_json).collect::<Vec<_>>(),
    });
    Ok(Reply::plain("list", text, result))
}

/// What manifests and configuration declare, with nothing built.
fn declared(chosen: &Chosen, lab: &mut Lab<'_>, session: &Session) -> Result<Reply, Failure> {
    let workspace = chosen.workspace(lab, session)?;
    let targets = workspace.map(|found| found.select(&chosen.selection)).transpose()?.unwrap_or_default();
    let externals: Vec<&External> =
        chosen.externals.iter().filter(|external| chosen.selection.accepts_id(&external.id)).collect();
    let text = if targets.is_empty() && externals.is_empty() {
        "there are no bench targets and no external benchmarks\n".to_owned()
    } else {
        listing::targets(&targets) + &listing::externals(&externals)
    };
    let result = json!({
        "targets": targets.iter().map(listing::target_json).collect::<Vec<_>>(),
        "externals": externals.iter().map(|external| listing::external_json(external)).collect::<Vec<_>>(),
    });
    Ok(Reply::plain("list", text, result))
}
