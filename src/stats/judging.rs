//! From the pairs of a comparison to its verdicts: the same ones each time, from the raw values alone.

use super::comparison::{Answer, Needs, Question, Ratios, answer};
use super::modes::modes;
use super::numbers::{Numbers, log_ratios};
use super::summary::Combine;
use super::verdict::Judgement;
use crate::model::bench::Precision;
use crate::model::comparison::{BenchVerdict, ComparedBench, Sides, ViewVerdict};
use crate::model::metric::{Direction, MetricName};
use crate::model::verdict::{Modes, Terms, Verdict, ViewName, Why};

/// Of one median per fork, without the number of measurements behind it, smaller differences say nothing.
const MEDIAN_PRECISION: f64 = 0.02;
/// Of four digits per fork.
const TABLE_PRECISION: f64 = 0.001;

/// What became of a bench, and what is to be measured before that is final.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// One verdict, or one for each metric.
    pub verdicts: Vec<BenchVerdict>,
    /// What is missing.
    pub needs: Needs,
}

/// A number of a bench that gets a verdict.
#[derive(Debug, Clone)]
struct Subject {
    metric: Option<MetricName>,
    unit: Option<String>,
    better: Option<Direction>,
    /// The view that decides first.
    views: Vec<ViewName>,
}

/// The numbers of both series of a bench.
struct Material<'a> {
    bench: &'a ComparedBench,
    first: Numbers<'a>,
    second: Option<Numbers<'a>>,
}

/// The verdicts of all `benches` of one comparison under `terms`.
pub fn judge_benches(benches: &[ComparedBench], terms: &Terms) -> Vec<Judged> {
    let materials: Vec<Material<'_>> = benches.iter().map(Material::of).collect();
    let subjects: Vec<Vec<Subject>> = materials.iter().map(Material::subjects).collect();
    let all = materials.iter().zip(&subjects);
    let asked: Vec<Option<Question>> = all
        .flat_map(|(material, subjects)| subjects.iter().map(|subject| material.question(subject)))
        .collect();
    let broken: Vec<bool> = asked.iter().map(Option::is_none).collect();
    // What cannot be asked keeps its place, so that it counts among the questions of this comparison.
    let questions: Vec<Question> = asked.into_iter().map(Option::unwrap_or_default).collect();
    let mut answers = answer(&questions, terms).into_iter().zip(broken);
    let judged = materials.iter().zip(subjects).map(|(material, subjects)| {
        let mut needs = Needs::Nothing;
        let verdicts = subjects.into_iter().zip(&mut answers).map(|(subject, (answer, broken))| {
            if broken {
                return material.without_ratios(subject);
            }
            needs = needs.max(answer.needs);
            material.verdict(subject, answer, terms)
        });
        Judged { verdicts: verdicts.collect(), needs }
    });
    judged.collect()
}

impl<'a> Material<'a> {
    fn of(bench: &'a ComparedBench) -> Self {
        let second = bench.confirmation.as_ref().map(Numbers::of);
        Self { bench, first: Numbers::of(&bench.series), second }
    }

    /// The time per iteration when the harness tells it, and each metric that both sides have.
    fn subjects(&self) -> Vec<Subject> {
        let bench = self.bench;
        let mut found = Vec::new();
        if self.first.has_times() {
            let both = match bench.view {
                ViewName::Cost => vec![ViewName::Cost, ViewName::Felt],
                ViewName::Felt => vec![ViewName::Felt, ViewName::Cost],
            };
            // Harnesses that are known here tell times or costs; less is better in all of them.
            found.push(Subject {
                metric: None,
                unit: bench.unit.clone(),
                better: Some(Direction::Lower),
                views: if bench.precision == Precision::Median { vec![ViewName::Felt] } else { both },
            });
        }
        found.extend(self.first.metrics().0.into_iter().map(|name| {
            let spec = bench.metrics.get(&name.name).cloned().unwrap_or_default();
            Subject { metric: Some(name), unit: spec.unit, better: spec.better, views: vec![ViewName::Felt] }
        }));
        // Counts and sizes that nobody judges by would only share the error of those that somebody does.
        if found.iter().any(|subject| subject.better.is_some()) {
            found.retain(|subject| subject.better.is_some());
        }
        found
    }

