//! Counts of a program whose allocator counts.

use perf_harness::allocations::{Counts, counted};
use std::hint::black_box;

perf_harness::count_allocations!();

fn now() -> Counts {
    counted().expect("the allocator is installed above")
}

/// What `work` allocates on this thread.
fn counts_of<T>(work: impl FnOnce() -> T) -> (u64, u64) {
    let before = now();
    black_box(work());
    let made = now().since(before);
    (made.allocations, made.bytes)
}

#[test]
fn every_allocation_counts_with_the_bytes_it_asks_for() {
    assert_eq!(counts_of(|| ()), (0, 0));
    assert_eq!(counts_of(|| black_box(Box::new([0_u8; 100]))), (1, 100));
    assert_eq!(counts_of(|| black_box(vec![0_u64; 8])), (1, 64));
    assert_eq!(counts_of(|| (black_box(Box::new(1_u32)), black_box(Box::new(2_u32)))), (2, 8));
}

#[test]
fn a_vector_that_grows_counts_what_it_grows_by() {
    let mut bytes = black_box(Vec::<u8>::with_capacity(16));
    assert_eq!(counts_of(|| bytes.reserve_exact(48)), (1, 32));
    assert_eq!(counts_of(|| bytes.shrink_to(8)), (1, 0));
    assert_eq!(counts_of(|| drop(bytes)), (0, 0));
}

#[test]
fn other_threads_do_not_count_here() {
    let (own, other) = (
        now(),
        std::thread::spawn(|| counts_of(|| black_box(vec![0_u8; 1000]))).join().expect("the thread ends"),
    );
    assert_eq!(other, (1, 1000));
    // Starting a thread allocates, by an amount that is the library's; the work of the thread is not in it.
    assert!(now().since(own).bytes < 1000, "{:?}", now().since(own));
}

/// Allocates when the thread that owns it is taken down.
struct Late;

impl Drop for Late {
    fn drop(&mut self) {
        assert_eq!(counts_of(|| black_box(vec![0_u8; 10])), (1, 10));
    }
}

thread_local! {
    static LATE: Late = const { Late };
}

#[test]
fn a_thread_that_ends_may_still_allocate() {
    std::thread::spawn(|| LATE.with(|_| ())).join().expect("the thread ends without a panic");
}
