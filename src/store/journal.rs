//! `.journal.json`: what a change of several files is about to do, complete before it is begun.
//!
//! It exists only while such a change is under way. Who finds one finds the work of a killed process.

use super::place::{self, Name};
use crate::failure::Failure;
use crate::model::format::{CURRENT, SchemaVersion};
use crate::sys::files::{self, Draft};
use crate::sys::regular;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Its name in the state folder.
pub const FILE: &str = ".journal.json";
const SCHEMA: &str = "cargo-perf/journal";
const PIECE: usize = 64 * 1024;

/// One file, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit<'b> {
    /// Which file.
    pub name: Name,
    /// SHA-256 of what it was; none when there was no file.
    pub old: Option<String>,
    /// What it will be; none when it is removed.
    pub new: Option<Content<'b>>,
}

/// The content of a file, hashed once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content<'b> {
    /// All of it.
    pub bytes: Cow<'b, [u8]>,
    sha256: String,
}

impl<'b> Content<'b> {
    /// Hashes `bytes`.
    pub fn new(bytes: impl Into<Cow<'b, [u8]>>) -> Self {
        let bytes = bytes.into();
        Self { sha256: files::sha256_bytes(&bytes), bytes }
    }
}

impl Edit<'_> {
    fn new_sha256(&self) -> Option<&String> {
        self.new.as_ref().map(|content| &content.sha256)
    }
}

/// A change of several files, as it is on disk.
#[derive(Debug, Serialize, Deserialize)]
struct Document<'b> {
    schema: String,
    schema_version: SchemaVersion,
    files: Vec<Entry<'b>>,
    /// SHA-256 over names and hashes; the contents have hashes of their own.
    sha256: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry<'b> {
    name: String,
    old: Option<String>,
    new: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'b, str>>,
    /// Content that is no UTF-8, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    schema: String,
    schema_version: SchemaVersion,
}

