//! Files of the state folder change together or not at all: with many writers at once, with writers that
//! are killed anywhere, and with disks and files that stand in the way.

mod obstacles;
pub mod writer;

use crate::support::{Outcome, skip, trials};
use cargo_perf_lab::store::transaction::{Guard, peek};
use cargo_perf_lab::sys::files;
use libtest_mimic::Trial;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;
use writer::{FILES, contents, end, killed_at, place, points, run, was_killed, writer};

pub fn trials() -> Vec<Trial> {
    let own = trials![
        t6_s27_six_writers_at_once_lose_no_update,
        t6_s30_writers_go_on_while_others_are_killed,
        s30_a_writer_killed_at_any_point_leaves_all_or_nothing,
        s30_a_repair_killed_at_any_point_is_completed_by_the_next,
        s30_a_writer_killed_at_any_moment_leaves_all_or_nothing,
        s30_a_replaced_file_is_whole_wherever_its_writer_is_killed,
    ];
    own.into_iter().chain(obstacles::trials()).collect()
}

const SOON: Duration = Duration::from_secs(10);
const NO_POINTS: &str = "points at which a writer can be killed are in debug builds only";

/// The state folder in a temporary folder that goes with the test.
fn folder() -> (tempfile::TempDir, PathBuf) {
    let outer = tempfile::tempdir().expect("a temporary folder");
    let perf = outer.path().join("state/perf");
    (outer, perf)
}

/// Every file and link below the folder, with its content as far as it has one.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("the folder can be read").path();
        let kind = fs::symlink_metadata(&path).expect("it is there").file_type();
        if kind.is_dir() {
            found.extend(tree(&path));
        } else {
            let content = if kind.is_file() { fs::read(&path).ok() } else { None };
            found.insert(path, content);
        }
    }
    found
}

/// The tree of a version and nothing else.
fn tree_of(folder: &Path, version: &str) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let files = FILES.iter().zip(contents(version)).filter(|(_, content)| content.is_some());
    files.map(|(name, content)| (folder.join(name), content)).collect()
}

fn copy(from: &Path, to: &Path) {
    for path in tree(from).into_keys() {
        let copy = to.join(path.strip_prefix(from).expect("it lies below"));
        fs::create_dir_all(copy.parent().expect("a folder")).expect("the folder can be made");
        fs::copy(path, copy).expect("the file can be copied");
    }
}

/// Which of the two versions is seen without the lock; a mixture is a failure, and so is a trace.
fn seen<'v>(folder: &Path, versions: [&'v str; 2]) -> &'v str {
    let before = tree(folder);
    let seen: Vec<_> = FILES.iter().map(|name| peek(folder, name).expect("it can be seen")).collect();
    assert_eq!(tree(folder), before, "looking has changed something");
    let version = versions.into_iter().find(|version| contents(version) == seen);
    version.unwrap_or_else(|| panic!("neither of {versions:?}, but {seen:?}"))
}

/// Lets the next holder of the lock repair; then `version` is there, and nothing else.
fn assert_repaired(folder: &Path, version: &str, what: &str) {
    let left = tree(folder) != tree_of(folder, version);
    let guard = Guard::take(folder, SOON).unwrap_or_else(|failure| panic!("{what}: {failure}"));
    assert_eq!(tree(folder), tree_of(folder, version), "{what}");
    assert!(guard.repaired().is_some() || !left, "{what}: the repair is not told");
    drop(guard);
    assert!(Guard::take(folder, SOON).expect("taken").repaired().is_none(), "{what}: repaired twice");
}

fn log_lines(folder: &Path) -> Vec<String> {
    let log = peek(folder, FILES[1]).expect("it can be seen").unwrap_or_default();
    String::from_utf8(log).expect("text").lines().map(str::to_owned).collect()
}

fn counted(folder: &Path) -> u64 {
    let state = peek(folder, FILES[0]).expect("it can be seen");
    let value = |state: Vec<u8>| serde_json::from_slice::<Value>(&state).expect("JSON")["count"].as_u64();
    state.map_or(0, |state| value(state).expect("a count"))
}

fn counting(folder: &Path, names: &[&str]) -> Vec<Child> {
    let start = |name| writer(folder, &format!("count {name}")).spawn().expect("the writer can be started");
    names.iter().map(start).collect()
}

fn t6_s27_six_writers_at_once_lose_no_update() {
    let (_outer, perf) = folder();
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut writers = counting(&perf, &names);
    // A reader without the lock meanwhile: the count never goes back, and no look fails.
    let mut last = 0;
    while writers.iter_mut().any(|writer| writer.try_wait().expect("it can be waited for").is_none()) {
        let now = counted(&perf);
        assert!(now >= last, "{now} after {last}");
        last = now;
    }
    for ended in writers.into_iter().map(end) {
        assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
    }
    assert_eq!(counted(&perf), 120);
    let lines = log_lines(&perf);
    assert_eq!(lines.len(), 120);
    for (line, number) in lines.iter().zip(1..) {
        assert!(line.starts_with(&format!("{number} by ")), "{line:?} in place {number}");
    }
    for name in names {
        assert_eq!(lines.iter().filter(|line| line.ends_with(&format!(" by {name}"))).count(), 20, "{name}");
    }
    assert_eq!(tree(&perf).len(), 2, "{:?}", tree(&perf).keys());
}

