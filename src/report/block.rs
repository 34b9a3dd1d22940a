//! The five keys every phase command ends with: phase, status, baseline, findings, next.

use super::reply::Reply;
use crate::model::outcome::NextStep;
use crate::sys::invocation::line;

/// The block, or nothing for a command that is no phase.
pub fn render(reply: &Reply) -> String {
    let Some(phase) = reply.phase else { return String::new() };
    let findings: String = match reply.findings.as_slice() {
        [] => " none\n".to_owned(),
        some => {
            let lines = some.iter().map(|finding| format!("  - {} ({})\n", finding.text, finding.evidence));
            format!("\n{}", lines.collect::<String>())
        }
    };
    format!(
        "phase: {}\nstatus: {}\nbaseline: {}\nfindings:{findings}next: {}\n",
        phase.name(),
        reply.status.name(),
        reply.baseline.as_deref().unwrap_or("n/a"),
        reply.next.as_ref().map_or_else(|| "n/a".to_owned(), next),
    )
}

/// A command that can be pasted, or the question.
pub fn next(step: &NextStep) -> String {
    match step {
        NextStep::Argv(argv) => line(argv),
        NextStep::Question(question) => question.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::outcome::{Finding, Phase};
    use serde_json::Value;

    #[test]
    fn the_keys_stand_in_their_order_and_next_can_be_pasted() {
        let mut reply = Reply::plain("baseline", String::new(), Value::Null);
        assert_eq!(render(&reply), "");
        reply.phase = Some(Phase::Baseline);
        reply.findings = vec![Finding { text: "cost 1 ns".into(), evidence: "b.json#/benches/0".into() }];
        reply.next = Some(NextStep::Argv(vec!["cargo".into(), "perf".into(), "it's".into()]));
        let expected = "phase: baseline\nstatus: complete\nbaseline: n/a\nfindings:\n  - cost 1 ns \
                        (b.json#/benches/0)\nnext: cargo perf 'it'\\''s'\n";
        assert_eq!(render(&reply), expected);
    }
}
