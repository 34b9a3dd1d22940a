//! Arguments that several commands share, and their translation into checked requests.

use super::detach::Supervised;
use crate::bench::selection::{CargoFlags, Selection};
use crate::failure::Failure;
use crate::lab::catalogue::Entry;
use crate::sys::clock;
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;

/// Flags of every command.
#[derive(Debug, Args)]
pub struct Global {
    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// Report progress on standard error as JSON Lines
    #[arg(long, global = true)]
    pub events: bool,
    /// Keep state below this folder (default: `AI_STATE_DIR`, perf.toml, the agent's folder)
    #[arg(long, global = true, value_name = "DIR")]
    pub state_dir: Option<String>,
    /// The manifest of the package or workspace
    #[arg(long, global = true, value_name = "PATH")]
    pub manifest_path: Option<PathBuf>,
    /// The record of this run, when it was started to go on by itself.
    #[arg(skip)]
    pub supervised: Option<Supervised>,
}

impl Global {
    /// A name for the run that starts now.
    pub fn run_id(&self) -> String {
        self.supervised.as_ref().map_or_else(clock::run_id, |supervised| supervised.id().to_owned())
    }

    /// The flags that a command printed for the user must repeat, to find the same project and state.
    pub fn repeated(&self) -> Vec<String> {
        let manifest = self.manifest_path.as_ref().map(|path| path.to_string_lossy().into_owned());
        let given = [("--manifest-path", manifest), ("--state-dir", self.state_dir.clone())];
        given.into_iter().filter_map(|(flag, value)| Some([flag.to_owned(), value?])).flatten().collect()
    }
}

/// Whether `--json` and `--events` are among `args`, known even when the rest cannot be parsed.
pub fn split_global(args: &[OsString]) -> (bool, bool) {
    let before_dashes = || args.iter().take_while(|word| *word != "--");
    let has = |flag: &str| before_dashes().any(|word| word == flag);
    (has("--json"), has("--events"))
}

/// Which benches are meant.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Choosing benches")]
pub struct Choice {
    /// Only benches of this package (repeatable)
    #[arg(short, long = "package", value_name = "PACKAGE")]
    pub package: Vec<String>,
    /// Only this bench target (repeatable)
    #[arg(long, value_name = "TARGET")]
    pub bench: Vec<String>,
    /// Only the benchmark with this full id; * stands for any characters
    #[arg(long, value_name = "ID")]
    pub filter: Option<String>,
}

/// What is passed on to cargo.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Passed on to cargo")]
#[expect(clippy::struct_excessive_bools, reason = "cargo has these switches")]
pub struct CargoArgs {
    /// Enable these features, separated by commas (repeatable)
    #[arg(short = 'F', long, value_name = "FEATURES")]
    pub features: Vec<String>,
    /// Enable all features
    #[arg(long)]
    pub all_features: bool,
    /// Leave default features off
    #[arg(long)]
    pub no_default_features: bool,
    /// Build with this profile (default: bench)
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Build for this target
    #[arg(long, value_name = "TRIPLE")]
    pub target: Option<String>,
    /// Require that the lock file is up to date
    #[arg(long)]
    pub locked: bool,
    /// Do not use the network
    #[arg(long)]
    pub offline: bool,
}

impl Choice {
    /// The selection.
    pub fn selection(&self) -> Selection {
        Selection { packages: self.package.clone(), targets: self.bench.clone(), filter: self.filter.clone() }
    }
}

impl CargoArgs {
    /// Whether any of them is given.
    pub fn is_given(&self) -> bool {
        self.first_given().is_some()
    }

    /// The first flag that is given.
    fn first_given(&self) -> Option<&'static str> {
        let given = [
            ("--features", !self.features.is_empty()),
            ("--all-features", self.all_features),
            ("--no-default-features", self.no_default_features),
            ("--profile", self.profile.is_some()),
            ("--target", self.target.is_some()),
            ("--locked", self.locked),
            ("--offline", self.offline),
        ];
        given.into_iter().find_map(|(flag, given)| given.then_some(flag))
    }

    /// Refuses flags for cargo where it builds none of what is measured.
    ///
    /// # Errors
    /// `Usage`, naming the flag.
    pub fn expect_builds(&self, entries: &[&Entry]) -> Result<(), Failure> {
        let all_external = entries.iter().all(|entry| entry.as_external().is_some());
        match (self.first_given(), entries.first()) {
            (Some(flag), Some(entry)) if all_external => Err(Failure::usage(format!(
                "{flag} is passed on to cargo, which builds nothing of {}",
                entry.benchmark.name
            ))
            .hint(format!("leave {flag} away, or put it into the command"))),
            _ => Ok(()),
        }
    }

    /// The flags for cargo.
    pub fn flags(&self, global: &Global) -> CargoFlags {
        CargoFlags {
            manifest_path: global.manifest_path.clone(),
            features: self.features.clone(),
            all_features: self.all_features,
            no_default_features: self.no_default_features,
            profile: self.profile.clone(),
            target: self.target.clone(),
            locked: self.locked,
            offline: self.offline,
        }
    }
}
