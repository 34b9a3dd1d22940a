//! Changes of which it is known what they do, drawn from seeds: none of them was chosen.

use crate::start;
use crate::verdicts::kernels::{KERNELS, SOURCE};
use cargo_perf_lab::failure::{Context, Failure, FailureKind};
use git2::Patch;
use std::fs;
use std::path::Path;

/// What a change does to the cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A tenth of the work is gone.
    Tenth,
    /// A quarter of the work is gone.
    Quarter,
    /// Nothing.
    Nothing,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Tenth, Self::Quarter, Self::Nothing];

    /// In a few words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tenth => "improvements of 10 %",
            Self::Quarter => "improvements of 25 %",
            Self::Nothing => "changes without effect",
        }
    }

    fn units(self) -> Option<u32> {
        match self {
            Self::Tenth => Some(90),
            Self::Quarter => Some(75),
            Self::Nothing => None,
        }
    }
}

/// A change of one kernel.
#[derive(Debug)]
pub struct Planted {
    /// Decides everything else.
    pub seed: u64,
    /// What it does.
    pub class: Class,
    /// The kernel it is measured with.
    pub kernel: &'static str,
    /// The change as git reads it.
    pub patch: Vec<u8>,
}

/// The change of a seed: the classes take turns, the kernel and the form are drawn.
///
/// # Errors
/// `Bug` when the fixture has not the form that changes are made for.
pub fn planted(seed: u64) -> Result<Planted, Failure> {
    let mut random = fastrand::Rng::with_seed(seed);
    let place = usize::try_from(seed).unwrap_or_default() % Class::ALL.len();
    let class = Class::ALL[place];
    let kernel = KERNELS[random.usize(..KERNELS.len())].name;
    let source = Path::new(SOURCE);
    let before = fs::read_to_string(start::fixture("kernels").join(source))
        .context(FailureKind::Environment, || "the kernels cannot be read".to_owned())?;
    let after = match class.units() {
        Some(units) => less_work(&before, kernel, units),
        None => no_effect(&before, seed, &mut random),
    };
    if after == before {
        return Err(Failure::new(FailureKind::Bug, format!("seed {seed} changes nothing")));
    }
    let unmade = || format!("the patch of seed {seed} cannot be made");
    let patch = Patch::from_buffers(before.as_bytes(), Some(source), after.as_bytes(), Some(source), None)
        .and_then(|mut patch| Ok(patch.to_buf()?.to_vec()))
        .context(FailureKind::Bug, unmade)?;
    Ok(Planted { seed, class, kernel, patch })
}

fn less_work(text: &str, kernel: &str, units: u32) -> String {
    let constant = if kernel == "memory" { "MEMORY_UNITS" } else { "UNITS" };
    let said = |units: u32| format!("pub const {constant}: usize = {units};");
    text.replace(&said(100), &said(units))
}

/// What changes the text, and perhaps where things lie in the executable, but nothing that is computed.
fn no_effect(text: &str, seed: u64, random: &mut fastrand::Rng) -> String {
    match random.u8(..4) {
        0 => text.replacen("\n\n", &format!("\n\n// Seed {seed} was here.\n"), 1),
        1 => format!(
            "{text}\n/// Called by nobody.\npub fn unused(of: u64) -> u64 {{\n    of.rotate_left(7) ^ {seed}\n}}\n"
        ),
        2 => text.replace("mixed", "blended"),
        _ => {
            let (from, to) = ("/// Parses the same", "/// Fills a small");
            match (text.find(from), text.find(to)) {
                // The two functions change places with the rest.
                (Some(start), Some(end)) => {
                    format!("{}{}\n{}", &text[..start], &text[end..], text[start..end].trim_end()) + "\n"
                }
                _ => text.to_owned(),
            }
        }
    }
}
