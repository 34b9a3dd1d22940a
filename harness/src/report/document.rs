//! The report as JSON, written and read.

use super::{Allocations, Measured, Protocol, Ran, Report, ReportError};
use crate::allocations::Counts;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const UNIT: &str = "ns";

impl Report {
    /// The report as one JSON object.
    pub fn to_json(&self) -> String {
        let protocol = Protocol::CURRENT;
        let document = json!({
            "protocol": {"major": protocol.major, "minor": protocol.minor},
            "harness": self.harness,
            "run": self.run.as_ref().map(run_to_json),
            "allocations": self.allocations.as_ref().map(allocations_to_json),
            "metrics": self.metrics,
            "left_out": self.left_out,
        });
        format!("{document}\n")
    }

    /// The report that `text` holds. What a later minor version added is left out.
    ///
    /// # Errors
    /// Another major version, or a document that is no report.
    pub fn read(text: &str) -> Result<Self, ReportError> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| ReportError::document(error.to_string()))?;
        let document = Object::new("the document", &value)?;
        let protocol = document.object("protocol")?;
        let protocol = Protocol { major: protocol.small("major")?, minor: protocol.small("minor")? };
        protocol.accept_harness()?;
        let run = document.optional("run", |run| run_from_json(&run))?;
        let allocations = document.optional("allocations", |counts| allocations_from_json(&counts))?;
        if let (Some(run), Some(allocations)) = (&run, &allocations)
            && run.iterations.len() != allocations.samples.len()
        {
            return Err(ReportError::document("the counts of allocations are not one for each sample"));
        }
        let metrics = metrics_from_json(&document.object("metrics")?)?;
        let left_out = left_out_from_json(&document)?;
        let harness = document.text("harness")?.to_owned();
        Ok(Self { protocol, harness, run, allocations, metrics, left_out })
    }
}

fn run_to_json(run: &Measured) -> Value {
    json!({
        "mode": run.mode.name(),
        "parameter": run.parameter,
        "warm_up_ns": run.warm_up_ns,
        "started_ns": run.started_ns,
        "unit": UNIT,
        "samples": {"iterations": run.iterations, "totals": run.totals},
    })
}

fn run_from_json(run: &Object) -> Result<Measured, ReportError> {
    let mode = run.text("mode")?;
    let samples = run.object("samples")?;
    let (iterations, totals) = (samples.counts("iterations")?, samples.counts("totals")?);
    if run.text("unit")? != UNIT {
        return Err(run.wrong("unit", "`ns`"));
    }
    if iterations.len() != totals.len() || iterations.contains(&0) {
        return Err(ReportError::document("the samples are not one total for each count of iterations"));
    }
    Ok(Measured {
        mode: Ran::from_name(mode).ok_or_else(|| run.wrong("mode", "`duration` or `oneshot`"))?,
        parameter: run.nullable("parameter", "a number", Value::as_f64)?,
        warm_up_ns: run.required("warm_up_ns", WHOLE, Value::as_u64)?,
        started_ns: run.nullable("started_ns", WHOLE, Value::as_u64)?,
        iterations,
        totals,
    })
}

fn allocations_to_json(counts: &Allocations) -> Value {
    let sample = |counts: &Option<Counts>| counts.map(|counts| [counts.allocations, counts.bytes]);
    json!({"samples": counts.samples.iter().map(sample).collect::<Vec<_>>()})
}

fn allocations_from_json(counts: &Object) -> Result<Allocations, ReportError> {
    let wrong = || counts.wrong("samples", "pairs of whole numbers");
    let sample = |value: &Value| match value {
        Value::Null => Ok(None),
        pair => pair_of(pair).map(Some).ok_or_else(wrong),
    };
    let samples = counts.required("samples", "an array", Value::as_array)?;
    Ok(Allocations { samples: samples.iter().map(sample).collect::<Result<_, _>>()? })
}

fn pair_of(value: &Value) -> Option<Counts> {
    match value.as_array()?.as_slice() {
        [allocations, bytes] => Some(Counts { allocations: allocations.as_u64()?, bytes: bytes.as_u64()? }),
        _ => None,
    }
}

fn metrics_from_json(metrics: &Object) -> Result<BTreeMap<String, f64>, ReportError> {
    let number = |name: &String| Ok((name.clone(), metrics.required(name, "a number", Value::as_f64)?));
    metrics.members.keys().map(number).collect()
}

/// Most benchmarks tell all that they have, and may say nothing of that.
fn left_out_from_json(document: &Object) -> Result<BTreeMap<String, String>, ReportError> {
    if !document.members.contains_key("left_out") {
        return Ok(BTreeMap::new());
    }
    let left_out = document.object("left_out")?;
    let line = |name: &String| Ok((name.clone(), left_out.text(name)?.to_owned()));
    left_out.members.keys().map(line).collect()
}

const WHOLE: &str = "a whole number";

/// An object of the document, with the name that errors give it.
struct Object<'a> {
    name: &'a str,
    members: &'a Map<String, Value>,
}

impl<'a> Object<'a> {
    fn new(name: &'a str, value: &'a Value) -> Result<Self, ReportError> {
        let members = value.as_object();
        let members = members.ok_or_else(|| ReportError::document(format!("{name} is no object")))?;
        Ok(Self { name, members })
    }

    fn wrong(&self, field: &str, expected: &str) -> ReportError {
        let found = self.members.get(field).map_or_else(|| "absent".to_owned(), shown);
        ReportError::document(format!("{field} of {} is {found}, expected {expected}", self.name))
    }

    fn required<T>(
        &self,
        field: &str,
        expected: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<T, ReportError> {
        self.members.get(field).and_then(read).ok_or_else(|| self.wrong(field, expected))
    }

    /// A field that must be there and may be null.
    fn nullable<T>(
        &self,
        field: &str,
        expected: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, ReportError> {
        match self.members.get(field) {
            Some(Value::Null) => Ok(None),
            _ => self.required(field, expected, read).map(Some),
        }
    }

    fn text(&self, field: &str) -> Result<&'a str, ReportError> {
        self.required(field, "a text", Value::as_str)
    }

    fn small(&self, field: &str) -> Result<u32, ReportError> {
        self.required(field, "a version number", |value| u32::try_from(value.as_u64()?).ok())
    }

    fn counts(&self, field: &str) -> Result<Vec<u64>, ReportError> {
        let whole = |value: &'a Value| value.as_array()?.iter().map(Value::as_u64).collect();
        self.required(field, "an array of whole numbers", whole)
    }

    fn object(&self, field: &'a str) -> Result<Self, ReportError> {
        self.required(field, "an object", |value| Object::new(field, value).ok())
    }

    /// What `read` makes of an object that must be there and may be null.
    fn optional<T>(
        &self,
        field: &'a str,
        read: impl Fn(Self) -> Result<T, ReportError>,
    ) -> Result<Option<T>, ReportError> {
        self.nullable(field, "an object or null", |value| Object::new(field, value).ok())
            .and_then(|object| object.map(read).transpose())
    }
}

/// A value as it can stand in one line of a message.
fn shown(value: &Value) -> String {
    match value {
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::String(text) if text.len() > 40 => "a long text".to_owned(),
        other => other.to_string(),
    }
}
