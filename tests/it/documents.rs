//! The documents say what the program does: exit codes, files, commands, links, help.

use cargo_perf_lab::failure;
use cargo_perf_lab::model::rules::Rule;
use clap::Command;
use libtest_mimic::Trial;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const LONGEST_DECISION: usize = 40;

/// The tests of this file.
pub fn trials() -> Vec<Trial> {
    let test = |name: &str, run: fn()| {
        Trial::test(name, move || {
            run();
            Ok(())
        })
    };
    vec![
        test("the_exit_codes_are_those_of_the_program", exit_codes),
        test("the_rules_of_the_readme_are_those_of_the_program", rules),
        test("every_rule_has_a_check_and_tests", rules_are_checked),
        test("the_architecture_names_every_source_file", sources_are_named),
        test("every_path_that_is_named_exists", named_paths_exist),
        test("the_readme_names_every_command", commands_are_named),
        test("help_starts_with_a_capital_and_ends_without_a_period", help_style),
        test("every_link_leads_somewhere", links),
        test("a_decision_has_its_three_parts_on_one_page", decisions),
        test("a_table_of_results_says_where_it_comes_from", origins),
        test("a_table_without_its_origin_is_found", missing_origins_are_found),
        test("no_page_names_a_place_on_somebodys_machine", no_machine_paths),
    ]
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn exit_codes() {
    let text = read(&root().join("docs/exit-codes.md"));
    let is_row =
        |line: &&str| line.starts_with('|') && !line.starts_with("|-") && !line.starts_with("| code");
    let documented: Vec<&str> = text.lines().filter(is_row).collect();
    let rows = failure::exit_codes();
    let known = rows.iter().map(|row| {
        let kind = row.kind.map_or_else(|| "–".to_owned(), |kind| format!("`{}`", kind.name()));
        format!("| {row} | {kind} | {} |", row.meaning)
    });
    assert_eq!(documented, known.collect::<Vec<_>>(), "src/failure.rs holds the texts");
}

/// S-04: a row for each rule, and no file or test in it that does not exist.
fn rules_are_checked() {
    let page = read(&root().join("docs/perf-requirements.md"));
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let named: Vec<&str> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    assert_eq!(named, Rule::ALL.map(Rule::id), "a rule has no row, or a row has no rule");
    let words =
        |cell: &str| -> Vec<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let mut tests = String::new();
    for folder in ["tests/it", "src"] {
        for file in files_below(&root().join(folder)) {
            tests.push_str(&read(&file));
        }
    }
    for row in &rows {
        let (files, named) = (words(row[2]), words(row[3]));
        assert!(!files.is_empty() && !named.is_empty(), "{row:?}");
        assert!(files.iter().all(|file| root().join(file).is_file()), "{row:?}");
        for name in &named {
            assert!(tests.contains(&format!("fn {name}(")), "there is no test {name}");
        }
    }
    let all = words(&page);
    for name in
        all.iter().filter(|word| word.contains('_') && word.len() > 20 && !word.contains(['/', '-', ' ']))
    {
        assert!(tests.contains(&format!("fn {name}(")), "there is no test {name}");
    }
}

fn rules() {
    let text = read(&root().join("README.md"));
    let table = text.split("\n## ").find(|section| section.starts_with("The ten rules")).expect("the rules");
    let documented: Vec<&str> = table.lines().filter(|line| line.contains("| **")).collect();
    let known = Rule::ALL.map(|rule| {
        let how = if rule.how().is_empty() { String::new() } else { format!(": {}", rule.how()) };
        let enforced = rule.enforced().name();
        format!("| {} | **{}.** {} | {enforced}{how} |", rule.number(), rule.title(), rule.sentence())
    });
    assert_eq!(documented, known, "src/model/rules.rs holds the texts");
}

fn sources_are_named() {
    let text = read(&root().join("docs/architecture.md"));
    let named: BTreeSet<String> = paths_in(&text).collect();
    let missing: Vec<String> = files_below(&root().join("src"))
        .iter()
        .map(|path| relative(path))
        .filter(|path| !named.contains(path))
        .collect();
    assert!(missing.is_empty(), "docs/architecture.md does not name {}", missing.join(", "));
}

fn named_paths_exist() {
    for page in pages() {
        for path in paths_in(&read(&page)) {
            assert!(root().join(&path).exists(), "{} names {path}, which does not exist", relative(&page));
        }
    }
}

fn commands_are_named() {
    let readme = read(&root().join("README.md"));
    for_each_command(&cargo_perf_lab::cli::command(), "cargo perf", &mut |path, command| {
        let named = readme.contains(&format!("`{path}`")) || readme.contains(&format!("`{path} "));
        assert!(named || command.is_hide_set(), "README.md does not name `{path}`");
    });
}

fn help_style() {
    let mut wrong = Vec::new();
    for_each_command(&cargo_perf_lab::cli::command(), "cargo perf", &mut |path, command| {
        let arguments =
            command.get_arguments().map(|argument| (argument.get_id().as_str(), argument.get_help()));
        for (name, help) in [("itself", command.get_about())].into_iter().chain(arguments) {
            let help = help.map(ToString::to_string).unwrap_or_default();
            if !help.starts_with(char::is_uppercase) || help.trim_end().ends_with('.') {
                wrong.push(format!("{path}, {name}: {help:?}"));
            }
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn links() {
    let mut broken = Vec::new();
    for page in pages() {
        for target in link_targets(&read(&page)) {
            let outside =
                ["http://", "https://", "mailto:", "#"].iter().any(|start| target.starts_with(start));
            let path = target.split('#').next().unwrap_or_default();
            let folder = page.parent().expect("a folder");
            if !outside && !folder.join(path).exists() {
                broken.push(format!("{}: {target}", relative(&page)));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

fn decisions() {
    let decisions: Vec<PathBuf> =
        pages().into_iter().filter(|page| page.starts_with(root().join("docs/adr"))).collect();
    assert!(!decisions.is_empty());
    for page in decisions {
        let text = read(&page);
        let lines = text.lines().count();
        assert!(lines <= LONGEST_DECISION, "{} has {lines} lines", relative(&page));
        let parts: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(parts, ["Context", "Decision", "Price"], "{}", relative(&page));
    }
}

fn no_machine_paths() {
    for page in pages() {
        let text = read(&page);
        for folder in ["/work", "/root", "/home"] {
            let named = text.match_indices(folder).any(|(at, _)| {
                let is_part = |c: char| c.is_alphanumeric() || "-_.}".contains(c);
                let before = text[..at].chars().next_back().is_some_and(is_part);
                let after = text[at + folder.len()..].chars().next().is_some_and(|c| c != '.' && is_part(c));
                !before && !after
            });
            assert!(!named, "{} names {folder}", relative(&page));
        }
    }
}

fn origins() {
    let pages = pages();
    let without: Vec<String> = pages
        .iter()
        .flat_map(|page| {
            missing_origin(&read(page)).into_iter().map(|what| format!("{}: {what}", relative(page)))
        })
        .collect();
    assert!(without.is_empty(), "figures are written by `cargo bench --bench figures` only: {without:#?}");
    assert!(pages.iter().any(|page| has_results(&read(page))), "no page holds figures");
}

fn missing_origins_are_found() {
    let page = "- date: d\n- machine: m\n- commit: c\n- SHA-256 of the raw data: `0`\n\n| a | met |\n";
    assert_eq!(missing_origin(page), ["SHA-256 of the raw data"]);
    assert_eq!(missing_origin("| a | missed |").len(), 4);
    assert_eq!(missing_origin("| a | b |").len(), 0);
}

/// Whether a page holds a table that says which bounds were met.
fn has_results(page: &str) -> bool {
    page.lines().any(|line| line.ends_with("| met |") || line.ends_with("| missed |"))
}

/// What a page with results should say of them and does not.
fn missing_origin(page: &str) -> Vec<&'static str> {
    let value = |name: &str| page.lines().find_map(|line| line.strip_prefix(&format!("- {name}: ")));
    let hash = |text: &str| text.trim_matches('`').len() == 64;
    let said = [
        ("date", value("date").is_some()),
        ("machine", value("machine").is_some()),
        ("commit", value("commit").is_some()),
        ("SHA-256 of the raw data", value("SHA-256 of the raw data").is_some_and(hash)),
    ];
    let results = has_results(page);
    said.into_iter().filter(|(_, said)| results && !said).map(|(name, _)| name).collect()
}

fn for_each_command(command: &Command, path: &str, visit: &mut impl FnMut(&str, &Command)) {
    visit(path, command);
    for inner in command.get_subcommands() {
        for_each_command(inner, &format!("{path} {}", inner.get_name()), visit);
    }
}

/// The documents people read.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = files_below(&root().join("docs"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    let others = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "NOTICE", "harness/README.md"];
    pages.extend(others.map(|name| root().join(name)));
    pages
}

/// Words that name a file or folder of the repository by its path.
fn paths_in(text: &str) -> impl Iterator<Item = String> {
    let places = ["src/", "tests/", "harness/", "docs/", "fixtures/", "benches/", ".ci/"];
    let is_path = |c: char| c.is_alphanumeric() || "-_./".contains(c);
    text.split(move |c| !is_path(c))
        .map(|word| word.trim_end_matches(['.', '/']))
        .filter(move |word| places.iter().any(|place| word.starts_with(place)))
        .map(str::to_owned)
        .collect::<Vec<_>>()
        .into_iter()
}

/// What stands in `](…)`, outside of code blocks.
fn link_targets(text: &str) -> Vec<String> {
    let prose: Vec<&str> = text.split("```").step_by(2).collect();
    let inside = |part: &&str| {
        let behind = part.split("](").skip(1);
        behind
            .filter_map(|rest| rest.split_once(')'))
            .map(|(target, _)| target.to_owned())
            .collect::<Vec<_>>()
    };
    prose.iter().flat_map(inside).collect()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("readable").path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{} cannot be read: {error}", relative(path)))
}
