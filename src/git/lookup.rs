//! Commits found again: by the subject of a checkpoint, and by the id that evidence names.

use super::place::open;
use git2::{Commit, Oid, Sort};
use std::path::Path;

/// How many commits are looked at, newest first.
const FAR: usize = 5000;
/// Seconds by which the clocks of two committers may differ.
const SKEW: i64 = 86_400;

/// The id of the checkpoint commit with this subject and this commit before it (none: it is a first
/// commit), in the history of what is checked out and of `ref_name`.
///
/// `None` also when history was rewritten since, so that another commit comes before it. Looks at no more
/// than a few thousand commits, and at none that are older than the one before.
pub fn find(root: &Path, subject: &str, parent: Option<&str>, ref_name: &str) -> Option<String> {
    let repository = open(root).ok()?;
    let parent = parent.map(Oid::from_str).transpose().ok()?;
    let since = match parent {
        Some(parent) => repository.find_commit(parent).ok()?.time().seconds().saturating_sub(SKEW),
        None => i64::MIN,
    };
    let is_wanted = |commit: &Commit<'_>| {
        commit.parent_ids().eq(parent) && commit.summary_bytes() == Some(subject.as_bytes())
    };
    let tips = [repository.refname_to_id("HEAD"), repository.refname_to_id(ref_name)];
    tips.into_iter().flatten().find_map(|tip| {
        let mut walk = repository.revwalk().ok()?;
        walk.set_sorting(Sort::TIME).ok()?;
        walk.push(tip).ok()?;
        let commits = walk.take(FAR).map_while(|id| repository.find_commit(id.ok()?).ok());
        let mut recent = commits.take_while(|commit| commit.time().seconds() >= since);
        recent.find(is_wanted).map(|commit| commit.id().to_string())
    })
}

/// Whether the repository around `root` has a commit with this id, in full or shortened without ambiguity.
pub fn commit_exists(root: &Path, id: &str) -> bool {
    let is_hex = (4..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex && open(root).is_ok_and(|repository| repository.find_commit_by_prefix(id).is_ok())
}
