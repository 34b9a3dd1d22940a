//! The environment cargo would give a bench it runs, so that ours sees no difference.

use crate::failure::{Context, Failure, FailureKind};
use crate::model::bench::BuiltBench;
use crate::sys::invocation::{Invocation, Output};
use cargo_util::paths::{dylib_path_envvar, join_paths};
use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// What the `[env]` tables of cargo's configuration set.
pub type ConfiguredEnv = BTreeMap<String, Configured>;

/// One entry of an `[env]` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configured {
    value: OsString,
    force: bool,
}

/// The `[env]` tables of all of cargo's configurations.
pub fn configured(tables: &[(PathBuf, toml::Table)]) -> ConfiguredEnv {
    let mut found = ConfiguredEnv::new();
    for (folder, table) in tables {
        // A relative value starts at the folder that holds `.cargo`.
        let base = folder.parent().unwrap_or(folder);
        for (name, value) in table.get("env").and_then(toml::Value::as_table).into_iter().flatten() {
            if let Some(entry) = entry(value, base) {
                found.entry(name.clone()).or_insert(entry);
            }
        }
    }
    found
}

/// With what cargo would start benches of `target`, or of this machine: what it is told by its environment, or by
/// `runner` of a target that its configurations name in full.
pub fn runner(tables: &[(PathBuf, toml::Table)], target: Option<&str>) -> Option<String> {
    // As variables have it: no dashes and no dots, and in capitals.
    let plain = |name: &str| name.replace(['-', '.'], "_").to_uppercase();
    let (arch, os) = (plain(env::consts::ARCH), plain(env::consts::OS));
    let is_meant = |name: &str| match target {
        Some(target) => name == plain(target),
        None => name.starts_with(&arch) && name.contains(&os),
    };
    let by_variable = env::vars_os().find_map(|(name, value)| {
        let target = name.to_str()?.strip_prefix("CARGO_TARGET_")?.strip_suffix("_RUNNER")?;
        (is_meant(target) && !value.is_empty()).then(|| value.to_string_lossy().into_owned())
    });
    let of = |table: &toml::Table| {
        let targets = table.get("target").and_then(toml::Value::as_table)?;
        let (_, meant) =
            targets.iter().find(|(name, value)| is_meant(&plain(name)) && value.get("runner").is_some())?;
        let runner = meant.get("runner")?;
        let words =
            runner.as_array().map(|words| words.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>());
        runner.as_str().map(str::to_owned).or_else(|| Some(words?.join(" ")))
    };
    by_variable.or_else(|| tables.iter().find_map(|(_, table)| of(table)))
}

/// Cargo's configurations that count for `cwd`, each with its folder: of every parent folder, nearest first, then of
/// cargo's home.
///
/// # Errors
/// `Environment` for one that cannot be read.
pub fn tables(cwd: &Path) -> Result<Vec<(PathBuf, toml::Table)>, Failure> {
    let mut tables = Vec::new();
    for folder in config_folders(cwd) {
        // Cargo still reads the old name, and prefers it when both exist.
        let file = ["config", "config.toml"].iter().map(|name| folder.join(name)).find(|path| path.is_file());
        let Some(file) = file else { continue };
        let what = || format!("{} cannot be read", file.display());
        let text = fs::read_to_string(&file).context(FailureKind::Environment, what)?;
        let table: toml::Table = text.parse().context(FailureKind::Environment, what)?;
        tables.push((folder, table));
    }
    Ok(tables)
}

/// The folders whose configuration counts for `cwd`, the nearest first.
pub fn config_folders(cwd: &Path) -> Vec<PathBuf> {
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    let mut folders: Vec<PathBuf> = cwd.ancestors().map(|folder| folder.join(".cargo")).collect();
    folders.extend(home.filter(|home| !folders.contains(home)));
    folders
}

fn entry(value: &toml::Value, base: &Path) -> Option<Configured> {
    if let Some(text) = value.as_str() {
        return Some(Configured { value: text.into(), force: false });
    }
    let flag = |name: &str| value.get(name).and_then(toml::Value::as_bool).unwrap_or(false);
    let text = value.get("value")?.as_str()?;
    let value = if flag("relative") { base.join(text).into_os_string() } else { text.into() };
    Some(Configured { value, force: flag("force") })
}

