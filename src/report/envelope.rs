//! The one JSON object that every command prints under `--json`, also when it fails.

use super::reply::Reply;
use crate::model::format::{CURRENT, SchemaVersion};
use crate::model::outcome::{Finding, NextStep, Phase};
use serde::Serialize;
use serde_json::Value;

/// The object. Its kind and version come first, so that a reader knows what follows.
#[derive(Debug, Serialize)]
pub struct Envelope<'a> {
    schema: String,
    schema_version: SchemaVersion,
    phase: Option<&'static str>,
    status: &'static str,
    baseline: Option<&'a str>,
    findings: &'a [Finding],
    next: Next<'a>,
    result: &'a Value,
    error: Option<Error<'a>>,
}

#[derive(Debug, Default, Serialize)]
struct Next<'a> {
    argv: Option<&'a [String]>,
    question: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Error<'a> {
    code: u8,
    kind: &'static str,
    message: &'a str,
    hint: Option<&'a str>,
}

/// The answer of a command as such an object.
pub fn envelope(reply: &Reply) -> Envelope<'_> {
    let next = match &reply.next {
        None => Next::default(),
        Some(NextStep::Argv(argv)) => Next { argv: Some(argv), question: None },
        Some(NextStep::Question(question)) => Next { argv: None, question: Some(question) },
    };
    let error = reply.failure().map(|failure| Error {
        code: failure.kind.exit_code(),
        kind: failure.kind.name(),
        message: &failure.message,
        hint: failure.hint.as_deref(),
    });
    Envelope {
        schema: format!("cargo-perf/{}", reply.command),
        schema_version: CURRENT,
        phase: reply.phase.map(Phase::name),
        status: reply.status.name(),
        baseline: reply.baseline.as_deref(),
        findings: &reply.findings,
        next,
        result: &reply.result,
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;

    #[test]
    fn a_failure_is_an_object_with_the_same_keys_as_a_success() {
        let failed = Reply::failed("list", None, Failure::usage("no").hint("yes"));
        let keys = |reply: &Reply| {
            let text = serde_json::to_value(envelope(reply)).expect("coded");
            text.as_object().expect("an object").keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(keys(&failed), keys(&Reply::plain("list", String::new(), Value::Null)));
        let text = serde_json::to_string(&envelope(&failed)).expect("coded");
        assert!(text.starts_with(r#"{"schema":"cargo-perf/list","schema_version""#), "{text}");
        assert!(
            text.ends_with(r#""error":{"code":2,"kind":"usage","message":"no","hint":"yes"}}"#),
            "{text}"
        );
    }
}
