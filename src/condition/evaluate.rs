//! Decides conditions. The same walk checks them before there are values: then numbers are unknown,
//! except those that are written down.

use super::kind::{Clash, Kind};
use super::tree::{Comparison, Leaf, Logic, Metric, Number, Operator, Relation};
use super::{Compared, Condition, Known, Quantity, Values, Verdict};
use crate::failure::{Failure, FailureKind};
use std::cmp::Ordering;

/// Names that a message lists at most.
const LISTED: usize = 20;

/// A number while it is computed.
struct Operand {
    kind: Kind,
    /// Unknown before something was measured.
    number: Option<f64>,
}

/// What a part of a condition comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Decided {
    /// Whether it holds; unknown while numbers are unknown.
    holds: Option<bool>,
    /// See [`Verdict::excess`].
    excess: Option<f64>,
}

impl Decided {
    fn turned(self) -> Self {
        Self { holds: self.holds.map(|holds| !holds), excess: self.excess.map(|excess| -excess) }
    }

    /// What becomes of the distance of parts of which one that is `decisive` decides: the worst of parts that
    /// must all hold, the best of parts of which one must. Parts that are not as the whole is do not count,
    /// nor do those without one.
    fn joined(parts: &[Self], decisive: bool, holds: Option<bool>) -> Self {
        let decides = |part: &&Self| holds != Some(decisive) || part.holds == Some(decisive);
        let excesses = parts.iter().filter(decides).filter_map(|part| part.excess);
        let excess = if decisive { excesses.reduce(f64::min) } else { excesses.reduce(f64::max) };
        Self { holds, excess }
    }
}

/// Where names get their values from.
trait Source {
    fn metric(&self, metric: &Metric) -> Result<Operand, Failure>;
    fn baseline(&self, metric: &Metric) -> Result<Operand, Failure>;
    fn exit(&self) -> Result<Option<f64>, Failure>;
    fn param(&self) -> Result<Option<f64>, Failure>;
    /// Who is to blame for a number that is not finite.
    fn blame(&self) -> FailureKind;
}

/// See [`Condition::check`].
pub(super) fn check(condition: &Condition, unit_of: &dyn Fn(&str) -> Option<Known>) -> Result<(), Failure> {
    let mut unknown = condition.names();
    unknown.extend(condition.baseline_names());
    unknown.retain(|name| unit_of(name).is_none());
    if let Some(first) = unknown.first() {
        let hint = if first.contains(['/', '-']) {
            format!("{first} is read as one name; to divide or subtract, put spaces around the operator")
        } else {
            "metrics are called as in the results, those of a scenario as in low/p99_ms".to_owned()
        };
        let names: Vec<&str> = unknown.iter().map(String::as_str).collect();
        return Err(Failure::usage(format!(
            "the condition names metrics that are not measured: {}",
            names.join(", ")
        ))
        .hint(hint));
    }
    Walk { source: &Declared { unit_of }, made: Vec::new() }.logic(&condition.tree).map(|_| ())
}

/// See [`Condition::evaluate`].
pub(super) fn verdict(condition: &Condition, values: &dyn Values) -> Result<Verdict, Failure> {
    let mut walk = Walk { source: &Measured { values }, made: Vec::new() };
    let Decided { holds, excess } = walk.logic(&condition.tree)?;
    let undecided = || Failure::new(FailureKind::Bug, format!("{condition} was not decided"));
    Ok(Verdict { holds: holds.ok_or_else(undecided)?, excess, comparisons: walk.made })
}

/// Units as declared, no values.
struct Declared<'a> {
    unit_of: &'a dyn Fn(&str) -> Option<Known>,
}

impl Source for Declared<'_> {
    fn metric(&self, metric: &Metric) -> Result<Operand, Failure> {
        let unit = (self.unit_of)(&metric.name).and_then(|known| known.unit);
        Ok(Operand { kind: Kind::of_metric(&metric.name, metric.built_in, unit.as_deref()), number: None })
    }

    fn baseline(&self, metric: &Metric) -> Result<Operand, Failure> {
        self.metric(metric)
    }

    fn exit(&self) -> Result<Option<f64>, Failure> {
        Ok(None)
    }

    fn param(&self) -> Result<Option<f64>, Failure> {
        Ok(None)
    }

    fn blame(&self) -> FailureKind {
        FailureKind::Usage
    }
}

/// What was measured and stored.
struct Measured<'a> {
    values: &'a dyn Values,
}

impl Measured<'_> {
    fn operand(metric: &Metric, shown: &str, found: &Quantity) -> Result<Operand, Failure> {
        if !found.value.is_finite() {
            return Err(Failure::benchmark(format!(
                "{shown} is {}, which decides no condition",
                found.value
            ))
            .hint("the benchmark has to report a finite number"));
        }
        let kind = Kind::of_metric(&metric.name, metric.built_in, found.unit.as_deref());
        Ok(Operand { kind, number: Some(found.value) })
    }
}

