//! How cargo will build: the profile and the flags of the compiler, as manifest, configuration and
//! environment make them. Pure, but for the one function that reads them.

use crate::bench::cargo_env::config_folders;
use crate::bench::selection::CargoFlags;
use crate::model::environment::Profile;
use crate::sys::files;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use toml::{Table, Value};

/// Where cargo looks for settings, strongest first: environment, configuration, manifest.
#[derive(Debug, Default)]
pub struct Sources {
    environment: BTreeMap<String, String>,
    /// Nearest first.
    configurations: Vec<Table>,
    manifest: Option<Table>,
}

/// The compiler's flags, by where they come from.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CompilerFlags {
    /// `RUSTFLAGS`, empty when not set.
    pub rustflags: String,
    /// `CARGO_ENCODED_RUSTFLAGS`, separated by spaces, empty when not set.
    pub encoded: String,
    /// Of the configuration, as `key: flags`.
    pub configured: Vec<String>,
    /// What code is generated for; unknown when a condition of the configuration decides.
    pub target_cpu: Option<String>,
}

impl Sources {
    /// Reads them for the workspace at `root`, seen from `cwd`.
    pub fn read(root: &Path, cwd: &Path) -> Self {
        let table = |path: &Path| fs::read_to_string(path).ok()?.parse::<Table>().ok();
        let configuration = |folder: &Path| {
            // Cargo still reads the old name, and prefers it when both exist.
            ["config", "config.toml"].iter().find_map(|name| table(&folder.join(name)))
        };
        Self {
            environment: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .filter(|(name, _)| name.starts_with("CARGO_") || name == "RUSTFLAGS")
                .collect(),
            configurations: config_folders(cwd).iter().filter_map(|folder| configuration(folder)).collect(),
            manifest: table(&root.join("Cargo.toml")),
        }
    }

    /// The profile `name`, unknown without a manifest.
    pub fn profile(&self, name: &str) -> Option<Profile> {
        self.manifest.as_ref()?;
        let of =
            |key: &str| self.setting(name, key).unwrap_or_else(|| default(self.base(name), key).to_owned());
        Some(Profile {
            name: name.to_owned(),
            opt_level: of("opt-level"),
            lto: of("lto"),
            codegen_units: of("codegen-units"),
            panic: of("panic"),
            debug: of("debug"),
            debug_assertions: of("debug-assertions"),
            overflow_checks: of("overflow-checks"),
        })
    }

    /// The target that is built for when no flag names one: of the environment or the configuration.
    pub fn target(&self) -> Option<String> {
        let configured =
            || self.configurations.iter().find_map(|table| text(table.get("build")?.get("target")?));
        self.environment.get("CARGO_BUILD_TARGET").cloned().or_else(configured)
    }

    /// The flags of the compiler.
    pub fn compiler_flags(&self, target: Option<&str>) -> CompilerFlags {
        let variable = |name: &str| self.environment.get(name).cloned().unwrap_or_default();
        let encoded = variable("CARGO_ENCODED_RUSTFLAGS").replace('\u{1f}', " ");
        let rustflags = variable("RUSTFLAGS");
        let configured = self.configured_flags();
        let target_cpu = effective_cpu(&encoded, &rustflags, &configured, target);
        let shown = configured.iter().map(|(key, flags)| format!("{key}: {}", without_paths(flags)));
        CompilerFlags {
            rustflags: without_paths(&rustflags),
            encoded: without_paths(&encoded),
            configured: shown.collect(),
            target_cpu,
        }
    }

    /// Key and flags of every `rustflags` in configuration and environment.
    fn configured_flags(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (name, value) in &self.environment {
            if name == "CARGO_BUILD_RUSTFLAGS"
                || name.starts_with("CARGO_TARGET_") && name.ends_with("_RUSTFLAGS")
            {
                found.push((name.clone(), value.clone()));
            }
        }
        for table in &self.configurations {
            let of = |table: Option<&Value>| table.and_then(|table| words(table.get("rustflags")?));
            found.extend(of(table.get("build")).map(|flags| ("build".to_owned(), flags)));
            for (name, target) in table.get("target").and_then(Value::as_table).into_iter().flatten() {
                found.extend(of(Some(target)).map(|flags| (format!("target.{name}"), flags)));
            }
        }
        found
    }

