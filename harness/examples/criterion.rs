//! A bench on criterion whose allocations are counted. Beside `Cargo.toml` two lines tell it from one
//! on plain criterion: where the names come from, and the counter.

use perf_harness::criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};

perf_harness::count_allocations!();

fn digits(c: &mut Criterion) {
    let mut group = c.benchmark_group("digits");
    for number in [7_u64, 12_345_678] {
        group.bench_with_input(BenchmarkId::from_parameter(number), &number, |b, n| b.iter(|| n.to_string()));
    }
    group.finish();
}

fn sort(c: &mut Criterion) {
    let shuffled: Vec<u64> = (0..1000).map(|n| (n * 7919) % 1000).collect();
    c.bench_function("sort", |b| {
        b.iter_batched(|| shuffled.clone(), |mut numbers| numbers.sort_unstable(), BatchSize::SmallInput);
    });
}

criterion_group!(short, digits);
criterion_group! {
    name = configured;
    config = Criterion::default().sample_size(50);
    targets = sort
}
criterion_main!(short, configured);
