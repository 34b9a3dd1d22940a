//! An approval to do what a rule refuses, in the words of whoever gave it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An approval, stored with everything it led to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Waiver {
    /// Who approved.
    pub who: String,
    /// Why, in their own words.
    pub text: String,
    /// When, RFC 3339 in UTC.
    pub when: String,
}
