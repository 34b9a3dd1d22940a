//! The commit that ends a phase: where it goes, and how its record names it. A commit cannot hold its own
//! id, so the record says how it is found.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// Where checkpoint commits go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Onto what is checked out.
    #[default]
    Branch,
    /// Onto a reference of their own, which no branch and no index shows.
    Ref,
    /// Nowhere.
    Off,
}

impl Mode {
    /// All places.
    pub const ALL: [Self; 3] = [Self::Branch, Self::Ref, Self::Off];

    /// Its word in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Branch => "branch",
            Self::Ref => "ref",
            Self::Off => "off",
        }
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|mode| mode.name() == text);
        found.ok_or_else(|| "expected branch, ref or off".to_owned())
    }
}

/// The commit of a phase, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckpointRecord {
    /// Whether there is one.
    pub state: CheckpointState,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its subject.
    pub subject: String,
    /// Its parent; none for the first commit of a branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The reference it is on, when that is not the branch.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// Whether a phase has a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckpointState {
    /// It has one, which subject and parent find.
    Commit,
    /// It has none, for a reason.
    None,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s49_a_place_is_written_in_one_way() {
        for mode in Mode::ALL {
            assert_eq!(mode.name().parse(), Ok(mode));
            assert_eq!(serde_json::from_str::<Mode>(&format!("{:?}", mode.name())).ok(), Some(mode));
        }
        assert!("Ref".parse::<Mode>().is_err());
        assert_eq!(Mode::default(), Mode::Branch);
    }
}
