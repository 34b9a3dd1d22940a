//! Allocations of the calling thread, counted exactly.
//!
//! [`count_allocations!`](crate::count_allocations) puts a counter around the allocator of a program.
//! Every thread has its own, so what other threads do changes nothing, and so work that a benchmark
//! gives to other threads is not in its counts.
//!
//! | call | allocations | bytes |
//! |---|---|---|
//! | `alloc`, `alloc_zeroed` | 1 | those asked for |
//! | `realloc` | 1 | those it grows by; none when it shrinks |
//! | `dealloc` | 0 | 0 |
//! | one that fails | as one that succeeds | as one that succeeds |

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::OnceLock;

/// What a thread has allocated. The numbers only grow; what was freed is not taken off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls that allocated.
    pub allocations: u64,
    /// Bytes that were asked for.
    pub bytes: u64,
}

impl Counts {
    /// What was allocated since `earlier`, counts of the same thread.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            allocations: self.allocations.wrapping_sub(earlier.allocations),
            bytes: self.bytes.wrapping_sub(earlier.bytes),
        }
    }

    /// What was allocated in both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            allocations: self.allocations.wrapping_add(other.allocations),
            bytes: self.bytes.wrapping_add(other.bytes),
        }
    }
}

thread_local! {
    // Constant and without a destructor: reading it never allocates, at whatever time of a thread's life.
    static COUNTS: Cell<Counts> = const { Cell::new(Counts { allocations: 0, bytes: 0 }) };
}

/// An allocator that counts what passes through it to another.
#[derive(Debug, Default)]
pub struct Counting<A = System> {
    inner: A,
}

impl<A> Counting<A> {
    /// Counts what passes to `inner`.
    pub const fn new(inner: A) -> Self {
        Self { inner }
    }
}

#[expect(unsafe_code, reason = "an allocator cannot be written otherwise")]
// SAFETY: every call is passed on with the arguments it came with, and its result is passed back.
// Counting before it neither allocates nor unwinds.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Counting<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { self.inner.alloc(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, and the pointer came from `inner`.
        unsafe { self.inner.dealloc(pointer, layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { self.inner.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size.saturating_sub(layout.size()));
        // SAFETY: the caller keeps the contract of `realloc`, and the pointer came from `inner`.
        unsafe { self.inner.realloc(pointer, layout, size) }
    }
}

/// Counts an allocation. Before it is made, because nothing has to be kept for later then: that halves
/// the cost.
#[inline]
fn count(bytes: usize) {
    let added = Counts { allocations: 1, bytes: bytes as u64 };
    // A thread that is ending may have no counter any more, and nobody to read it.
    let _ = COUNTS.try_with(|counts| counts.set(counts.get().plus(added)));
}

/// What this thread has allocated so far, or `None` when the program does not count.
///
/// ```
/// use perf_harness::allocations;
///
/// perf_harness::count_allocations!();
///
/// let before = allocations::counted().expect("installed above");
/// let numbers = std::hint::black_box(Vec::<u64>::with_capacity(4));
/// let made = allocations::counted().expect("installed above").since(before);
/// assert_eq!((made.allocations, made.bytes), (1, 32));
/// # drop(numbers);
/// ```
pub fn counted() -> Option<Counts> {
    is_installed().then(|| COUNTS.get())
}

/// Whether allocations of this program are counted, found out by one that is not left in the counts.
fn is_installed() -> bool {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    *INSTALLED.get_or_init(|| {
        let before = COUNTS.get();
        drop(black_box(Box::new(0_u8)));
        COUNTS.replace(before) != before
    })
}

/// Counts the allocations of this program, see [`allocations`](crate::allocations).
///
/// It stands once in a program, outside of functions. Without an argument it counts around the
/// allocator of the system; an argument names another one.
///
/// ```
/// perf_harness::count_allocations!(std::alloc::System);
/// ```
#[macro_export]
macro_rules! count_allocations {
    () => {
        $crate::count_allocations!(::std::alloc::System);
    };
    ($allocator:path) => {
        #[global_allocator]
        static PERF_HARNESS_COUNTING: $crate::allocations::Counting<$allocator> =
            $crate::allocations::Counting::new($allocator);
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_known_where_nothing_counts() {
        assert_eq!(counted(), None);
    }
}
