//! Whether being driven by the tool changes what a benchmark measures.

use crate::page::{Figure, Row};
use crate::{Setting, say, start};
use cargo_perf_lab::bench::contract;
use cargo_perf_lab::bench::criterion::arguments::{self, Dialect};
use cargo_perf_lab::bench::criterion::files;
use cargo_perf_lab::bench::reading::{ForkRequest, Reading, Values};
use cargo_perf_lab::bench::selection::{CargoFlags, Selection};
use cargo_perf_lab::failure::{Context, Failure, FailureKind};
use cargo_perf_lab::lab::Lab;
use cargo_perf_lab::lab::catalogue::{Entry, Program};
use cargo_perf_lab::lab::fork::{ForkOrder, criterion_home};
use cargo_perf_lab::lab::observe::Watch;
use cargo_perf_lab::lab::prepared::Prepared;
use cargo_perf_lab::model::event::Event;
use cargo_perf_lab::stats::paired::{FEWEST_PAIRS, Interval, PairedEffect};
use cargo_perf_lab::stats::summary::summarise;
use cargo_perf_lab::sys::clock;
use cargo_perf_lab::sys::invocation::Output;
use cargo_perf_lab::sys::slot::{Patience, RUN_VARIABLE, Slot};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

const PAIRS: usize = 150;
const MARGIN: f64 = 0.01;
/// Of the interval: 99 %.
const ERROR: f64 = 0.01;
const REQUEST: ForkRequest =
    ForkRequest { measured: Duration::from_millis(400), warm_up: Duration::from_millis(100), samples: 100 };
/// Bytes of output that may be kept, as in a baseline.
const LOG_LIMIT: u64 = 64 << 20;
const DEADLINE: Duration = Duration::from_secs(60);

/// Low ends of two neighbours in time, in nanoseconds.
#[derive(Debug)]
struct Pair {
    tool_first: bool,
    tool: f64,
    hand: f64,
}

impl Pair {
    fn raw(&self) -> Value {
        json!({"tool_first": self.tool_first, "tool_ns": self.tool, "hand_ns": self.hand})
    }
}

/// The benches: one that allocates and one that does not. Package, target, id.
const BENCHES: [[&str; 3]; 2] = [["documents", "parse", "parse/zones_typed"], ["crowd", "one", "spin/00"]];
/// Decides the order within pairs.
const SEED: u64 = 1;

/// Measures pairs in random order and compares their low ends.
pub fn measure(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let count = setting.repetitions(PAIRS, FEWEST_PAIRS);
    let mut rows = Vec::new();
    let mut raw = Vec::new();
    for bench in BENCHES {
        say(&format!("driven: {count} pairs of {}", bench[2]));
        let pairs = pairs(setting, bench, count)?;
        let ratios: Vec<f64> = pairs.iter().map(|pair| (pair.tool / pair.hand).ln()).collect();
        let few = || Failure::benchmark("too few pairs were measured");
        let effect = PairedEffect::of(&ratios).ok_or_else(few)?;
        let interval = effect.interval(ERROR).ok_or_else(few)?;
        rows.push(row(bench[2], effect.estimate, interval));
        raw.push(json!({
            "bench": bench[2],
            "log_ratio": {"estimate": effect.estimate, "low": interval.low, "high": interval.high},
            "pairs": pairs.iter().map(Pair::raw).collect::<Vec<_>>(),
        }));
    }
    Ok(vec![Figure {
        name: "driven",
        title: "Driven by the tool against started by hand",
        how: format!(
            "The same copy of an executable with the same arguments and environment, except that nobody \
             listens to it by hand: an allocating bench and one that does not allocate, {count} pairs each of \
             0.4 s after 0.1 s of warm-up, 100 samples each, order drawn with seed {SEED}. The low end (minimum per iteration) of \
             each process; Hodges–Lehmann estimate and 99 % interval of the ratio of tool to hand."
        ),
        rows,
        raw: json!({"seed": SEED, "benches": raw}),
    }])
}

fn row(bench: &str, estimate: f64, interval: Interval) -> Row {
    let change = |log_ratio: f64| log_ratio.exp_m1();
    let percent = |log_ratio: f64| format!("{:+.2} %", change(log_ratio) * 100.0);
    Row {
        figure: format!("effect of being driven, {bench}"),
        value: format!("{} ({} to {})", percent(estimate), percent(interval.low), percent(interval.high)),
        bound: "interval inside ±1 %",
        met: change(interval.low) > -MARGIN && change(interval.high) < MARGIN,
    }
}

