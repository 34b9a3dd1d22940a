//! From tokens to a tree: `||` binds loosest, then `&&`, comparisons, sums, products, signs and `!`.

use super::token::{Piece, Token, fault, tokens};
use super::tree::{Comparison, Leaf, Logic, Metric, Number};
use super::{DEEPEST, LONGEST};
use crate::failure::Failure;
use std::collections::BTreeSet;

/// Reads a whole condition.
pub(super) fn condition(text: &str) -> Result<Logic, Failure> {
    if text.len() > LONGEST {
        let message = format!("a condition has at most {LONGEST} bytes, this one has {}", text.len());
        return Err(Failure::usage(message).hint("a short one reads as in p99_ms < 50 && cost <= baseline"));
    }
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0, bare: None };
    let node = parser.any()?;
    let logic = parser.logic(node)?;
    match parser.next() {
        Token { piece: Piece::End, .. } => Ok(logic),
        Token { piece: Piece::Relation(_), column } => {
            Err(fault(column, "expected && or ||; comparisons do not chain, join two with &&"))
        }
        Token { piece, column } => Err(fault(column, format!("expected && or || or the end, found {piece}"))),
    }
}

/// A part of which it is not said yet what it must be.
struct Node {
    part: Part,
    column: usize,
}

enum Part {
    Logic(Logic),
    Number(Number),
}

struct Parser {
    /// The end is last.
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    /// Where the comparison that is being read has a `baseline` without a name; taken when it is complete.
    bare: Option<usize>,
}

impl Parser {
    fn peek(&self) -> &Piece {
        self.tokens.get(self.at).map_or(&Piece::End, |token| &token.piece)
    }

    fn column(&self) -> usize {
        self.tokens.get(self.at).map_or(1, |token| token.column)
    }

    /// Takes a token; the end is never passed.
    fn next(&mut self) -> Token {
        let token = Token { piece: self.peek().clone(), column: self.column() };
        self.at = (self.at + 1).min(self.tokens.len().saturating_sub(1));
        token
    }

    fn takes(&mut self, wanted: &Piece) -> bool {
        let found = self.peek() == wanted;
        if found {
            self.next();
        }
        found
    }

    fn any(&mut self) -> Result<Node, Failure> {
        self.joined(&Piece::Or, Self::all, Logic::Any)
    }

    fn all(&mut self) -> Result<Node, Failure> {
        self.joined(&Piece::And, Self::comparison, Logic::All)
    }

    /// Parts with `with` between them; a single part stays what it is.
    fn joined(
        &mut self,
        with: &Piece,
        part: fn(&mut Self) -> Result<Node, Failure>,
        join: fn(Vec<Logic>) -> Logic,
    ) -> Result<Node, Failure> {
        let first = part(self)?;
        if self.peek() != with {
            return Ok(first);
        }
        let column = first.column;
        let mut parts = vec![self.logic(first)?];
        while self.takes(with) {
            let next = part(self)?;
            parts.push(self.logic(next)?);
        }
        Ok(Node { part: Part::Logic(join(parts)), column })
    }

    fn comparison(&mut self) -> Result<Node, Failure> {
        let node = self.chain(true)?;
        let Piece::Relation(relation) = *self.peek() else { return Ok(node) };
        let column = node.column;
        let mut left = number(node)?;
        self.next();
        let right = self.chain(true)?;
        let mut right = number(right)?;
        if let Some(column) = self.bare.take() {
            name_baseline(&mut left, &right, column)?;
            name_baseline(&mut right, &left, column)?;
        }
        Ok(Node { part: Part::Logic(Logic::Compare(Comparison { left, relation, right })), column })
    }

    /// A sum, or a product where no sum is allowed.
    fn chain(&mut self, sums: bool) -> Result<Node, Failure> {
        let operand = |parser: &mut Self| if sums { parser.chain(false) } else { parser.sign() };
        let first = operand(self)?;
        let column = first.column;
        let mut operators = Vec::new();
        let mut first = Some(first);
        let mut start = None;
        while let Piece::Operator(operator) = *self.peek()
            && operator.is_sum() == sums
        {
            if let Some(node) = first.take() {
                start = Some(number(node)?);
            }
            self.next();
            let next = operand(self)?;
            operators.push((operator, number(next)?));
        }
        match (first, start) {
            (Some(node), _) => Ok(node),
            (None, start) => {
                let start = start.ok_or_else(|| fault(column, "expected a number"))?;
                Ok(Node { part: Part::Number(Number::Chain(Box::new(start), operators)), column })
            }
        }
    }

