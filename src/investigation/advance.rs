//! Applies the outcome of a phase. The only place where a phase changes anything that is stored.
//!
//! Without an investigation that is the baseline alone: there is no log and no checkpoint to write.

use crate::failure::Failure;
use crate::model::label::VersionLabel;
use crate::model::outcome::Outcome;
use crate::store::baselines;
use crate::store::layout::Layout;
use std::path::PathBuf;

/// What was stored.
#[derive(Debug)]
pub struct Applied {
    /// The outcome, for showing.
    pub outcome: Outcome,
    /// The baseline's file, when there is one.
    pub baseline_file: Option<PathBuf>,
}

/// Stores what `outcome` asks for.
pub fn advance(layout: &Layout, outcome: Outcome) -> Result<Applied, Failure> {
    let baseline_file = match &outcome.baseline {
        Some(baseline) => {
            let label = VersionLabel::new(&baseline.version)?;
            Some(baselines::save(layout, &label, baseline.clone())?)
        }
        None => None,
    };
    Ok(Applied { outcome, baseline_file })
}
