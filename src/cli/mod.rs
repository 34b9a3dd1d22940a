//! The command line: arguments in, one answer out, an exit code.

pub mod against;
pub mod apply;
pub mod arguments;
pub mod asked;
pub mod baseline;
pub mod baselines;
pub mod bisect_load;
pub mod cancel;
pub mod choosing;
pub mod compare;
pub mod completions;
pub mod consolidate;
pub mod contesting;
pub mod decide;
pub mod detach;
pub mod doctor;
pub mod emit;
pub mod experiment;
pub mod guide;
mod interrupted;
pub mod investigating;
pub mod list;
pub mod load;
pub mod log;
pub mod man;
pub mod measuring;
pub mod narrowing;
pub mod next;
pub mod proposal;
pub mod report;
pub mod runs;
pub mod session;
pub mod settling;
pub mod setup;
pub mod sides;
pub mod status;
pub mod switch;
pub mod terms;
pub mod verify;
pub mod wait;
pub mod within;
pub mod workplace;

use crate::failure::{Failure, FailureKind};
use crate::model::outcome::Phase;
use crate::report::reply::Reply;
use crate::sys::interrupt::Interrupt;
use arguments::{Global, split_global};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use detach::Supervised;
use emit::Printer;
use std::ffi::OsString;
use std::panic;
use std::path::Path;
use std::process::ExitCode;

/// Find the benches of a workspace and measure them in a way that can be trusted
#[derive(Debug, Parser)]
#[command(
    name = "cargo perf",
    bin_name = "cargo perf",
    version,
    propagate_version = false,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done, 1 our bug, 2 usage, 5 a rule refused, 6 blocked, 7 the benchmark failed, \
                  8 environment, 9 machine taken, 10 state damaged, 75 still running, 101 build failed, 128+n \
                  signal n. \
                  `cargo perf guide` explains them and the rules"
)]
pub struct CargoPerf {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: Global,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Args),
    Setup(setup::Args),
    Baseline(baseline::Args),
    Baselines(baselines::Args),
    BisectLoad(bisect_load::Args),
    Experiment(experiment::Args),
    Apply(apply::Args),
    Decide(decide::Args),
    Consolidate(consolidate::Args),
    Compare(compare::Args),
    Verify(verify::Args),
    Status(status::Args),
    Next(next::Args),
    Log(log::Args),
    Report(report::Args),
    Switch(switch::Args),
    Wait(wait::Args),
    Cancel(cancel::Args),
    Guide(guide::Args),
    Man(man::Args),
    Completions(completions::Args),
    Doctor(doctor::Args),
}

impl Command {
    fn name(&self) -> (&'static str, Option<Phase>) {
        match self {
            Self::List(_) => ("list", None),
            Self::Setup(_) => ("setup", Some(Phase::Setup)),
            Self::Baseline(_) => ("baseline", Some(Phase::Baseline)),
            Self::Baselines(_) => ("baselines", None),
            Self::BisectLoad(_) => ("bisect-load", Some(Phase::BreakingPoint)),
            Self::Experiment(_) => ("experiment", Some(Phase::Optimization)),
            Self::Apply(_) => ("apply", None),
            Self::Decide(_) => ("decide", Some(Phase::Decision)),
            Self::Consolidate(_) => ("consolidate", Some(Phase::Consolidation)),
            Self::Compare(_) => ("compare", None),
            Self::Verify(_) => ("verify", None),
            Self::Status(_) => ("status", None),
            Self::Next(_) => ("next", None),
            Self::Log(_) => ("log", None),
            Self::Report(_) => ("report", None),
            Self::Switch(_) => ("switch", None),
            Self::Wait(_) => ("wait", None),
            Self::Cancel(_) => ("cancel", None),
            Self::Guide(_) => ("guide", None),
            Self::Man(_) => ("man", None),
            Self::Completions(_) => ("completions", None),
            Self::Doctor(_) => ("doctor", None),
        }
    }

    fn run(self, global: &Global, interrupt: &Interrupt, printer: &mut Printer) -> Result<Reply, Failure> {
        match self {
            Self::List(args) => list::run(&args, global, interrupt, printer),
            Self::Setup(args) => setup::run(&args, global, interrupt, printer),
            Self::Baseline(args) => baseline::run(&args, global, interrupt, printer),
            Self::Baselines(args) => baselines::run(&args, global),
            Self::BisectLoad(args) => bisect_load::run(&args, global, interrupt, printer),
            Self::Experiment(args) => experiment::run(&args, global, interrupt, printer),
            Self::Apply(args) => apply::run(&args, global, interrupt),
            Self::Decide(args) => decide::run(&args, global, interrupt, printer),
            Self::Consolidate(args) => consolidate::run(&args, global, interrupt, printer),
            Self::Compare(args) => compare::run(&args, global, interrupt, printer),
            Self::Verify(args) => verify::run(&args, global),
            Self::Status(args) => status::run(&args, global),
            Self::Next(args) => next::run(&args, global, interrupt, printer),
            Self::Log(args) => log::run(&args, global),
            Self::Report(args) => report::run(&args, global),
            Self::Switch(args) => switch::run(&args, global),
            Self::Wait(args) => wait::run(&args, global, interrupt, printer),
            Self::Cancel(args) => cancel::run(&args, global, interrupt, printer),
            Self::Guide(args) => Ok(guide::run(&args)),
            Self::Man(args) => man::run(&args),
            Self::Completions(args) => Ok(completions::run(&args)),
            Self::Doctor(args) => doctor::run(&args, global, interrupt, printer),
        }
    }
}

