//! What was recorded of a kernel in a condition: two numbers for each fork of three variants, round by round.

use super::kernels::VARIANTS;
use crate::start;
use cargo_perf_lab::failure::{Context, Failure, FailureKind};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The first line of a trace.
const MAGIC: &str = "# forks of three variants: a and b are the same sources, c has more work";
/// Begins the line at the end that says how many builds ended meanwhile; one that went on has several.
const BUILDS: &str = "# builds that ended meanwhile: ";
const COLUMNS: &str = "order,seconds,a_cost,a_felt,b_cost,b_felt,c_cost,c_felt";

/// What the machine did beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Nothing that was started here.
    Quiet,
    /// One build after another.
    Build,
}

impl Condition {
    pub const ALL: [Self; 2] = [Self::Quiet, Self::Build];

    pub fn name(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Build => "build",
        }
    }
}

/// One fork of each variant, one right after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    /// The variants in the order in which they ran.
    pub order: [usize; VARIANTS],
    /// Measured on average by a fork.
    pub seconds: f64,
    /// The least time per iteration of each variant, in nanoseconds.
    pub cost: [f64; VARIANTS],
    /// The median.
    pub felt: [f64; VARIANTS],
}

/// A recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    pub rounds: Vec<Round>,
    /// Builds that ended while it was made.
    pub builds: usize,
}

/// Where the recording of `kernel` in `condition` is.
pub fn file(kernel: &str, condition: Condition) -> PathBuf {
    start::root().join(format!("fixtures/verdict-traces/{kernel}-{}.csv", condition.name()))
}

/// Reads a recording; none when there is none yet.
pub fn read(path: &Path) -> Result<Option<Trace>, Failure> {
    let Ok(text) = fs::read_to_string(path) else { return Ok(None) };
    let damaged = |line: &str| Failure::state(format!("{} has no such rounds: {line}", path.display()));
    let mut lines = text.lines();
    if lines.next() != Some(MAGIC) {
        return Err(damaged("another first line was expected"));
    }
    let rounds = lines.filter(|line| !line.starts_with('#') && *line != COLUMNS);
    let rounds = rounds.map(|line| Round::parse(line).ok_or_else(|| damaged(line)));
    let builds = text.lines().filter_map(|line| line.strip_prefix(BUILDS)?.parse::<usize>().ok()).sum();
    Ok(Some(Trace { rounds: rounds.collect::<Result<_, _>>()?, builds }))
}

/// Begins a recording with lines that say where it comes from.
pub fn begin(path: &Path, facts: &[String]) -> Result<(), Failure> {
    let mut text = format!("{MAGIC}\n");
    for fact in facts {
        let _ = writeln!(text, "# {fact}");
    }
    text.push_str(COLUMNS);
    text.push('\n');
    cargo_perf_lab::sys::files::write_atomic(path, text.as_bytes())
}

/// Adds a round to a recording.
pub fn append(path: &Path, round: &Round) -> Result<(), Failure> {
    append_line(path, &round.line())
}

/// Says how many builds ended while it was made.
pub fn append_builds(path: &Path, count: usize) -> Result<(), Failure> {
    append_line(path, &format!("{BUILDS}{count}\n"))
}

fn append_line(path: &Path, line: &str) -> Result<(), Failure> {
    let what = || format!("{} cannot be written", path.display());
    let mut file = File::options().append(true).open(path).context(FailureKind::Environment, what)?;
    file.write_all(line.as_bytes()).context(FailureKind::Environment, what)
}

impl Trace {
    /// Seconds measured on each side.
    pub fn measured_s(&self) -> f64 {
        self.rounds.iter().map(|round| round.seconds).sum()
    }

    /// Rounds that a series of `seconds` has.
    pub fn rounds_of(&self, seconds: f64) -> usize {
        let each = self.measured_s() / self.rounds.len().max(1) as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small positive number"
        )]
        let rounds = (seconds / each).ceil() as usize;
        rounds
    }
}

impl Round {
    fn line(&self) -> String {
        let order: String = self.order.iter().map(|variant| ["a", "b", "c"][*variant]).collect();
        let mut line = format!("{order},{:.4}", self.seconds);
        for variant in 0..VARIANTS {
            let _ = write!(line, ",{:.3},{:.3}", self.cost[variant], self.felt[variant]);
        }
        line.push('\n');
        line
    }

    fn parse(line: &str) -> Option<Self> {
        let mut cells = line.split(',');
        let order: Vec<usize> =
            cells.next()?.chars().map(|variant| "abc".find(variant)).collect::<Option<_>>()?;
        let numbers: Vec<f64> = cells.map(|cell| cell.parse().ok()).collect::<Option<_>>()?;
        let [seconds, values @ ..] = numbers.as_slice() else { return None };
        let of = |first: usize| -> Option<[f64; VARIANTS]> {
            values.iter().skip(first).step_by(2).copied().collect::<Vec<_>>().try_into().ok()
        };
        let positive = values.iter().all(|value| *value > 0.0 && value.is_finite());
        positive.then_some(())?;
        Some(Self { order: order.try_into().ok()?, seconds: *seconds, cost: of(0)?, felt: of(1)? })
    }
}
