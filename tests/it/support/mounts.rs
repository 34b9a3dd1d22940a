//! File systems that are there for one program alone.

#![expect(clippy::disallowed_methods, reason = "it is tried whether anything can be mounted")]

use std::process::{Command, Stdio};

/// Why a test that needs one is skipped.
pub const NO_MOUNT: &str = "nothing can be mounted here, with or without a user namespace (unshare -m)";

/// The words that start a program in a mount namespace of its own, behind the script `mount`.
pub fn mounting(mount: &str) -> Option<Vec<&str>> {
    let ways = [&["unshare", "-m"][..], &["unshare", "-rm"]];
    let words = |unshare: &&[&'static str]| [unshare, &["sh", "-ec", mount, "sh"][..]].concat();
    ways.iter().map(words).find(|words| {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg("true").stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    })
}