/// The whole program: from arguments to the exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = without_subcommand_name(args.into_iter().collect());
    let (json, events) = split_global(&args);
    let mut printer = Printer::new(json, events);
    let mut parsed = match CargoPerf::try_parse_from(&args) {
        Ok(parsed) => parsed,
        Err(error) => return refused(&error, &printer),
    };
    let (name, phase) = parsed.command.name();
    silence_panics();
    let run = panic::catch_unwind(panic::AssertUnwindSafe(|| {
        let interrupt = Interrupt::install()?;
        parsed.global.supervised = Supervised::take_over()?;
        parsed.command.run(&parsed.global, &interrupt, &mut printer)
    }));
    let reply = match run {
        Ok(Ok(reply)) => reply,
        Ok(Err(failure)) => Reply::failed(name, phase, failure),
        Err(panic) => Reply::failed(name, phase, bug(panic.as_ref())),
    };
    printer.finish();
    let code = printer.reply(&reply);
    let recorded =
        parsed.global.supervised.map_or(Ok(()), |supervised| supervised.ended(code, reply.failure()));
    if let Err(failure) = recorded {
        // Whoever waits will find that the run ended without an answer, and this beside it.
        printer.error_text(&format!("error: {failure}\n"));
    }
    ExitCode::from(code)
}

/// The command tree, for tests of the documents.
pub fn command() -> clap::Command {
    CargoPerf::command()
}

/// `cargo perf …` starts `cargo-perf perf …`; both forms and the bare one mean the same.
fn without_subcommand_name(mut args: Vec<OsString>) -> Vec<OsString> {
    if args.get(1).is_some_and(|word| word == "perf" || word == "perf-lab") {
        args.remove(1);
    }
    args
}

/// The command of this process as one would type it, for records of how a result was made.
fn own_command() -> Vec<String> {
    let args = without_subcommand_name(std::env::args_os().collect());
    let given = args.iter().skip(1).map(|word| word.to_string_lossy().into_owned());
    ["cargo", "perf"].map(str::to_owned).into_iter().chain(given).collect()
}

/// The same for what is stored, and committed with it: paths below the root are relative to it, and of others only
/// the last part is told, because where things lie on this machine is nobody's business.
fn stored_command(root: &Path) -> Vec<String> {
    own_command().iter().map(|word| stored_word(word, root)).collect()
}

fn stored_word(word: &str, root: &Path) -> String {
    let inside = word.replace(&format!("{}/", root.display()), "");
    let (flag, path) = match inside.split_once('=') {
        Some((flag, path)) if flag.starts_with("--") => (format!("{flag}="), path.to_owned()),
        _ => (String::new(), inside.clone()),
    };
    let outside = Path::new(&path);
    match outside.file_name().filter(|_| outside.is_absolute() && !path.contains(char::is_whitespace)) {
        Some(name) => format!("{flag}…/{}", name.to_string_lossy()),
        None => inside,
    }
}

fn refused(error: &clap::Error, printer: &Printer) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let text = error.render().to_string();
            let help = Reply::plain("help", text.clone(), serde_json::Value::String(text));
            ExitCode::from(printer.reply(&help))
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand if !printer.is_json() => {
            printer.error_text(&error.render().ansi().to_string());
            ExitCode::from(FailureKind::Usage.exit_code())
        }
        _ => {
            let text = error.render().to_string();
            let mut parts = text.split("\n\n");
            let first = parts.next().unwrap_or_default();
            let first = first.strip_prefix("error: ").unwrap_or(first);
            let message = first.split_whitespace().collect::<Vec<_>>().join(" ");
            let tip = parts.find_map(|part| part.trim().strip_prefix("tip: ").map(str::to_owned));
            let failure = Failure::usage(message)
                .hint(tip.unwrap_or_else(|| "`cargo perf help` shows commands and flags".to_owned()));
            ExitCode::from(printer.reply(&Reply::failed("usage", None, failure)))
        }
    }
}

/// A panic is reported once, as our bug, after guards have run; the default report would come first.
fn silence_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
        PANIC_PLACE.with(|cell| *cell.borrow_mut() = place);
    }));
}

thread_local! {
    static PANIC_PLACE: std::cell::RefCell<String> = const { std::cell::RefCell::new(String::new()) };
}

fn bug(panic: &(dyn std::any::Any + Send)) -> Failure {
    let said = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic".to_owned());
    let place = PANIC_PLACE.with(|cell| cell.borrow().clone());
    Failure::new(FailureKind::Bug, format!("{said}{place}"))
        .hint("this is a bug of cargo perf; please report it with the command you ran")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_argument_definitions_are_consistent() {
        command().debug_assert();
    }

    #[test]
    fn stored_commands_name_no_place_outside_of_the_project() {
        let word = |word: &str| stored_word(word, Path::new("/home/ann/project"));
        assert_eq!(word("/home/ann/project/perf/x.patch"), "perf/x.patch");
        assert_eq!(word("/home/ann/x.patch"), "…/x.patch");
        assert_eq!(word("--worktree-dir=/big/disk"), "--worktree-dir=…/disk");
        assert_eq!(word("--success=cost <= baseline * 0.9"), "--success=cost <= baseline * 0.9");
        assert_eq!(word("node bench.mjs /p50"), "node bench.mjs /p50");
    }

    #[test]
    fn the_name_that_cargo_passes_on_is_not_a_command() {
        let args = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let stripped = without_subcommand_name(args(&["cargo-perf", "perf", "list"]));
        assert_eq!(stripped, args(&["cargo-perf", "list"]));
        assert_eq!(without_subcommand_name(args(&["cargo-perf", "list"])), args(&["cargo-perf", "list"]));
    }
}
