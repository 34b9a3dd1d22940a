//! Measures the benches of two sides until the verdicts are final: a first series, more pairs where nothing
//! can be said yet and time is left, and a second series for what seems to have changed.

use super::Lab;
use super::contest::{Contest, Course, Goal};
use super::intent::{Intent, Question};
use super::pairing::Pairing;
use crate::failure::Failure;
use crate::model::bench::{HarnessKind, Precision};
use crate::model::comparison::{ComparedBench, Sides};
use crate::model::event::Event;
use crate::model::verdict::{Terms, ViewName};
use crate::stats::comparison::Needs;
use crate::stats::judging::judge_benches;
use std::path::Path;
use std::time::Duration;

/// A second series is this part of the first one: as little as can still find what that has found.
const CONFIRMATION: f64 = 0.5;
/// How often a result is looked at, at most; each look after the first doubles the series.
const MOST_LOOKS: u32 = 4;
/// What measures everything twice is to come to an answer: the wall time that it may take for that where nobody says
/// otherwise. It never keeps from what has to be measured anyway.
const USUAL_BUDGET: Duration = Duration::from_secs(600);

/// What is compared, and how.
#[derive(Debug)]
pub struct Comparing<'a> {
    /// The sources of both sides: equal for equal ones.
    pub sources: Sides<String>,
    /// The benches.
    pub contests: Vec<Contest<'a>>,
    /// The folder of the run.
    pub folder: &'a Path,
    /// What the run in this folder set out to do before it was interrupted.
    pub earlier: Option<Intent>,
    /// The view that decides, where the user said so.
    pub view: Option<ViewName>,
    /// How sure verdicts have to be. The number of looks follows from `budget`.
    pub terms: Terms,
    /// Decides the order within pairs.
    pub seed: u64,
    /// The wall time that all of it may take.
    pub budget: Option<Duration>,
    /// What is run in each checkout before it is built.
    pub prepare: Option<&'a str>,
}

/// What was measured and what it says.
#[derive(Debug)]
pub struct Compared {
    /// The benches.
    pub benches: Vec<ComparedBench>,
    /// The terms, with the number of looks.
    pub terms: Terms,
    /// Pairs that were measured before an interruption.
    pub kept: usize,
}

/// The series of one bench while they grow.
struct Contestant<'a> {
    contest: Contest<'a>,
    course: Course,
    goal: Goal,
    first: Pairing<'a>,
    second: Option<Pairing<'a>>,
    number: u64,
}

