//! The layers of `src/lib.rs` hold, files stay short, and the checker itself is proven by planted
//! violations.

use libtest_mimic::Trial;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Longer files are split by meaning.
const LONGEST_FILE: usize = 600;

/// The tests of this file.
pub fn trials() -> Vec<Trial> {
    let test = |name: &str, run: fn()| {
        Trial::test(name, move || {
            run();
            Ok(())
        })
    };
    vec![
        test("a_module_names_lower_layers_only", no_violations),
        test("an_upward_reference_is_found", planted_upward),
        test("a_sideways_reference_is_found", planted_sideways),
        test("a_reference_through_super_is_found", planted_super),
        test("a_file_outside_the_layers_is_found", planted_stray),
        test("comments_and_texts_are_no_references", blanked),
        test("no_file_is_longer_than_600_lines", short_files),
        test("every_folder_module_is_described", described_folders),
    ]
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn no_violations() {
    let found = violations(&root().join("src"));
    assert!(found.is_empty(), "move the type down or the glue up:\n{}", found.join("\n"));
}

fn planted_upward() {
    plant(
        "stats/summary.rs",
        "fn planted() {\n    let _ = crate::lab::plan::choose;\n}\n",
        2,
        "upward to lab",
    );
}

fn planted_sideways() {
    let tree = "use crate::{\n    failure::Failure, // allowed\n    git::{head, Head},\n};\n";
    plant("bench/harness.rs", tree, 3, "sideways to git");
}

fn planted_super() {
    plant("model/units.rs", "use super::super::report::block;\n", 1, "upward to report");
}

fn planted_stray() {
    let copy = copy_of_src();
    append(&copy.path().join("src/stray/mod.rs"), "//! Belongs nowhere.\n");
    let found = violations(&copy.path().join("src"));
    assert_eq!(found, ["src/stray/mod.rs:1: stray is in no layer of src/lib.rs"]);
}

fn blanked() {
    let code = "a /* x /* y */ z */ b // crate::cli\n\"crate::\\\"cli\" '\"' r#\"\"crate::cli\"# 'a c";
    assert_eq!(blank(code).split_whitespace().collect::<Vec<_>>(), ["a", "b", "'a", "c"]);
    assert_eq!(blank(code).lines().count(), code.lines().count());
}

fn short_files() {
    let folders = ["src", "harness/src", "tests", "benches"].map(|folder| root().join(folder));
    let long: Vec<String> = folders
        .iter()
        .flat_map(|folder| rust_files(folder))
        .map(|path| (fs::read_to_string(&path).expect("readable").lines().count(), path))
        .filter(|(lines, _)| *lines > LONGEST_FILE)
        .map(|(lines, path)| format!("{} has {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "split by meaning: {}", long.join(", "));
}

fn described_folders() {
    let text = fs::read_to_string(root().join("docs/architecture.md")).expect("docs/architecture.md");
    for path in rust_files(&root().join("src")).iter().filter(|path| path.ends_with("mod.rs")) {
        let shown = path.strip_prefix(root()).expect("below the root").display().to_string();
        assert!(text.contains(&shown), "docs/architecture.md does not name {shown}");
    }
}

/// Appends `code` to a file of a copy of src; the violation must be found in line `line` of it.
fn plant(file: &str, code: &str, line: usize, direction: &str) {
    let copy = copy_of_src();
    let path = copy.path().join("src").join(file);
    let before = fs::read_to_string(&path).expect("readable").lines().count();
    append(&path, code);
    let found = violations(&copy.path().join("src"));
    let place = format!("src/{file}:{}: ", before + line);
    assert!(
        matches!(found.as_slice(), [one] if one.starts_with(&place) && one.contains(direction)),
        "expected one violation at {place}{direction}, found {found:?}"
    );
}

fn copy_of_src() -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a temporary folder");
    for from in rust_files(&root().join("src")) {
        let to = copy.path().join(from.strip_prefix(root()).expect("below the root"));
        fs::create_dir_all(to.parent().expect("a folder")).expect("created");
        fs::copy(from, to).expect("copied");
    }
    copy
}

fn append(path: &Path, text: &str) {
    use std::io::Write;
    fs::create_dir_all(path.parent().expect("a folder")).expect("created");
    let mut file = fs::File::options().create(true).append(true).open(path).expect("opened");
    file.write_all(text.as_bytes()).expect("written");
}

/// All references that point up or sideways among the layers that `src/lib.rs` declares.
fn violations(src: &Path) -> Vec<String> {
    let layers = layers(&fs::read_to_string(src.join("lib.rs")).expect("lib.rs"));
    let mut found = Vec::new();
    for path in rust_files(src) {
        let inner = path.strip_prefix(src).expect("below src");
        let parts: Vec<&str> = inner.iter().map(|part| part.to_str().expect("UTF-8")).collect();
        if parts == ["lib.rs"] || parts == ["main.rs"] || parts[0] == "bin" {
            continue;
        }
        let module = parts[0].trim_end_matches(".rs");
        let Some(layer) = layers.get(module) else {
            found.push(format!("src/{}:1: {module} is in no layer of src/lib.rs", inner.display()));
            continue;
        };
        let depth = parts.iter().filter(|part| **part != "mod.rs").count();
        let code = blank(&fs::read_to_string(&path).expect("readable"));
        for Reference { line, name, root } in references(&code, depth) {
            let direction = match layers.get(name) {
                _ if name == module => continue,
                Some(other) if other < layer => continue,
                Some(other) if other == layer => "sideways",
                Some(_) => "upward",
                // Inside a nested `mod`, as many `super` as leave the file lead to an item of it.
                None if root == Root::Super => continue,
                None => "astray",
            };
            found.push(format!("src/{}:{line}: {module} reaches {direction} to {name}", inner.display()));
        }
    }
    found
}

/// The number of each module's layer, the lowest first, from `// Layer:` lines and `pub mod` lines.
fn layers(lib: &str) -> BTreeMap<String, usize> {
    let mut layers = BTreeMap::new();
    let mut layer = 0;
    for line in lib.lines().map(str::trim) {
        if line.starts_with("// Layer:") {
            layer += 1;
        }
        if let Some(name) = line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';')) {
            assert!(layer > 0, "src/lib.rs: {name} stands before the first `// Layer:`");
            layers.insert(name.to_owned(), layer);
        }
    }
    assert!(layers.len() > 1, "src/lib.rs declares no layers");
    layers
}

