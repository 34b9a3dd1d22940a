//! An investigation of one kernel, driven from outside as a user drives it.

#![expect(clippy::disallowed_methods, reason = "the suite stands outside of what it measures")]

use super::planted::Planted;
use crate::Setting;
use crate::start::{Answered, answered, fixture, tool};
use crate::verdicts::kernels::copy;
use cargo_perf_lab::failure::{Context, Failure, FailureKind};
use git2::{IndexAddOption, Repository, Signature};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

const FIXTURE: &str = "kernels";
/// Phases that say nothing of a change.
const LEFT_OUT: [&str; 5] = ["breaking-point", "constraints", "hypotheses", "code-paths", "profiling"];
/// How often a baseline is measured again before that is an error.
const MOST_AGAIN: usize = 3;
const WHY: &str = "many experiments";

/// An investigation of one kernel.
pub struct Investigating<'a> {
    folder: PathBuf,
    setting: &'a Setting,
}

/// What was said of a change.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Said {
    /// Of the experiment.
    pub experiment: String,
    /// Of the cost.
    pub number: String,
    /// In percent, with its interval.
    pub effect: Value,
    /// How often the baseline had to be measured again before.
    pub baselines_again: usize,
}

impl<'a> Investigating<'a> {
    /// A repository with the kernels, set up and with a baseline.
    ///
    /// # Errors
    /// What a command said, or that the folder cannot be made; see [`is_noise`].
    pub fn begin(kernel: &'static str, setting: &'a Setting, seed: u64) -> Result<Self, Failure> {
        let folder = setting.scratch.path().join("experiments").join(format!("{kernel}-{seed}"));
        copy(&fixture(FIXTURE), &folder)?;
        let uncommitted = || "the kernels cannot be committed".to_owned();
        commit(&folder).context(FailureKind::Environment, uncommitted)?;
        let open = Self { folder, setting };
        open.succeeds(&[
            "setup",
            "--scenario=the kernel takes too long",
            "--quote=make it faster",
            "--success=cost <= baseline * 0.95",
            "--version=v1",
            "--filter",
            kernel,
        ])?;
        open.baseline()?;
        let skips = LEFT_OUT.map(|phase| format!("--skip-phase={phase}={WHY}"));
        let words: Vec<&str> = std::iter::once("next").chain(skips.iter().map(String::as_str)).collect();
        open.succeeds(&words)?;
        Ok(open)
    }

    /// Tries a change, with less than a minute of each side where `short` says so.
    pub fn try_change(&self, planted: &Planted, short: Option<Duration>) -> Result<Said, Failure> {
        let patch = self.setting.scratch.path().join(format!("seed-{}.patch", planted.seed));
        fs::write(&patch, &planted.patch)
            .context(FailureKind::Environment, || "a patch cannot be written".to_owned())?;
        let (patch, seed) = (patch.display().to_string(), planted.seed.to_string());
        let change = format!("--change=seed {seed}");
        let seconds = short.map(|short| short.as_secs_f64().to_string());
        let length: Vec<&str> = match &seconds {
            Some(seconds) => vec!["--approve-short", WHY, "--duration", seconds],
            None => Vec::new(),
        };
        let mut begin: Vec<&str> = vec!["experiment", "--patch", &patch, &change, "--seed", &seed];
        for baselines_again in 0..=MOST_AGAIN {
            let answer = self.answered(&[&begin[..], &length].concat())?;
            if answer.code == Some(0) {
                self.succeeds(&["decide", "continue", "--rationale", "the next seed"])?;
                return Ok(said(&answer.json, baselines_again));
            }
            let message = answer.json["error"]["message"].as_str().unwrap_or_default();
            if answer.code != Some(5) || !message.contains("in the baseline") {
                return Err(Failure::benchmark(format!("seed {seed} could not be tried: {message}")));
            }
            self.baseline()?;
            begin = vec!["experiment", "--continue"];
        }
        Err(Failure::benchmark(format!("the baseline of {} cannot be reproduced", planted.kernel)))
    }

    fn baseline(&self) -> Result<(), Failure> {
        let seconds = self.setting.measured(Duration::from_secs(10)).as_secs_f64().to_string();
        self.succeeds(&["baseline", "--approve-short", WHY, "--duration", &seconds])
    }

    fn succeeds(&self, words: &[&str]) -> Result<(), Failure> {
        let answer = self.answered(words)?;
        if answer.code == Some(0) {
            return Ok(());
        }
        let message = answer.json["error"]["message"].as_str().unwrap_or_default();
        Err(Failure::benchmark(format!("cargo perf {}: {message}", words.join(" "))))
    }

    fn answered(&self, words: &[&str]) -> Result<Answered, Failure> {
        let mut command = tool(FIXTURE);
        command.current_dir(&self.folder).args(words).arg("--json");
        answered(command, &self.setting.interrupt)
    }
}

/// Whether a baseline was refused since the machine is too noisy for one.
pub fn is_noise(failure: &Failure) -> bool {
    failure.message.contains("each time it disagrees with itself")
}

fn said(answer: &Value, baselines_again: usize) -> Said {
    let finding = &answer["result"]["experiment"]["finding"];
    let word = |value: &Value| value.as_str().unwrap_or("nothing").to_owned();
    Said {
        experiment: word(&finding["verdict"]),
        number: word(&finding["numbers"][0]["verdict"]),
        effect: finding["numbers"][0]["effect"].clone(),
        baselines_again,
    }
}

fn commit(folder: &std::path::Path) -> Result<(), git2::Error> {
    let repository = Repository::init(folder)?;
    let mut config = repository.config()?;
    for (name, value) in
        [("user.name", "figures"), ("user.email", "figures@localhost"), ("commit.gpgsign", "false")]
    {
        config.set_str(name, value)?;
    }
    let mut index = repository.index()?;
    index.add_all(["*"], IndexAddOption::DEFAULT, None)?;
    index.write()?;
    let tree = repository.find_tree(index.write_tree()?)?;
    let author = Signature::now("figures", "figures@localhost")?;
    repository.commit(Some("HEAD"), &author, &author, "kernels", &tree, &[])?;
    Ok(())
}
