//! A command as one types it, split into words as a POSIX shell would. No shell is started unless it is
//! asked for, so what only a shell understands is pointed out instead of being passed on as text.

use super::selection::near_misses;
use crate::failure::Failure;
use crate::model::external::External;
use cargo_util::paths::resolve_executable;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Programs that start benchmarks in their languages; for suggestions only.
const LAUNCHERS: [&str; 16] = [
    "cargo", "npm", "npx", "pnpm", "yarn", "node", "deno", "bun", "python", "python3", "pytest", "go",
    "java", "mvn", "gradle", "make",
];

/// The words of `text`; with `shell`, the three words that hand it to `sh`.
///
/// # Errors
/// `Usage` for an empty command, a quote that is not closed, and for what only a shell understands.
pub fn split(text: &str, shell: bool) -> Result<Vec<String>, Failure> {
    if text.contains('\0') {
        return Err(Failure::usage("the command holds a NUL byte"));
    }
    if text.trim().is_empty() {
        return Err(Failure::usage("the command is empty")
            .hint("name a program with its arguments, as in --command 'node bench.mjs'"));
    }
    if shell {
        return Ok(["sh", "-c", text].map(str::to_owned).to_vec());
    }
    if let Some(found) = shell_syntax(text) {
        return Err(Failure::usage(format!("the command holds {found}, which only a shell understands"))
            .hint("quote it to pass it on as text, or add --shell (shell = true) to run it through sh"));
    }
    let words = shlex::split(text).ok_or_else(|| {
        Failure::usage("the command has a quote that is not closed, or ends with a backslash")
            .hint("quote it as for a shell, as in --command \"node bench.mjs 'two words'\"")
    })?;
    checked(words)
}

/// The words, unless the first one cannot be a program.
///
/// # Errors
/// `Usage` for no words, an empty program, and a variable before the program.
pub fn checked(words: Vec<String>) -> Result<Vec<String>, Failure> {
    let Some(program) = words.first().filter(|program| !program.is_empty()) else {
        return Err(Failure::usage("the command names no program")
            .hint("the first word is the program, as in --command 'node bench.mjs'"));
    };
    if let Some((name, _)) = program.split_once('=').filter(|(name, _)| is_variable(name)) {
        return Err(Failure::usage(format!("the command sets {name} before the program, as a shell would"))
            .hint("put `env` before it, or name the variable in perf.toml: env = { NAME = \"value\" }"));
    }
    if words.iter().any(|word| word.contains('\0')) {
        return Err(Failure::usage("the command holds a NUL byte"));
    }
    Ok(words)
}

