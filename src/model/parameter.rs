//! The values that a load may take: decimals a step apart, each of them exact, numbered so that a search has
//! integers.

use crate::failure::{Failure, FailureKind};
use serde_json::Number;

/// Digits behind the point that a value may have.
const MOST_DIGITS: u32 = 18;
/// The largest number of a value: what a search adds to it must fit too.
const LARGEST: i128 = u64::MAX as i128 - 2;

/// What was asked for, as it was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Range<'a> {
    /// The smallest value.
    pub min: &'a str,
    /// The largest value.
    pub max: &'a str,
    /// How far to go when even that passes.
    pub beyond: Option<&'a str>,
    /// How far values lie apart; 1 if nobody says otherwise.
    pub step: Option<&'a str>,
    /// Whether distances are differences.
    pub linear: bool,
}

/// Values as numbers: a value is `origin + number * step`, in units of its last digit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    digits: u32,
    origin: i128,
    step: i128,
    /// The number of the smallest value.
    pub min: u64,
    /// That of the largest value.
    pub max: u64,
    /// That of the value up to which to go when even the largest passes.
    pub beyond: Option<u64>,
}

impl Parameter {
    /// The values of `range`.
    ///
    /// # Errors
    /// `Usage`, naming the flag: for what is no decimal, a range that is reversed or has one value only,
    /// values that are no whole steps or do not fit into 64 bits, and values that have no ratios where
    /// distances are ratios.
    pub fn new(range: &Range<'_>) -> Result<Self, Failure> {
        let [min, max] =
            [("--param-min", range.min), ("--param-max", range.max)].map(|(flag, text)| decimal(flag, text));
        let (min, max) = (min?, max?);
        let beyond = range.beyond.map(|text| decimal("--beyond-max", text)).transpose()?;
        let step = decimal("--step", range.step.unwrap_or("1"))?;
        let digits =
            [Some(min), Some(max), Some(step), beyond].into_iter().flatten().map(|value| value.digits).max();
        let digits = digits.unwrap_or_default();
        if range.step.is_none() && digits > 0 {
            let fractional = [
                ("--param-min", range.min),
                ("--param-max", range.max),
                ("--beyond-max", range.beyond.unwrap_or("1")),
            ];
            let (flag, text) =
                fractional.into_iter().find(|(_, text)| text.contains('.')).unwrap_or(fractional[0]);
            return Err(Failure::usage(format!("{flag} {text} is no whole number"))
                .hint("say how far values lie apart, as in --step 0.1"));
        }
        let [min, max, step] = [min, max, step].map(|value| value.in_units(digits));
        let (min, max, step) = (min?, max?, step?);
        if step <= 0 {
            return Err(Failure::usage("--step has to be above 0"));
        }
        if min > max {
            return Err(Failure::usage(format!(
                "--param-min {} is above --param-max {}",
                range.min, range.max
            ))
            .hint("exchange them"));
        }
        if min == max {
            return Err(Failure::usage(format!("--param-min and --param-max are both {}", range.min))
                .hint("one value is no range; measure it with `cargo perf baseline --param-value`"));
        }
        if min <= 0 && !range.linear {
            return Err(Failure::usage(format!("--param-min {} has no ratio to larger values", range.min))
                .hint("begin above 0, or add --scale linear"));
        }
        // Ratios need numbers in proportion to their values; differences do not, and numbers begin at 1.
        let origin = if range.linear { min - step } else { 0 };
        let values = Self { digits, origin, step, min: 0, max: 0, beyond: None };
        let beyond = match (range.beyond, beyond) {
            (Some(text), Some(value)) if value.in_units(digits)? <= max => {
                return Err(Failure::usage(format!(
                    "--beyond-max {text} is not above --param-max {}",
                    range.max
                )));
            }
            (Some(text), Some(value)) => {
                Some(values.number("--beyond-max", text, value.in_units(digits)?)?)
            }
            _ => None,
        };
        let min = values.number("--param-min", range.min, min)?;
        let max = values.number("--param-max", range.max, max)?;
        Ok(Self { min, max, beyond, ..values })
    }

