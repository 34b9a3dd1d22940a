//! Criterion, with counts of allocations beside its times.
//!
//! Everything that criterion has at its root is here under the same name, so that an existing bench
//! changes one line, its `use`. With [`count_allocations!`](crate::count_allocations) in the bench, the
//! report to `cargo perf` holds the allocations of every sample. What criterion itself measures, prints
//! and stores stays the same: counters are read before the clock starts and after it has stopped.
//!
//! ```no_run
//! use perf_harness::criterion::{Criterion, criterion_group, criterion_main};
//!
//! perf_harness::count_allocations!();
//!
//! fn digits(c: &mut Criterion) {
//!     c.bench_function("digits", |b| b.iter(|| 12_345_678.to_string()));
//! }
//!
//! criterion_group!(benches, digits);
//! criterion_main!(benches);
//! ```
//!
//! Names of types that stand for a measurement, such as [`Criterion`] without a parameter, mean the one
//! that counts. A function of a bench that returns a `Criterion` makes it with [`counting()`]. Samples of
//! `iter_custom` have no counts, because only the bench knows when it takes the time; a bench with a
//! measurement of its own stays on criterion.

mod counting;
mod main;

pub use ::criterion::*;

pub use crate::{
    __perf_harness_criterion_group as criterion_group, __perf_harness_criterion_main as criterion_main,
};
pub use counting::{Counting, IntoCounting, counting};
#[doc(hidden)]
pub use {counting::take_samples, main::main};

/// Criterion's benchmark manager.
pub type Criterion<M = Counting> = ::criterion::Criterion<M>;
/// What a benchmark function takes its samples with.
pub type Bencher<'a, M = Counting> = ::criterion::Bencher<'a, M>;
/// Benchmarks that are shown together.
pub type BenchmarkGroup<'a, M = Counting> = ::criterion::BenchmarkGroup<'a, M>;

/// Criterion's measurements.
pub mod measurement {
    pub use ::criterion::measurement::*;

    /// Time, and allocations beside it.
    pub type WallTime = super::Counting;
}

/// Makes a function of benchmarks, in both forms of criterion's own macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __perf_harness_criterion_group {
    (name = $name:ident; config = $config:expr; targets = $($target:path),+ $(,)*) => {
        /// Runs the benchmarks of the group.
        pub fn $name() {
            let mut criterion = $crate::criterion::counting($config).configure_from_args();
            $($target(&mut criterion);)+
        }
    };
    ($name:ident, $($target:path),+ $(,)*) => {
        $crate::criterion::criterion_group! {
            name = $name;
            config = $crate::criterion::Criterion::default();
            targets = $($target),+
        }
    };
}

/// Makes the `main` of a bench, as criterion's own macro does.
#[doc(hidden)]
#[macro_export]
macro_rules! __perf_harness_criterion_main {
    ($($group:path),+ $(,)*) => {
        fn main() -> ::std::process::ExitCode {
            $crate::criterion::main(&[$($group),+])
        }
    };
}