    fn sign(&mut self) -> Result<Node, Failure> {
        let Token { piece, column } = self.next();
        let nested = matches!(&piece, Piece::Not | Piece::Open)
            || matches!(&piece, Piece::Operator(operator) if operator.symbol() == "-");
        self.depth += usize::from(nested);
        if self.depth > DEEPEST {
            return Err(fault(
                column,
                format!("expected at most {DEEPEST} parentheses and signs in each other"),
            ));
        }
        let part = match piece {
            Piece::Leaf(leaf) => {
                if matches!(leaf, Leaf::Baseline { bare: true, .. }) {
                    self.bare = Some(column);
                }
                Part::Number(Number::Leaf(leaf))
            }
            Piece::Not => {
                let inner = self.sign()?;
                let Part::Logic(inner) = inner.part else {
                    return Err(fault(inner.column, "expected a comparison in parentheses behind !"));
                };
                Part::Logic(Logic::Not(Box::new(inner)))
            }
            Piece::Open => {
                let inner = self.any()?;
                let Token { piece, column } = self.next();
                if piece != Piece::Close {
                    return Err(fault(column, format!("expected ) or an operator, found {piece}")));
                }
                inner.part
            }
            _ if nested => {
                let inner = self.sign()?;
                Part::Number(Number::Negated(Box::new(number(inner)?)))
            }
            other => return Err(fault(column, format!("expected a number, a metric or (, found {other}"))),
        };
        self.depth -= usize::from(nested);
        Ok(Node { part, column })
    }

    /// What is true or false, or an error where the comparison should be.
    fn logic(&self, node: Node) -> Result<Logic, Failure> {
        match node.part {
            Part::Logic(logic) => Ok(logic),
            Part::Number(_) => {
                let expected = format!("expected < <= > >= == != or arithmetic, found {}", self.peek());
                Err(fault(self.column(), expected))
            }
        }
    }
}

fn number(node: Node) -> Result<Number, Failure> {
    match node.part {
        Part::Number(number) => Ok(number),
        Part::Logic(_) => Err(fault(node.column, "expected a number, found a comparison")),
    }
}