    fn number(&self, flag: &str, text: &str, units: i128) -> Result<u64, Failure> {
        let distance = units - self.origin;
        if distance % self.step != 0 {
            let from =
                if self.origin == 0 { "0".to_owned() } else { self.in_digits(self.origin + self.step) };
            return Err(Failure::usage(format!(
                "{flag} {text} is no whole number of steps of {} from {from}",
                self.in_digits(self.step)
            )));
        }
        let number = distance / self.step;
        u64::try_from(number).ok().filter(|_| number <= LARGEST).ok_or_else(|| {
            Failure::usage(format!("{flag} {text} does not fit into 64 bits")).hint(format!(
                "the largest value is {}",
                self.in_digits(self.origin.saturating_add(LARGEST.saturating_mul(self.step)))
            ))
        })
    }

    /// The number of a value within the range.
    ///
    /// # Errors
    /// `Usage`, naming the flag.
    pub fn number_of(&self, flag: &str, text: &str) -> Result<u64, Failure> {
        let value = decimal(flag, text)?;
        let outside = || {
            let (min, max) = (self.text(self.min), self.text(self.max));
            Failure::usage(format!("{flag} {text} is not among the loads from {min} to {max}"))
        };
        let units =
            (value.digits <= self.digits).then(|| value.in_units(self.digits)).ok_or_else(outside)??;
        let number = self.number(flag, text, units).map_err(|_| outside())?;
        if (self.min..=self.max).contains(&number) { Ok(number) } else { Err(outside()) }
    }

    /// The value of a number, as a benchmark is told it.
    pub fn text(&self, number: u64) -> String {
        self.in_digits(self.origin + i128::from(number) * self.step)
    }

    /// The value of a number, as it is stored. What 64 bits hold is exact; decimals are the nearest number.
    ///
    /// # Errors
    /// `Bug` for a value that is no number.
    pub fn stored(&self, number: u64) -> Result<Number, Failure> {
        let text = self.text(number);
        serde_json::from_str(&text)
            .map_err(|_| Failure::new(FailureKind::Bug, format!("the load {text} is no number")))
    }

    /// The value of a number, as conditions compute with it.
    pub fn value(&self, number: u64) -> f64 {
        // Every decimal is a number that Rust reads.
        self.text(number).parse().unwrap_or(f64::NAN)
    }

    fn in_digits(&self, units: i128) -> String {
        let sign = if units < 0 { "-" } else { "" };
        let scale = 10_u128.pow(self.digits);
        let (whole, rest) = (units.unsigned_abs() / scale, units.unsigned_abs() % scale);
        if rest == 0 {
            return format!("{sign}{whole}");
        }
        let rest = format!("{rest:0width$}", width = self.digits as usize);
        format!("{sign}{whole}.{}", rest.trim_end_matches('0'))
    }
}

/// A number as it is written: `units` with the point before the last `digits`.
#[derive(Debug, Clone, Copy)]
struct Decimal {
    units: i128,
    digits: u32,
}

impl Decimal {
    fn in_units(self, digits: u32) -> Result<i128, Failure> {
        let scale = 10_i128.pow(digits - self.digits);
        self.units
            .checked_mul(scale)
            .ok_or_else(|| Failure::usage("the range and its steps do not fit into 64 bits"))
    }
}

