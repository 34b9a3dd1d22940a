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
/// A value in a source file is at least this long.
const SHORTEST_VALUE: usize = 6;

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

/// Whether a line of a source file holds what looks like a secret: a literal with a telling name before it, a line of
/// settings, a token that a service hands out, the beginning of a private key, or a password in an address. A name alone
/// tells nothing there: code is about tokens.
pub fn is_in_source(line: &str) -> bool {
    let mut words = line.split(|c: char| c.is_whitespace() || "\"'`,;()<>".contains(c));
    let is_one = |word: &str| {
        word.split(|c: char| !is_token(c)).any(|part| token_prefix(part).is_some())
            || password_in_address(word)
    };
    let has_private_key = line.contains("-----BEGIN ") && line.contains("PRIVATE KEY-----");
    words.any(is_one) || has_private_key || has_bearer(line) || has_named_literal(line) || is_setting(line)
}

/// `Bearer value`, as a header has it.
fn has_bearer(line: &str) -> bool {
    let Some((_, behind)) = line.split_once("Bearer ") else { return false };
    let value = behind.split(|c: char| !is_token(c) && c != '.').next().unwrap_or_default();
    value.len() >= SHORTEST_TOKEN && value.contains(|c: char| c.is_ascii_digit())
}

/// `name = "value"`, `"name": "value"` or `name: type = "value"`, anywhere in the line.
fn has_named_literal(line: &str) -> bool {
    let places = line.match_indices(['=', ':']).map(|(at, _)| (&line[..at], &line[at + 1..]));
    places.into_iter().any(|(before, behind)| is_named_literal(before, behind))
}

fn is_named_literal(name: &str, rest: &str) -> bool {
    let name = name.trim_matches(|c: char| c.is_whitespace() || "\"'".contains(c));
    let name = name.rsplit(|c: char| c.is_whitespace() || "{(,\"'".contains(c)).next().unwrap_or_default();
    let Some((between, value)) = rest.split_once(['"', '\'']) else { return false };
    let literal = value.split(['"', '\'']).next().unwrap_or_default();
    is_telling(name)
        && !between.contains(['(', ',', '}'])
        && literal.len() >= SHORTEST_VALUE
        && !literal.contains(char::is_whitespace)
}

/// `NAME=value` of a variable, or `name=value` and `name: value` of a setting, and nothing else in the line.
fn is_setting(line: &str) -> bool {
    let line = line.trim();
    let line = ["export ", "- "].iter().find_map(|word| line.strip_prefix(word)).unwrap_or(line);
    let Some((name, value)) = line.split_once('=').or_else(|| line.split_once(": ")) else { return false };
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let is_variable = name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    // A name in small letters may be code, and then its value is a name as well.
    let is_no_name =
        is_variable || value.contains(|c: char| c.is_ascii_digit()) && !value.ends_with([',', ';', '{']);
    name.chars().all(is_word)
        && is_telling(name)
        && value.len() >= SHORTEST_VALUE
        && is_no_name
        && !value.contains(|c: char| c.is_whitespace() || "($<[".contains(c))
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
    fn x10_lines_of_source_that_hold_secrets_are_told_from_code_about_them() {
        for line in [
            r#"api_token = "a1b2c3d4""#,
            r#"  "password": "hunter22","#,
            r#"const API_KEY: &str = "a1b2c3d4";"#,
            "export GITHUB_TOKEN=a1b2c3d4",
            r#"let found = fetch("https://ann:pw@example.org/x");"#,
            r#"header("ghp_0123456789abcdef")"#,
            "-----BEGIN OPENSSH PRIVATE KEY-----",
            "  password: hunter22222",
            "db_password=abc1234",
            "  - API_TOKEN=a1b2c3d4",
            r#"let config = Config { user: "ann", password: "hunter22" };"#,
            r#"header("Authorization: Bearer a1b2c3d4e5f6a7b8c9")"#,
        ] {
            assert!(is_in_source(line), "{line}");
        }
        for line in [
            "let token = lexer.next();",
            "    token: Token,",
            "login(user, password=password)",
            r#"let token = "fn";"#,
            r#"if token == "a keyword" {"#,
            "TOKENS=$(cat list)",
            r#"let secret = hash("constant");"#,
            "token = token2",
            "    token: [u8; 32],",
            "password: String",
            "-----BEGIN PUBLIC KEY-----",
            r#"Config { password, name: "anything" }"#,
            "// Bearer of the flag",
        ] {
            assert!(!is_in_source(line), "{line}");
        }
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
