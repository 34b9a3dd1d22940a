//! The adapter for divan: what to ask a bench executable, and how to read the table it prints.
//!
//! Divan gives no samples, but each row holds the fastest sample, the median, the mean and both counts,
//! in four digits: enough for one number per fork and view.

use super::reading::{ForkRequest, Reading, Row, Values};
use crate::failure::Failure;
use crate::sys::invocation::Invocation;
use std::ffi::OsString;

/// Settings that a caller's environment could hold and that would change what is measured.
const VARIABLES: [&str; 12] = [
    "DIVAN_SORT",
    "DIVAN_SORTR",
    "DIVAN_TIMER",
    "DIVAN_SAMPLE_COUNT",
    "DIVAN_SAMPLE_SIZE",
    "DIVAN_THREADS",
    "DIVAN_MIN_TIME",
    "DIVAN_MAX_TIME",
    "DIVAN_SKIP_EXT_TIME",
    "DIVAN_ITEMS_COUNT",
    "DIVAN_BYTES_COUNT",
    "DIVAN_CHARS_COUNT",
];

/// The arguments that measure exactly the benchmark `id`.
pub fn measure(id: &str, request: ForkRequest) -> Vec<OsString> {
    let mut arguments = ["--bench", "--color", "never", "--sample-count"].map(OsString::from).to_vec();
    arguments.push(request.samples.to_string().into());
    arguments.push("--min-time".into());
    arguments.push(format!("{:.6}", request.measured.as_secs_f64()).into());
    // Otherwise the time that inputs take to make counts as measured, and little is left for the bench.
    arguments.extend(["--skip-ext-time", "true", "--exact", "--", id].map(OsString::from));
    arguments
}

/// The arguments that print all full ids, a line each, in the environment of [`listing`].
pub fn list() -> Vec<OsString> {
    ["--bench", "--list", "--format", "terse"].map(OsString::from).to_vec()
}

/// The invocation in which divan lists full paths; without the variable it prints a tree.
pub fn listing(invocation: Invocation) -> Invocation {
    settled(invocation).env("NEXTEST", "1")
}

/// The invocation without settings from the caller's environment.
pub fn settled(mut invocation: Invocation) -> Invocation {
    invocation.env.extend(VARIABLES.map(|name| (name.to_owned(), None)));
    invocation.env.insert("NEXTEST".to_owned(), None);
    invocation
}

/// Reads the table of a process that measured `id` alone.
///
/// # Errors
/// `Benchmark` when there is more than one row of times, as a bench over several thread counts has.
pub fn read(printed: &str, id: &str) -> Result<Option<Reading>, Failure> {
    let mut rows = printed.lines().filter_map(row);
    let Some(first) = rows.next() else { return Ok(None) };
    let more = rows.count();
    if more > 0 {
        return Err(Failure::benchmark(format!("{id} prints {} rows of times, one is expected", more + 1))
            .hint("give the bench a single thread count: each runs as a benchmark of its own there"));
    }
    Ok(Some(Reading {
        id: id.to_owned(),
        values: Values::Table(first),
        unit: "ns".to_owned(),
        throughput: Vec::new(),
        live: None,
    }))
}

/// A row of times; headings, groups, rates and allocations are none.
fn row(line: &str) -> Option<Row> {
    let cells: Vec<&str> = line.split('│').map(str::trim).collect();
    let [first, _slowest, median, mean, samples, iterations] = cells[..].try_into().ok()?;
    // The first cell holds the name before the fastest sample.
    let mut words = first.rsplit(char::is_whitespace);
    let (unit, number) = (words.next()?, words.next()?);
    Some(Row {
        fastest: nanoseconds(&format!("{number} {unit}"))?,
        median: nanoseconds(median)?,
        mean: nanoseconds(mean)?,
        samples: samples.parse().ok()?,
        iterations: iterations.parse().ok()?,
    })
}

/// A duration as divan prints it: `842.1 ps`, `1.234 µs`, `2.5 s`.
fn nanoseconds(text: &str) -> Option<f64> {
    let (number, unit) = text.split_once(' ')?;
    let scale = match unit {
        "ps" => 1e-3,
        "ns" => 1.0,
        "µs" | "μs" | "us" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" => 60e9,
        "h" => 3600e9,
        _ => return None,
    };
    let value: f64 = number.parse().ok()?;
    (value.is_finite() && value >= 0.0).then_some(value * scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::listing;

    fn recorded(name: &str) -> String {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded/divan");
        std::fs::read_to_string(format!("{folder}/{name}.txt")).expect("recorded")
    }

    fn row_of(name: &str) -> Row {
        match read(&recorded(name), "id").expect("read").expect("a row").values {
            Values::Table(row) => row,
            other => panic!("no row: {other:?}"),
        }
    }

    #[test]
    fn the_one_row_of_an_exact_run_is_read() {
        let row = row_of("exact_plain");
        assert_eq!((row.fastest, row.median, row.mean), (37.58, 37.6, 37.66));
        assert_eq!((row.samples, row.iterations), (100, 6400));
        let row = row_of("exact_bytes");
        assert_eq!((row.fastest, row.samples), (4595.0, 100));
        assert_eq!(row_of("min_time").iterations, 128_193);
        let row = row_of("exact_types_and_consts");
        assert_eq!((row.fastest, row.samples), (103.0, 100));
    }

    #[test]
    fn several_rows_are_refused_and_none_is_none() {
        let failure = read(&recorded("exact_threads"), "kernels::sum_on_threads").expect_err("two rows");
        assert!(failure.message.contains("2 rows"), "{failure}");
        for name in ["exact_nothing", "exact_ignored", "list_tree"] {
            assert!(read(&recorded(name), "id").expect(name).is_none(), "{name}");
        }
    }

    #[test]
    fn the_list_holds_full_paths() {
        let ids = listing::read(&recorded("list_terse"));
        assert!(ids.contains(&"kernels::parse::64".to_owned()) && ids.len() == 11, "{ids:?}");
    }

    #[test]
    fn every_unit_is_read() {
        let units = [
            ("1.5 ps", 0.0015),
            ("2 ns", 2.0),
            ("3.5 µs", 3500.0),
            ("4 ms", 4e6),
            ("5 s", 5e9),
            ("1 m", 6e10),
        ];
        for (text, expected) in units {
            assert_eq!(nanoseconds(text), Some(expected), "{text}");
        }
        for text in ["374.4 MB/s", "1.5", "x ns", "-1 ns", "inf ns", ""] {
            assert_eq!(nanoseconds(text), None, "{text}");
        }
    }
}
