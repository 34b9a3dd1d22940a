//! Manual pages, help through cargo, and completion by shells.
//!
//! The pages in `docs/man` are made from the definitions of the commands. `CARGO_PERF_UPDATE=1` writes
//! them anew.

#![expect(clippy::disallowed_methods, reason = "shells and tools that read what is tested are started here")]

use crate::support::perf::clean;
use crate::support::sandbox::Sandbox;
use crate::support::{Outcome, repository, skip, trials};
use cargo_perf_lab::cli::man;
use cargo_perf_lab::sys::files::write_atomic;
use libtest_mimic::Trial;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub fn trials() -> Vec<Trial> {
    trials![
        the_manual_pages_are_those_of_the_program,
        manual_pages_are_printed_one_by_one_or_written_together,
        an_unknown_manual_page_is_refused_with_the_list_of_pages,
        man_renders_every_page_without_a_warning,
        cargo_help_shows_the_help_of_the_program,
        every_shell_has_a_script_under_json_too,
        bash_completes_commands_flags_and_topics,
    ]
}

fn the_manual_pages_are_those_of_the_program() -> Outcome {
    let folder = repository().join("docs/man");
    let pages = man::pages().map_err(|failure| failure.message)?;
    let update = env::var_os("CARGO_PERF_UPDATE").is_some();
    if update {
        for page in &pages {
            write_atomic(&folder.join(&page.file), page.text.as_bytes())
                .map_err(|failure| failure.message)?;
        }
    }
    let known: BTreeSet<String> = pages.iter().map(|page| page.file.clone()).collect();
    for stale in stored_pages()?.difference(&known).filter(|_| update) {
        fs::remove_file(folder.join(stale))?;
    }
    assert_eq!(stored_pages()?, known, "run the tests once with CARGO_PERF_UPDATE=1");
    for page in pages {
        let stored = fs::read_to_string(folder.join(&page.file))?;
        assert!(
            stored == page.text,
            "{} is out of date; run the tests once with CARGO_PERF_UPDATE=1",
            page.file
        );
    }
    Ok(())
}

