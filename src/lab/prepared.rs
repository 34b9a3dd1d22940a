//! A bench executable that is ready to be started, and the copies of it that are.

use crate::failure::{Context, Failure, FailureKind};
use crate::model::bench::BuiltBench;
use crate::sys::files;
use crate::sys::invocation::{Invocation, Output};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// A bench executable that is ready to be started.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// What cargo built.
    pub built: BuiltBench,
    /// The copy that is kept.
    pub executable: PathBuf,
    /// Its SHA-256.
    pub sha256: String,
    /// The environment cargo would give it.
    pub env: BTreeMap<String, OsString>,
}

/// A copy of an executable that one process runs and no other; gone when dropped.
///
/// The contents of a file lie in the pages of memory that were free when it was written, and each process that is
/// started from the file finds them there. Which caches they share is luck, and the same luck for all of its
/// processes: a difference between two files that is no difference between two programs
/// (`docs/adr/0015-own-copies.md`). Written anew for each process, it becomes noise that a series averages over.
#[derive(Debug)]
pub struct OwnCopy {
    executable: PathBuf,
}

impl Prepared {
    /// The executable with `arguments`, as cargo would start it.
    pub fn invocation(&self, arguments: Vec<OsString>, output: Output) -> Invocation {
        let mut argv = vec![self.executable.clone().into_os_string()];
        argv.extend(arguments);
        let mut invocation = Invocation::new(argv, &self.built.target.manifest_dir, output);
        invocation.env.extend(self.env.iter().map(|(name, value)| (name.clone(), Some(value.clone()))));
        invocation
    }

    /// A copy for the process that writes its output to `log`, in a folder beside that. It has the name of the
    /// original, since programs may look at theirs.
    ///
    /// # Errors
    /// `Environment` when it cannot be written.
    pub fn own_copy(&self, log: &Path) -> Result<OwnCopy, Failure> {
        let folder = log.with_extension("own");
        let executable = folder.join(self.executable.file_name().unwrap_or_default());
        let copy = OwnCopy { executable };
        fs::create_dir_all(&folder)
            .context(FailureKind::Environment, || format!("{} cannot be made", folder.display()))?;
        files::write_copy(&self.executable, &copy.executable)?;
        Ok(copy)
    }
}

impl OwnCopy {
    /// `invocation` with this copy as its program.
    pub fn start(&self, mut invocation: Invocation) -> Invocation {
        invocation.argv[0] = self.executable.clone().into_os_string();
        invocation
    }
}

impl Drop for OwnCopy {
    fn drop(&mut self) {
        // What cannot be removed goes with the other traces of its run.
        let _ = fs::remove_file(&self.executable);
        if let Some(folder) = self.executable.parent() {
            let _ = fs::remove_dir(folder);
        }
    }
}
