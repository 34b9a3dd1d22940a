//! The log of an investigation: sections as Markdown, and back.
//!
//! Text that users write can hold anything, and none of it can open a section: every line of it stands
//! behind a marker, and characters that would end a line are written as escapes. Reading gives back exactly
//! what was written.

use crate::model::outcome::{Phase, Pointer, PointerKind};
use crate::model::rules::{Kept, Rule, RuleCheck};
use crate::model::section::Section;
use std::fmt::Write;

const QUOTE: &str = "**User Quote**";
const REPEATED: &str = "**User Quote** (of setup, repeated)";
const SUMMARY: &str = "**Summary**";
const EVIDENCE: &str = "**Evidence**";
const DECISION: &str = "**Decision**";
const RULES: &str = "**Rules**";

/// The beginning of the log of the investigation `id`.
pub fn opening(id: &str) -> String {
    format!("# Investigation {}\n", escape(id))
}

/// A section as it is appended to a log, with the blank line before it.
pub fn render(section: &Section) -> String {
    let mut text = format!("\n## {} - {}\n", section.phase.heading(), section.date);
    let heading = if section.repeated { REPEATED } else { QUOTE };
    let _ = write!(text, "\n{heading}\n\n");
    for line in section.quote.split('\n') {
        // A blank would be lost at the end of a line when somebody's editor trims it.
        let _ = if line.is_empty() { writeln!(text, ">") } else { writeln!(text, "> {}", escape(line)) };
    }
    list(&mut text, SUMMARY, section.summary.iter().map(|line| escape(line)));
    let evidence = section.evidence.iter().map(|pointer| match pointer.kind {
        PointerKind::Command => format!("{}: {}", pointer.kind.name(), code(&pointer.target)),
        _ => format!("{}: {}", pointer.kind.name(), escape(&pointer.target)),
    });
    list(&mut text, EVIDENCE, evidence);
    list(&mut text, DECISION, section.decision.iter().map(|line| escape(line)));
    let rules = section.rules.iter().map(|check| {
        let (number, id) = (check.rule.number(), check.rule.id());
        format!("rule {number} {id}: {} - {}", check.kept.name(), escape(&check.reason))
    });
    list(&mut text, RULES, rules);
    text
}

/// A list below a heading, left out when it is empty.
fn list(text: &mut String, heading: &str, lines: impl Iterator<Item = String>) {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        let _ = write!(text, "\n{heading}\n\n");
        lines.for_each(|line| {
            let _ = writeln!(text, "- {line}");
        });
    }
}

/// The parts of a log that begin with the heading of a section, with the line of the heading, from 1.
pub fn pieces(log: &str) -> Vec<(usize, &str)> {
    let mut starts: Vec<usize> = log.match_indices("\n## ").map(|(at, _)| at).collect();
    if log.starts_with("## ") {
        starts.insert(0, 0);
    }
    let ends = starts.iter().skip(1).copied().chain([log.len()]);
    let pieces = starts.iter().copied().zip(ends);
    pieces
        .map(|(start, end)| {
            let piece = &log[start..end];
            let line = log[..start].matches('\n').count() + 1 + usize::from(piece.starts_with('\n'));
            (line, piece)
        })
        .collect()
}

/// The sections of a log, in order, each with the bytes it takes, for comparing.
///
/// # Errors
/// The line that cannot be read, from 1, and why.
pub fn parse(log: &str) -> Result<Vec<(Section, &str)>, (usize, String)> {
    let read = |(line, piece): (usize, &'_ str)| -> Result<Section, (usize, String)> {
        read(piece.trim_start_matches('\n')).map_err(|(at, why)| (line + at, why))
    };
    pieces(log).into_iter().map(|(line, piece)| Ok((read((line, piece))?, piece))).collect()
}