    /// The question about a number; `None` where there are no ratios of its values.
    fn question(&self, subject: &Subject) -> Option<Question> {
        let of = |numbers: &Numbers<'_>, view| log_ratios(&numbers.values(subject.metric.as_ref(), view)?);
        let ratios = |view: ViewName| {
            let second = self.second.as_ref().map_or(Some(Vec::new()), |numbers| of(numbers, view))?;
            Some(Ratios { first: of(&self.first, view)?, second })
        };
        let counting = |upto: &u64| {
            let upto = usize::try_from(*upto).unwrap_or(usize::MAX);
            self.bench.series.pairs.iter().take(upto).filter(|pair| pair.counts()).count()
        };
        let precision = match self.bench.precision {
            Precision::Median => MEDIAN_PRECISION,
            Precision::Table => TABLE_PRECISION,
            Precision::Samples | Precision::Metrics => 0.0,
        };
        Some(Question {
            better: subject.better,
            precision: precision.ln_1p(),
            deciding: ratios(subject.views[0])?,
            other: subject.views.get(1).and_then(|view| ratios(*view)),
            looks: self.bench.series.looks.iter().map(counting).collect(),
        })
    }

    fn verdict(&self, subject: Subject, answer: Answer, terms: &Terms) -> BenchVerdict {
        let Answer { first, said, other, is_of_second, .. } = answer;
        let second = self.second.as_ref().filter(|_| is_of_second);
        let numbers = second.unwrap_or(&self.first);
        let deciding = subject.views[0];
        let mut views = vec![view_verdict(numbers, &subject, deciding, &said)];
        if let (Some(view), Some(other)) = (subject.views.get(1), &other) {
            views.push(view_verdict(numbers, &subject, *view, other));
        }
        let first = second.map(|_| view_verdict(&self.first, &subject, deciding, &first));
        BenchVerdict {
            modes: two_modes(numbers, &subject, terms),
            metric: subject.metric,
            unit: subject.unit,
            better: subject.better,
            verdict: said.verdict,
            why: said.why,
            views,
            first,
        }
    }

    fn without_ratios(&self, subject: Subject) -> BenchVerdict {
        let nothing = Judgement {
            verdict: Verdict::Inconclusive,
            why: Some(Why::NotPositive),
            effect: None,
            detectable_percent: None,
            p: 1.0,
        };
        let view = |view: &ViewName| view_verdict(&self.first, &subject, *view, &nothing);
        BenchVerdict {
            views: subject.views.iter().map(view).collect(),
            metric: subject.metric,
            unit: subject.unit,
            better: subject.better,
            verdict: nothing.verdict,
            why: nothing.why,
            modes: Sides::default(),
            first: None,
        }
    }
}

/// The two modes of each side in the view that decides, where they are further apart than what matters.
fn two_modes(numbers: &Numbers<'_>, subject: &Subject, terms: &Terms) -> Sides<Option<Modes>> {
    let Some(values) = numbers.values(subject.metric.as_ref(), subject.views[0]) else {
        return Sides::default();
    };
    let of = |side: fn(&Sides<f64>) -> f64| {
        let values: Vec<f64> = values.iter().map(side).collect();
        modes(&values, terms.margin_percent / 100.0)
    };
    Sides { base: of(|pair| pair.base), candidate: of(|pair| pair.candidate) }
}

