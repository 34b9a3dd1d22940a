//! `cargo perf man`: manual pages, made from the definitions of the commands.

use crate::failure::{self, Failure, FailureKind};
use crate::report::reply::Reply;
use crate::sys::files;
use clap::{Command, ValueHint};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Print a manual page, or write all of them into a folder
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The command that the page is about (default: cargo perf itself)
    #[arg(conflicts_with = "dir")]
    command: Vec<String>,
    /// Write all pages into this folder, for example ~/.local/share/man/man1
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: Option<PathBuf>,
}

/// A manual page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The name of its file.
    pub file: String,
    /// Its text, for `man`.
    pub text: String,
}

/// Answers the command. It needs no project.
pub fn run(args: &Args) -> Result<Reply, Failure> {
    match &args.dir {
        Some(folder) => write_all(folder),
        None => print_one(&args.command),
    }
}

fn print_one(command: &[String]) -> Result<Reply, Failure> {
    let name = [&["cargo-perf".to_owned()], command].concat().join("-");
    let mut pages = pages()?;
    let known: Vec<String> = pages.iter().map(|page| page.file.trim_end_matches(".1").to_owned()).collect();
    let Some(at) = known.iter().position(|known| *known == name) else {
        let failure = Failure::usage(format!("there is no manual page {name}"));
        return Err(failure.hint(format!("the pages are {}", known.join(", "))));
    };
    let page = pages.swap_remove(at);
    let result = json!({"file": page.file, "page": page.text});
    Ok(Reply::plain("man", page.text, result))
}

fn write_all(folder: &Path) -> Result<Reply, Failure> {
    let pages = pages()?;
    for page in &pages {
        files::write_atomic(&folder.join(&page.file), page.text.as_bytes())?;
    }
    let names: Vec<&str> = pages.iter().map(|page| page.file.as_str()).collect();
    let text = format!("wrote {} pages to {}\n", names.len(), folder.display());
    let result = json!({"folder": folder.to_string_lossy(), "files": names});
    Ok(Reply::plain("man", text, result))
}

/// All pages: that of `cargo perf` first, then those of its commands and of theirs.
///
/// # Errors
/// `Bug` when a page cannot be made.
pub fn pages() -> Result<Vec<Page>, Failure> {
    // Pages are called by the program, `cargo-perf-list`, and say what people type, `cargo perf list`.
    let mut tree = super::command().name("cargo-perf").disable_help_subcommand(true);
    tree.build();
    let mut pages = Vec::new();
    collect(&tree, true, &mut pages)?;
    Ok(pages)
}

fn collect(command: &Command, first: bool, pages: &mut Vec<Page>) -> Result<(), Failure> {
    pages.push(page(command, first)?);
    command
        .get_subcommands()
        .filter(|inner| !inner.is_hide_set())
        .try_for_each(|inner| collect(inner, false, pages))
}

fn page(command: &Command, first: bool) -> Result<Page, Failure> {
    let command = command.clone().subcommand_help_heading("COMMANDS").subcommand_value_name("command");
    // The middle of the last line is the place of a date. A page that changes with the day it was made
    // could not be compared with the program, so the version stands there.
    let man = Man::new(command.clone())
        .date(concat!("cargo-perf-lab ", env!("CARGO_PKG_VERSION")))
        .source("")
        .manual("");
    let mut bytes = Vec::new();
    let written =
        sections(&man, &command, first, &mut bytes).and_then(|()| ending(first).to_writer(&mut bytes));
    written
        .map_err(|error| Failure::new(FailureKind::Bug, format!("a manual page cannot be made: {error}")))?;
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().map(|line| format!("{}\n", line.trim_end()));
    Ok(Page { file: man.get_filename(), text: lines.collect() })
}

fn sections(man: &Man, command: &Command, first: bool, text: &mut Vec<u8>) -> std::io::Result<()> {
    man.render_title(text)?;
    man.render_name_section(text)?;
    man.render_synopsis_section(text)?;
    man.render_description_section(text)?;
    man.render_options_section(text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(text)?;
    }
    // That of the first page is a short form of the exit codes, which stand there in full.
    if !first && command.get_after_help().is_some() {
        man.render_extra_section(text)?;
    }
    Ok(())
}

/// What the definitions of the commands do not hold: exit codes, and where to read on.
fn ending(first: bool) -> Roff {
    let mut roff = Roff::new();
    if !first {
        roff.control("SH", ["SEE ALSO"]);
        roff.text([bold("cargo-perf"), roman("(1), for exit codes too")]);
        return roff;
    }
    roff.control("SH", ["EXIT STATUS"]);
    for row in failure::exit_codes() {
        roff.control("TP", []);
        roff.text([bold(row.to_string())]);
        roff.text([roman(row.meaning)]);
    }
    roff.control("SH", ["SEE ALSO"]);
    roff.text([bold("cargo perf guide"), roman(" explains rules, phases, exit codes and configuration.")]);
    roff
}
