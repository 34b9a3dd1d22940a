//! The adapter for the compiler's own harness, which prints one median per bench and no counts.
//!
//! It takes no time limit either: a bench runs until its own rule is content. The time that counts is
//! therefore the process's, by the clock.

use super::reading::{Reading, Values};
use crate::sys::invocation::Invocation;
use std::ffi::OsString;

/// The arguments that measure exactly the benchmark `id`.
pub fn measure(id: &str) -> Vec<OsString> {
    ["--bench", "--color=never", "--exact", "--", id].map(OsString::from).to_vec()
}

/// The arguments that print all ids.
pub fn list() -> Vec<OsString> {
    ["--bench", "--list", "--format=terse"].map(OsString::from).to_vec()
}

/// The invocation without settings from the caller's environment.
pub fn settled(mut invocation: Invocation) -> Invocation {
    for name in ["RUST_TEST_THREADS", "RUST_TEST_TIME_UNIT", "RUST_TEST_SHUFFLE"] {
        invocation.env.insert(name.to_owned(), None);
    }
    invocation
}

/// Reads the result line of `id`.
pub fn read(printed: &str, id: &str) -> Option<Reading> {
    let start = format!("test {id} ");
    let line = printed.lines().find(|line| line.starts_with(&start) && line.contains(" ... bench:"))?;
    Some(Reading {
        id: id.to_owned(),
        values: Values::Median(median(line)?),
        unit: "ns".to_owned(),
        throughput: Vec::new(),
        live: None,
    })
}

/// The number of `test NAME ... bench:   1,222.46 ns/iter (+/- 160.51) = 5 MB/s`.
fn median(line: &str) -> Option<f64> {
    let (_, result) = line.rsplit_once(" ... bench:")?;
    let (number, _) = result.split_once(" ns/iter")?;
    let value: f64 = number.trim().replace(',', "").parse().ok()?;
    (value.is_finite() && value >= 0.0).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_fractions_and_rates_are_read() {
        let median = |line| {
            read(line, "a::b").and_then(|reading| match reading.values {
                Values::Median(value) => Some(value),
                _ => None,
            })
        };
        let line = "test a::b ... bench:   1,222.46 ns/iter (+/- 160.51) = 5 MB/s";
        assert_eq!(median(line), Some(1222.46));
        assert_eq!(median("test a::b   ... bench:           3 ns/iter (+/- 0)"), Some(3.0));
        for other in ["test a::b ... ok", "test a::bc ... bench: 3 ns/iter (+/- 0)", "a::b: benchmark", ""] {
            assert_eq!(median(other), None, "{other}");
        }
    }

    #[test]
    fn what_a_real_executable_printed_is_read() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded/libtest");
        let recorded =
            |name: &str| std::fs::read_to_string(format!("{folder}/{name}.txt")).expect("recorded");
        let median = |name: &str, id: &str| read(&recorded(name), id).map(|reading| reading.values);
        assert_eq!(median("all", "count"), Some(Values::Median(6_897.97)));
        assert_eq!(median("all", "sorted::distinct"), Some(Values::Median(9_269.34)));
        assert_eq!(median("exact_test", "both_ways_find_the_same_number_of_words"), None);
        assert_eq!(crate::bench::listing::read(&recorded("list_terse")), ["count", "sorted::distinct"]);
    }
}
