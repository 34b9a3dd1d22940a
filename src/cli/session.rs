//! Where a command runs: root, configuration and state folder.

use super::arguments::Global;
use crate::failure::{Context, Failure, FailureKind};
use crate::store::config::{self, Config};
use crate::store::layout::{Layout, ProcessEnvironment, find_root};
use std::env;
use std::path::{Path, PathBuf};

/// The place a command works in.
#[derive(Debug)]
pub struct Session {
    /// Where cargo is called.
    pub cwd: PathBuf,
    /// The project and its state folder.
    pub layout: Layout,
    /// What `perf.toml` says.
    pub config: Config,
    /// Whether cargo will find a manifest.
    pub has_manifest: bool,
}

impl Session {
    /// Finds root, configuration and state folder from the working directory, or from the manifest
    /// that was named.
    pub fn open(global: &Global) -> Result<Self, Failure> {
        let cwd = env::current_dir()
            .context(FailureKind::Environment, || "the working directory is gone".to_owned())?;
        let start = match &global.manifest_path {
            Some(manifest) => {
                let manifest = cwd.join(manifest);
                let found = manifest.canonicalize().context(FailureKind::Usage, || {
                    format!("the manifest {} does not exist", manifest.display())
                })?;
                found.parent().map(PathBuf::from).unwrap_or(cwd.clone())
            }
            None => cwd.clone(),
        };
        let root = find_root(&start).ok_or_else(|| {
            Failure::usage(format!(
                "there is no Cargo.toml and no perf.toml in {} or above it",
                start.display()
            ))
            .hint("run it inside a cargo project, name one with --manifest-path, or write a perf.toml")
        })?;
        let config = config::read(&root)?;
        let layout = Layout::choose(&root, global.state_dir.as_deref(), &config, &ProcessEnvironment)?;
        // A project in another language may lie below a cargo workspace that is none of its business.
        let own = |folder: &&Path| config.external.is_empty() || folder.starts_with(&root);
        let has_manifest =
            start.ancestors().take_while(own).any(|folder| folder.join("Cargo.toml").is_file());
        Ok(Self { cwd, layout, config, has_manifest })
    }
}
