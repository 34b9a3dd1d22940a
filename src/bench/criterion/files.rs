//! The fall-back: the sample files criterion writes when nobody listens to it.

use super::conversation::samples;
use super::protocol::Method;
use crate::bench::reading::{Reading, Values};
use crate::failure::{Context, Failure, FailureKind};
use crate::model::bench::Throughput;
use serde::Deserialize;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct BenchmarkFile {
    full_id: String,
    throughput: Option<Value>,
}

#[derive(Deserialize)]
struct SampleFile {
    sampling_mode: Method,
    iters: Vec<f64>,
    times: Vec<f64>,
}

/// The reading of the benchmark `id` below the criterion folder `home`.
///
/// Folder names are shortened and altered ids, so each folder is asked for the id it stands for. The
/// files do not hold the unit; it is taken to be nanoseconds.
pub fn read(home: &Path, id: &str) -> Result<Option<Reading>, Failure> {
    for folder in results(home) {
        let benchmark: BenchmarkFile = parse(&folder.join("benchmark.json"))?;
        if benchmark.full_id != id {
            continue;
        }
        let sample: SampleFile = parse(&folder.join("sample.json"))?;
        return Ok(Some(Reading {
            id: benchmark.full_id,
            values: Values::Samples {
                samples: samples(&sample.iters, &sample.times, 1.0)?,
                sampling: sample.sampling_mode.into(),
            },
            unit: "ns".to_owned(),
            throughput: benchmark.throughput.iter().flat_map(throughput).collect(),
            live: None,
        }));
    }
    Ok(None)
}

/// The folders called `new` that hold a finished benchmark.
fn results(home: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![home.to_path_buf()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
            let path = entry.path();
            if entry.file_name() == "new" && path.join("sample.json").is_file() {
                found.push(path);
            } else {
                open.push(path);
            }
        }
    }
    found.sort();
    found
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let what = || format!("{} cannot be read", path.display());
    let text = fs::read(path).context(FailureKind::Benchmark, what)?;
    serde_json::from_slice(&text).context(FailureKind::Benchmark, what)
}

fn throughput(value: &Value) -> Vec<Throughput> {
    let entry =
        |kind: &str, amount: &Value| Some(Throughput { kind: kind.to_lowercase(), amount: amount.as_u64()? });
    let pairs = value.as_object().into_iter().flatten();
    pairs
        .flat_map(|(kind, inner)| match inner.as_object() {
            Some(fields) => {
                fields.iter().filter_map(|(field, amount)| entry(field, amount)).collect::<Vec<_>>()
            }
            None => entry(if kind == "BytesDecimal" { "bytes_decimal" } else { kind }, inner)
                .into_iter()
                .collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::samples::{Samples, Sampling};
    use crate::sys::files::write_atomic;

    fn store(home: &Path, folder: &str, id: &str, sample: &str) {
        let folder = home.join(folder).join("new");
        let benchmark = format!(r#"{{"group_id":"g","full_id":"{id}","throughput":{{"BytesDecimal":9}}}}"#);
        write_atomic(&folder.join("benchmark.json"), benchmark.as_bytes()).expect("written");
        write_atomic(&folder.join("sample.json"), sample.as_bytes()).expect("written");
    }

    #[test]
    fn a_benchmark_is_found_by_its_id_and_not_by_its_folder() {
        let home = tempfile::tempdir().expect("a temporary folder");
        store(
            home.path(),
            "g/a_b",
            "g/a/b",
            r#"{"sampling_mode":"Flat","iters":[2.0,2.0],"times":[10.0,12.0]}"#,
        );
        store(home.path(), "g/other", "g/other", r#"{"sampling_mode":"Linear","iters":[1.0],"times":[1.0]}"#);
        let reading = read(home.path(), "g/a/b").expect("read").expect("found");
        let samples = Samples { iterations: vec![2, 2], totals: vec![10.0, 12.0] };
        assert_eq!(reading.values, Values::Samples { samples, sampling: Sampling::Flat });
        assert_eq!(reading.throughput, [Throughput { kind: "bytes_decimal".into(), amount: 9 }]);
        assert!(read(home.path(), "g/a_b").expect("read").is_none());
    }

    #[test]
    fn a_damaged_file_is_named() {
        let home = tempfile::tempdir().expect("a temporary folder");
        store(home.path(), "g", "g", r#"{"sampling_mode":"Flat","iters":[2.0],"times":[1e999]}"#);
        let failure = read(home.path(), "g").expect_err("damaged");
        assert!(failure.message.contains("sample.json"), "{}", failure.message);
    }
}