/// Names of the files in `docs/man`.
fn stored_pages() -> std::io::Result<BTreeSet<String>> {
    let entries = fs::read_dir(repository().join("docs/man"))?;
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

fn manual_pages_are_printed_one_by_one_or_written_together() {
    let sandbox = Sandbox::bare();
    let folder = sandbox.aside.join("share/man1");
    let written = sandbox.perf(["man", "--json", "--dir"]).args([&folder]).succeeds().json();
    let files =
        array(&written["result"]["files"]).iter().map(|file| file.as_str().expect("a name").to_owned());
    assert_eq!(files.collect::<BTreeSet<_>>(), stored_pages().expect("the pages"));
    for (words, file) in [
        (vec!["man"], "cargo-perf.1"),
        (vec!["man", "baseline"], "cargo-perf-baseline.1"),
        (vec!["man", "baselines", "show"], "cargo-perf-baselines-show.1"),
    ] {
        let printed = sandbox.perf(words).succeeds().stdout;
        assert_eq!(printed, fs::read_to_string(folder.join(file)).expect("the page was written"), "{file}");
    }
}

fn an_unknown_manual_page_is_refused_with_the_list_of_pages() {
    let sandbox = Sandbox::bare();
    sandbox.perf(["man", "weather"]).fails(2, "cargo-perf-weather", "cargo-perf-baselines-show");
    sandbox.perf(["man", "list", "--dir", "pages"]).fails(2, "--dir", "cargo perf help");
    sandbox.write("taken", "a file where a folder should be\n");
    sandbox.perf(["man", "--dir", "taken"]).fails(8, "taken", "");
}

fn man_renders_every_page_without_a_warning() -> Outcome {
    let Some(program) = find("man") else {
        return skip("man_renders_every_page_without_a_warning", "there is no man");
    };
    for page in stored_pages()? {
        let path = repository().join("docs/man").join(&page);
        let mut command = Command::new(&program);
        command.args(["--warnings", "-l"]).arg(&path).env("MANWIDTH", "80").env("LC_ALL", "C.UTF-8");
        let (text, complaints) = output(&mut command);
        assert!(complaints.is_empty(), "{page}: {complaints}");
        for section in ["NAME", "SYNOPSIS", "OPTIONS", "SEE ALSO"] {
            assert!(text.lines().any(|line| line == section), "{page} has no {section}: {text}");
        }
        let codes = text.lines().any(|line| line == "EXIT STATUS");
        assert_eq!(codes, page == "cargo-perf.1", "{page}");
    }
    Ok(())
}

/// For a command that it does not know itself, cargo asks the program for its help.
fn cargo_help_shows_the_help_of_the_program() {
    let sandbox = Sandbox::bare();
    let program = Path::new(env!("CARGO_BIN_EXE_cargo-perf"));
    let folder = program.parent().expect("a folder").to_path_buf();
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([folder].into_iter().chain(env::split_paths(&path))).expect("a path");
    let help = sandbox.perf(["--help"]).succeeds().stdout;
    for words in [["help", "perf"], ["perf", "--help"], ["perf", "help"]] {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
        clean(&mut cargo);
        cargo.args(words).env("PATH", &path).current_dir(&sandbox.project);
        assert_eq!(output(&mut cargo).0, help, "cargo {}", words.join(" "));
    }
}

fn every_shell_has_a_script_under_json_too() {
    let sandbox = Sandbox::bare();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = sandbox.perf(["completions", shell]).succeeds().stdout;
        assert!(text.contains("cargo-perf") && text.contains("baselines"), "{shell}: {text}");
        let answer = sandbox.perf(["completions", shell, "--json"]).succeeds().json();
        assert_eq!(answer["schema"], "cargo-perf/completions");
        assert_eq!(answer["result"], json!({"shell": shell, "program": "cargo-perf", "script": text}));
    }
    sandbox.perf(["completions", "dos"]).fails(2, "bash, elvish, fish, powershell, zsh", "cargo perf help");
}

/// What a shell does when somebody presses the tab key behind the last word.
const PRESS_TAB: &str = r#"
source "$1" && shift
[[ $(complete -p "$1") =~ -F\ ([^ ]+) ]] || exit 1
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
"${BASH_REMATCH[1]}" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;

fn bash_completes_commands_flags_and_topics() -> Outcome {
    let Some(bash) = find("bash") else {
        return skip("bash_completes_commands_flags_and_topics", "there is no bash");
    };
    let sandbox = Sandbox::bare();
    let script = sandbox.aside.join("cargo-perf.bash");
    fs::write(&script, sandbox.perf(["completions", "bash"]).succeeds().stdout)?;
    let completed = |words: &[&str]| {
        let mut command = Command::new(&bash);
        command.args(["--norc", "-c", PRESS_TAB, "bash"]).arg(&script).args(words);
        let (text, complaints) = output(&mut command);
        assert!(complaints.is_empty(), "{words:?}: {complaints}");
        text.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    for program in ["cargo-perf", "cargo-perf-lab"] {
        assert_eq!(completed(&[program, "base"]), ["baseline", "baselines"]);
        assert_eq!(completed(&[program, "baselines", "sh"]), ["show"]);
        assert_eq!(completed(&[program, "guide", "ex"]), ["exit-codes"]);
        assert_eq!(completed(&[program, "list", "--no-b"]), ["--no-build"]);
        assert!(completed(&[program, "weather"]).is_empty());
    }
    Ok(())
}

/// Runs a tool that must succeed; its standard output and standard error.
fn output(command: &mut Command) -> (String, String) {
    let ended = command.stdin(Stdio::null()).output().expect("the tool can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(ended.status.success(), "{command:?} failed: {}", text(&ended.stderr));
    (text(&ended.stdout), text(&ended.stderr))
}

/// A tool of the machine.
fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn array(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("not an array: {value}"))
}
