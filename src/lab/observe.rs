//! What the machine does while something is measured: evidence for each fork, and for each five seconds.

use crate::failure::Failure;
use crate::model::noise::{Block, ForkEvidence};
use crate::sys::counters::Counters;
use crate::sys::ended::Ended;
use crate::sys::process::{Companion, Next, Stream};
use crate::sys::tree;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// The length of a block; long enough that clock ticks do not matter.
const BLOCK: Duration = Duration::from_secs(5);

/// The counters at a moment, and what our own processes had used by then.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    counters: Counters,
    own_cpu_s: f64,
}

impl Mark {
    /// This moment.
    pub fn now() -> Self {
        Self { counters: Counters::now(), own_cpu_s: tree::used_cpu_s() }
    }

    /// The evidence of a process that ran from here to now, and nothing else of ours beside it.
    pub fn evidence(&self, ended: &Ended) -> ForkEvidence {
        let now = Self::now();
        let interval = now.counters.since(&self.counters);
        ForkEvidence::gather(&interval, now.own_cpu_s - self.own_cpu_s, ended.run_delay_s)
    }
}

/// Cuts the time of a series into blocks.
#[derive(Debug)]
pub struct Watch {
    started: Instant,
    block_at: Instant,
    mark: Mark,
    blocks: Vec<Block>,
}

impl Watch {
    /// Begins now.
    pub fn start() -> Self {
        let now = Instant::now();
        Self { started: now, block_at: now, mark: Mark::now(), blocks: Vec::new() }
    }

    /// Ends the block when it is long enough.
    pub fn look(&mut self) {
        if self.block_at.elapsed() >= BLOCK {
            self.cut();
        }
    }

    /// The blocks that are complete.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// All blocks; the last one may be shorter.
    pub fn finish(mut self) -> Vec<Block> {
        if self.block_at.elapsed() >= BLOCK / 2 || self.blocks.is_empty() {
            self.cut();
        }
        self.blocks
    }

    fn cut(&mut self) {
        let now = Mark::now();
        let interval = now.counters.since(&self.mark.counters);
        let at_s = (self.block_at - self.started).as_secs_f64();
        self.blocks.push(Block::gather(at_s, &interval, now.own_cpu_s - self.mark.own_cpu_s));
        self.mark = now;
        self.block_at = Instant::now();
    }
}

/// A companion under whose eyes blocks are cut.
pub struct Watched<'a> {
    /// Who talks with the process.
    pub inner: &'a mut dyn Companion,
    /// Who watches the machine.
    pub watch: &'a mut Watch,
}

impl Companion for Watched<'_> {
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.inner.descriptors()
    }

    fn ready(&mut self) -> Result<Next, Failure> {
        self.inner.ready()
    }

    fn output(&mut self, stream: Stream, bytes: &[u8]) {
        self.inner.output(stream, bytes);
    }

    fn period(&self) -> Option<Duration> {
        Some(self.inner.period().unwrap_or(BLOCK).min(BLOCK))
    }

    fn tick(&mut self) {
        self.inner.tick();
        self.watch.look();
    }
}
