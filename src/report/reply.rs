//! What a command answers, before it becomes text or JSON.

use crate::failure::{Failure, STILL_RUNNING};
use crate::model::outcome::{Finding, NextStep, Phase, Status};
use serde_json::Value;

/// The answer of a command.
#[derive(Debug)]
pub struct Reply {
    /// The command's name, as in the schema `cargo-perf/<command>`.
    pub command: &'static str,
    /// The phase, for phase commands; these end with the five-key block.
    pub phase: Option<Phase>,
    /// Where it stands.
    pub status: Status,
    /// The version label concerned.
    pub baseline: Option<String>,
    /// Results in words.
    pub findings: Vec<Finding>,
    /// What comes next.
    pub next: Option<NextStep>,
    /// The machine-readable result.
    pub result: Value,
    /// The human-readable result, without the block.
    pub text: String,
    /// How the command ends; decides the exit code.
    pub end: End,
}

/// How a command ends.
#[derive(Debug)]
pub enum End {
    /// It did what was asked.
    Done,
    /// It ended early.
    Failed(Failure),
    /// It did what was asked, and the answer is one that the user wants to see in the exit code.
    Alarm(u8),
    /// What was asked for still goes on.
    StillRunning,
    /// The answer is that of another run of this program, whose standard output is the text: both are
    /// printed as they are, also where one object is asked for, because then the text is that object.
    Relayed {
        /// With which the run ended.
        exit_code: u8,
        /// The end of what it wrote to standard error.
        stderr: String,
    },
}

impl Reply {
    /// A complete answer of a command that is no phase.
    pub fn plain(command: &'static str, text: String, result: Value) -> Self {
        Self {
            command,
            phase: None,
            status: Status::Complete,
            baseline: None,
            findings: Vec::new(),
            next: None,
            result,
            text,
            end: End::Done,
        }
    }

    /// The answer of a command that failed.
    pub fn failed(command: &'static str, phase: Option<Phase>, failure: Failure) -> Self {
        let mut reply = Self::plain(command, String::new(), Value::Null);
        reply.phase = phase;
        reply.status = Status::Blocked;
        reply.next = failure.hint.clone().map(NextStep::Question);
        reply.end = End::Failed(failure);
        reply
    }

    /// Why it ended early, when it did.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.end {
            End::Failed(failure) => Some(failure),
            End::Done | End::Alarm(_) | End::StillRunning | End::Relayed { .. } => None,
        }
    }

    /// The process exit code.
    pub fn exit_code(&self) -> u8 {
        match &self.end {
            End::Done => 0,
            End::Failed(failure) => failure.kind.exit_code(),
            End::Alarm(code) => *code,
            End::StillRunning => STILL_RUNNING,
            End::Relayed { exit_code, .. } => *exit_code,
        }
    }
}
