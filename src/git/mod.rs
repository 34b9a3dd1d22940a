//! The git repository around the workspace: what is checked out, whether it changes, and the commits that
//! end a phase.
//!
//! It knows nothing of phases and state files; paths come as arguments.

pub mod change;
pub mod checkout;
pub mod checkpoint;
pub mod clean;
mod dirty;
mod index;
mod on_disk;
mod place;
mod program;
mod reason;
pub mod revision;
mod subject;
mod tip;
mod tree;

use git2::{Repository, StatusOptions};
use std::path::Path;

/// What is checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The commit, in full.
    pub commit: String,
    /// Whether tracked files outside the state folder differ from it.
    pub dirty: bool,
}

impl Head {
    /// The first seven digits of the commit.
    pub fn short(&self) -> &str {
        &self.commit[..self.commit.len().min(7)]
    }
}

/// What is checked out in the repository that holds `root`.
///
/// `None` outside a repository, before the first commit, and for repositories of a form that libgit2
/// does not open: then the commit is unknown, which is said in the result and hinders nothing.
pub fn head(root: &Path, state_folder: &Path) -> Option<Head> {
    let repository = Repository::discover(root).ok()?;
    let commit = repository.head().ok()?.peel_to_commit().ok()?.id().to_string();
    let dirty = is_dirty(&repository, state_folder)?;
    Some(Head { commit, dirty })
}

fn is_dirty(repository: &Repository, state_folder: &Path) -> Option<bool> {
    let mut options = StatusOptions::new();
    options.include_untracked(false).include_ignored(false);
    let statuses = repository.statuses(Some(&mut options)).ok()?;
    let work_tree = repository.workdir()?;
    let outside = |path: &str| !work_tree.join(path).starts_with(state_folder);
    Some(statuses.iter().any(|entry| entry.path().is_ok_and(outside)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::files::write_atomic;
    use git2::Signature;

    fn commit_all(repository: &Repository) {
        let mut index = repository.index().expect("an index");
        index.add_all(["*"], git2::IndexAddOption::DEFAULT, None).expect("added");
        index.write().expect("written");
        let tree = repository.find_tree(index.write_tree().expect("a tree")).expect("found");
        let author = Signature::now("ann", "ann@example.org").expect("a signature");
        repository.commit(Some("HEAD"), &author, &author, "first", &tree, &[]).expect("committed");
    }

    #[test]
    fn a_changed_tracked_file_makes_the_tree_dirty_and_state_does_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().canonicalize().expect("a real path");
        assert_eq!(head(&root, &root.join("state")), None);
        let repository = Repository::init(&root).expect("initialised");
        assert_eq!(head(&root, &root.join("state")), None);
        write_atomic(&root.join("a.rs"), b"one").expect("written");
        write_atomic(&root.join("state/x.json"), b"one").expect("written");
        commit_all(&repository);
        write_atomic(&root.join("state/x.json"), b"two").expect("written");
        write_atomic(&root.join("untracked"), b"two").expect("written");
        let clean = head(&root, &root.join("state")).expect("a head");
        assert_eq!((clean.dirty, clean.short().len()), (false, 7));
        write_atomic(&root.join("a.rs"), b"two").expect("written");
        assert!(head(&root, &root.join("state")).expect("a head").dirty);
    }
}
