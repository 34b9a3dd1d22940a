//! Programs of other languages, which may not be there.

#![expect(clippy::disallowed_methods, reason = "programs are tried, to see whether they are there")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The programs, with the words that only ask for a version, of which one cannot be started. Shims of version
/// managers are there without what they stand for.
pub fn missing(tools: &[&[&str]]) -> Option<String> {
    let works = |words: &[&str]| {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    tools.iter().find(|words| !works(words)).map(|words| format!("{} does not work here", words.join(" ")))
}

/// A library for `LD_PRELOAD`, compiled of a text in C.
pub fn preloaded(folder: &Path, source: &str) -> PathBuf {
    let (text, library) = (folder.join("preloaded.c"), folder.join("preloaded.so"));
    std::fs::write(&text, source).expect("the text can be written");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).args([&library, &text]);
    assert!(compiler.status().expect("a C compiler is required").success());
    library
}

/// Runs git as a user does.
pub fn git(folder: &Path, words: &[&str]) {
    let output = Command::new("git").current_dir(folder).args(words).output().expect("git is required");
    assert!(output.status.success(), "git {}: {output:?}", words.join(" "));
}

pub const NODE: &[&str] = &["node", "--version"];
pub const PYTHON: &[&str] = &["python3", "--version"];
pub const PYTEST: &[&str] = &["pytest", "--version"];
pub const GO: &[&str] = &["go", "version"];
pub const JAVA: &[&str] = &["java", "-version"];
pub const COMPILER: &[&str] = &["javac", "-version"];
pub const MAVEN: &[&str] = &["mvn", "--version"];
pub const GRADLE: &[&str] = &["gradle", "--version"];
