//! A real browser without a window: what it says of a page, what it asks of the network, and a picture.

#![expect(clippy::disallowed_methods, reason = "the browser is no benchmark")]

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The words that ask for its version.
pub const CHROMIUM: &[&str] = &["chromium", "--version"];

/// What came of opening a page.
#[derive(Debug)]
pub struct Opened {
    /// The document after it was laid out, as text.
    pub dom: String,
    /// What it complained of.
    pub complaints: Vec<String>,
    /// Addresses that the page asked for, its own aside.
    pub requests: Vec<String>,
    /// What it looks like.
    pub picture: PathBuf,
}

/// Opens `page`; traces go to `aside`, which is there.
pub fn open(page: &Path, aside: &Path, [width, height]: [u32; 2]) -> Opened {
    let picture = aside.join("page.png");
    let network = aside.join("network.json");
    let address = format!("file://{}", page.display());
    let size = format!("--window-size={width},{height}");
    let taken = chromium(
        aside,
        &[
            &size,
            &format!("--screenshot={}", picture.display()),
            &format!("--log-net-log={}", network.display()),
            "--enable-logging=stderr",
            &address,
        ],
    );
    let laid_out = chromium(aside, &[&size, "--dump-dom", &address]);
    let said = String::from_utf8_lossy(&taken.stderr).into_owned();
    let complaints = said.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned).collect();
    Opened {
        dom: String::from_utf8_lossy(&laid_out.stdout).into_owned(),
        complaints,
        requests: requests(&fs::read_to_string(&network).expect("the record of the network")),
        picture,
    }
}

fn chromium(aside: &Path, arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new("chromium");
    command
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"])
        // What the browser does for itself is no request of the page.
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--disable-default-apps", "--disable-extensions", "--force-color-profile=srgb"])
        .arg(format!("--user-data-dir={}", aside.join("browser").display()))
        .args(arguments)
        .stdin(Stdio::null());
    let output = command.output().expect("the browser can be started");
    assert!(output.status.success(), "{output:?}");
    output
}

/// The addresses of what pages ask for, in a record of the network. What the browser asks for itself has no origin.
fn requests(record: &str) -> Vec<String> {
    let record: Value = serde_json::from_str(record).expect("the record of the network is JSON");
    let events = record["events"].as_array().expect("events");
    let of_a_page = events
        .iter()
        .map(|event| &event["params"])
        .filter(|params| params["initiator"].as_str().is_some_and(|initiator| initiator != "not an origin"));
    of_a_page.filter_map(|params| Some(params["url"].as_str()?.to_owned())).collect()
}