fn pairs(setting: &Setting, bench: [&str; 3], count: usize) -> Result<Vec<Pair>, Failure> {
    let mut ignore = |_: Event| {};
    let mut lab = Lab::new(
        start::fixture("rust-workspace"),
        CargoFlags::default(),
        None,
        true,
        &setting.interrupt,
        &mut ignore,
    )?;
    let entry = entry(&mut lab, bench)?;
    let slot = Slot::acquire(&clock::run_id(), "figures", Patience::NoWait, &setting.interrupt, |_, _| {})?;
    let Program::Bench(prepared) = entry.program.clone() else {
        return Err(Failure::benchmark("the kernel is no bench of the workspace"));
    };
    let mut sides = Sides { setting, lab, entry, prepared: *prepared, slot };
    let mut random = SEED;
    (1..=count)
        .map(|number| {
            let tool_first = next(&mut random).is_multiple_of(2);
            // A tuple is evaluated from left to right.
            let (tool, hand) = if tool_first {
                (sides.by_tool(number)?, sides.by_hand(number)?)
            } else {
                let hand = sides.by_hand(number)?;
                (sides.by_tool(number)?, hand)
            };
            if number % 25 == 0 {
                say(&format!("driven: {number} of {count} pairs"));
            }
            Ok(Pair { tool_first, tool, hand })
        })
        .collect()
}

fn entry(lab: &mut Lab<'_>, [package, target, id]: [&str; 3]) -> Result<Entry, Failure> {
    let selection = Selection {
        packages: vec![package.to_owned()],
        targets: vec![target.to_owned()],
        filter: Some(id.to_owned()),
    };
    let workspace = lab.discover()?;
    let catalogue = lab.catalogue(workspace, &selection)?;
    Ok(catalogue.filtered(&selection)?[0].clone())
}

/// The two ways to start one process.
struct Sides<'a> {
    setting: &'a Setting,
    lab: Lab<'a>,
    entry: Entry,
    prepared: Prepared,
    // For all pairs, as a baseline holds it for all forks.
    slot: Slot,
}

impl Sides<'_> {
    fn by_tool(&mut self, number: usize) -> Result<f64, Failure> {
        let order = ForkOrder {
            entry: &self.entry,
            prepared: &self.prepared,
            request: REQUEST,
            parameter: None,
            log: self.log("fork", number),
            number,
            log_limit: LOG_LIMIT,
            deadline: DEADLINE,
            stop_above: None,
        };
        low_end(self.lab.fork(&order, &self.slot, &mut Watch::start())?.reading)
    }

    fn by_hand(&self, number: usize) -> Result<f64, Failure> {
        let id = &self.entry.benchmark.name.id;
        // As long as the fork's: lengths of paths move things on stack and heap.
        let home = criterion_home(&self.log("hand", number), number);
        let unused = Output::Recorded { log: self.log("hand", number), log_limit: 0 };
        let wanted = arguments::measure(id, REQUEST, Dialect::Exact);
        // The same variables, of the same length: the environment lies on the stack of the process.
        let invocation = contract::silent(self.prepared.invocation(wanted, unused));
        let report = self.log("hand", number).with_extension("report.json");
        let invocation = contract::with_report(arguments::connect(invocation, &home, None), &report)
            .env(RUN_VARIABLE, self.slot.run());
        // And a file of its own, because what lies where in memory differs between files.
        let copy = self.prepared.own_copy(&self.log("hand", number))?;
        start::timed(start::by_hand(&copy.start(invocation)), &self.setting.interrupt)?;
        let reading = files::read(&home, id)?;
        fs::remove_dir_all(&home).context(FailureKind::Environment, || "samples stay behind".to_owned())?;
        low_end(reading)
    }

    fn log(&self, side: &str, number: usize) -> PathBuf {
        self.setting.scratch.path().join(format!("{side}-{number:04}.log"))
    }
}

fn low_end(reading: Option<Reading>) -> Result<f64, Failure> {
    reading
        .and_then(|reading| match reading.values {
            Values::Samples { samples, .. } => summarise(&samples.per_iteration()),
            _ => None,
        })
        .map(|summary| summary.min)
        .filter(|min| *min > 0.0)
        .ok_or_else(|| Failure::benchmark("a process measured nothing"))
}

/// `SplitMix64`: good enough for order, and the same on every machine.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
