//! `baselines/<version>.json`: written whole, read with care, never guessed at.

use super::layout::Layout;
use super::packed;
use super::transaction::{self, Change, Guard, PATIENCE};
use crate::failure::{Context, Failure, FailureKind};
use crate::model::baseline::{Baseline, BenchSeries, RawFile, SCHEMA};
use crate::model::bench::Precision;
use crate::model::format::CURRENT;
use crate::model::label::VersionLabel;
use crate::model::samples::CodedSamples;
use crate::sys::{files, regular};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Coded samples up to this many bytes stay inside the document; more go beside it, compressed.
const INLINE_LIMIT: usize = 256 * 1024;
/// Room that must be there before measuring starts: the largest inline document with its summaries.
const EXPECTED_SIZE: usize = 1024 * 1024;
/// How the names of sample files begin and end; between them is the hash of the content.
const SAMPLE_FILE: (&str, &str) = ("samples-", ".json.gz");
const HASH_DIGITS: usize = 16;

/// Finds out before anything is measured whether `label` can be stored.
///
/// # Errors
/// `Environment` for a folder that cannot be written or is full; `Usage` for a label that another one
/// equals but for case, which some file systems cannot keep apart; `State` when a baseline of that
/// version is damaged or newer, because it would be lost.
pub fn prove_storable(layout: &Layout, label: &VersionLabel) -> Result<(), Failure> {
    match load(layout, label) {
        Err(failure) if failure.kind != FailureKind::Blocked => return Err(failure),
        _ => {}
    }
    let twin = stored_labels(layout)?
        .into_iter()
        .find(|stored| stored != label && stored.as_str().eq_ignore_ascii_case(label.as_str()));
    if let Some(twin) = twin {
        return Err(Failure::usage(format!("the baseline {twin} differs from {label} in case only"))
            .hint("choose another version label; some file systems cannot keep the two apart"));
    }
    files::prove_writable(&layout.baselines(), EXPECTED_SIZE).map_err(|failure| {
        failure.hint("choose another place with --state-dir, or make room; nothing has been measured yet")
    })
}

/// A baseline whose samples are stored and whose document is not: no baseline yet, and nothing that
/// disturbs one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The document's name in the state folder.
    pub name: String,
    /// The document.
    pub bytes: Vec<u8>,
}

/// Stores large samples of a baseline beside the document to be. Files are named by their content, so
/// those of the baseline that is there stay as they are, and new ones do no harm when no document comes.
///
/// # Errors
/// `Environment` when samples cannot be written.
pub fn prepare(layout: &Layout, label: &VersionLabel, mut baseline: Baseline) -> Result<Prepared, Failure> {
    let inline: usize = baseline.benches.iter().map(coded_size).sum();
    let artifacts = layout.artifacts(label);
    if inline > INLINE_LIMIT {
        for bench in &mut baseline.benches {
            bench.raw = Some(move_out(bench, &artifacts, layout)?);
        }
    }
    let mut text = serde_json::to_vec_pretty(&baseline)
        .context(FailureKind::Bug, || "the baseline cannot be coded".to_owned())?;
    text.push(b'\n');
    Ok(Prepared { name: document(layout, label), bytes: compact_arrays(&text) })
}

/// Removes the samples that an earlier baseline of the same version has left: all that the stored document
/// does not name, or all when there is none. To be called last, while nobody else stores this version, so
/// that a baseline on disk finds its samples at every moment.
///
/// # Errors
/// `State` when the document is damaged or newer, and nothing is removed then; `Environment` when something
/// cannot be removed.
pub fn forget_unnamed(layout: &Layout, label: &VersionLabel) -> Result<(), Failure> {
    let artifacts = layout.artifacts(label);
    let Ok(entries) = fs::read_dir(&artifacts) else { return Ok(()) };
    let benches = match load(layout, label) {
        Ok(baseline) => baseline.benches,
        Err(failure) if failure.kind == FailureKind::Blocked => Vec::new(),
        Err(failure) => return Err(failure),
    };
    let named: Vec<&str> =
        benches.iter().filter_map(|bench| bench.raw.as_ref()?.path.rsplit('/').next()).collect();
    let unnamed = |name: &str| is_sample_file(name) && !named.contains(&name);
    for entry in entries.flatten().filter(|entry| entry.file_name().to_str().is_some_and(unnamed)) {
        files::remove(&entry.path())?;
    }
    // Fails when something else is there, which then stays.
    let _ = fs::remove_dir(&artifacts);
    Ok(())
}

