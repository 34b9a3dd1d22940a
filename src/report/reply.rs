//! What a command answers, before it becomes text or JSON.

use crate::failure::Failure;
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
    /// Why it ended early; decides the exit code.
    pub failure: Option<Failure>,
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
            failure: None,
        }
    }

    /// The answer of a command that failed.
    pub fn failed(command: &'static str, phase: Option<Phase>, failure: Failure) -> Self {
        let mut reply = Self::plain(command, String::new(), Value::Null);
        reply.phase = phase;
        reply.status = Status::Blocked;
        reply.next = failure.hint.clone().map(NextStep::Question);
        reply.failure = Some(failure);
        reply
    }

    /// The process exit code.
    pub fn exit_code(&self) -> u8 {
        self.failure.as_ref().map_or(0, |failure| failure.kind.exit_code())
    }
}
