//! From text to tokens: numbers with their units, names, operators.

use super::tree::{Leaf, Literal, Metric, Operator, Relation};
use super::unit::{UNITS, Unit};
use crate::failure::Failure;
use std::fmt;

/// A piece of a condition and the column it begins in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) piece: Piece,
    /// In characters, from 1.
    pub(super) column: usize,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    /// A number or a name; the name of a bare `baseline` is empty.
    Leaf(Leaf),
    Relation(Relation),
    Operator(Operator),
    And,
    Or,
    Not,
    Open,
    Close,
    End,
}

/// An error in `column`; `what` says what was expected.
pub(super) fn fault(column: usize, what: impl fmt::Display) -> Failure {
    Failure::usage(format!("column {column} of the condition: {what}"))
        .hint("a condition reads as in p99_ms < 50 && cost <= baseline * 0.95")
}

/// The tokens of `text`, the end last.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Failure> {
    let mut scanner = Scanner { rest: text, column: 1 };
    let mut found = Vec::new();
    loop {
        scanner.skip_while(char::is_whitespace);
        let column = scanner.column;
        let piece = scanner.piece()?;
        let is_end = piece == Piece::End;
        found.push(Token { piece, column });
        if is_end {
            return Ok(found);
        }
    }
}

/// Whether a metric of this name can be written without back quotes.
pub(super) fn stands_for_itself(name: &str) -> bool {
    tokens(name).is_ok_and(|found| {
        let is_name =
            |leaf: &Leaf| matches!(leaf, Leaf::Metric(metric) if !metric.built_in && metric.name == name);
        matches!(found.as_slice(), [Token { piece: Piece::Leaf(leaf), .. }, _] if is_name(leaf))
    })
}

/// What the harness allows in the name of a metric.
fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_.:/%-".contains(c)
}

fn begins_name(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

/// Words that mean something by themselves.
const RESERVED: [&str; 5] = ["cost", "felt", "exit", "param", "baseline"];

/// What remains of the text.
struct Scanner<'t> {
    rest: &'t str,
    column: usize,
}

