//! A revision as files in a folder of its own, outside of the repository it comes from.
//!
//! The folder is a repository that borrows the objects of the other, so that programs which ask git about
//! their sources get an answer. Nothing is written to the other repository: no work tree is registered, no
//! reference made, and a checkout that is left behind is a folder like any other.

use super::revision::{Revision, Source};
use crate::failure::{Context, Failure, FailureKind};
use crate::sys::files;
use git2::build::CheckoutBuilder;
use git2::{ObjectType, Oid, Repository, RepositoryInitOptions, TreeWalkMode, TreeWalkResult};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Settings that decide what files look like on disk.
const SHAPING: [&str; 4] = ["core.autocrlf", "core.eol", "core.symlinks", "core.filemode"];

/// What a checkout could not make the same as in the work tree of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shortfall {
    /// Files that are pointers to content kept elsewhere, as Git LFS has them.
    pub pointers: Vec<PathBuf>,
}

/// Makes `folder` hold exactly the files of `revision`, submodules included. Files that differ are written,
/// the others left as they are, so that a build sees what changed.
///
/// # Errors
/// `Environment` when it cannot be written, when a commit of a submodule is not there, or when the folder
/// holds something else than a checkout.
pub fn checkout(source: &Source, revision: &Revision, folder: &Path) -> Result<Shortfall, Failure> {
    let commit = Oid::from_str(&revision.commit).context(FailureKind::Bug, || "no commit id".to_owned())?;
    let mut shortfall = Shortfall::default();
    place(source.repository(), commit, folder, folder, &mut shortfall)?;
    Ok(shortfall)
}

fn place(
    lender: &Repository,
    commit: Oid,
    folder: &Path,
    root: &Path,
    shortfall: &mut Shortfall,
) -> Result<(), Failure> {
    let unwritten =
        || format!("{} cannot be checked out into {}", &commit.to_string()[..7], folder.display());
    let repository = borrow(lender, folder)?;
    let found = repository.find_commit(commit).context(FailureKind::Environment, || {
        format!("commit {commit} is not in the repository it should come from")
    })?;
    let files = || -> Result<(), git2::Error> {
        repository.set_head_detached(commit)?;
        let mut how = CheckoutBuilder::new();
        how.force().remove_untracked(true).remove_ignored(true).recreate_missing(true);
        repository.checkout_tree(found.as_object(), Some(&mut how))
    };
    files()
        .context(FailureKind::Environment, unwritten)
        .map_err(|failure| failure.hint("free some space, or name another folder with --worktree-dir"))?;
    let tree = found.tree().context(FailureKind::Environment, unwritten)?;
    let mut submodules = Vec::new();
    tree.walk(TreeWalkMode::PreOrder, |before, entry| {
        let path = || Path::new(before).join(std::ffi::OsStr::from_bytes(entry.name_bytes()));
        match entry.kind() {
            Some(ObjectType::Commit) => submodules.push((path(), entry.id())),
            Some(ObjectType::Blob) if is_pointer(&repository, entry.id()) => {
                let whole = folder.join(path());
                shortfall.pointers.extend(whole.strip_prefix(root).ok().map(Path::to_path_buf));
            }
            _ => {}
        }
        TreeWalkResult::Ok
    })
    .context(FailureKind::Environment, unwritten)?;
    for (path, commit) in submodules {
        let inner = submodule(lender, &path, commit)?;
        place(&inner, commit, &folder.join(&path), root, shortfall)?;
    }
    Ok(())
}

/// Opens the repository in `folder`, or makes one there, and lets it borrow the objects of `lender`.
fn borrow(lender: &Repository, folder: &Path) -> Result<Repository, Failure> {
    let unwritten = || format!("a checkout cannot be made in {}", folder.display());
    let hint = |failure: Failure| failure.hint("name another folder with --worktree-dir");
    let mut options = RepositoryInitOptions::new();
    // Templates may bring hooks and settings of the user's.
    options.external_template(false).mkpath(true);
    let repository =
        Repository::init_opts(folder, &options).context(FailureKind::Environment, unwritten).map_err(hint)?;
    let objects = lender.commondir().join("objects");
    let objects = objects.canonicalize().unwrap_or(objects);
    let own = repository.commondir().to_path_buf();
    let line = [objects.as_os_str().as_bytes(), b"\n"].concat();
    files::write_atomic(&own.join("objects/info/alternates"), &line).map_err(hint)?;
    // Where history ends, so that walking it ends there too.
    if let Ok(shallow) = fs::read(lender.commondir().join("shallow")) {
        files::write_atomic(&own.join("shallow"), &shallow).map_err(hint)?;
    }
    let from = lender.config().and_then(|mut config| config.snapshot());
    let to = repository.config().and_then(|config| config.open_level(git2::ConfigLevel::Local));
    if let (Ok(from), Ok(mut to)) = (from, to) {
        for name in SHAPING {
            if let Ok(value) = from.get_string(name) {
                to.set_str(name, &value).context(FailureKind::Environment, unwritten)?;
            }
        }
    }
    // Opened anew, since the objects that are borrowed are looked up when a repository is opened.
    Repository::open(folder).context(FailureKind::Environment, unwritten).map_err(hint)
}

/// The user's copy of a submodule, which must have the commit.
fn submodule(lender: &Repository, path: &Path, commit: Oid) -> Result<Repository, Failure> {
    let missing = |what: &str| {
        let path = path.display();
        Failure::environment(format!("the submodule {path} {what}"))
            .hint(format!("`git submodule update --init --recursive {path}` brings it"))
    };
    let inner = lender
        .find_submodule(&path.to_string_lossy())
        .and_then(|found| found.open())
        .or_else(|_| {
            let work_tree = lender.workdir().unwrap_or_else(|| lender.path());
            Repository::open(work_tree.join(path))
        })
        .map_err(|_| missing("is not checked out here"))?;
    if inner.find_commit(commit).is_err() {
        let short = &commit.to_string()[..7];
        return Err(missing(&format!("has no commit {short}, which a revision needs")));
    }
    Ok(inner)
}

/// Whether a blob is a pointer of Git LFS.
fn is_pointer(repository: &Repository, id: Oid) -> bool {
    const BEGIN: &[u8] = b"version https://git-lfs.github.com/spec/";
    // Pointers are small; nothing else needs to be read.
    let small = repository.odb().and_then(|odb| odb.read_header(id)).is_ok_and(|(size, _)| size < 1024);
    small && repository.find_blob(id).is_ok_and(|blob| blob.content().starts_with(BEGIN))
}
