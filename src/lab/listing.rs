//! Asks each bench executable for its benchmarks, in the way of its harness.

use super::Lab;
use super::prepared::Prepared;
use crate::bench::criterion::arguments;
use crate::bench::criterion::conversation::Conversation;
use crate::bench::execute::{Purpose, execute};
use crate::bench::{contract, divan, libtest, listing};
use crate::failure::{Context, Failure, FailureKind};
use crate::model::bench::{BenchName, Benchmark, HarnessKind, Throughput};
use crate::sys::ended::{Ended, EndedByUs};
use crate::sys::invocation::{Invocation, Output};
use crate::sys::process::Alone;
use std::ffi::OsString;
use std::fs;
use std::time::Duration;

/// Listing runs the set-up code of benches that have any outside their closures; two minutes are plenty.
const LIST_DEADLINE: Duration = Duration::from_secs(120);

/// What an executable says of itself.
pub(super) enum Listed {
    /// Its benchmarks.
    Benchmarks(Vec<Benchmark>),
    /// Why it cannot be listed.
    No(String),
}

impl Lab<'_> {
    /// What is in the executable. A main of its own is never started for that: it is one benchmark, which
    /// is called like its target.
    pub(super) fn benchmarks(&mut self, prepared: &Prepared) -> Result<Listed, Failure> {
        let listed = match prepared.built.harness {
            HarnessKind::Criterion => self.criterion_benchmarks(prepared)?,
            HarnessKind::Divan => {
                let invocation = divan::listing(self.listing(prepared, divan::list()));
                self.printed_benchmarks(prepared, &invocation)?
            }
            HarnessKind::Libtest => {
                let invocation = libtest::settled(self.listing(prepared, libtest::list()));
                self.printed_benchmarks(prepared, &invocation)?
            }
            HarnessKind::PerfHarness | HarnessKind::Custom => {
                vec![benchmark(prepared, prepared.built.target.target.clone(), None, Vec::new())]
            }
            HarnessKind::External => Vec::new(),
        };
        if listed.is_empty() && prepared.built.harness == HarnessKind::Libtest {
            return Ok(Listed::No("it holds no #[bench] functions".to_owned()));
        }
        Ok(Listed::Benchmarks(listed))
    }

    fn criterion_benchmarks(&mut self, prepared: &Prepared) -> Result<Vec<Benchmark>, Failure> {
        let mut conversation = Conversation::open(None)?;
        let invocation = self.connected(prepared, arguments::list_live(), Some(conversation.port()?));
        let ended = execute(&invocation, Purpose::List, &mut conversation, self.interrupt)?;
        expect_success(&ended, prepared)?;
        let heard = conversation.into_heard();
        if heard.version.is_none() {
            let invocation = self.connected(prepared, arguments::list_printed(), None);
            return self.printed_benchmarks(prepared, &invocation);
        }
        let named = |(id, throughput)| benchmark(prepared, id, heard.version.clone(), throughput);
        Ok(heard.skipped.into_iter().map(named).collect())
    }

    fn printed_benchmarks(
        &mut self,
        prepared: &Prepared,
        invocation: &Invocation,
    ) -> Result<Vec<Benchmark>, Failure> {
        let ended = execute(invocation, Purpose::List, &mut Alone, self.interrupt)?;
        expect_success(&ended, prepared)?;
        let printed = match &ended.stdout.log {
            Some(log) => fs::read(log).context(FailureKind::Environment, || "the list is lost".to_owned())?,
            None => Vec::new(),
        };
        let ids = listing::read(&String::from_utf8_lossy(&printed));
        Ok(ids.into_iter().map(|id| benchmark(prepared, id, None, Vec::new())).collect())
    }

    fn connected(&self, prepared: &Prepared, arguments: Vec<OsString>, port: Option<u16>) -> Invocation {
        let invocation = self.listing(prepared, arguments);
        arguments::connect(invocation, &self.scratch.path().join("criterion"), port)
    }

    fn listing(&self, prepared: &Prepared, arguments: Vec<OsString>) -> Invocation {
        let output = Output::Recorded { log: self.scratch_log("list"), log_limit: 16 << 20 };
        let mut invocation = contract::silent(prepared.invocation(arguments, output));
        invocation.deadline = Some(self.timeout.unwrap_or(LIST_DEADLINE));
        invocation
    }
}

fn benchmark(
    prepared: &Prepared,
    id: String,
    version: Option<String>,
    throughput: Vec<Throughput>,
) -> Benchmark {
    Benchmark {
        name: BenchName::within(&prepared.built.target, id),
        harness: prepared.built.harness,
        harness_version: version,
        throughput,
    }
}

fn expect_success(ended: &Ended, prepared: &Prepared) -> Result<(), Failure> {
    let target = &prepared.built.target;
    let who = format!("{} of {} could not be listed", target.target, target.package);
    if ended.ended_by_us == Some(EndedByUs::Deadline) {
        return Err(Failure::benchmark(format!("{who}: it did not end within {} s", ended.wall.as_secs()))
            .hint("set-up code outside benchmark closures runs then too; allow more with --timeout"));
    }
    if ended.exit.is_success() {
        return Ok(());
    }
    let last = ended.stderr.telling_line().map(|line| format!(": {line}")).unwrap_or_default();
    let failure = Failure::benchmark(format!("{who}: it {}{last}", ended.exit));
    if prepared.built.harness == HarnessKind::Divan && last.contains("unexpected argument") {
        return Err(failure.hint("divan lists its ids since 0.1.18: cargo update -p divan"));
    }
    Err(failure.hint(format!("run it by hand: cargo bench -p {} --bench {}", target.package, target.target)))
}
