//! Which benches two sides have in common, and which are left out.

use super::catalogue::{Catalogue, Entry};
use crate::bench::selection::Selection;
use crate::failure::Failure;
use crate::model::comparison::{LeftOut, SideName, Sides};

/// The benches that both sides have, and those that only one has.
#[derive(Debug)]
pub struct Matched<'a> {
    /// What can be compared, in the order of the candidate.
    pub pairs: Vec<Sides<&'a Entry>>,
    /// What cannot.
    pub left_out: Vec<LeftOut>,
}

/// Pairs the benches that `selection` means.
///
/// # Errors
/// `Usage` when it means nothing on one side or on both, or nothing that both have.
pub fn matched<'a>(catalogues: &Sides<&'a Catalogue>, selection: &Selection) -> Result<Matched<'a>, Failure> {
    let found = catalogues.map(|catalogue| catalogue.filtered(selection));
    let (base, candidate) = match (found.base, found.candidate) {
        (Ok(base), Ok(candidate)) => (base, candidate),
        (Err(_), Err(failure)) => return Err(failure),
        (Ok(found), Err(_)) => return Err(one_side_only(&found, SideName::Base)),
        (Err(_), Ok(found)) => return Err(one_side_only(&found, SideName::Candidate)),
    };
    let mut pairs = Vec::new();
    let mut left_out = Vec::new();
    for entry in &candidate {
        let name = &entry.benchmark.name;
        match base.iter().find(|other| other.benchmark.name == *name) {
            Some(other) if other.benchmark.harness == entry.benchmark.harness => {
                pairs.push(Sides { base: *other, candidate: *entry });
            }
            Some(other) => left_out.push(LeftOut {
                bench: name.clone(),
                why: format!(
                    "it is a {} bench in the base and a {} bench in the candidate",
                    other.benchmark.harness.name(),
                    entry.benchmark.harness.name()
                ),
            }),
            None => left_out.push(only_in(entry, SideName::Candidate)),
        }
    }
    let has = |entry: &&&Entry| candidate.iter().any(|other| other.benchmark.name == entry.benchmark.name);
    left_out.extend(base.iter().filter(|entry| !has(entry)).map(|entry| only_in(entry, SideName::Base)));
    if let (true, Some(first)) = (pairs.is_empty(), left_out.first()) {
        return Err(Failure::usage(format!(
            "the sides have no benchmark in common: {}: {}",
            first.bench, first.why
        ))
        .hint(RENAMED));
    }
    Ok(Matched { pairs, left_out })
}

const RENAMED: &str = "compare revisions that both have it under the same name";

fn only_in(entry: &Entry, side: SideName) -> LeftOut {
    LeftOut { bench: entry.benchmark.name.clone(), why: format!("only the {} has it", side.name()) }
}

fn one_side_only(found: &[&Entry], side: SideName) -> Failure {
    let first = found.first().map(|entry| entry.benchmark.name.to_string()).unwrap_or_default();
    Failure::usage(format!("only the {} has {first}", side.name())).hint(RENAMED)
}
