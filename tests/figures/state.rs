//! What it takes to change the state and the log together, against two files that are written one by one.

use crate::page::{Figure, Row};
use crate::start::target_directory;
use crate::{Setting, say};
use cargo_perf_lab::failure::{Context, Failure, FailureKind};
use cargo_perf_lab::store::transaction::{Change, Guard};
use cargo_perf_lab::sys::files::write_atomic;
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

const UPDATES: usize = 1_000;
/// Enough to see that it works.
const FEWEST_UPDATES: usize = 100;
/// Updates of one side before it is the other's turn.
const BLOCK: usize = 50;
const STATE_BYTES: usize = 6 * 1024;
const ENTRY_BYTES: usize = 1024;
const STATE: &str = "investigation.json";
const LOG: &str = "investigations/figure.md";
const MOST_RATIO: f64 = 3.0;
/// No other command holds the lock.
const PATIENCE: Duration = Duration::from_secs(5);

/// How one side stores the state and the log of a folder; the seconds that it takes.
type Store = fn(&Path, &[u8], &[u8]) -> Result<f64, Failure>;

/// Does the same updates both ways, in blocks, and compares the sums.
pub fn measure(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let updates = setting.repetitions(UPDATES, FEWEST_UPDATES);
    say(&format!("state: {updates} updates of each"));
    // Temporary folders may lie in memory, where nothing has to wait for a disk.
    let folder = tempfile::Builder::new().prefix("figures-state-").tempdir_in(target_directory());
    let folder = folder.context(FailureKind::Environment, || "no temporary folder can be made".to_owned())?;
    let sides: [(&str, Store); 2] = [("transaction", together), ("plain", one_by_one)];
    let mut blocks = [Vec::new(), Vec::new()];
    for (turn, first) in (0..updates).step_by(BLOCK).enumerate() {
        setting.interrupt.check()?;
        // Each comes first in every second turn, so that neither always writes in the wake of the other.
        for side in if turn % 2 == 0 { [0, 1] } else { [1, 0] } {
            let (name, store) = sides[side];
            let numbers = first..updates.min(first + BLOCK);
            blocks[side].push(block(&folder.path().join(name), numbers, store)?);
        }
    }
    let [transaction, plain] = blocks.each_ref().map(|blocks| blocks.iter().sum::<f64>());
    Ok(vec![Figure {
        name: "state",
        title: "Changing stored state",
        how: format!(
            "{updates} updates of a state document of {} KiB and a log that grows by {ENTRY_BYTES} bytes with each, \
             both written whole. A transaction takes the lock, changes both together and frees it, each time; the \
             plain side writes the same bytes to two files of its own, one after the other: temporary file, fsync, \
             rename, fsync of the folder. Both on the disk of the target directory, in turn, {BLOCK} updates at a \
             time; sums of wall time.",
            STATE_BYTES / 1024
        ),
        rows: vec![row(transaction, plain, updates)],
        raw: json!({"updates_per_block": BLOCK, "transaction_s": blocks[0], "plain_s": blocks[1]}),
    }])
}

fn row(transaction: f64, plain: f64, updates: usize) -> Row {
    let each = |sum: f64| sum / updates as f64 * 1e3;
    Row {
        figure: "state and log in one transaction against two plain writes".to_owned(),
        value: format!(
            "{:.2} x: {:.2} ms against {:.2} ms an update",
            transaction / plain,
            each(transaction),
            each(plain)
        ),
        bound: "at most 3 x",
        met: transaction <= MOST_RATIO * plain,
    }
}

/// Seconds that the updates of these numbers take.
fn block(folder: &Path, numbers: std::ops::Range<usize>, store: Store) -> Result<f64, Failure> {
    let mut seconds = 0.0;
    for number in numbers {
        let (state, log) = (state(number), log(number + 1));
        seconds += store(folder, &state, &log)?;
    }
    Ok(seconds)
}

fn together(folder: &Path, state: &[u8], log: &[u8]) -> Result<f64, Failure> {
    let change = Change::new().write(STATE, state.to_vec()).write(LOG, log.to_vec());
    let started = Instant::now();
    Guard::take(folder, PATIENCE)?.apply(change)?;
    Ok(started.elapsed().as_secs_f64())
}

fn one_by_one(folder: &Path, state: &[u8], log: &[u8]) -> Result<f64, Failure> {
    let started = Instant::now();
    write_atomic(&folder.join(STATE), state)?;
    write_atomic(&folder.join(LOG), log)?;
    Ok(started.elapsed().as_secs_f64())
}

/// A document of the length of a real one.
fn state(number: usize) -> Vec<u8> {
    let filling = "x".repeat(STATE_BYTES);
    let mut text = format!("{{\"update\": {number}, \"filling\": \"{filling}").into_bytes();
    text.truncate(STATE_BYTES - 3);
    text.extend(b"\"}\n");
    text
}

/// That many entries, with quotes and line ends as text has them.
fn log(entries: usize) -> Vec<u8> {
    let entry = |number: usize| {
        let mut text = format!("## Phase {number}\n\n{}", "- \"a finding\", with its evidence\n".repeat(40));
        text.truncate(ENTRY_BYTES - 1);
        text.push('\n');
        text
    };
    (0..entries).map(entry).collect::<String>().into_bytes()
}
