//! Which detached run is meant.

use super::arguments::Global;
use super::session::Session;
use crate::failure::Failure;
use crate::model::event::{Event, Listener};
use crate::store::layout::ProcessEnvironment;
use crate::store::runs::{self, Record, State};
use std::env;

/// The run that a command is about.
#[derive(Debug, clap::Args)]
pub struct RunChoice {
    /// The run, as --detach has named it (default: the one that is going on, else the latest)
    #[arg(value_name = "ID")]
    id: Option<String>,
}

impl RunChoice {
    /// Finds the run for `cargo perf <command>`. What was started in this project is preferred, and
    /// which one was chosen is said.
    ///
    /// # Errors
    /// `Usage` for an id that nobody knows, and when several runs could be meant.
    pub fn find(
        &self,
        global: &Global,
        command: &str,
        listener: &mut dyn Listener,
    ) -> Result<Record, Failure> {
        self.choose(global, command, listener, Foreign::Taken)
    }

    /// The same for what cannot be taken back: a run of another project has to be named.
    ///
    /// # Errors
    /// As [`RunChoice::find`], and `Usage` when runs go on elsewhere only.
    pub fn find_own(
        &self,
        global: &Global,
        command: &str,
        listener: &mut dyn Listener,
    ) -> Result<Record, Failure> {
        self.choose(global, command, listener, Foreign::Named)
    }

    fn choose(
        &self,
        global: &Global,
        command: &str,
        listener: &mut dyn Listener,
        foreign: Foreign,
    ) -> Result<Record, Failure> {
        let all = runs::all(&ProcessEnvironment);
        let latest = || all.last().map(|record| record.run.id.clone());
        if let Some(id) = &self.id {
            let failure = || match latest() {
                Some(latest) => Failure::usage(format!("there is no detached run {id}"))
                    .hint(format!("the latest is {latest}: cargo perf {command} {latest}")),
                None => none_known(&format!("there is no detached run {id}"), command),
            };
            return all.iter().find(|record| record.run.id == *id).cloned().ok_or_else(failure);
        }
        let here = started_here(&all, global);
        let elsewhere = || all.iter().rev().find(|record| record.state() == State::Running);
        if here.is_empty()
            && foreign == Foreign::Named
            && let Some(Record { run, .. }) = elsewhere()
        {
            return Err(Failure::usage(format!(
                "no run was started here; {} goes on in {}",
                run.id, run.root
            ))
            .hint(format!("name it if that is meant: cargo perf {command} {}", run.id)));
        }
        let candidates = if here.is_empty() { all } else { here };
        let running: Vec<&Record> =
            candidates.iter().filter(|record| record.state() == State::Running).collect();
        let chosen = match running.as_slice() {
            [] => candidates.last(),
            [one] => Some(*one),
            several => {
                let ids: Vec<&str> = several.iter().map(|record| record.run.id.as_str()).collect();
                return Err(Failure::usage(format!("{} runs are going on: {}", ids.len(), ids.join(", ")))
                    .hint(format!("name one: cargo perf {command} {}", ids[0])));
            }
        };
        let chosen = chosen.cloned().ok_or_else(|| none_known("no detached run is known", command))?;
        if running.is_empty() {
            let text = format!("no run is going on; the latest is {}", chosen.run.id);
            listener.event(Event::Warning { text });
        }
        Ok(chosen)
    }
}

/// What becomes of runs of other projects when no run was started here, and none is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Foreign {
    /// They are meant.
    Taken,
    /// They have to be named.
    Named,
}

fn none_known(message: &str, command: &str) -> Failure {
    Failure::usage(message.to_owned())
        .hint(format!("start one with --detach, which prints the id for cargo perf {command}"))
}

/// The runs of the project around the working directory, and those that were started right here.
fn started_here(all: &[Record], global: &Global) -> Vec<Record> {
    let cwd = env::current_dir().ok().map(|path| path.to_string_lossy().into_owned());
    // Outside of a project, or with a damaged configuration, runs are found all the same.
    let root = Session::open(global).ok().map(|session| session.layout.root.to_string_lossy().into_owned());
    let is_here =
        |record: &&Record| cwd.as_ref() == Some(&record.run.cwd) || root.as_ref() == Some(&record.run.root);
    all.iter().filter(is_here).cloned().collect()
}
