//! Three builds of the fixture `kernels`: two of the same sources, and one with more units of work.

use crate::start;
use cargo_perf_lab::bench::selection::{CargoFlags, Selection};
use cargo_perf_lab::failure::{Context, Failure, FailureKind};
use cargo_perf_lab::git::revision::{Revision, Source};
use cargo_perf_lab::lab::Lab;
use cargo_perf_lab::lab::catalogue::Entry;
use cargo_perf_lab::lab::side::{Ground, Ready};
use cargo_perf_lab::model::comparison::SideName;
use cargo_perf_lab::store::checkouts::Berth;
use cargo_perf_lab::sys::files::write_atomic;
use git2::{IndexAddOption, Repository, Signature, Time};
use std::fs;
use std::path::{Path, PathBuf};

/// The fixture.
const FIXTURE: &str = "kernels";
/// Where the units are said.
pub const SOURCE: &str = "src/lib.rs";

/// A kernel and what is planted in it.
#[derive(Debug, Clone, Copy)]
pub struct Kernel {
    /// Its id.
    pub name: &'static str,
    /// Percent of work that the changed build has more.
    pub planted: u32,
}

/// All kernels. In the one that waits for memory less can be seen.
pub const KERNELS: [Kernel; 5] = [
    Kernel { name: "spin", planted: 1 },
    Kernel { name: "json", planted: 1 },
    Kernel { name: "hash", planted: 1 },
    Kernel { name: "sort", planted: 1 },
    Kernel { name: "memory", planted: 3 },
];

/// The builds: `a` and `b` of the same sources, `c` with more work.
pub const VARIANTS: usize = 3;

/// The kernel that is called `name`.
pub fn kernel(name: &str) -> Result<Kernel, Failure> {
    KERNELS.into_iter().find(|kernel| kernel.name == name).ok_or_else(|| {
        let known = KERNELS.map(|kernel| kernel.name).join(", ");
        Failure::usage(format!("there is no kernel {name:?}")).hint(format!("there are: {known}"))
    })
}

/// The repository with both revisions, and the folders of the builds. It lies outside of every workspace, as a
/// user's cache does, and stays for the next recording.
fn folder() -> PathBuf {
    std::env::temp_dir().join("cargo-perf-kernels")
}

/// The folder in which a comparison of the kernels runs.
pub fn repository() -> PathBuf {
    folder().join("repository")
}

/// Builds all variants, and returns the benchmark of each that is called `kernel`.
///
/// # Errors
/// As git and cargo fail.
pub fn build(lab: &mut Lab<'_>, kernel: &str) -> Result<[Entry; VARIANTS], Failure> {
    let [same, changed] = commit_both()?;
    let source = Source::open(&repository())?;
    let revisions = [&same, &same, &changed].map(|commit| source.find(commit));
    let [a, b, c] = revisions;
    let mut variant = |name: &str, revision: Revision| -> Result<Entry, Failure> {
        let ready = make(lab, &source, &revision, name)?;
        let selection = Selection { filter: Some(kernel.to_owned()), ..Selection::default() };
        Ok(ready.catalogue.filtered(&selection)?[0].clone())
    };
    Ok([variant("a", a?)?, variant("b", b?)?, variant("c", c?)?])
}

fn make(lab: &mut Lab<'_>, source: &Source, revision: &Revision, name: &str) -> Result<Ready, Failure> {
    let ground = Ground {
        source,
        cwd: &repository(),
        flags: &CargoFlags::default(),
        selection: &Selection::default(),
        externals: &[],
        has_benches: true,
        relock: false,
        prepare: None,
    };
    let berth = Berth { checkout: folder().join(name), target: folder().join(format!("{name}-target")) };
    lab.make_side(SideName::Candidate, &ground, revision, &berth, None)
}

/// Commits the fixture as it is, and with the planted work; returns both commits. They have the same ids each time.
pub fn commit_both() -> Result<[String; 2], Failure> {
    let folder = repository();
    let failed = || "the kernels cannot be committed".to_owned();
    // What an older version of the fixture left behind must not count.
    let _ = fs::remove_dir_all(&folder);
    copy(&start::fixture(FIXTURE), &folder)?;
    let repository = Repository::init(&folder).context(FailureKind::Environment, failed)?;
    let first = commit(&repository, &[]).context(FailureKind::Environment, failed)?;
    let text = fs::read_to_string(folder.join(SOURCE)).context(FailureKind::Environment, failed)?;
    let planted = text
        .replace("UNITS: usize = 100;", "UNITS: usize = 101;")
        .replace("MEMORY_UNITS: usize = 101;", "MEMORY_UNITS: usize = 103;");
    if planted.matches("= 101;").count() != 1 || planted.matches("= 103;").count() != 1 {
        return Err(Failure::new(FailureKind::Bug, "the units are not where they are looked for"));
    }
    write_atomic(&folder.join(SOURCE), planted.as_bytes())?;
    let second = commit(&repository, &[first]).context(FailureKind::Environment, failed)?;
    Ok([first.to_string(), second.to_string()])
}

fn commit(repository: &Repository, parents: &[git2::Oid]) -> Result<git2::Oid, git2::Error> {
    let mut index = repository.index()?;
    index.add_all(["*"], IndexAddOption::DEFAULT, None)?;
    let tree = repository.find_tree(index.write_tree()?)?;
    let author = Signature::new("figures", "figures@localhost", &Time::new(0, 0))?;
    let parents = parents.iter().map(|id| repository.find_commit(*id)).collect::<Result<Vec<_>, _>>()?;
    repository.commit(Some("HEAD"), &author, &author, "kernels", &tree, &parents.iter().collect::<Vec<_>>())
}

/// Copies a fixture without what was built in its place.
///
/// # Errors
/// `Environment` when a file cannot be read or written.
pub fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let failed = || format!("{} cannot be copied", from.display());
    fs::create_dir_all(to).context(FailureKind::Environment, failed)?;
    for entry in fs::read_dir(from).context(FailureKind::Environment, failed)?.flatten() {
        let (path, copied) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            // Somebody may have built the fixture in its place.
            if entry.file_name() != "target" {
                copy(&path, &copied)?;
            }
        } else {
            fs::copy(&path, &copied).context(FailureKind::Environment, failed)?;
        }
    }
    Ok(())
}
