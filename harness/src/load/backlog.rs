//! Whether unanswered requests become more and more: then the load cannot be borne, whatever the quantiles of
//! a short window say.

/// How many standard errors a slope is away from zero before chance does not explain it.
const SIGMAS: f64 = 3.0;
/// The first part of the window is left out: the backlog of an empty system always grows.
const LEFT_OUT: f64 = 1.0 / 3.0;
/// Looks that make a trend.
const FEWEST_LOOKS: usize = 8;

/// Unanswered requests, at moments in seconds.
#[derive(Debug, Clone, Default)]
pub(super) struct Backlog {
    looks: Vec<(f64, f64)>,
}

impl Backlog {
    pub(super) fn look(&mut self, seconds: f64, requests: f64) {
        self.looks.push((seconds, requests));
    }

    /// How many more there are with each second; 0 where chance explains it.
    ///
    /// Neighbouring looks see the same requests, so that they are averaged in eight stretches first.
    pub(super) fn slope(&self) -> f64 {
        const STRETCHES: usize = 8;
        let Some((last, _)) = self.looks.last() else { return 0.0 };
        let kept: Vec<_> = self.looks.iter().filter(|(seconds, _)| *seconds >= last * LEFT_OUT).collect();
        if kept.len() < FEWEST_LOOKS {
            return 0.0;
        }
        let mean = |of: &[&(f64, f64)]| {
            let sum = of.iter().fold((0.0, 0.0), |sum, look| (sum.0 + look.0, sum.1 + look.1));
            (sum.0 / of.len() as f64, sum.1 / of.len() as f64)
        };
        let points: Vec<(f64, f64)> = kept.chunks(kept.len().div_ceil(STRETCHES)).map(mean).collect();
        let (slope, error) = regression(&points);
        if slope > SIGMAS * error && slope * last * (1.0 - LEFT_OUT) >= 1.0 { slope } else { 0.0 }
    }
}

/// The slope of a straight line through points, and its standard error.
fn regression(points: &[(f64, f64)]) -> (f64, f64) {
    let count = points.len() as f64;
    let sum = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>();
    let (x, y) = (sum(|point| point.0) / count, sum(|point| point.1) / count);
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let slope = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum::<f64>() / spread;
    let rest: f64 = points.iter().map(|point| (point.1 - y - slope * (point.0 - x)).powi(2)).sum();
    (slope, (rest / (count - 2.0) / spread).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backlog(of: impl Fn(f64) -> f64) -> Backlog {
        let mut backlog = Backlog::default();
        for look in 0..300 {
            let seconds = f64::from(look) / 10.0;
            // A small disturbance that repeats.
            backlog.look(seconds, of(seconds) + f64::from(look * 7 % 5));
        }
        backlog
    }

    #[test]
    fn growth_is_found_and_a_level_backlog_has_none() {
        assert!((backlog(|seconds| 4.0 * seconds).slope() - 4.0).abs() < 0.1);
        for level in [0.0, 50.0] {
            assert!(backlog(|_| level).slope() == 0.0);
        }
        assert!(backlog(|seconds| 100.0 - seconds).slope() == 0.0, "it shrinks");
        assert!(
            backlog(|seconds| if seconds < 8.0 { seconds * 10.0 } else { 80.0 }).slope() == 0.0,
            "it fills up"
        );
    }

    #[test]
    fn few_looks_say_nothing() {
        let mut few = Backlog::default();
        assert!(few.slope() == 0.0);
        for look in 0..6 {
            few.look(f64::from(look), f64::from(look * 100));
        }
        assert!(few.slope() == 0.0);
    }
}