/// Stores a baseline, replacing one of the same version. Returns its file.
///
/// # Errors
/// As [`Guard::take`] and [`Guard::apply`].
pub fn save(layout: &Layout, label: &VersionLabel, baseline: Baseline) -> Result<PathBuf, Failure> {
    // Held throughout: another writer of this version would forget the samples of this one.
    let guard = Guard::take(&layout.folder, PATIENCE)?;
    let prepared = prepare(layout, label, baseline)?;
    // A change of one file is an atomic replacement.
    guard.apply(Change::new().write(prepared.name, prepared.bytes))?;
    forget_unnamed(layout, label)?;
    Ok(layout.baseline(label))
}

/// The name of a baseline's document in the state folder.
fn document(layout: &Layout, label: &VersionLabel) -> String {
    files::relative(&layout.baseline(label), &layout.folder)
}

/// Reads a baseline.
///
/// # Errors
/// `Blocked` when there is none of that version; `State` when the file is damaged or newer. The file
/// is never touched.
pub fn load(layout: &Layout, label: &VersionLabel) -> Result<Baseline, Failure> {
    let shown = files::relative(&layout.baseline(label), &layout.root);
    let text = transaction::peek(&layout.folder, &document(layout, label))?.ok_or_else(|| missing(label))?;
    let damaged = |why: String| {
        Failure::state(format!("{shown} is damaged: {why}"))
            .hint("restore it from version control, or remove it with `cargo perf baselines remove`")
    };
    let value: Value = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
    if value.get("schema").and_then(Value::as_str) != Some(SCHEMA) {
        return Err(damaged(format!("its schema is not {SCHEMA}")));
    }
    let major = value.pointer("/schema_version/major").and_then(Value::as_u64);
    if major.is_some_and(|major| major > u64::from(CURRENT.major)) {
        return Err(Failure::state(format!("{shown} was written by a newer version of this program"))
            .hint("update with `cargo install cargo-perf-lab`"));
    }
    let baseline: Baseline = serde_json::from_value(value).map_err(|error| damaged(error.to_string()))?;
    if baseline.version != label.as_str() {
        return Err(damaged(format!("it says version {}", baseline.version)));
    }
    Ok(baseline)
}

/// The labels of all stored baselines, sorted.
pub fn stored_labels(layout: &Layout) -> Result<Vec<VersionLabel>, Failure> {
    let names =
        transaction::peek_names(&layout.folder, &files::relative(&layout.baselines(), &layout.folder))?;
    let labels = names.iter().filter_map(|name| VersionLabel::new(name.strip_suffix(".json")?).ok());
    let mut labels: Vec<VersionLabel> = labels.collect();
    labels.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    Ok(labels)
}

/// Removes a baseline and what lies beside it.
///
/// # Errors
/// `Blocked` when there is none of that version; else as [`Guard::take`] and [`Guard::apply`].
pub fn remove(layout: &Layout, label: &VersionLabel) -> Result<PathBuf, Failure> {
    let name = document(layout, label);
    if transaction::peek(&layout.folder, &name)?.is_none() {
        return Err(missing(label));
    }
    let guard = Guard::take(&layout.folder, PATIENCE)?;
    guard.apply(Change::new().remove(name))?;
    forget_unnamed(layout, label)?;
    Ok(layout.baseline(label))
}

/// The raw samples of each fork of a bench, wherever they are stored; none when its harness tells none.
pub fn samples(layout: &Layout, bench: &BenchSeries) -> Result<Vec<CodedSamples>, Failure> {
    let Some(raw) = &bench.raw else {
        let missing = || Failure::state(format!("the samples of {} are missing", bench.bench));
        if bench.precision != Precision::Samples {
            return Ok(Vec::new());
        }
        return bench.forks.iter().map(|fork| fork.samples.clone().ok_or_else(missing)).collect();
    };
    let what = || format!("{} cannot be read", raw.path);
    let gone = || Failure::state(format!("{} is gone", raw.path));
    let packed = regular::read(&layout.folder.join(&raw.path))?.ok_or_else(gone)?;
    if files::sha256_bytes(&packed) != raw.sha256 {
        return Err(Failure::state(format!("{} is not what the baseline says it is", raw.path)));
    }
    let text = packed::unpack(packed, &raw.path)?;
    serde_json::from_slice(&text).context(FailureKind::State, what)
}

fn missing(label: &VersionLabel) -> Failure {
    Failure::new(FailureKind::Blocked, format!("there is no baseline {label}"))
        .hint("`cargo perf baselines` lists those that exist")
}

fn coded_size(bench: &BenchSeries) -> usize {
    bench.forks.iter().filter_map(|fork| serde_json::to_vec(&fork.samples).ok()).map(|text| text.len()).sum()
}

