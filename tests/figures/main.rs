//! The suite behind every claim of this project about its own performance: `cargo bench --bench figures`.
//!
//! It rewrites `docs/figures.md` and the figures of `docs/verdicts.md`, `docs/experiments.md`, `docs/load-search.md` and
//! `docs/breaking-point.md`. A bound that is missed is published as missed and is no error; an error is what
//! could not be measured.

mod counting;
mod driven;
mod experiments;
mod grammar;
mod listing;
mod noise;
mod overhead;
mod own_cost;
mod page;
mod search;
mod server;
mod start;
mod state;
mod status;
mod verdicts;

use cargo_perf_lab::failure::{Context, Failure, FailureKind};
use cargo_perf_lab::model::duration::{FULL, parse_seconds};
use cargo_perf_lab::sys::interrupt::Interrupt;
use page::{Circumstances, Figure, Page};
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;
use tempfile::TempDir;
use verdicts::kernels::Kernel;
use verdicts::traces::Condition;

/// What can be named on the command line, where it is published, and what measures it.
const PARTS: [(&str, Page, Measure); 15] = [
    ("overhead", Page::Figures, overhead::measure),
    ("list", Page::Figures, listing::measure),
    ("driven", Page::Figures, driven::measure),
    ("grammar", Page::Figures, grammar::measure),
    ("counting", Page::Figures, counting::measure),
    ("state", Page::Figures, state::measure),
    ("status", Page::Figures, status::measure),
    ("noise", Page::Figures, noise::measure),
    ("replay", Page::Verdicts, verdicts::replay::measure),
    ("engine", Page::Verdicts, verdicts::engine::measure),
    ("live", Page::Verdicts, verdicts::live::measure),
    ("experiments", Page::Experiments, experiments::measure),
    ("search", Page::LoadSearch, search::measure),
    ("server", Page::BreakingPoint, server::measure),
    ("stall", Page::BreakingPoint, server::measure_stall),
];

type Measure = fn(&Setting) -> Result<Vec<Figure>, Failure>;

/// What every part needs.
#[derive(Debug)]
pub struct Setting {
    /// Less than what counts, to try the suite itself.
    short: Option<Duration>,
    /// Signals to us.
    pub interrupt: Interrupt,
    /// Where state and logs of the runs go; gone at the end.
    pub scratch: TempDir,
}

impl Setting {
    fn new(short: Option<Duration>) -> Result<Self, Failure> {
        let scratch = tempfile::Builder::new().prefix("figures-").tempdir();
        Ok(Self {
            short,
            interrupt: Interrupt::install()?,
            scratch: scratch
                .context(FailureKind::Environment, || "no temporary folder can be made".to_owned())?,
        })
    }

    /// Seconds to be measured in a run that would count with `full`.
    pub fn measured(&self, full: Duration) -> Duration {
        self.short.map_or(full, |short| short.min(full))
    }

    /// Whether it is only tried.
    pub fn is_short(&self) -> bool {
        self.short.is_some()
    }

    /// Repetitions where `full` would count.
    pub fn repetitions(&self, full: usize, fewest: usize) -> usize {
        if self.short.is_some() { fewest } else { full }
    }
}

/// What the command line asks for.
#[derive(Debug, Default)]
struct Request {
    parts: Vec<&'static str>,
    left_out: Vec<&'static str>,
    short: Option<Duration>,
    /// To be recorded instead of measuring anything.
    record: Option<(Kernel, Condition)>,
}

impl Request {
    fn parse(args: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut request = Self::default();
        let mut args = args;
        while let Some(word) = args.next() {
            match word.as_str() {
                // Cargo adds it.
                "--bench" => {}
                "--seconds" => request.short = Some(short(args.next().as_deref())?),
                "--without" => request.left_out.push(part(&args.next().unwrap_or_default())?),
                "record" => {
                    let kernel = verdicts::kernels::kernel(&args.next().unwrap_or_default())?;
                    request.record = Some((kernel, condition(&args.next().unwrap_or_default())?));
                }
                name => request.parts.push(part(name)?),
            }
        }
        Ok(request)
    }