/// The call that tells where the standard library's dynamic libraries are.
pub fn library_folder_invocation(target: Option<&str>, cwd: &Path, log: PathBuf) -> Invocation {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut argv = vec![rustc, "--print".into(), "target-libdir".into()];
    if let Some(target) = target {
        argv.extend(["--target".into(), target.into()]);
    }
    Invocation::new(argv, cwd, Output::Recorded { log, log_limit: 1 << 16 })
}

/// The variables cargo would set for `bench`, in its order of precedence.
pub fn runtime(
    bench: &BuiltBench,
    configured: &ConfiguredEnv,
    target_directory: &Path,
    standard_libraries: Option<&Path>,
) -> Result<BTreeMap<String, OsString>, Failure> {
    let mut variables = BTreeMap::new();
    for (name, entry) in configured {
        if entry.force || env::var_os(name).is_none() {
            variables.insert(name.clone(), entry.value.clone());
        }
    }
    let given = bench.target.package_env.iter().chain(&bench.build_env);
    variables.extend(given.map(|(name, value)| (name.clone(), value.into())));
    variables.insert("CARGO".to_owned(), super::discover::cargo());
    let paths = library_paths(bench, target_directory, standard_libraries);
    let joined = join_paths(&paths, dylib_path_envvar())
        .context(FailureKind::Environment, || "the dynamic library path cannot be set".to_owned())?;
    variables.insert(dylib_path_envvar().to_owned(), joined);
    Ok(variables)
}

fn library_paths(
    bench: &BuiltBench,
    target_directory: &Path,
    standard_libraries: Option<&Path>,
) -> Vec<PathBuf> {
    // As cargo does: only folders inside the target directory, others are the system's business.
    let mut paths: Vec<PathBuf> =
        bench.library_paths.iter().filter(|path| path.starts_with(target_directory)).cloned().collect();
    if let Some(deps) = bench.executable.parent() {
        paths.extend(deps.parent().map(Path::to_path_buf));
        paths.push(deps.to_path_buf());
    }
    paths.extend(standard_libraries.map(Path::to_path_buf));
    paths.extend(cargo_util::paths::dylib_path());
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configure(folder: &Path, text: &str) {
        fs::create_dir_all(folder.join(".cargo")).expect("created");
        crate::sys::files::write_atomic(&folder.join(".cargo/config.toml"), text.as_bytes())
            .expect("written");
    }

    #[test]
    fn the_nearest_configuration_wins_and_relative_values_start_beside_it() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let inner = root.path().join("inner");
        configure(
            root.path(),
            "[env]\nNEAR = 'far'\nFAR = { value = 'data', relative = true, force = true }\n",
        );
        configure(&inner, "[env]\nNEAR = 'near'\n");
        let found = configured(&tables(&inner).expect("read"));
        assert_eq!(found["NEAR"], Configured { value: "near".into(), force: false });
        assert_eq!(found["FAR"], Configured { value: root.path().join("data").into(), force: true });
    }

    #[test]
    fn a_runner_is_that_of_the_target_that_is_built() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let here = format!("{}-unknown-{}-gnu", env::consts::ARCH, env::consts::OS);
        let text = format!(
            "[target.wasm32-wasip1]\nrunner = 'a'\n[target.{here}]\nrunner = ['taskset', '-c', '1']\n"
        );
        configure(root.path(), &text);
        let tables = tables(root.path()).expect("read");
        let found = |target| runner(&tables, target);
        assert_eq!(found(None).as_deref(), Some("taskset -c 1"));
        assert_eq!(found(Some("wasm32-wasip1")).as_deref(), Some("a"));
        assert_eq!(found(Some("wasm32-wasip2")), None);
    }

    #[test]
    fn a_broken_configuration_names_its_file() {
        let root = tempfile::tempdir().expect("a temporary folder");
        configure(root.path(), "[env\n");
        let failure = tables(root.path()).expect_err("broken");
        assert!(failure.message.contains(".cargo/config.toml"), "{}", failure.message);
    }
}
