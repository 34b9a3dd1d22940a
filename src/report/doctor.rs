//! A look at the machine, in words and for machines.

use crate::model::checkup::{Checkup, Preflight, Tool};
use crate::model::environment::{Machine, Soft};
use crate::model::gate::{State, Verdict};
use crate::model::noise;
use crate::model::units;
use crate::sys::quota::ControlGroups;
use serde_json::{Value, json};
use std::fmt::{Display, Write};

/// What this version does with control groups.
const LIMITS: &str = "not yet used by this version";

/// Everything, a line each.
pub fn text(checkup: &Checkup) -> String {
    let parts = [
        machine(&checkup.machine, &checkup.soft),
        tools(&checkup.tools),
        lock(checkup),
        state(checkup),
        kernel(checkup),
        checkup.preflight.as_ref().map_or_else(
            || "noise: not probed, which would disturb whoever measures\n".to_owned(),
            noise_table,
        ),
        conclusion(checkup),
    ];
    parts.join("\n")
}

/// Everything, as data.
pub fn json(checkup: &Checkup) -> Value {
    json!({
        "verdict": checkup.verdict(),
        "obstacles": checkup.obstacles(),
        "warnings": checkup.warnings(),
        "machine": checkup.machine,
        "settings": checkup.soft,
        "permissions": checkup.permissions,
        "hardware_counters": counters(checkup.permissions.perf_event_paranoid),
        "control_groups": checkup.control_groups,
        "limits": LIMITS,
        "tools": checkup.tools,
        "lock": checkup.lock,
        "project": checkup.project,
        "probe": checkup.preflight.as_ref().map(probe_json),
    })
}

fn probe_json(preflight: &Preflight) -> Value {
    let probe = &preflight.probe;
    let processes: Vec<Value> = probe
        .processes
        .iter()
        .map(|busy| json!({"pid": busy.pid, "name": busy.name, "share": busy.share}))
        .collect();
    json!({
        "verdict": preflight.verdict,
        "causes": preflight.causes(),
        "seconds": probe.seconds,
        "cpus": probe.cpus,
        "on_cpu": probe.on_cpu,
        "stalled": probe.stalled,
        "runnable": probe.runnable,
        "psi_cpu_some": probe.interval.psi_cpu_some,
        "psi_memory_some": probe.interval.psi_memory_some,
        "psi_io_some": probe.interval.psi_io_some,
        "steal": noise::steal(&probe.interval),
        "foreign_cpu": noise::foreign_cpu(&probe.interval, probe.own_cpu_s),
        "swapped_pages": probe.interval.swapped_pages,
        "checks": preflight.checks,
        "processes": processes,
    })
}

fn line(text: &mut String, name: &str, value: impl Display) {
    let _ = writeln!(text, "  {name:<20}{value}");
}

fn known<T: Display>(value: Option<&T>) -> String {
    value.map_or_else(|| "unknown".to_owned(), ToString::to_string)
}

fn machine(machine: &Machine, soft: &Soft) -> String {
    let mut text = "machine\n".to_owned();
    let gigabytes = |bytes: u64| format!("{:.1} GB", bytes as f64 / 1e9);
    line(&mut text, "processor", known(machine.cpu_model.as_ref()));
    line(
        &mut text,
        "processors",
        format!(
            "{} to be used of {} online, {} cores",
            known(machine.logical_cpus.as_ref()),
            known(machine.online_cpus.as_ref()),
            known(machine.physical_cores.as_ref())
        ),
    );
    let swap = match soft.swap_bytes {
        None => "swap unknown".to_owned(),
        Some(0) => "no swap".to_owned(),
        Some(bytes) => format!("{} of swap", gigabytes(bytes)),
    };
    line(&mut text, "memory", format!("{}, {swap}", known(machine.memory_bytes.map(gigabytes).as_ref())));
    line(&mut text, "virtualisation", known(machine.virtualisation.as_ref()));
    line(&mut text, "container", known(machine.container.as_ref()));
    line(&mut text, "C library", known(soft.libc.as_ref()));
    text
}

fn tools(tools: &[Tool]) -> String {
    let mut text = "tools\n".to_owned();
    for tool in tools {
        let said = match (&tool.version, &tool.problem) {
            (Some(version), _) => version.clone(),
            (None, Some(problem)) => format!("found, but {problem}: {}", tool.costs),
            (None, None) => format!("missing: {}", tool.costs),
        };
        line(&mut text, &tool.name, said);
    }
    text
}

fn lock(checkup: &Checkup) -> String {
    let mut text = "machine-wide lock\n".to_owned();
    for file in &checkup.lock.files {
        line(&mut text, &file.path, format!("  {}", file.problem.as_deref().unwrap_or("usable")));
    }
    line(&mut text, "holder", checkup.lock.holder.as_deref().unwrap_or("nobody"));
    text
}

