//! The environment of a result: facts about machine, build and commit, gathered before measuring.

use super::Lab;
use super::toolchain::{self, Sources};
use crate::bench::discover::Workspace;
use crate::failure::{Failure, FailureKind};
use crate::model::environment::{Build, Context, Environment, Identity, Machine, Soft};
use crate::sys::invocation::{Invocation, Output};
use crate::sys::process::{self, Alone};
use crate::sys::{clock, counters, files, host, kernel, quota};
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
    /// Gathers the environment. `context.doctor` is left to whoever probes the machine.
    pub fn environment(
        &mut self,
        workspace: Option<&Workspace>,
        checkout: Checkout,
        lock_wait: Duration,
    ) -> Result<Environment, Failure> {
        let rustc = self.rustc_version()?;
        let sources = Sources::read(workspace.map_or(&self.cwd, |workspace| &workspace.root), &self.cwd);
        let target = self.flags.target.clone().or_else(|| sources.target());
        let target = target.or_else(|| host_triple(rustc.as_deref()?));
        let build = self.how_built(workspace, &sources, rustc, target.as_deref());
        let (machine, soft, context) = machine(checkout, lock_wait);
        let identity = Identity {
            arch: env::consts::ARCH.to_owned(),
            os: env::consts::OS.to_owned(),
            target: target.map(|target| toolchain::without_paths(&target)),
        };
        Ok(Environment { identity, build, machine, soft, context })
    }

    fn how_built(
        &self,
        workspace: Option<&Workspace>,
        sources: &Sources,
        rustc: Option<String>,
        target: Option<&str>,
    ) -> Build {
        let flags = sources.compiler_flags(target);
        Build {
            rustc,
            // Cargo builds nothing where there is no workspace.
            cargo_flags: workspace
                .map(|_| self.flags.building().into_iter().map(hide_path).collect())
                .unwrap_or_default(),
            rustflags: Some(flags.rustflags),
            encoded_rustflags: Some(flags.encoded),
            config_rustflags: Some(flags.configured),
            target_cpu: flags.target_cpu,
            features: workspace.map(|_| toolchain::features(&self.flags)),
            profile: workspace
                .and_then(|_| sources.profile(self.flags.profile.as_deref().unwrap_or("bench"))),
            lockfile_sha256: workspace
                .and_then(|workspace| files::sha256(&workspace.root.join("Cargo.lock")).ok()),
            // What a program that is no bench runs on is known to whoever starts it.
            runtime: workspace.map(|_| "none".to_owned()),
        }
    }

    fn rustc_version(&mut self) -> Result<Option<String>, Failure> {
        let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let output = Output::Recorded { log: self.scratch_log("rustc-version"), log_limit: 1 << 16 };
        let invocation = Invocation::new([rustc, "-vV".into()], &self.cwd, output);
        let ended = match process::run(&invocation, &mut Alone, self.interrupt) {
            Ok(ended) => ended,
            // A program that is no bench can be measured without a compiler.
            Err(failure) if failure.kind == FailureKind::Environment => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let line =
            ended.stdout.tail.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>();
        Ok((ended.exit.is_success() && !line.is_empty()).then(|| line.join("; ")))
    }
}

/// The machine, its settings, and the circumstances.
pub fn machine(checkout: Checkout, lock_wait: Duration) -> (Machine, Soft, Context) {
    let facts = host::facts();
    let settings = kernel::settings();
    let pressure = counters::recent_pressure();
    let machine = Machine {
        cpu_model: facts.processor.name,
        cpu_vendor: facts.processor.vendor,
        cpu_family: facts.processor.family,
        cpu_model_number: facts.processor.model,
        cpu_stepping: facts.processor.stepping,
        microcode: facts.processor.microcode,
        logical_cpus: facts.logical_cpus,
        online_cpus: facts.online_cpus,
        physical_cores: facts.processor.cores,
        affinity: facts.affinity,
        outer_quota: quota::read().describe(),
        caches: facts.caches,
        numa_nodes: facts.numa_nodes,
        memory_bytes: facts.memory_bytes,
        virtual_machine: facts.processor.virtual_machine,
        virtualisation: facts.virtualisation,
        container: facts.container,
        smt: facts.smt,
        id: facts.id,
    };
    let soft = Soft {
        kernel: settings.release,
        cmdline_sha256: settings.cmdline_sha256,
        mitigations_sha256: settings.mitigations_sha256,
        governor: settings.governor,
        frequency_driver: settings.frequency_driver,
        turbo: settings.turbo,
        min_mhz: settings.min_mhz,
        max_mhz: settings.max_mhz,
        aslr: settings.aslr,
        huge_pages: settings.huge_pages,
        swappiness: settings.swappiness,
        swap_bytes: facts.swap_bytes,
        clocksource: settings.clocksource,
        preemption: settings.preemption,
        libc: settings.libc,
        power_source: facts.power_source,
        boot_id: settings.boot_id,
    };
    let context = Context {
        date: Some(clock::now_rfc3339()),
        uptime_s: facts.uptime_s,
        commit: checkout.commit,
        dirty: checkout.dirty,
        load_1min: facts.load_1min,
        psi_cpu_some: pressure.cpu,
        psi_memory_some: pressure.memory,
        psi_io_some: pressure.io,
        lock_wait_s: lock_wait.as_secs_f64(),
        doctor: None,
        tool: Some(env!("CARGO_PKG_VERSION").to_owned()),
    };
    (machine, soft, context)
}

/// A path to a target's description is somebody's own; names of packages hold slashes too.
fn hide_path(flag: String) -> String {
    if flag.starts_with('/') { toolchain::without_paths(&flag) } else { flag }
}

/// `host: x86_64-unknown-linux-gnu`, one of the parts that `rustc -vV` was joined from.
fn host_triple(rustc: &str) -> Option<String> {
    rustc.split("; ").find_map(|part| part.strip_prefix("host: ")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_read_from_the_compilers_answer() {
        let said =
            "rustc 1.95.0 (abc 2026-01-01); binary: rustc; host: aarch64-unknown-linux-gnu; release: 1.95.0";
        assert_eq!(host_triple(said).as_deref(), Some("aarch64-unknown-linux-gnu"));
        assert_eq!(host_triple("rustc 1.95.0"), None);
    }

    #[test]
    fn the_environment_holds_no_name_of_this_machine() {
        let (machine, soft, context) = machine(Checkout::default(), Duration::ZERO);
        let stored = serde_json::to_string(&(machine, soft, context)).expect("coded");
        let secrets = ["/proc/sys/kernel/hostname", "/etc/machine-id"];
        for secret in secrets.iter().filter_map(|path| std::fs::read_to_string(path).ok()) {
            // A host with a very short name may share it with a word of the document.
            let secret = secret.trim();
            assert!(secret.len() < 8 || !stored.contains(secret));
        }
    }
}
