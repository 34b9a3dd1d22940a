//! What counting adds to an allocation.

use crate::page::{Figure, Row};
use crate::{Setting, say};
use cargo_perf_lab::failure::Failure;
use cargo_perf_lab::stats::paired::PairedEffect;
use perf_harness::allocations::Counting;
use serde_json::json;
use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::time::Instant;

const BELOW_NS: f64 = 2.0;
/// Of the interval: 99 %.
const ERROR: f64 = 0.01;
/// Pairs of blocks, one of each allocator.
const BLOCKS: usize = 1000;
const FEWEST_BLOCKS: usize = 100;
/// Allocations of a block, each freed at once: less than a millisecond, so that few blocks are interrupted.
const ALLOCATIONS: u32 = 20_000;

static COUNTING: Counting<System> = Counting::new(System);

/// Runs blocks of both allocators in turn and compares them pair by pair.
pub fn measure(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let blocks = setting.repetitions(BLOCKS, FEWEST_BLOCKS);
    say(&format!("counting: {blocks} blocks of each allocator"));
    // Both have run before anything counts.
    let (mut plain, mut counted) = (Vec::new(), Vec::new());
    let _ = (block(&System), block(&COUNTING));
    for index in 0..blocks {
        setting.interrupt.check()?;
        // Each comes first in every second pair, so that neither always runs in the wake of the other.
        if index % 2 == 0 {
            plain.push(block(&System));
            counted.push(block(&COUNTING));
        } else {
            counted.push(block(&COUNTING));
            plain.push(block(&System));
        }
    }
    Ok(vec![Figure {
        name: "counting",
        title: "Counting allocations",
        how: format!(
            "An allocation of 64 bytes and its release, through `perf_harness::allocations::Counting` against the \
             allocator of the system alone, both called through the same loop by dynamic dispatch, as a program \
             calls its allocator: differences of {blocks} interleaved pairs of blocks of {ALLOCATIONS}, their \
             Hodges–Lehmann estimate and its 99 % interval."
        ),
        rows: vec![row(&plain, &counted)?],
        raw: json!({"system_ns": plain, "counting_ns": counted}),
    }])
}

fn row(plain: &[f64], counted: &[f64]) -> Result<Row, Failure> {
    // The statistic is one of differences; where logarithms differ, ratios are what is estimated.
    let differences: Vec<f64> = counted.iter().zip(plain).map(|(counted, plain)| counted - plain).collect();
    let few = || Failure::benchmark("too few blocks were run");
    let added = PairedEffect::of(&differences).ok_or_else(few)?;
    let interval = added.interval(ERROR).ok_or_else(few)?;
    Ok(Row {
        figure: "added to one allocation".to_owned(),
        value: format!("{:+.2} ns, 99 % in {:+.2} to {:+.2} ns", added.estimate, interval.low, interval.high),
        bound: "below 2 ns",
        met: interval.high < BELOW_NS,
    })
}

/// Nanoseconds for one allocation and its release, over a block of them.
#[inline(never)]
#[expect(unsafe_code, reason = "two allocators in one program can only be called by hand")]
fn block(allocator: &dyn GlobalAlloc) -> f64 {
    let allocator = black_box(allocator);
    let started = Instant::now();
    for _ in 0..ALLOCATIONS {
        let layout = black_box(Layout::new::<[u64; 8]>());
        // SAFETY: the layout is not empty, and the pointer is released once, by the allocator and with the
        // layout that it came from.
        unsafe {
            let pointer = black_box(allocator.alloc(layout));
            if !pointer.is_null() {
                allocator.dealloc(pointer, layout);
            }
        }
    }
    started.elapsed().as_secs_f64() * 1e9 / f64::from(ALLOCATIONS)
}
