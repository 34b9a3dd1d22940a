//! Whether a log can be believed: its sections are those that phases wrote, and what they point at is there.

use crate::failure::Failure;
use crate::git::checkpoint::commit_exists;
use crate::model::investigation::Investigation;
use crate::model::outcome::{Pointer, PointerKind, file_of};
use crate::model::record::PhaseRecord;
use crate::model::rules::Rule;
use crate::report::log;
use crate::store::investigations;
use crate::store::layout::Layout;
use crate::store::packed;
use crate::store::transaction;
use crate::sys::files;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path};

/// What a check has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// Sections that are as phases wrote them.
    pub sections: usize,
    /// Pointers that lead somewhere.
    pub resolved: usize,
    /// Pointers into build artefacts that are gone, which happens.
    pub removed: Vec<String>,
    /// Pointers into results that a later phase has put others in the place of.
    pub replaced: Vec<String>,
    /// What is wrong.
    pub problems: Vec<String>,
}

/// Checks the log of `investigation`, which is `text`.
///
/// # Errors
/// `State` when the state folder cannot be read.
pub fn check(layout: &Layout, investigation: &Investigation, text: &str) -> Result<Checked, Failure> {
    let mut checked = Checked::default();
    let mut records = investigation.phases.iter().peekable();
    let mut ours = false;
    let foreign = investigations::was_foreign(layout, &investigation.id)?;
    for (line, piece) in log::pieces(text) {
        let hash = files::sha256_bytes(piece.as_bytes());
        let expected = records.peek().and_then(|record| record.section_sha256.as_ref());
        if expected == Some(&hash) {
            ours = true;
            checked.sections += 1;
            if let Some(record) = records.next() {
                checked.section(line, piece, record);
            }
        } else if ours || !foreign {
            let heading = piece.trim_start().lines().next().unwrap_or_default();
            checked.problems.push(format!("line {line}: {heading:?} is not what a phase wrote there"));
        }
    }
    for record in records {
        let name = record.phase.name();
        checked
            .problems
            .push(format!("the section of {name}, ended {}, is missing or was changed", record.finished_at));
    }
    for record in &investigation.phases {
        let findings =
            record.findings.iter().map(|finding| Pointer::new(PointerKind::File, finding.evidence.clone()));
        for pointer in record.evidence.iter().cloned().chain(findings) {
            checked.pointer(layout, investigation, record, &pointer);
        }
    }
    checked.results(layout, investigation);
    Ok(checked)
}

impl Checked {
    fn section(&mut self, line: usize, piece: &str, record: &PhaseRecord) {
        let section = match log::parse(piece).map(|mut sections| sections.pop()) {
            Ok(Some((section, _))) => section,
            Ok(None) => return self.problems.push(format!("line {line}: no section")),
            Err((at, why)) => return self.problems.push(format!("line {}: {why}", line + at)),
        };
        let name = record.phase.name();
        if section.phase != record.phase {
            self.problems
                .push(format!("line {line}: a section of {}, recorded for {name}", section.phase.name()));
        }
        let rules: Vec<Rule> = section.rules.iter().map(|check| check.rule).collect();
        if rules != Rule::ALL {
            self.problems
                .push(format!("line {line}: the section of {name} names {} of ten rules", rules.len()));
        }
        if section.evidence != record.evidence {
            self.problems
                .push(format!("line {line}: {name} has other evidence in the state than in its section"));
        }
    }

    /// Compares the results with what was stored last; those that are gone have a pointer that leads nowhere.
    fn results(&mut self, layout: &Layout, investigation: &Investigation) {
        let stored = investigation
            .phases
            .iter()
            .flat_map(|record| record.results.iter().map(move |file| (file.path.as_str(), (record, file))));
        for (path, (record, file)) in stored.collect::<BTreeMap<_, _>>() {
            if read(layout, investigation, path).is_ok_and(|held| files::sha256_bytes(&held) != file.sha256) {
                let name = record.phase.name();
                self.problems.push(format!("{name}: {path} is not what was stored {}", record.finished_at));
            }
        }
    }