fn view_verdict(numbers: &Numbers<'_>, subject: &Subject, view: ViewName, said: &Judgement) -> ViewVerdict {
    let combine = match view {
        ViewName::Cost => Combine::LowEnd,
        ViewName::Felt => Combine::Median,
    };
    let values = numbers.values(subject.metric.as_ref(), view).unwrap_or_default();
    let of = |side: fn(&Sides<f64>) -> f64| {
        combine.value(&values.iter().map(side).collect::<Vec<_>>()).unwrap_or_default()
    };
    ViewVerdict {
        view,
        verdict: said.verdict,
        values: Sides { base: of(|pair| pair.base), candidate: of(|pair| pair.candidate) },
        effect: said.effect,
        detectable_percent: said.detectable_percent,
        p: said.p,
        pairs: numbers.pairs() as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::baseline::{Accounting, Fork};
    use crate::model::bench::{BenchName, HarnessKind};
    use crate::model::comparison::{Pair, PairedSeries, SideName};
    use crate::model::metric::{MetricSpec, MetricValues};
    use crate::model::samples::{CodedSamples, Samples};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn bench(forks: &[Sides<Fork>], precision: Precision) -> ComparedBench {
        let pair = |forks: &Sides<Fork>| Pair { first: SideName::Base, forks: forks.clone() };
        ComparedBench {
            bench: BenchName::external("a bench"),
            harness: HarnessKind::Criterion,
            precision,
            executable_sha256: Sides::default(),
            source_differs: false,
            unit: None,
            accounting: Accounting::Samples,
            view: ViewName::Cost,
            metrics: BTreeMap::new(),
            plan: None,
            series: PairedSeries {
                pairs: forks.iter().map(pair).collect(),
                looks: vec![forks.len() as u64],
                ..PairedSeries::default()
            },
            confirmation: None,
            verdicts: Vec::new(),
        }
    }

    /// A bench whose forks take so many nanoseconds, and once in a while a little more.
    fn timed(values: &[(f64, f64)]) -> ComparedBench {
        let fork = |value: &f64| {
            let totals = (0..10).map(|number| value * (1.0 + f64::from(number) / 128.0)).collect();
            let samples = Samples { iterations: vec![1; 10], totals };
            Fork { samples: Some(CodedSamples::from(&samples)), ..Fork::default() }
        };
        let forks = |(base, candidate): &(f64, f64)| Sides { base: fork(base), candidate: fork(candidate) };
        bench(&values.iter().map(forks).collect::<Vec<_>>(), Precision::Samples)
    }

    /// A program whose runs print these metrics.
    fn printing(runs: &[Sides<&[(&str, f64)]>], declared: &[(&str, Option<Direction>)]) -> ComparedBench {
        let fork = |metrics: &[(&str, f64)]| {
            let flat = metrics.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
            Fork { metrics: Some(MetricValues { flat, ..MetricValues::default() }), ..Fork::default() }
        };
        let forks: Vec<Sides<Fork>> =
            runs.iter().map(|run| Sides { base: fork(run.base), candidate: fork(run.candidate) }).collect();
        let spec = |better| MetricSpec { better, ..MetricSpec::default() };
        let metrics = declared.iter().map(|(name, better)| ((*name).to_owned(), spec(*better))).collect();
        ComparedBench { metrics, ..bench(&forks, Precision::Metrics) }
    }

    fn only(bench: ComparedBench) -> BenchVerdict {
        let judged = judge_benches(&[bench], &Terms::default());
        judged[0].verdicts[0].clone()
    }

    fn turned(verdict: Verdict) -> Verdict {
        match verdict {
            Verdict::Improved => Verdict::Regressed,
            Verdict::Regressed => Verdict::Improved,
            same => same,
        }
    }

    #[test]
    fn metrics_without_a_direction_share_no_error_with_others() {
        let run =
            Sides { base: &[("a", 1.0), ("count", 5.0)][..], candidate: &[("a", 2.0), ("count", 5.0)][..] };
        let judged =
            judge_benches(&[printing(&[run; 10], &[("a", Some(Direction::Higher))])], &Terms::default());
        let names: Vec<&str> = judged[0]
            .verdicts
            .iter()
            .filter_map(|verdict| verdict.metric.as_ref())
            .map(|metric| metric.name.as_str())
            .collect();
        assert_eq!(names, ["a"]);
        assert_eq!(judged[0].needs, Needs::Confirmation);
        let judged = judge_benches(&[printing(&[run; 10], &[])], &Terms::default());
        let said: Vec<_> = judged[0].verdicts.iter().map(|verdict| (verdict.verdict, verdict.why)).collect();
        let nothing = (Verdict::Inconclusive, Some(Why::NoDirection));
        assert_eq!(said, [nothing, (Verdict::Unchanged, None)]);
    }

    #[test]
    fn values_that_are_not_positive_have_no_ratios() {
        let run = Sides { base: &[("a", 0.0)][..], candidate: &[("a", 2.0)][..] };
        let verdict = only(printing(&[run; 10], &[("a", Some(Direction::Lower))]));
        assert_eq!((verdict.verdict, verdict.why), (Verdict::Inconclusive, Some(Why::NotPositive)));
    }

    #[test]
    fn several_benches_share_the_error() {
        // Eight of nine pairs are slower: enough for 5 % alone, and not for one of two.
        let values: Vec<(f64, f64)> =
            (1..=9).map(|rank| (100.0, 100.0 + if rank == 5 { -5.0 } else { f64::from(rank) })).collect();
        let terms = Terms { error: 0.05, ..Terms::default() };
        let alone = judge_benches(&[timed(&values)], &terms);
        assert_eq!(alone[0].verdicts[0].views[0].verdict, Verdict::Regressed);
        let same: Vec<(f64, f64)> = values.iter().map(|(base, _)| (*base, *base)).collect();
        let both = judge_benches(&[timed(&values), timed(&same)], &terms);
        assert_eq!(both[0].verdicts[0].verdict, Verdict::Inconclusive);
    }

    proptest! {
        #[test]
        fn neither_a_unit_nor_the_order_of_sides_changes_what_is_found(
            values in prop::collection::vec((900.0..1100.0_f64, 900.0..1100.0_f64), 8..60),
            shift in 0.8..1.25_f64,
        ) {
            let values: Vec<(f64, f64)> =
                values.into_iter().map(|(base, candidate)| (base, candidate * shift)).collect();
            let verdict = only(timed(&values));
            // A power of two, so that no digit is lost.
            let scaled: Vec<(f64, f64)> = values.iter().map(|(a, b)| (a * 1024.0, b * 1024.0)).collect();
            let of_scaled = only(timed(&scaled));
            prop_assert_eq!(verdict.verdict, of_scaled.verdict);
            prop_assert_eq!(verdict.views[0].effect, of_scaled.views[0].effect);
            prop_assert_eq!(verdict.views[0].detectable_percent, of_scaled.views[0].detectable_percent);

            let swapped: Vec<(f64, f64)> = values.iter().map(|(a, b)| (*b, *a)).collect();
            let of_swapped = only(timed(&swapped));
            prop_assert_eq!(of_swapped.verdict, turned(verdict.verdict));
            let log = |percent: f64| (percent / 100.0).ln_1p();
            if let (Some(one), Some(other)) = (verdict.views[0].effect, of_swapped.views[0].effect) {
                prop_assert!((log(one.percent) + log(other.percent)).abs() < 1e-9);
                prop_assert!((log(one.low) + log(other.high)).abs() < 1e-9);
            }
        }

        #[test]
        fn the_order_of_time_matters_for_drift_only(
            // Of an odd number the one in the middle belongs to the second half, from either end.
            twos in prop::collection::vec([(990.0..1010.0_f64, 990.0..1010.0_f64), (990.0..1010.0_f64, 990.0..1010.0_f64)], 5..20),
        ) {
            let values = twos.concat();
            let mut turned = values.clone();
            turned.reverse();
            let (one, other) = (only(timed(&values)), only(timed(&turned)));
            prop_assert_eq!(one.views[0].effect, other.views[0].effect);
            prop_assert_eq!(one.verdict, other.verdict);
        }
    }
}
