//! The one line by which a checkpoint commit is known.

/// Characters that a subject made here has at most.
const LENGTH: usize = 120;
/// Characters that a given subject may have at most.
pub(in crate::git) const LONGEST: usize = 200;
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
