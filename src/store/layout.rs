//! Where things are: the root of the project, the state folder, and the files in it.

use super::config::{Config, FILE};
use crate::failure::Failure;
use crate::model::label::VersionLabel;
use crate::sys::files;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// The state folder and why it is the one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The project's root.
    pub root: PathBuf,
    /// `{state-dir}/perf`.
    pub folder: PathBuf,
    /// What decided, for people.
    pub reason: String,
    /// Another folder that would have been chosen, had this one not held an investigation.
    pub warning: Option<String>,
}

/// What the environment says about where state goes.
pub trait Environment {
    /// The value of a variable, if it is set and not empty.
    fn variable(&self, name: &str) -> Option<String>;
}

/// The environment of this process.
#[derive(Debug)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }
}

impl Layout {
    /// Chooses the state folder of `root`: the flag, `AI_STATE_DIR`, the configuration, the folders of
    /// `OpenCode` and Codex, `.claude`; an investigation that exists in a later one of them wins.
    ///
    /// # Errors
    /// `Usage` for a folder given with `..` in it.
    pub fn choose(
        root: &Path,
        flag: Option<&str>,
        config: &Config,
        environment: &dyn Environment,
    ) -> Result<Self, Failure> {
        let candidates = candidates(root, flag, config, environment);
        for (folder, reason) in &candidates {
            if Path::new(folder).components().any(|part| part == Component::ParentDir) {
                return Err(Failure::usage(format!(
                    "the state folder {folder} ({reason}) leads upwards with `..`"
                ))
                .hint(
                    "name it below the project or with an absolute path, for example --state-dir .perf-state",
                ));
            }
        }
        let place = |folder: &str| root.join(folder).join("perf");
        let (first, first_reason) = &candidates[0];
        let lives = |(folder, _): &&(String, String)| holds_investigation(&place(folder));
        // A folder named on the command line is meant, whatever exists elsewhere.
        let living = if flag.is_some() { None } else { candidates.iter().find(lives) };
        let (folder, reason, warning) = match living {
            Some((folder, _)) if folder != first => (
                folder,
                "an investigation exists there".to_owned(),
                Some(format!(
                    "state stays in {folder}, where an investigation exists, although {first_reason} says {first}"
                )),
            ),
            _ => (first, first_reason.clone(), None),
        };
        Ok(Self { root: root.to_path_buf(), folder: place(folder), reason, warning })
    }

    /// The state folder, relative to the root where it lies in it.
    pub fn shown(&self) -> String {
        files::relative(&self.folder, &self.root)
    }

    /// A file of the state folder, in the same way.
    pub fn shown_file(&self, name: &str) -> String {
        files::relative(&self.folder.join(name), &self.root)
    }

    /// The file of a baseline.
    pub fn baseline(&self, label: &VersionLabel) -> PathBuf {
        self.baselines().join(format!("{label}.json"))
    }

    /// The folder of baselines.
    pub fn baselines(&self) -> PathBuf {
        self.folder.join("baselines")
    }

    /// The folder for large parts of the baseline `label`.
    pub fn artifacts(&self, label: &VersionLabel) -> PathBuf {
        self.folder.join("artifacts").join(label.as_str())
    }
}

/// Whether a state folder holds an investigation that is current, or that was put aside and can go on.
fn holds_investigation(folder: &Path) -> bool {
    let goes_on = |entry: fs::DirEntry| {
        let path = entry.path();
        let state = path.extension().is_some_and(|ending| ending == "json").then(|| fs::read(&path).ok());
        let state =
            state.flatten().and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok());
        state.is_some_and(|state| state["status"] != "complete")
    };
    let aside = || fs::read_dir(folder.join("investigations")).is_ok_and(|all| all.flatten().any(goes_on));
    folder.join("investigation.json").exists() || aside()
}

