//! The benchmarks of an executable from what it printed: the form is the same for all harnesses.

/// Reads the lines of `--list`: `title: benchmark`, in older releases `title: bench`.
///
/// Titles are ids cut at 100 bytes, so a long id cannot be measured through this listing.
pub fn read(printed: &str) -> Vec<String> {
    let title = |line: &str| {
        line.strip_suffix(": benchmark").or_else(|| line.strip_suffix(": bench")).map(str::to_owned)
    };
    printed.lines().filter_map(title).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_read_and_other_lines_are_not() {
        let printed = "a/b: benchmark\n\nGnuplot not found\nold: bench\nwith: colon: benchmark\n";
        assert_eq!(read(printed), ["a/b", "old", "with: colon"]);
    }
}
