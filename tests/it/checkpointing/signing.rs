//! Repositories in which commits must be signed.

use super::repository::{REF, Repo, STATE, SUBJECT};
use crate::support::trials;
use libtest_mimic::Trial;
use serde_json::json;
use std::fs;
use std::time::{Duration, Instant};

pub fn trials() -> Vec<Trial> {
    trials![
        g8_a_missing_key_leaves_everything_as_it_was,
        g8_a_key_with_a_passphrase_asks_nobody,
        g8_without_a_git_program_nothing_is_committed,
        g8_a_working_key_signs_and_no_hook_is_run,
    ]
}

/// A repository that signs with a new key; its passphrase may be empty.
fn signing(passphrase: &str) -> Repo {
    let repo = Repo::new();
    let key = repo.home.join("key");
    let file = key.to_str().expect("UTF-8");
    repo.run("ssh-keygen", &["-q", "-t", "ed25519", "-N", passphrase, "-C", "ann", "-f", file]);
    let public = fs::read_to_string(key.with_extension("pub")).expect("a key");
    repo.write(repo.home.join("allowed"), &format!("ann@example.org {public}"));
    repo.git(["config", "gpg.format", "ssh"]);
    repo.git(["config", "user.signingkey", file]);
    repo.git(["config", "gpg.ssh.allowedSignersFile", repo.home.join("allowed").to_str().expect("UTF-8")]);
    repo.git(["config", "commit.gpgsign", "true"]);
    repo.state("1");
    repo
}

fn g8_a_missing_key_leaves_everything_as_it_was() {
    let repo = signing("");
    repo.git(["config", "user.signingkey", "/nowhere/key"]);
    assert_eq!(repo.call(&json!({"call": "foresee"}))["signed"], true);
    repo.refuses("signing", &json!({}));
    repo.refuses("signing", &json!({"mode": "ref"}));
}

fn g8_a_key_with_a_passphrase_asks_nobody() {
    let repo = signing("secret passphrase");
    let started = Instant::now();
    repo.refuses("signing", &json!({}));
    assert!(started.elapsed() < Duration::from_secs(20), "somebody was asked");
}

fn g8_without_a_git_program_nothing_is_committed() {
    let repo = signing("");
    let before = repo.seen();
    let made = repo.call_with(&json!({}), &[("PATH", "/nowhere")]);
    assert_eq!(made, json!({"none": "signing"}));
    assert_eq!(repo.seen(), before);
}

fn g8_a_working_key_signs_and_no_hook_is_run() {
    let repo = signing("");
    repo.write("src/a.rs", "staged\n");
    repo.git(["add", "src/a.rs"]);
    for name in ["pre-commit", "commit-msg", "post-commit"] {
        repo.hook(name, "touch ran; exit 1");
    }
    let id = repo.checkpoint();
    assert_eq!(repo.git(["show", "-s", "--format=%G?%B", &id]).trim(), format!("G{SUBJECT}"));
    assert!(!repo.path("ran").exists());
    repo.write(format!("{STATE}/x.json"), "1");
    // Variables of a hook or an alias that we were started from must not lead elsewhere.
    let elsewhere = [("GIT_DIR", "/nowhere"), ("GIT_INDEX_FILE", "/nowhere/index")];
    let made = repo.call_with(&json!({"mode": "ref"}), &elsewhere);
    assert!(made["id"].is_string(), "{made}");
    repo.git(["verify-commit", REF]);
    let unborn = Repo::empty(&[]);
    for name in ["gpg.format", "user.signingkey", "commit.gpgsign"] {
        unborn.git(["config", name, repo.git(["config", name]).trim()]);
    }
    unborn.state("1");
    unborn.checkpoint();
}
