//! Flags of all commands that measure, and their translation into a checked demand.

use crate::bench::command_line;
use crate::failure::Failure;
use crate::lab::catalogue::Entry;
use crate::lab::demand::Demand;
use crate::model::bench::{HarnessKind, Precision};
use crate::model::duration::{FULL, RunDuration, parse_seconds, parse_timeout};
use crate::model::external::External;
use crate::model::metric::{Aggregate, MetricSpec, parse_declaration};
use crate::model::waiver::Waiver;
use crate::store::config::Config;
use crate::sys::slot::Patience;
use crate::sys::{clock, host};
use std::path::Path;
use std::time::Duration;

/// Approves a run of less than sixty seconds; its value is stored as the approval.
const ALLOW_SHORT: &str = "PERF_ALLOW_SHORT";

/// How to measure.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Measuring")]
pub struct MeasuringArgs {
    /// Seconds that the samples must sum to (default: 60, a probe of a load 30; fewer need --approve-short)
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub duration: Option<Duration>,
    /// Approve fewer seconds than that; the reason is stored with the result
    #[arg(long, value_name = "WHY")]
    pub approve_short: Option<String>,
    /// Approve several benches in one baseline; the reason is stored with the result
    #[arg(long, value_name = "WHY")]
    pub expand: Option<String>,
    /// Store a series although it disagrees with itself; the reason is stored with the result
    #[arg(long, value_name = "WHY")]
    pub accept_noise: Option<String>,
    /// Run a program this often from start to end instead of once for a duration (3 or more)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(3..=10_000), conflicts_with = "duration")]
    pub runs: Option<u32>,
    /// How the runs become one value: median, mean, min or max (default: median)
    #[arg(long, value_name = "HOW", requires = "runs", conflicts_with_all = ["duration", "warm_up"])]
    pub aggregate: Option<Aggregate>,
    /// The load, which a program finds in `PERF_PARAM_VALUE`
    #[arg(long, value_name = "NUMBER", value_parser = parse_parameter)]
    pub param_value: Option<String>,
    /// Declare unit and direction of a metric, as in `mean_ms:ms:lower` (repeatable)
    #[arg(long = "metric", value_name = "NAME:UNIT:lower|higher", value_parser = parse_declaration)]
    pub metrics: Vec<(String, MetricSpec)>,
    /// End a process that runs longer than this (default: ten times what is expected, a probe of a load twice)
    #[arg(long, value_name = "SECONDS", value_parser = parse_timeout)]
    pub timeout: Option<Duration>,
    /// Fail at once when another benchmark holds the machine
    #[arg(long)]
    pub no_wait: bool,
    /// Return at once while the run goes on by itself; cargo perf wait has its answer
    #[arg(long)]
    pub detach: bool,
}

/// The flags that choose a bench. Each flag about a command excludes them itself: what requires
/// `--command` is let pass where a flag is given that `--command` excludes.
const BENCH_FLAGS: [&str; 3] = ["package", "bench", "filter"];

/// A command that is measured without being in perf.toml.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Choosing a command instead of a bench")]
pub struct CommandArgs {
    /// Measure this command, which prints `PERF_METRICS`; split into words as a shell would
    #[arg(long, value_name = "COMMAND", conflicts_with_all = BENCH_FLAGS)]
    pub command: Option<String>,
    /// Hand the command to sh
    #[arg(long, requires = "command", conflicts_with_all = BENCH_FLAGS)]
    pub shell: bool,
    /// Ask the command to warm up for so long inside the measured run, in `PERF_WARMUP_DURATION`
    #[arg(
        long,
        value_name = "SECONDS",
        requires = "command",
        conflicts_with = "runs",
        conflicts_with_all = BENCH_FLAGS,
        value_parser = parse_timeout
    )]
    pub warm_up: Option<Duration>,
}

/// A flag that not every benchmark can follow.
struct PartialFlag {
    name: &'static str,
    given: bool,
    purpose: &'static str,
    suits: fn(HarnessKind) -> bool,
    instead: &'static str,
}

