//! What looks like a secret must not reach a file that is committed.

use crate::failure::Failure;

/// Words in the name of a value that make it a secret.
const TELLING: [&str; 9] =
    ["token", "secret", "password", "passwd", "passphrase", "apikey", "credential", "credentials", "bearer"];
/// Pairs of words that do.
const PAIRS: [(&str, &str); 4] = [("api", "key"), ("access", "key"), ("private", "key"), ("secret", "key")];
/// Beginnings of tokens that services hand out.
const PREFIXES: [&str; 9] =
    ["ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "sk-", "xoxb-", "xoxp-", "AKIA"];
/// A token is at least this long.
const SHORTEST_TOKEN: usize = 16;

/// Refuses a text that holds what looks like a secret; `flag` gave it.
///
/// # Errors
/// `Usage`, naming what it is and never its value.
pub fn expect_none(flag: &str, text: &str) -> Result<(), Failure> {
    match text.split_whitespace().find_map(in_word) {
        Some(found) => Err(refusal(flag, &found).hint("write it without the value")),
        None => Ok(()),
    }
}

/// The same for a command.
///
/// # Errors
/// As [`expect_none`].
pub fn expect_none_in_command(argv: &[String]) -> Result<(), Failure> {
    match in_command(argv) {
        Some(found) => {
            let hint = "pass it in a variable of your environment, which is not stored";
            Err(refusal("the command", &found).hint(hint))
        }
        None => Ok(()),
    }
}

fn refusal(what: &str, found: &str) -> Failure {
    Failure::usage(format!(
        "{what} holds what looks like a secret ({found}), and would be committed with the state"
    ))
}

/// What in a word of a command looks like a secret, by its name or its beginning and never by its value.
fn in_word(word: &str) -> Option<String> {
    if let Some((name, value)) = word.split_once('=')
        && !value.is_empty()
        && is_telling(name)
    {
        return Some(name.trim_start_matches('-').to_owned());
    }
    if let Some(prefix) = word.split(|c: char| !is_token(c)).find_map(token_prefix) {
        return Some(format!("{prefix}…"));
    }
    password_in_address(word).then(|| "a password in an address".to_owned())
}

/// The same for a command: a flag may have its value in the next word.
fn in_command(argv: &[String]) -> Option<String> {
    let by_flag = argv.windows(2).find_map(|pair| {
        let flag = pair[0].strip_prefix("--").filter(|flag| !flag.contains('='))?;
        (is_telling(flag) && !pair[1].starts_with('-')).then(|| flag.to_owned())
    });
    // A command for a shell, or a program in one word, holds many.
    let mut words = argv.iter().flat_map(|word| word.split_whitespace());
    words.find_map(in_word).or(by_flag)
}

/// Whether the name of a variable or flag tells that its value is a secret.
fn is_telling(name: &str) -> bool {
    let parts: Vec<String> = name
        .split(|c: char| !c.is_alphanumeric())
        .map(str::to_lowercase)
        .filter(|part| !part.is_empty())
        .collect();
    parts.iter().any(|part| TELLING.contains(&part.as_str()))
        || parts.windows(2).any(|pair| PAIRS.contains(&(pair[0].as_str(), pair[1].as_str())))
}

fn token_prefix(word: &str) -> Option<&'static str> {
    let found = PREFIXES.into_iter().find(|prefix| word.starts_with(prefix))?;
    (word.len() >= SHORTEST_TOKEN).then_some(found)
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// `scheme://user:password@host`.
fn password_in_address(word: &str) -> bool {
    let authority = word.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or_default());
    let user = authority.and_then(|authority| authority.rsplit_once('@')).map(|(user, _)| user);
    user.and_then(|user| user.split_once(':')).is_some_and(|(_, password)| !password.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x10_values_that_look_like_secrets_are_found() {
        for word in [
            "API_KEY=abc",
            "--token=abc",
            "GITHUB_TOKEN=x",
            "db.password=1",
            "https://ann:pw@example.org/x",
            "ghp_0123456789abcdef",
            "--header=ghp_0123456789abcdef",
        ] {
            assert!(in_word(word).is_some(), "{word}");
        }
        let split: Vec<String> = ["curl", "--password", "hunter2"].map(str::to_owned).to_vec();
        assert_eq!(in_command(&split).as_deref(), Some("password"));
        let shell: Vec<String> = ["sh", "-c", "TOKEN=abc node bench.mjs"].map(str::to_owned).to_vec();
        assert_eq!(in_command(&shell).as_deref(), Some("TOKEN"));
    }

    #[test]
    fn x10_plain_words_are_left_alone() {
        for word in [
            "--filter=tokenize/long",
            "bench.mjs",
            "KEY=1",
            "--author=ann",
            "https://ann@example.org",
            "sk-1",
        ] {
            assert_eq!(in_word(word), None, "{word}");
        }
        let plain: Vec<String> = ["node", "bench.mjs", "--size", "10"].map(str::to_owned).to_vec();
        assert_eq!(in_command(&plain), None);
    }
}
