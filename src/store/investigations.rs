//! Investigations on disk: the current one in `investigation.json`, the others beside their logs.
//!
//! A file that cannot be understood is never taken for a missing one and never overwritten.

use super::layout::Layout;
use super::schemas;
use super::transaction::{self, Change, Guard, PATIENCE};
use crate::failure::{Context, Failure, FailureKind};
use crate::model::investigation::{Investigation, SCHEMA_VERSION, check_id};
use serde_json::Value;

/// The current investigation, relative to the state folder.
pub const CURRENT: &str = "investigation.json";
/// The folder of logs, and of investigations that are not current.
const FOLDER: &str = "investigations";
/// An investigation as it was read.
#[derive(Debug, Clone)]
pub struct Stored {
    /// What it says.
    pub investigation: Investigation,
    /// The bytes, when another program wrote them: this one keeps a copy before it changes anything.
    pub foreign: Option<Vec<u8>>,
}

/// The file of an investigation that is not current, relative to the state folder.
pub fn parked_name(id: &str) -> String {
    format!("{FOLDER}/{id}.json")
}

/// The log of an investigation, relative to the state folder.
pub fn log_name(id: &str) -> String {
    format!("{FOLDER}/{id}.md")
}

/// The copy of what another program wrote, relative to the state folder.
fn foreign_name(id: &str) -> String {
    format!("{FOLDER}/{id}.before.json")
}

/// The current investigation, read without waiting for anybody.
///
/// # Errors
/// `State` for a file that is damaged, newer, or no regular file.
pub fn current(layout: &Layout) -> Result<Option<Stored>, Failure> {
    let bytes = transaction::peek(&layout.folder, CURRENT)?;
    bytes.map(|bytes| read(layout, CURRENT, bytes)).transpose()
}

/// The investigation `id` that is not current, read without waiting for anybody.
///
/// # Errors
/// `Usage` for an id that is none; otherwise as [`current`].
pub fn aside(layout: &Layout, id: &str) -> Result<Option<Stored>, Failure> {
    check_id(id)?;
    let name = parked_name(id);
    let bytes = transaction::peek(&layout.folder, &name)?;
    bytes.map(|bytes| read(layout, &name, bytes)).transpose()
}

/// The current investigation, as the holder of the state sees it.
///
/// # Errors
/// As [`current`].
pub fn current_of(guard: &Guard, layout: &Layout) -> Result<Option<Stored>, Failure> {
    guard.read(CURRENT)?.map(|bytes| read(layout, CURRENT, bytes)).transpose()
}

/// That there is no investigation `id`.
pub fn unknown(id: &str) -> Failure {
    Failure::usage(format!("there is no investigation {id}")).hint("`cargo perf status --all` shows them")
}

/// An investigation in a list.
#[derive(Debug)]
pub struct Listed {
    /// Its id; the name of the file when that cannot be read.
    pub id: String,
    /// Whether it is the current one.
    pub current: bool,
    /// As it stands, or what is wrong with its file.
    pub found: Result<Investigation, Failure>,
}

/// All investigations, the current one first.
///
/// # Errors
/// `State` when the folder cannot be read.
pub fn all(layout: &Layout) -> Result<Vec<Listed>, Failure> {
    let mut listed = Vec::new();
    match current(layout) {
        Ok(None) => {}
        Ok(Some(Stored { investigation, .. })) => {
            listed.push(Listed { id: investigation.id.clone(), current: true, found: Ok(investigation) });
        }
        Err(failure) => listed.push(Listed { id: CURRENT.to_owned(), current: true, found: Err(failure) }),
    }
    for id in parked_ids(layout)? {
        let found = aside(layout, &id).transpose();
        let found = found.map(|stored| stored.map(|stored| stored.investigation));
        listed.extend(found.map(|found| Listed { id, current: false, found }));
    }
    Ok(listed)
}

fn parked_ids(layout: &Layout) -> Result<Vec<String>, Failure> {
    let names = transaction::peek_names(&layout.folder, FOLDER)?;
    let id = |name: &String| Some(name.strip_suffix(".json")?.to_owned());
    Ok(names.iter().filter_map(id).filter(|id| check_id(id).is_ok() && !id.ends_with(".before")).collect())
}

/// Whether another program wrote the investigation `id` before this one did.
///
/// # Errors
/// `State` when the state folder cannot be read.
pub fn was_foreign(layout: &Layout, id: &str) -> Result<bool, Failure> {
    Ok(transaction::peek(&layout.folder, &foreign_name(id))?.is_some())
}

