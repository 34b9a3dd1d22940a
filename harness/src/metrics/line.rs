//! A line: `PERF_METRICS [scenario=NAME] name=number ...`.

use super::Metrics;
use super::error::{Fault, MetricsErrorKind, shown};
use super::grammar::{self, SCENARIO};

/// Adds what the line says behind the marker.
pub(super) fn add(metrics: &mut Metrics, text: &str) -> Result<(), Fault> {
    let mut scenario = None;
    let mut words = Vec::new();
    for word in text.split([' ', '\t']).filter(|word| !word.is_empty()) {
        let missing = || Fault::new(MetricsErrorKind::Word, format!("{} has no value", shown(word)));
        match word.split_once('=').ok_or_else(missing)? {
            (SCENARIO, _) if scenario.is_some() => {
                let message = "the line names a second scenario";
                return Err(Fault::new(MetricsErrorKind::Scenario, message));
            }
            (SCENARIO, name) => {
                grammar::scenario_name(name)?;
                scenario = Some(name);
            }
            named => words.push(named),
        }
    }
    if let (Some(scenario), true) = (scenario, words.is_empty()) {
        let message = format!("the scenario {} has no metric", shown(scenario));
        return Err(Fault::new(MetricsErrorKind::Empty, message));
    }
    words.into_iter().try_for_each(|(name, value)| metrics.add(scenario, name, value))
}
