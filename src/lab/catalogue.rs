//! From a workspace to the benchmarks in it: discover, build, ask each executable.

use super::Lab;
use super::listing::Listed;
use super::prepared::Prepared;
use crate::bench::build;
use crate::bench::cargo_env;
use crate::bench::discover::{self, Workspace};
use crate::bench::selection::{Selection, near_misses};
use crate::failure::{Context, Failure, FailureKind};
use crate::model::bench::{BenchName, BenchTarget, Benchmark, BuiltBench, HarnessKind};
use crate::model::event::Event;
use crate::model::external::External;
use crate::sys::ended::Ended;
use crate::sys::files;
use crate::sys::invocation::quote;
use crate::sys::process::{self, Alone};
use std::fs::{self, File};
use std::io::BufReader;
use std::path::PathBuf;
use std::time::Instant;

/// What is started to measure a benchmark.
#[derive(Debug, Clone)]
pub enum Program {
    /// A bench executable.
    Bench(Box<Prepared>),
    /// A command.
    External(Box<External>),
}

impl Program {
    /// Sets a variable for it.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        match self {
            Self::Bench(prepared) => drop(prepared.env.insert(name.to_owned(), value.into())),
            Self::External(external) => drop(external.env.insert(name.to_owned(), value.to_owned())),
        }
    }
}

/// A benchmark and the program that measures it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The benchmark.
    pub benchmark: Benchmark,
    /// Its program.
    pub program: Program,
}

/// All benchmarks of a selection.
#[derive(Debug)]
pub struct Catalogue {
    /// The workspace; none where there is no manifest, or no bench is meant.
    pub workspace: Option<Workspace>,
    /// Benchmarks that can be named, in order of package, target and appearance.
    pub entries: Vec<Entry>,
    /// Targets whose benchmarks cannot be listed, with the reason.
    pub unlisted: Vec<(BenchTarget, HarnessKind, String)>,
    /// Targets that were not built, for lack of features.
    pub skipped: Vec<BenchTarget>,
}

impl Lab<'_> {
    /// Reads the workspace without building anything.
    pub fn discover(&mut self) -> Result<Workspace, Failure> {
        let invocation = discover::metadata_invocation(&self.flags, &self.cwd, self.scratch_log("metadata"));
        let ended = process::run(&self.for_cargo(invocation), &mut Alone, self.interrupt)?;
        if !ended.exit.is_success() {
            return Err(metadata_failure(&ended));
        }
        let json = match &ended.stdout.log {
            Some(log) => fs::read_to_string(log)
                .context(FailureKind::Environment, || "the answer of cargo metadata is lost".to_owned())?,
            None => String::new(),
        };
        discover::read(&json, &self.flags)
    }

    /// Builds the selected targets and asks each executable for its benchmarks.
    pub fn catalogue(&mut self, workspace: Workspace, selection: &Selection) -> Result<Catalogue, Failure> {
        let selected = workspace.select(selection)?;
        if selected.is_empty() {
            return Err(Failure::usage("this workspace has no bench targets").hint(
                "put a criterion bench into benches/, or choose another workspace with --manifest-path",
            ));
        }
        let (buildable, skipped): (Vec<_>, Vec<_>) =
            selected.into_iter().partition(BenchTarget::is_buildable);
        if buildable.is_empty() {
            return Err(missing_features(&skipped));
        }
        let built = self.build(&workspace, &buildable)?;
        let prepared = self.prepare(built, &workspace)?;
        let mut catalogue =
            Catalogue { workspace: Some(workspace), entries: Vec::new(), unlisted: Vec::new(), skipped };
        for prepared in prepared {
            match self.benchmarks(&prepared)? {
                Listed::Benchmarks(list) => catalogue.entries.extend(list.into_iter().map(|benchmark| {
                    Entry { benchmark, program: Program::Bench(Box::new(prepared.clone())) }
                })),
                Listed::No(why) => {
                    catalogue.unlisted.push((prepared.built.target, prepared.built.harness, why));
                }
            }
        }
        Ok(catalogue)
    }

    fn build(&mut self, workspace: &Workspace, targets: &[BenchTarget]) -> Result<Vec<BuiltBench>, Failure> {
        let log = self.scratch_log("build");
        let started = Instant::now();
        let mut built = Vec::new();
        for invocation in
            build::invocations(workspace, targets, &self.flags, &self.cwd, &log, self.build_shown)
        {
            self.report(Event::BuildStarted { command: invocation.to_string() });
            let invocation = self.for_cargo(invocation);
            let ended = process::run(&invocation, &mut Alone, self.interrupt)?;
            if !ended.exit.is_success() {
                for line in ended.stderr.tail.lines() {
                    self.report(Event::Warning { text: line.to_owned() });
                }
                return Err(Failure::new(
                    FailureKind::Build,
                    format!("cargo could not build the benches: it {}", ended.exit),
                )
                .hint(format!("see cargo's own message above, or run: {invocation}")));
            }
            if let Some(log) = &ended.stdout.log {
                let file = File::open(log)
                    .context(FailureKind::Environment, || "cargo's messages are lost".to_owned())?;
                built.extend(build::read(BufReader::new(file), targets)?);
            }
        }
        self.report(Event::BuildFinished {
            seconds: started.elapsed().as_secs_f64(),
            executables: built.len(),
        });
        Ok(built)
    }

    fn prepare(&mut self, built: Vec<BuiltBench>, workspace: &Workspace) -> Result<Vec<Prepared>, Failure> {
        let configurations = cargo_env::tables(&self.cwd)?;
        let configured = cargo_env::configured(&configurations);
        if let Some(runner) = cargo_env::runner(&configurations, self.flags.target.as_deref()) {
            let text =
                format!("cargo would start benches with `{runner}`; here they run as they are, without it");
            self.report(Event::Warning { text });
        }
        let libraries = self.standard_libraries()?;
        let kept = workspace.target_directory.join("perf/executables");
        built
            .into_iter()
            .map(|built| {
                let (executable, sha256) = files::keep_executable(&built.executable, &kept)?;
                let env = cargo_env::runtime(
                    &built,
                    &configured,
                    &workspace.target_directory,
                    libraries.as_deref(),
                )?;
                Ok(Prepared { built, executable, sha256, env })
            })
            .collect()
    }

    fn standard_libraries(&mut self) -> Result<Option<PathBuf>, Failure> {
        let log = self.scratch_log("rustc");
        let invocation = cargo_env::library_folder_invocation(self.flags.target.as_deref(), &self.cwd, log);
        let ended = process::run(&invocation, &mut Alone, self.interrupt)?;
        Ok(ended.stdout.last_line().filter(|_| ended.exit.is_success()).map(PathBuf::from))
    }
}

