//! The version label of a baseline, which is also the name of its file.

use crate::failure::{Failure, FailureKind};
use std::fmt;

/// Longest label; with an extension it fits every file system.
const LONGEST: usize = 100;

/// A validated version label: `[A-Za-z0-9._+-]+`, not starting with `.` or `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionLabel(String);

impl VersionLabel {
    /// Checks a label given by the user.
    ///
    /// # Errors
    /// `Usage`, naming what is wrong and the form that works.
    pub fn new(text: &str) -> Result<Self, Failure> {
        let wrong = |why: String| {
            Err(Failure::usage(why)
                .hint("use letters, digits, '.', '_', '+' and '-', as in `cargo perf baseline 1.4.0-rc1`"))
        };
        if text.is_empty() {
            return wrong("the version label is empty".into());
        }
        let length = text.chars().count();
        if length > LONGEST {
            return wrong(format!("the version label has {length} characters; {LONGEST} are allowed"));
        }
        if let Some(bad) = text.chars().find(|c| !c.is_ascii_alphanumeric() && !"._+-".contains(*c)) {
            return wrong(format!("the version label {text:?} holds the character {bad:?}"));
        }
        if text.starts_with(['.', '-']) {
            return wrong(format!("the version label {text:?} starts with {:?}", &text[..1]));
        }
        if is_reserved(text) {
            return wrong(format!("the version label {text:?} is a reserved file name on some systems"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The label of a package version at a commit: `0.1.0+1a2b3c4`, with `.dirty` for a changed tree.
    /// Either part may be missing, not both.
    ///
    /// # Errors
    /// `Blocked` when nothing gives a label.
    pub fn of_commit(version: Option<&str>, commit: Option<&str>, dirty: bool) -> Result<Self, Failure> {
        let commit = commit.map(|commit| format!("{commit}{}", if dirty { ".dirty" } else { "" }));
        let parts: Vec<&str> = [version, commit.as_deref()].into_iter().flatten().collect();
        if parts.is_empty() {
            return Err(Failure::new(
                FailureKind::Blocked,
                "there is no package version and no commit to name the baseline by",
            )
            .hint("name it, as in `cargo perf baseline 1.4.0`"));
        }
        Self::new(&parts.join("+"))
    }

    /// The label as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VersionLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Device names that some systems reserve whatever the extension.
fn is_reserved(text: &str) -> bool {
    let stem = text.split('.').next().unwrap_or(text).to_ascii_uppercase();
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL")
        || stem
            .strip_prefix("COM")
            .or_else(|| stem.strip_prefix("LPT"))
            .is_some_and(|rest| rest.len() == 1 && rest.chars().all(|c| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureKind;

    #[test]
    fn labels_of_the_field_are_accepted() {
        for label in ["v1.0.0", "1.4.0-rc.1", "1.0+build.123", "release_1.0", "0.1.0+1a2b3c4.dirty"] {
            assert_eq!(VersionLabel::new(label).expect(label).as_str(), label);
        }
    }

    #[test]
    fn labels_that_are_no_file_name_are_refused_as_usage() {
        let long = "1".repeat(300);
        for label in
            ["", "..", "../x", "a/b", "a\\b", "-rf", ".hidden", "a b", "CON", "com1.txt", "é", "a\0", &long]
        {
            assert_eq!(VersionLabel::new(label).expect_err(label).kind, FailureKind::Usage, "{label}");
        }
    }

    #[test]
    fn a_commit_makes_a_valid_label() {
        let label = VersionLabel::of_commit(Some("0.1.0"), Some("1a2b3c4"), true).expect("valid");
        assert_eq!(label.as_str(), "0.1.0+1a2b3c4.dirty");
        assert_eq!(VersionLabel::of_commit(Some("0.1.0"), None, false).expect("valid").as_str(), "0.1.0");
        assert_eq!(VersionLabel::of_commit(None, Some("1a2b3c4"), false).expect("valid").as_str(), "1a2b3c4");
        assert_eq!(
            VersionLabel::of_commit(None, None, false).expect_err("no label").kind,
            FailureKind::Blocked
        );
    }
}
