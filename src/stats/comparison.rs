//! From log ratios to the verdicts of a comparison: several questions at once, results that were looked at
//! more than once, and a second series for what seems to have changed.

use super::holm;
use super::verdict::{Judgement, judge};
use crate::model::metric::Direction;
use crate::model::verdict::{Terms, Verdict, Why};

/// One number to be compared: a bench, or one metric of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Question {
    /// Which way it improves.
    pub better: Option<Direction>,
    /// What the harness can tell apart, as a log ratio.
    pub precision: f64,
    /// The view that decides.
    pub deciding: Ratios,
    /// The view that is shown beside it.
    pub other: Option<Ratios>,
    /// How many pairs of the first series there were at each look; the last look has all of them.
    pub looks: Vec<usize>,
}

/// The log ratios (candidate over base) of the pairs of one view, in the order in which they were measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ratios {
    /// Of the first series.
    pub first: Vec<f64>,
    /// Of the series that confirms a change; empty when there is none.
    pub second: Vec<f64>,
}

impl Question {
    /// The same, with the pairs of both series as one.
    fn pooled(&self) -> Self {
        let pooled = |ratios: &Ratios| Ratios {
            first: [&ratios.first[..], &ratios.second].concat(),
            second: Vec::new(),
        };
        Self { deciding: pooled(&self.deciding), other: self.other.as_ref().map(pooled), ..self.clone() }
    }
}

/// What is to be measured before an answer is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// More pairs of the first series, if they can be afforded.
    MorePairs,
    /// A second series.
    Confirmation,
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// What the first series says.
    pub first: Judgement,
    /// What both series say together; the estimate is that of the second when there is one.
    pub said: Judgement,
    /// What the other view says, of the series whose estimate is reported.
    pub other: Option<Judgement>,
    /// Whether that is the second series.
    pub is_of_second: bool,
    /// What is missing.
    pub needs: Needs,
}

/// Answers all `questions` of one comparison under `terms`.
pub fn answer(questions: &[Question], terms: &Terms) -> Vec<Answer> {
    let first = first_series(questions, terms);
    let needs_second =
        |verdict: Verdict| verdict.is_change() || (terms.twice && verdict == Verdict::Unchanged);
    let settled: Vec<usize> = (0..questions.len())
        .filter(|index| needs_second(first[*index].0.verdict) && has_second(&questions[*index]))
        .collect();
    let p_values: Vec<f64> = settled.iter().map(|index| p_of(&questions[*index].deciding.second)).collect();
    // The second series stands for itself, so that it has the whole error to spend.
    let levels = holm::levels(&p_values, terms.error);
    let mut answers: Vec<Answer> = first
        .into_iter()
        .zip(questions)
        .map(|((first, other), question)| {
            let needs = match first.verdict {
                verdict if verdict.is_change() => Needs::Confirmation,
                Verdict::Inconclusive => Needs::MorePairs,
                _ => Needs::Nothing,
            };
            let needs = if is_hopeless(question, &first) { Needs::Nothing } else { needs };
            Answer { said: first.clone(), first, other, is_of_second: false, needs }
        })
        .collect();
    for (index, level) in settled.into_iter().zip(levels) {
        let (question, answer) = (&questions[index], &mut answers[index]);
        let (second, other) = both_views(question, terms, level, |ratios| &ratios.second);
        answer.needs = Needs::Nothing;
        if answer.first.verdict == Verdict::Unchanged && !second.verdict.is_change() {
            // It stands already, and this can only take it back: so the whole error is there once more.
            let (both, _) = both_views(&question.pooled(), terms, terms.error, |ratios| &ratios.first);
            answer.said = still_unchanged(&answer.first, &both);
        } else {
            answer.said = confirmed(answer.first.verdict, second);
            answer.other = other;
            answer.is_of_second = true;
        }
    }
    answers
}

/// What the first series of each question says at its last look.
fn first_series(questions: &[Question], terms: &Terms) -> Vec<(Judgement, Option<Judgement>)> {
    let error = terms.error_of_a_look();
    let last = questions.iter().map(|question| question.looks.len()).max().unwrap_or_default();
    let mut said: Vec<Option<(Judgement, Option<Judgement>)>> = vec![None; questions.len()];
    for look in 0..last.max(1) {
        let seen = |question: &Question| {
            // What was settled before keeps the pairs that it was settled with.
            let at = look.min(question.looks.len().saturating_sub(1));
            let all = question.deciding.first.len();
            question.looks.get(at).copied().unwrap_or(all).min(all)
        };
        let p_values: Vec<f64> =
            questions.iter().map(|question| p_of(&question.deciding.first[..seen(question)])).collect();
        let levels = holm::levels(&p_values, error);
        for (index, question) in questions.iter().enumerate() {
            let is_open = look < question.looks.len() || look == 0;
            if is_open {
                let pairs = seen(question);
                let of = |ratios: &'_ Ratios| pairs.min(ratios.first.len());
                said[index] =
                    Some(both_views(question, terms, levels[index], |ratios| &ratios.first[..of(ratios)]));
            }
        }
    }
    said.into_iter().flatten().collect()
}