/// A name directly below the crate's root.
struct Reference<'a> {
    line: usize,
    name: &'a str,
    root: Root,
}

/// How a path reaches the crate's root.
#[derive(Clone, Copy, PartialEq)]
enum Root {
    Crate,
    Super,
}

/// What blanked code names through `crate::`, use trees included, and through as many `super::` as
/// lead out of a file that is `depth` modules deep.
fn references(code: &str, depth: usize) -> Vec<Reference<'_>> {
    let words = tokens(code);
    let word = |index: usize| words.get(index).map_or("", |(_, word)| *word);
    let mut found = Vec::new();
    let mut index = 0;
    while index < words.len() {
        let steps =
            (index..).step_by(2).take_while(|at| word(*at) == "super" && word(at + 1) == "::").count();
        let (root, start) = match word(index) {
            "crate" if word(index + 1) == "::" => (Some(Root::Crate), index + 2),
            _ if steps >= depth => (Some(Root::Super), index + 2 * steps),
            _ => (None, index + (2 * steps).max(1)),
        };
        if let Some(root) = root {
            let names = roots(&words, start).into_iter().map(|at| words[at]);
            found.extend(names.map(|(line, name)| Reference { line, name, root }));
        }
        index = start;
    }
    found
}

/// The indices of the names directly behind a path's root: one, or those on the first level of a tree.
fn roots(words: &[(usize, &str)], start: usize) -> Vec<usize> {
    if words.get(start).is_none_or(|(_, word)| *word != "{") {
        return words.get(start).map(|_| start).into_iter().collect();
    }
    let mut level = 0;
    let mut expected = false;
    let mut found = Vec::new();
    for (index, (_, word)) in words.iter().enumerate().skip(start) {
        match *word {
            "{" => {
                level += 1;
                expected = level == 1;
            }
            "}" => {
                level -= 1;
                if level == 0 {
                    break;
                }
            }
            "," => expected = level == 1,
            _ if expected => {
                found.push(index);
                expected = false;
            }
            _ => {}
        }
    }
    found
}

/// Words and marks with their lines; `::` is one mark.
fn tokens(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            let length = match first {
                c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
                ':' if rest.starts_with("::") => 2,
                c => c.len_utf8(),
            };
            if !first.is_whitespace() {
                found.push((index + 1, &rest[..length]));
            }
            rest = &rest[length..];
        }
    }
    found
}

/// The code with comments and literals replaced by spaces; lines stay where they are.
fn blank(code: &str) -> String {
    let mut blanked = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        if let Some(length) = literal(rest) {
            blanked.extend(rest[..length].chars().map(|c| if c == '\n' { c } else { ' ' }));
            rest = &rest[length..];
        } else {
            // A whole word at once, so that the `r` in `for` opens no raw string.
            let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let length = word.max(first.len_utf8());
            blanked.push_str(&rest[..length]);
            rest = &rest[length..];
        }
    }
    blanked
}

/// The length of the comment or literal that `code` begins with.
fn literal(code: &str) -> Option<usize> {
    let closed_by =
        |from: usize, end: &str| code[from..].find(end).map_or(code.len(), |at| from + at + end.len());
    let raw = code.trim_start_matches(['b', 'c']);
    let prefix = code.len() - raw.len();
    let hashes = raw.strip_prefix('r').map(|rest| rest.len() - rest.trim_start_matches('#').len());
    if code.starts_with("//") {
        return Some(code.find('\n').unwrap_or(code.len()));
    }
    if code.starts_with("/*") {
        return Some(block_comment(code));
    }
    if let Some(hashes) = hashes.filter(|hashes| prefix < 2 && raw[1 + hashes..].starts_with('"')) {
        return Some(closed_by(prefix + hashes + 2, &format!("\"{}", "#".repeat(hashes))));
    }
    if prefix < 2 && raw.starts_with('"') {
        return Some(prefix + quoted(raw));
    }
    character(code)
}

fn block_comment(code: &str) -> usize {
    let (mut level, mut at) = (0, 0);
    while at < code.len() {
        let rest = &code.as_bytes()[at..];
        match rest {
            [b'/', b'*', ..] => (level, at) = (level + 1, at + 2),
            [b'*', b'/', ..] => (level, at) = (level - 1, at + 2),
            _ => at += 1,
        }
        if level == 0 {
            break;
        }
    }
    at
}

fn quoted(code: &str) -> usize {
    let mut escaped = false;
    for (at, c) in code.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// A character literal; a lifetime is none.
fn character(code: &str) -> Option<usize> {
    let inner = code.strip_prefix('\'')?;
    let mut chars = inner.char_indices();
    match chars.next()?.1 {
        // What is escaped may itself be a quote.
        '\\' => inner.char_indices().skip(2).find(|(_, c)| *c == '\'').map(|(at, _)| at + 2),
        _ => chars.next().filter(|(_, c)| *c == '\'').map(|(at, _)| at + 2),
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        for path in entries.map(|entry| entry.expect("readable").path()) {
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
