//! External benchmarks, from what the configuration or a flag says to what can be started.

use crate::bench::{command_line, contract};
use crate::failure::Failure;
use crate::model::external::External;
use crate::model::load::parse_variable;
use crate::store::config::{CommandText, ExternalTable, FILE};
use std::path::Path;

/// The external benchmarks of the configuration at `root`.
///
/// # Errors
/// `Usage`, with the id, for a command that cannot be started as it stands.
pub fn configured(tables: &[ExternalTable], root: &Path) -> Result<Vec<External>, Failure> {
    tables.iter().map(|table| external(table, root)).collect()
}

fn external(table: &ExternalTable, root: &Path) -> Result<External, Failure> {
    let argv = match &table.command {
        CommandText::Line(line) => command_line::split(line, table.shell),
        CommandText::Words(_) if table.shell => {
            Err(Failure::usage("shell = true needs the command in one string")
                .hint("write the command as one string, or leave shell away"))
        }
        CommandText::Words(words) => command_line::checked(words.clone()),
    };
    let argv = argv.map_err(|failure| Failure {
        message: format!("{FILE}: external benchmark {:?}: {}", table.id, failure.message),
        ..failure
    })?;
    if let Some(name) = table.env.keys().find(|name| contract::is_ours(name)) {
        return Err(Failure::usage(format!(
            "{FILE}: external benchmark {:?}: env sets {name}, which each run is told anew",
            table.id
        ))
        .hint("the load is --param-value, the time --duration, the warm-up a key of its own: warm-up"));
    }
    if let Some(name) = &table.load.env {
        parse_variable(name).map_err(|message| {
            Failure::usage(format!("{FILE}: external benchmark {:?}: load.env: {message}", table.id))
        })?;
    }
    Ok(External {
        id: table.id.clone(),
        argv,
        directory: root.join(&table.directory),
        env: table.env.clone(),
        metrics: table.metrics.clone(),
        warm_up: table.warm_up,
        load: table.load.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::load::LoadTerms;
    use std::collections::BTreeMap;

    fn table(command: CommandText, shell: bool) -> ExternalTable {
        ExternalTable {
            id: "zones".into(),
            command,
            directory: "js".into(),
            env: BTreeMap::new(),
            shell,
            warm_up: None,
            metrics: BTreeMap::new(),
            load: LoadTerms::default(),
        }
    }

    #[test]
    fn a_command_is_words_or_a_line_and_runs_in_its_directory() {
        let line = table(CommandText::Line("node 'a b.mjs'".into()), false);
        let found = external(&line, Path::new("/root")).expect("read");
        assert_eq!(found.argv, ["node", "a b.mjs"]);
        assert_eq!(found.directory, Path::new("/root/js"));
        let words = table(CommandText::Words(vec!["node".into(), "x | y".into()]), false);
        assert_eq!(external(&words, Path::new("/")).expect("read").argv, ["node", "x | y"]);
    }

    #[test]
    fn a_wrong_command_is_named_by_its_id() {
        for (command, shell) in [
            (CommandText::Line("a | b".into()), false),
            (CommandText::Words(vec!["a".into()]), true),
            (CommandText::Words(Vec::new()), false),
        ] {
            let failure = external(&table(command, shell), Path::new("/")).expect_err("refused");
            assert!(failure.message.contains("\"zones\"") && failure.hint.is_some(), "{failure}");
        }
    }
}
