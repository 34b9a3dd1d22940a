//! `perf.toml`, the configuration at the root. Everything in it also has a flag.

use crate::failure::{Context, Failure, FailureKind};
use crate::model::checkpoint::Mode;
use crate::model::duration::{self, parse_seconds, parse_timeout};
use crate::model::load::LoadTerms;
use crate::model::metric::MetricSpec;
use crate::model::rules::Rule;
use crate::model::verdict::{ViewName, parse_confidence, parse_margin};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The name of the file.
pub const FILE: &str = "perf.toml";

/// What the file may say.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The folder that holds `perf/`, relative to the root or absolute; also `--state-dir`.
    pub state_dir: Option<String>,
    /// Where the commit of each phase goes: `branch`, `ref` for a reference of its own, or `off`; also
    /// `--checkpoint`.
    #[serde(default)]
    pub checkpoint: Mode,
    /// What is meant when a flag is not given.
    #[serde(default)]
    pub defaults: Defaults,
    /// How verdicts are made when no flag says otherwise.
    #[serde(default)]
    pub verdicts: Judging,
    /// What is declared of metrics, by name, for all benchmarks; also `--metric`.
    #[serde(default)]
    pub metrics: BTreeMap<String, MetricSpec>,
    /// The external benchmarks; also `--command`.
    #[serde(default)]
    pub external: Vec<ExternalTable>,
}

/// What is meant when a flag is not given. Nothing here loosens a rule.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Defaults {
    /// `--package`.
    #[serde(default)]
    pub package: Vec<String>,
    /// `--bench`.
    #[serde(default)]
    pub bench: Vec<String>,
    /// `--filter`.
    pub filter: Option<String>,
    /// `--features`.
    #[serde(default)]
    pub features: Vec<String>,
    /// `--profile`.
    pub profile: Option<String>,
    /// `--duration`: seconds, sixty or more.
    #[schemars(with = "Option<f64>")]
    #[serde(default, deserialize_with = "full_duration")]
    pub duration: Option<Duration>,
    /// `--timeout`: seconds.
    #[schemars(with = "Option<f64>")]
    #[serde(default, deserialize_with = "timeout")]
    pub timeout: Option<Duration>,
}

/// How verdicts are made when no flag says otherwise.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Judging {
    /// `--margin`: the smallest difference that matters, in percent.
    #[serde(default, deserialize_with = "margin")]
    pub margin: Option<f64>,
    /// `--confidence`: how sure a verdict must be, in percent.
    #[serde(default, deserialize_with = "confidence")]
    pub confidence: Option<f64>,
    /// `--view`: the view that decides.
    pub view: Option<ViewName>,
}

/// An external benchmark as the file declares it.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExternalTable {
    /// How `--filter` names it.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// What is run.
    pub command: CommandText,
    /// Where it runs, relative to the file.
    #[serde(default)]
    pub directory: PathBuf,
    /// Variables set for it.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Whether a command in one string is handed to a shell.
    #[serde(default)]
    pub shell: bool,
    /// Seconds of warm-up that it is asked for inside each measured run; it must honour them.
    #[schemars(with = "Option<f64>")]
    #[serde(default, deserialize_with = "timeout")]
    pub warm_up: Option<Duration>,
    /// What is declared of its metrics, by name; wins over the table of all benchmarks.
    #[serde(default)]
    pub metrics: BTreeMap<String, MetricSpec>,
    /// Which loads `cargo perf bisect-load` searches, and what has to hold under them.
    #[serde(default)]
    pub load: LoadTerms,
}

/// A command as it can be written down.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a string or a list of strings")]
pub enum CommandText {
    /// In one string.
    Line(String),
    /// Word by word.
    Words(Vec<String>),
}

/// A time in seconds, as a number or as flags take it.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected seconds, as in 60, 0.5 or \"2m\"")]
enum Seconds {
    Number(f64),
    Text(String),
}

impl Seconds {
    fn text(self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text,
        }
    }
}

fn timeout<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Duration>, D::Error> {
    parse_timeout(&Seconds::deserialize(source)?.text()).map(Some).map_err(de::Error::custom)
}

fn full_duration<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Duration>, D::Error> {
    let asked = parse_seconds(&Seconds::deserialize(source)?.text()).map_err(de::Error::custom)?;
    if asked < duration::FULL {
        return Err(de::Error::custom(format!(
            "{} holds here too; a shorter run is approved each time, with --approve-short",
            Rule::SixtySeconds
        )));
    }
    Ok(Some(asked))
}

fn margin<'de, D: Deserializer<'de>>(source: D) -> Result<Option<f64>, D::Error> {
    parse_margin(&f64::deserialize(source)?.to_string()).map(Some).map_err(de::Error::custom)
}

fn confidence<'de, D: Deserializer<'de>>(source: D) -> Result<Option<f64>, D::Error> {
    parse_confidence(&f64::deserialize(source)?.to_string()).map(Some).map_err(de::Error::custom)
}

fn id<'de, D: Deserializer<'de>>(source: D) -> Result<String, D::Error> {
    let id = String::deserialize(source)?;
    if id.trim().is_empty() || id.chars().any(char::is_control) {
        return Err(de::Error::custom("an id has at least one visible character and no control characters"));
    }
    Ok(id)
}