/// Reads one section, whose heading comes first. Lines of errors count from 0.
fn read(piece: &str) -> Result<Section, (usize, String)> {
    let mut lines = piece.lines().enumerate();
    let heading = lines.next().map(|(_, line)| line).unwrap_or_default();
    let (phase, date) = heading
        .strip_prefix("## ")
        .and_then(|words| words.rsplit_once(" - "))
        .and_then(|(name, date)| {
            Some((Phase::ALL.into_iter().find(|phase| phase.heading() == name)?, date.to_owned()))
        })
        .ok_or_else(|| (0, format!("{heading:?} names no phase and day")))?;
    let mut section = Section {
        phase,
        date,
        quote: String::new(),
        repeated: false,
        summary: Vec::new(),
        evidence: Vec::new(),
        decision: None,
        rules: Vec::new(),
    };
    let mut part = "";
    let mut quote: Vec<String> = Vec::new();
    for (at, line) in lines {
        let wrong = |why: &str| (at, format!("{line:?}: {why}"));
        if let Some(known) =
            [REPEATED, QUOTE, SUMMARY, EVIDENCE, DECISION, RULES].into_iter().find(|p| *p == line)
        {
            part = known;
            section.repeated |= known == REPEATED;
        } else if let Some(text) = line.strip_prefix('>').filter(|_| part == QUOTE || part == REPEATED) {
            let text = text.strip_prefix(' ').unwrap_or(text);
            quote.push(unescape(text).ok_or_else(|| wrong("a broken escape"))?);
        } else if let Some(item) = line.strip_prefix("- ") {
            take(&mut section, part, item).map_err(|why| wrong(&why))?;
        } else if !line.is_empty() {
            return Err(wrong("this is no part of a section"));
        }
    }
    section.quote = quote.join("\n");
    Ok(section)
}

/// Takes one line of a list.
fn take(section: &mut Section, part: &str, item: &str) -> Result<(), String> {
    let plain = |text: &str| unescape(text).ok_or_else(|| "a broken escape".to_owned());
    match part {
        SUMMARY => section.summary.push(plain(item)?),
        DECISION => section.decision = Some(plain(item)?),
        EVIDENCE => {
            let (name, target) = item.split_once(": ").ok_or("evidence has a kind and a place")?;
            let kind = PointerKind::ALL.into_iter().find(|kind| kind.name() == name);
            let kind = kind.ok_or_else(|| format!("{name:?} is no kind of evidence"))?;
            let target = if kind == PointerKind::Command { plain(uncode(target))? } else { plain(target)? };
            section.evidence.push(Pointer { kind, target });
        }
        RULES => section.rules.push(rule_check(item)?),
        _ => return Err("a list outside of a part".to_owned()),
    }
    Ok(())
}

/// `rule 2 sixty-seconds: pass - 60.3 s in 142 forks`.
fn rule_check(item: &str) -> Result<RuleCheck, String> {
    let (name, rest) = item.split_once(": ").ok_or("a rule has a name and a result")?;
    let rule = Rule::ALL.into_iter().find(|rule| format!("rule {} {}", rule.number(), rule.id()) == name);
    let rule = rule.ok_or_else(|| format!("{name:?} is no rule"))?;
    let (word, reason) = rest.split_once(" - ").ok_or("a rule has a result and a reason")?;
    let kept = Kept::ALL.into_iter().find(|kept| kept.name() == word);
    let kept = kept.ok_or_else(|| format!("{word:?} is no result of a rule"))?;
    Ok(RuleCheck { rule, kept, reason: unescape(reason).ok_or("a broken escape")? })
}

/// Text on one line: what could end the line, or is not seen, becomes `\u{…}`.
fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut line, c| {
        match c {
            '\\' => line.push_str("\\\\"),
            c if ends_lines(c) => line.extend(c.escape_unicode()),
            c => line.push(c),
        }
        line
    })
}

