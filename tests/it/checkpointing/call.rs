//! One call of the git layer in a process of its own.
//!
//! The layer waits for all children of its process, and libgit2 reads configuration and environment of the
//! process; the tests of this binary share theirs. So the binary starts itself, with an order as JSON.

use cargo_perf_lab::failure::Failure;
use cargo_perf_lab::git::checkpoint::{self, Foreseen, Made, Order};
use cargo_perf_lab::git::clean::{self, CleanTree};
use cargo_perf_lab::sys::interrupt::Interrupt;
use git2::ConfigLevel;
use serde_json::{Value, json};
use std::env;
use std::io::{self, Write};
use std::path::PathBuf;

/// The variable that holds the order.
pub const ORDER: &str = "PERF_TEST_GIT_CALL";

/// Does what the variable asks for, and says whether it did.
pub fn answer_call() -> bool {
    let Some(order) = env::var_os(ORDER) else { return false };
    let order: Value = serde_json::from_str(order.to_str().expect("UTF-8")).expect("an order");
    isolate();
    let answer = answer(&order);
    writeln!(io::stdout(), "{answer}").expect("standard output is open");
    true
}

/// Configuration of whoever runs the tests must not matter; that of the test lies in HOME.
#[expect(unsafe_code, reason = "search paths of libgit2 are global; nothing else runs in this process")]
fn isolate() {
    let home = env::var("HOME").expect("a home");
    for (level, path) in [
        (ConfigLevel::System, String::new()),
        (ConfigLevel::ProgramData, String::new()),
        (ConfigLevel::XDG, format!("{home}/.config/git")),
        (ConfigLevel::Global, home),
    ] {
        // SAFETY: called before libgit2 is used, in a process with one thread.
        unsafe { git2::opts::set_search_path(level, path) }.expect("a path is set");
    }
}

fn answer(order: &Value) -> Value {
    let text = |name: &str| order[name].as_str().unwrap_or_default();
    let (root, state) = (PathBuf::from(text("root")), PathBuf::from(text("state")));
    let mode = serde_json::from_value(order["mode"].clone()).expect("a mode");
    let (subject, ref_name) = (text("subject"), text("ref_name"));
    let given = Order { root: &root, state_folder: &state, subject, mode, ref_name };
    let interrupt = Interrupt::install().expect("handlers");
    match text("call") {
        "foresee" => told(checkpoint::foresee(&given), |foreseen| match foreseen {
            Foreseen::None(reason) => json!({"none": reason.name()}),
            Foreseen::Commit { parent, onto, signed, hooks_not_run } => {
                json!({"parent": parent, "onto": onto, "signed": signed, "hooks_not_run": hooks_not_run})
            }
        }),
        "commit" => told(checkpoint::commit(&given, &interrupt), |made| match made {
            Made::None(reason) => json!({"none": reason.name()}),
            Made::Commit { id, parent } => json!({"id": id, "parent": parent}),
        }),
        "committed" => json!(checkpoint::is_committed(&given)),
        "find" => {
            let wanted = [checkpoint::Wanted { subject, parent: order["parent"].as_str() }];
            json!(checkpoint::find(&root, &wanted, ref_name).pop().flatten())
        }
        "exists" => json!(checkpoint::commit_exists(&root, text("id"))),
        "sources" => told(clean::sources(&root, &state, &interrupt), |sources| {
            sources.map_or(Value::Null, |sources| {
                let proof = CleanTree::prove(&sources);
                json!({"commit": sources.commit, "digest": sources.digest, "dirty": sources.dirty,
                    "count": sources.dirty_count, "clean": proof.is_some(),
                    "proven": proof.as_ref().and_then(CleanTree::commit)})
            })
        }),
        other => panic!("no call {other}"),
    }
}

fn told<T>(result: Result<T, Failure>, say: impl FnOnce(T) -> Value) -> Value {
    result.map_or_else(
        |failure| json!({"kind": failure.kind.name(), "failure": failure.message, "hint": failure.hint}),
        say,
    )
}
