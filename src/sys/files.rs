//! Files that are written whole or not at all, and the hashes that name them.

use super::fault;
use crate::failure::{Context, Failure, FailureKind};
use cargo_util::Sha256;
use rustix::fs::{Mode, OFlags};
use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tempfile::NamedTempFile;

/// How long traces of runs and copies of executables are kept after their last use.
pub const UNUSED: Duration = Duration::from_secs(30 * 86_400);

/// Bytes that are read before they are written when a file is copied.
const COPIED_AT_ONCE: usize = 1 << 20;

/// How the names of temporary files begin and end; between them are random letters and digits.
const TEMPORARY: (&str, &str) = (".cargo-perf-", ".tmp");
const RANDOM_LETTERS: usize = 6;

/// Replaces `path` by `bytes`: temporary file in the same folder, fsync, rename, fsync of the folder.
///
/// # Errors
/// `Environment`; what stood at `path` is then untouched, unless the very last step failed.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    draft(path, bytes)?.sync()?.put()?;
    sync_folder(folder_of(path))
}

/// The new content of a file, complete beside it, but not yet safe on disk. It is removed when it is dropped.
#[derive(Debug)]
pub struct Draft {
    file: NamedTempFile,
    path: PathBuf,
}

/// The new content of a file, complete and safe on disk beside it, but not yet in its place. It is
/// removed when it is dropped.
#[derive(Debug)]
pub struct Staged(Draft);

/// Writes what is to replace `path` beside it, and makes folders that are missing.
///
/// # Errors
/// `Environment`; nothing is left behind then.
pub fn draft(path: &Path, bytes: &[u8]) -> Result<Draft, Failure> {
    draft_with(path, |file| file.write_all(bytes))
}

/// Like [`draft`], with what `content` writes, of which nothing is gathered in memory before.
///
/// # Errors
/// `Environment`; nothing is left behind then.
pub fn draft_with(
    path: &Path,
    content: impl FnOnce(&mut NamedTempFile) -> io::Result<()>,
) -> Result<Draft, Failure> {
    let folder = folder_of(path);
    let write = || -> io::Result<NamedTempFile> {
        make_folders(folder)?;
        let mut file = temporary(folder)?;
        fault::point("create");
        content(&mut file)?;
        fault::point("write");
        make_readable(file.as_file())?;
        begin_fsync(file.as_file())?;
        Ok(file)
    };
    let file = write().context(FailureKind::Environment, || cannot_write(path))?;
    Ok(Draft { file, path: path.to_path_buf() })
}

impl Draft {
    /// Makes it safe on disk. With several, draft all before the first of them: a disk takes them faster.
    ///
    /// # Errors
    /// `Environment`; nothing is left behind then.
    pub fn sync(self) -> Result<Staged, Failure> {
        self.file.as_file().sync_all().context(FailureKind::Environment, || cannot_write(&self.path))?;
        fault::point("fsync");
        Ok(Staged(self))
    }
}

impl Staged {
    /// Puts it in its place. Only [`sync_folder`] makes that outlive a loss of power.
    ///
    /// # Errors
    /// `Environment`; nothing has changed then.
    pub fn put(self) -> Result<(), Failure> {
        let Draft { file, path } = self.0;
        file.persist(&path).context(FailureKind::Environment, || cannot_write(&path))?;
        fault::point("rename");
        Ok(())
    }
}

/// Removes a file; whether there was one. Only [`sync_folder`] makes that outlive a loss of power.
///
/// # Errors
/// `Environment`.
pub fn remove(path: &Path) -> Result<bool, Failure> {
    match fs::remove_file(path) {
        Ok(()) => {
            fault::point("remove");
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Failure::environment(format!("{} cannot be removed: {error}", path.display()))),
    }
}

/// Makes renames and removals in `folder` outlive a loss of power.
///
/// # Errors
/// `Environment`.
pub fn sync_folder(folder: &Path) -> Result<(), Failure> {
    sync(folder).context(FailureKind::Environment, || cannot_write(folder))?;
    fault::point("fsync of a folder");
    Ok(())
}

/// Makes `folder` and what is missing above it, safe on disk.
///
/// # Errors
/// `Environment`.
pub fn make_folder(folder: &Path) -> Result<(), Failure> {
    make_folders(folder).context(FailureKind::Environment, || format!("{} cannot be made", folder.display()))
}

/// Whether a file of this name is one that [`draft`] or [`prove_writable`] made, and that is left when
/// they are killed.
pub fn is_temporary(name: &OsStr) -> bool {
    let between = name.to_str().and_then(|name| name.strip_prefix(TEMPORARY.0)?.strip_suffix(TEMPORARY.1));
    between.is_some_and(|random| {
        random.len() == RANDOM_LETTERS && random.bytes().all(|letter| letter.is_ascii_alphanumeric())
    })
}

