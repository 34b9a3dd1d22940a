//! Versions of what is written to disk and to `--json`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of a document: additions raise `minor`, everything else raises `major`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SchemaVersion {
    /// Readers refuse a larger one.
    pub major: u32,
    /// Readers accept any.
    pub minor: u32,
}

/// The version of everything this program writes.
pub const CURRENT: SchemaVersion = SchemaVersion { major: 1, minor: 0 };