/// Finds what `baseline` means in `side`: the one metric of the `other` side.
fn name_baseline(side: &mut Number, other: &Number, column: usize) -> Result<(), Failure> {
    let mut is_meant = false;
    side.each_leaf(&mut |leaf| is_meant |= matches!(leaf, Leaf::Baseline { bare: true, .. }));
    let mut metrics: BTreeSet<Metric> = BTreeSet::new();
    other.each_leaf(&mut |leaf| {
        if let Leaf::Metric(metric) = leaf {
            metrics.insert(metric.clone());
        }
    });
    match (is_meant, metrics.pop_first(), metrics.len()) {
        (false, ..) => {}
        (true, Some(metric), 0) => side.name_baseline(&metric),
        (true, found, more) => {
            let count = more + usize::from(found.is_some());
            let message = format!(
                "expected baseline.NAME: baseline alone stands for the one metric on the other side, where there are {count}"
            );
            return Err(fault(column, message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_written_canonically() {
        for (text, canonical) in [
            ("p99_ms<50&&cost<=baseline*0.95", "p99_ms < 50 && cost <= baseline * 0.95"),
            ("  low/p99_ms <\n 50us ", "low/p99_ms < 50µs"),
            ("a<1||b<1&&c<1", "a < 1 || b < 1 && c < 1"),
            ("(a<1||b<1)&&((c<1))", "(a < 1 || b < 1) && c < 1"),
            ("!(a<1)&&!!(exit!=0)", "!(a < 1) && !!(exit != 0)"),
            ("!(a<1&&b<1)", "!(a < 1 && b < 1)"),
            ("a<(1+2)*3-4/2", "a < (1 + 2) * 3 - 4 / 2"),
            ("a<1-(2-3)-(2*3)", "a < 1 - (2 - 3) - 2 * 3"),
            ("a<1/(2/3)", "a < 1 / (2 / 3)"),
            ("-a<--1", "-a < --1"),
            ("a - -1 >= -(1+b)", "a - -1 >= -(1 + b)"),
            ("a-1 < b/2", "a-1 < b/2"),
            ("a - 1 < b / 2", "a - 1 < b / 2"),
            ("a>1e3&&a<2.50E-9s&&a!=1e300", "a > 1000 && a < 2.5e-9s && a != 1e300"),
            ("50ms-3ms>felt", "50ms - 3ms > felt"),
            ("rate<5%&&2%*3<rate", "rate < 5% && 2% * 3 < rate"),
            ("`1kB/p99`<5&&`a``b`==1", "`1kB/p99` < 5 && `a``b` == 1"),
            ("`p99_ms` < 1", "p99_ms < 1"),
            ("`cost` < cost", "`cost` < cost"),
            ("`exit` == exit", "`exit` == exit"),
            ("`baseline.a` < baseline.a", "`baseline.a` < baseline.a"),
            ("cost<baseline.`1 a`", "cost < baseline.`1 a`"),
            ("cost.total < cost:a", "cost.total < cost:a"),
            ("(baseline)*2>(cost)", "baseline * 2 > cost"),
            ("baseline<(cost)", "baseline < cost"),
            ("cost + 2*cost < baseline", "cost + 2 * cost < baseline"),
            ("a <= param && b:c.d%e-f/g > 1", "a <= param && b:c.d%e-f/g > 1"),
        ] {
            let shown = condition(text).unwrap_or_else(|failure| panic!("{text}: {failure}")).to_string();
            assert_eq!(shown, canonical, "{text}");
            assert_eq!(condition(&shown).ok(), condition(text).ok(), "{text}");
        }
    }

    #[test]
    fn an_error_names_the_column_and_what_was_expected_there() {
        for (text, column, expected) in [
            ("", 1, "expected a number, a metric or (, found the end"),
            ("p99_ms", 7, "expected < <= > >= == != or arithmetic, found the end"),
            ("p99_ms <", 9, "expected a number, a metric or (, found the end"),
            ("p99_ms < 50 cost < 1", 13, "expected && or || or the end, found cost"),
            ("a < 5 ms", 7, "expected && or || or the end, found ms"),
            ("a < 1 and b < 1", 7, "expected && or || or the end, found and"),
            ("a = 1", 3, "expected =="),
            ("a < 1 & b < 1", 7, "expected &&"),
            ("a < 1 | b < 1", 7, "expected ||"),
            ("µ ≤ 1", 1, "found 'µ'; other names stand in back quotes"),
            ("`µ` ≤ 1", 5, "expected <="),
            ("0 < a < 5", 7, "comparisons do not chain"),
            ("(a < 5", 7, "expected ) or an operator, found the end"),
            ("a < 5)", 6, "found )"),
            ("(a < 5) + 1 < 3", 1, "expected a number, found a comparison"),
            ("a + 1 && b < 1", 7, "expected < <= > >= == != or arithmetic, found &&"),
            ("!a < 1", 2, "expected a comparison in parentheses behind !"),
            ("a < .5", 5, "as in 0.5"),
            ("a < 5.", 7, "expected a digit behind the point"),
            ("a < 50MS", 7, "expected a unit (ns µs ms s min B kB MB GB KiB MiB GiB %)"),
            ("a < 50msx", 7, "found \"msx\""),
            ("a < 1_000", 6, "found \"_000\""),
            ("a < 1e", 6, "found \"e\""),
            ("a < 1e999", 5, "expected a smaller number"),
            ("a < 1e-999", 5, "expected a number that is not taken for 0"),
            ("a % 5 < 1", 3, "right behind a number"),
            ("`a < 1", 1, "expected a second back quote"),
            ("`` < 1", 1, "expected a metric between the back quotes"),
            (
                "cost/2 < 1",
                1,
                "expected spaces around the operator behind cost, or back quotes around the name cost/2",
            ),
            ("cost-baseline < 1", 1, "expected spaces around the operator behind cost"),
            ("a < baseline.exit", 5, "expected a metric behind baseline., exit is none"),
            ("a < baseline.", 5, "expected a metric behind baseline."),
            ("a < baseline.1", 5, "expected a metric behind baseline."),
            ("a - baseline < 5", 5, "expected baseline.NAME"),
            ("a + b < baseline", 9, "on the other side, where there are 2"),
            ("exit == baseline", 9, "on the other side, where there are 0"),
            ("baseline > baseline", 12, "expected baseline.NAME"),
            ("a ; b", 3, "found ';'"),
        ] {
            let failure = condition(text).expect_err(text);
            let start = format!("column {column} of the condition: expected ");
            assert!(failure.message.starts_with(&start), "{text}: {failure}");
            assert!(failure.message.contains(expected), "{text}: {failure}");
            assert_eq!(failure.kind, crate::failure::FailureKind::Usage, "{text}");
            let hint = failure.hint.expect("a hint");
            assert!(condition(hint.split_once(" in ").expect("an example").1).is_ok(), "{hint}");
        }
    }

    #[test]
    fn length_and_nesting_end_where_they_are_said_to_end() {
        let long = |bytes: usize| format!("a < 1{}", " ".repeat(bytes - 5));
        assert!(condition(&long(LONGEST)).is_ok());
        let failure = condition(&long(LONGEST + 1)).expect_err("too long");
        assert!(failure.message.contains("at most 4096 bytes, this one has 4097"), "{failure}");
        let nested = |open: &str, close: &str, depth: usize| {
            condition(&format!("{}a < 1{}", open.repeat(depth), close.repeat(depth)))
        };
        for (open, close) in [("(", ")"), ("-", "")] {
            assert!(nested(open, close, DEEPEST).is_ok(), "{open}");
            let failure = nested(open, close, DEEPEST + 1).expect_err(open);
            assert!(
                failure.message.starts_with("column 65 of the condition: expected at most 64"),
                "{failure}"
            );
        }
        // What is long and not deep is no problem.
        assert!(condition(&format!("a < 1{}", "+1".repeat(2000))).is_ok());
        assert!(condition(&vec!["(a<1)"; 500].join("||")).is_ok());
    }
}