fn state(checkup: &Checkup) -> String {
    let mut text = "state folder\n".to_owned();
    match &checkup.project {
        None => line(
            &mut text,
            "none",
            "this folder is in no cargo project, so nothing can be measured from here",
        ),
        Some(project) => {
            let writable = project.problem.as_deref().unwrap_or("can be written");
            line(&mut text, &project.state, format!("  {} ({writable})", project.reason));
        }
    }
    text
}

fn kernel(checkup: &Checkup) -> String {
    let (soft, permissions) = (&checkup.soft, &checkup.permissions);
    let mut text = "kernel\n".to_owned();
    line(&mut text, "release", known(soft.kernel.as_ref()));
    line(&mut text, "governor", known(soft.governor.as_ref()));
    line(&mut text, "clocksource", known(soft.clocksource.as_ref()));
    line(&mut text, "randomize_va_space", known(soft.aslr.as_ref()));
    line(&mut text, "perf_event_paranoid", known(permissions.perf_event_paranoid.as_ref()));
    line(&mut text, "ptrace_scope", known(permissions.ptrace_scope.as_ref()));
    line(&mut text, "kptr_restrict", known(permissions.kptr_restrict.as_ref()));
    line(&mut text, "hardware counters", counters(permissions.perf_event_paranoid));
    line(&mut text, "control groups", control_groups(&checkup.control_groups));
    line(&mut text, "limits", LIMITS);
    text
}

/// What the kernel would allow. Whether the processor has counters is not tried.
fn counters(paranoid: Option<i64>) -> &'static str {
    match paranoid {
        None => "not tried; the kernel does not say whether it allows them",
        Some(..=2) => "not tried; the kernel allows them for own programs, if the processor shows any",
        Some(_) => "not tried; the kernel forbids them (perf_event_paranoid above 2)",
    }
}

fn control_groups(groups: &ControlGroups) -> String {
    let can = |name: &str, there: Option<bool>| match there {
        None => format!("{name} unknown"),
        Some(true) => name.to_owned(),
        Some(false) => format!("no {name}"),
    };
    let writable = match groups.writable {
        None => "unknown whether writable",
        Some(true) => "writable",
        Some(false) => "not writable",
    };
    let version = groups.version.unwrap_or("unknown");
    format!("version {version}, {}, {}, {writable}", can("cpu", groups.cpu), can("memory", groups.memory))
}

fn noise_table(preflight: &Preflight) -> String {
    let probe = &preflight.probe;
    let mut text =
        format!("noise, probed for {:.1} s on {}\n", probe.seconds, units::count(probe.cpus, "processor"));
    for check in &preflight.checks {
        let state = match check.state {
            State::Ok => "ok",
            State::Unknown => "unknown",
            State::Warn => "warn",
            State::Block => "block",
        };
        let _ = writeln!(text, "  {state:<8}{:<12}{} (limit: {})", check.name, check.text, check.limit);
    }
    text
}

fn conclusion(checkup: &Checkup) -> String {
    let said = match checkup.verdict() {
        Verdict::Quiet => "quiet: nothing else uses this machine to speak of",
        Verdict::Noisy => "noisy: measuring is possible, and results will be less certain",
        Verdict::Refused => "refused: a measurement would not start",
    };
    let mut text = format!("verdict: {said}\n");
    let causes: Vec<String> =
        checkup.preflight.iter().flat_map(Preflight::causes).map(|cause| cause.to_string()).collect();
    if !causes.is_empty() {
        let _ = writeln!(text, "causes: {}", causes.join("; "));
    }
    for reason in checkup.obstacles().iter().chain(&checkup.warnings()) {
        let _ = writeln!(text, "  - {reason}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_forbids_is_not_promised() {
        assert!(counters(Some(3)).contains("forbids"));
        assert!(counters(Some(2)).contains("allows") && counters(Some(-1)).contains("allows"));
        assert!(counters(None).contains("does not say"));
    }

    #[test]
    fn a_missing_tool_says_what_that_costs() {
        let missing = Tool {
            name: "node".into(),
            required: false,
            found: false,
            version: None,
            problem: None,
            costs: "no JavaScript".into(),
        };
        assert!(tools(std::slice::from_ref(&missing)).contains("missing: no JavaScript"));
        let mute = Tool { found: true, problem: Some("it exited with code 1".into()), ..missing };
        assert!(tools(&[mute]).contains("found, but it exited with code 1: no JavaScript"));
    }

    #[test]
    fn control_groups_say_what_is_missing() {
        let groups =
            ControlGroups { version: Some("2"), cpu: Some(true), memory: Some(false), writable: None };
        assert_eq!(control_groups(&groups), "version 2, cpu, no memory, unknown whether writable");
    }
}
