//! Metrics: the numbers that a program computes itself, what they mean, and how runs are put together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::str::FromStr;

/// Which way a metric improves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Less is better.
    Lower,
    /// More is better.
    Higher,
}

impl Direction {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lower => "lower",
            Self::Higher => "higher",
        }
    }
}

/// What is declared of a metric.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricSpec {
    /// Its unit, as the program means it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Which way it improves; without it no verdict is possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub better: Option<Direction>,
}

impl MetricSpec {
    /// As it is declared on a command line for the metric `name`.
    pub fn declaration(&self, name: &str) -> String {
        let better = self.better.map_or("", Direction::name);
        format!("{name}:{}:{better}", self.unit.as_deref().unwrap_or_default())
    }
}

/// The metrics of one run, in the form in which programs print them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricValues {
    /// By scenario, then by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scenarios: BTreeMap<String, BTreeMap<String, f64>>,
    /// Those that belong to no scenario, by name.
    #[serde(flatten)]
    pub flat: BTreeMap<String, f64>,
}

/// The name of a metric within a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct MetricName {
    /// The scenario it belongs to.
    pub scenario: Option<String>,
    /// Its name.
    pub name: String,
}

impl MetricValues {
    /// All values with their names, those of no scenario first.
    pub fn iter(&self) -> impl Iterator<Item = (MetricName, f64)> + '_ {
        let flat = self.flat.iter().map(|(name, value)| (None, name, *value));
        let scenarios = self.scenarios.iter().flat_map(|(scenario, values)| {
            values.iter().map(move |(name, value)| (Some(scenario.clone()), name, *value))
        });
        flat.chain(scenarios)
            .map(|(scenario, name, value)| (MetricName { scenario, name: name.clone() }, value))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The value of one metric.
    pub fn get(&self, name: &MetricName) -> Option<f64> {
        let values = match &name.scenario {
            None => &self.flat,
            Some(scenario) => self.scenarios.get(scenario)?,
        };
        values.get(&name.name).copied()
    }

    /// Sets one metric.
    pub fn set(&mut self, name: &MetricName, value: f64) {
        let values = match &name.scenario {
            None => &mut self.flat,
            Some(scenario) => self.scenarios.entry(scenario.clone()).or_default(),
        };
        values.insert(name.name.clone(), value);
    }
}

impl std::fmt::Display for MetricName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.scenario {
            Some(scenario) => write!(f, "{scenario}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// How the runs of a benchmark become one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Aggregate {
    /// The middle value.
    #[default]
    Median,
    /// The sum divided by the number of runs.
    Mean,
    /// The smallest.
    Min,
    /// The largest.
    Max,
}

impl Aggregate {
    const ALL: [Self; 4] = [Self::Median, Self::Mean, Self::Min, Self::Max];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Median => "median",
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Max => "max",
        }
    }
}

impl FromStr for Aggregate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|how| how.name() == text.to_ascii_lowercase());
        named.ok_or_else(|| "expected median, mean, min or max".to_owned())
    }
}

/// Reads `name:unit:lower` or `name:unit:higher`, as `--metric` takes it; the unit may be empty.
///
/// # Errors
/// A message that says what is expected.
pub fn parse_declaration(text: &str) -> Result<(String, MetricSpec), String> {
    let expected = || "expected NAME:UNIT:lower or NAME:UNIT:higher, as in mean_ms:ms:lower".to_owned();
    let (rest, direction) = text.rsplit_once(':').ok_or_else(expected)?;
    let (name, unit) = rest.split_once(':').ok_or_else(expected)?;
    let better = match direction {
        "lower" => Direction::Lower,
        "higher" => Direction::Higher,
        other => return Err(format!("{other:?} is no direction; {}", expected())),
    };
    if name.is_empty() {
        return Err(expected());
    }
    let unit = (!unit.is_empty()).then(|| unit.to_owned());
    Ok((name.to_owned(), MetricSpec { unit, better: Some(better) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_has_three_parts_and_a_known_direction() {
        let (name, spec) = parse_declaration("mean_ms:ms:lower").expect("read");
        assert_eq!((name.as_str(), spec.unit.as_deref()), ("mean_ms", Some("ms")));
        assert_eq!(spec.better, Some(Direction::Lower));
        assert_eq!(spec.declaration(&name), "mean_ms:ms:lower");
        let (name, spec) = parse_declaration("n::higher").expect("read");
        assert_eq!((&spec.unit, spec.declaration(&name).as_str()), (&None, "n::higher"));
        for wrong in ["mean_ms", "mean_ms:ms", "mean_ms:ms:down", ":ms:lower", "mean_ms:ms:Lower", ""] {
            assert!(parse_declaration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn values_keep_the_form_in_which_they_were_printed() {
        let text = r#"{"scenarios":{"v1.2":{"a.b":1.5}},"mean_ms":2.0}"#;
        let values: MetricValues = serde_json::from_str(text).expect("read");
        assert_eq!(serde_json::to_string(&values).expect("written"), text);
        let names: Vec<String> = values.iter().map(|(name, _)| name.to_string()).collect();
        assert_eq!(names, ["mean_ms", "v1.2/a.b"]);
        let mut copy = MetricValues::default();
        values.iter().for_each(|(name, value)| copy.set(&name, value));
        assert_eq!(copy, values);
        assert!(values.iter().all(|(name, value)| values.get(&name) == Some(value)));
    }
}
