//! One fork: a process that measures one benchmark for a short time.

use super::Lab;
use super::catalogue::Entry;
use crate::bench::criterion::arguments::{self, ForkRequest};
use crate::bench::criterion::conversation::{Announced, Conversation, Heard};
use crate::bench::criterion::{Reading, files as sample_files};
use crate::bench::execute::{Purpose, execute};
use crate::failure::Failure;
use crate::model::units;
use crate::sys::ended::{Ended, EndedByUs};
use crate::sys::invocation::Output;
use crate::sys::slot::Slot;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a fork is to do and where its traces go.
#[derive(Debug)]
pub struct ForkOrder<'a> {
    /// The benchmark.
    pub entry: &'a Entry,
    /// Length, warm-up, samples.
    pub request: ForkRequest,
    /// The logs' path, without extension.
    pub log: PathBuf,
    /// Bytes of each stream that may go to disk.
    pub log_limit: u64,
    /// End of patience.
    pub deadline: Duration,
    /// Which fork of its series this is; neighbours get paths of different length.
    pub number: usize,
    /// End the process when it announces more measuring than this.
    pub stop_above: Option<Duration>,
}

/// What a fork gave.
#[derive(Debug)]
pub struct ForkResult {
    /// The samples; `None` when the process was ended on its announcement.
    pub reading: Option<Reading>,
    /// What criterion announced before it measured.
    pub announced: Option<Announced>,
    /// The version of criterion, heard live.
    pub version: Option<String>,
    /// The process.
    pub ended: Ended,
}

impl Lab<'_> {
    /// Runs one fork: prepare, execute, read.
    ///
    /// # Errors
    /// `Benchmark` when the process fails, hangs, or ends without measuring what was asked.
    pub fn fork(&mut self, order: &ForkOrder<'_>, slot: &Slot) -> Result<ForkResult, Failure> {
        let mut conversation = Conversation::open(order.stop_above)?;
        let home = criterion_home(&order.log, order.number);
        let id = &order.entry.benchmark.name.id;
        let output = Output::Recorded { log: order.log.clone(), log_limit: order.log_limit };
        let mut invocation = order.entry.prepared.invocation(arguments::measure(id, order.request), output);
        invocation.deadline = Some(order.deadline);
        let invocation = arguments::connect(invocation, &home, Some(conversation.port()?));
        let ended = execute(&invocation, Purpose::Measure(slot), &mut conversation, self.interrupt)?;
        let heard = conversation.into_heard();
        let result = read(order, heard, &home, ended);
        // Present only when the process wrote files, which have been read by now.
        let _ = fs::remove_dir_all(&home);
        result
    }
}

/// The folder criterion may write to, of a length that varies from fork to fork.
///
/// The lengths of paths decide where small things lie on the heap, and that alone made one allocating
/// bench 5 % slower in whole series (`docs/adr/0006-layout.md`). Varied, it becomes noise between forks
/// that a series averages over, instead of a bias that depends on the name of a folder.
pub fn criterion_home(log: &Path, number: usize) -> PathBuf {
    /// Longer than the size classes of common allocators are apart.
    const LENGTHS: usize = 64;
    /// Prime to `LENGTHS`, so that all lengths occur before one comes again.
    const STEP: usize = 37;
    log.with_extension(format!("criterion{}", "-".repeat(number * STEP % LENGTHS)))
}

fn read(order: &ForkOrder<'_>, mut heard: Heard, home: &Path, ended: Ended) -> Result<ForkResult, Failure> {
    let name = &order.entry.benchmark.name;
    if ended.ended_by_us == Some(EndedByUs::Companion) {
        return Ok(ForkResult { reading: None, announced: heard.announced, version: heard.version, ended });
    }
    if ended.ended_by_us == Some(EndedByUs::Deadline) {
        return Err(Failure::benchmark(format!(
            "{name} did not end within {:.0} s and was ended",
            ended.wall.as_secs_f64()
        ))
        .hint("give it more time with --timeout"));
    }
    if !ended.exit.is_success() {
        let said = ended.stderr.telling_line().map(|line| format!(": {line}")).unwrap_or_default();
        return Err(with_log(Failure::benchmark(format!("{name} {}{said}", ended.exit)), &ended));
    }
    heard.readings.retain(|reading| reading.id == name.id);
    if heard.readings.len() > 1 {
        return Err(Failure::benchmark(format!(
            "{} benchmarks share the id {:?}",
            heard.readings.len(),
            name.id
        ))
        .hint("give them different ids; only then can one be measured alone"));
    }
    let reading = match heard.readings.pop() {
        Some(reading) => Some(reading),
        None => sample_files::read(home, &name.id)?,
    };
    if reading.is_none() {
        let left = match ended.leftovers.len() {
            0 => String::new(),
            count => format!("; {} it left running had to be ended", units::count(count, "process")),
        };
        let failure = Failure::benchmark(format!("{name} ended without measuring anything{left}"));
        return Err(with_log(failure, &ended));
    }
    Ok(ForkResult { reading, announced: heard.announced, version: heard.version, ended })
}

fn with_log(failure: Failure, ended: &Ended) -> Failure {
    match ended.stderr.log.as_ref().or(ended.stdout.log.as_ref()) {
        Some(log) => failure.hint(format!("its output is in {}", log.display())),
        None => failure.hint("it printed nothing; run the bench by hand with cargo bench"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn sixty_four_forks_in_a_row_have_homes_of_different_length() {
        let length = |number| criterion_home(Path::new("/run/fork.log"), number).as_os_str().len();
        let lengths: BTreeSet<usize> = (5..69).map(length).collect();
        assert_eq!(lengths.len(), 64);
    }
}
