//! The output of a process: a bounded part on disk, a short tail in memory, the rest counted.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Bytes of each stream that stay in memory, enough to show why a benchmark failed.
const TAIL: usize = 16 * 1024;

/// One stream of a process while it runs.
#[derive(Debug)]
pub struct Capture {
    path: PathBuf,
    file: Option<File>,
    room: u64,
    total: u64,
    tail: Vec<u8>,
}

/// One stream of a process that has ended.
#[derive(Debug, Clone, Default)]
pub struct Captured {
    /// The log, if anything was written.
    pub log: Option<PathBuf>,
    /// Bytes the process wrote.
    pub total: u64,
    /// Bytes that did not fit into the log.
    pub omitted: u64,
    /// The last bytes, decoded with replacement of what is not UTF-8.
    pub tail: String,
}

impl Capture {
    /// A capture that writes at most `limit` bytes to `path`. The file appears with the first byte.
    pub fn new(path: PathBuf, limit: u64) -> Self {
        Self { path, file: None, room: limit, total: 0, tail: Vec::new() }
    }

    /// Takes the next bytes of the stream.
    pub fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.total += bytes.len() as u64;
        self.keep_tail(bytes);
        let fits = bytes.len().min(usize::try_from(self.room).unwrap_or(usize::MAX));
        if fits == 0 {
            return Ok(());
        }
        self.room -= fits as u64;
        self.open()?.write_all(&bytes[..fits])
    }

    /// Ends the capture; a log that was cut says so in its last line.
    pub fn finish(mut self) -> io::Result<Captured> {
        let written = self.file.as_ref().map_or(Ok(0), |file| file.metadata().map(|data| data.len()))?;
        let omitted = self.total - written;
        if omitted > 0 {
            writeln!(self.open()?, "\n[{omitted} bytes omitted]")?;
        }
        let log = self.file.is_some().then_some(self.path);
        Ok(Captured {
            log,
            total: self.total,
            omitted,
            tail: String::from_utf8_lossy(&self.tail).into_owned(),
        })
    }

    fn open(&mut self) -> io::Result<&mut File> {
        if self.file.is_none() {
            self.file = Some(create(&self.path)?);
        }
        self.file.as_mut().ok_or_else(|| io::Error::other("the log was just opened"))
    }

    fn keep_tail(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(&bytes[bytes.len().saturating_sub(TAIL)..]);
        // Shifting only when twice the tail has gathered keeps the cost per byte constant.
        if self.tail.len() > 2 * TAIL {
            self.tail.drain(..self.tail.len() - TAIL);
        }
    }
}

impl Captured {
    /// The last line that holds anything.
    pub fn last_line(&self) -> Option<&str> {
        self.lines().next_back()
    }

    /// The line that says why a process failed: the message of a panic, else the last line.
    pub fn telling_line(&self) -> Option<&str> {
        let mut lines =
            self.lines().skip_while(|line| !(line.starts_with("thread '") && line.contains("panicked at")));
        let panicked = lines.next();
        // Since Rust 1.73 the message stands on the line behind the place.
        let message =
            lines.next().filter(|line| !line.starts_with("note:") && !line.starts_with("stack backtrace"));
        message.or(panicked).or_else(|| self.last_line())
    }

    fn lines(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.tail.lines().map(str::trim).filter(|line| !line.is_empty())
    }
}

fn create(path: &Path) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    File::create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_stream_is_cut_on_disk_and_says_so() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut capture = Capture::new(folder.path().join("out"), 10);
        capture.take(b"0123456").expect("written");
        capture.take(b"789abcdef").expect("written");
        let captured = capture.finish().expect("finished");
        assert_eq!((captured.total, captured.omitted), (16, 6));
        let log = fs::read_to_string(captured.log.expect("a log")).expect("read");
        assert_eq!(log, "0123456789\n[6 bytes omitted]\n");
        assert_eq!(captured.tail, "0123456789abcdef");
    }

    #[test]
    fn memory_holds_the_end_of_a_stream_only() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut capture = Capture::new(folder.path().join("out"), 0);
        for _ in 0..100 {
            capture.take(&[b'x'; 5000]).expect("taken");
        }
        capture.take(b"\nlast\xff\n").expect("taken");
        assert!(capture.tail.len() <= 2 * TAIL);
        let captured = capture.finish().expect("finished");
        assert_eq!(captured.last_line(), Some("last\u{fffd}"));
    }

    #[test]
    fn a_panic_is_told_by_its_message() {
        let told = |tail: &str| {
            Captured { tail: tail.into(), ..Captured::default() }.telling_line().map(str::to_owned)
        };
        let panic =
            "noise\nthread 'main' (7) panicked at src/x.rs:1:2:\nit broke\nnote: run with X\nnote: more";
        assert_eq!(told(panic).as_deref(), Some("it broke"));
        assert_eq!(told("first\nlast\n\n").as_deref(), Some("last"));
        assert_eq!(told(""), None);
    }

    #[test]
    fn a_silent_process_leaves_no_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let captured = Capture::new(folder.path().join("out"), 10).finish().expect("finished");
        assert!(captured.log.is_none());
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 0);
    }
}