/// Folders and reasons, the first one counts. Never empty.
fn candidates(
    root: &Path,
    flag: Option<&str>,
    config: &Config,
    environment: &dyn Environment,
) -> Vec<(String, String)> {
    let set = |name: &str| environment.variable(name).is_some();
    let named = |folder: Option<String>, reason: &str| folder.map(|folder| (folder, reason.to_owned()));
    let opencode = set("OPENCODE_CONFIG") || set("OPENCODE_CONFIG_DIR") || root.join(".opencode").is_dir();
    let codex = set("CODEX_HOME") || root.join(".codex").is_dir();
    [
        named(flag.map(str::to_owned), "--state-dir"),
        named(environment.variable("AI_STATE_DIR"), "AI_STATE_DIR"),
        named(config.state_dir.clone(), "state-dir in perf.toml"),
        named(opencode.then(|| ".opencode".to_owned()), "OpenCode is used here"),
        named(codex.then(|| ".codex".to_owned()), "Codex is used here"),
        named(Some(".claude".to_owned()), "the default"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The project's root above `cwd`: the nearest parent with `perf.toml`, else the git work tree, else
/// the cargo workspace. `None` outside of all three.
pub fn find_root(cwd: &Path) -> Option<PathBuf> {
    let nearest = |name: &str| cwd.ancestors().find(|folder| folder.join(name).exists());
    nearest(FILE).or_else(|| nearest(".git")).map(Path::to_path_buf).or_else(|| cargo_root(cwd))
}

/// The nearest manifest that opens a workspace, else the nearest manifest.
fn cargo_root(cwd: &Path) -> Option<PathBuf> {
    let manifests = || cwd.ancestors().filter(|folder| folder.join("Cargo.toml").is_file());
    let opens_workspace = |folder: &&Path| {
        fs::read_to_string(folder.join("Cargo.toml"))
            .ok()
            .and_then(|text| text.parse::<toml::Table>().ok())
            .is_some_and(|manifest| manifest.contains_key("workspace"))
    };
    manifests().find(opens_workspace).or_else(|| manifests().next()).map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::files::write_atomic;

    struct Variables(&'static [(&'static str, &'static str)]);

    impl Environment for Variables {
        fn variable(&self, name: &str) -> Option<String> {
            self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        }
    }

    fn chosen(root: &Path, config: &Config, variables: &'static [(&'static str, &'static str)]) -> Layout {
        Layout::choose(root, None, config, &Variables(variables)).expect("chosen")
    }

    #[test]
    fn the_order_is_variable_configuration_agents_default() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let root = root.path();
        let config = Config { state_dir: Some("mine".into()), ..Config::default() };
        let all: &[_] = &[("AI_STATE_DIR", "env"), ("OPENCODE_CONFIG", "x"), ("CODEX_HOME", "y")];
        assert_eq!(chosen(root, &config, all).folder, root.join("env/perf"));
        assert_eq!(chosen(root, &config, &all[1..]).folder, root.join("mine/perf"));
        assert_eq!(chosen(root, &Config::default(), &all[1..]).folder, root.join(".opencode/perf"));
        assert_eq!(chosen(root, &Config::default(), &all[2..]).folder, root.join(".codex/perf"));
        assert_eq!(chosen(root, &Config::default(), &[]).folder, root.join(".claude/perf"));
        assert_eq!(
            chosen(root, &Config::default(), &[("AI_STATE_DIR", "/abs")]).folder,
            Path::new("/abs/perf")
        );
    }

    #[test]
    fn a_living_investigation_is_not_orphaned_by_a_variable() {
        let root = tempfile::tempdir().expect("a temporary folder");
        write_atomic(&root.path().join(".claude/perf/investigation.json"), b"{}").expect("written");
        let layout = chosen(root.path(), &Config::default(), &[("CODEX_HOME", "y")]);
        assert_eq!(layout.folder, root.path().join(".claude/perf"));
        assert!(layout.warning.is_some_and(|text| text.contains(".codex")));
        // Nor is one that is put aside.
        let root = tempfile::tempdir().expect("a temporary folder");
        let aside = root.path().join(".claude/perf/investigations/a.json");
        for (status, folder) in [("in_progress", ".claude/perf"), ("complete", ".codex/perf")] {
            write_atomic(&aside, format!("{{\"status\": \"{status}\"}}").as_bytes()).expect("written");
            let layout = chosen(root.path(), &Config::default(), &[("CODEX_HOME", "y")]);
            assert_eq!(layout.folder, root.path().join(folder), "{status}");
        }
    }

    #[test]
    fn a_folder_that_leads_upwards_is_refused() {
        let refused = Layout::choose(Path::new("/r"), Some("a/../.."), &Config::default(), &Variables(&[]));
        assert!(refused.expect_err("refused").message.contains(".."));
    }

    #[test]
    fn the_root_is_found_from_below() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |path: &str| folder.path().join(path);
        write_atomic(&at("Cargo.toml"), b"[workspace]\nmembers = ['a']\n").expect("written");
        write_atomic(&at("a/Cargo.toml"), b"[package]\nname = 'a'\n").expect("written");
        fs::create_dir_all(at("a/src")).expect("created");
        assert_eq!(find_root(&at("a/src")), Some(folder.path().to_path_buf()));
        write_atomic(&at("a/perf.toml"), b"").expect("written");
        assert_eq!(find_root(&at("a/src")), Some(at("a")));
    }
}
