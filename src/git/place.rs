//! Where the state folder lies in which repository.

use super::reason::{Reason, Stop};
use git2::{ErrorCode, Repository, RepositoryState};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// A state folder in the work tree of a repository.
pub(in crate::git) struct Place {
    /// The repository, opened from the root.
    pub repository: Repository,
    /// The state folder without symbolic links.
    pub folder: PathBuf,
    /// The state folder, relative to the work tree; never empty.
    pub relative: PathBuf,
}

/// The repository around `root`.
///
/// # Errors
/// `NoRepository`, or `UnsupportedFormat` when there is one that libgit2 cannot open.
pub(in crate::git) fn open(root: &Path) -> Result<Repository, Reason> {
    Repository::discover(root).map_err(|error| match error.code() {
        ErrorCode::NotFound if by_hand(root).is_none() => Reason::NoRepository,
        _ => Reason::UnsupportedFormat,
    })
}

/// The work tree in which git itself would look for a repository.
pub(in crate::git) fn by_hand(root: &Path) -> Option<PathBuf> {
    let is_repository = |entry: &Path| entry.is_file() || fs::symlink_metadata(entry.join("HEAD")).is_ok();
    let root = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
    root.ancestors().find(|folder| is_repository(&folder.join(".git"))).map(Path::to_path_buf)
}

impl Place {
    /// Finds the place of `state_folder`, which need not exist yet.
    pub fn find(root: &Path, state_folder: &Path) -> Result<Self, Stop> {
        let repository = open(root)?;
        let work_tree = repository.workdir().ok_or(Reason::NoRepository)?;
        let work_tree = work_tree.canonicalize().map_err(|_| Reason::NoRepository)?;
        // A link in its place could make sources of the user's look like state.
        if fs::symlink_metadata(state_folder).is_ok_and(|found| !found.is_dir()) {
            return Err(Reason::Outside.into());
        }
        let folder = without_links(state_folder).ok_or(Reason::Outside)?;
        let relative = folder.strip_prefix(&work_tree).map_err(|_| Reason::Outside)?.to_path_buf();
        let inside = relative
            .components()
            .all(|part| matches!(part, Component::Normal(name) if !name.eq_ignore_ascii_case(".git")));
        let mut between = folder.ancestors().take_while(|folder| *folder != work_tree);
        let another = between.any(|folder| fs::symlink_metadata(folder.join(".git")).is_ok());
        if relative.as_os_str().is_empty() || !inside || another {
            return Err(Reason::Outside.into());
        }
        Ok(Self { repository, folder, relative })
    }

    /// The names on the way from the work tree to the state folder.
    pub fn parts(&self) -> Vec<&[u8]> {
        self.relative.iter().map(OsStr::as_bytes).collect()
    }

    /// The path of a state file as git writes it.
    pub fn in_git(&self, file: &[u8]) -> Vec<u8> {
        [self.relative.as_os_str().as_bytes(), b"/", file].concat()
    }

    /// The index file of this work tree, where links lead to it.
    pub fn index_file(&self) -> PathBuf {
        let file = self.repository.path().join("index");
        file.canonicalize().unwrap_or(file)
    }

    /// Whether the executable bit means anything here.
    pub fn has_modes(&self) -> bool {
        self.flag("core.filemode").unwrap_or(true)
    }

    /// Whether commits are to be signed.
    pub fn signs(&self) -> bool {
        self.flag("commit.gpgsign").unwrap_or(false)
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.repository.config().ok()?.get_bool(name).ok()
    }

    /// Fails while something is under way that a commit would become part of.
    pub fn expect_quiet(&self) -> Result<(), Reason> {
        match self.repository.state() {
            RepositoryState::Clean => Ok(()),
            _ => Err(Reason::InProgress),
        }
    }

    /// Whether the repository has hooks that `git commit` would run.
    pub fn has_hooks(&self) -> bool {
        use std::os::unix::fs::PermissionsExt;
        const NAMES: [&str; 5] =
            ["pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "reference-transaction"];
        let config = self.repository.config().and_then(|config| config.get_path("core.hooksPath"));
        let usual = || self.repository.commondir().join("hooks");
        let folder = config.map_or_else(
            |_| usual(),
            |path| self.repository.workdir().map_or_else(usual, |work_tree| work_tree.join(path)),
        );
        let runs = |path: PathBuf| {
            fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
        };
        NAMES.iter().any(|name| runs(folder.join(name)))
    }
}

/// The path without symbolic links, or as it is where nothing of it exists.
pub(in crate::git) fn resolved(path: &Path) -> PathBuf {
    without_links(path).unwrap_or_else(|| path.to_path_buf())
}

/// The path without symbolic links, as far as it exists.
fn without_links(path: &Path) -> Option<PathBuf> {
    let existing = path.ancestors().find(|ancestor| fs::symlink_metadata(ancestor).is_ok())?;
    Some(existing.canonicalize().ok()?.join(path.strip_prefix(existing).ok()?))
}
