//! What decides over a build and is in no revision: configuration of cargo above the repository, and the toolchain
//! that was chosen before anything was checked out.

use crate::model::comparison::{SideName, Sides};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Where cargo looks for its configuration, in each folder above the one it is called in.
const CONFIGURATIONS: [&str; 2] = [".cargo/config.toml", ".cargo/config"];
/// Where rustup looks for the toolchain.
const TOOLCHAINS: [&str; 2] = ["rust-toolchain", "rust-toolchain.toml"];
/// By which rustup passes on the toolchain that it has chosen.
const CHOSEN: &str = "RUSTUP_TOOLCHAIN";

/// What should be known beside the verdicts, in words: whatever would be otherwise in a build of the work tree at its
/// own place, or in a checkout of its own.
pub fn notes(work_tree: &Path, checkouts: &Sides<PathBuf>) -> Vec<String> {
    let mut notes = Vec::new();
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    notes.extend(configuration_above(work_tree, &checkouts.base, home.as_deref()).map(|path| {
        format!(
            "{} holds above the repository only, so neither side is built with it",
            above(work_tree, &path)
        )
    }));
    let Ok(chosen) = env::var(CHOSEN) else { return notes };
    for side in SideName::BOTH {
        notes.extend(other_toolchain(checkouts.of(side), &chosen).map(|(file, channel)| {
            format!(
                "{}: {file} asks for the toolchain {channel}, and it is built with {chosen} as the other side is",
                side.name()
            )
        }));
    }
    notes
}

/// `path`, which lies in a folder above the work tree, as it is found from there: results are passed on, and where a
/// repository lies is nobody's business.
fn above(work_tree: &Path, path: &Path) -> String {
    let folder = path.parent().and_then(Path::parent).unwrap_or(path);
    let levels = work_tree.strip_prefix(folder).map_or(1, |rest| rest.components().count());
    let inside = path.strip_prefix(folder).unwrap_or(path);
    format!("{}{}", "../".repeat(levels), inside.display())
}

/// A configuration that cargo merges in the work tree and not in a checkout.
fn configuration_above(work_tree: &Path, checkout: &Path, home: Option<&Path>) -> Option<PathBuf> {
    let is_merged_anyway = |folder: &Path| {
        let folder_of_all = folder.join(".cargo");
        checkout.starts_with(folder) || home.is_some_and(|home| home == folder_of_all)
    };
    let above = work_tree.ancestors().skip(1).filter(|folder| !is_merged_anyway(folder));
    above.flat_map(|folder| CONFIGURATIONS.map(|name| folder.join(name))).find(|path| path.is_file())
}

/// The file of a checkout that asks for another toolchain than the one that was chosen, and which.
fn other_toolchain(checkout: &Path, chosen: &str) -> Option<(&'static str, String)> {
    let found = TOOLCHAINS.iter().find_map(|name| {
        let text = fs::read_to_string(checkout.join(name)).ok()?;
        Some((*name, channel(&text)?))
    });
    found.filter(|(_, channel)| !chosen.starts_with(channel.as_str()))
}

/// The toolchain that a file asks for, in its old form or in its new one.
fn channel(text: &str) -> Option<String> {
    let table: Option<toml::Table> = text.parse().ok();
    match table {
        Some(table) => Some(table.get("toolchain")?.get("channel")?.as_str()?.to_owned()),
        None => text.lines().next().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::files::write_atomic;

    #[test]
    fn channels_are_read_in_both_forms() {
        assert_eq!(channel("1.80.0\n"), Some("1.80.0".to_owned()));
        assert_eq!(
            channel("[toolchain]\nchannel = \"nightly-2026-01-01\"\n").as_deref(),
            Some("nightly-2026-01-01")
        );
        assert_eq!(channel("[toolchain]\ncomponents = []\n"), None);
        assert_eq!(channel(""), None);
    }

    #[test]
    fn only_another_toolchain_is_worth_a_word() {
        let folder = tempfile::tempdir().expect("a folder");
        let chosen = "1.95.0-x86_64-unknown-linux-gnu";
        assert_eq!(other_toolchain(folder.path(), chosen), None);
        write_atomic(&folder.path().join("rust-toolchain"), b"1.95\n").expect("written");
        assert_eq!(other_toolchain(folder.path(), chosen), None);
        write_atomic(&folder.path().join("rust-toolchain"), b"1.80.0\n").expect("written");
        assert_eq!(other_toolchain(folder.path(), chosen), Some(("rust-toolchain", "1.80.0".to_owned())));
    }

    #[test]
    fn what_lies_above_is_named_from_the_work_tree() {
        let shown = above(Path::new("/home/ann/work/tree"), Path::new("/home/ann/.cargo/config.toml"));
        assert_eq!(shown, "../../.cargo/config.toml");
    }

    #[test]
    fn configuration_is_named_when_it_holds_for_the_work_tree_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let above = folder.path().join("work");
        let (tree, checkout) = (above.join("tree"), folder.path().join("cache/a"));
        assert_eq!(configuration_above(&tree, &checkout, None), None);
        let file = above.join(".cargo/config.toml");
        write_atomic(&file, b"").expect("written");
        assert_eq!(configuration_above(&tree, &checkout, None), Some(file));
        assert_eq!(configuration_above(&tree, &above.join("cache/a"), None), None);
        assert_eq!(configuration_above(&tree, &checkout, Some(&above.join(".cargo"))), None);
    }
}