fn t6_s30_writers_go_on_while_others_are_killed() -> Outcome {
    if !cfg!(debug_assertions) {
        return skip("t6_s30_writers_go_on_while_others_are_killed", NO_POINTS);
    }
    let (_outer, perf) = folder();
    let writers = counting(&perf, &["a", "b", "c"]);
    for point in (1..60).step_by(4) {
        assert!(was_killed(&killed_at(writer(&perf, "count killed"), point)), "not at point {point}");
    }
    for ended in writers.into_iter().map(end) {
        assert!(ended.status.success(), "{ended:?}");
    }
    Guard::take(&perf, SOON).expect("taken");
    let lines = log_lines(&perf);
    assert_eq!(counted(&perf), lines.len() as u64, "state and log do not agree");
    assert_eq!(lines.iter().filter(|line| !line.ends_with(" by killed")).count(), 60);
    assert_eq!(lines.iter().collect::<BTreeSet<_>>().len(), lines.len());
    assert_eq!(tree(&perf).len(), 2, "{:?}", tree(&perf).keys());
    Ok(())
}

/// From which version to which, in one change of three files.
const CHANGES: [[&str; 2]; 3] = [["nothing", "new"], ["old", "new"], ["old", "without baseline"]];

fn s30_a_writer_killed_at_any_point_leaves_all_or_nothing() -> Outcome {
    if !cfg!(debug_assertions) {
        return skip("s30_a_writer_killed_at_any_point_leaves_all_or_nothing", NO_POINTS);
    }
    for versions in CHANGES {
        let [from, to] = versions;
        let start = || {
            let (outer, perf) = folder();
            place(&perf, from);
            (outer, perf)
        };
        let job = format!("change {to}");
        let (_outer, perf) = start();
        let points = points(writer(&perf, &job));
        assert_eq!(tree(&perf), tree_of(&perf, to));
        for step in ["create", "write", "fsync", "rename", "fsync of a folder", "remove"] {
            assert!(points.iter().any(|point| point.ends_with(&format!(" {step}"))), "{step}: {points:?}");
        }
        let mut before = from;
        for point in 1..=points.len() {
            let what = format!("{from} to {to}, killed at {}", points[point - 1]);
            let (_outer, perf) = start();
            assert!(was_killed(&killed_at(writer(&perf, &job), point)), "{what}: not killed");
            let now = seen(&perf, versions);
            assert!(before == from || now == to, "{what}: the change counted already");
            before = now;
            assert_repaired(&perf, now, &what);
        }
        assert_eq!(before, to, "the last point is behind the change");
        let (_outer, perf) = start();
        assert!(!was_killed(&killed_at(writer(&perf, &job), points.len() + 1)), "there is one more point");
    }
    Ok(())
}

fn s30_a_repair_killed_at_any_point_is_completed_by_the_next() -> Outcome {
    if !cfg!(debug_assertions) {
        return skip("s30_a_repair_killed_at_any_point_is_completed_by_the_next", NO_POINTS);
    }
    let versions = ["old", "without baseline"];
    let job = "change without baseline";
    let (_outer, perf) = folder();
    place(&perf, versions[0]);
    let all = points(writer(&perf, job)).len();
    let mut repairs = 0;
    for point in 1..=all {
        let (_outer, left) = folder();
        place(&left, versions[0]);
        assert!(was_killed(&killed_at(writer(&left, job), point)));
        let now = seen(&left, versions);
        for again in 1.. {
            let (_outer, perf) = folder();
            copy(&left, &perf);
            let killed = was_killed(&killed_at(writer(&perf, "repair"), again));
            assert_eq!(seen(&perf, versions), now, "killed at {point}, then at {again} of the repair");
            assert_repaired(&perf, now, &format!("killed at {point}, then at {again} of the repair"));
            if !killed {
                break;
            }
            repairs += 1;
        }
    }
    assert!(repairs > all, "only {repairs} kills of a repair for {all} points");
    Ok(())
}

fn s30_a_writer_killed_at_any_moment_leaves_all_or_nothing() {
    let (_outer, perf) = folder();
    place(&perf, "new");
    let versions = ["new", "without baseline"];
    for round in 0..20 {
        let mut alternating = writer(&perf, "alternate").spawn().expect("the writer can be started");
        std::thread::sleep(Duration::from_micros(30_000 + 1_700 * round));
        alternating.kill().expect("it can be killed");
        assert!(was_killed(&end(alternating)));
        let now = seen(&perf, versions);
        assert_repaired(&perf, now, &format!("round {round}"));
    }
}

fn s30_a_replaced_file_is_whole_wherever_its_writer_is_killed() -> Outcome {
    if !cfg!(debug_assertions) {
        return skip("s30_a_replaced_file_is_whole_wherever_its_writer_is_killed", NO_POINTS);
    }
    let (_outer, perf) = folder();
    let path = perf.join(FILES[0]);
    files::write_atomic(&path, b"old").expect("written");
    let points = points(writer(&perf, "replace"));
    assert!(points.len() >= 5, "{points:?}");
    for point in 1..=points.len() {
        files::write_atomic(&path, b"old").expect("written");
        assert!(was_killed(&killed_at(writer(&perf, "replace"), point)));
        let now = fs::read(&path).expect("it is there");
        assert!(now == b"old" || now == b"replaced", "{} leaves {now:?}", points[point - 1]);
        Guard::take(&perf, SOON).expect("taken");
        assert_eq!(tree(&perf).len(), 1, "{:?}", tree(&perf).keys());
    }
    assert!(!was_killed(&run(writer(&perf, "replace"))));
    Ok(())
}
