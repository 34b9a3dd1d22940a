//! The environment of a result: facts about machine, build and commit, gathered before measuring.

use super::Lab;
use crate::bench::discover::Workspace;
use crate::failure::Failure;
use crate::model::environment::{Build, Context, Environment, Identity, Machine, Soft};
use crate::sys::invocation::{Invocation, Output};
use crate::sys::process::{self, Alone};
use crate::sys::{files, host};
use std::env;
use std::time::Duration;

/// What version control says, as the caller found it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkout {
    /// The commit.
    pub commit: Option<String>,
    /// Whether tracked files differ from it.
    pub dirty: Option<bool>,
}

impl Lab<'_> {
    /// Gathers the environment.
    pub fn environment(
        &mut self,
        workspace: Option<&Workspace>,
        checkout: Checkout,
        lock_wait: Duration,
    ) -> Result<Environment, Failure> {
        let facts = host::facts();
        Ok(Environment {
            identity: Identity { arch: env::consts::ARCH.to_owned(), os: env::consts::OS.to_owned() },
            build: Build {
                rustc: self.rustc_version()?,
                cargo_flags: self.flags.building(),
                rustflags: env::var("RUSTFLAGS").ok(),
                lockfile_sha256: workspace
                    .and_then(|workspace| files::sha256(&workspace.root.join("Cargo.lock")).ok()),
            },
            machine: Machine {
                cpu_model: facts.cpu_model,
                logical_cpus: facts.logical_cpus,
                memory_bytes: facts.memory_bytes,
                virtual_machine: facts.virtual_machine,
                smt: facts.smt,
            },
            soft: Soft { kernel: facts.kernel, governor: facts.governor, aslr: facts.aslr },
            context: Context {
                commit: checkout.commit,
                dirty: checkout.dirty,
                load_1min: facts.load_1min,
                lock_wait_s: lock_wait.as_secs_f64(),
            },
        })
    }

    fn rustc_version(&mut self) -> Result<Option<String>, Failure> {
        let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let output = Output::Recorded { log: self.scratch_log("rustc-version"), log_limit: 1 << 16 };
        let invocation = Invocation::new([rustc, "-vV".into()], &self.cwd, output);
        let ended = process::run(&invocation, &mut Alone, self.interrupt)?;
        let line =
            ended.stdout.tail.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>();
        Ok((ended.exit.is_success() && !line.is_empty()).then(|| line.join("; ")))
    }
}
