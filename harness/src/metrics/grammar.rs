//! What a name and a number are, and the limits of everything.

use super::error::{Fault, MetricsErrorKind, shown};

/// Bytes of a marker line, from the marker to the end of the line.
pub const LONGEST_LINE: usize = 64 * 1024;
/// Bytes of a block between its markers.
pub const LONGEST_BLOCK: usize = 256 * 1024;
/// Bytes of a name, of a metric as of a scenario.
pub const LONGEST_NAME: usize = 256;
/// Metrics of one output, those of scenarios included.
pub const MOST_METRICS: usize = 4096;

/// What JSON calls the scenarios.
pub(super) const SCENARIOS: &str = "scenarios";
/// What a line calls its scenario.
pub(super) const SCENARIO: &str = "scenario";

/// Checks the name of a metric.
pub(super) fn metric_name(name: &str) -> Result<(), Fault> {
    if name == SCENARIO || name == SCENARIOS {
        let message = format!("{name} is reserved for scenarios and names no metric");
        return Err(Fault::new(MetricsErrorKind::Reserved, message));
    }
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let goes_on = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:/%-".contains(&byte));
    if begins && goes_on && name.len() <= LONGEST_NAME {
        return Ok(());
    }
    Err(Fault::new(MetricsErrorKind::Name, format!("{} names no metric", shown(name))))
}

/// Checks the name of a scenario: anything that a line could hold.
pub(super) fn scenario_name(name: &str) -> Result<(), Fault> {
    let breaks = |c: char| c.is_whitespace() || c.is_control();
    if !name.is_empty() && !name.contains(breaks) && name.len() <= LONGEST_NAME {
        return Ok(());
    }
    Err(Fault::new(MetricsErrorKind::Scenario, format!("{} names no scenario", shown(name))))
}

/// A value, and whether it is an integer that had to be rounded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Value {
    pub(super) number: f64,
    pub(super) rounded: bool,
}

/// Reads the value of the metric `name`. What Rust reads as a float is wider than this.
pub(super) fn value(name: &str, text: &str) -> Result<Value, Fault> {
    let fault = |kind| Fault::new(kind, format!("the value of {name} is {}", shown(text)));
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !is_decimal(unsigned) {
        return Err(fault(MetricsErrorKind::Number));
    }
    let number = text.parse::<f64>().map_err(|_| fault(MetricsErrorKind::Number))?;
    if !number.is_finite() {
        return Err(fault(MetricsErrorKind::NotFinite));
    }
    // Adding zero makes of a negative zero a plain one.
    Ok(Value { number: number + 0.0, rounded: is_rounded(unsigned, number) })
}

/// Digits, perhaps a point and digits, perhaps an exponent.
fn is_decimal(text: &str) -> bool {
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    [whole, fraction, exponent].iter().all(|part| is_digits(part))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether the digits of an integer differ from those of the float that was read from them.
fn is_rounded(digits: &str, number: f64) -> bool {
    is_digits(digits) && {
        let kept = format!("{:.0}", number.abs());
        let meant = digits.trim_start_matches('0');
        kept.trim_start_matches('0') != meant
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_that_a_float_holds_is_not_rounded_however_large_it_is() {
        let rounded = |text: &str| value("a", text).unwrap().rounded;
        for exact in ["0", "-0", "007", "9007199254740992", "10000000000000000000000", "1e300", "0.1"] {
            assert!(!rounded(exact), "{exact}");
        }
        for inexact in ["9007199254740993", "-9007199254740993", "+18446744073709551615"] {
            assert!(rounded(inexact), "{inexact}");
        }
    }
}