/// Judges both views of a series; when they say the opposite of each other, nothing is said.
fn both_views<'a>(
    question: &'a Question,
    terms: &Terms,
    error: f64,
    series: impl Fn(&'a Ratios) -> &'a [f64],
) -> (Judgement, Option<Judgement>) {
    let view = |ratios| judge(series(ratios), question.better, terms, error, question.precision);
    let mut deciding = view(&question.deciding);
    let other = question.other.as_ref().map(view);
    let opposite = |verdict| match verdict {
        Verdict::Improved => Some(Verdict::Regressed),
        Verdict::Regressed => Some(Verdict::Improved),
        _ => None,
    };
    if other.as_ref().is_some_and(|other| opposite(other.verdict) == Some(deciding.verdict)) {
        deciding.verdict = Verdict::Inconclusive;
        deciding.why = Some(Why::ViewsDisagree);
    }
    (deciding, other)
}

/// What a first series says counts when a second one says the same, and then as large as the second says: of all
/// that seem to have changed, the first series of those that did so by chance is too large.
fn confirmed(first: Verdict, mut second: Judgement) -> Judgement {
    if second.verdict != first {
        second.verdict = Verdict::Inconclusive;
        second.why = Some(Why::NotConfirmed { first });
    }
    second
}

/// What seems unchanged is so when the pairs of both series together say it too: the shorter one alone would have to tell
/// as much as the longer one.
fn still_unchanged(first: &Judgement, both: &Judgement) -> Judgement {
    let why = match both.verdict {
        Verdict::Unchanged => return first.clone(),
        Verdict::Inconclusive => both.why,
        Verdict::Improved | Verdict::Regressed => Some(Why::NotConfirmed { first: first.verdict }),
    };
    Judgement { verdict: Verdict::Inconclusive, why, ..first.clone() }
}

/// Whether more pairs cannot change that nothing is said.
fn is_hopeless(question: &Question, said: &Judgement) -> bool {
    let hopeless = matches!(said.why, Some(Why::NoDirection | Why::Coarse { .. } | Why::Drift { .. }));
    hopeless || question.deciding.first.is_empty()
}

fn has_second(question: &Question) -> bool {
    !question.deciding.second.is_empty()
}

