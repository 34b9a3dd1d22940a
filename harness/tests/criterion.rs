//! Criterion's own samples, with the counts beside them.

use perf_harness::allocations::Counts;
use perf_harness::criterion::{
    BatchSize, Bencher, BenchmarkGroup, Criterion, counting, criterion_group, measurement::WallTime,
};
use perf_harness::report::Report;
use std::hint::black_box;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

perf_harness::count_allocations!();

/// What benches write when they name their types.
fn allocate(b: &mut Bencher) {
    b.iter(|| black_box(vec![0_u8; 100]));
}

fn target(c: &mut Criterion) {
    let group: BenchmarkGroup<'_, WallTime> = c.benchmark_group("group");
    group.finish();
    c.bench_function("allocate", allocate);
}

criterion_group!(compact, target);
criterion_group! {
    name = complete;
    config = Criterion::default().sample_size(10);
    targets = target, target
}

fn configured() -> Criterion {
    counting(Criterion::default())
}

criterion_group!(name = returned; config = configured(); targets = target);

#[test]
fn the_macros_take_every_form_that_those_of_criterion_take() {
    let _: [fn(); 3] = [compact, complete, returned];
}

/// The counts of the samples of `bench`, measured briefly, once for each of ten samples.
fn samples(bench: impl FnMut(&mut Bencher)) -> Vec<Option<Counts>> {
    let folder = std::env::temp_dir().join(format!("perf-harness-criterion-{}", std::process::id()));
    let brief = Criterion::default()
        .sample_size(10)
        .nresamples(10)
        .without_plots()
        .warm_up_time(Duration::from_millis(5))
        .measurement_time(Duration::from_millis(20))
        .output_directory(&folder);
    counting(brief).bench_function("bench", bench);
    let _ = std::fs::remove_dir_all(folder);
    perf_harness::criterion::take_samples()
}

/// Allocations per iteration of each sample, when they are whole.
fn per_iteration(samples: &[Option<Counts>], bytes: u64) -> bool {
    samples.iter().all(|sample| sample.is_some_and(|sample| sample.bytes == sample.allocations * bytes))
}

#[test]
fn every_sample_has_its_counts_and_a_warm_up_has_none() {
    let counts = samples(allocate);
    assert_eq!(counts.len(), 10);
    assert!(per_iteration(&counts, 100), "{counts:?}");
    // Criterion takes 1, 2, 3, ... times as many iterations, or the same number each time.
    let first = counts[0].unwrap().allocations;
    let each: Vec<u64> = counts.iter().map(|sample| sample.unwrap().allocations).collect();
    let (linear, flat) = ((1..=10).map(|n| n * first).collect::<Vec<_>>(), vec![first; 10]);
    assert!(first > 0 && (each == linear || each == flat), "{each:?}");
}

#[test]
fn set_up_between_the_windows_of_a_sample_does_not_count() {
    let counts =
        samples(|b| b.iter_batched(|| vec![1_u8; 5000], |bytes| bytes.len(), BatchSize::PerIteration));
    assert_eq!(counts, vec![Some(Counts::default()); 10]);
    let counts = samples(|b| b.iter_batched(|| vec![1_u8; 5000], |_| Box::new(1_u64), BatchSize::SmallInput));
    assert!(per_iteration(&counts, 8) && counts[9].unwrap().allocations > 0, "{counts:?}");
}

#[test]
fn what_a_bench_times_by_itself_has_no_counts() {
    let counts = samples(|b| {
        b.iter_custom(|iterations| {
            let started = Instant::now();
            (0..iterations).for_each(|_| drop(black_box(vec![0_u8; 100])));
            started.elapsed()
        });
    });
    assert_eq!(counts, vec![None; 10]);
}

/// The example as a process of its own, the way that `cargo perf` starts it.
fn example(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let tests = std::env::current_exe().expect("this program has a path");
    let mut path = PathBuf::from(tests.parent().and_then(|deps| deps.parent()).expect("a profile folder"));
    path.push("examples/criterion");
    #[expect(clippy::disallowed_methods, reason = "this crate knows nothing of the program's sys::process")]
    let mut command = Command::new(path);
    command.args(arguments).envs(variables.iter().copied()).env_remove("CARGO_CRITERION_PORT");
    command
        .env("CRITERION_HOME", std::env::temp_dir())
        .output()
        .expect("the example is built beside the tests")
}

#[test]
fn a_bench_reports_its_counts_at_its_end() {
    let file = std::env::temp_dir().join(format!("perf-harness-example-{}.json", std::process::id()));
    let variables = [("PERF_PROTOCOL", "1.0"), ("PERF_REPORT_FILE", file.to_str().unwrap())];
    let output = example(&["--bench", "--test", "digits/12345678"], &variables);
    assert!(output.status.success(), "{output:?}");
    let report = Report::read(&std::fs::read_to_string(&file).unwrap()).unwrap();
    std::fs::remove_file(&file).unwrap();
    let counts = report.allocations.expect("counted").samples;
    assert_eq!(counts, [Some(Counts { allocations: 1, bytes: 8 })]);
    assert_eq!((report.run, report.metrics.len()), (None, 0));
}

#[test]
fn a_bench_that_does_not_understand_the_program_ends_before_it_measures() {
    let output = example(&["--bench", "--test"], &[("PERF_PROTOCOL", "2.0")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("error: ") && said.ends_with("cargo update -p perf-harness\n"), "{said}");
    let by_hand = example(&["--bench", "--test", "sort"], &[]);
    assert!(by_hand.status.success(), "{by_hand:?}");
}
