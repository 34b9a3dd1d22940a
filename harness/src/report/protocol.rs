//! The version of what the program and a benchmark say to each other.

use super::ReportError;
use std::fmt;
use std::str::FromStr;

/// The version of the report and of the variables around it.
///
/// Another minor version adds; what it adds is ignored by who does not know it. Another major version
/// is not understood.
///
/// ```
/// use perf_harness::report::Protocol;
///
/// let later: Protocol = "1.7".parse()?;
/// assert_eq!((later.major, later.minor), (1, 7));
/// assert_eq!(Protocol::CURRENT.to_string(), "1.0");
/// # Ok::<(), perf_harness::report::ReportError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocol {
    /// Changes when something is no longer understood.
    pub major: u32,
    /// Changes when something is added.
    pub minor: u32,
}

impl Protocol {
    /// What this version of the crate speaks.
    pub const CURRENT: Self = Self { major: 1, minor: 0 };

    /// Checks, inside a benchmark, what the program that started it speaks.
    pub(super) fn accept_runner(self) -> Result<(), ReportError> {
        self.accept(self, Self::CURRENT)
    }

    /// Checks, inside the program, what a benchmark speaks.
    pub(super) fn accept_harness(self) -> Result<(), ReportError> {
        self.accept(Self::CURRENT, self)
    }

    fn accept(self, runner: Self, harness: Self) -> Result<(), ReportError> {
        if self.major == Self::CURRENT.major {
            Ok(())
        } else {
            Err(ReportError::Protocol { runner, harness })
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Protocol {
    type Err = ReportError;

    fn from_str(text: &str) -> Result<Self, ReportError> {
        let number = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| digits.parse().ok()).flatten()
        };
        text.split_once('.')
            .and_then(|(major, minor)| Some(Self { major: number(major)?, minor: number(minor)? }))
            .ok_or_else(|| ReportError::Variable { found: text.to_owned() })
    }
}
