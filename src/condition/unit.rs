//! The units that numbers of a condition may have.

/// What a unit measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dimension {
    Time,
    Bytes,
    Share,
}

/// A unit that conditions can convert.
#[derive(Debug, PartialEq)]
pub(super) struct Unit {
    /// As it is written.
    pub(super) name: &'static str,
    /// What it measures.
    pub(super) dimension: Dimension,
    scale: Scale,
}

/// How a number becomes one in the base unit of its dimension.
#[derive(Debug, PartialEq)]
enum Scale {
    Times(f64),
    /// Dividing by 100 gives 0.07 for 7, where multiplying with 0.01 gives another number for some.
    PerHundred,
}

impl Dimension {
    /// The unit in which units are compared that differ; shares have none.
    pub(super) fn base(self) -> Option<&'static str> {
        match self {
            Self::Time => Some("ns"),
            Self::Bytes => Some("B"),
            Self::Share => None,
        }
    }

    /// What it is called in a sentence.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Time => "a time",
            Self::Bytes => "bytes",
            Self::Share => "a share",
        }
    }
}

const fn unit(name: &'static str, dimension: Dimension, scale: f64) -> Unit {
    Unit { name, dimension, scale: Scale::Times(scale) }
}

/// All of them.
pub(super) static UNITS: [Unit; 13] = [
    unit("ns", Dimension::Time, 1.0),
    unit("µs", Dimension::Time, 1e3),
    unit("ms", Dimension::Time, 1e6),
    unit("s", Dimension::Time, 1e9),
    unit("min", Dimension::Time, 6e10),
    unit("B", Dimension::Bytes, 1.0),
    unit("kB", Dimension::Bytes, 1e3),
    unit("MB", Dimension::Bytes, 1e6),
    unit("GB", Dimension::Bytes, 1e9),
    unit("KiB", Dimension::Bytes, 1024.0),
    unit("MiB", Dimension::Bytes, 1_048_576.0),
    unit("GiB", Dimension::Bytes, 1_073_741_824.0),
    Unit { name: "%", dimension: Dimension::Share, scale: Scale::PerHundred },
];

impl Unit {
    /// The unit of this name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        // Micro as the sign, as the Greek letter, and as keyboards have it.
        let name = if matches!(name, "us" | "\u{3bc}s") { "µs" } else { name };
        UNITS.iter().find(|unit| unit.name == name)
    }

    /// `number` of this unit, in the base unit of its dimension.
    pub(super) fn in_base(&self, number: f64) -> f64 {
        match self.scale {
            Scale::Times(scale) => number * scale,
            Scale::PerHundred => number / 100.0,
        }
    }
}

/// Whether this is the name of a unit of time.
pub fn is_of_time(name: &str) -> bool {
    Unit::named(name).is_some_and(|unit| unit.dimension == Dimension::Time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_has_the_size_that_its_name_says() {
        let sizes = [
            ("ns", 1.0),
            ("us", 1e3),
            ("µs", 1e3),
            ("\u{3bc}s", 1e3),
            ("ms", 1e6),
            ("s", 1e9),
            ("min", 60e9),
            ("B", 1.0),
            ("kB", 1e3),
            ("MB", 1e6),
            ("GB", 1e9),
            ("KiB", 1024.0),
            ("MiB", 1024.0 * 1024.0),
            ("GiB", 1024.0 * 1024.0 * 1024.0),
            ("%", 0.01),
        ];
        for (name, size) in sizes {
            assert_eq!(Unit::named(name).map(|unit| unit.in_base(1.0)), Some(size), "{name}");
        }
        for other in ["", "S", "MS", "mb", "h", "rps"] {
            assert_eq!(Unit::named(other), None, "{other}");
        }
    }

    #[test]
    fn seven_percent_is_the_number_that_is_written_so() {
        let percent = Unit::named("%").unwrap();
        for (number, share) in [(7.0, 0.07), (57.0, 0.57), (5.0, 0.05), (0.1, 0.001)] {
            assert_eq!(Some(percent.in_base(number)), Some(share), "{number}%");
        }
    }
}
