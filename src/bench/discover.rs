//! Finds the bench targets of a workspace in what `cargo metadata` and the manifests say.

use super::features;
use super::selection::{CargoFlags, Selection, near_misses};
use crate::failure::{Context, Failure, FailureKind};
use crate::model::bench::{BenchTarget, DeclaredHarness, HarnessKind};
use crate::sys::invocation::{Invocation, Output};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, Target, TargetKind};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// What was found.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// The folder of the workspace's manifest.
    pub root: PathBuf,
    /// Where cargo builds.
    pub target_directory: PathBuf,
    /// The version of the package at the root, else of the first member.
    pub version: String,
    /// All bench targets of all members, by package and name.
    pub targets: Vec<BenchTarget>,
    /// What members depend on by path.
    pub paths: Vec<PathDependency>,
}

/// A dependency that a member names by its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathDependency {
    /// What it depends on.
    pub name: String,
    /// Where that is, `..` resolved.
    pub path: PathBuf,
}

/// The cargo that called us, or the one on the path.
pub fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The call that describes the workspace around `cwd`.
pub fn metadata_invocation(flags: &CargoFlags, cwd: &Path, log: PathBuf) -> Invocation {
    let mut argv: Vec<OsString> = vec![cargo()];
    argv.extend(["metadata", "--no-deps", "--format-version", "1"].map(OsString::from));
    if let Some(path) = &flags.manifest_path {
        argv.extend(["--manifest-path".into(), path.into()]);
    }
    argv.extend(flags.common().into_iter().map(OsString::from));
    Invocation::new(argv, cwd, Output::Recorded { log, log_limit: u64::MAX })
}

/// Reads the answer of `cargo metadata`.
pub fn read(json: &str, flags: &CargoFlags) -> Result<Workspace, Failure> {
    let metadata = MetadataCommand::parse(json).context(FailureKind::Environment, || {
        "cargo metadata gave an answer that cannot be read".to_owned()
    })?;
    let mut targets = Vec::new();
    for package in metadata.workspace_packages() {
        targets.extend(targets_of(package, flags)?);
    }
    targets.sort_by(|a, b| (&a.package, &a.target).cmp(&(&b.package, &b.target)));
    Ok(Workspace {
        root: metadata.workspace_root.clone().into(),
        target_directory: metadata.target_directory.clone().into(),
        version: version_of(&metadata),
        targets,
        paths: path_dependencies(&metadata),
    })
}

impl Workspace {
    /// The targets that `-p` and `--bench` mean.
    ///
    /// # Errors
    /// `Usage` when a name matches nothing, with what comes near.
    pub fn select(&self, selection: &Selection) -> Result<Vec<BenchTarget>, Failure> {
        let packages = || self.targets.iter().map(|target| target.package.as_str());
        for package in &selection.packages {
            if !packages().any(|known| known == package) {
                return Err(unknown("package with benches", "-p", package, packages()));
            }
        }
        let chosen = |target: &&BenchTarget| {
            selection.packages.is_empty() || selection.packages.contains(&target.package)
        };
        let names = || self.targets.iter().filter(chosen).map(|target| target.target.as_str());
        for name in &selection.targets {
            if !names().any(|known| known == name) {
                return Err(unknown("bench target", "--bench", name, names()));
            }
        }
        let meant = |target: &&BenchTarget| {
            selection.targets.is_empty() || selection.targets.contains(&target.target)
        };
        Ok(self.targets.iter().filter(chosen).filter(meant).cloned().collect())
    }
}

fn unknown<'a>(what: &str, flag: &str, wanted: &str, known: impl Iterator<Item = &'a str>) -> Failure {
    let known: Vec<&str> = known.collect();
    let near = near_misses(wanted, known.iter().copied(), 3);
    let mut listed = if near.is_empty() { known } else { near };
    listed.dedup();
    let failure = Failure::usage(format!("no {what} is called {wanted:?}"));
    if listed.is_empty() {
        return failure.hint("`cargo perf list` shows all benches of the workspace");
    }
    failure.hint(format!("{flag} takes for example: {}", listed[..listed.len().min(5)].join(", ")))
}

fn path_dependencies(metadata: &Metadata) -> Vec<PathDependency> {
    let of = |package: &Package| -> Vec<PathDependency> {
        let by_path = |dependency: &cargo_metadata::Dependency| {
            Some(PathDependency { name: dependency.name.clone(), path: dependency.path.clone()?.into() })
        };
        package.dependencies.iter().filter_map(by_path).collect()
    };
    metadata.workspace_packages().into_iter().flat_map(of).collect()
}