/// Removes the temporary file at `path` unless a living process is at work on it; whether it did.
pub fn remove_abandoned(path: &Path) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(file) = rustix::fs::open(path, flags, Mode::empty()).map(File::from) else { return false };
    let abandoned = file.metadata().is_ok_and(|data| data.is_file()) && file.try_lock().is_ok();
    // Locked until it is gone, so that whoever made it a moment ago notices and makes another.
    abandoned && remove(path).unwrap_or(false)
}

/// A new temporary file, locked, so that it is known to be in use.
fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY.0).suffix(TEMPORARY.1).rand_bytes(RANDOM_LETTERS);
    loop {
        let file = builder.tempfile_in(folder)?;
        match file.as_file().try_lock() {
            // Somebody has taken it for abandoned in the moment before it was locked.
            Err(TryLockError::WouldBlock) => {}
            Ok(()) if file.as_file().metadata()?.nlink() == 0 => {}
            // A file system without locks has no transactions either, so nobody removes it.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(file),
        }
    }
}

/// Lets the disk begin with what was written to `file`, so that the fsync to come finds less to do.
#[expect(unsafe_code, reason = "no safe wrapper has this call")]
fn begin_fsync(file: &File) -> io::Result<()> {
    // SAFETY: it is given an open descriptor and numbers, and touches no memory.
    if unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    // Where a file system or a sandbox does not know it, the fsync does it all.
    let unknown = [libc::EINVAL, libc::ENOSYS, libc::EOPNOTSUPP, libc::EPERM, libc::ESPIPE];
    if error.raw_os_error().is_some_and(|code| unknown.contains(&code)) { Ok(()) } else { Err(error) }
}

/// A name without a folder lies in the current one.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn cannot_write(path: &Path) -> String {
    format!("{} cannot be written", path.display())
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn make_folders(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let missing = folder.ancestors().take_while(|above| !above.as_os_str().is_empty() && !above.exists());
    let missing: Vec<&Path> = missing.collect();
    fs::create_dir_all(folder)?;
    fault::point("make folders");
    // The entry of a folder is in the one above it.
    missing.into_iter().try_for_each(|made| sync(folder_of(made)))
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

fn write_and_forget(folder: &Path, bytes: usize) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut file = temporary(folder)?;
    file.write_all(&vec![0; bytes])?;
    file.as_file().sync_all()
}

/// Makes the folder in which `file` will be, for a process that is to write there.
pub fn make_room(file: &Path) -> Result<(), Failure> {
    let Some(folder) = file.parent() else { return Ok(()) };
    fs::create_dir_all(folder)
        .context(FailureKind::Environment, || format!("{} cannot be made", folder.display()))
}

/// Makes a folder for the eyes of this user alone, where there is none.
///
/// # Errors
/// `Environment` when it cannot be made, or is a link, another user's, or open to others for writing.
pub fn make_private(folder: &Path) -> Result<(), Failure> {
    let what = || format!("{} cannot be made", folder.display());
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .context(FailureKind::Environment, what)?;
    if is_private(folder) {
        return Ok(());
    }
    Err(Failure::environment(format!("{} is not a folder of this user alone", folder.display())))
}

/// Whether it is a folder, no link to one, that belongs to this user, and in which no other user writes.
pub fn is_private(folder: &Path) -> bool {
    let own = rustix::process::getuid().as_raw();
    fs::symlink_metadata(folder)
        .is_ok_and(|data| data.is_dir() && data.uid() == own && data.mode() & 0o022 == 0)
}

/// The last bytes of a file, as text that begins with a whole line; empty when it cannot be read.
pub fn tail(path: &Path, bytes: u64) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let start = file.metadata()?.len().saturating_sub(bytes);
        file.seek(SeekFrom::Start(start))?;
        let mut read = Vec::new();
        file.take(bytes).read_to_end(&mut read)?;
        if start > 0 {
            let first = read.iter().position(|byte| *byte == b'\n').map_or(read.len(), |at| at + 1);
            read.drain(..first);
        }
        Ok(read)
    };
    read().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
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