    /// One setting of a profile, from it or from the profiles it inherits from.
    fn setting(&self, profile: &str, key: &str) -> Option<String> {
        self.chain(profile).iter().find_map(|profile| self.own_setting(profile, key))
    }

    fn own_setting(&self, profile: &str, key: &str) -> Option<String> {
        let upper = |word: &str| word.to_uppercase().replace('-', "_");
        let variable = format!("CARGO_PROFILE_{}_{}", upper(profile), upper(key));
        let tables = self.configurations.iter().chain(&self.manifest);
        let mut values = tables.filter_map(|table| text(table.get("profile")?.get(profile)?.get(key)?));
        self.environment.get(&variable).cloned().or_else(|| values.next())
    }

    fn parent(&self, profile: &str) -> Option<String> {
        match profile {
            "dev" | "release" => None,
            "test" => Some("dev".to_owned()),
            "bench" => Some("release".to_owned()),
            custom => self.own_setting(custom, "inherits"),
        }
    }

    /// The profile and those it inherits from.
    fn chain(&self, profile: &str) -> Vec<String> {
        let mut chain = vec![profile.to_owned()];
        // Cargo refuses a chain that leads back to its start; it must end here too.
        while let Some(parent) = self.parent(&chain[chain.len() - 1]).filter(|parent| !chain.contains(parent))
        {
            chain.push(parent);
        }
        chain
    }

    /// `dev` or `release`, whatever the profile comes down to.
    fn base(&self, profile: &str) -> &'static str {
        if self.chain(profile).iter().any(|profile| profile == "dev") { "dev" } else { "release" }
    }
}

/// The features that were asked for, in order of names.
pub fn features(flags: &CargoFlags) -> Vec<String> {
    let separators = [',', ' '];
    let named = flags.features.iter().flat_map(|list| list.split(separators)).filter(|name| !name.is_empty());
    let mut all: Vec<String> = named.map(str::to_owned).collect();
    all.extend(flags.all_features.then(|| "--all-features".to_owned()));
    all.extend(flags.no_default_features.then(|| "--no-default-features".to_owned()));
    all.sort();
    all.dedup();
    all
}

/// `words` with everything that looks like a path replaced by a hash, so that equal paths stay equal.
pub fn without_paths(words: &str) -> String {
    let hidden = |word: &str| match word.split_once('/') {
        Some((before, _)) => {
            let hash = files::sha256_bytes(&word.as_bytes()[before.len()..]);
            format!("{before}path:{}", &hash[..8])
        }
        None => word.to_owned(),
    };
    words.split_whitespace().map(hidden).collect::<Vec<_>>().join(" ")
}

/// What cargo does when nothing is said.
fn default(base: &str, key: &str) -> &'static str {
    let dev = base == "dev";
    match key {
        "opt-level" => ["3", "0"][usize::from(dev)],
        "codegen-units" => ["16", "256"][usize::from(dev)],
        "panic" => "unwind",
        "debug" | "debug-assertions" | "overflow-checks" if dev => "true",
        _ => "false",
    }
}

/// Cargo takes one source only: the encoded variable, the plain one, those of the target, those of the build.
fn effective_cpu(
    encoded: &str,
    rustflags: &str,
    configured: &[(String, String)],
    target: Option<&str>,
) -> Option<String> {
    let default = || "default".to_owned();
    for flags in [encoded, rustflags] {
        if !flags.is_empty() {
            return Some(target_cpu(flags).unwrap_or_else(default));
        }
    }
    let conditional =
        |(key, flags): &(String, String)| key.starts_with("target.cfg(") && target_cpu(flags).is_some();
    if configured.iter().any(conditional) {
        return None;
    }
    let target = target.unwrap_or_default();
    let keys = [
        format!("target.{target}"),
        format!("CARGO_TARGET_{}_RUSTFLAGS", target.to_uppercase().replace(['-', '.'], "_")),
        "build".to_owned(),
        "CARGO_BUILD_RUSTFLAGS".to_owned(),
    ];
    let named = |key: &String| configured.iter().find(|(name, _)| name == key);
    let cpu = keys.iter().filter_map(named).find_map(|(_, flags)| target_cpu(flags));
    Some(cpu.unwrap_or_else(default))
}

/// The last word counts.
fn target_cpu(flags: &str) -> Option<String> {
    let mut cpus = flags.split_whitespace().filter_map(|word| word.split_once("target-cpu="));
    cpus.next_back().map(|(_, cpu)| cpu.to_owned())
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Boolean(_) | Value::Integer(_) => Some(value.to_string()),
        _ => None,
    }
}

