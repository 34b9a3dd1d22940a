//! Trees with and without the state folder.

use super::reason::{Reason, Stop, unwritten};
use git2::{Index, IndexEntry, IndexTime, ObjectType, Oid, Repository, Tree};

/// The mode of a plain file.
pub(in crate::git) const PLAIN: u32 = 0o100_644;
/// The mode of an executable file.
pub(in crate::git) const EXECUTABLE: u32 = 0o100_755;
/// The mode of a folder.
const FOLDER: i32 = 0o040_000;

/// A file as a tree holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::git) struct Held {
    /// Relative to the state folder.
    pub path: Vec<u8>,
    /// Its blob.
    pub id: Oid,
    /// Its mode in git.
    pub mode: u32,
}

/// The files that `tree` holds below `parts`.
///
/// # Errors
/// `Outside` when something that is no folder stands on the way: a submodule, a file, a link.
pub(in crate::git) fn held(
    repository: &Repository,
    tree: Option<&Tree<'_>>,
    parts: &[&[u8]],
) -> Result<Vec<Held>, Stop> {
    let Some(tree) = tree else { return Ok(Vec::new()) };
    if let Some((part, rest)) = parts.split_first() {
        let inner = folder_of(repository, tree, part)?;
        return held(repository, inner.as_ref(), rest);
    }
    let mut found = Vec::new();
    collect(repository, tree, &[], &mut found)?;
    Ok(found)
}

fn collect(
    repository: &Repository,
    tree: &Tree<'_>,
    before: &[u8],
    found: &mut Vec<Held>,
) -> Result<(), git2::Error> {
    for entry in tree {
        let path = [before, entry.name_bytes()].concat();
        if entry.kind() == Some(ObjectType::Tree) {
            collect(repository, &repository.find_tree(entry.id())?, &[&path, &b"/"[..]].concat(), found)?;
        } else {
            found.push(Held { path, id: entry.id(), mode: entry.filemode().cast_unsigned() });
        }
    }
    Ok(())
}

fn folder_of<'r>(repository: &'r Repository, tree: &Tree<'_>, part: &[u8]) -> Result<Option<Tree<'r>>, Stop> {
    match tree.iter().find(|entry| entry.name_bytes() == part) {
        None => Ok(None),
        Some(entry) if entry.kind() == Some(ObjectType::Tree) => Ok(Some(repository.find_tree(entry.id())?)),
        Some(_) => Err(Reason::Outside.into()),
    }
}

/// Writes `base` with exactly `files` below `parts`, and returns the tree.
pub(in crate::git) fn write(
    repository: &Repository,
    base: Option<&Tree<'_>>,
    parts: &[&[u8]],
    files: &[Held],
) -> Result<Oid, Stop> {
    let state = folder(repository, files)?;
    match replaced(repository, base, parts, state)? {
        Some(tree) => Ok(tree),
        None => Ok(repository.treebuilder(None)?.write().map_err(|error| unwritten(&error))?),
    }
}

/// A tree of these files; `None` when there are none, because git keeps no empty folders.
fn folder(repository: &Repository, files: &[Held]) -> Result<Option<Oid>, Stop> {
    if files.is_empty() {
        return Ok(None);
    }
    let mut index = Index::new()?;
    for file in files {
        index.add(&blank_entry(file))?;
    }
    Ok(Some(index.write_tree_to(repository).map_err(|error| unwritten(&error))?))
}

/// An entry of an index that says nothing of a file on disk.
pub(in crate::git) fn blank_entry(file: &Held) -> IndexEntry {
    IndexEntry {
        ctime: IndexTime::new(0, 0),
        mtime: IndexTime::new(0, 0),
        dev: 0,
        ino: 0,
        mode: file.mode,
        uid: 0,
        gid: 0,
        file_size: 0,
        id: file.id,
        flags: 0,
        flags_extended: 0,
        path: file.path.clone(),
    }
}

fn replaced(
    repository: &Repository,
    base: Option<&Tree<'_>>,
    parts: &[&[u8]],
    state: Option<Oid>,
) -> Result<Option<Oid>, Stop> {
    let Some((part, rest)) = parts.split_first() else { return Ok(state) };
    let inner = base.map(|base| folder_of(repository, base, part)).transpose()?.flatten();
    let inner_tree = replaced(repository, inner.as_ref(), rest, state)?;
    let mut builder = repository.treebuilder(base)?;
    match inner_tree {
        Some(tree) => {
            builder.insert(*part, tree, FOLDER)?;
        }
        None if inner.is_some() => builder.remove(*part)?,
        None => {}
    }
    if builder.is_empty() {
        return Ok(None);
    }
    Ok(Some(builder.write().map_err(|error| unwritten(&error))?))
}

/// What `tree` holds besides `parts`, in a form that is equal for equal content; empty when there is
/// nothing else.
pub(in crate::git) fn described_without(
    repository: &Repository,
    tree: &Tree<'_>,
    parts: &[&[u8]],
) -> Result<Vec<u8>, git2::Error> {
    let mut text = Vec::new();
    for entry in tree {
        let way = parts.split_first().filter(|(part, _)| **part == entry.name_bytes());
        let inner = match way {
            Some((_, [])) => continue,
            Some((_, rest)) if entry.kind() == Some(ObjectType::Tree) => {
                described_without(repository, &repository.find_tree(entry.id())?, rest)?
            }
            _ => entry.id().to_string().into_bytes(),
        };
        if !inner.is_empty() {
            let mode = format!("{:06o} ", entry.filemode());
            text.extend([mode.as_bytes(), entry.name_bytes(), b"\0", &inner, b"\n"].concat());
        }
    }
    Ok(text)
}
