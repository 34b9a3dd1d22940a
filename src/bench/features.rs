//! Which features of a package are enabled by the given flags, as far as manifests tell.

use super::selection::CargoFlags;
use std::collections::{BTreeMap, BTreeSet};

/// The enabled features of the package `name`, whose manifest declares `features`.
pub fn enabled(name: &str, features: &BTreeMap<String, Vec<String>>, flags: &CargoFlags) -> BTreeSet<String> {
    let mut open: Vec<String> = requested(name, flags);
    if flags.all_features {
        open.extend(features.keys().cloned());
    }
    if !flags.no_default_features {
        open.push("default".to_owned());
    }
    let mut enabled = BTreeSet::new();
    while let Some(feature) = open.pop() {
        if enabled.insert(feature.clone()) {
            open.extend(features.get(&feature).into_iter().flatten().cloned());
        }
    }
    enabled
}

/// The features asked for on the command line that concern this package: `a`, `a b`, `a,b`, `name/a`.
fn requested(name: &str, flags: &CargoFlags) -> Vec<String> {
    let words = flags.features.iter().flat_map(|list| list.split([',', ' '])).filter(|word| !word.is_empty());
    words
        .map(|word| match word.split_once('/') {
            Some((package, feature)) if package == name => feature.to_owned(),
            _ => word.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> BTreeMap<String, Vec<String>> {
        let entry =
            |name: &str, needs: &[&str]| (name.to_owned(), needs.iter().map(|n| (*n).to_owned()).collect());
        [
            entry("default", &["std"]),
            entry("std", &[]),
            entry("full", &["extra", "dep:x"]),
            entry("extra", &[]),
        ]
        .into()
    }

    #[test]
    fn defaults_are_on_until_they_are_turned_off() {
        let flags = CargoFlags::default();
        assert!(enabled("p", &manifest(), &flags).contains("std"));
        let flags = CargoFlags { no_default_features: true, ..CargoFlags::default() };
        assert!(enabled("p", &manifest(), &flags).is_empty());
    }

    #[test]
    fn a_feature_enables_what_it_names_and_can_be_meant_for_one_package() {
        for list in ["full", "other,full", "p/full"] {
            let flags = CargoFlags { features: vec![list.to_owned()], ..CargoFlags::default() };
            assert!(enabled("p", &manifest(), &flags).contains("extra"), "{list}");
        }
        let flags = CargoFlags { features: vec!["q/full".to_owned()], ..CargoFlags::default() };
        assert!(!enabled("p", &manifest(), &flags).contains("extra"));
    }
}