/// Flags are a list or one text.
fn words(value: &Value) -> Option<String> {
    match value {
        Value::Array(list) => Some(list.iter().filter_map(text).collect::<Vec<_>>().join(" ")),
        other => text(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(manifest: &str, configuration: &str, environment: &[(&str, &str)]) -> Sources {
        Sources {
            environment: environment
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            configurations: vec![configuration.parse().expect("a table")],
            manifest: Some(manifest.parse().expect("a table")),
        }
    }

    #[test]
    fn a_profile_is_what_its_parents_and_the_stronger_sources_make_of_it() {
        let manifest = "[profile.release]\nlto = 'thin'\ndebug = 1\n[profile.fast]\ninherits = 'bench'\ncodegen-units = 1\n";
        let configuration = "[profile.release]\npanic = 'abort'\n[profile.fast]\ncodegen-units = 2\n";
        let all = sources(manifest, configuration, &[("CARGO_PROFILE_BENCH_LTO", "fat")]);
        let fast = all.profile("fast").expect("known");
        assert_eq!((fast.lto.as_str(), fast.codegen_units.as_str()), ("fat", "2"));
        assert_eq!((fast.panic.as_str(), fast.debug.as_str(), fast.opt_level.as_str()), ("abort", "1", "3"));
        let release = all.profile("release").expect("known");
        assert_eq!((release.lto.as_str(), release.overflow_checks.as_str()), ("thin", "false"));
        let dev = all.profile("dev").expect("known");
        assert_eq!((dev.opt_level.as_str(), dev.codegen_units.as_str()), ("0", "256"));
        assert_eq!((dev.debug_assertions.as_str(), dev.lto.as_str()), ("true", "false"));
        assert_eq!(Sources::default().profile("bench"), None);
    }

    #[test]
    fn profiles_that_inherit_in_a_circle_end_the_search() {
        let circle = sources("[profile.a]\ninherits = 'b'\n[profile.b]\ninherits = 'a'\n", "", &[]);
        assert_eq!(circle.profile("a").expect("known").opt_level, "3");
    }

    #[test]
    fn the_strongest_source_of_flags_decides_the_processor() {
        let configuration =
            "[build]\nrustflags = ['-C', 'target-cpu=native']\n[target.t]\nrustflags = '-Ctarget-cpu=v2'\n";
        let cpu = |environment: &[(&str, &str)], target| {
            sources("", configuration, environment).compiler_flags(Some(target)).target_cpu
        };
        assert_eq!(cpu(&[], "t").as_deref(), Some("v2"));
        assert_eq!(cpu(&[], "u").as_deref(), Some("native"));
        assert_eq!(cpu(&[("RUSTFLAGS", "-g")], "t").as_deref(), Some("default"));
        let encoded = [("RUSTFLAGS", "-g"), ("CARGO_ENCODED_RUSTFLAGS", "-C\u{1f}target-cpu=v3")];
        assert_eq!(cpu(&encoded, "t").as_deref(), Some("v3"));
        let conditional = "[target.'cfg(unix)']\nrustflags = ['-Ctarget-cpu=v4']\n";
        assert_eq!(sources("", conditional, &[]).compiler_flags(Some("t")).target_cpu, None);
    }

    #[test]
    fn flags_are_kept_and_paths_in_them_hashed() {
        let all =
            sources("", "[build]\nrustflags = ['-L', '/a/secret']\n", &[("RUSTFLAGS", "-Clinker=/b/c -g")]);
        let flags = all.compiler_flags(None);
        assert!(
            flags.rustflags.starts_with("-Clinker=path:") && flags.rustflags.ends_with(" -g"),
            "{flags:?}"
        );
        assert!(
            matches!(flags.configured.as_slice(), [one] if one.starts_with("build: -L path:")),
            "{flags:?}"
        );
        assert_eq!(flags.encoded, "");
        assert_ne!(without_paths("/a"), without_paths("/b"));
        assert_eq!(without_paths("/a"), without_paths("/a"));
    }

    #[test]
    fn features_are_a_sorted_set() {
        let flags = CargoFlags {
            features: vec!["b,a".into(), "a c".into()],
            no_default_features: true,
            ..CargoFlags::default()
        };
        assert_eq!(features(&flags), ["--no-default-features", "a", "b", "c"]);
    }
}
