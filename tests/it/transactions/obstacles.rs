//! What stands in the way of a change: disks that cannot be written, things that are no files, journals
//! that cannot be trusted, and files that somebody edited.

#![expect(clippy::disallowed_methods, reason = "files are put there that no transaction would write")]

use super::writer::{FILES, change, killed_at, place, points, run, was_killed, writer, writer_through};
use super::{NO_POINTS, SOON, copy, folder, tree};
use crate::support::mounts::{NO_MOUNT, mounting};
use crate::support::{Outcome, skip, trials};
use cargo_perf_lab::failure::{Failure, FailureKind};
use cargo_perf_lab::store::transaction::{Change, Guard, peek};
use libtest_mimic::Trial;
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

pub fn trials() -> Vec<Trial> {
    trials![
        s27_s30_a_full_disk_changes_nothing,
        s27_s30_a_read_only_folder_changes_nothing,
        s27_what_is_no_file_is_refused_in_the_place_of_each,
        s27_what_is_no_folder_is_refused_in_the_place_of_each,
        s27_a_folder_behind_a_link_is_like_any_other,
        s30_a_damaged_or_newer_journal_is_refused_and_left_alone,
        s30_a_file_edited_after_the_kill_is_named_and_kept,
    ]
}

const JOURNAL: &str = ".journal.json";

fn s27_s30_a_full_disk_changes_nothing() -> Outcome {
    let (outer, perf) = folder();
    let mount = format!("mount -t tmpfs -o size=64k none {}; exec \"$@\"", outer.path().display());
    let Some(words) = mounting(&mount) else {
        return skip("s27_s30_a_full_disk_changes_nothing", NO_MOUNT);
    };
    let ended = run(writer_through(&words, &perf, "fill"));
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    Ok(())
}

fn s27_s30_a_read_only_folder_changes_nothing() -> Outcome {
    let (outer, perf) = folder();
    place(&perf, "old");
    let shown = outer.path().display();
    // Bound to itself, so that it alone becomes read-only.
    let mount = format!("mount --bind {shown} {shown}; mount -o remount,bind,ro {shown}; exec \"$@\"");
    let Some(words) = mounting(&mount) else {
        return skip("s27_s30_a_read_only_folder_changes_nothing", NO_MOUNT);
    };
    let before = tree(outer.path());
    let ended = run(writer_through(&words, &perf, "refused"));
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(tree(outer.path()), before);
    let missing = run(writer_through(&words, &outer.path().join("other/perf"), "change new"));
    assert_eq!(missing.status.code(), Some(8), "{missing:?}");
    assert!(String::from_utf8_lossy(&missing.stderr).contains("--state-dir"), "{missing:?}");
    if cfg!(debug_assertions) {
        // What a killed process has left cannot be completed there, but it can be seen.
        let left = interrupted(&perf);
        let refused = run(writer_through(&words, &perf, "repair"));
        assert_eq!(refused.status.code(), Some(8), "{refused:?}");
        assert_eq!(tree(outer.path()), left);
        assert_eq!(super::seen(&perf, ["old", "new"]), "new");
    }
    Ok(())
}

/// Kills a writer right behind the point from which on its change of "old" into "new" counts.
fn interrupted(perf: &Path) -> std::collections::BTreeMap<PathBuf, Option<Vec<u8>>> {
    let (_outer, trial) = folder();
    copy(perf, &trial);
    let points = points(writer(&trial, "change new"));
    let first_rename = points.iter().position(|point| point.ends_with(" rename")).expect("a rename") + 1;
    assert!(was_killed(&killed_at(writer(perf, "change new"), first_rename)));
    assert!(perf.join(JOURNAL).is_file());
    tree(perf.parent().and_then(Path::parent).expect("the outer folder"))
}

/// Things that are neither files nor folders, and what they are called.
const THINGS: [&str; 5] = ["a FIFO", "a socket", "a symbolic link", "a dangling symbolic link", "a device"];

