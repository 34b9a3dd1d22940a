//! From log ratios to a verdict: the table that decides, in its order.

use super::drift::drift;
use super::paired::{Interval, PairedEffect};
use crate::model::metric::Direction;
use crate::model::verdict::{Effect, Terms, Verdict, Why, percent};
use statrs::distribution::{ContinuousCDF, Normal};

/// The share of real effects that a detectable one is found in: the normal quantile of 90 %.
const POWER: f64 = 1.281_551_565_544_600_4;

/// What one view of one bench says.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// What it says.
    pub verdict: Verdict,
    /// Why it says nothing more, when it is inconclusive.
    pub why: Option<Why>,
    /// The effect, when there are enough pairs for an interval.
    pub effect: Option<Effect>,
    /// The smallest effect that would be found in nine of ten such measurements, in percent.
    pub detectable_percent: Option<f64>,
    /// How likely signed ranks at least so lopsided are when there is no effect.
    pub p: f64,
}

/// Judges the log ratios (candidate over base) of one view, each measured pair one of them, in the order in
/// which they were measured. `error` is what this test may spend of the error in `terms`. `precision` is what
/// the harness can tell apart, as a log ratio: nothing below it is called unchanged.
pub fn judge(
    log_ratios: &[f64],
    better: Option<Direction>,
    terms: &Terms,
    error: f64,
    precision: f64,
) -> Judgement {
    let Some(effect) = PairedEffect::of(log_ratios) else { return without_interval(0, 1.0) };
    let Some(interval) = effect.interval(error) else { return without_interval(effect.pairs(), effect.p) };
    let margin = terms.margin();
    let (verdict, why) = match drift(log_ratios, margin / 2.0) {
        Some(drift) => {
            let [first_percent, second_percent] = [drift.first, drift.second].map(percent);
            (Verdict::Inconclusive, Some(Why::Drift { first_percent, second_percent }))
        }
        None => decide(effect.estimate, interval, better, margin, precision),
    };
    Judgement {
        verdict,
        why,
        effect: Some(Effect {
            percent: percent(effect.estimate),
            low: percent(interval.low),
            high: percent(interval.high),
        }),
        detectable_percent: Some(percent(detectable(interval, error, margin))),
        p: effect.p,
    }
}

fn without_interval(pairs: usize, p: f64) -> Judgement {
    let why = Why::TooFewPairs { pairs: pairs as u64 };
    Judgement { verdict: Verdict::Inconclusive, why: Some(why), effect: None, detectable_percent: None, p }
}

fn decide(
    estimate: f64,
    interval: Interval,
    better: Option<Direction>,
    margin: f64,
    precision: f64,
) -> (Verdict, Option<Why>) {
    if interval.excludes_zero() && estimate.abs() >= margin / 2.0 {
        return match better {
            None => (Verdict::Inconclusive, Some(Why::NoDirection)),
            Some(better) if (better == Direction::Higher) == (estimate > 0.0) => (Verdict::Improved, None),
            Some(_) => (Verdict::Regressed, None),
        };
    }
    if interval.is_within(margin) {
        if margin < precision {
            return (Verdict::Inconclusive, Some(Why::Coarse { percent: percent(precision) }));
        }
        return (Verdict::Unchanged, None);
    }
    let why = if interval.excludes_zero() { Why::AtTheMargin } else { Why::TooWide };
    (Verdict::Inconclusive, Some(why))
}

