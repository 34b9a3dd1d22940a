//! The one line by which a checkpoint commit is known, and commits found again: by that line, and by the id
//! that evidence names.

use super::place::open;
use git2::Oid;
use std::path::Path;

/// Characters that a subject made here has at most.
const LENGTH: usize = 120;
/// Characters that a given subject may have at most.
pub(in crate::git) const LONGEST: usize = 200;
/// How many commits are looked at, newest first.
const FAR: usize = 2000;
/// Seconds by which the clocks of two committers may differ.
const SKEW: i64 = 86_400;
/// What stands where there is no baseline or no delta.
const NONE: &str = "n/a";

/// `perf: phase <phase> [<id>] baseline=<version> delta=<summary>`, on one line of at most 120 characters.
///
/// What could begin a second line becomes a space, so that a delta cannot forge trailers. A delta that is
/// too long is cut.
pub fn subject(phase: &str, id: &str, baseline: Option<&str>, delta: Option<&str>) -> String {
    let baseline = baseline.map(plain).filter(|text| !text.is_empty());
    let delta = delta.map(plain).filter(|text| !text.is_empty());
    let baseline = baseline.as_deref().unwrap_or(NONE);
    let head = format!("perf: phase {} [{}] baseline={baseline} delta=", plain(phase), plain(id));
    let room = LENGTH.saturating_sub(head.chars().count());
    let head: String = head.chars().take(LENGTH).collect();
    format!("{head}{}", cut(delta.as_deref().unwrap_or(NONE), room)).trim_end().to_owned()
}

/// The reference for the commits of the investigation `id` that are kept apart.
pub fn reference(id: &str) -> String {
    format!("refs/perf/{id}")
}

/// The text on one line, its words one space apart.
fn plain(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if breaks_lines(c) { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a program might end a line here or read it as an instruction.
pub(in crate::git) fn breaks_lines(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(room.saturating_sub(1)).collect();
    if room > 0 {
        kept.push('…');
    }
    kept
}

/// A checkpoint commit that is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// Its subject.
    pub subject: &'a str,
    /// The commit before it; none: it is a first commit.
    pub parent: Option<&'a str>,
}

/// The ids of checkpoint commits, each in the place of what was looked for, in the history of what is checked
/// out and of `ref_name`.
///
/// `None` also when history was rewritten since, so that another commit comes before it. Looks at no more
/// than two thousand commits, and at none that are older than the oldest of those before them.
pub fn find(root: &Path, wanted: &[Wanted<'_>], ref_name: &str) -> Vec<Option<String>> {
    let mut found = vec![None; wanted.len()];
    // What cannot be read is not found.
    let _ = search(root, wanted, ref_name, &mut found);
    found
}

fn search(root: &Path, wanted: &[Wanted<'_>], ref_name: &str, found: &mut [Option<String>]) -> Option<()> {
    let repository = open(root).ok()?;
    // Places in `wanted`, with the commit before; what has one that is gone cannot be found.
    let mut open: Vec<(usize, Option<Oid>)> = Vec::new();
    let mut since = i64::MAX;
    for (place, wanted) in wanted.iter().enumerate() {
        let Some(parent) = wanted.parent else {
            open.push((place, None));
            since = i64::MIN;
            continue;
        };
        let parent = Oid::from_str(parent).and_then(|id| repository.find_commit(id));
        if let Ok(parent) = parent {
            open.push((place, Some(parent.id())));
            since = since.min(parent.time().seconds().saturating_sub(SKEW));
        }
    }
    // Any sorting would make libgit2 read all of history first; without, it goes back in time as it is asked.
    let mut walk = repository.revwalk().ok()?;
    for name in ["HEAD", ref_name] {
        // A name that does not exist has no history.
        let _ = walk.push_ref(name);
    }
    for id in walk.take(FAR) {
        let commit = repository.find_commit(id.ok()?).ok()?;
        if open.is_empty() || commit.time().seconds() < since {
            break;
        }
        let is_wanted = |(place, parent): &(usize, Option<Oid>)| {
            commit.parent_ids().eq(*parent)
                && commit.summary_bytes() == Some(wanted[*place].subject.as_bytes())
        };
        if let Some(at) = open.iter().position(is_wanted) {
            let (place, _) = open.swap_remove(at);
            found[place] = Some(commit.id().to_string());
        }
    }
    Some(())
}

/// Whether the repository around `root` has a commit with this id, in full or shortened without ambiguity.
pub fn commit_exists(root: &Path, id: &str) -> bool {
    let is_hex = (4..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex && open(root).is_ok_and(|repository| repository.find_commit_by_prefix(id).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g1_the_format_is_kept_and_what_is_missing_is_said() {
        assert_eq!(
            subject("baseline", "perf-1", Some("v1.2"), Some("latency_ms -12.4% ±1.1")),
            "perf: phase baseline [perf-1] baseline=v1.2 delta=latency_ms -12.4% ±1.1"
        );
        assert_eq!(
            subject("setup", "perf-1", None, None),
            "perf: phase setup [perf-1] baseline=n/a delta=n/a"
        );
        assert_eq!(subject("setup", "p", Some(" \n"), Some("\t")), subject("setup", "p", None, None));
    }

    #[test]
    fn g13_a_delta_with_newlines_forges_no_trailer() {
        let made = subject("a", "b", Some("v\n1"), Some("x\n\nCo-authored-by: m\u{2028}\r\u{1b}[1m y\0"));
        assert_eq!(made, "perf: phase a [b] baseline=v 1 delta=x Co-authored-by: m [1m y");
        assert!(!made.contains(breaks_lines));
    }

    #[test]
    fn s48_the_whole_stays_within_120_characters() {
        let made = subject("decision", "perf-20260101-000000-01234567", Some("v1"), Some(&"é".repeat(500)));
        assert_eq!(made.chars().count(), LENGTH);
        assert!(made.ends_with("é…"), "{made}");
        for long in
            [subject(&"p".repeat(300), "i", None, None), subject("p", "i", Some(&"v".repeat(300)), None)]
        {
            assert_eq!(long.chars().count(), LENGTH, "{long}");
        }
    }
}
