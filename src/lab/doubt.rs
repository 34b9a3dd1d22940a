//! Whether a series can be believed, or should be measured again.

use super::series::suspect;
use crate::model::baseline::{BenchSeries, ProgramRuns};
use crate::model::noise::Cause;
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
        .filter_map(|metric| Some((over_limit(metric.deviation)?, metric)))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((deviation, metric)) = worst {
        let reason =
            format!("{} lies up to {} from its median over the runs", metric.name, units::share(deviation));
        return Some(Doubt { reason, blocks: true });
    }
    let once = matches!(runs, ProgramRuns::Duration { .. });
    let cause = suspect(&series.forks);
    (once && matches!(cause, Cause::Contention | Cause::Hypervisor))
        .then(|| Doubt { reason: "it ran once, while the machine did other work".to_owned(), blocks: false })
}