impl Entry {
    /// The entry of an external benchmark.
    pub fn external(external: External) -> Self {
        let benchmark = Benchmark {
            name: BenchName::external(external.id.clone()),
            harness: HarnessKind::External,
            harness_version: None,
            throughput: Vec::new(),
        };
        Self { benchmark, program: Program::External(Box::new(external)) }
    }

    /// The external benchmark, when it is one.
    pub fn as_external(&self) -> Option<&External> {
        match &self.program {
            Program::External(external) => Some(external),
            Program::Bench(_) => None,
        }
    }
}

impl Catalogue {
    /// The catalogue of external benchmarks alone.
    pub fn of_externals(externals: Vec<External>) -> Self {
        let entries = externals.into_iter().map(Entry::external).collect();
        Self { workspace: None, entries, unlisted: Vec::new(), skipped: Vec::new() }
    }

    /// The benchmarks that the filter means.
    ///
    /// # Errors
    /// `Usage` when it means none, with what comes near; `Benchmark` when there are none at all.
    pub fn filtered(&self, selection: &Selection) -> Result<Vec<&Entry>, Failure> {
        let by = |accepts: &dyn Fn(&str) -> bool| -> Vec<&Entry> {
            self.entries.iter().filter(|entry| accepts(&entry.benchmark.name.id)).collect()
        };
        // An id that holds a star is itself before it is a pattern.
        let mut found = by(&|id| selection.filter.as_deref() == Some(id));
        if found.is_empty() {
            found = by(&|id| selection.accepts_id(id));
        }
        if !found.is_empty() {
            return Ok(found);
        }
        let Some(filter) = selection.filter.as_deref().filter(|_| !self.entries.is_empty()) else {
            return Err(self.nothing_to_measure());
        };
        let known = self.entries.iter().map(|entry| entry.benchmark.name.id.as_str());
        let near = near_misses(filter, known, 3);
        let failure = Failure::usage(format!("no benchmark has the id {filter:?}"));
        Err(if near.is_empty() {
            failure.hint("--filter takes a full id, with * as wildcard; `cargo perf list` shows them")
        } else {
            let shown: Vec<String> = near.into_iter().map(quote).collect();
            failure.hint(format!("--filter takes for example: {}", shown.join(", ")))
        })
    }

    fn nothing_to_measure(&self) -> Failure {
        let reason = match self.unlisted.first() {
            Some((target, _, why)) => format!("{} of {}: {why}", target.target, target.package),
            None => "the bench targets hold no benchmarks".to_owned(),
        };
        Failure::benchmark(format!("there is nothing to measure: {reason}"))
            .hint("`cargo perf list` shows what each bench target holds")
    }
}

/// What a missing manifest, a broken one and a missing cargo have in common is cargo's own message.
fn metadata_failure(ended: &Ended) -> Failure {
    let tail = ended.stderr.tail.trim();
    let message = tail.strip_prefix("error: ").unwrap_or(tail);
    if message.contains("could not find `Cargo.toml`") {
        return Failure::usage(message.lines().next().unwrap_or(message))
            .hint("run it inside a cargo project, or name one with --manifest-path");
    }
    Failure::usage(format!("cargo cannot read the workspace: {message}"))
        .hint("`cargo metadata` shows the same message in full")
}

fn missing_features(skipped: &[BenchTarget]) -> Failure {
    let features: Vec<String> = skipped.iter().flat_map(|target| target.missing_features.clone()).collect();
    let names: Vec<&str> = skipped.iter().map(|target| target.target.as_str()).collect();
    Failure::usage(format!("the selected benches need features that are off: {}", names.join(", ")))
        .hint(format!("add --features {}", features.join(",")))
}
