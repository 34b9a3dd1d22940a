//! Where the two sides of a comparison are checked out and built: outside of every repository, because cargo
//! and git look for what belongs to them in all parent folders.

use super::layout::Environment;
use crate::failure::{Context, Failure, FailureKind};
use crate::model::comparison::SideName;
use crate::sys::files;
use crate::sys::interrupt::Interrupt;
use crate::sys::slot::{self, Patience};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The flag that names another place.
const FLAG: &str = "name a folder on a larger disk with --worktree-dir";
/// What two small builds take.
const LEAST_FREE: u64 = 500 << 20;
const POLL: Duration = Duration::from_millis(50);

/// The folders of both sides, held by this process until it is dropped.
#[derive(Debug)]
pub struct Checkouts {
    folder: PathBuf,
    _lock: File,
}

/// The folders of one side. Those of both sides have paths of equal length, because the length of a path
/// moves what lies on stack and heap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Berth {
    /// Where its files are.
    pub checkout: PathBuf,
    /// Where cargo builds.
    pub target: PathBuf,
}

impl Checkouts {
    /// Takes the folders for the repository with the work tree `repository`, below `chosen` when the user
    /// named a folder. `waiting` hears once that another comparison of the same repository holds them.
    ///
    /// # Errors
    /// `Usage` when they would lie inside the repository, `Environment` when they cannot be made or there is
    /// no room for two builds, `Busy` when they are held and waiting is not wanted.
    pub fn take(
        repository: &Path,
        chosen: Option<&Path>,
        environment: &dyn Environment,
        patience: Patience,
        interrupt: &Interrupt,
        mut waiting: impl FnMut(),
    ) -> Result<Self, Failure> {
        let parent = match chosen {
            Some(folder) => std::path::absolute(folder)
                .context(FailureKind::Environment, || "the working directory is gone".to_owned())?,
            None => cache(environment)?,
        };
        let hash = files::sha256_bytes(repository.as_os_str().as_encoded_bytes());
        let folder = parent.join(&hash[..16]);
        let unmade = || format!("{} cannot be made", folder.display());
        let hint = |failure: Failure| failure.hint("name a folder that can be written with --worktree-dir");
        fs::create_dir_all(&folder).context(FailureKind::Environment, unmade).map_err(hint)?;
        let folder = folder.canonicalize().context(FailureKind::Environment, unmade).map_err(hint)?;
        if folder.starts_with(repository) {
            let _ = fs::remove_dir(&folder);
            return Err(Failure::usage(format!("{} lies inside the repository", parent.display()))
                .hint("cargo would apply the settings of the work tree to both sides: name a folder outside with --worktree-dir"));
        }
        let lock = lock(&folder, patience, interrupt, &mut waiting)?;
        let found = Self { folder, _lock: lock };
        found.expect_room()?;
        Ok(found)
    }

    /// The folders of `side`.
    pub fn of(&self, side: SideName) -> Berth {
        let name = match side {
            SideName::Base => "a",
            SideName::Candidate => "b",
        };
        Berth { checkout: self.folder.join(name), target: self.folder.join(format!("{name}-target")) }
    }

    /// Refuses a disk on which the builds would fail halfway; a side that was built before needs less.
    fn expect_room(&self) -> Result<(), Failure> {
        let unbuilt = SideName::BOTH.iter().filter(|side| !self.of(**side).target.exists()).count() as u64;
        let needed = LEAST_FREE / 2 * unbuilt;
        match files::free_bytes(&self.folder) {
            Some(free) if free < needed => Err(Failure::environment(format!(
                "{} has {} MB free, and two builds need at least {} MB",
                self.folder.display(),
                free >> 20,
                needed >> 20
            ))
            .hint(FLAG)),
            _ => Ok(()),
        }
    }
}

/// The user's folder for what can be made anew.
fn cache(environment: &dyn Environment) -> Result<PathBuf, Failure> {
    let named = environment.variable("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || environment.variable("HOME").map(|home| PathBuf::from(home).join(".cache"));
    named.or_else(home).map(|folder| folder.join("cargo-perf")).ok_or_else(|| {
        Failure::environment("neither XDG_CACHE_HOME nor HOME says where checkouts may lie")
            .hint("name a folder with --worktree-dir")
    })
}

fn lock(
    folder: &Path,
    patience: Patience,
    interrupt: &Interrupt,
    waiting: &mut dyn FnMut(),
) -> Result<File, Failure> {
    let path = folder.join("lock");
    let what = || format!("{} cannot be locked", path.display());
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .context(FailureKind::Environment, what)
        .map_err(|failure| failure.hint("name a folder that can be written with --worktree-dir"))?;
    let started = Instant::now();
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => {
                return Err(Failure::environment(format!("{}: {error}", what()))
                    .hint("name a folder on a file system with locks with --worktree-dir"));
            }
            Err(TryLockError::WouldBlock) if patience == Patience::NoWait => {
                let holder = slot::locking_pid(&path).map_or_else(String::new, |pid| format!(" (pid {pid})"));
                return Err(Failure::new(
                    FailureKind::Busy,
                    format!("another comparison of this repository holds its checkouts{holder}"),
                )
                .hint("leave --no-wait away, or name another folder with --worktree-dir"));
            }
            Err(TryLockError::WouldBlock) => {}
        }
        if !told && started.elapsed() > Duration::from_secs(1) {
            waiting();
            told = true;
        }
        interrupt.sleep(POLL)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    struct Variables(BTreeMap<&'static str, String>);

    impl Environment for Variables {
        fn variable(&self, name: &str) -> Option<String> {
            self.0.get(name).cloned()
        }
    }

    fn take(repository: &Path, chosen: Option<&Path>) -> Result<Checkouts, Failure> {
        let environment = Variables(BTreeMap::new());
        let interrupt = Interrupt::install().expect("handlers");
        Checkouts::take(repository, chosen, &environment, Patience::NoWait, &interrupt, || {})
    }

    #[test]
    fn both_sides_have_paths_of_equal_length_outside_the_repository() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let repository = folder.path().canonicalize().expect("a folder").join("repository");
        let held = take(&repository, Some(folder.path())).expect("taken");
        let [a, b] = SideName::BOTH.map(|side| held.of(side));
        assert_ne!(a, b);
        for (a, b) in [(&a.checkout, &b.checkout), (&a.target, &b.target)] {
            assert_eq!(a.as_os_str().len(), b.as_os_str().len());
            assert!(!a.starts_with(&repository));
        }
    }

    #[test]
    fn folders_inside_the_repository_are_refused_and_not_left_behind() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let repository = folder.path().canonicalize().expect("a folder");
        let failure = take(&repository, Some(&repository)).expect_err("inside");
        assert_eq!(failure.kind, FailureKind::Usage);
        assert_eq!(fs::read_dir(&repository).expect("listed").count(), 0);
    }

    #[test]
    fn one_comparison_at_a_time_and_the_holder_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let held = take(Path::new("/repository"), Some(folder.path())).expect("taken");
        let failure = take(Path::new("/repository"), Some(folder.path())).expect_err("held");
        assert_eq!(failure.kind, FailureKind::Busy);
        assert!(failure.message.contains(&format!("pid {}", std::process::id())), "{failure}");
        take(Path::new("/another"), Some(folder.path())).expect("another repository has others");
        drop(held);
    }

    #[test]
    fn without_a_home_the_flag_is_named() {
        let failure = take(Path::new("/repository"), None).expect_err("nowhere");
        assert!(failure.hint.is_some_and(|hint| hint.contains("--worktree-dir")));
    }
}