impl<'t> Scanner<'t> {
    /// Takes characters as long as they are `wanted`.
    fn skip_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        self.take(self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len()))
    }

    fn take(&mut self, bytes: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.column += taken.chars().count();
        self.rest = rest;
        taken
    }

    fn piece(&mut self) -> Result<Piece, Failure> {
        match self.rest.chars().next() {
            None => Ok(Piece::End),
            Some(c) if c.is_ascii_digit() => self.number().map(|number| Piece::Leaf(Leaf::Literal(number))),
            Some(c) if begins_name(c) => self.name().map(Piece::Leaf),
            Some('`') => self.quoted().map(|metric| Piece::Leaf(Leaf::Metric(metric))),
            Some(c) => self.symbol(c),
        }
    }

    fn symbol(&mut self, first: char) -> Result<Piece, Failure> {
        // Longer ones first.
        let symbols = [
            ("<=", Piece::Relation(Relation::LessOrEqual)),
            (">=", Piece::Relation(Relation::GreaterOrEqual)),
            ("==", Piece::Relation(Relation::Equal)),
            ("!=", Piece::Relation(Relation::Unequal)),
            ("&&", Piece::And),
            ("||", Piece::Or),
            ("<", Piece::Relation(Relation::Less)),
            (">", Piece::Relation(Relation::Greater)),
            ("!", Piece::Not),
            ("(", Piece::Open),
            (")", Piece::Close),
            ("+", Piece::Operator(Operator::Plus)),
            ("-", Piece::Operator(Operator::Minus)),
            ("*", Piece::Operator(Operator::Times)),
            ("/", Piece::Operator(Operator::Over)),
        ];
        if let Some((symbol, piece)) = symbols.into_iter().find(|(symbol, _)| self.rest.starts_with(symbol)) {
            self.take(symbol.len());
            return Ok(piece);
        }
        let expected = match first {
            '=' => "expected ==".to_owned(),
            '&' => "expected &&".to_owned(),
            '|' => "expected ||".to_owned(),
            '≤' => "expected <=".to_owned(),
            '≥' => "expected >=".to_owned(),
            '≠' => "expected !=".to_owned(),
            '.' => "expected a digit before the point, as in 0.5".to_owned(),
            '%' => "expected % right behind a number, as in 5%".to_owned(),
            other => format!(
                "expected a number, a metric or an operator, found {other:?}; other names stand in back quotes"
            ),
        };
        Err(fault(self.column, expected))
    }

    /// Digits, perhaps a fraction, perhaps an exponent, perhaps a unit.
    fn number(&mut self) -> Result<Literal, Failure> {
        let start = (self.rest, self.column);
        self.skip_while(|c| c.is_ascii_digit());
        if self.rest.starts_with('.') {
            self.take(1);
            if self.skip_while(|c| c.is_ascii_digit()).is_empty() {
                return Err(fault(self.column, "expected a digit behind the point"));
            }
        }
        let mantissa = &start.0[..start.0.len() - self.rest.len()];
        self.exponent();
        let digits = &start.0[..start.0.len() - self.rest.len()];
        let number = digits.parse::<f64>().ok().filter(|number| number.is_finite());
        let number = number.ok_or_else(|| fault(start.1, "expected a smaller number"))?;
        if number == 0.0 && mantissa.contains(|c: char| matches!(c, '1'..='9')) {
            return Err(fault(start.1, "expected a number that is not taken for 0"));
        }
        Ok(Literal { number, unit: self.unit()? })
    }

    fn exponent(&mut self) {
        let Some(behind) = self.rest.strip_prefix(['e', 'E']) else { return };
        let signed = behind.strip_prefix(['+', '-']).unwrap_or(behind);
        let digits = signed.find(|c: char| !c.is_ascii_digit()).unwrap_or(signed.len());
        if digits > 0 {
            self.take(self.rest.len() - signed.len() + digits);
        }
    }

    fn unit(&mut self) -> Result<Option<&'static Unit>, Failure> {
        let column = self.column;
        let word = if self.rest.starts_with('%') {
            self.take(1)
        } else {
            self.skip_while(|c| c.is_alphanumeric() || c == '_' || c == '.')
        };
        if word.is_empty() {
            return Ok(None);
        }
        let all = UNITS.each_ref().map(|unit| unit.name).join(" ");
        let unit = Unit::named(word)
            .ok_or_else(|| fault(column, format!("expected a unit ({all}) or an operator, found {word:?}")));
        unit.map(Some)
    }

    fn name(&mut self) -> Result<Leaf, Failure> {
        let column = self.column;
        let word = self.skip_while(is_name);
        let Some(stored) = word.strip_prefix("baseline.") else {
            return Ok(match word {
                "exit" => Leaf::Exit,
                "param" => Leaf::Param,
                "baseline" => Leaf::Baseline { of: Metric::default(), bare: true },
                _ => Leaf::Metric(metric(word, column)?),
            });
        };
        let of = match stored {
            "" if self.rest.starts_with('`') => self.quoted()?,
            "exit" | "param" | "baseline" => {
                return Err(fault(column, format!("expected a metric behind baseline., {stored} is none")));
            }
            _ if stored.starts_with(begins_name) => metric(stored, column)?,
            _ => return Err(fault(column, "expected a metric behind baseline., odd names in back quotes")),
        };
        Ok(Leaf::Baseline { of, bare: false })
    }

    /// A name in back quotes; two of them stand for one.
    fn quoted(&mut self) -> Result<Metric, Failure> {
        let column = self.column;
        let mut name = String::new();
        loop {
            self.take(1);
            name += self.skip_while(|c| c != '`');
            if self.rest.is_empty() {
                return Err(fault(column, "expected a second back quote, which ends the name"));
            }
            self.take(1);
            if !self.rest.starts_with('`') {
                break;
            }
            name.push('`');
        }
        if name.is_empty() || name.contains(char::is_control) {
            return Err(fault(column, "expected a metric between the back quotes"));
        }
        Ok(Metric { name, built_in: false })
    }
}

/// The metric called `word`, unless it looks like arithmetic with a word that is no metric of a program.
fn metric(word: &str, column: usize) -> Result<Metric, Failure> {
    let first = word.split(['/', '-']).next().unwrap_or_default();
    if first != word && RESERVED.contains(&first) {
        let message = format!(
            "expected spaces around the operator behind {first}, or back quotes around the name {word}"
        );
        return Err(fault(column, message));
    }
    Ok(Metric { name: word.to_owned(), built_in: matches!(word, "cost" | "felt") })
}

/// As a message says what was found.
impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leaf(leaf) => leaf.fmt(f),
            Self::Relation(relation) => f.write_str(relation.symbol()),
            Self::Operator(operator) => f.write_str(operator.symbol()),
            Self::And => f.write_str("&&"),
            Self::Or => f.write_str("||"),
            Self::Not => f.write_str("!"),
            Self::Open => f.write_str("("),
            Self::Close => f.write_str(")"),
            Self::End => f.write_str("the end"),
        }
    }
}