fn version_of(metadata: &Metadata) -> String {
    let root = metadata.root_package().or_else(|| metadata.workspace_packages().first().copied());
    root.map_or_else(|| "0.0.0".to_owned(), |package| package.version.to_string())
}

fn targets_of(package: &Package, flags: &CargoFlags) -> Result<Vec<BenchTarget>, Failure> {
    let benches: Vec<&Target> =
        package.targets.iter().filter(|target| target.kind.contains(&TargetKind::Bench)).collect();
    if benches.is_empty() {
        return Ok(Vec::new());
    }
    let own_harness = own_harness_targets(package.manifest_path.as_std_path())?;
    let likely = likely_harness(package);
    let enabled = features::enabled(&package.name, &package.features, flags);
    let package_env = package_env(package);
    let describe = |target: &&Target| BenchTarget {
        package: package.name.to_string(),
        package_id: package.id.repr.clone(),
        package_version: package.version.to_string(),
        target: target.name.clone(),
        manifest_dir: package.manifest_path.parent().map(|dir| dir.to_path_buf().into()).unwrap_or_default(),
        source: target.src_path.clone().into(),
        declared: match (own_harness.contains(&target.name), likely) {
            (false, _) => DeclaredHarness::Libtest,
            (true, Some(kind)) => DeclaredHarness::Likely(kind),
            (true, None) => DeclaredHarness::Unknown,
        },
        missing_features: target
            .required_features
            .iter()
            .filter(|feature| !enabled.contains(*feature))
            .cloned()
            .collect(),
        package_env: package_env.clone(),
    };
    Ok(benches.iter().map(describe).collect())
}

/// The names of the benches for which the manifest says `harness = false`; metadata does not tell.
fn own_harness_targets(manifest: &Path) -> Result<Vec<String>, Failure> {
    let what = || format!("{} cannot be read", manifest.display());
    let text = fs::read_to_string(manifest).context(FailureKind::Environment, what)?;
    let table: toml::Table = text.parse().context(FailureKind::Environment, what)?;
    let benches = table.get("bench").and_then(toml::Value::as_array);
    let own = |bench: &&toml::Value| bench.get("harness").and_then(toml::Value::as_bool) == Some(false);
    let name = |bench: &toml::Value| bench.get("name").and_then(toml::Value::as_str).map(str::to_owned);
    Ok(benches.into_iter().flatten().filter(own).filter_map(name).collect())
}

/// The harness crate among the package's dependencies: a hint, the executable decides.
fn likely_harness(package: &Package) -> Option<HarnessKind> {
    let known = [("criterion", HarnessKind::Criterion), ("divan", HarnessKind::Divan)];
    let used = |name: &str| {
        package.dependencies.iter().any(|dependency| {
            dependency.name == name
                && matches!(dependency.kind, DependencyKind::Development | DependencyKind::Normal)
        })
    };
    known.into_iter().find(|(name, _)| used(name)).map(|(_, kind)| kind)
}

/// What cargo sets for everything it runs of a package.
fn package_env(package: &Package) -> Vec<(String, String)> {
    let version = &package.version;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let path = |value: &Option<cargo_metadata::camino::Utf8PathBuf>| {
        value.as_ref().map(ToString::to_string).unwrap_or_default()
    };
    let dir = package.manifest_path.parent().map(ToString::to_string).unwrap_or_default();
    let entries: BTreeMap<&str, String> = [
        ("CARGO_MANIFEST_DIR", dir),
        ("CARGO_MANIFEST_PATH", package.manifest_path.to_string()),
        ("CARGO_PKG_AUTHORS", package.authors.join(":")),
        ("CARGO_PKG_DESCRIPTION", text(&package.description)),
        ("CARGO_PKG_HOMEPAGE", text(&package.homepage)),
        ("CARGO_PKG_LICENSE", text(&package.license)),
        ("CARGO_PKG_LICENSE_FILE", path(&package.license_file)),
        ("CARGO_PKG_NAME", package.name.to_string()),
        ("CARGO_PKG_README", path(&package.readme)),
        ("CARGO_PKG_REPOSITORY", text(&package.repository)),
        (
            "CARGO_PKG_RUST_VERSION",
            package.rust_version.as_ref().map(ToString::to_string).unwrap_or_default(),
        ),
        ("CARGO_PKG_VERSION", version.to_string()),
        ("CARGO_PKG_VERSION_MAJOR", version.major.to_string()),
        ("CARGO_PKG_VERSION_MINOR", version.minor.to_string()),
        ("CARGO_PKG_VERSION_PATCH", version.patch.to_string()),
        ("CARGO_PKG_VERSION_PRE", version.pre.to_string()),
    ]
    .into();
    entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
