//! The only place that writes to the terminal: answers on standard output, everything else on
//! standard error.

mod progress;

use crate::failure::{Context, Failure, FailureKind};
use crate::model::event::{Event, Listener};
use crate::report::block;
use crate::report::envelope::envelope;
use crate::report::reply::{End, Reply};
use progress::Progress;
use std::io::{BufRead, IsTerminal, Write};

/// Prints answers and progress.
#[derive(Debug)]
pub struct Printer {
    json: bool,
    events: bool,
    progress: Progress,
}

impl Printer {
    /// A printer for text or JSON answers and for progress as text or events.
    pub fn new(json: bool, events: bool) -> Self {
        Self { json, events, progress: Progress::new(std::io::stderr().is_terminal()) }
    }

    /// Whether answers are JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether a tool that is started may write to the user's terminal itself.
    pub fn shares_stderr(&self) -> bool {
        !self.events
    }

    /// Clears what progress has drawn.
    pub fn finish(&mut self) {
        self.progress.clear();
    }

    /// Prints the answer of a command and returns the exit code: that of the answer, unless it could
    /// not be written.
    pub fn reply(&self, reply: &Reply) -> u8 {
        let written = self.answer(reply);
        match &reply.end {
            End::Failed(failure) => self.failure(failure),
            End::Relayed { stderr, .. } => self.error_text(stderr),
            End::Done | End::Alarm(_) | End::StillRunning => {}
        }
        match written {
            // A reader that has gone away has read what it wanted.
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                let failure = Failure::environment(format!("the result cannot be printed: {error}"));
                self.failure(&failure);
                failure.kind.exit_code()
            }
            _ => reply.exit_code(),
        }
    }

    fn answer(&self, reply: &Reply) -> std::io::Result<()> {
        if matches!(reply.end, End::Relayed { .. }) {
            self.text(&reply.text)
        } else if self.json {
            let object = serde_json::to_string(&envelope(reply))?;
            self.text(&format!("{object}\n"))
        } else {
            let block = block::render(reply);
            let gap = if reply.text.is_empty() || block.is_empty() { "" } else { "\n" };
            self.text(&format!("{}{gap}{block}", reply.text))
        }
    }

    /// Asks whoever sits at the terminal; none when nobody does, or answers are for programs. An empty line
    /// is asked again.
    ///
    /// # Errors
    /// `Environment` when the terminal cannot be read.
    pub fn ask(&mut self, question: &str) -> Result<Option<String>, Failure> {
        let somebody = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        if !somebody || self.json || self.events {
            return Ok(None);
        }
        self.progress.clear();
        loop {
            self.error_text(question);
            let mut line = String::new();
            let read = std::io::stdin().lock().read_line(&mut line);
            let read = read.context(FailureKind::Environment, || "the terminal cannot be read".to_owned())?;
            let answer = line.trim();
            if read == 0 {
                return Ok(None);
            }
            if !answer.is_empty() {
                return Ok(Some(answer.to_owned()));
            }
        }
    }

    /// Writes to standard output.
    pub fn text(&self, text: &str) -> std::io::Result<()> {
        let mut out = anstream::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Writes to standard error, with colours when it is a terminal that wants them. There is nowhere
    /// left to say that this failed.
    pub fn error_text(&self, text: &str) {
        let _ = anstream::stderr().lock().write_all(text.as_bytes());
    }

    fn event_line(&self, event: &Event) {
        if let Ok(line) = serde_json::to_string(event) {
            self.error_text(&format!("{line}\n"));
        }
    }

    fn failure(&self, failure: &Failure) {
        if self.events {
            let event = Event::Failed { message: failure.message.clone(), hint: failure.hint.clone() };
            return self.event_line(&event);
        }
        self.error_text(&format!("\x1b[1;31merror\x1b[0m: {}\n", failure.message));
        if let Some(hint) = &failure.hint {
            self.error_text(&format!("\x1b[1;32mhelp\x1b[0m: {hint}\n"));
        }
    }
}

impl Listener for Printer {
    fn event(&mut self, event: Event) {
        if self.events {
            return self.event_line(&event);
        }
        if let Some(line) = self.progress.show(&event) {
            self.error_text(&format!("{line}\n"));
        }
    }
}