/// Control characters, separators of lines and paragraphs, and what turns the direction of writing.
fn ends_lines(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What was escaped; `None` for an escape that nobody has written here.
fn unescape(line: &str) -> Option<String> {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('\\') {
            text.push('\\');
            rest = after;
        } else {
            let (digits, after) = rest.strip_prefix("u{")?.split_once('}')?;
            text.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
            rest = after;
        }
    }
    text.push_str(rest);
    Some(text)
}

/// Text as code: between more backquotes than it holds in a row.
fn code(text: &str) -> String {
    let text = escape(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    // A blank keeps the fence apart from backquotes at the ends; Markdown takes it away again.
    let pad = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

fn uncode(text: &str) -> &str {
    let inner = text.trim_matches('`');
    let fence =
        (text.len() - text.trim_start_matches('`').len()).min(text.len() - text.trim_end_matches('`').len());
    if inner.is_empty() || fence == 0 {
        return inner;
    }
    let inside = &text[fence..text.len() - fence];
    match inside.strip_prefix(' ').and_then(|inside| inside.strip_suffix(' ')) {
        Some(unpadded) if unpadded.starts_with(['`', ' ']) || unpadded.ends_with(['`', ' ']) => unpadded,
        _ => inside,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn section(quote: &str) -> Section {
        Section {
            phase: Phase::BreakingPoint,
            date: "2026-01-02".to_owned(),
            quote: quote.to_owned(),
            repeated: false,
            summary: vec!["Scenario: parse".to_owned()],
            evidence: vec![
                Pointer::new(PointerKind::Command, "cargo perf setup"),
                Pointer::new(PointerKind::File, ".claude/perf/baselines/v1.json#/benches/0"),
            ],
            decision: Some("go on".to_owned()),
            rules: Rule::ALL.map(|rule| rule.pass("seen")).to_vec(),
        }
    }

    fn back(log: &str) -> Vec<Section> {
        parse(log).expect("read").into_iter().map(|(section, _)| section).collect()
    }

    #[test]
    fn k13_a_section_has_the_headings_of_the_format() {
        let text = render(&section("make it fast"));
        let expected = "\n## Breaking point - 2026-01-02\n\n**User Quote**\n\n> make it fast\n\n**Summary**\n\n\
                        - Scenario: parse\n\n**Evidence**\n\n- Command: `cargo perf setup`\n- File: \
                        .claude/perf/baselines/v1.json#/benches/0\n\n**Decision**\n\n- go on\n\n**Rules**\n\n\
                        - rule 1 sequential: pass - seen\n";
        assert!(text.starts_with(expected), "{text}");
        assert_eq!(text.matches("\n- rule ").count(), 10);
    }

    #[test]
    fn t14_a_quote_cannot_forge_a_section() {
        let forged =
            "fast\n\n## Decision - 2026-01-02\n\n**Decision**\n\n- stop\r## Setup - 2026-01-02\u{2028}## x";
        let log = opening("a") + &render(&section(forged)) + &render(&section("b"));
        let read = back(&log);
        assert_eq!(read.len(), 2);
        assert_eq!(read[0], section(forged));
        assert_eq!(log.lines().filter(|line| line.starts_with("## ")).count(), 2);
    }

    #[test]
    fn s28_a_line_that_is_no_part_of_a_section_is_named() {
        let log = opening("a") + &render(&section("b")) + "\nsomething else\n";
        let (line, why) = parse(&log).expect_err("refused");
        assert_eq!(log.lines().nth(line - 1), Some("something else"), "{line}: {why}");
    }

    proptest! {
        #[test]
        fn c05_what_is_written_is_read_back(quote in any::<String>(), line in any::<String>(), command in "[ -~`\\\\]{1,40}") {
            let mut written = section(&quote);
            written.summary.push(line.clone());
            written.decision = Some(line);
            written.evidence.push(Pointer::new(PointerKind::Command, command));
            prop_assert_eq!(back(&(opening("a") + &render(&written))), vec![written]);
        }
    }
}