/// Puts such a thing at `path`; not, where that needs a privilege.
fn put(thing: &str, path: &Path, target: &Path) -> bool {
    fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
    match thing {
        "a FIFO" => mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).expect("a FIFO"),
        "a socket" => drop(UnixListener::bind(path).expect("a socket")),
        "a symbolic link" => symlink(target, path).expect("a link"),
        "a dangling symbolic link" => symlink(target.join("nowhere"), path).expect("a link"),
        "a folder" => fs::create_dir(path).expect("a folder"),
        "a file" => fs::write(path, b"x").expect("a file"),
        // That of /dev/null.
        _ => return mknodat(CWD, path, FileType::CharacterDevice, Mode::RWXU, makedev(1, 3)).is_ok(),
    }
    true
}

/// What comes of `work`, which must not wait for the other end of anything.
fn at_once<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(work()));
    receiver.recv_timeout(SOON).unwrap_or_else(|_| panic!("{what}: it blocks"))
}

fn assert_refused(what: &str, thing: &str, result: Result<(), Failure>) {
    let failure = result.expect_err(what);
    assert_eq!(failure.kind, FailureKind::State, "{what}: {failure}");
    let thing = thing.replace("dangling ", "");
    assert!(failure.message.contains(&format!("is {thing}, not a")), "{what}: {failure}");
    assert!(failure.hint.is_some(), "{what}: no hint");
}

fn s27_what_is_no_file_is_refused_in_the_place_of_each() {
    for thing in THINGS.into_iter().chain(["a folder"]) {
        for name in FILES.into_iter().chain([JOURNAL]) {
            let (outer, perf) = folder();
            place(&perf, "old");
            let target = outer.path().join("target");
            fs::write(&target, b"not ours").expect("written");
            let path = perf.join(name);
            let _ = fs::remove_file(&path);
            if !put(thing, &path, &target) {
                continue;
            }
            let before = tree(outer.path());
            let what = format!("{thing} in the place of {name}");
            let seen = perf.clone();
            let looked = move || peek(&seen, if name == JOURNAL { FILES[0] } else { name }).map(drop);
            assert_refused(&what, thing, at_once(&what, looked));
            for change in [change("new"), Change::new().write(name, vec![1]), Change::new().remove(name)] {
                if name == JOURNAL && change != super::writer::change("new") {
                    continue;
                }
                let perf = perf.clone();
                let applied = move || Guard::take(&perf, SOON).and_then(|guard| guard.apply(change));
                assert_refused(&what, thing, at_once(&what, applied));
            }
            assert_eq!(tree(outer.path()), before, "{what}");
        }
    }
}

fn s27_what_is_no_folder_is_refused_in_the_place_of_each() {
    for thing in THINGS.into_iter().chain(["a file"]) {
        for name in ["investigations", "baselines", ""] {
            let (outer, perf) = folder();
            let target = outer.path().join("target");
            fs::create_dir(&target).expect("a folder");
            let path: PathBuf = perf.join(name).components().collect();
            if !put(thing, &path, &target) {
                continue;
            }
            let before = tree(outer.path());
            let what = format!("{thing} in the place of {}", path.display());
            for change in [change("new"), Change::new().write("baselines/v1.json", vec![1])] {
                if name == "investigations" && change != super::writer::change("new") {
                    continue;
                }
                let perf = perf.clone();
                let applied = move || Guard::take(&perf, SOON).and_then(|guard| guard.apply(change));
                assert_refused(&what, thing, at_once(&what, applied));
            }
            let perf = perf.clone();
            let file = if name == "investigations" { FILES[1] } else { FILES[2] };
            assert_refused(&what, thing, at_once(&what, move || peek(&perf, file).map(drop)));
            assert_eq!(tree(outer.path()), before, "{what}");
        }
    }
}