impl Source for Measured<'_> {
    fn metric(&self, metric: &Metric) -> Result<Operand, Failure> {
        let name = &metric.name;
        let found = self.values.value(name).ok_or_else(|| {
            let there = self.values.names();
            let listed = there.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
            let listed = match there.len() {
                0 => "no metric was".to_owned(),
                1..=LISTED => format!("there is {listed}"),
                count => format!("there is {listed} and {} more", count - LISTED),
            };
            Failure::benchmark(format!("the condition needs {name}, which was not measured; {listed}"))
                .hint("the benchmark has to report each metric that the condition names")
        })?;
        Self::operand(metric, name, &found)
    }

    fn baseline(&self, metric: &Metric) -> Result<Operand, Failure> {
        let name = &metric.name;
        let found = self.values.baseline(name).ok_or_else(|| {
            Failure::new(
                FailureKind::Blocked,
                format!("the condition needs the baseline of {name}, which is not stored"),
            )
            .hint("record it with cargo perf baseline, or compare with a number")
        })?;
        Self::operand(metric, &format!("the baseline of {name}"), &found)
    }

    fn exit(&self) -> Result<Option<f64>, Failure> {
        let missing = || Failure::benchmark("the condition needs the exit code, and the benchmark has none");
        self.values.exit().map(|code| Some(f64::from(code))).ok_or_else(missing)
    }

    fn param(&self) -> Result<Option<f64>, Failure> {
        let found = self.values.param().ok_or_else(|| {
            Failure::usage("the condition needs param, and nothing is measured at a load")
                .hint("compare with a number instead of param")
        })?;
        if found.is_finite() { Ok(Some(found)) } else { Err(Failure::usage(format!("param is {found}"))) }
    }

    fn blame(&self) -> FailureKind {
        FailureKind::Benchmark
    }
}

struct Walk<'a> {
    source: &'a dyn Source,
    made: Vec<Compared>,
}