fn p_of(log_ratios: &[f64]) -> f64 {
    super::paired::PairedEffect::of(log_ratios).map_or(1.0, |effect| effect.p)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Log ratios around `centre` percent, without chance.
    fn around(centre: f64, spread: f64, pairs: usize) -> Vec<f64> {
        let side = |index: usize| (index * 7 % pairs) as f64 / (pairs - 1) as f64 * 2.0 - 1.0;
        (0..pairs).map(|index| ((centre + spread * side(index)) / 100.0).ln_1p()).collect()
    }

    fn question(first: Vec<f64>, second: Vec<f64>) -> Question {
        let looks = vec![first.len()];
        let better = Some(Direction::Lower);
        Question { better, deciding: Ratios { first, second }, looks, ..Question::default() }
    }

    fn one(question: Question, terms: &Terms) -> Answer {
        answer(&[question], terms).pop().expect("an answer")
    }

    #[test]
    fn a_change_needs_a_second_series_that_says_the_same() {
        let terms = Terms::default();
        let alone = one(question(around(3.0, 1.0, 40), Vec::new()), &terms);
        assert_eq!((alone.said.verdict, alone.needs), (Verdict::Regressed, Needs::Confirmation));
        let confirmed = one(question(around(3.0, 1.0, 40), around(2.0, 1.0, 20)), &terms);
        assert_eq!((confirmed.said.verdict, confirmed.needs), (Verdict::Regressed, Needs::Nothing));
        // The estimate is that of the second series.
        let percent = |answer: &Judgement| answer.effect.expect("an interval").percent;
        assert!(
            (percent(&confirmed.said) - 2.0).abs() < 0.1 && (percent(&confirmed.first) - 3.0).abs() < 0.1
        );
        for second in [around(0.0, 0.5, 20), around(-3.0, 1.0, 20), around(2.0, 20.0, 20)] {
            let doubted = one(question(around(3.0, 1.0, 40), second), &terms);
            let why = Some(Why::NotConfirmed { first: Verdict::Regressed });
            assert_eq!((doubted.said.verdict, doubted.said.why), (Verdict::Inconclusive, why));
        }
    }

    #[test]
    fn what_does_not_seem_to_change_needs_no_second_series() {
        let said = one(question(around(0.0, 0.5, 40), Vec::new()), &Terms::default());
        assert_eq!((said.said.verdict, said.needs), (Verdict::Unchanged, Needs::Nothing));
        let said = one(question(around(0.0, 20.0, 40), Vec::new()), &Terms::default());
        assert_eq!((said.said.verdict, said.needs), (Verdict::Inconclusive, Needs::MorePairs));
    }

    #[test]
    fn what_is_measured_twice_is_unchanged_when_both_series_together_say_so() {
        let terms = Terms { twice: true, ..Terms::default() };
        let said = |second| {
            let answer = one(question(around(0.2, 1.0, 40), second), &terms);
            (answer.said.verdict, answer.said.why, answer.is_of_second)
        };
        // Twelve pairs that vary like this say nothing by themselves.
        let alone = one(question(around(0.0, 2.0, 12), Vec::new()), &terms);
        assert_eq!(alone.first.verdict, Verdict::Inconclusive);
        assert_eq!(said(around(0.0, 2.0, 12)), (Verdict::Unchanged, None, false));
        // What varies far more takes the certainty away, and what changed takes all of it.
        let (verdict, why, is_of_second) = said(around(0.9, 30.0, 40));
        assert_eq!((verdict, is_of_second), (Verdict::Inconclusive, false));
        assert!(matches!(why, Some(Why::TooWide | Why::AtTheMargin | Why::Drift { .. })), "{why:?}");
        let why = Some(Why::NotConfirmed { first: Verdict::Unchanged });
        assert_eq!(said(around(3.0, 1.0, 20)), (Verdict::Inconclusive, why, true));
    }

    #[test]
    fn more_pairs_do_not_help_where_the_direction_is_unknown() {
        let unknown = Question { better: None, ..question(around(3.0, 1.0, 40), Vec::new()) };
        assert_eq!(one(unknown, &Terms::default()).needs, Needs::Nothing);
    }

    #[test]
    fn each_look_spends_its_part_of_the_error() {
        let log_ratios = around(0.0, 3.0, 40);
        let width = |looks| {
            let terms = Terms { looks, ..Terms::default() };
            let effect = one(question(log_ratios.clone(), Vec::new()), &terms).first.effect;
            effect.map(|effect| effect.high - effect.low).expect("an interval")
        };
        assert!(width(4) > width(1));
    }

    #[test]
    fn the_last_look_counts() {
        // Nothing can be said of twenty pairs, and of all sixty it can.
        let first = [around(2.0, 30.0, 20), around(2.0, 0.5, 40)].concat();
        let looked = Question { looks: vec![20, 60], ..question(first.clone(), Vec::new()) };
        let terms = Terms { looks: 2, ..Terms::default() };
        assert_eq!(one(looked, &terms).first.verdict, Verdict::Regressed);
        let early = Question { looks: vec![20], ..question(first, Vec::new()) };
        assert_eq!(one(early, &terms).first.verdict, Verdict::Inconclusive);
    }

    #[test]
    fn what_is_found_alone_may_not_be_found_among_many() {
        // Ten pairs of one sign have p = 0.002, which is below 0.01 and not below a tenth of it.
        let few = question(around(3.0, 1.0, 10), Vec::new());
        let terms = Terms::default();
        assert_eq!(one(few.clone(), &terms).first.verdict, Verdict::Regressed);
        let nothing = question(around(0.0, 10.0, 40), Vec::new());
        let all: Vec<Question> = std::iter::once(few).chain(vec![nothing; 9]).collect();
        assert_eq!(answer(&all, &terms)[0].first.verdict, Verdict::Inconclusive);
    }

    #[test]
    fn views_that_say_the_opposite_say_nothing() {
        let other = Ratios { first: around(-3.0, 1.0, 40), second: Vec::new() };
        let both = Question { other: Some(other), ..question(around(3.0, 1.0, 40), Vec::new()) };
        let said = one(both, &Terms::default());
        assert_eq!(said.said.why, Some(Why::ViewsDisagree));
        assert_eq!(said.other.expect("a second view").verdict, Verdict::Improved);
    }
}