fn move_out(bench: &mut BenchSeries, artifacts: &Path, layout: &Layout) -> Result<RawFile, Failure> {
    let what = || format!("the samples of {} cannot be coded", bench.bench);
    let coded: Vec<Option<&CodedSamples>> = bench.forks.iter().map(|fork| fork.samples.as_ref()).collect();
    let text = serde_json::to_vec(&coded).context(FailureKind::Bug, what)?;
    let packed = packed::pack(&text)?;
    let sha256 = files::sha256_bytes(&packed);
    let path = artifacts.join(format!("{}{}{}", SAMPLE_FILE.0, &sha256[..HASH_DIGITS], SAMPLE_FILE.1));
    files::write_atomic(&path, &packed)?;
    bench.forks.iter_mut().for_each(|fork| fork.samples = None);
    Ok(RawFile { path: files::relative(&path, &layout.folder), sha256 })
}

/// Whether it is the name of a file that [`move_out`] writes; others beside them are not ours to remove.
fn is_sample_file(name: &str) -> bool {
    let hash = name.strip_prefix(SAMPLE_FILE.0).and_then(|name| name.strip_suffix(SAMPLE_FILE.1));
    hash.is_some_and(|hash| hash.len() == HASH_DIGITS && hash.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

/// Puts arrays of numbers on one line each: a hundred samples a fork would otherwise be a hundred lines.
fn compact_arrays(pretty: &[u8]) -> Vec<u8> {
    let mut compact = Vec::with_capacity(pretty.len());
    let (mut in_string, mut escaped, mut in_numbers) = (false, false, false);
    for (index, byte) in pretty.iter().enumerate() {
        match byte {
            b'"' if !escaped => in_string = !in_string,
            b'[' if !in_string => in_numbers = is_number_array(&pretty[index + 1..]),
            b']' if !in_string => in_numbers = false,
            _ => {}
        }
        escaped = in_string && *byte == b'\\' && !escaped;
        if !(in_numbers && byte.is_ascii_whitespace()) {
            compact.push(*byte);
        }
    }
    compact
}

fn is_number_array(rest: &[u8]) -> bool {
    let first = rest.iter().find(|byte| !byte.is_ascii_whitespace());
    first.is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::samples::Samples;
    use crate::store::config::Config;
    use crate::store::layout::ProcessEnvironment;
    use serde_json::json;

    fn label(text: &str) -> VersionLabel {
        VersionLabel::new(text).expect("a valid label")
    }

    fn layout(root: &Path) -> Layout {
        Layout::choose(root, Some("state"), &Config::default(), &ProcessEnvironment).expect("chosen")
    }

    /// A baseline of one bench with `forks` forks of a hundred samples that do not compress in deltas.
    fn baseline(version: &str, forks: u64) -> Baseline {
        let fork = |seed: u64| {
            let total = |index: u64| ((index * 7_919 + seed * 104_729) % 1_000_003 * 1_009) as f64;
            let totals: Vec<f64> = (0..100).map(total).collect();
            let samples = CodedSamples::from(&Samples { iterations: vec![5; 100], totals });
            json!({
                "count": 100, "iterations": 500, "sum": 1.0, "min": 1.0, "p5": 1.0, "median": 1.0, "mean": 1.0,
                "sampling": "flat", "measured_s": 0.4, "warm_up_s": 0.1, "wall_s": 0.6, "samples": samples,
                "noise": {"user_s": 0.5, "system_s": 0.0, "max_rss_bytes": 1, "major_faults": 0,
                    "minor_faults": 1, "voluntary_switches": 1, "involuntary_switches": 1},
            })
        };
        let nothing = Value::Null;
        serde_json::from_value(json!({
            "schema": SCHEMA, "schema_version": CURRENT, "version": version, "recordedAt": "2026-01-01T00:00:00Z",
            "command": ["cargo", "perf", "baseline"], "tool": "test", "metrics": {"b": {"cost_ns": 1.0}},
            "duration": {"required_s": 60.0, "waiver": nothing},
            "env": {"identity": {"arch": "a", "os": "o"}, "build": {"cargo_flags": []}, "machine": {}, "soft": {},
                "context": {"lock_wait_s": 0.0}},
            "benches": [{
                "bench": {"package": "p", "target": "t", "id": "b"}, "harness": "criterion", "unit": "ns",
                "executable_sha256": "0", "accounting": "samples", "throughput": [], "overrides": [],
                "plan": {"measured_s": 0.4, "warm_up_s": 0.1, "samples": 100},
                "totals": {"forks": forks, "measured_s": 60.0, "warm_up_s": 10.0, "setup_s": 0.0, "wall_s": 70.0, "active_share": 1.0},
                "cost": {"value": 1.0}, "felt": {"value": 1.0},
                "forks": (0..forks).map(fork).collect::<Vec<_>>(),
            }],
        }))
        .expect("a baseline")
    }

    #[test]
    fn a_small_baseline_keeps_its_samples_inside() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let layout = layout(root.path());
        let stored = baseline("v1", 3);
        save(&layout, &label("v1"), stored.clone()).expect("saved");
        assert_eq!(load(&layout, &label("v1")).expect("loaded"), stored);
        assert!(!layout.artifacts(&label("v1")).exists());
    }

    #[test]
    fn a_large_baseline_moves_them_out_and_finds_them_again() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let layout = layout(root.path());
        let stored = baseline("v1", 300);
        save(&layout, &label("v1"), stored.clone()).expect("saved");
        let loaded = load(&layout, &label("v1")).expect("loaded");
        assert!(fs::metadata(layout.baseline(&label("v1"))).expect("a file").len() < 512 * 1024);
        let found = samples(&layout, &loaded.benches[0]).expect("read");
        let expected: Vec<CodedSamples> =
            stored.benches[0].forks.iter().filter_map(|fork| fork.samples.clone()).collect();
        assert_eq!(found, expected);

        let packed = layout.folder.join(&loaded.benches[0].raw.as_ref().expect("moved out").path);
        files::write_atomic(&packed, b"something else").expect("written");
        assert_eq!(samples(&layout, &loaded.benches[0]).expect_err("refused").kind, FailureKind::State);

        save(&layout, &label("v1"), baseline("v1", 3)).expect("replaced");
        assert!(!packed.exists(), "what nothing names any more is removed");
    }

    #[test]
    fn s30_prepared_samples_disturb_nothing_and_only_unnamed_ones_are_forgotten() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let (layout, label) = (layout(root.path()), label("v1"));
        save(&layout, &label, baseline("v1", 300)).expect("saved");
        let (stored, artifacts) = (load(&layout, &label).expect("loaded"), layout.artifacts(&label));
        files::write_atomic(&artifacts.join("flame.svg"), b"not a sample").expect("written");
        let count = || fs::read_dir(&artifacts).expect("listed").count();

        let prepared = prepare(&layout, &label, baseline("v1", 301)).expect("prepared");
        assert_eq!((prepared.name.as_str(), count()), ("baselines/v1.json", 3));
        assert_eq!(load(&layout, &label).expect("loaded"), stored, "nothing has been stored yet");
        forget_unnamed(&layout, &label).expect("as if the transaction had not happened");
        assert!(count() == 2 && samples(&layout, &stored.benches[0]).is_ok());

        let path = layout.baseline(&label);
        files::write_atomic(&path, b"{").expect("damaged");
        assert_eq!(forget_unnamed(&layout, &label).expect_err("refused").kind, FailureKind::State);
        assert_eq!(count(), 2, "what a damaged baseline names is not known");
        remove(&layout, &label).expect("removed");
        assert!(!path.exists() && count() == 1 && artifacts.join("flame.svg").exists());
    }

    #[test]
    fn what_cannot_be_trusted_is_refused_and_left_alone() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let layout = layout(root.path());
        assert_eq!(load(&layout, &label("v1")).expect_err("missing").kind, FailureKind::Blocked);
        let newer = format!(r#"{{"schema": "{SCHEMA}", "schema_version": {{"major": 2, "minor": 0}}}}"#);
        let renamed = serde_json::to_string(&baseline("other", 1)).expect("coded");
        for text in ["", "{", "[]", "{}", newer.as_str(), renamed.as_str()] {
            let path = layout.baseline(&label("v1"));
            files::write_atomic(&path, text.as_bytes()).expect("written");
            assert_eq!(load(&layout, &label("v1")).expect_err("refused").kind, FailureKind::State, "{text}");
            assert_eq!(fs::read_to_string(&path).expect("still there"), text);
        }
    }

    #[test]
    fn a_label_that_differs_in_case_only_is_refused() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let layout = layout(root.path());
        save(&layout, &label("v1"), baseline("v1", 1)).expect("saved");
        prove_storable(&layout, &label("v1")).expect("the same one may be replaced");
        assert_eq!(prove_storable(&layout, &label("V1")).expect_err("refused").kind, FailureKind::Usage);
    }

    #[test]
    fn number_arrays_take_one_line_and_strings_are_left_alone() {
        let value =
            serde_json::json!({"a": [1, -2, 3.5], "b": ["x [1,\n 2]\\", "\""], "c": [], "d": [[4, 5]]});
        let pretty = serde_json::to_vec_pretty(&value).expect("coded");
        let compact = compact_arrays(&pretty);
        assert_eq!(serde_json::from_slice::<Value>(&compact).expect("still JSON"), value);
        let text = String::from_utf8(compact).expect("text");
        assert!(text.contains("[1,-2,3.5]") && text.contains("[4,5]"), "{text}");
    }
}
