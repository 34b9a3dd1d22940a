//! Whether documents have the form that `docs/schemas` describes.

use crate::failure::{Context, Failure, FailureKind};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// Errors of a document that are named at once.
const MOST_ERRORS: usize = 5;

/// What is wrong with a document of the type `T`, each with the place in it as a JSON pointer.
///
/// # Errors
/// `Bug` for a type without a usable schema.
pub fn errors_of<T: JsonSchema>(value: &Value) -> Result<Vec<String>, Failure> {
    let schema = schemars::schema_for!(T).to_value();
    let validator = jsonschema::validator_for(&schema)
        .context(FailureKind::Bug, || format!("the schema of {} cannot be used", T::schema_name()))?;
    let mut errors: Vec<String> = validator
        .iter_errors(value)
        .map(|error| {
            let place = error.instance_path().to_string();
            format!("{}: {error}", if place.is_empty() { "/" } else { &place })
        })
        .collect();
    let more = errors.len().saturating_sub(MOST_ERRORS);
    errors.truncate(MOST_ERRORS);
    if more > 0 {
        errors.push(format!("and {more} more"));
    }
    Ok(errors)
}

/// Refuses to store a document that other programs could not read by its schema.
///
/// # Errors
/// `State`, with the places.
pub fn expect_valid<T: JsonSchema + Serialize>(document: &T, what: &str) -> Result<(), Failure> {
    let value =
        serde_json::to_value(document).context(FailureKind::Bug, || format!("{what} cannot be coded"))?;
    let errors = errors_of::<T>(&value)?;
    if errors.is_empty() {
        return Ok(());
    }
    Err(Failure::state(format!("{what} is not what its schema says: {}", errors.join("; ")))
        .hint("nothing was stored; restore the state from version control, or report it as a bug"))
}
