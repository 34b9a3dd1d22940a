//! Finds metrics in output that comes in pieces, without keeping the rest of it.

use super::error::{Fault, MetricsError, MetricsErrorKind};
use super::grammar::{LONGEST_BLOCK, LONGEST_LINE};
use super::marker::{self, BEFORE, BEHIND, Meaning, WORD};
use super::{Metrics, block, line};
use memchr::memmem::Finder;

/// Output is looked at in pieces of this size, so that small pieces cost no more than large ones.
const PIECE: usize = 64 * 1024;

/// Reads metrics from the output of a benchmark, which may be of any size.
///
/// The result does not depend on how the output is cut into pieces. Memory stays below 2 MiB and what
/// the metrics themselves need.
///
/// ```
/// use perf_harness::metrics::Reader;
///
/// let mut reader = Reader::default();
/// reader.push(b"warming up\nPERF_MET");
/// reader.push(b"RICS scenario=low p99_ms=1.5\n");
/// let metrics = reader.finish()?;
/// assert_eq!(metrics.scenarios["low"]["p99_ms"], 1.5);
/// # Ok::<(), perf_harness::metrics::MetricsError>(())
/// ```
#[derive(Debug)]
pub struct Reader {
    word: Finder<'static>,
    /// The end of the output so far: some bytes that were looked at, then those that were not.
    pub(super) held: Vec<u8>,
    /// The first byte that was not looked at.
    next: usize,
    /// The length at which it pays to look again.
    wanted: usize,
    lines: Lines,
    place: Place,
    /// Where the block was begun that has been read.
    block: Option<u64>,
    /// Where a marker stood without a metric.
    bare: Option<u64>,
    /// Where the word stood and meant nothing.
    unmeant: Option<u64>,
    result: Result<Metrics, MetricsError>,
}

/// Where in the output the next byte is.
#[derive(Debug, Clone, Copy)]
enum Place {
    Prose,
    /// Inside the block whose text begins at this byte of what is held.
    Block(usize),
}

/// Why looking stopped.
enum Stop {
    /// More output is needed to go on.
    Hungry,
    Wrong(MetricsError),
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            word: Finder::new(WORD),
            held: Vec::new(),
            next: 0,
            wanted: PIECE,
            lines: Lines::default(),
            place: Place::Prose,
            block: None,
            bare: None,
            unmeant: None,
            result: Ok(Metrics::default()),
        }
    }
}

impl Reader {
    /// Takes the next piece of output.
    pub fn push(&mut self, output: &[u8]) {
        let mut rest = output;
        while !rest.is_empty() && self.result.is_ok() {
            let taken = rest.len().min(self.wanted - self.held.len());
            self.held.extend_from_slice(&rest[..taken]);
            rest = &rest[taken..];
            if self.held.len() == self.wanted {
                self.look(false);
            }
        }
    }

    /// The metrics of the output, which has ended.
    ///
    /// # Errors
    /// The first thing that is wrong with them, or that there are none.
    pub fn finish(mut self) -> Result<Metrics, MetricsError> {
        self.look(true);
        let metrics = self.result?;
        if let Place::Block(_) = self.place {
            let message = "the block that begins here has no end";
            return Err(MetricsError {
                kind: MetricsErrorKind::Unterminated,
                line: self.block,
                message: message.to_owned(),
            });
        }
        if !metrics.is_empty() {
            return Ok(metrics);
        }
        let (kind, line, message) = match (self.bare, self.unmeant) {
            (Some(line), _) => (MetricsErrorKind::Empty, Some(line), "PERF_METRICS comes without a metric"),
            (None, Some(line)) => (
                MetricsErrorKind::Missing,
                Some(line),
                "PERF_METRICS is no word of its own, or part of a text",
            ),
            (None, None) => (MetricsErrorKind::Missing, None, "the output has no metrics"),
        };
        Err(MetricsError { kind, line, message: message.to_owned() })
    }

    /// Looks at everything that is held, then lets go of what is no longer needed.
    fn look(&mut self, ended: bool) {
        while self.result.is_ok() {
            let step = match self.place {
                Place::Prose => self.prose(ended),
                Place::Block(begin) => self.block(begin, ended),
            };
            match step {
                Ok(()) => {}
                Err(Stop::Hungry) => break,
                Err(Stop::Wrong(error)) => self.result = Err(error),
            }
        }
        self.forget();
    }

    /// One step outside of blocks, over one occurrence of the word.
    fn prose(&mut self, ended: bool) -> Result<(), Stop> {
        let (start, end) = self.find(ended)?;
        match marker::outside_block(&self.held, start..end) {
            Meaning::None => {
                self.unmeant = self.unmeant.or(Some(self.line_at(start)));
                self.next = end;
            }
            Meaning::Line => self.line(start, end, ended)?,
            Meaning::Start(at) => self.open(start, end + at)?,
            Meaning::End(_) => {
                let fault =
                    Fault::new(MetricsErrorKind::EndWithoutStart, "a block ends here that was not begun");
                return Err(Stop::Wrong(fault.at(self.line_at(start))));
            }
        }
        Ok(())
    }

