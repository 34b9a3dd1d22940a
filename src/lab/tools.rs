//! The programs that measuring needs, and those that benchmarks of some kind need.

use super::Lab;
use crate::bench::discover::cargo;
use crate::failure::{Failure, FailureKind};
use crate::model::checkup::Tool;
use crate::model::event::Event;
use crate::model::external::External;
use crate::sys::invocation::{Invocation, Output};
use crate::sys::process::{self, Alone};
use cargo_util::paths::resolve_executable;
use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

/// A tool that takes longer to say its version is of no use for measuring.
const PATIENCE: Duration = Duration::from_secs(10);
/// Progress is shown when an examination takes longer than this.
pub const QUIETLY: Duration = Duration::from_secs(2);

/// Name, argument, and what its absence costs.
const OPTIONAL: [(&str, &str, &str); 11] = [
    ("git", "--version", "nothing yet: repositories are read without it"),
    ("node", "--version", "benchmarks that are JavaScript programs cannot run"),
    ("npm", "--version", "benchmarks that npm starts cannot run"),
    ("pnpm", "--version", "benchmarks that pnpm starts cannot run"),
    ("yarn", "--version", "benchmarks that yarn starts cannot run"),
    ("python3", "--version", "benchmarks that are Python programs cannot run"),
    ("pytest", "--version", "benchmarks that pytest starts cannot run"),
    ("go", "version", "Go benchmarks cannot be built or run"),
    ("java", "-version", "benchmarks on the Java virtual machine cannot run"),
    ("mvn", "--version", "benchmarks that Maven starts cannot run"),
    ("gradle", "--version", "benchmarks that Gradle starts cannot run"),
];

impl Lab<'_> {
    /// Asks every tool for its version.
    pub fn tools(&mut self) -> Result<Vec<Tool>, Failure> {
        let started = Instant::now();
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let required = [("cargo", cargo(), "--version"), ("rustc", rustc, "--version")];
        let mut tools = Vec::new();
        for (name, program, argument) in required {
            tools.push(self.tool(name, program, argument, "no bench can be built", true)?);
        }
        for (name, argument, costs) in OPTIONAL {
            if started.elapsed() > QUIETLY {
                self.report(Event::Examining { what: format!("tools: {name}") });
            }
            tools.push(self.tool(name, name.into(), argument, costs, false)?);
        }
        Ok(tools)
    }

    /// The runtime below the program that `external` starts, with its version, in its directory and
    /// environment; unknown for a program that is none of those that start benchmarks in other languages.
    pub fn runtime_of(&mut self, external: &External) -> Result<Option<String>, Failure> {
        let program = external.argv[0].as_str();
        let name = Path::new(program).file_name().and_then(|name| name.to_str()).unwrap_or(program);
        let (runtime, argument) = match name {
            "node" | "npm" | "npx" | "pnpm" | "yarn" => ("node", "--version"),
            "pytest" => ("python3", "--version"),
            name if name.starts_with("python") => (name, "--version"),
            "go" => ("go", "version"),
            "java" | "mvn" | "mvnw" | "gradle" | "gradlew" => ("java", "-version"),
            _ => return Ok(None),
        };
        // One that is named by a path may be another than that on the PATH.
        let asked = if runtime == name { program } else { runtime };
        let mut invocation = self.asking("runtime", asked.into(), argument).envs(&external.env);
        invocation.cwd.clone_from(&external.directory);
        let version = self.version(&invocation)?.ok();
        Ok(version
            .map(|version| if version.starts_with('v') { format!("{runtime} {version}") } else { version }))
    }

    fn tool(
        &mut self,
        name: &str,
        program: OsString,
        argument: &str,
        costs: &str,
        required: bool,
    ) -> Result<Tool, Failure> {
        let found = resolve_executable(Path::new(&program)).is_ok_and(|path| path.is_file());
        let answer = if found { Some(self.version(&self.asking(name, program, argument))?) } else { None };
        let (version, problem) = match answer {
            None => (None, None),
            Some(Ok(version)) => (Some(version), None),
            Some(Err(problem)) => (None, Some(problem)),
        };
        Ok(Tool { name: name.to_owned(), required, found, version, problem, costs: costs.to_owned() })
    }

    /// How `program` is asked for its version.
    fn asking(&self, name: &str, program: OsString, argument: &str) -> Invocation {
        let output = Output::Recorded { log: self.scratch_log(name), log_limit: 1 << 16 };
        let mut invocation = Invocation::new([program, argument.into()], &self.cwd, output)
            .env("NO_COLOR", "1")
            // A stand-in for a package manager would else download it now.
            .env("COREPACK_ENABLE_NETWORK", "0");
        invocation.deadline = Some(PATIENCE);
        invocation
    }

    /// The version that a program says when it is asked so, or why there is none.
    fn version(&self, invocation: &Invocation) -> Result<Result<String, String>, Failure> {
        let ended = match process::run(invocation, &mut Alone, self.interrupt) {
            Ok(ended) => ended,
            Err(failure) if failure.kind == FailureKind::Environment => return Ok(Err(failure.message)),
            Err(failure) => return Err(failure),
        };
        if ended.ended_by_us.is_some() {
            return Ok(Err(format!("it did not answer within {} s", PATIENCE.as_secs())));
        }
        if !ended.exit.is_success() {
            return Ok(Err(format!("it {}", ended.exit)));
        }
        let said = version_line(&ended.stdout.tail).or_else(|| version_line(&ended.stderr.tail));
        Ok(said.ok_or_else(|| "it says nothing about its version".to_owned()))
    }
}

/// The first line with a digit, without what colours a terminal.
fn version_line(text: &str) -> Option<String> {
    let plain = text.lines().map(|line| anstream::adapter::strip_str(line).to_string());
    let mut telling =
        plain.map(|line| line.trim().to_owned()).filter(|line| line.contains(|c: char| c.is_ascii_digit()));
    telling.next()
}

#[cfg(test)]
mod tests {
    use super::version_line;

    #[test]
    fn the_version_is_the_first_line_with_a_number() {
        let gradle = "\n------------\n\u{1b}[1mGradle 8.5\u{1b}[m\n------------\n\nBuild time: 2023\n";
        assert_eq!(version_line(gradle).as_deref(), Some("Gradle 8.5"));
        assert_eq!(version_line("v20.1.0\n").as_deref(), Some("v20.1.0"));
        assert_eq!(version_line("no number\n"), None);
    }
}
