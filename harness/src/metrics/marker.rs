//! Where the word of the format stands, and what it says there.

use std::ops::Range;

/// The word of the format; blocks have `_START` or `_END` behind it.
pub(super) const WORD: &[u8] = b"PERF_METRICS";

/// Bytes before a marker that say whether it stands at the start of its line.
pub(super) const BEFORE: usize = 256;
/// Bytes behind the word that say what it is: the longest name, with room for colours.
pub(super) const BEHIND: usize = 384;

/// The mark that some editors put at the start of a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What the word means where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The line is one of metrics.
    Line,
    /// A block begins; this many bytes behind the word.
    Start(usize),
    /// A block ends; this many bytes behind the word.
    End(usize),
    /// The word is part of something else.
    None,
}

/// What the word at `word` means outside of a block, given at least [`BEFORE`] bytes before and
/// [`BEHIND`] behind it, or all that there are.
///
/// A marker is the first word of its line. In the middle of a line, where a logger puts it, it counts
/// only when what follows cannot be prose.
pub(super) fn outside_block(text: &[u8], word: Range<usize>) -> Meaning {
    let before = before(text, word.start);
    let behind = &text[word.end..];
    match (meaning(behind), before) {
        (_, Before::Other(_)) | (Meaning::End(_), Before::Blank) => Meaning::None,
        (Meaning::Line, Before::Blank) if !next_word(behind).contains(&b'=') => Meaning::None,
        (Meaning::Start(at), Before::Blank) if !matches!(next_word(&behind[at..]), [] | [b'{', ..]) => {
            Meaning::None
        }
        (meaning, _) => meaning,
    }
}

/// What the word at `word` means inside a block.
pub(super) fn inside_block(text: &[u8], word: Range<usize>) -> Meaning {
    match (meaning(&text[word.end..]), before(text, word.start)) {
        (end @ Meaning::End(_), Before::Line | Before::Blank | Before::Other(b'}')) => end,
        (start @ Meaning::Start(_), Before::Line) => start,
        _ => Meaning::None,
    }
}

/// What the bytes behind the word make of it.
fn meaning(behind: &[u8]) -> Meaning {
    let ends = |at: usize| next_byte(&behind[at..]).is_none_or(|byte| is_blank(byte) || is_line_end(byte));
    if behind.starts_with(b"_START") {
        let at = b"_START".len();
        let opens = next_byte(&behind[at..]) == Some(b'{');
        return if ends(at) || opens { Meaning::Start(at) } else { Meaning::None };
    }
    if behind.starts_with(b"_END") {
        let at = b"_END".len();
        return if ends(at) { Meaning::End(at) } else { Meaning::None };
    }
    if ends(0) { Meaning::Line } else { Meaning::None }
}

/// What stands before a word, colours and byte order marks aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing but blanks.
    Line,
    /// A blank, and something before it.
    Blank,
    /// This byte.
    Other(u8),
}

fn before(text: &[u8], word: usize) -> Before {
    let first = word.saturating_sub(BEFORE);
    let text = &text[first..word];
    let mut end = text.len();
    let mut blank = false;
    loop {
        end = without_unseen(&text[..end]);
        match text[..end].last() {
            // The window is as long as it can be, so the line may have begun before it.
            None if first > 0 || text.len() == BEFORE => break,
            None => return Before::Line,
            Some(byte) if is_line_end(*byte) => return Before::Line,
            Some(byte) if is_blank(*byte) => (blank, end) = (true, end - 1),
            Some(_) if blank => break,
            Some(byte) => return Before::Other(*byte),
        }
    }
    if blank { Before::Blank } else { Before::Other(0) }
}

/// The length of `text` without what a terminal does not show at its end.
fn without_unseen(text: &[u8]) -> usize {
    let mut end = text.len();
    loop {
        let rest = &text[..end];
        if rest.ends_with(BYTE_ORDER_MARK) {
            end -= BYTE_ORDER_MARK.len();
        } else if let Some(length) = sequence_at_end(rest) {
            end -= length;
        } else {
            return end;
        }
    }
}

fn sequence_at_end(text: &[u8]) -> Option<usize> {
    let (last, rest) = text.split_last()?;
    let parameters = rest.iter().rev().take_while(|byte| is_parameter(**byte)).count();
    let opened = rest[..rest.len() - parameters].ends_with(b"\x1b[");
    (is_final(*last) && opened).then_some(parameters + 3)
}

/// The first byte that is no part of a control sequence.
fn next_byte(text: &[u8]) -> Option<u8> {
    let mut rest = text;
    while let Some(length) = sequence_at_start(rest) {
        rest = &rest[length..];
    }
    rest.first().copied()
}

/// The bytes up to the end of the next word of the line, control sequences and all.
fn next_word(text: &[u8]) -> &[u8] {
    let mut rest = text;
    loop {
        match (sequence_at_start(rest), rest.first()) {
            (Some(length), _) => rest = &rest[length..],
            (None, Some(byte)) if is_blank(*byte) => rest = &rest[1..],
            _ => break,
        }
    }
    let end = rest.iter().position(|byte| is_blank(*byte) || is_line_end(*byte));
    &rest[..end.unwrap_or(rest.len())]
}

fn sequence_at_start(text: &[u8]) -> Option<usize> {
    let rest = text.strip_prefix(b"\x1b[")?;
    let parameters = rest.iter().take_while(|byte| is_parameter(**byte)).count();
    rest.get(parameters).filter(|byte| is_final(**byte)).map(|_| parameters + 3)
}

/// `text` without control sequences, the ones that colour a terminal.
pub(super) fn without_sequences(text: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(0x1b, rest) {
        kept.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let length = sequence_at_start(rest);
        if length.is_none() {
            kept.push(0x1b);
        }
        rest = &rest[length.unwrap_or(1)..];
    }
    kept.extend_from_slice(rest);
    kept
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

fn is_parameter(byte: u8) -> bool {
    (0x20..=0x3f).contains(&byte)
}

fn is_final(byte: u8) -> bool {
    (0x40..=0x7e).contains(&byte)
}