fn decimal(flag: &str, text: &str) -> Result<Decimal, Failure> {
    let expected = || {
        Failure::usage(format!("{flag} {text:?} is no plain decimal"))
            .hint("values are written as in 250 or 0.5: no exponent, no separators")
    };
    let (sign, rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = rest.split_once('.').unwrap_or((rest, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return Err(expected());
    }
    let fraction = fraction.trim_end_matches('0');
    let digits =
        u32::try_from(fraction.len()).ok().filter(|digits| *digits <= MOST_DIGITS).ok_or_else(expected)?;
    let units =
        format!("{whole}{fraction}").parse::<i128>().ok().filter(|units| *units <= i128::from(u64::MAX) * 10);
    let too_large = || {
        Failure::usage(format!("{flag} {text} does not fit into 64 bits"))
            .hint(format!("the largest value is {LARGEST}"))
    };
    Ok(Decimal { units: sign * units.ok_or_else(too_large)?, digits })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range<'a>(min: &'a str, max: &'a str) -> Range<'a> {
        Range { min, max, ..Range::default() }
    }

    fn refused(range: &Range<'_>) -> String {
        let failure = Parameter::new(range).expect_err("refused");
        failure.hint.map_or(failure.message.clone(), |hint| format!("{}; {hint}", failure.message))
    }

    #[test]
    fn whole_numbers_are_their_own() {
        let values = Parameter::new(&range("1", "500")).expect("a range");
        assert_eq!(
            (values.min, values.max, values.text(250), values.value(7)),
            (1, 500, "250".to_owned(), 7.0)
        );
        let largest = (u64::MAX - 2).to_string();
        let values = Parameter::new(&range("1", &largest)).expect("a range");
        assert_eq!((values.max, values.text(values.max)), (u64::MAX - 2, largest));
    }

    #[test]
    fn fractions_are_steps() {
        let tenths = Range { step: Some("0.1"), ..range("0.5", "2") };
        let values = Parameter::new(&tenths).expect("a range");
        assert_eq!(
            (values.min, values.max, values.text(7), values.text(20)),
            (5, 20, "0.7".into(), "2".into())
        );
        let linear = Range { linear: true, step: Some("0.25"), ..range("-1", "1") };
        let values = Parameter::new(&linear).expect("a range");
        let all: Vec<String> = (values.min..=values.max).map(|number| values.text(number)).collect();
        assert_eq!(all, ["-1", "-0.75", "-0.5", "-0.25", "0", "0.25", "0.5", "0.75", "1"]);
    }

    #[test]
    fn what_is_no_range_names_its_flag() {
        let step = |step| Range { step: Some(step), ..range("1", "5") };
        for (range, said) in [
            (range("500", "1"), "--param-min 500 is above --param-max 1"),
            (range("5", "5"), "--param-min and --param-max are both 5"),
            (
                range("0.5", "5"),
                "--param-min 0.5 is no whole number; say how far values lie apart, as in --step 0.1",
            ),
            (range("1", "5.5"), "--param-max 5.5 is no whole number"),
            (
                range("0", "5"),
                "--param-min 0 has no ratio to larger values; begin above 0, or add --scale linear",
            ),
            (range("1", "1e5"), "--param-max \"1e5\" is no plain decimal"),
            (
                range("1", "18446744073709551615"),
                "--param-max 18446744073709551615 does not fit into 64 bits",
            ),
            (
                range("1", "99999999999999999999999"),
                "--param-max 99999999999999999999999 does not fit into 64 bits",
            ),
            (step("2"), "--param-min 1 is no whole number of steps of 2 from 0"),
            (step("0"), "--step has to be above 0"),
            (step("-1"), "--step has to be above 0"),
            (step("x"), "--step \"x\" is no plain decimal"),
            (Range { beyond: Some("4"), ..range("1", "5") }, "--beyond-max 4 is not above --param-max 5"),
        ] {
            let found = refused(&range);
            assert!(found.starts_with(said), "{found}");
        }
    }

    proptest! {
        #[test]
        fn every_number_has_a_value_of_its_own(min in 1..u64::MAX / 2, more in 1..1000_u64) {
            let (low, high) = (min.to_string(), (min + more).to_string());
            let values = Parameter::new(&range(&low, &high)).expect("a range");
            prop_assert_eq!(values.text(values.min + more / 2), (min + more / 2).to_string());
            prop_assert_eq!(values.max - values.min, more);
        }

        #[test]
        fn no_text_makes_it_panic(min in ".{0,12}", max in "[-0-9.]{0,30}", step in "[-0-9.]{0,22}", linear in any::<bool>()) {
            let _ = Parameter::new(&Range { min: &min, max: &max, step: Some(&step), linear, beyond: Some(&max) });
            let _ = Parameter::new(&Range { min: &max, max: &min, step: None, linear, beyond: Some(&step) });
        }
    }
}