/// Writes the bytes and permissions of `original` to `copy`, replacing what is there.
///
/// Byte by byte, where `fs::copy` may let both files share their blocks: then the first to run the copy would wait for
/// the disk.
///
/// # Errors
/// `Environment` when the one cannot be read or the other not be written.
pub fn write_copy(original: &Path, copy: &Path) -> Result<(), Failure> {
    let what = || format!("{} cannot be copied to {}", original.display(), copy.display());
    let mut from = File::open(original).context(FailureKind::Environment, what)?;
    let permissions = from.metadata().context(FailureKind::Environment, what)?.permissions();
    if copy.exists() {
        // A process that was left behind may still run it; it keeps the old file.
        fs::remove_file(copy).context(FailureKind::Environment, what)?;
    }
    let mut to = File::options()
        .write(true)
        .create_new(true)
        .mode(permissions.mode())
        .open(copy)
        .context(FailureKind::Environment, what)?;
    let mut buffer = vec![0; COPIED_AT_ONCE];
    loop {
        match from.read(&mut buffer).context(FailureKind::Environment, what)? {
            0 => return Ok(()),
            count => to.write_all(&buffer[..count]).context(FailureKind::Environment, what)?,
        }
    }
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

/// Marks `folder`, which is made when it is missing, as one that can be made anew; programs that look for sources
/// leave it out (<https://bford.info/cachedir>).
///
/// # Errors
/// `Environment` when it cannot be written.
pub fn mark_as_cache(folder: &Path) -> Result<(), Failure> {
    let tag = folder.join("CACHEDIR.TAG");
    if tag.exists() {
        return Ok(());
    }
    let text = "Signature: 8a477f597d28d172789f06886806bc55\n# What cargo perf has measured and can measure again.\n";
    write_atomic(&tag, text.as_bytes())
}

/// Bytes that may still be written on the file system of `folder`; `None` where that cannot be known.
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// `path` relative to `root` with forward slashes, or as it is when it lies elsewhere.
pub fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}

/// Temporary files are private; results are for everyone who may read the folder.
fn make_readable(file: &File) -> io::Result<()> {
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
    fn what_is_staged_is_in_no_place_yet_and_goes_when_it_is_dropped() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("state.json");
        let names = || -> Vec<_> {
            fs::read_dir(folder.path()).expect("listed").flatten().map(|entry| entry.file_name()).collect()
        };
        let staged = draft(&path, b"one").and_then(Draft::sync).expect("staged");
        assert!(matches!(&names()[..], [one] if is_temporary(one)), "{:?}", names());
        drop(staged);
        assert_eq!(names().len(), 0);
        draft(&path, b"two").and_then(Draft::sync).expect("staged").put().expect("put");
        assert_eq!(names(), ["state.json"]);
        assert!(remove(&path).expect("removed") && !remove(&path).expect("gone already"));
    }

    #[test]
    fn a_temporary_file_is_abandoned_only_when_nobody_is_at_work_on_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("state.json");
        let staged = draft(&path, b"one").and_then(Draft::sync).expect("staged");
        let beside = staged.0.file.path().to_path_buf();
        assert!(!remove_abandoned(&beside) && beside.exists());
        staged.put().expect("nobody took it away");
        let killed = folder.path().join(".cargo-perf-killed.tmp");
        File::create(&killed).expect("created");
        assert!(remove_abandoned(&killed) && !killed.exists());
        assert!(!remove_abandoned(folder.path()));
    }

    #[test]
    fn only_names_of_our_own_are_temporary() {
        assert!(is_temporary(OsStr::new(".cargo-perf-aZ09xx.tmp")));
        for other in
            [".tmpaZ09xx", ".cargo-perf-.tmp", ".cargo-perf-aZ09xx", ".cargo-perf-a.b.cc.tmp", "x.tmp"]
        {
            assert!(!is_temporary(OsStr::new(other)), "{other}");
        }
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
    fn a_private_folder_is_no_link_and_closed_to_others() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().expect("a temporary folder");
        let private = folder.path().join("a/b");
        make_private(&private).expect("made");
        make_private(&private).expect("there already");
        assert_eq!(fs::metadata(&private).expect("there").mode() & 0o777, 0o700);
        let link = folder.path().join("link");
        symlink(&private, &link).expect("linked");
        assert!(make_private(&link).is_err());
        fs::set_permissions(&private, fs::Permissions::from_mode(0o777)).expect("opened");
        assert!(make_private(&private).is_err());
    }

    #[test]
    fn the_end_of_a_file_begins_with_a_whole_line() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("log");
        write_atomic(&path, b"first\nsecond\nthird\n").expect("written");
        assert_eq!(tail(&path, 100), "first\nsecond\nthird\n");
        assert_eq!(tail(&path, 10), "third\n");
        assert_eq!(tail(&path, 3), "");
        assert_eq!(tail(&folder.path().join("none"), 10), "");
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

    #[test]
    fn a_written_copy_is_a_file_of_its_own_that_replaces_what_was_there() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [original, copy] = ["bench", "copy"].map(|name| folder.path().join(name));
        fs::copy("/proc/self/exe", &original).expect("copied");
        File::create(&copy).expect("something in its place");
        write_copy(&original, &copy).expect("written");
        let [of_original, of_copy] = [&original, &copy].map(|path| fs::metadata(path).expect("its data"));
        assert_eq!(fs::read(&original).expect("read"), fs::read(&copy).expect("read"));
        assert_eq!(of_original.permissions().mode() & 0o700, of_copy.permissions().mode() & 0o700);
        assert_ne!(of_original.ino(), of_copy.ino());
    }
}
