//! Files that are written whole or not at all, and the hashes that name them.

use crate::failure::{Context, Failure, FailureKind};
use cargo_util::Sha256;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tempfile::NamedTempFile;

/// How long traces of runs and copies of executables are kept after their last use.
pub const UNUSED: Duration = Duration::from_secs(30 * 86_400);

/// Replaces `path` by `bytes`: temporary file in the same folder, fsync, rename, fsync of the folder.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let what = || format!("{} cannot be written", path.display());
    fs::create_dir_all(folder).context(FailureKind::Environment, what)?;
    let mut file = NamedTempFile::new_in(folder).context(FailureKind::Environment, what)?;
    file.write_all(bytes).context(FailureKind::Environment, what)?;
    make_readable(file.as_file()).context(FailureKind::Environment, what)?;
    file.as_file().sync_all().context(FailureKind::Environment, what)?;
    file.persist(path).context(FailureKind::Environment, what)?;
    File::open(folder).and_then(|folder| folder.sync_all()).context(FailureKind::Environment, what)
}

/// Proves that `bytes` more bytes can be stored in `folder`, and leaves everything as it was.
///
/// # Errors
/// `Environment` when the folder cannot be made or written, or is full.
pub fn prove_writable(folder: &Path, bytes: usize) -> Result<(), Failure> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|ancestor| !ancestor.exists()).collect();
    let proven = write_and_forget(folder, bytes)
        .context(FailureKind::Environment, || format!("{} cannot be written", folder.display()));
    for made in missing {
        // Empty unless somebody else used it meanwhile, in which case it stays.
        let _ = fs::remove_dir(made);
    }
    proven
}

fn write_and_forget(folder: &Path, bytes: usize) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(&vec![0; bytes])?;
    file.as_file().sync_all()
}

/// Makes the folder in which `file` will be, for a process that is to write there.
pub fn make_room(file: &Path) -> Result<(), Failure> {
    let Some(folder) = file.parent() else { return Ok(()) };
    fs::create_dir_all(folder)
        .context(FailureKind::Environment, || format!("{} cannot be made", folder.display()))
}

/// The SHA-256 of a file's content, in lower-case hexadecimal.
pub fn sha256(path: &Path) -> Result<String, Failure> {
    let file = File::open(path)
        .context(FailureKind::Environment, || format!("{} cannot be read", path.display()))?;
    let mut hash = Sha256::new();
    hash.update_file(&file)
        .context(FailureKind::Environment, || format!("{} cannot be read", path.display()))?;
    Ok(hash.finish_hex())
}

/// The SHA-256 of bytes, in lower-case hexadecimal.
pub fn sha256_bytes(bytes: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(bytes);
    hash.finish_hex()
}

/// A copy of the executable `original` below `folder`, named by its content.
///
/// Cargo frees its build lock before it runs anything, so a build started meanwhile may replace the
/// original under us; the copy stays what was hashed. Returns the copy and the hash.
pub fn keep_executable(original: &Path, folder: &Path) -> Result<(PathBuf, String), Failure> {
    let hash = sha256(original)?;
    let name = original.file_name().map(PathBuf::from).unwrap_or_default();
    let copy = folder.join(&hash[..16]).join(name);
    let parent = copy.parent().unwrap_or(folder);
    if sha256(&copy).is_ok_and(|kept| kept == hash) {
        // Used now; when this cannot be noted, the copy is only made again some day.
        let _ = File::open(parent).and_then(|parent| parent.set_modified(SystemTime::now()));
        return Ok((copy, hash));
    }
    forget_unused(folder, UNUSED);
    let what = || format!("{} cannot be copied to {}", original.display(), copy.display());
    fs::create_dir_all(parent).context(FailureKind::Environment, what)?;
    let partial = NamedTempFile::new_in(parent).context(FailureKind::Environment, what)?.into_temp_path();
    // `fs::copy` carries the permission bits along, so the copy is executable.
    fs::copy(original, &partial).context(FailureKind::Environment, what)?;
    partial.persist(&copy).context(FailureKind::Environment, what)?;
    Ok((copy, hash))
}

/// Removes the folders directly below `folder` that have not been used for `age`. What cannot be
/// removed stays until the next time.
pub fn forget_unused(folder: &Path, age: Duration) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let used = entry.metadata().and_then(|data| data.modified());
        if used.is_ok_and(|used| used.elapsed().is_ok_and(|unused| unused > age)) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// `path` relative to `root` with forward slashes, or as it is when it lies elsewhere.
pub fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}

/// Temporary files are private; results are for everyone who may read the folder.
fn make_readable(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_is_whole_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("deep/state.json");
        write_atomic(&path, b"one").expect("written");
        write_atomic(&path, b"two").expect("replaced");
        assert_eq!(fs::read(&path).expect("read"), b"two");
        assert_eq!(fs::read_dir(folder.path().join("deep")).expect("listed").count(), 1);
    }

    #[test]
    fn a_file_in_the_place_of_the_folder_is_an_environment_failure() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let blocked = folder.path().join("blocked");
        File::create(&blocked).expect("created");
        let failure = prove_writable(&blocked.join("state"), 10).expect_err("must fail");
        assert_eq!(failure.kind, FailureKind::Environment);
    }

    #[test]
    fn a_proof_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        prove_writable(&folder.path().join("a/b"), 10).expect("writable");
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 0);
    }

    #[test]
    fn what_has_not_been_used_for_long_is_forgotten() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, age) in [("old", UNUSED * 2), ("new", UNUSED / 2)] {
            let path = folder.path().join(name);
            write_atomic(&path.join("trace"), b"x").expect("written");
            let used = SystemTime::now() - age;
            File::open(&path).and_then(|path| path.set_modified(used)).expect("a time is set");
        }
        forget_unused(folder.path(), UNUSED);
        let left: Vec<_> =
            fs::read_dir(folder.path()).expect("listed").flatten().map(|e| e.file_name()).collect();
        assert_eq!(left, ["new"]);
    }

    #[test]
    fn a_kept_executable_is_the_same_file_until_the_original_changes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let original = folder.path().join("bench");
        fs::copy("/proc/self/exe", &original).expect("copied");
        let kept = folder.path().join("kept");
        let (first, hash) = keep_executable(&original, &kept).expect("kept");
        assert_eq!(keep_executable(&original, &kept).expect("kept"), (first.clone(), hash.clone()));
        File::options().append(true).open(&original).expect("opened").write_all(b"x").expect("changed");
        let (second, other) = keep_executable(&original, &kept).expect("kept");
        assert!(second != first && other != hash && first.exists());
    }
}
