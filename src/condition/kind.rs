//! What a number of a condition is a number of, and what becomes of two of them: the rules of types.

use super::tree::Operator;
use super::unit::{Dimension, Unit};

/// What a number is a number of.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// A number without unit, which takes the unit of what it meets.
    Plain,
    /// A ratio or a percentage, where 1 is the whole. It takes no unit.
    Share,
    /// The exit code of a process.
    Exit,
    /// A metric of this name, whose unit nobody declared.
    Undeclared(String),
    /// A unit that can be converted.
    Known(&'static Unit),
    /// The base unit of a dimension, because several of its units met.
    Base(Dimension),
    /// A unit of which nothing but the name is known.
    Named(String),
}

/// How a number enters an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    AsItIs,
    InBase,
}

/// What becomes of two kinds, and how their numbers enter.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Joined {
    pub(super) kind: Kind,
    pub(super) left: Reading,
    pub(super) right: Reading,
}

/// Why two kinds cannot be joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clash {
    /// They do not fit.
    Different,
    /// A plain number meets several units and could have each of them.
    Ambiguous,
}

impl Joined {
    fn plainly(kind: Kind) -> Self {
        Self { kind, left: Reading::AsItIs, right: Reading::AsItIs }
    }

    fn in_base(kind: Kind) -> Self {
        Self { kind, left: Reading::InBase, right: Reading::InBase }
    }
}

impl Kind {
    /// The kind of the metric `name`, with its unit as declared.
    pub(super) fn of_metric(name: &str, built_in: bool, unit: Option<&str>) -> Self {
        match unit.map(str::trim).filter(|unit| !unit.is_empty()) {
            Some(unit) => Unit::named(unit).map_or_else(|| Self::Named(unit.to_owned()), Self::Known),
            None if built_in => Unit::named("ns").map_or(Self::Plain, Self::Known),
            None => Self::Undeclared(name.to_owned()),
        }
    }

    /// The kind of a number that is written down with `unit`.
    pub(super) fn of_literal(unit: Option<&'static Unit>) -> Self {
        match unit {
            None => Self::Plain,
            // 5% is 0.05, wherever it stands.
            Some(unit) if unit.dimension == Dimension::Share => Self::Share,
            Some(unit) => Self::Known(unit),
        }
    }

    /// The name of its unit.
    pub(super) fn unit(&self) -> Option<&str> {
        match self {
            Self::Plain | Self::Share | Self::Exit | Self::Undeclared(_) => None,
            Self::Known(unit) => Some(unit.name),
            Self::Base(dimension) => dimension.base(),
            Self::Named(name) => Some(name),
        }
    }

    /// `number` of this kind as an operation reads it.
    pub(super) fn read(&self, number: f64, how: Reading) -> f64 {
        match (self, how) {
            (Self::Known(unit), Reading::InBase) => unit.in_base(number),
            _ => number,
        }
    }

    /// What both are where they are compared, added or subtracted.
    pub(super) fn meet(&self, other: &Self) -> Result<Joined, Clash> {
        match (self, other) {
            (Self::Plain, Self::Base(_)) | (Self::Base(_), Self::Plain) => Err(Clash::Ambiguous),
            (Self::Plain, kind) | (kind, Self::Plain) => Ok(Joined::plainly(kind.clone())),
            (Self::Undeclared(_), Self::Undeclared(_) | Self::Share) => Ok(Joined::plainly(self.clone())),
            (Self::Share, Self::Undeclared(_)) => Ok(Joined::plainly(other.clone())),
            _ if self == other => Ok(Joined::plainly(self.clone())),
            _ => match (self.dimension(), other.dimension()) {
                (Some(Dimension::Share), Some(Dimension::Share)) => Ok(Joined::in_base(Self::Share)),
                (Some(one), Some(two)) if one == two => Ok(Joined::in_base(Self::Base(one))),
                _ => Err(Clash::Different),
            },
        }
    }

    /// What becomes of both under `operator`.
    pub(super) fn join(&self, operator: Operator, other: &Self) -> Result<Joined, Clash> {
        match operator {
            Operator::Plus | Operator::Minus => self.meet(other),
            Operator::Times => self.product(other),
            Operator::Over => self.quotient(other),
        }
    }

    fn product(&self, other: &Self) -> Result<Joined, Clash> {
        match (self, other) {
            // A limit of which a share is taken is still a number that takes a unit.
            (Self::Plain, Self::Share) | (Self::Share, Self::Plain) => Ok(Joined::plainly(Self::Plain)),
            (Self::Plain, kind) | (kind, Self::Plain) => Ok(Joined::plainly(kind.clone())),
            _ if other.is_share() => Ok(self.scaled_by_share()),
            _ if self.is_share() => {
                Ok(Joined { kind: other.clone(), left: Reading::InBase, right: Reading::AsItIs })
            }
            // A metric without unit is a count here.
            (kind, Self::Undeclared(_)) | (Self::Undeclared(_), kind) if *kind != Self::Exit => {
                Ok(Joined::plainly(kind.clone()))
            }
            _ => Err(Clash::Different),
        }
    }

