//! `cargo perf guide`: rules, phases, exit codes and contracts of this version.

use crate::report::guide::{self as rendered, Key, Part};
use crate::report::reply::Reply;
use crate::store::config;
use clap::ValueEnum;
use serde_json::{Value, json};

/// Explain the rules, phases and exit codes of this version, to people and to programs
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this part (default: all parts, in short)
    #[arg(value_enum)]
    topic: Option<Topic>,
}

/// A part of the guide.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Topic {
    /// The ten rules, and by what each is enforced
    Rules,
    /// The ten phases and their commands
    Phases,
    /// How an investigation is driven, step by step
    Investigation,
    /// What an exit code means
    ExitCodes,
    /// What a benchmark is told, and how it answers
    Contract,
    /// The keys of perf.toml
    Config,
}

impl Topic {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    fn part(self, alone: bool) -> Part {
        match self {
            Self::Rules => rendered::rules(alone),
            Self::Phases => rendered::phases(&commands()),
            Self::Investigation => rendered::investigation(),
            Self::ExitCodes => rendered::exit_codes(),
            Self::Contract => rendered::contract(),
            Self::Config => rendered::config(config::FILE, &keys()),
        }
    }
}

/// Answers the command. It needs no project.
pub fn run(args: &Args) -> Reply {
    let version = env!("CARGO_PKG_VERSION");
    let all = Topic::value_variants();
    let names: Vec<String> = all.iter().map(|topic| topic.name()).collect();
    let (chosen, opening) = match &args.topic {
        Some(topic) => (std::slice::from_ref(topic), String::new()),
        None => (all, rendered::opening(version, &names)),
    };
    let parts: Vec<(String, Part)> =
        chosen.iter().map(|topic| (topic.name(), topic.part(args.topic.is_some()))).collect();
    let text: Vec<&str> = parts.iter().map(|(_, part)| part.text.as_str()).collect();
    let text = opening + &text.join("\n");
    let mut result = json!({"version": version, "topics": names});
    for (name, part) in parts {
        result[name.replace('-', "_")] = part.json;
    }
    Reply::plain("guide", text, result)
}

/// The commands of this version.
fn commands() -> Vec<String> {
    super::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

/// The keys of the configuration, from its type.
fn keys() -> Vec<Key> {
    keys_of(&schemars::schema_for!(config::Config).to_value())
}

fn keys_of(schema: &Value) -> Vec<Key> {
    let mut keys = Vec::new();
    collect_keys(schema, schema, "", &mut keys);
    keys
}

/// Adds the keys of the table that `schema` describes; those of inner tables behind a dot.
fn collect_keys(root: &Value, schema: &Value, before: &str, keys: &mut Vec<Key>) {
    for (name, described) in schema["properties"].as_object().into_iter().flatten() {
        let name = format!("{before}{name}");
        if let Some((table, inside)) = inner_table(root, described) {
            collect_keys(root, table, &format!("{name}{inside}."), keys);
        } else {
            let meaning = described["description"].as_str().unwrap_or_default();
            let meaning = meaning.split_whitespace().collect::<Vec<_>>().join(" ");
            keys.push(Key { name, meaning: meaning.trim_end_matches('.').to_owned() });
        }
    }
}

/// The table below a key: itself, one by name, or one of a list.
fn inner_table<'a>(root: &'a Value, described: &'a Value) -> Option<(&'a Value, &'static str)> {
    let places =
        [(described, ""), (&described["additionalProperties"], ".NAME"), (&described["items"], "[]")];
    places.into_iter().find_map(|(place, inside)| {
        let path = place["$ref"].as_str()?.strip_prefix('#')?;
        let table = root.pointer(path).filter(|table| table["properties"].is_object())?;
        Some((table, inside))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemars::JsonSchema;
    use std::collections::BTreeMap;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Outer {
        /// A value.
        plain: Option<String>,
        /// A table.
        table: Inner,
        /// Tables by name.
        named: BTreeMap<String, Inner>,
        /// Tables in a list.
        list: Vec<Inner>,
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Inner {
        /// A value,
        /// in two lines.
        key: u8,
    }

    #[test]
    fn keys_of_inner_tables_are_found_with_the_way_to_them() {
        let keys = keys_of(&schemars::schema_for!(Outer).to_value());
        let mut found: Vec<(&str, &str)> =
            keys.iter().map(|key| (key.name.as_str(), key.meaning.as_str())).collect();
        found.sort_unstable();
        let inner = "A value, in two lines";
        let expected =
            [("list[].key", inner), ("named.NAME.key", inner), ("plain", "A value"), ("table.key", inner)];
        assert_eq!(found, expected);
    }
}