/// The file that an external benchmark starts: its first word seen from its directory, or found on the
/// `PATH` that it will have.
///
/// # Errors
/// `Environment` when there is none that can be executed.
pub fn find_program(external: &External) -> Result<PathBuf, Failure> {
    let (program, directory) = (external.argv[0].as_str(), external.directory.as_path());
    if program.contains('/') {
        let path = directory.join(program);
        if is_executable(&path) {
            return Ok(path);
        }
        return Err(Failure::environment(format!("there is no program {program}")).hint(format!(
            "the path is seen from {}; it must be a file that can be executed",
            directory.display()
        )));
    }
    let on_path = match external.env.get("PATH") {
        Some(path) => std::env::split_paths(path)
            .map(|folder| directory.join(folder).join(program))
            .find(|file| is_executable(file)),
        None => resolve_executable(Path::new(program)).ok(),
    };
    on_path.ok_or_else(|| {
        let near = near_misses(program, LAUNCHERS, 1);
        let failure = Failure::environment(format!("there is no program {program:?} on the PATH"));
        match near.first().filter(|near| **near != program) {
            Some(near) => failure.hint(format!("is {near:?} meant?")),
            None => {
                failure.hint("install it, or name it with its path; `cargo perf doctor` shows what is there")
            }
        }
    })
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// The first thing outside of quotes that a shell would act upon.
fn shell_syntax(text: &str) -> Option<String> {
    let mut quote = None;
    let mut before = ' ';
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('\''), _) => {}
            (_, '\\') => {
                characters.next();
            }
            (_, '$')
                if characters
                    .peek()
                    .is_some_and(|next| next.is_alphanumeric() || "_({?@*#".contains(*next)) =>
            {
                return Some("`$`".to_owned());
            }
            (_, '`') => return Some("a backtick".to_owned()),
            (None, '\'' | '"') => quote = Some(c),
            (None, '|' | '&' | ';' | '<' | '>' | '(' | ')' | '*' | '?' | '\n') => {
                return Some(if c == '\n' { "a line break".to_owned() } else { format!("`{c}`") });
            }
            (None, '~' | '#') if before.is_whitespace() => return Some(format!("`{c}`")),
            _ => {}
        }
        before = c;
    }
    None
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str) -> Vec<String> {
        split(text, false).unwrap_or_else(|failure| panic!("{text}: {failure}"))
    }

    #[test]
    fn words_are_split_as_a_shell_would() {
        assert_eq!(words("node bench.mjs --n 5"), ["node", "bench.mjs", "--n", "5"]);
        assert_eq!(words(r#"a 'b c' "d e" f\ g"#), ["a", "b c", "d e", "f g"]);
        assert_eq!(words(r#"grep 'a|b' "x > y" \$HOME"#), ["grep", "a|b", "x > y", "$HOME"]);
        assert_eq!(words("a ''"), ["a", ""]);
        assert_eq!(split("a | b > c", true).expect("a shell"), ["sh", "-c", "a | b > c"]);
    }

    #[test]
    fn what_only_a_shell_understands_is_pointed_out() {
        for text in [
            "a | cat",
            "a; b",
            "a && b",
            "a > f",
            "a < f",
            "a &",
            "a $HOME",
            "a \"$HOME\"",
            "a $(b)",
            "a `b`",
            "a *.js",
            "a ~/x",
            "(a)",
            "a\nb",
            "a # b",
        ] {
            let failure = split(text, false).expect_err(text);
            assert!(failure.hint.is_some_and(|hint| hint.contains("--shell")), "{text}");
        }
        let failure = split("FOO=1 node x", false).expect_err("a variable");
        assert!(failure.message.contains("FOO") && failure.hint.expect("a hint").contains("env"));
        for text in ["", "  ", "a 'b", "a \\", "'' b", "a\0b"] {
            assert!(split(text, false).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_named_with_what_comes_near() {
        let find = |program: &str| find_program(&starting(program, "/"));
        assert!(find("sh").is_ok());
        let failure = find("noded").expect_err("not there");
        assert_eq!(failure.hint.as_deref(), Some("is \"node\" meant?"));
        assert!(find("./no/such/program").expect_err("not there").message.contains("no/such"));
    }

    fn starting(program: &str, directory: &str) -> External {
        External { argv: vec![program.to_owned()], directory: directory.into(), ..External::default() }
    }

    #[test]
    fn a_program_is_found_on_the_path_that_it_will_have() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let program = folder.path().join("sh");
        std::os::unix::fs::symlink("/bin/sh", &program).expect("a link");
        let given = |path: &str| External {
            env: [("PATH".to_owned(), path.to_owned())].into(),
            ..starting("sh", folder.path().to_str().expect("text"))
        };
        let found = find_program(&given("nowhere:.")).expect("in its own folder");
        assert_eq!(found.canonicalize().ok(), program.canonicalize().ok());
        assert!(found.starts_with(folder.path()));
        assert!(find_program(&given("nowhere")).is_err());
    }

    proptest! {
        #[test]
        fn quoted_words_survive(given in prop::collection::vec("[^\0]{1,12}", 1..5)) {
            let text = crate::sys::invocation::line(&given);
            let is_variable = given[0].split_once('=').is_some_and(|(name, _)| is_variable(name));
            prop_assume!(!is_variable);
            prop_assert_eq!(split(&text, false).expect("split"), given);
        }
    }
}
