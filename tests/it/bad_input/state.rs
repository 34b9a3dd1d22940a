//! State that cannot be written or must not be, found before anything is built or measured.

use crate::support::mounts::{NO_MOUNT, mounting};
use crate::support::sandbox::Sandbox;
use crate::support::{Outcome, machine, skip, trials};
use libtest_mimic::Trial;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

pub fn trials() -> Vec<Trial> {
    trials![
        a_state_folder_that_leads_upwards_is_refused,
        a_state_folder_below_a_file_is_found_before_the_build,
        a_state_folder_that_the_system_refuses_is_found_before_the_build,
        a_read_only_state_folder_is_found_before_the_build,
        a_full_state_folder_is_found_before_the_build,
        a_label_that_differs_in_case_only_is_refused_before_the_build,
        a_configuration_with_an_unknown_key_is_refused_with_its_place,
        a_configuration_with_a_wrong_type_is_refused_with_its_place,
        a_configuration_with_broken_syntax_is_refused_with_its_place,
    ]
}

/// What needs neither build nor measurement takes no longer than this, even on a busy machine.
const QUICKLY: Duration = Duration::from_secs(20);

fn a_state_folder_that_leads_upwards_is_refused() {
    let sandbox = Sandbox::of("misbehaving");
    for folder in ["..", "../state", "a/../../state"] {
        for command in ["baseline", "baselines", "list"] {
            let flag = sandbox.perf([command, "--state-dir", folder]).unbuilt();
            flag.fails(2, "`..`", "--state-dir");
            let variable = sandbox.perf([command]).env("AI_STATE_DIR", folder).unbuilt();
            variable.fails(2, "AI_STATE_DIR", "--state-dir");
        }
    }
    sandbox.write("perf.toml", "state-dir = \"../state\"\n");
    sandbox.perf(["baselines"]).unbuilt().fails(2, "state-dir in perf.toml", "--state-dir");
}

fn a_state_folder_below_a_file_is_found_before_the_build() {
    let sandbox = Sandbox::of("misbehaving");
    sandbox.write("occupied", "a file\n");
    let perf = sandbox.baseline("v1", "well_behaved").env("AI_STATE_DIR", "occupied/state").unbuilt();
    let refused = perf.fails(8, "occupied/state/perf/baselines", "--state-dir");
    assert!(refused.wall < QUICKLY, "{refused:#?}");
    assert!(refused.stderr.contains("nothing has been measured"), "{}", refused.stderr);
    // Cargo has to say the version of the default label, and has built nothing by then.
    let perf = sandbox.perf(["baseline", "--filter=well_behaved"]).env("AI_STATE_DIR", "occupied/state");
    let unnamed = perf.unbuilt().fails(8, "occupied/state/perf/baselines", "--state-dir");
    assert!(!unnamed.stderr.contains("building"), "{}", unnamed.stderr);
}

fn a_state_folder_that_the_system_refuses_is_found_before_the_build() {
    let sandbox = Sandbox::of("misbehaving");
    let perf = sandbox.baseline("v1", "well_behaved").args(["--state-dir", "/proc/perf-test"]).unbuilt();
    let refused = perf.fails(8, "/proc/perf-test/perf/baselines", "--state-dir");
    assert!(refused.wall < QUICKLY, "{refused:#?}");
}

/// Measures into a state folder that `mount` has made unfit; `None` where nothing can be mounted.
fn refused_when_mounted(mount: &str, cause: &str) -> Option<()> {
    let sandbox = Sandbox::of("misbehaving");
    let state = sandbox.aside.join("state");
    fs::create_dir(&state).expect("the folder can be made");
    let mount = mount.replace("FOLDER", &state.display().to_string());
    let words = mounting(&mount)?;
    let measuring = ["baseline", "v1", "--filter=well_behaved", "--approve-short=a test", "--duration=0.2"];
    let perf = sandbox.perf_through(&words, measuring).env("AI_STATE_DIR", &state).unbuilt();
    let refused = perf.fails(8, cause, "--state-dir");
    assert!(refused.stderr.contains("state/perf/baselines"), "{}", refused.stderr);
    assert!(refused.wall < QUICKLY, "{refused:#?}");
    Some(())
}

fn a_read_only_state_folder_is_found_before_the_build() -> Outcome {
    let mount = "mount -t tmpfs -o ro none FOLDER; exec \"$@\"";
    if refused_when_mounted(mount, "Read-only file system").is_some() {
        return Ok(());
    }
    if rustix::process::geteuid().is_root() {
        // Permissions do not bind root.
        return skip("a_read_only_state_folder_is_found_before_the_build", NO_MOUNT);
    }
    let sandbox = Sandbox::of("misbehaving");
    let state = sandbox.aside.join("state");
    fs::create_dir(&state).expect("the folder can be made");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o555)).expect("permissions can be set");
    let perf = sandbox.baseline("v1", "well_behaved").env("AI_STATE_DIR", &state).unbuilt();
    perf.fails(8, "Permission denied", "--state-dir");
    Ok(())
}

fn a_full_state_folder_is_found_before_the_build() -> Outcome {
    let mount = "mount -t tmpfs -o size=64k none FOLDER; exec \"$@\"";
    match refused_when_mounted(mount, "No space left on device") {
        Some(()) => Ok(()),
        None => skip("a_full_state_folder_is_found_before_the_build", NO_MOUNT),
    }
}

fn a_label_that_differs_in_case_only_is_refused_before_the_build() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    sandbox.baseline("Rc1", "well_behaved").succeeds();
    let perf = sandbox.baseline("rC1", "well_behaved").unbuilt();
    perf.fails(2, "the baseline Rc1 differs from rC1 in case only", "another version label");
}

fn a_configuration_with_an_unknown_key_is_refused_with_its_place() {
    check_configuration("# a comment\n\nstate-dir = 'x'\n  statedir = 'y'\n", "perf.toml:4:3: ", "statedir");
}

fn a_configuration_with_a_wrong_type_is_refused_with_its_place() {
    check_configuration("# ü\nstate-dir = 5\n", "perf.toml:2:13: ", "expected a string");
}

fn a_configuration_with_broken_syntax_is_refused_with_its_place() {
    check_configuration("state-dir = 'x'\nstate-dir = 'y'\n", "perf.toml:2:1: ", "duplicate key");
    check_configuration("state-dir = 'x\n", "perf.toml:1:", "string");
}

fn check_configuration(text: &str, place: &str, cause: &str) {
    let sandbox = Sandbox::of("misbehaving");
    sandbox.write("perf.toml", text);
    for command in ["list", "baseline", "baselines"] {
        let refused = sandbox.perf([command]).unbuilt().fails(2, place, "docs/configuration.md");
        assert!(refused.stderr.contains(cause), "{cause:?} is not named: {}", refused.stderr);
    }
}