fn s27_a_folder_behind_a_link_is_like_any_other() {
    let (outer, perf) = folder();
    let link = outer.path().join("link");
    symlink(perf.parent().expect("a folder"), &link).expect("a link");
    place(&perf, "old");
    Guard::take(&link.join("perf"), SOON).expect("taken").apply(change("new")).expect("applied");
    assert_eq!(super::seen(&perf, ["old", "new"]), "new");
    assert_eq!(tree(&perf), super::tree_of(&perf, "new"));
}

fn s30_a_damaged_or_newer_journal_is_refused_and_left_alone() -> Outcome {
    if !cfg!(debug_assertions) {
        return skip("s30_a_damaged_or_newer_journal_is_refused_and_left_alone", NO_POINTS);
    }
    let (outer, perf) = folder();
    place(&perf, "old");
    interrupted(&perf);
    let journal = perf.join(JOURNAL);
    let whole = fs::read(&journal).expect("the journal");
    let value: Value = serde_json::from_slice(&whole).expect("JSON");
    let with = |pointer: &str, to: Value| {
        let mut other = value.clone();
        *other.pointer_mut(pointer).expect("it is there") = to;
        serde_json::to_vec(&other).expect("coded")
    };
    let cases = [
        (Vec::new(), "is damaged"),
        (whole[..whole.len() / 2].to_vec(), "is damaged"),
        (vec![0; whole.len()], "is damaged"),
        (with("/files/0/name", json!("../../elsewhere")), "is damaged"),
        (with("/files/0/new", json!("00")), "is damaged"),
        (with("/files", json!([])), "is damaged"),
        (with("/schema_version/major", json!(99)), "newer version"),
    ];
    for (bytes, cause) in cases {
        fs::write(&journal, &bytes).expect("written");
        let before = tree(outer.path());
        let taken = Guard::take(&perf, SOON).map(drop).expect_err("refused");
        let looked = peek(&perf, FILES[0]).map(drop).expect_err("refused");
        for failure in [taken, looked] {
            assert_eq!(failure.kind, FailureKind::State, "{failure}");
            assert!(failure.message.contains(JOURNAL) && failure.message.contains(cause), "{failure}");
            assert!(failure.hint.is_some());
        }
        assert_eq!(tree(outer.path()), before);
    }
    fs::write(&journal, &whole).expect("written");
    super::assert_repaired(&perf, "new", "the journal as it was");
    Ok(())
}

fn s30_a_file_edited_after_the_kill_is_named_and_kept() -> Outcome {
    if !cfg!(debug_assertions) {
        return skip("s30_a_file_edited_after_the_kill_is_named_and_kept", NO_POINTS);
    }
    for name in FILES {
        let (outer, perf) = folder();
        place(&perf, "old");
        interrupted(&perf);
        let old = fs::read(perf.join(name)).expect("the file");
        fs::write(perf.join(name), b"edited").expect("written");
        let before = tree(outer.path());
        let taken = Guard::take(&perf, SOON).map(drop).expect_err("refused");
        let looked = peek(&perf, FILES[0]).map(drop).expect_err("refused");
        for failure in [taken, looked] {
            assert_eq!(failure.kind, FailureKind::State, "{failure}");
            assert!(failure.message.contains(name), "{name} is not named: {failure}");
            let hint = failure.hint.expect("a hint");
            assert!(hint.contains("restore") && hint.contains(JOURNAL), "{hint}");
        }
        assert_eq!(tree(outer.path()), before);
        // Both ways that the hint names: the file as it was, or no journal.
        let (_other, kept) = folder();
        copy(&perf, &kept);
        fs::remove_file(kept.join(JOURNAL)).expect("removed");
        drop(Guard::take(&kept, SOON).expect("taken"));
        assert_eq!(peek(&kept, name).expect("seen").as_deref(), Some(&b"edited"[..]));
        fs::write(perf.join(name), old).expect("written");
        super::assert_repaired(&perf, "new", "the file as it was");
    }
    Ok(())
}
