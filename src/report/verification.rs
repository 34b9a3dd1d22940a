//! Where the verdicts of a document differ from those that its samples lead to.

use crate::model::comparison::{BenchVerdict, Comparison};
use crate::model::units;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Logarithms of different machines may differ in their last digits.
const TOLERANCE: f64 = 1e-9;

/// A value that is not what the samples say.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Its place in the document.
    pub pointer: String,
    /// What stands there.
    pub stored: Value,
    /// What the samples say.
    pub computed: Value,
}

/// Every place at which the verdicts of `comparison` differ from `verdicts`, which were computed from its
/// samples.
pub fn differences(comparison: &Comparison, verdicts: &[Vec<BenchVerdict>]) -> Vec<Difference> {
    let mut found = Vec::new();
    for (at, (bench, computed)) in comparison.benches.iter().zip(verdicts).enumerate() {
        let coded = |verdicts: &[BenchVerdict]| serde_json::to_value(verdicts).unwrap_or_default();
        compare(&format!("/benches/{at}/verdicts"), &coded(&bench.verdicts), &coded(computed), &mut found);
    }
    found
}

fn compare(pointer: &str, stored: &Value, computed: &Value, found: &mut Vec<Difference>) {
    match (stored, computed) {
        (Value::Object(a), Value::Object(b)) => {
            let of = |object: &Map<String, Value>, name: &str| object.get(name).cloned().unwrap_or_default();
            let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for name in names {
                compare(&format!("{pointer}/{name}"), &of(a, name), &of(b, name), found);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            let of = |list: &[Value], at: usize| list.get(at).cloned().unwrap_or_default();
            for at in 0..a.len().max(b.len()) {
                compare(&format!("{pointer}/{at}"), &of(a, at), &of(b, at), found);
            }
        }
        _ if is_same(stored, computed) => {}
        _ => found.push(Difference {
            pointer: pointer.to_owned(),
            stored: stored.clone(),
            computed: computed.clone(),
        }),
    }
}

fn is_same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()).max(1e-3),
        _ => a == b,
    }
}

/// A line for each verdict, and one for each difference.
pub fn text(comparison: &Comparison, verdicts: &[Vec<BenchVerdict>], differences: &[Difference]) -> String {
    let mut text = String::new();
    for (bench, computed) in comparison.benches.iter().zip(verdicts) {
        for verdict in computed {
            let metric = verdict.metric.as_ref().map(|name| format!(": {name}")).unwrap_or_default();
            let pairs = units::count(bench.series.pairs.len(), "pair");
            let _ = writeln!(text, "{}{metric}  {}  from {pairs}", bench.bench, verdict.verdict.name());
        }
    }
    for Difference { pointer, stored, computed } in differences {
        let _ = writeln!(text, "differs: {pointer} is {stored}, and the samples say {computed}");
    }
    if differences.is_empty() {
        text.push_str("every verdict follows from the samples\n");
    }
    text
}

/// The same for machines.
pub fn json(comparison: &Comparison, differences: &[Difference]) -> Value {
    json!({
        "id": comparison.id,
        "benches": comparison.benches.len(),
        "verdicts": comparison.benches.iter().map(|bench| bench.verdicts.len()).sum::<usize>(),
        "differences": differences,
    })
}