/// The log of the investigation `id`; none before its first phase.
///
/// # Errors
/// `State` when it cannot be read.
pub fn log(layout: &Layout, id: &str) -> Result<Option<String>, Failure> {
    let name = log_name(id);
    let bytes = transaction::peek(&layout.folder, &name)?;
    let damaged = |_| Failure::state(format!("{} is no text", layout.shown_file(&name)));
    bytes.map(|bytes| String::from_utf8(bytes).map_err(damaged)).transpose()
}

/// Whether any investigation has this id.
pub fn exists(layout: &Layout, id: &str) -> bool {
    let has = |name: String| layout.folder.join(name).exists();
    has(parked_name(id)) || has(log_name(id))
}

/// Adds to `change` what makes `investigation` the current one, as its new state.
///
/// # Errors
/// `Bug` when it cannot be coded.
pub fn write(change: Change, stored: &Stored) -> Result<Change, Failure> {
    Ok(with_foreign(change, stored).write(CURRENT, code(&stored.investigation)?))
}

/// Adds to `change` the copy of what another program wrote.
fn with_foreign(change: Change, stored: &Stored) -> Change {
    match &stored.foreign {
        Some(bytes) => change.write(foreign_name(&stored.investigation.id), bytes.clone()),
        None => change,
    }
}

/// Adds to `change` what puts `investigation` aside, so that another one can be current.
///
/// # Errors
/// `Bug` when it cannot be coded.
pub fn park(change: Change, stored: &Stored) -> Result<Change, Failure> {
    Ok(with_foreign(change, stored)
        .write(parked_name(&stored.investigation.id), code(&stored.investigation)?))
}

/// Makes the parked investigation `id` the current one, and parks what was current; without an id nothing
/// is current any more. Returns what is current now.
///
/// # Errors
/// `Usage` for an id that is not there; `State` when the files cannot be read; `Environment` when they
/// cannot be written.
pub fn switch(layout: &Layout, id: Option<&str>) -> Result<Option<Investigation>, Failure> {
    let guard = Guard::take(&layout.folder, PATIENCE)?;
    let before = current_of(&guard, layout)?;
    if let Some(before) = before.as_ref().filter(|before| Some(before.investigation.id.as_str()) == id) {
        return Ok(Some(before.investigation.clone()));
    }
    // Under the lock of the guard, which has repaired what was left half done.
    let chosen = id.map(|id| aside(layout, id)?.ok_or_else(|| unknown(id))).transpose()?;
    let mut change = Change::new();
    match (&before, &chosen) {
        (None, None) => return Ok(None),
        (Some(before), _) => change = park(change, before)?,
        (None, Some(_)) => {}
    }
    change = match &chosen {
        Some(chosen) => {
            change.write(CURRENT, code(&chosen.investigation)?).remove(parked_name(&chosen.investigation.id))
        }
        None => change.remove(CURRENT),
    };
    guard.apply(change)?;
    Ok(chosen.map(|chosen| chosen.investigation))
}

fn code(investigation: &Investigation) -> Result<Vec<u8>, Failure> {
    let mut text = serde_json::to_vec_pretty(investigation)
        .context(FailureKind::Bug, || "the investigation cannot be coded".to_owned())?;
    text.push(b'\n');
    Ok(text)
}

fn read(layout: &Layout, name: &str, bytes: Vec<u8>) -> Result<Stored, Failure> {
    let shown = layout.shown_file(name);
    let damaged = |why: String| {
        Failure::state(format!("{shown} is damaged: {why}"))
            .hint("it is left as it is; restore it from version control, or move it away to begin anew")
    };
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    if let Some(version) = value["schemaVersion"].as_u64().filter(|version| *version > SCHEMA_VERSION) {
        return Err(Failure::state(format!(
            "{shown} has the schemaVersion {version}, of a newer version of this program, and is only read"
        ))
        .hint("update with `cargo install cargo-perf-lab`"));
    }
    let errors = schemas::errors_of::<Investigation>(&value)?;
    if !errors.is_empty() {
        return Err(damaged(errors.join("; ")));
    }
    let investigation: Investigation =
        serde_json::from_value(value.clone()).map_err(|error| damaged(error.to_string()))?;
    if investigation.schema_version != SCHEMA_VERSION {
        return Err(damaged(format!(
            "/schemaVersion: {} is not {SCHEMA_VERSION}",
            investigation.schema_version
        )));
    }
    check_id(&investigation.id).map_err(|failure| damaged(format!("/id: {failure}")))?;
    // The format had no records of phases at its beginning.
    let foreign = value.get("phases").is_none().then_some(bytes);
    Ok(Stored { investigation, foreign })
}
