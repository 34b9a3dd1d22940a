//! The load of a benchmark: which values it may take, how it is told, and what has to hold under it.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Number;

/// What is declared of the load of a benchmark. Numbers are kept as they were written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LoadTerms {
    /// What has to hold, in the language of conditions; also `--while`.
    #[serde(default, rename = "while", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// The variable that holds the load, besides `PERF_PARAM_VALUE`; also `--param-env`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// The smallest load; also `--param-min`.
    #[serde(default, deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub min: Option<String>,
    /// The largest load; also `--param-max`.
    #[serde(default, deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
    /// How far loads lie apart; also `--step`.
    #[serde(default, deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
}

/// A number, or a text that is to be one.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a number, as in 250 or \"0.5\"")]
enum Written {
    Number(Number),
    Text(String),
}

fn number<'de, D: Deserializer<'de>>(source: D) -> Result<Option<String>, D::Error> {
    Ok(Some(match Written::deserialize(source)? {
        Written::Number(number) => number.to_string(),
        Written::Text(text) => text,
    }))
}

impl LoadTerms {
    /// These, and those of `other` where nothing is said here.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let either = |own: &Option<String>, other: &Option<String>| own.clone().or_else(|| other.clone());
        Self {
            condition: either(&self.condition, &other.condition),
            env: either(&self.env, &other.env),
            min: either(&self.min, &other.min),
            max: either(&self.max, &other.max),
            step: either(&self.step, &other.step),
        }
    }
}

/// The first letters of variables that something else gives a meaning.
const TAKEN: [&str; 7] = ["LD_", "DYLD_", "CARGO", "RUST", "PERF_", "GIT_", "XDG_"];
/// Variables without which a run is another one.
const NEEDED: [&str; 12] =
    ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "IFS", "ENV", "BASH_ENV", "PWD", "TMPDIR", "LANG", "TERM"];

/// The name of a variable that may hold a load.
///
/// # Errors
/// A message that says what is wrong with it.
pub fn parse_variable(name: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(plain) || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("expected the name of a variable: letters, digits and _, no digit first".to_owned());
    }
    if NEEDED.contains(&name) || TAKEN.iter().any(|taken| name.starts_with(taken)) {
        return Err(format!(
            "{name} decides how the program runs, so a load in it would change more than the load"
        ));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn c14_a_variable_that_decides_how_programs_run_holds_no_load() {
        for name in ["RATE", "users_2", "_N", "PATHS"] {
            assert_eq!(parse_variable(name).as_deref(), Ok(name));
        }
        for name in
            ["PATH", "HOME", "LD_PRELOAD", "CARGO_HOME", "PERF_RUN_MODE", "RUSTFLAGS", "2A", "A-B", ""]
        {
            assert!(parse_variable(name).is_err(), "{name}");
        }
    }

    #[test]
    fn numbers_are_kept_as_they_were_written() {
        let read = |value| serde_json::from_value::<LoadTerms>(value).expect("terms");
        let terms =
            read(json!({"while": "p99_ms < 50", "min": 1, "max": "18446744073709551613", "step": 0.5}));
        assert_eq!(
            (terms.min.as_deref(), terms.max.as_deref(), terms.step.as_deref()),
            (Some("1"), Some("18446744073709551613"), Some("0.5"))
        );
        let flags = LoadTerms { max: Some("9".to_owned()), ..LoadTerms::default() };
        let both = flags.or(&terms);
        assert_eq!((both.max.as_deref(), both.condition.as_deref()), (Some("9"), Some("p99_ms < 50")));
        assert_eq!(read(serde_json::to_value(&terms).expect("coded")), terms);
        assert!(serde_json::from_value::<LoadTerms>(json!({"maximum": 5})).is_err());
    }
}
