//! Lists of benches, for people and machines.

use crate::model::bench::{BenchName, BenchTarget, Benchmark, DeclaredHarness, HarnessKind};
use crate::model::external::External;
use crate::model::units;
use crate::sys::invocation::line;
use serde_json::{Value, json};
use std::fmt::Write;
use std::time::Duration;

/// The benchmarks, a line each, under the target they belong to.
pub fn benchmarks(benchmarks: &[&Benchmark], each: Duration) -> String {
    let mut text = String::new();
    let mut target = None;
    for benchmark in benchmarks {
        let name = &benchmark.name;
        if target != Some((&name.package, &name.target)) {
            target = Some((&name.package, &name.target));
            let _ = writeln!(text, "{}", heading(benchmark));
        }
        let _ = writeln!(text, "  {}", name.id);
    }
    let _ = writeln!(
        text,
        "{}; a baseline of one takes about {}",
        units::count(benchmarks.len(), "benchmark"),
        units::duration(each)
    );
    text
}

/// The target of a benchmark, what runs it, and how much that tells.
fn heading(benchmark: &Benchmark) -> String {
    let kind = benchmark.harness;
    let version = benchmark.harness_version.as_deref().map(|v| format!(" {v}")).unwrap_or_default();
    let told = kind.precision().describe();
    match (&benchmark.name.target, &benchmark.name.package) {
        (Some(target), Some(package)) => format!("{target} of {package} ({}{version}: {told})", kind.name()),
        _ => format!("external benchmarks ({told})"),
    }
}

/// The exact commands that measure one benchmark each.
pub fn commands(commands: impl Iterator<Item = Vec<String>>, each: Duration) -> String {
    let mut text = format!("each takes about {}:\n", units::duration(each));
    for command in commands {
        let _ = writeln!(text, "  {}", line(&command));
    }
    text
}

/// The command that measures exactly one benchmark; `repeated` is what the user's own command said.
pub fn command(command: &str, benchmark: &Benchmark, repeated: &[String]) -> Vec<String> {
    let words = ["cargo", "perf", command].map(str::to_owned).into_iter();
    words.chain(repeated.iter().cloned()).chain(choice(&benchmark.name)).collect()
}

/// The flags that mean exactly one benchmark.
pub fn choice(name: &BenchName) -> Vec<String> {
    // A value that looks like a flag needs the form with the equals sign.
    let filter = if name.id.starts_with('-') {
        vec![format!("--filter={}", name.id)]
    } else {
        vec!["--filter".to_owned(), name.id.clone()]
    };
    let scope = |flag: &str, value: &Option<String>| {
        value.iter().flat_map(|v| [flag.to_owned(), v.clone()]).collect::<Vec<_>>()
    };
    let package = scope("-p", &name.package);
    package.into_iter().chain(scope("--bench", &name.target)).chain(filter).collect()
}

/// Targets as their manifests declare them, with nothing built.
pub fn targets(targets: &[BenchTarget]) -> String {
    let mut text = String::new();
    for target in targets {
        let _ = writeln!(text, "{} of {} ({})", target.target, target.package, declared(target.declared));
    }
    text + &missing(targets.iter().filter(|target| !target.is_buildable()))
}

/// External benchmarks with their commands.
pub fn externals(externals: &[&External]) -> String {
    externals.iter().fold(String::new(), |mut text, external| {
        let _ = writeln!(text, "{} (external): {}", external.id, line(&external.argv));
        text
    })
}

/// An external benchmark for machines.
pub fn external_json(external: &External) -> Value {
    json!({"id": external.id, "command": external.argv, "metrics": external.metrics})
}

/// Targets left out for lack of features, with the flag that brings them in.
pub fn missing<'a>(targets: impl Iterator<Item = &'a BenchTarget>) -> String {
    targets.fold(String::new(), |mut text, target| {
        let features = target.missing_features.join(",");
        let _ = writeln!(text, "{} of {} needs --features {features}", target.target, target.package);
        text
    })
}

/// Targets whose benchmarks cannot be listed, with the reason.
pub fn unlisted(targets: &[(BenchTarget, HarnessKind, String)]) -> String {
    targets.iter().fold(String::new(), |mut text, (target, harness, why)| {
        let _ = writeln!(text, "{} of {} ({}): {why}", target.target, target.package, harness.name());
        text
    })
}

/// A benchmark for machines.
pub fn benchmark_json(benchmark: &Benchmark, command: &[String], each: Duration) -> Value {
    json!({
        "id": benchmark.name.id,
        "package": benchmark.name.package,
        "target": benchmark.name.target,
        "harness": benchmark.harness.name(),
        "harness_version": benchmark.harness_version,
        "precision": benchmark.harness.precision(),
        "throughput": benchmark.throughput,
        "baseline_takes_s": each.as_secs_f64().round(),
        "command": command,
    })
}

/// A target for machines.
pub fn target_json(target: &BenchTarget) -> Value {
    json!({
        "package": target.package,
        "target": target.target,
        "declared": declared(target.declared),
        "missing_features": target.missing_features,
    })
}

fn declared(harness: DeclaredHarness) -> String {
    match harness {
        DeclaredHarness::Libtest => "libtest".to_owned(),
        DeclaredHarness::Likely(kind) => format!("probably {}", kind.name()),
        DeclaredHarness::Unknown => "own harness".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::bench::BenchName;

    fn named(id: &str) -> Benchmark {
        Benchmark {
            name: BenchName { package: Some("p".into()), target: Some("t".into()), id: id.into() },
            harness: HarnessKind::Criterion,
            harness_version: None,
            throughput: Vec::new(),
        }
    }

    #[test]
    fn commands_survive_a_shell() {
        let (odd, dashed) = (named("it's *"), named("--list"));
        let repeated = ["v1".to_owned()];
        let both = [&odd, &dashed].into_iter().map(|benchmark| command("baseline", benchmark, &repeated));
        let text = commands(both, Duration::from_secs(80));
        assert!(text.contains("baseline v1 -p p --bench t --filter 'it'\\''s *'\n"), "{text}");
        assert!(text.contains("--filter=--list\n"), "{text}");
    }
}
