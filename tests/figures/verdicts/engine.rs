//! What judging takes.

use crate::Setting;
use crate::page::{Figure, Row};
use cargo_perf_lab::failure::{Failure, FailureKind};
use cargo_perf_lab::model::baseline::{Accounting, Fork};
use cargo_perf_lab::model::bench::{BenchName, HarnessKind, Precision};
use cargo_perf_lab::model::comparison::{ComparedBench, Pair, PairedSeries, SideName, Sides};
use cargo_perf_lab::model::samples::{CodedSamples, Samples};
use cargo_perf_lab::model::verdict::{Terms, ViewName};
use cargo_perf_lab::stats::judging::judge_benches;
use serde_json::json;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

const PAIRS: usize = 5000;
const SAMPLES: usize = 100;
const TRIES: usize = 20;
const FEWEST_TRIES: usize = 3;
const MOST_MS: f64 = 100.0;
const SEED: u64 = 1;

/// Times the way from coded samples to a verdict.
///
/// # Errors
/// `Bug` when nothing is said.
pub fn measure(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let tries = setting.repetitions(TRIES, FEWEST_TRIES);
    let bench = [bench()];
    let mut took = Vec::new();
    for _ in 0..tries {
        let started = Instant::now();
        let judged = judge_benches(black_box(&bench), &Terms::default());
        took.push(started.elapsed().as_secs_f64() * 1e3);
        if judged[0].verdicts.is_empty() {
            return Err(Failure::new(FailureKind::Bug, "nothing was judged"));
        }
    }
    took.sort_unstable_by(f64::total_cmp);
    let median = took[took.len() / 2];
    Ok(vec![Figure {
        name: "engine",
        title: "What judging takes",
        how: format!(
            "{} forks of {SAMPLES} samples each, from the coded samples to the verdict in both views, {tries} times; \
             the median.",
            2 * PAIRS
        ),
        rows: vec![Row {
            figure: "10,000 forks judged".to_owned(),
            value: format!("{median:.1} ms"),
            bound: "under 100 ms",
            met: median < MOST_MS,
        }],
        raw: json!({"milliseconds": took, "pairs": PAIRS, "samples": SAMPLES, "seed": SEED}),
    }])
}

fn bench() -> ComparedBench {
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut fork = || {
        let level = 1e5 * (1.0 + 0.02 * random.f64());
        let total = |random: &mut fastrand::Rng| 5.0 * level * (1.0 + 0.3 * random.f64().powi(4));
        let totals: Vec<f64> = (0..SAMPLES).map(|_| total(&mut random)).collect();
        let samples = Samples { iterations: vec![5; SAMPLES], totals };
        Fork { samples: Some(CodedSamples::from(&samples)), ..Fork::default() }
    };
    let pairs = (0..PAIRS)
        .map(|_| Pair { first: SideName::Base, forks: Sides { base: fork(), candidate: fork() } })
        .collect();
    ComparedBench {
        bench: BenchName::external("engine".to_owned()),
        harness: HarnessKind::Criterion,
        precision: Precision::Samples,
        executable_sha256: Sides::default(),
        source_differs: false,
        unit: Some("ns".to_owned()),
        accounting: Accounting::Samples,
        view: ViewName::Cost,
        metrics: BTreeMap::new(),
        plan: None,
        series: PairedSeries { pairs, looks: vec![PAIRS as u64], ..PairedSeries::default() },
        confirmation: None,
        verdicts: Vec::new(),
    }
}