    fn quotient(&self, other: &Self) -> Result<Joined, Clash> {
        match (self, other) {
            (kind, Self::Plain) => Ok(Joined::plainly(kind.clone())),
            _ if self.is_share() && other.is_share() => Ok(Joined::in_base(Self::Share)),
            _ if other.is_share() => Ok(self.scaled_by_share()),
            (Self::Plain | Self::Share | Self::Undeclared(_), Self::Undeclared(_)) => {
                Ok(Joined::plainly(other.clone()))
            }
            (Self::Known(_) | Self::Base(_) | Self::Named(_), Self::Undeclared(_)) => {
                Ok(Joined::plainly(self.clone()))
            }
            (Self::Exit, _) | (_, Self::Exit) => Err(Clash::Different),
            _ => self.meet(other).map(|joined| Joined { kind: Self::Share, ..joined }),
        }
    }

    fn scaled_by_share(&self) -> Joined {
        Joined { kind: self.clone(), left: Reading::AsItIs, right: Reading::InBase }
    }

    fn is_share(&self) -> bool {
        self.dimension() == Some(Dimension::Share)
    }

    fn dimension(&self) -> Option<Dimension> {
        match self {
            Self::Known(unit) => Some(unit.dimension),
            Self::Base(dimension) => Some(*dimension),
            Self::Share => Some(Dimension::Share),
            Self::Plain | Self::Exit | Self::Undeclared(_) | Self::Named(_) => None,
        }
    }
}

/// As a sentence names it.
impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plain => f.write_str("a plain number"),
            Self::Share => f.write_str(Dimension::Share.noun()),
            Self::Exit => f.write_str("an exit code"),
            Self::Undeclared(name) => write!(f, "{name}, whose unit is not declared,"),
            Self::Known(unit) => write!(f, "{} ({})", unit.dimension.noun(), unit.name),
            Self::Base(dimension) => f.write_str(dimension.noun()),
            Self::Named(name) => write!(f, "a value in {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Kind {
        match text {
            "plain" => Kind::Plain,
            "share" => Kind::Share,
            "exit" => Kind::Exit,
            "time" => Kind::Base(Dimension::Time),
            "none" => Kind::Undeclared("n".to_owned()),
            unit => Kind::of_metric("m", false, Some(unit)),
        }
    }

    fn joined(operator: Operator, left: &str, right: &str) -> Result<Kind, Clash> {
        kind(left).join(operator, &kind(right)).map(|joined| joined.kind)
    }

    #[test]
    fn sums_and_comparisons_need_one_dimension() {
        for (left, right, expected) in [
            ("plain", "ms", "ms"),
            ("ms", "plain", "ms"),
            ("ms", "ms", "ms"),
            ("ms", "s", "time"),
            ("time", "s", "time"),
            ("rps", "rps", "rps"),
            ("none", "share", "none"),
            ("%", "share", "share"),
            ("%", "plain", "%"),
            ("exit", "plain", "exit"),
        ] {
            assert_eq!(joined(Operator::Plus, left, right), Ok(kind(expected)), "{left} + {right}");
        }
        let wrong =
            [("ms", "MB"), ("ms", "share"), ("none", "ms"), ("rps", "ops"), ("exit", "ms"), ("exit", "none")];
        for (left, right) in wrong {
            assert_eq!(joined(Operator::Plus, left, right), Err(Clash::Different), "{left} + {right}");
            assert_eq!(joined(Operator::Minus, right, left), Err(Clash::Different), "{right} - {left}");
        }
        assert_eq!(joined(Operator::Plus, "plain", "time"), Err(Clash::Ambiguous));
    }

    #[test]
    fn a_product_keeps_the_only_unit_and_a_quotient_of_equals_is_a_share() {
        for (left, operator, right, expected) in [
            ("plain", Operator::Times, "share", "plain"),
            ("ms", Operator::Times, "share", "ms"),
            ("%", Operator::Times, "ms", "ms"),
            ("plain", Operator::Times, "%", "%"),
            ("none", Operator::Times, "ms", "ms"),
            ("ms", Operator::Over, "s", "share"),
            ("rps", Operator::Over, "rps", "share"),
            ("plain", Operator::Over, "rps", "share"),
            ("rps", Operator::Over, "plain", "rps"),
            ("ms", Operator::Over, "none", "ms"),
            ("none", Operator::Over, "none", "none"),
            ("%", Operator::Over, "share", "share"),
        ] {
            assert_eq!(joined(operator, left, right), Ok(kind(expected)), "{left} {operator:?} {right}");
        }
        for (left, operator, right) in [
            ("ms", Operator::Times, "ms"),
            ("ms", Operator::Times, "MB"),
            ("MB", Operator::Over, "s"),
            ("share", Operator::Over, "ms"),
            ("none", Operator::Over, "ms"),
            ("none", Operator::Times, "exit"),
            ("exit", Operator::Over, "exit"),
        ] {
            assert_eq!(joined(operator, left, right), Err(Clash::Different), "{left} {operator:?} {right}");
        }
    }
}