/// What was asked of measuring, checked.
#[derive(Debug)]
pub struct Measuring {
    /// What is asked of each benchmark.
    pub demand: Demand,
    /// The approval of several benches.
    pub expanded: Option<Waiver>,
    /// The approval of series that disagree with themselves.
    pub noise_accepted: Option<Waiver>,
    /// Whether to wait for the machine.
    pub patience: Patience,
}

impl MeasuringArgs {
    /// Checks what was asked; `config` says what is meant otherwise.
    ///
    /// # Errors
    /// `Usage` and `Rule`, naming the flag.
    pub fn checked(&self, config: &Config) -> Result<Measuring, Failure> {
        let by_variable =
            || by_variable(ALLOW_SHORT).filter(|_| self.duration.is_some_and(|asked| asked < FULL));
        let short = self.approve_short.as_deref().map(waiver).or_else(by_variable);
        let duration = if self.runs.is_some() {
            if short.is_some() {
                return Err(Failure::usage(
                    "--approve-short does not go with --runs, whose number is the approval",
                ));
            }
            RunDuration::full()
        } else {
            let asked = self.duration.or_else(|| config.defaults.duration.filter(|_| short.is_none()));
            RunDuration::new(asked, short)?
        };
        let noise_accepted = approval(self.accept_noise.as_deref(), "--accept-noise")?;
        Ok(Measuring {
            demand: Demand {
                duration,
                runs: self.runs.map(|runs| (runs, self.aggregate.unwrap_or_default())),
                parameter: self.param_value.clone(),
                metrics: config.metrics.clone(),
                named_metrics: self.metrics.iter().cloned().collect(),
                noise_accepted: noise_accepted.is_some(),
            },
            expanded: approval(self.expand.as_deref(), "--expand")?,
            noise_accepted,
            patience: if self.no_wait { Patience::NoWait } else { Patience::Wait },
        })
    }

    /// The approval of a short probe: that of the flag where `flag` counts, else that of the variable where it
    /// `is_short`.
    pub fn short_waiver(&self, flag: bool, is_short: bool) -> Option<Waiver> {
        let given = self.approve_short.as_deref().filter(|_| flag).map(waiver);
        given.or_else(|| by_variable(ALLOW_SHORT).filter(|_| is_short))
    }

    /// Takes from `before` what was not given here. A length is taken as a whole, with its approval.
    pub fn complete(&mut self, before: &Self) {
        let has_length = self.duration.is_some() || self.runs.is_some() || self.approve_short.is_some();
        if !has_length {
            self.duration = before.duration;
            self.approve_short.clone_from(&before.approve_short);
            self.runs = before.runs;
            self.aggregate = before.aggregate;
        }
        self.param_value = self.param_value.take().or_else(|| before.param_value.clone());
        self.timeout = self.timeout.or(before.timeout);
        let named = |name: &str| self.metrics.iter().any(|(given, _)| given == name);
        let more: Vec<_> = before.metrics.iter().filter(|(name, _)| !named(name)).cloned().collect();
        self.metrics.extend(more);
    }

    /// The flags that a command printed for the user must repeat. Other approvals than that of a short
    /// run belong to what was measured, and not to what will be.
    pub fn repeated(&self) -> Vec<String> {
        let seconds = |time: Duration| time.as_secs_f64().to_string();
        let aggregate = self.aggregate.map(|aggregate| aggregate.name().to_owned());
        let given = [
            ("--approve-short", self.approve_short.clone()),
            ("--duration", self.duration.map(seconds)),
            ("--runs", self.runs.map(|runs| runs.to_string())),
            ("--aggregate", aggregate),
            ("--param-value", self.param_value.clone()),
            ("--timeout", self.timeout.map(seconds)),
        ];
        let metrics = self.metrics.iter().map(|(name, spec)| ("--metric", Some(spec.declaration(name))));
        let given = given.into_iter().chain(metrics);
        given.filter_map(|(flag, value)| Some([flag.to_owned(), value?])).flatten().collect()
    }

