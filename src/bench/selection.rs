//! What the user chose: packages, targets, ids, and the flags that are passed on to cargo.

use std::path::PathBuf;

/// The flags that decide what cargo builds; part of a baseline's identity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "cargo has these switches")]
pub struct CargoFlags {
    /// `--manifest-path`.
    pub manifest_path: Option<PathBuf>,
    /// `--features`, as given, each possibly a list.
    pub features: Vec<String>,
    /// `--all-features`.
    pub all_features: bool,
    /// `--no-default-features`.
    pub no_default_features: bool,
    /// `--profile`.
    pub profile: Option<String>,
    /// `--target`.
    pub target: Option<String>,
    /// `--locked`.
    pub locked: bool,
    /// `--offline`.
    pub offline: bool,
}

impl CargoFlags {
    /// The flags that both `cargo metadata` and `cargo bench` take.
    pub fn common(&self) -> Vec<String> {
        let mut flags = Vec::new();
        for features in &self.features {
            flags.extend(["--features".to_owned(), features.clone()]);
        }
        let switches = [
            (self.all_features, "--all-features"),
            (self.no_default_features, "--no-default-features"),
            (self.locked, "--locked"),
            (self.offline, "--offline"),
        ];
        flags.extend(switches.iter().filter(|(on, _)| *on).map(|(_, flag)| (*flag).to_owned()));
        flags
    }

    /// The flags that decide what a build contains.
    pub fn building(&self) -> Vec<String> {
        let mut flags = self.common();
        for (flag, value) in [("--profile", &self.profile), ("--target", &self.target)] {
            if let Some(value) = value {
                flags.extend([flag.to_owned(), value.clone()]);
            }
        }
        flags
    }
}

/// Which benches are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// `-p`: package names; all members when empty.
    pub packages: Vec<String>,
    /// `--bench`: target names; all when empty.
    pub targets: Vec<String>,
    /// `--filter`: an exact id, `*` as wildcard.
    pub filter: Option<String>,
}

impl Selection {
    /// Whether `id` is meant by the filter.
    pub fn accepts_id(&self, id: &str) -> bool {
        self.filter.as_deref().is_none_or(|pattern| matches(pattern, id))
    }
}

/// Whether `text` has the form of `pattern`, in which `*` stands for any run of characters. A pattern
/// that equals the text always matches, so an id that holds a `*` can be named.
pub fn matches(pattern: &str, text: &str) -> bool {
    if pattern == text {
        return true;
    }
    let mut parts = pattern.split('*');
    let Some(rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return false };
    let mut rest = rest;
    for part in parts {
        // The earliest place leaves most for what follows.
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

/// The entries of `known` that look most like `wanted`, best first, at most `most`.
pub fn near_misses<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>, most: usize) -> Vec<&'a str> {
    let wanted = wanted.to_lowercase();
    let mut scored: Vec<(usize, &str)> = known
        .into_iter()
        .map(|candidate| {
            let lower = candidate.to_lowercase();
            // Sharing a part is what people mean most often: a function without its group.
            let contained = lower.contains(wanted.as_str()) || wanted.contains(lower.as_str());
            (if contained { 0 } else { distance(&wanted, &lower) }, candidate)
        })
        .filter(|(score, candidate)| *score <= wanted.chars().count().max(candidate.chars().count()) / 2)
        .collect();
    scored.sort_unstable();
    scored.dedup();
    scored.into_iter().take(most).map(|(_, candidate)| candidate).collect()
}

/// The number of single-character edits between two texts.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (line, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, to) in b.iter().enumerate() {
            let substitution = diagonal + usize::from(from != *to);
            diagonal = row[column + 1];
            row[column + 1] = substitution.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_star_stands_for_any_run_and_nothing_else_is_special() {
        for (pattern, text) in [
            ("parse/*", "parse/a/b"),
            ("*", ""),
            ("a*c*e", "abcde"),
            ("a*", "a"),
            ("a*b", "a*b"),
            ("[x]", "[x]"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("parse", "parse/a"), ("a*c", "ab"), ("aba*ba", "aba"), ("", "x"), (".", "x"), ("*a", "ab")]
        {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn near_misses_are_what_a_typo_or_a_missing_group_would_mean() {
        let known = ["parse/zones_typed", "parse/zones_value", "sort/records"];
        assert_eq!(near_misses("parse/zone_typed", known, 1), ["parse/zones_typed"]);
        assert_eq!(near_misses("records", known, 3), ["sort/records"]);
        assert!(near_misses("zzzzzzzzzzzzzzzz", known, 3).is_empty());
    }

    proptest! {
        #[test]
        fn every_text_matches_itself_and_its_parts_with_stars(text in ".{0,20}", cut in 0..20_usize) {
            prop_assert!(matches(&text, &text));
            let at = text.char_indices().map(|(index, _)| index).nth(cut).unwrap_or(text.len());
            let pattern = format!("{}*", &text[..at]);
            let both = format!("*{}", &text[at..]);
            prop_assert!(matches(&pattern, &text) && matches(&both, &text));
        }
    }
}
