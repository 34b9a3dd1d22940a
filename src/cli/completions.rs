//! `cargo perf completions`: scripts that let a shell complete commands and flags.

use crate::report::reply::Reply;
use clap_complete::Shell;
use serde_json::json;

/// The name that shells complete.
const PROGRAM: &str = "cargo-perf";

/// Print a script that lets a shell complete `cargo-perf`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Answers the command. It needs no project.
pub fn run(args: &Args) -> Reply {
    let script = script(args.shell);
    let result = json!({"shell": args.shell.to_string(), "program": PROGRAM, "script": script});
    Reply::plain("completions", script, result)
}

fn script(shell: Shell) -> String {
    if shell == Shell::Bash {
        return bash();
    }
    generated(shell, PROGRAM)
}

/// The generator of version 4.6.11 spells a program with a hyphen in two ways, and its script then completes
/// nothing behind the first word. So the script is made for a name without one, and bound to both names of
/// the program.
fn bash() -> String {
    let name = PROGRAM.replace('-', "_");
    let bound = format!("-o default {PROGRAM} {PROGRAM}-lab\n");
    generated(Shell::Bash, &name).replace(&format!("-o default {name}\n"), &bound)
}

fn generated(shell: Shell, name: &str) -> String {
    // Some scripts use both names of the command, so neither may have the space of `cargo perf`.
    let mut command = super::command().name(PROGRAM);
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}