/// Drafts the journal in `folder` with these edits.
///
/// # Errors
/// `Environment`; nothing is left behind then.
pub fn draft(folder: &Path, edits: &[Edit<'_>]) -> Result<Draft, Failure> {
    files::draft_with(&folder.join(FILE), |file| {
        // Contents may be long: they are coded piece by piece and never as one more copy.
        let mut pieces = BufWriter::with_capacity(PIECE, file);
        encode(edits, &mut pieces)?;
        pieces.flush()
    })
}

fn encode(edits: &[Edit<'_>], to: impl Write) -> io::Result<()> {
    let entries: Vec<Entry<'_>> = edits.iter().map(entry).collect();
    let sha256 = seal(&entries);
    let document = Document { schema: SCHEMA.to_owned(), schema_version: CURRENT, files: entries, sha256 };
    Ok(serde_json::to_writer(to, &document)?)
}

fn entry<'b>(edit: &'b Edit<'_>) -> Entry<'b> {
    let content = edit.new.as_ref().map(|content| &*content.bytes);
    let text = content.map(std::str::from_utf8);
    Entry {
        name: edit.name.as_str().to_owned(),
        old: edit.old.clone(),
        new: edit.new_sha256().cloned(),
        text: text.and_then(Result::ok).map(Cow::Borrowed),
        hex: content.filter(|_| text.is_some_and(|text| text.is_err())).map(to_hex),
    }
}

/// The bytes of the journal in `folder`; none when there is none.
///
/// # Errors
/// `State` when something else than a file has its name, or it cannot be read.
pub fn read(folder: &Path) -> Result<Option<Vec<u8>>, Failure> {
    regular::read(&folder.join(FILE))
}

/// The edits of a journal that was found in `folder`.
///
/// # Errors
/// `State` when it is damaged or was written by a newer version.
pub fn decode(folder: &Path, bytes: &[u8]) -> Result<Vec<Edit<'static>>, Failure> {
    let shown = folder.join(FILE).display().to_string();
    let damaged = |why: &str| {
        Failure::state(format!("{shown}, which a killed process has left, is damaged: {why}")).hint(format!(
            "restore {} from version control if it is kept there, then remove {shown}",
            folder.display()
        ))
    };
    let header: Header = serde_json::from_slice(bytes).map_err(|error| damaged(&error.to_string()))?;
    if header.schema != SCHEMA {
        return Err(damaged(&format!("its schema is not {SCHEMA}")));
    }
    if header.schema_version.major > CURRENT.major {
        let newer = format!("{shown} was left by a killed process of a newer version of this program");
        return Err(Failure::state(newer).hint("update with `cargo install cargo-perf-lab`"));
    }
    let document: Document<'static> =
        serde_json::from_slice(bytes).map_err(|error| damaged(&error.to_string()))?;
    if seal(&document.files) != document.sha256 {
        return Err(damaged("names or hashes are not those that were written"));
    }
    let edits: Result<Vec<_>, _> = document.files.into_iter().map(edit).collect();
    let edits = edits.map_err(|why| damaged(&why))?;
    match place::overlap(&edits.iter().map(|edit| &edit.name)) {
        Some(name) => Err(damaged(&format!("{name} occurs twice"))),
        None => Ok(edits),
    }
}

fn edit(entry: Entry<'static>) -> Result<Edit<'static>, String> {
    let name =
        Name::new(&entry.name).map_err(|why| format!("{:?} cannot be a file's name: {why}", entry.name))?;
    let content = match (entry.text, entry.hex) {
        (Some(text), None) => Some(text.into_owned().into_bytes()),
        (None, Some(hex)) => Some(from_hex(&hex).ok_or("a content is not in hexadecimal digits")?),
        (None, None) => None,
        (Some(_), Some(_)) => return Err(format!("{} has two contents", entry.name)),
    };
    let edit = Edit { name, old: entry.old, new: content.map(Content::new) };
    if edit.new_sha256() != entry.new.as_ref() {
        return Err(format!("the content of {} is not what was written", entry.name));
    }
    Ok(edit)
}

/// Makes sure that the edits can be made, as often as it takes: each file is as it was, or as it will be.
///
/// # Errors
/// `State` when somebody changed a file since, and when something else stands in its place.
pub fn check(folder: &Path, edits: &[Edit<'_>]) -> Result<(), Failure> {
    for edit in edits {
        let now = edit.name.sha256(folder)?;
        if now != edit.old && now.as_ref() != edit.new_sha256() {
            return Err(edited(folder, &edit.name));
        }
    }
    Ok(())
}

fn edited(folder: &Path, name: &Name) -> Failure {
    let file = name.within(folder);
    let journal = folder.join(FILE);
    Failure::state(format!(
        "{} was changed after a process that was about to write it had been killed",
        file.display()
    ))
    .hint(format!(
        "restore {} from version control to have the interrupted change completed, or remove {} to keep all files as they are now",
        file.display(),
        journal.display()
    ))
}

fn seal(entries: &[Entry<'_>]) -> String {
    let mut text = Vec::new();
    for Entry { name, old, new, .. } in entries {
        let hash = |hash: &Option<String>| hash.clone().unwrap_or_else(|| "none".to_owned());
        // Writing to memory cannot fail. No name holds a NUL.
        let _ = writeln!(text, "{name}\0{}\0{}", hash(old), hash(new));
    }
    files::sha256_bytes(&text)
}

fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureKind;
    use serde_json::{Value, json};

    fn edits() -> Vec<Edit<'static>> {
        let edit = |name: &str, old: Option<&str>, new: Option<&'static [u8]>| Edit {
            name: Name::new(name).expect("a name"),
            old: old.map(str::to_owned),
            new: new.map(Content::new),
        };
        vec![
            edit("state.json", Some("1f"), Some("{\"a\": \"ü\\u0000\"}\n".as_bytes())),
            edit("artifacts/x.gz", None, Some(&[0, 159, 146, 150, 255])),
            edit("gone", Some("2e"), None),
            edit("empty", None, Some(b"")),
        ]
    }

    fn encoded() -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(&edits(), &mut bytes).expect("coded");
        bytes
    }

    fn decoded(bytes: &[u8]) -> Result<Vec<Edit<'static>>, Failure> {
        decode(Path::new("perf"), bytes)
    }

    #[test]
    fn text_binary_empty_and_removed_files_come_back_as_they_were() {
        assert_eq!(decoded(&encoded()).expect("decoded"), edits());
    }

    #[test]
    fn every_change_of_a_journal_is_found() {
        let bytes = encoded();
        for length in 0..bytes.len() {
            assert_eq!(decoded(&bytes[..length]).expect_err("torn").kind, FailureKind::State, "{length}");
        }
        let whole: Value = serde_json::from_slice(&bytes).expect("JSON");
        let changes = [
            ("/schema", json!("other")),
            ("/files/0/name", json!("../../.bashrc")),
            ("/files/0/name", json!("other.json")),
            ("/files/0/old", json!("00")),
            ("/files/0/new", Value::Null),
            ("/files/0/text", json!("another")),
            ("/files/0/text", Value::Null),
            ("/files/1/hex", json!("00f")),
            ("/files/1/hex", json!("zz")),
            ("/files/2/text", json!("")),
            ("/files", json!([])),
            ("/sha256", json!("")),
        ];
        for (pointer, value) in changes {
            let mut other = whole.clone();
            match other.pointer_mut(pointer) {
                Some(place) => *place = value,
                // The one key that is not there.
                None => other["files"][2]["text"] = value,
            }
            let failure = decoded(&serde_json::to_vec(&other).expect("coded")).expect_err(pointer);
            assert!(failure.message.contains("damaged"), "{pointer}: {failure}");
        }
    }

    #[test]
    fn a_name_that_leads_out_is_refused_even_with_a_valid_seal() {
        let mut entry = Entry { name: "../x".into(), old: None, new: None, text: None, hex: None };
        let document = |entry: &Entry<'_>| {
            json!({"schema": SCHEMA, "schema_version": CURRENT, "files": [entry],
                "sha256": seal(std::slice::from_ref(entry))})
        };
        let coded = serde_json::to_vec(&document(&entry)).expect("coded");
        assert!(decoded(&coded).expect_err("refused").message.contains("leads out"));
        entry.name = "x".to_owned();
        assert!(decoded(&serde_json::to_vec(&document(&entry)).expect("coded")).is_ok());
    }

    #[test]
    fn a_newer_journal_is_said_to_be_newer() {
        let newer = json!({"schema": SCHEMA, "schema_version": {"major": 2, "minor": 0}, "moves": []});
        let failure = decoded(&serde_json::to_vec(&newer).expect("coded")).expect_err("refused");
        assert!(failure.message.contains("newer version"), "{failure}");
        assert!(failure.hint.is_some_and(|hint| hint.contains("cargo install")));
    }
}