impl Walk<'_> {
    fn logic(&mut self, logic: &Logic) -> Result<Decided, Failure> {
        match logic {
            Logic::Compare(comparison) => self.comparison(comparison),
            Logic::Not(inner) => self.logic(inner).map(Decided::turned),
            Logic::All(parts) => self.parts(parts, false),
            Logic::Any(parts) => self.parts(parts, true),
        }
    }

    /// Parts of which one that is `decisive` decides for all. Those behind it are compared too, to be
    /// shown, but what they lack is no error any more; that their units do not fit still is.
    fn parts(&mut self, parts: &[Logic], decisive: bool) -> Result<Decided, Failure> {
        let mut result = Some(!decisive);
        let mut decided = Vec::new();
        for part in parts {
            let is_decided = result == Some(decisive);
            match self.logic(part) {
                Err(failure) if is_decided && failure.kind != FailureKind::Usage => {}
                Err(failure) => return Err(failure),
                Ok(part) => {
                    match part.holds {
                        _ if is_decided => {}
                        None => result = None,
                        Some(holds) if holds == decisive => result = Some(decisive),
                        Some(_) => {}
                    }
                    decided.push(part);
                }
            }
        }
        Ok(Decided::joined(&decided, decisive, result))
    }

    fn comparison(&mut self, comparison: &Comparison) -> Result<Decided, Failure> {
        let (left, right) = (self.number(&comparison.left)?, self.number(&comparison.right)?);
        let joined = left.kind.meet(&right.kind).map_err(|clash| {
            let doing = format!("compares {} with {}", left.kind, right.kind);
            misfit(clash, &comparison.to_string(), &doing, &left.kind, &right.kind)
        })?;
        let (Some(one), Some(two)) = (left.number, right.number) else {
            return Ok(Decided::default());
        };
        let (one, two) = (left.kind.read(one, joined.left), right.kind.read(two, joined.right));
        let order = one.partial_cmp(&two).filter(|_| one.is_finite() && two.is_finite());
        let order = order.ok_or_else(|| self.not_finite(comparison))?;
        let holds = match comparison.relation {
            Relation::Less => order == Ordering::Less,
            Relation::LessOrEqual => order != Ordering::Greater,
            Relation::Greater => order == Ordering::Greater,
            Relation::GreaterOrEqual => order != Ordering::Less,
            Relation::Equal => order == Ordering::Equal,
            Relation::Unequal => order != Ordering::Equal,
        };
        let quantity = |value| Quantity { value, unit: joined.kind.unit().map(str::to_owned) };
        self.made.push(Compared {
            text: comparison.to_string(),
            left: quantity(one),
            right: quantity(two),
            holds,
        });
        let is_exit = left.kind == Kind::Exit || right.kind == Kind::Exit;
        let excess = if is_exit { None } else { excess(comparison.relation, one, two) };
        Ok(Decided { holds: Some(holds), excess })
    }

    fn number(&self, number: &Number) -> Result<Operand, Failure> {
        match number {
            Number::Leaf(leaf) => self.leaf(leaf),
            Number::Negated(inner) => {
                let inner = self.number(inner)?;
                Ok(Operand { number: inner.number.map(|number| -number), ..inner })
            }
            Number::Chain(first, rest) => {
                let first = self.number(first)?;
                rest.iter().try_fold(first, |left, (operator, right)| {
                    self.operation(&left, *operator, &self.number(right)?, number)
                })
            }
        }
    }

    fn leaf(&self, leaf: &Leaf) -> Result<Operand, Failure> {
        match leaf {
            Leaf::Literal(literal) => {
                let kind = Kind::of_literal(literal.unit);
                let number = match (&kind, literal.unit) {
                    (Kind::Share, Some(unit)) => unit.in_base(literal.number),
                    _ => literal.number,
                };
                Ok(Operand { kind, number: Some(number) })
            }
            Leaf::Metric(metric) => self.source.metric(metric),
            Leaf::Baseline { of, .. } => self.source.baseline(of),
            Leaf::Exit => Ok(Operand { kind: Kind::Exit, number: self.source.exit()? }),
            Leaf::Param => Ok(Operand { kind: Kind::Plain, number: self.source.param()? }),
        }
    }

    fn operation(
        &self,
        left: &Operand,
        operator: Operator,
        right: &Operand,
        whole: &Number,
    ) -> Result<Operand, Failure> {
        let (one, two) = (&left.kind, &right.kind);
        let joined = one.join(operator, two).map_err(|clash| {
            let doing = match operator {
                Operator::Plus => format!("adds {two} to {one}"),
                Operator::Minus => format!("subtracts {two} from {one}"),
                Operator::Times => format!("multiplies {one} by {two}"),
                Operator::Over => format!("divides {one} by {two}"),
            };
            misfit(clash, &whole.to_string(), &doing, one, two)
        })?;
        let first = left.number.map(|number| one.read(number, joined.left));
        let second = right.number.map(|number| two.read(number, joined.right));
        if operator == Operator::Over && second == Some(0.0) {
            return Err(self.not_finite(whole));
        }
        let number = first.zip(second).map(|(first, second)| match operator {
            Operator::Plus => first + second,
            Operator::Minus => first - second,
            Operator::Times => first * second,
            Operator::Over => first / second,
        });
        if [first, second, number].into_iter().flatten().any(|number| !number.is_finite()) {
            return Err(self.not_finite(whole));
        }
        Ok(Operand { kind: joined.kind, number })
    }

    fn not_finite(&self, whole: &impl std::fmt::Display) -> Failure {
        let message = format!("{} divides by 0 or is too large for a number", shortened(&whole.to_string()));
        Failure::new(self.source.blame(), message)
            .hint("say first when it means something, as in requests > 0 && errors / requests < 1%")
    }
}

/// How far `one` is beyond the limit `two`. Where there are no ratios, the limit itself is the measure; where
/// it is nothing, and where only equality counts, there is none.
fn excess(relation: Relation, one: f64, two: f64) -> Option<f64> {
    let above = if one > 0.0 && two > 0.0 { (one / two).ln() } else { (one - two) / two.abs() };
    let excess = match relation {
        Relation::Less | Relation::LessOrEqual => above,
        Relation::Greater | Relation::GreaterOrEqual => -above,
        Relation::Equal | Relation::Unequal => return None,
    };
    excess.is_finite().then_some(excess)
}

/// Two kinds that do not fit in the part `text`.
fn misfit(clash: Clash, text: &str, doing: &str, left: &Kind, right: &Kind) -> Failure {
    let failure = Failure::usage(format!("{} {doing}", shortened(text)).trim_end_matches(','));
    match (clash, left, right) {
        (Clash::Ambiguous, ..) => {
            failure.hint("several units meet there; give the plain number one, as in 50ms")
        }
        (_, Kind::Undeclared(name), other) | (_, other, Kind::Undeclared(name)) if other.unit().is_some() => {
            // What is declared of a metric holds in all scenarios.
            let name = name.split_once('/').map_or(name.as_str(), |(_, name)| name);
            let unit = other.unit().unwrap_or_default();
            failure.hint(format!("declare the unit of the metric: --metric {name}:{unit}:lower (or :higher)"))
        }
        _ => failure.hint("both sides must be of one sort; a plain number takes the unit of the other side"),
    }
}

/// The beginning of a long text.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 80;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
