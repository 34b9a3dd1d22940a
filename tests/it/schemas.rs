//! The schemas in `docs/schemas` are what the types say. `CARGO_PERF_UPDATE=1` writes them anew.

use cargo_perf_lab::model::baseline::Baseline;
use cargo_perf_lab::model::comparison::Comparison;
use cargo_perf_lab::model::investigation::Investigation;
use cargo_perf_lab::sys::files::write_atomic;
use libtest_mimic::{Failed, Trial};
use std::path::Path;

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("the_schema_of_a_baseline_is_generated_from_its_type", || {
            compare("baseline.json", &schemars::schema_for!(Baseline))
        }),
        Trial::test("the_schema_of_a_comparison_is_generated_from_its_type", || {
            compare("comparison.json", &schemars::schema_for!(Comparison))
        }),
        Trial::test("the_schema_of_an_investigation_is_generated_from_its_type", || {
            compare("investigation.json", &schemars::schema_for!(Investigation))
        }),
    ]
}

fn compare(name: &str, schema: &schemars::Schema) -> Result<(), Failed> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas").join(name);
    let generated = serde_json::to_string_pretty(schema)? + "\n";
    if std::env::var_os("CARGO_PERF_UPDATE").is_some() {
        write_atomic(&path, generated.as_bytes()).map_err(|failure| failure.message)?;
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    if stored == generated {
        return Ok(());
    }
    Err(format!("{} is out of date; run the tests once with CARGO_PERF_UPDATE=1", path.display()).into())
}
