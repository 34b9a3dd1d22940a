//! What is published: tables with the circumstances they were measured in, and the raw data.

use crate::start::{root, target_directory};
use cargo_perf_lab::failure::{Context, Failure, FailureKind};
use cargo_perf_lab::git;
use cargo_perf_lab::sys::{clock, files, host, kernel};
use serde_json::{Value, json};
use std::fmt::Write;
use std::fs;

/// Where figures are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// What the tool costs.
    Figures,
    /// Whether its verdicts are right: the method stands before them.
    Verdicts,
    /// Whether what it says of changes is right: the method stands before that too.
    Experiments,
    /// Whether a breaking point is where it is said to be: the method stands before that too.
    LoadSearch,
    /// The same on a real service: how to use it stands before that.
    BreakingPoint,
}

impl Page {
    /// All pages.
    pub const ALL: [Self; 5] =
        [Self::Figures, Self::Verdicts, Self::Experiments, Self::LoadSearch, Self::BreakingPoint];

    /// The document, relative to the repository.
    pub fn document(self) -> &'static str {
        match self {
            Self::Figures => "docs/figures.md",
            Self::Verdicts => "docs/verdicts.md",
            Self::Experiments => "docs/experiments.md",
            Self::LoadSearch => "docs/load-search.md",
            Self::BreakingPoint => "docs/breaking-point.md",
        }
    }

    /// What stands before the figures.
    fn before(self) -> Result<String, Failure> {
        match self {
            Self::Figures => Ok("# Figures\n".to_owned()),
            Self::Verdicts | Self::Experiments | Self::LoadSearch | Self::BreakingPoint => {
                let text = fs::read_to_string(root().join(self.document()))
                    .context(FailureKind::Environment, || "the method cannot be read".to_owned())?;
                let method = text.split("\n## Figures\n").next().unwrap_or_default().trim_end();
                Ok(format!("{method}\n\n## Figures\n"))
            }
        }
    }

    /// The tables, each one below the heading of the figures.
    fn tables(self, tables: &str) -> String {
        match self {
            Self::Figures => tables.to_owned(),
            Self::Verdicts | Self::Experiments | Self::LoadSearch | Self::BreakingPoint => {
                tables.replace("\n## ", "\n### ")
            }
        }
    }
}

/// The bound of what others reach in the same run, which is no claim.
pub const PEER: &str = "for comparison";

/// One claim.
#[derive(Debug)]
pub struct Row {
    pub figure: String,
    pub value: String,
    pub bound: &'static str,
    pub met: bool,
}

/// Claims that were measured together.
#[derive(Debug)]
pub struct Figure {
    /// Names it in the raw data.
    pub name: &'static str,
    pub title: &'static str,
    /// How it is measured, for readers of the table.
    pub how: String,
    pub rows: Vec<Row>,
    /// Everything that the values were computed from.
    pub raw: Value,
}

impl Row {
    /// The line of the table.
    pub fn render(&self) -> String {
        format!("| {} | {} | {} | {} |\n", self.figure, self.value, self.bound, self.result())
    }

    fn result(&self) -> &'static str {
        match self.bound {
            PEER => "–",
            _ if self.met => "met",
            _ => "missed",
        }
    }
}

impl Figure {
    /// The section of the document.
    pub fn render(&self) -> String {
        let rows = self.rows.iter().map(Row::render).collect::<String>();
        format!(
            "\n## {}\n\n{}\n\n| figure | value | bound | result |\n|---|---|---|---|\n{rows}",
            self.title, self.how
        )
    }

    fn raw(&self) -> Value {
        let row = |row: &Row| {
            json!({
                "figure": row.figure,
                "value": row.value,
                "bound": row.bound,
                "result": row.result(),
            })
        };
        json!({"name": self.name, "rows": self.rows.iter().map(row).collect::<Vec<_>>(), "raw": self.raw})
    }
}

/// Where, when and from what figures were measured; never a host's name, never a path.
#[derive(Debug)]
pub struct Circumstances {
    date: String,
    machine: host::HostFacts,
    head: Option<git::Head>,
    command: String,
}

impl Circumstances {
    /// Those of now, before anything is measured.
    pub fn now(command: String) -> Self {
        Self {
            date: clock::now_rfc3339(),
            machine: host::facts(),
            // The run before this one wrote the document, which makes no measured code differ.
            head: git::head(root(), &root().join("docs")),
            command,
        }
    }

    /// Writes the raw data; the SHA-256 of what was written.
    pub fn store_raw<'f>(&self, figures: impl Iterator<Item = &'f Figure>) -> Result<String, Failure> {
        let what = || "the raw data cannot be written".to_owned();
        let document = json!({
            "schema": "cargo-perf/figures",
            "date": self.date,
            "machine": {
                "cpu_model": self.machine.processor.name,
                "logical_cpus": self.machine.logical_cpus,
                "memory_bytes": self.machine.memory_bytes,
                "kernel": kernel::settings().release,
                "virtual_machine": self.machine.processor.virtual_machine,
                "load_1min_before": self.machine.load_1min,
            },
            "commit": self.commit(),
            "tool": tool(),
            "command": self.command,
            "figures": figures.map(Figure::raw).collect::<Vec<_>>(),
        });
        let bytes = serde_json::to_vec_pretty(&document).context(FailureKind::Bug, what)?;
        let name = self.date.replace(':', "");
        files::write_atomic(&target_directory().join(format!("perf/figures/{name}.json")), &bytes)?;
        Ok(files::sha256_bytes(&bytes))
    }

    /// Replaces the figures of a page.
    pub fn write(&self, page: Page, sha256: &str, tables: &str) -> Result<(), Failure> {
        let (before, facts, tables) = (page.before()?, self.facts(sha256), page.tables(tables));
        files::write_atomic(&root().join(page.document()), format!("{before}{facts}{tables}").as_bytes())
    }

    fn facts(&self, sha256: &str) -> String {
        let facts = [
            ("date", self.date.clone()),
            ("machine", self.machine_class()),
            ("commit", self.commit()),
            ("tool", tool()),
            ("command", format!("`{}`", self.command)),
            ("SHA-256 of the raw data", format!("`{sha256}`")),
        ];
        let mut text = "\nWritten by the command below, which measures everything again.\n\n".to_owned();
        for (name, value) in facts {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "- {name}: {value}");
        }
        text
    }

    fn machine_class(&self) -> String {
        let machine = &self.machine;
        let unknown = || "unknown".to_owned();
        format!(
            "{}, {} processors, {} of memory, kernel {}, virtual machine: {}",
            machine.processor.name.clone().unwrap_or_else(unknown),
            machine.logical_cpus.map_or_else(unknown, |count| count.to_string()),
            machine.memory_bytes.map_or_else(unknown, |bytes| format!("{:.1} GiB", bytes as f64 / GIB)),
            kernel::settings().release.unwrap_or_else(unknown),
            machine.processor.virtual_machine.map_or("unknown", |virtual_machine| if virtual_machine {
                "yes"
            } else {
                "no"
            }),
        )
    }

    fn commit(&self) -> String {
        match &self.head {
            Some(head) => format!("{}{}", head.short(), if head.dirty { ", dirty" } else { "" }),
            None => "unknown".to_owned(),
        }
    }
}

const GIB: f64 = 1_073_741_824.0;

fn tool() -> String {
    format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
}

/// Bytes as megabytes of 10^6, the larger reading of a bound in MB being the weaker one.
pub fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