/// The smallest effect that nine of ten such measurements would find: what lies outside the interval by
/// chance in one of ten, and never less than what counts as a change.
fn detectable(interval: Interval, error: f64, margin: f64) -> f64 {
    let quantile = Normal::standard().inverse_cdf(1.0 - error / 2.0);
    let standard_error = interval.half_width() / quantile;
    (interval.half_width() + POWER * standard_error).max(margin / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LOWER: Option<Direction> = Some(Direction::Lower);

    /// Log ratios around `centre` percent, `spread` percent to either side, without chance.
    fn around(centre: f64, spread: f64, pairs: usize) -> Vec<f64> {
        (0..pairs)
            .map(|index| {
                let side = (index * 7 % pairs) as f64 / (pairs - 1) as f64 * 2.0 - 1.0;
                ((centre + spread * side) / 100.0).ln_1p()
            })
            .collect()
    }

    fn said(log_ratios: &[f64]) -> Judgement {
        judge(log_ratios, LOWER, &Terms::default(), 0.01, 0.0)
    }

    #[test]
    fn the_table_decides_in_its_order() {
        let verdicts = [
            (around(3.0, 1.0, 40), Verdict::Regressed, None),
            (around(-3.0, 1.0, 40), Verdict::Improved, None),
            // It excludes zero, and is far too small to matter.
            (around(0.2, 0.1, 40), Verdict::Unchanged, None),
            (around(0.0, 1.0, 40), Verdict::Unchanged, None),
            (around(0.0, 20.0, 40), Verdict::Inconclusive, Some(Why::TooWide)),
            (around(3.0, 1.0, 7), Verdict::Inconclusive, Some(Why::TooFewPairs { pairs: 7 })),
            (Vec::new(), Verdict::Inconclusive, Some(Why::TooFewPairs { pairs: 0 })),
        ];
        for (log_ratios, verdict, why) in verdicts {
            let found = said(&log_ratios);
            assert_eq!((found.verdict, found.why), (verdict, why), "{found:?}");
        }
    }

    #[test]
    fn half_the_margin_is_the_least_change() {
        let verdict = |centre| said(&around(centre, 0.1, 40)).verdict;
        assert_eq!([0.49, 0.51].map(verdict), [Verdict::Unchanged, Verdict::Regressed]);
    }

    #[test]
    fn more_is_better_where_that_is_said_and_nothing_is_said_without_a_direction() {
        let log_ratios = around(3.0, 1.0, 40);
        let verdict = |better| {
            let found = judge(&log_ratios, better, &Terms::default(), 0.01, 0.0);
            (found.verdict, found.why)
        };
        assert_eq!(verdict(Some(Direction::Higher)), (Verdict::Improved, None));
        assert_eq!(verdict(None), (Verdict::Inconclusive, Some(Why::NoDirection)));
    }

    #[test]
    fn what_cannot_be_told_apart_is_not_unchanged() {
        let found = judge(&around(0.0, 0.5, 40), LOWER, &Terms::default(), 0.01, 0.02_f64.ln_1p());
        assert_eq!(found.verdict, Verdict::Inconclusive);
        assert!(matches!(found.why, Some(Why::Coarse { percent }) if (percent - 2.0).abs() < 1e-9));
    }

    #[test]
    fn an_effect_that_moves_is_no_verdict() {
        let log_ratios = [around(0.0, 0.2, 20), around(4.0, 0.2, 20)].concat();
        assert!(matches!(said(&log_ratios).why, Some(Why::Drift { .. })));
    }

    #[test]
    fn the_detectable_effect_is_at_least_what_counts_as_a_change() {
        assert_eq!(
            said(&[0.0; 40]).detectable_percent.map(|percent| (percent * 1e6).round()),
            Some(498_756.0)
        );
        let wide = said(&around(0.0, 20.0, 40));
        let effect = wide.effect.expect("an interval");
        assert!(wide.detectable_percent.expect("an interval") > effect.high);
    }

    proptest! {
        #[test]
        fn sides_that_change_places_get_the_opposite_verdict(
            series in prop::collection::vec(-0.05..0.05_f64, 4..60), shift in -0.05..0.05_f64
        ) {
            let log_ratios: Vec<f64> = series.iter().map(|value| value + shift).collect();
            let turned: Vec<f64> = log_ratios.iter().map(|value| -value).collect();
            let (a, b) = (said(&log_ratios), said(&turned));
            let opposite = match a.verdict {
                Verdict::Improved => Verdict::Regressed,
                Verdict::Regressed => Verdict::Improved,
                same => same,
            };
            prop_assert_eq!((b.verdict, b.p), (opposite, a.p));
            if let (Some(a), Some(b)) = (a.effect, b.effect) {
                let turned = |percent: f64| 100.0 * (1.0 / (1.0 + percent / 100.0) - 1.0);
                prop_assert!((turned(a.percent) - b.percent).abs() < 1e-9);
                prop_assert!((turned(a.low) - b.high).abs() < 1e-9);
            }
        }
    }
}
