//! Builds bench targets without running them, and reads from cargo's messages where they are.

use super::discover::{Workspace, cargo};
use super::harness;
use super::selection::CargoFlags;
use crate::failure::{Context, Failure, FailureKind};
use crate::model::bench::{BenchTarget, BuiltBench};
use crate::sys::invocation::{Invocation, Output};
use cargo_metadata::{Message, TargetKind};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::BufRead;
use std::path::{Path, PathBuf};

/// The calls that build `targets`: one, unless a target that lacks features shares its name with one
/// that is to be built, in which case cargo must be asked package by package.
pub fn invocations(
    workspace: &Workspace,
    targets: &[BenchTarget],
    flags: &CargoFlags,
    cwd: &Path,
    log: &Path,
    stderr_shown: bool,
) -> Vec<Invocation> {
    let packages: BTreeSet<&str> = targets.iter().map(|target| target.package_id.as_str()).collect();
    let names: BTreeSet<&str> = targets.iter().map(|target| target.target.as_str()).collect();
    let clash = workspace.targets.iter().any(|target| {
        !target.is_buildable()
            && packages.contains(target.package_id.as_str())
            && names.contains(target.target.as_str())
    });
    let groups: Vec<Vec<&BenchTarget>> = if clash {
        packages.iter().map(|id| targets.iter().filter(|target| target.package_id == *id).collect()).collect()
    } else {
        vec![targets.iter().collect()]
    };
    let output = |index: usize| {
        let log = log.with_file_name(format!("build-{index}.log"));
        if stderr_shown {
            Output::StderrShown { log, log_limit: u64::MAX }
        } else {
            Output::Recorded { log, log_limit: u64::MAX }
        }
    };
    groups
        .iter()
        .enumerate()
        .map(|(index, group)| Invocation::new(argv(group, flags), cwd, output(index)))
        .collect()
}

fn argv(targets: &[&BenchTarget], flags: &CargoFlags) -> Vec<OsString> {
    let mut argv: Vec<OsString> = vec![cargo()];
    argv.extend(["bench", "--no-run", "--message-format=json-render-diagnostics"].map(OsString::from));
    if let Some(path) = &flags.manifest_path {
        argv.extend(["--manifest-path".into(), path.into()]);
    }
    let packages: BTreeSet<&str> = targets.iter().map(|target| target.package_id.as_str()).collect();
    let names: BTreeSet<&str> = targets.iter().map(|target| target.target.as_str()).collect();
    argv.extend(packages.iter().flat_map(|id| ["-p", *id]).map(OsString::from));
    argv.extend(names.iter().flat_map(|name| ["--bench", *name]).map(OsString::from));
    argv.extend(flags.building().into_iter().map(OsString::from));
    argv
}

/// What a build script asked cargo for, as far as it matters at run time.
struct ScriptOutput {
    env: Vec<(String, String)>,
    out_dir: PathBuf,
    library_paths: Vec<PathBuf>,
}

impl ScriptOutput {
    fn variables(&self) -> Vec<(String, String)> {
        let mut variables = self.env.clone();
        variables.push(("OUT_DIR".to_owned(), self.out_dir.to_string_lossy().into_owned()));
        variables
    }
}

/// What a build made, from its messages. Of the executables only those of `targets` are kept.
pub fn read(messages: impl BufRead, targets: &[BenchTarget]) -> Result<Vec<BuiltBench>, Failure> {
    let mut executables: BTreeMap<(String, String), PathBuf> = BTreeMap::new();
    let mut scripts: BTreeMap<String, ScriptOutput> = BTreeMap::new();
    let mut programs: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for message in Message::parse_stream(messages) {
        match message.context(FailureKind::Build, || "cargo's messages cannot be read".to_owned())? {
            Message::CompilerArtifact(artifact) if artifact.target.kind.contains(&TargetKind::Bench) => {
                if let Some(executable) = artifact.executable {
                    executables.insert((artifact.package_id.repr, artifact.target.name), executable.into());
                }
            }
            Message::CompilerArtifact(artifact) if artifact.target.kind.contains(&TargetKind::Bin) => {
                if let Some(executable) = artifact.executable {
                    let name = format!("CARGO_BIN_EXE_{}", artifact.target.name);
                    programs
                        .entry(artifact.package_id.repr)
                        .or_default()
                        .push((name, executable.into_string()));
                }
            }
            Message::BuildScriptExecuted(script) => {
                let paths = script.linked_paths.iter().map(|path| library_folder(path.as_str())).collect();
                let output =
                    ScriptOutput { env: script.env, out_dir: script.out_dir.into(), library_paths: paths };
                scripts.insert(script.package_id.repr, output);
            }
            _ => {}
        }
    }
    let mut built = Vec::new();
    for target in targets {
        let key = (target.package_id.clone(), target.target.clone());
        let Some(executable) = executables.get(&key) else { continue };
        let script = scripts.get(&target.package_id);
        let mut build_env = programs.get(&target.package_id).cloned().unwrap_or_default();
        build_env.extend(script.into_iter().flat_map(ScriptOutput::variables));
        built.push(BuiltBench {
            target: target.clone(),
            executable: executable.clone(),
            harness: harness::of_executable(executable)?,
            build_env,
            library_paths: scripts.values().flat_map(|script| script.library_paths.clone()).collect(),
        });
    }
    Ok(built)
}

/// Link paths come as `native=/path` or plain.
fn library_folder(path: &str) -> PathBuf {
    let kinds = ["native=", "crate=", "dependency=", "framework=", "all="];
    kinds.iter().find_map(|kind| path.strip_prefix(kind)).unwrap_or(path).into()
}
