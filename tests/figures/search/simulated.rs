//! Searches of many worlds, with ours and with others.

use super::rivals::{self, Said};
use super::worlds::{Kind, MAX, MIN, World};
use cargo_perf_lab::model::search::{Purpose, SearchStatus};
use cargo_perf_lab::search::course::{Search, Step};
use cargo_perf_lab::search::history::Probe;
use cargo_perf_lab::search::settings::Settings;
use std::time::{Duration, Instant};

/// The probes that every search may make.
pub const MOST_PROBES: usize = 60;
/// The tolerance of every search.
pub const TOLERANCE: f64 = 0.05;

/// What is searched: a kind of world, and how many probes the published search takes in it.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    pub name: &'static str,
    pub kind: Kind,
    pub published_probes: f64,
}

impl Work {
    /// Whether values are measured.
    pub fn has_values(&self) -> bool {
        self.kind.has_values()
    }
}

/// The rows of the published table.
pub const WORKS: [Work; 11] = [
    Work { name: "exit code, no wrong answers", kind: Kind::Sides { lapses: 0.0 }, published_probes: 16.5 },
    Work { name: "exit code, 5 % wrong", kind: Kind::Sides { lapses: 0.05 }, published_probes: 21.9 },
    Work { name: "exit code, 10 % wrong", kind: Kind::Sides { lapses: 0.1 }, published_probes: 29.0 },
    Work { name: "exit code, 20 % wrong", kind: Kind::Sides { lapses: 0.2 }, published_probes: 46.8 },
    Work {
        name: "queue at 80 %, noise 5 %",
        kind: Kind::Queue { utilisation: 0.8, noise: 0.05 },
        published_probes: 10.9,
    },
    Work {
        name: "queue at 80 %, noise 20 %",
        kind: Kind::Queue { utilisation: 0.8, noise: 0.2 },
        published_probes: 26.5,
    },
    Work {
        name: "queue at 95 %, noise 10 %",
        kind: Kind::Queue { utilisation: 0.95, noise: 0.1 },
        published_probes: 10.9,
    },
    Work {
        name: "linear, noise 10 %",
        kind: Kind::Power { exponent: 1.0, noise: 0.1 },
        published_probes: 39.8,
    },
    Work {
        name: "square, noise 10 %",
        kind: Kind::Power { exponent: 2.0, noise: 0.1 },
        published_probes: 20.7,
    },
    Work { name: "cliff", kind: Kind::Cliff { noise: 0.1 }, published_probes: 12.9 },
    Work { name: "jump, noise 20 %", kind: Kind::Jump { noise: 0.2 }, published_probes: 22.2 },
];

/// What came of one search.
#[derive(Debug, Clone, Copy)]
pub struct Searched {
    pub seed: u64,
    pub breaks_at: u64,
    pub said: Option<Said>,
    pub status: Option<SearchStatus>,
    pub probes: usize,
    /// Of the steps that took longest.
    pub slowest: Duration,
}

impl Searched {
    /// Whether the answer is within 5 %, or one load where that is more: a search ends when one load is left
    /// between both ends.
    pub fn is_near(&self) -> bool {
        let distance = |said: &Said| said.smallest_failing.abs_diff(self.breaks_at) as f64;
        self.said.is_some_and(|said| distance(&said) <= (TOLERANCE * self.breaks_at as f64).max(1.0))
    }

    /// Whether the interval contains it.
    pub fn is_covered(&self) -> bool {
        self.said.is_some_and(|said| (said.low..=said.high).contains(&self.breaks_at))
    }
}

/// Our search, without what only a machine can answer: the full minute at the end.
pub fn ours(work: &Work, seed: u64, confidence: f64) -> Searched {
    let mut world = World::new(work.kind, seed);
    let settings = Settings {
        min: MIN,
        max: MAX,
        tolerance: TOLERANCE,
        confidence,
        most_probes: MOST_PROBES,
        values: work.has_values(),
        ..Settings::default()
    };
    let mut search = Search::new(settings);
    let mut slowest = Duration::ZERO;
    let status = loop {
        let begun = Instant::now();
        let step = search.next();
        slowest = slowest.max(begun.elapsed());
        match step {
            Step::Done(status) => break status,
            Step::Probe { purpose: Purpose::Finish, .. } => break SearchStatus::Found,
            Step::Probe { load, purpose } => {
                let answer = world.probe(load);
                let begun = Instant::now();
                search.learn(Probe { load, purpose, seen: answer });
                slowest = slowest.max(begun.elapsed());
            }
        }
    };
    let edge = search.answer().edge;
    Searched {
        seed,
        breaks_at: world.breaks_at(),
        said: edge.map(|edge| Said {
            smallest_failing: edge.smallest_failing,
            low: edge.low,
            high: edge.high,
        }),
        status: Some(status),
        probes: world.probes,
        slowest,
    }
}

/// Another way to search.
fn theirs(work: &Work, seed: u64, way: impl Fn(&mut World) -> Option<Said>) -> Searched {
    let mut world = World::new(work.kind, seed);
    let said = way(&mut world);
    let (breaks_at, probes) = (world.breaks_at(), world.probes);
    Searched { seed, breaks_at, said, status: None, probes, slowest: Duration::ZERO }
}

/// The other ways, with their names.
pub fn rivals_of(work: &Work, seed: u64) -> [(&'static str, Searched); 3] {
    [
        ("naive", theirs(work, seed, rivals::naive)),
        ("majority of three", theirs(work, seed, rivals::majority)),
        ("MLRsearch-like", theirs(work, seed, |world| rivals::mlr_like(world, TOLERANCE, MOST_PROBES))),
    ]
}
