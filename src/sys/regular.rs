//! Files that are read only when they are regular: nothing is followed, and nothing can block.

use crate::failure::{Context, Failure, FailureKind};
use cargo_util::Sha256;
use rustix::fs::{Mode, OFlags};
use std::fs::{self, File, FileType};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// What stands at `path`, a link not followed; none when nothing does.
///
/// # Errors
/// `State` when that cannot be told.
pub fn kind(path: &Path) -> Result<Option<FileType>, Failure> {
    match fs::symlink_metadata(path) {
        Ok(data) => Ok(Some(data.file_type())),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(Failure::state(format!("{}: {error}", cannot_read(path)))),
    }
}

/// The content of the regular file at `path`; none when nothing stands there.
///
/// # Errors
/// `State` when something else stands there, or it cannot be read.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    let Some(mut file) = open(path)? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).context(FailureKind::State, || cannot_read(path))?;
    Ok(Some(bytes))
}

/// The SHA-256 of the content of the regular file at `path`, which may be of any length; none when nothing
/// stands there.
///
/// # Errors
/// `State` as [`read`].
pub fn sha256(path: &Path) -> Result<Option<String>, Failure> {
    let Some(file) = open(path)? else { return Ok(None) };
    let mut hash = Sha256::new();
    hash.update_file(&file).context(FailureKind::State, || cannot_read(path))?;
    Ok(Some(hash.finish_hex()))
}

fn open(path: &Path) -> Result<Option<File>, Failure> {
    // Looked at before it is opened, because opening a device may already do something.
    match kind(path)? {
        None => return Ok(None),
        Some(kind) if !kind.is_file() => return Err(refused(path, kind, "a file")),
        Some(_) => {}
    }
    // Somebody may exchange it between the two looks: never wait for the other end of a FIFO.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error).context(FailureKind::State, || cannot_read(path)),
    };
    let data = file.metadata().context(FailureKind::State, || cannot_read(path))?;
    if data.is_file() { Ok(Some(file)) } else { Err(refused(path, data.file_type(), "a file")) }
}

fn cannot_read(path: &Path) -> String {
    format!("{} cannot be read", path.display())
}

/// Opens the folder at `path`; none when nothing stands there.
///
/// # Errors
/// `State` when something else stands there, a link included; `Environment` when it cannot be opened.
pub fn open_folder(path: &Path) -> Result<Option<File>, Failure> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(folder) => Ok(Some(File::from(folder))),
        Err(error) => match kind(path)? {
            None => Ok(None),
            Some(kind) if !kind.is_dir() => Err(refused(path, kind, "a folder")),
            Some(_) => Err(Failure::environment(format!("{} cannot be opened: {error}", path.display()))
                .hint("make it readable, or choose another place with --state-dir")),
        },
    }
}

/// The failure that says what stands at `path` instead of `wanted`.
pub fn refused(path: &Path, kind: FileType, wanted: &str) -> Failure {
    Failure::state(format!("{} is {}, not {wanted}", path.display(), name(kind))).hint(format!(
        "move it away, so that {wanted} can be there, or choose another place with --state-dir"
    ))
}

/// A part of the path that is no folder means the same: nothing of that name is there.
fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn name(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_file() => "a file",
        kind if kind.is_dir() => "a folder",
        kind if kind.is_symlink() => "a symbolic link",
        kind if kind.is_fifo() => "a FIFO",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    #[test]
    fn only_a_regular_file_is_read_and_nothing_blocks() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        crate::sys::files::write_atomic(&at("file"), b"x").expect("written");
        symlink(at("file"), at("link")).expect("linked");
        symlink(at("nowhere"), at("dangling")).expect("linked");
        rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), rustix::fs::FileType::Fifo, Mode::RWXU, 0)
            .expect("made");
        let _socket = UnixListener::bind(at("socket")).expect("bound");
        assert_eq!(read(&at("file")).expect("read").as_deref(), Some(&b"x"[..]));
        assert_eq!(sha256(&at("file")).expect("read"), Some(crate::sys::files::sha256_bytes(b"x")));
        assert_eq!(read(&at("missing")).expect("nothing"), None);
        assert_eq!(sha256(&at("missing")).expect("nothing"), None);
        assert_eq!(read(&at("file/below")).expect("nothing"), None);
        let causes = [
            ("link", "a symbolic link"),
            ("dangling", "a symbolic link"),
            ("fifo", "a FIFO"),
            ("socket", "a socket"),
            (".", "a folder"),
        ];
        for (name, cause) in causes {
            for failure in [read(&at(name)).expect_err(name), sha256(&at(name)).expect_err(name)] {
                assert_eq!(failure.kind, FailureKind::State);
                assert!(failure.message.contains(&format!("is {cause}, not a file")), "{failure}");
            }
        }
        assert!(read(Path::new("/dev/null")).expect_err("a device").message.contains("a device"));
    }

    #[test]
    fn only_a_folder_is_opened_as_one_but_it_may_be_reached_through_a_link() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("real/perf")).expect("made");
        symlink(at("real"), at("link")).expect("linked");
        assert!(open_folder(&at("link/perf")).expect("opened").is_some());
        assert!(open_folder(&at("missing")).expect("nothing").is_none());
        assert!(
            open_folder(&at("link")).expect_err("refused").message.contains("a symbolic link, not a folder")
        );
    }
}
