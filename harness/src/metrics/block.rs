//! A block: one JSON object between `PERF_METRICS_START` and `PERF_METRICS_END`.

use super::Metrics;
use super::error::{Fault, MetricsError, MetricsErrorKind, shown};
use super::grammar::{self, SCENARIOS};
use serde_core::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Adds what the block says; `line` is the line that the text begins in.
pub(super) fn add(metrics: &mut Metrics, text: &str, line: u64) -> Result<(), MetricsError> {
    let block = Block { text, line };
    let members = block.members(text)?;
    let before = metrics.len();
    for (name, value) in members {
        match (name.as_str(), value.get()) {
            (SCENARIOS, "null") => {}
            (SCENARIOS, scenarios) => block.scenarios(metrics, scenarios)?,
            (name, number) => metrics.add(None, name, number).map_err(|fault| block.at(fault, number))?,
        }
    }
    if metrics.len() == before {
        return Err(Fault::new(MetricsErrorKind::Empty, "the block holds no metric").at(line));
    }
    Ok(())
}

/// The text of a block, to find the lines of its parts.
struct Block<'a> {
    text: &'a str,
    line: u64,
}

impl<'a> Block<'a> {
    fn scenarios(&self, metrics: &mut Metrics, text: &'a str) -> Result<(), MetricsError> {
        for (name, inner) in self.members(text)? {
            grammar::scenario_name(&name).map_err(|fault| self.at(fault, inner.get()))?;
            let members = self.members(inner.get())?;
            if members.is_empty() {
                let message = format!("the scenario {} has no metric", shown(&name));
                return Err(self.at(Fault::new(MetricsErrorKind::Empty, message), inner.get()));
            }
            for (metric, number) in members {
                let added = metrics.add(Some(&name), &metric, number.get());
                added.map_err(|fault| self.at(fault, number.get()))?;
            }
        }
        Ok(())
    }

    /// The members of the object `part`, in order, with those that stand there twice.
    fn members(&self, part: &'a str) -> Result<Vec<(String, &'a RawValue)>, MetricsError> {
        serde_json::from_str(part).map(|Members(members)| members).map_err(|error| {
            let text = error.to_string();
            // The position is relative to the part; the line of the output is given instead.
            let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
            let message =
                if part.trim().is_empty() { "the block is empty".to_owned() } else { what.to_owned() };
            let behind = error.line().saturating_sub(1) as u64;
            Fault::new(MetricsErrorKind::Json, message).at(self.line_of(part) + behind)
        })
    }

    fn at(&self, fault: Fault, part: &str) -> MetricsError {
        fault.at(self.line_of(part))
    }

    /// The line that `part`, a piece of the text, begins in.
    fn line_of(&self, part: &str) -> u64 {
        let start = part.as_ptr().addr() - self.text.as_ptr().addr();
        self.line + memchr::memchr_iter(b'\n', &self.text.as_bytes()[..start]).count() as u64
    }
}

/// The members of an object as they are written. Numbers stay text, because the one rule for numbers
/// is that of the lines, and repeated names stay, because they are an error.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Collect)
    }
}

struct Collect;

impl<'de> Visitor<'de> for Collect {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry::<String, &RawValue>()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}
