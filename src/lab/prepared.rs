//! A bench executable that is ready to be started.

use crate::model::bench::BuiltBench;
use crate::sys::invocation::{Invocation, Output};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

/// A bench executable that is ready to be started.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// What cargo built.
    pub built: BuiltBench,
    /// The copy that is started.
    pub executable: PathBuf,
    /// Its SHA-256.
    pub sha256: String,
    /// The environment cargo would give it.
    pub env: BTreeMap<String, OsString>,
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
}