    /// Refuses to put runs together where each is one of a pair.
    ///
    /// # Errors
    /// `Usage`.
    pub fn expect_no_aggregate(&self) -> Result<(), Failure> {
        match self.aggregate {
            None => Ok(()),
            Some(_) => Err(Failure::usage("--aggregate means nothing where runs are compared in pairs")
                .hint("leave it away: a verdict rests on the ratio of each pair")),
        }
    }

    /// The flags that not every benchmark can follow.
    fn partial(&self) -> [PartialFlag; 3] {
        [
            PartialFlag {
                name: "--runs",
                given: self.runs.is_some(),
                purpose: "is for programs that compute their metrics",
                suits: |kind| kind.precision() == Precision::Metrics,
                instead: ": its 60 s are measured in as many forks as fit",
            },
            PartialFlag {
                name: "--metric",
                given: !self.metrics.is_empty(),
                purpose: "is for programs that print metrics",
                suits: HarnessKind::is_program,
                instead: ": cost and felt have unit and direction already",
            },
            PartialFlag {
                name: "--param-value",
                given: self.param_value.is_some(),
                purpose: "is read by programs",
                suits: HarnessKind::is_program,
                instead: ", or measure a program that reads PERF_PARAM_VALUE",
            },
        ]
    }

    /// Refuses flags that a benchmark cannot follow, and a benchmark whose program is not there.
    ///
    /// # Errors
    /// `Usage`, naming the flag; `Environment`, naming the program.
    pub fn expect_possible(&self, entries: &[&Entry]) -> Result<(), Failure> {
        // Before the machine is taken: a word mistyped costs no waiting.
        for entry in entries {
            if let Some(external) = entry.as_external() {
                if !external.directory.is_dir() {
                    let (id, folder) = (&external.id, external.directory.display());
                    return Err(Failure::usage(format!("{id} is to run in {folder}, which is no folder"))
                        .hint("directory in perf.toml is relative to that file"));
                }
                command_line::find_program(external)?;
            }
        }
        for flag in self.partial().into_iter().filter(|flag| flag.given) {
            let deaf = entries.iter().find(|entry| !(flag.suits)(entry.benchmark.harness));
            if let Some(Entry { benchmark, .. }) = deaf {
                let (name, kind) = (&benchmark.name, benchmark.harness.name());
                let message = format!("{} {}, {name} is a {kind} bench", flag.name, flag.purpose);
                return Err(Failure::usage(message).hint(format!("leave {} away{}", flag.name, flag.instead)));
            }
        }
        Ok(())
    }
}

impl CommandArgs {
    /// The command as an external benchmark that runs in `directory`.
    ///
    /// # Errors
    /// `Usage` for a command that cannot be started as it stands.
    pub fn external(&self, directory: &Path) -> Result<Option<External>, Failure> {
        let Some(line) = &self.command else { return Ok(None) };
        let argv = command_line::split(line, self.shell)?;
        Ok(Some(External {
            id: line.split_whitespace().collect::<Vec<_>>().join(" "),
            argv,
            directory: directory.to_path_buf(),
            warm_up: self.warm_up,
            ..External::default()
        }))
    }
}

/// The approval that a flag gives.
///
/// # Errors
/// `Usage` for one without a reason.
pub fn approval(reason: Option<&str>, flag: &str) -> Result<Option<Waiver>, Failure> {
    if reason.is_some_and(|text| text.trim().is_empty()) {
        return Err(Failure::usage(format!("{flag} needs a reason, which is stored with the result")));
    }
    Ok(reason.map(waiver))
}

/// The approval that a variable gives: it is recorded as any other one is.
pub fn by_variable(name: &str) -> Option<Waiver> {
    let value = std::env::var(name).ok().filter(|value| !["", "0"].contains(&value.trim()))?;
    Some(waiver(&format!("{name}={value}")))
}

fn waiver(text: &str) -> Waiver {
    Waiver { who: host::user(), text: text.to_owned(), when: clock::now_rfc3339() }
}

/// A plain decimal, as benchmarks read it.
fn parse_parameter(text: &str) -> Result<String, String> {
    let told = |name: &str| (name == perf_harness::PARAMETER).then(|| text.into());
    match perf_harness::Request::read(told) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("expected a plain decimal, as in 250 or 0.5".to_owned()),
    }
}
