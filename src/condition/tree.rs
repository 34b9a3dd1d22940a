//! A condition as a tree, and the tree as text.

use super::token;
use super::unit::Unit;
use std::fmt;

/// What is true or false.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Logic {
    Compare(Comparison),
    Not(Box<Logic>),
    All(Vec<Logic>),
    Any(Vec<Logic>),
}

/// Two numbers beside each other.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Comparison {
    pub(super) left: Number,
    pub(super) relation: Relation,
    pub(super) right: Number,
}

/// What is a number, perhaps with a unit.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Number {
    Leaf(Leaf),
    Negated(Box<Number>),
    /// Operators of one rank, from the left. A list, so that a long sum is no deep tree.
    Chain(Box<Number>, Vec<(Operator, Number)>),
}

/// What a number begins with.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Leaf {
    Literal(Literal),
    Metric(Metric),
    /// A stored value; `bare` where it is written without a name.
    Baseline {
        of: Metric,
        bare: bool,
    },
    Exit,
    Param,
}

/// A number as it is written, never negative.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Literal {
    pub(super) number: f64,
    pub(super) unit: Option<&'static Unit>,
}

/// A metric.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Metric {
    /// As results call it.
    pub(super) name: String,
    /// Whether it is the `cost` or `felt` of this program.
    pub(super) built_in: bool,
}

/// How two numbers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    Unequal,
}

/// How two numbers become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Plus,
    Minus,
    Times,
    Over,
}

impl Relation {
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Equal => "==",
            Self::Unequal => "!=",
        }
    }
}

impl Operator {
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Times => "*",
            Self::Over => "/",
        }
    }

    /// Whether it belongs to sums; otherwise it belongs to products.
    pub(super) fn is_sum(self) -> bool {
        matches!(self, Self::Plus | Self::Minus)
    }
}

impl Logic {
    /// Visits what the numbers begin with, from the left.
    pub(super) fn each_leaf(&self, visit: &mut impl FnMut(&Leaf)) {
        match self {
            Self::Compare(comparison) => {
                comparison.left.each_leaf(visit);
                comparison.right.each_leaf(visit);
            }
            Self::Not(inner) => inner.each_leaf(visit),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.each_leaf(visit)),
        }
    }
}

impl Number {
    pub(super) fn each_leaf(&self, visit: &mut impl FnMut(&Leaf)) {
        match self {
            Self::Leaf(leaf) => visit(leaf),
            Self::Negated(inner) => inner.each_leaf(visit),
            Self::Chain(first, rest) => {
                first.each_leaf(visit);
                for (_, number) in rest {
                    number.each_leaf(visit);
                }
            }
        }
    }

    /// Says which metric is meant where `baseline` has no name.
    pub(super) fn name_baseline(&mut self, meant: &Metric) {
        match self {
            Self::Leaf(Leaf::Baseline { of, bare: true }) => of.clone_from(meant),
            Self::Leaf(_) => {}
            Self::Negated(inner) => inner.name_baseline(meant),
            Self::Chain(first, rest) => {
                first.name_baseline(meant);
                for (_, number) in rest {
                    number.name_baseline(meant);
                }
            }
        }
    }

    /// Whether it needs parentheses inside a chain of sums, or of products.
    fn is_looser_than(&self, sums: bool) -> bool {
        match self {
            Self::Chain(_, rest) => !sums || rest.iter().any(|(operator, _)| operator.is_sum()),
            _ => false,
        }
    }
}

/// Writes `inner`, in parentheses if it needs them.
fn wrapped(f: &mut fmt::Formatter<'_>, inner: &impl fmt::Display, parentheses: bool) -> fmt::Result {
    if parentheses { write!(f, "({inner})") } else { write!(f, "{inner}") }
}

impl fmt::Display for Logic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, parts: &[Self], with: &str, loose: fn(&Self) -> bool| {
            for (index, part) in parts.iter().enumerate() {
                f.write_str(if index == 0 { "" } else { with })?;
                wrapped(f, part, loose(part))?;
            }
            Ok(())
        };
        match self {
            Self::Compare(comparison) => comparison.fmt(f),
            Self::Not(inner) => {
                f.write_str("!")?;
                wrapped(f, inner, !matches!(**inner, Self::Not(_)))
            }
            Self::All(parts) => joined(f, parts, " && ", |part| matches!(part, Self::All(_) | Self::Any(_))),
            Self::Any(parts) => joined(f, parts, " || ", |part| matches!(part, Self::Any(_))),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.left, self.relation.symbol(), self.right)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leaf(leaf) => leaf.fmt(f),
            Self::Negated(inner) => {
                f.write_str("-")?;
                wrapped(f, inner, matches!(**inner, Self::Chain(..)))
            }
            Self::Chain(first, rest) => {
                let sums = rest.iter().any(|(operator, _)| operator.is_sum());
                wrapped(f, first, first.is_looser_than(sums))?;
                rest.iter().try_for_each(|(operator, number)| {
                    write!(f, " {} ", operator.symbol())?;
                    wrapped(f, number, number.is_looser_than(sums))
                })
            }
        }
    }
}

impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(literal) => literal.fmt(f),
            Self::Metric(metric) => metric.fmt(f),
            Self::Baseline { bare: true, .. } => f.write_str("baseline"),
            Self::Baseline { of, bare: false } => write!(f, "baseline.{of}"),
            Self::Exit => f.write_str("exit"),
            Self::Param => f.write_str("param"),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let readable = self.number == 0.0 || (1e-6..1e16).contains(&self.number);
        if readable {
            write!(f, "{}", self.number)?;
        } else {
            write!(f, "{:e}", self.number)?;
        }
        f.write_str(self.unit.map_or("", |unit| unit.name))
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.built_in || token::stands_for_itself(&self.name) {
            f.write_str(&self.name)
        } else {
            write!(f, "`{}`", self.name.replace('`', "``"))
        }
    }
}
