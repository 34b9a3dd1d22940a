//! Whether a series can be believed, or should be measured again.

use super::series::was_shared;
use crate::model::baseline::{BenchSeries, MetricSeries, ProgramRuns};
use crate::model::units;

/// A series that disagrees with itself by more than this is measured again.
pub const DEVIATION_LIMIT: f64 = 0.05;
/// How often, before it is given up.
pub const MOST_RERUNS: usize = 2;
/// Why a series should be measured again.
pub struct Doubt {
    /// In words.
    pub reason: String,
    /// Whether it cannot count as long as nobody accepts it.
    pub blocks: bool,
}

/// The deviation, when it is more than a series may have.
pub fn over_limit(deviation: Option<f64>) -> Option<f64> {
    deviation.filter(|deviation| *deviation > DEVIATION_LIMIT)
}

/// Whether the series can be believed.
pub fn doubt(series: &BenchSeries) -> Option<Doubt> {
    if let Some(deviation) = series.cost.and_then(|view| over_limit(view.deviation)) {
        let reason = format!("its cost disagrees with itself by {}", units::percent(deviation));
        return Some(Doubt { reason, blocks: true });
    }
    of_program(series)
}

/// Whether the metrics of a program can be believed.
fn of_program(series: &BenchSeries) -> Option<Doubt> {
    let runs = series.runs?;
    // Only a metric that improves one way is a result; others may describe the load or the size.
    let worst = series
        .metrics
        .iter()
        .filter(|metric| metric.better.is_some())
        .filter_map(|metric| Some((over_limit(spread(metric))?, metric)))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((deviation, metric)) = worst {
        let reason = if deviation.is_finite() {
            format!("{} lies up to {} from its median over the runs", metric.name, units::share(deviation))
        } else {
            format!("{} is 0 in the middle of its runs, and not in all", metric.name)
        };
        return Some(Doubt { reason, blocks: true });
    }
    let once = matches!(runs, ProgramRuns::Duration { .. });
    (once && was_shared(&series.forks))
        .then(|| Doubt { reason: "it ran once, while the machine did other work".to_owned(), blocks: false })
}

/// How far the runs lie apart; no share of zero is far enough where only some of them are zero.
fn spread(metric: &MetricSeries) -> Option<f64> {
    metric.deviation.or_else(|| metric.is_zero_at_times().then_some(f64::INFINITY))
}