    /// The line of metrics whose marker lies between `start` and `end`.
    fn line(&mut self, start: usize, end: usize, ended: bool) -> Result<(), Stop> {
        let rest = &self.held[end..];
        let length = memchr::memchr2(b'\n', b'\r', rest);
        let known = length.unwrap_or(rest.len());
        if end - start + known > LONGEST_LINE {
            let message = format!("the line is longer than {LONGEST_LINE} bytes");
            return Err(Stop::Wrong(Fault::new(MetricsErrorKind::TooLong, message).at(self.line_at(start))));
        }
        if length.is_none() && !ended {
            return Err(Stop::Hungry);
        }
        let line = self.line_at(start);
        let metrics = self.result.as_mut().map_err(|error| Stop::Wrong(error.clone()))?;
        let before = metrics.len();
        text(&self.held[end..end + known])
            .and_then(|text| line::add(metrics, &text))
            .map_err(|fault| Stop::Wrong(fault.at(line)))?;
        if metrics.len() == before {
            self.bare = self.bare.or(Some(line));
        }
        self.next = end + known;
        Ok(())
    }

    /// Enters the block that is begun by the marker at `start` and whose text follows at `end`.
    fn open(&mut self, start: usize, end: usize) -> Result<(), Stop> {
        let line = self.line_at(start);
        if let Some(first) = self.block {
            let message = format!("a second block begins here, after the one in line {first}");
            return Err(Stop::Wrong(Fault::new(MetricsErrorKind::SecondBlock, message).at(line)));
        }
        self.block = Some(line);
        self.place = Place::Block(end);
        self.next = end;
        Ok(())
    }

    /// One step inside the block whose text begins at `begin`, over one occurrence of the word.
    fn block(&mut self, begin: usize, ended: bool) -> Result<(), Stop> {
        let found = self.find(ended);
        let length = found.as_ref().map_or(self.next, |(start, _)| *start).saturating_sub(begin);
        if length > LONGEST_BLOCK {
            let message = format!("the block is longer than {LONGEST_BLOCK} bytes");
            return Err(self.wrong_block(MetricsErrorKind::TooLong, message));
        }
        let (start, end) = found?;
        match marker::inside_block(&self.held, start..end) {
            Meaning::End(at) => {
                self.close(begin, start)?;
                self.next = end + at;
            }
            Meaning::Start(_) => {
                let message =
                    format!("the block has no end before the next, in line {}", self.line_at(start));
                return Err(self.wrong_block(MetricsErrorKind::Unterminated, message));
            }
            Meaning::Line | Meaning::None => self.next = end,
        }
        Ok(())
    }

    fn close(&mut self, begin: usize, end: usize) -> Result<(), Stop> {
        let line = self.line_at(begin);
        let metrics = self.result.as_mut().map_err(|error| Stop::Wrong(error.clone()))?;
        let text = text(&self.held[begin..end]).map_err(|fault| Stop::Wrong(fault.at(line)))?;
        block::add(metrics, &text, line).map_err(Stop::Wrong)?;
        self.place = Place::Prose;
        Ok(())
    }

    fn wrong_block(&self, kind: MetricsErrorKind, message: String) -> Stop {
        Stop::Wrong(MetricsError { kind, line: self.block, message })
    }

    /// The next occurrence of the word, once enough is held behind it to judge it.
    fn find(&mut self, ended: bool) -> Result<(usize, usize), Stop> {
        let Some(at) = self.word.find(&self.held[self.next..]) else {
            // The word may have begun.
            let begun = if ended { 0 } else { WORD.len() - 1 };
            self.next = self.next.max(self.held.len().saturating_sub(begun));
            return Err(Stop::Hungry);
        };
        self.next += at;
        let end = self.next + WORD.len();
        if !ended && self.held.len() - end < BEHIND {
            return Err(Stop::Hungry);
        }
        Ok((self.next, end))
    }

    /// The line that byte `at` of what is held stands in.
    fn line_at(&mut self, at: usize) -> u64 {
        self.lines.advance(&self.held, at);
        self.lines.ended + 1
    }

    fn forget(&mut self) {
        let needed = match self.place {
            Place::Prose => self.next,
            Place::Block(begin) => begin,
        };
        let gone = needed.saturating_sub(BEFORE);
        self.lines.forget(&self.held, gone);
        self.held.drain(..gone);
        self.next -= gone;
        if let Place::Block(begin) = &mut self.place {
            *begin -= gone;
        }
        self.wanted = self.held.len() + PIECE;
    }
}

/// How many lines have ended before a byte of what is held. The byte moves on with what is looked at, so
/// that every byte is counted about once.
#[derive(Debug, Default)]
struct Lines {
    at: usize,
    ended: u64,
}

impl Lines {
    fn advance(&mut self, held: &[u8], at: usize) {
        if at >= self.at {
            self.ended += line_ends(&held[self.at..at]);
        } else {
            self.ended -= line_ends(&held[at..self.at]);
        }
        self.at = at;
    }

    /// Moves with the rest when the first `gone` bytes are dropped.
    fn forget(&mut self, held: &[u8], gone: usize) {
        if self.at < gone {
            self.advance(held, gone);
        }
        self.at -= gone;
    }
}

fn line_ends(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// Bytes of the format as text, without colours.
fn text(bytes: &[u8]) -> Result<String, Fault> {
    String::from_utf8(marker::without_sequences(bytes))
        .map_err(|_| Fault::new(MetricsErrorKind::Encoding, "the metrics hold bytes that are no UTF-8"))
}
