//! Things that break at a known load, and lie about it in a known way.

use cargo_perf_lab::search::history::Seen;
use fastrand::Rng;

/// The range of every search.
pub const MIN: u64 = 1;
pub const MAX: u64 = 100_000;

/// How a world answers.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Passes or fails, along a knee half a percent wide; this share of the answers is wrong everywhere.
    Sides { lapses: f64 },
    /// A value that grows with a power of the load.
    Power { exponent: f64, noise: f64 },
    /// The waiting time of a queue, whose limit is reached at this utilisation.
    Queue { utilisation: f64, noise: f64 },
    /// A value at half of its limit, and a crash above the load.
    Cliff { noise: f64 },
    /// A value at 80 % of its limit, and at twice of it above the load.
    Jump { noise: f64 },
}

impl Kind {
    /// Whether values are measured.
    pub fn has_values(self) -> bool {
        !matches!(self, Self::Sides { .. })
    }
}

/// What a world's knee is wide.
const KNEE: f64 = 0.005;
/// The largest logarithm of a value over its limit: a queue that never ends has none.
const LARGEST: f64 = 5.0;

/// A world that breaks at one place.
#[derive(Debug)]
pub struct World {
    kind: Kind,
    place: f64,
    rng: Rng,
    /// How often it was asked.
    pub probes: usize,
}

impl World {
    /// That of `seed`: every ratio of loads is as likely.
    pub fn new(kind: Kind, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let place = MIN as f64 * ((MAX as f64 / MIN as f64).ln() * rng.f64()).exp();
        Self { kind, place, rng, probes: 0 }
    }

    /// The smallest load that fails in at least half of the probes.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 100000")]
    pub fn breaks_at(&self) -> u64 {
        self.place.ceil() as u64
    }

    /// Probes a load.
    pub fn probe(&mut self, load: u64) -> Seen {
        self.probes += 1;
        let ratio = load as f64 / self.place;
        let value = |excess: f64| {
            let excess = Some(excess.min(LARGEST));
            if excess > Some(0.0) { Seen::Fail { excess } } else { Seen::Pass { excess } }
        };
        match self.kind {
            Kind::Sides { lapses } => {
                let chance = lapses + (1.0 - 2.0 * lapses) / (1.0 + (-ratio.ln() / KNEE).exp());
                let fails = self.rng.f64() < chance;
                if fails { Seen::Fail { excess: None } } else { Seen::Pass { excess: None } }
            }
            Kind::Power { exponent, noise } => value(exponent * ratio.ln() + noise * self.normal()),
            Kind::Queue { utilisation, noise } => {
                let left = 1.0 - utilisation * ratio;
                let excess = if left > 0.0 { ((1.0 - utilisation) / left).ln() } else { LARGEST };
                value(excess + noise * self.normal())
            }
            Kind::Cliff { .. } if ratio >= 1.0 => Seen::Fail { excess: None },
            Kind::Cliff { noise } => value(0.5_f64.ln() + noise * self.normal()),
            Kind::Jump { noise } => {
                let level: f64 = if ratio >= 1.0 { 2.0 } else { 0.8 };
                value(level.ln() + noise * self.normal())
            }
        }
    }

    /// Whether it fails at a load.
    pub fn fails(&mut self, load: u64) -> bool {
        !matches!(self.probe(load), Seen::Pass { .. })
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.rng.f64()).ln()).sqrt();
        radius * (2.0 * std::f64::consts::PI * self.rng.f64()).cos()
    }
}