    fn pointer(
        &mut self,
        layout: &Layout,
        investigation: &Investigation,
        record: &PhaseRecord,
        pointer: &Pointer,
    ) {
        let name = record.phase.name();
        if pointer.kind == PointerKind::File && investigation.is_replaced(record, file_of(&pointer.target)) {
            self.replaced.push(format!("{name}: {}", pointer.target));
            return;
        }
        let found = match pointer.kind {
            PointerKind::Command => Ok(()),
            PointerKind::Commit if commit_exists(&layout.root, &pointer.target) => Ok(()),
            PointerKind::Commit => Err("no such commit in this repository".to_owned()),
            PointerKind::File => resolve(&pointer.target, &|path| read(layout, investigation, path)),
        };
        match found {
            Ok(()) => self.resolved += 1,
            Err(_) if is_artefact(&pointer.target) => {
                self.removed.push(format!("{name}: {}", pointer.target));
            }
            Err(why) => self.problems.push(format!("{name}: {} leads nowhere: {why}", pointer.target)),
        }
    }
}

/// Build artefacts may be removed at any time.
fn is_artefact(target: &str) -> bool {
    Path::new(target).components().any(|part| part == Component::Normal("target".as_ref()))
}

/// What a file of the project holds: the state of the investigation is that of this one, wherever it lies, and
/// state files are seen as the next command will see them.
fn read(layout: &Layout, investigation: &Investigation, path: &str) -> Result<Vec<u8>, String> {
    let file = layout.root.join(path);
    match file.strip_prefix(&layout.folder).ok().and_then(Path::to_str) {
        Some(investigations::CURRENT) => serde_json::to_vec(investigation).map_err(|error| error.to_string()),
        Some(name) => {
            let held = transaction::peek(&layout.folder, name).map_err(|failure| failure.message)?;
            held.ok_or_else(|| "there is no such file".to_owned())
        }
        None => fs::read(file).map_err(|error| error.to_string()),
    }
}

/// Follows `path`, `path:line` or `path#/json/pointer`, below the root of the project.
fn resolve(target: &str, read: &dyn Fn(&str) -> Result<Vec<u8>, String>) -> Result<(), String> {
    let (path, pointer) = match target.split_once("#/") {
        Some((path, pointer)) => (path, Some(format!("/{pointer}"))),
        None => (target, None),
    };
    let inside =
        Path::new(path).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !inside {
        return Err("it leads out of the project".to_owned());
    }
    let numbered = path.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse::<usize>().ok()?)));
    let (text, line) = match (read(path), numbered) {
        (Ok(text), _) => (text, None),
        (Err(_), Some((file, line))) => (read(file)?, Some(line)),
        (Err(why), None) => return Err(why),
    };
    if let Some(line) = line {
        let lines = text.split(|byte| *byte == b'\n').count();
        if line == 0 || line > lines {
            return Err(format!("the file has {lines} lines"));
        }
    }
    match pointer {
        None => Ok(()),
        Some(pointer) => {
            let text = packed::unpack(text, path).map_err(|failure| failure.message)?;
            let value: Value = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
            value.pointer(&pointer).map(|_| ()).ok_or_else(|| format!("the file has no {pointer}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c06_pointers_lead_to_files_lines_and_values() {
        let read = |path: &str| match path {
            "a.json" => Ok(br#"{"b": [1], "c/d": 2}"#.to_vec()),
            "src/a.rs" | "./src/a.rs" => Ok(b"one\ntwo\n".to_vec()),
            "p.json.gz" => Ok(packed::pack(br#"{"b": [1]}"#).expect("packed")),
            _ => Err("there is no such file".to_owned()),
        };
        for target in ["a.json", "a.json#/b/0", "a.json#/c~1d", "src/a.rs:2", "./src/a.rs", "p.json.gz#/b/0"]
        {
            assert_eq!(resolve(target, &read), Ok(()), "{target}");
        }
        for target in [
            "b.json",
            "a.json#/b/1",
            "p.json.gz#/c",
            "src/a.rs:9",
            "src/a.rs:0",
            "src/a.rs#/x",
            "../a.json",
            "/etc/hosts",
        ] {
            assert!(resolve(target, &read).is_err(), "{target}");
        }
    }
}