    fn wants(&self, name: &str) -> bool {
        (self.parts.is_empty() || self.parts.contains(&name)) && !self.left_out.contains(&name)
    }

    fn command(&self) -> String {
        let mut words = vec!["cargo bench --bench figures"];
        if !(self.parts.is_empty() && self.left_out.is_empty()) {
            words.push("--");
        }
        words.extend(&self.parts);
        words.extend(self.left_out.iter().flat_map(|name| ["--without", name]));
        words.join(" ")
    }
}

fn short(value: Option<&str>) -> Result<Duration, Failure> {
    let seconds = parse_seconds(value.unwrap_or_default()).map_err(Failure::usage)?;
    if seconds >= FULL {
        return Err(Failure::usage("--seconds is for trying the suite with fewer than 60"));
    }
    Ok(seconds)
}

fn condition(name: &str) -> Result<Condition, Failure> {
    Condition::ALL.into_iter().find(|condition| condition.name() == name).ok_or_else(|| {
        Failure::usage(format!("there is no condition {name:?}")).hint("there are: quiet, build")
    })
}

fn part(name: &str) -> Result<&'static str, Failure> {
    let known = PARTS.map(|(known, ..)| known);
    known.into_iter().find(|known| *known == name).ok_or_else(|| {
        Failure::usage(format!("there is no figure {name:?}"))
            .hint(format!("there are: {}; --seconds N tries them without a record", known.join(", ")))
    })
}

/// Progress, on standard error.
pub fn say(text: &str) {
    // Nobody reads it when it cannot be written.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn main() -> ExitCode {
    match run() {
        Ok(complete) => ExitCode::from(u8::from(!complete)),
        Err(failure) => {
            say_failure("error", &failure);
            ExitCode::from(failure.kind.exit_code())
        }
    }
}

fn say_failure(what: &str, failure: &Failure) {
    say(&format!("{what}: {failure}"));
    if let Some(hint) = &failure.hint {
        say(&format!("help: {hint}"));
    }
}

/// Measures and publishes what was asked for; whether all of it could be measured.
fn run() -> Result<bool, Failure> {
    let request = Request::parse(std::env::args().skip(1))?;
    start::build_fixtures_apart(request.short.is_some())?;
    let setting = Setting::new(request.short)?;
    if let Some((kernel, condition)) = request.record {
        verdicts::record::record(&setting, kernel, condition)?;
        return Ok(true);
    }
    let circumstances = Circumstances::now(request.command());
    let mut figures = Vec::new();
    let mut complete = true;
    for (name, page, measure) in PARTS.into_iter().filter(|(name, ..)| request.wants(name)) {
        match measure(&setting) {
            Ok(measured) => figures.extend(measured.into_iter().map(|figure| (page, figure))),
            Err(failure) => {
                // After a signal the rest would fail alike.
                setting.interrupt.check()?;
                say_failure(&format!("{name} could not be measured"), &failure);
                complete = false;
            }
        }
    }
    publish(&request, &circumstances, &figures, complete)?;
    Ok(complete)
}

/// The tables on standard output; and, for a run that counts, in files.
///
/// A page is that of one complete run: a part of it would replace figures that were not measured.
fn publish(
    request: &Request,
    circumstances: &Circumstances,
    figures: &[(Page, Figure)],
    complete: bool,
) -> Result<(), Failure> {
    let tables = |wanted: Option<Page>| -> String {
        let of = figures.iter().filter(|(page, _)| wanted.is_none_or(|wanted| wanted == *page));
        of.map(|(_, figure)| figure.render()).collect()
    };
    let _ = std::io::stdout().write_all(tables(None).as_bytes());
    if request.short.is_some() {
        say("shortened, so nothing is recorded");
        return Ok(());
    }
    let sha256 = circumstances.store_raw(figures.iter().map(|(_, figure)| figure))?;
    for page in Page::ALL {
        let whole = PARTS.iter().filter(|(_, own, _)| *own == page).all(|(name, ..)| request.wants(name));
        if complete && whole {
            circumstances.write(page, &sha256, &tables(Some(page)))?;
        } else {
            say(&format!("not all of its figures were measured, so {} stays as it is", page.document()));
        }
    }
    Ok(())
}