impl Lab<'_> {
    /// Measures all contests.
    ///
    /// # Errors
    /// `Benchmark` when a side fails or does not measure the same as the other; `Usage` when the time is too
    /// short for what was asked; `Interrupted`.
    pub fn compare(&mut self, order: &Comparing<'_>) -> Result<Compared, Failure> {
        let intent = match &order.earlier {
            Some(earlier) => {
                earlier.expect(&Question::of(order))?;
                earlier.clone()
            }
            None => self.intend(order)?,
        };
        let terms = intent.terms;
        let mut contestants = Vec::new();
        for (number, (contest, course)) in order.contests.iter().zip(intent.courses).enumerate() {
            contestants.push(Contestant::new(*contest, course, intent.seed, number as u64)?);
        }
        let mut kept: usize = contestants.iter().map(|one| one.first.kept()).sum();
        for contestant in &mut contestants {
            self.grow(&mut contestant.first, contestant.goal)?;
        }
        loop {
            let (benches, needs) = judged(order, &terms, &mut contestants)?;
            let mut done = true;
            for (contestant, needs) in contestants.iter_mut().zip(needs) {
                let looks = contestant.first.looks();
                if needs == Needs::MorePairs && looks < terms.looks {
                    self.grow(&mut contestant.first, contestant.goal.times(grown(looks)))?;
                    done = false;
                } else if needs == Needs::Confirmation || (terms.twice && contestant.second.is_none()) {
                    kept += self.confirm(contestant, intent.seed, needs == Needs::Confirmation)?;
                    done = false;
                }
            }
            if done {
                return Ok(Compared { benches, terms, kept });
            }
        }
    }

    /// Tries all contests, says what it will take, and keeps what follows.
    fn intend(&mut self, order: &Comparing<'_>) -> Result<Intent, Failure> {
        let courses: Vec<Course> =
            order.contests.iter().map(|contest| self.try_contest(contest)).collect::<Result<_, _>>()?;
        let terms = self.announce(order, &courses)?;
        let intent = Intent::new(order, courses, terms);
        intent.keep(order.folder)?;
        Ok(intent)
    }

    /// Measures a second series; returns how many of its pairs were there before an interruption.
    fn confirm(
        &mut self,
        contestant: &mut Contestant<'_>,
        seed: u64,
        seems_changed: bool,
    ) -> Result<usize, Failure> {
        let bench = contestant.contest.entries.base.benchmark.name.to_string();
        self.report(Event::Confirming { seems_changed, bench });
        let mut second = Pairing::confirming(contestant.contest, contestant.course, seed, contestant.number)?;
        let kept = second.kept();
        self.grow(
            &mut second,
            contestant.goal.times(grown(contestant.first.looks().saturating_sub(1)) * CONFIRMATION),
        )?;
        contestant.second = Some(second);
        Ok(kept)
    }

    /// Says what it will take, and decides how often results may be looked at.
    fn announce(&mut self, order: &Comparing<'_>, courses: &[Course]) -> Result<Terms, Failure> {
        let goals: Vec<Goal> = order.contests.iter().map(|contest| Goal::of(contest.demand)).collect();
        let wall = |factor: f64| -> f64 {
            goals.iter().zip(courses).map(|(goal, course)| goal.times(factor).wall_s(course)).sum()
        };
        let (first_s, second_s) = (wall(1.0), wall(CONFIRMATION));
        let whole_s = first_s + second_s;
        let (mut looks, mut most_s) = (1, None);
        if let Some(budget) = order.budget.or(order.terms.twice.then_some(USUAL_BUDGET)) {
            let budget_s = budget.as_secs_f64();
            if order.budget.is_some() && budget_s < whole_s {
                return Err(Failure::usage(format!(
                    "--max-time is {budget_s:.0} s, and the comparison takes about {whole_s:.0} s with a second series"
                ))
                .hint("give it more, or approve shorter series with --duration and --approve-short"));
            }
            let with = |looks: u32| grown(looks - 1) * whole_s;
            looks = (1..=MOST_LOOKS).rev().find(|looks| with(*looks) <= budget_s).unwrap_or(1);
            let is_named = order.budget.is_some() || looks > 1;
            most_s = is_named.then(|| order.budget.map_or(with(looks), |_| budget_s));
        }
        let measured_s = goals.first().map_or(0.0, |goal| goal.measured_s);
        let (wall_s, confirmation_s) = if order.terms.twice { (whole_s, 0.0) } else { (first_s, second_s) };
        self.report(Event::ComparisonPlanned {
            benches: courses.len(),
            measured_s,
            wall_s,
            confirmation_s,
            most_s,
        });
        Ok(Terms { looks, ..order.terms })
    }
}

/// How many times as long a series is after so many looks that said nothing.
fn grown(looks: u32) -> f64 {
    f64::from(1 << looks)
}

impl<'a> Contestant<'a> {
    fn new(contest: Contest<'a>, course: Course, seed: u64, number: u64) -> Result<Self, Failure> {
        let first = Pairing::new(contest, course, seed, number)?;
        Ok(Self { contest, course, goal: Goal::of(contest.demand), first, second: None, number })
    }

    fn record(&mut self, view: Option<ViewName>) -> Result<ComparedBench, Failure> {
        let benchmark = &self.contest.entries.candidate.benchmark;
        let precision = benchmark.harness.precision();
        Ok(ComparedBench {
            bench: benchmark.name.clone(),
            harness: benchmark.harness,
            precision,
            executable_sha256: self.contest.executables(),
            source_differs: self.contest.source_differs,
            unit: self.first.unit().map(str::to_owned),
            accounting: self.first.accounting(),
            view: view.unwrap_or_else(|| usual_view(benchmark.harness, precision)),
            metrics: self.contest.declared(),
            plan: self.first.plan(),
            series: self.first.series()?,
            confirmation: self.second.as_mut().map(Pairing::series).transpose()?,
            verdicts: Vec::new(),
        })
    }
}

/// The view that decides when nobody says otherwise: what a computation takes by itself, and what a user of a
/// whole program feels.
fn usual_view(harness: HarnessKind, precision: Precision) -> ViewName {
    let whole = matches!(harness, HarnessKind::External | HarnessKind::Custom);
    if whole || precision == Precision::Median { ViewName::Felt } else { ViewName::Cost }
}

fn judged(
    order: &Comparing<'_>,
    terms: &Terms,
    contestants: &mut [Contestant<'_>],
) -> Result<(Vec<ComparedBench>, Vec<Needs>), Failure> {
    let mut benches =
        contestants.iter_mut().map(|one| one.record(order.view)).collect::<Result<Vec<_>, _>>()?;
    let judged = judge_benches(&benches, terms);
    let mut needs = Vec::new();
    for (bench, judged) in benches.iter_mut().zip(judged) {
        bench.verdicts = judged.verdicts;
        needs.push(judged.needs);
    }
    Ok((benches, needs))
}