/// Reads the configuration at `root`; a missing file configures nothing.
///
/// # Errors
/// `Usage`, with line and column, for a file that cannot be understood.
pub fn read(root: &Path) -> Result<Config, Failure> {
    let path = root.join(FILE);
    if !path.exists() {
        return Ok(Config::default());
    }
    let text = fs::read_to_string(&path).context(FailureKind::Usage, || format!("{FILE} cannot be read"))?;
    let config: Config = toml::from_str(&text).map_err(|error| {
        let (line, column) = position(&text, error.span().map_or(0, |span| span.start));
        Failure::usage(format!("{FILE}:{line}:{column}: {}", error.message()))
            .hint("the keys are described in docs/configuration.md")
    })?;
    match twice(&config.external) {
        None => Ok(config),
        Some(id) => Err(Failure::usage(format!("{FILE}: two external benchmarks have the id {id:?}"))
            .hint("give each an id of its own, by which --filter can name it")),
    }
}

fn twice(tables: &[ExternalTable]) -> Option<&str> {
    let mut seen = std::collections::BTreeSet::new();
    tables.iter().map(|table| table.id.as_str()).find(|id| !seen.insert(*id))
}

/// Line and column of a byte, both from 1.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::metric::Direction;
    use crate::sys::files::write_atomic;

    fn failure_of(text: &str) -> String {
        let root = tempfile::tempdir().expect("a temporary folder");
        write_atomic(&root.path().join(FILE), text.as_bytes()).expect("written");
        read(root.path()).expect_err("refused").message
    }

    #[test]
    fn errors_name_line_and_column() {
        assert!(failure_of("# é\nstate-dir = 5\n").starts_with("perf.toml:2:13: "));
        assert!(failure_of("\n  state_dir = 'x'\n").starts_with("perf.toml:2:3: unknown field `state_dir`"));
        assert!(failure_of("state-dir = \n").starts_with("perf.toml:1:13: "));
        let wrong = failure_of("[metrics]\nmean = { better = 'down' }\n");
        assert!(wrong.contains("`down`") && wrong.contains("`lower` or `higher`"), "{wrong}");
        assert!(wrong.starts_with("perf.toml:2:"), "{wrong}");
        let two = "[[external]]\nid = 'a'\ncommand = 'x'\n".repeat(2);
        assert!(failure_of(&two).contains("\"a\""));
        assert!(failure_of("[defaults]\nduration = 10\n").contains("rule 2"));
        assert!(
            failure_of("[verdicts]\nmargin = 0\n")
                .starts_with("perf.toml:2:10: expected a number of percent")
        );
        assert!(failure_of("[verdicts]\nconfidence = 100\n").contains("between 50 and 99.99"));
        assert!(failure_of("[verdicts]\nview = 'mean'\n").contains("`cost` or `felt`"));
        assert!(failure_of("[[external]]\nid = ''\ncommand = 'x'\n").contains("visible"));
        assert!(failure_of("[[external]]\nid = 'a'\ncommand = 5\n").contains("list of strings"));
    }

    #[test]
    fn every_key_is_read() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let text = r#"
            [defaults]
            package = ["text"]
            features = ["simd"]
            duration = 120
            timeout = "5m"

            [verdicts]
            margin = 2
            confidence = 99.9
            view = "felt"

            [metrics]
            mean_ms = { unit = "ms", better = "lower" }

            [[external]]
            id = "zones"
            command = ["node", "bench.mjs"]
            directory = "js"
            env = { NODE_ENV = "production" }
            warm-up = 2.5
            [external.metrics]
            throughput_per_s = { unit = "1/s", better = "higher" }
            [external.load]
            while = "mean_ms < 50"
            env = "ROWS"
            min = 10
            max = 20.5
            step = "0.5"

            [[external]]
            id = "line"
            command = "python3 bench.py | tail -1"
            shell = true
        "#;
        write_atomic(&root.path().join(FILE), text.as_bytes()).expect("written");
        let config = read(root.path()).expect("read");
        assert_eq!(config.defaults.duration, Some(Duration::from_secs(120)));
        assert_eq!(config.defaults.timeout, Some(Duration::from_secs(300)));
        let expected = Judging { margin: Some(2.0), confidence: Some(99.9), view: Some(ViewName::Felt) };
        assert_eq!(config.verdicts, expected);
        let [zones, line] = &config.external[..] else { panic!("two: {config:?}") };
        assert_eq!(zones.warm_up, Some(Duration::from_millis(2500)));
        assert_eq!(zones.metrics["throughput_per_s"].better, Some(Direction::Higher));
        let load = LoadTerms {
            condition: Some("mean_ms < 50".into()),
            env: Some("ROWS".into()),
            min: Some("10".into()),
            max: Some("20.5".into()),
            step: Some("0.5".into()),
        };
        assert_eq!(zones.load, load);
        assert_eq!(zones.command, CommandText::Words(vec!["node".into(), "bench.mjs".into()]));
        assert!(line.shell && config.metrics["mean_ms"].unit.as_deref() == Some("ms"));
    }

    #[test]
    fn no_file_configures_nothing() {
        let root = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(read(root.path()).expect("read"), Config::default());
    }
}
