//! Time in the allocator, by thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::clock;

// Constant initial values and no destructors: touching these neither allocates nor registers anything.
thread_local! {
    static TOTAL_NS: Cell<u64> = const { Cell::new(0) };
    static UNTIL_SAMPLE: Cell<u32> = const { Cell::new(1) };
    static RANDOM: Cell<u32> = const { Cell::new(0x9e37_79b9) };
    static TIMED: Cell<bool> = const { Cell::new(false) };
}

/// Whether any call was ever timed: without a [`TimingAllocator`] in use the spans say nothing about the allocator.
static IN_USE: AtomicBool = AtomicBool::new(false);
/// What reading the clock twice adds to a timed call.
static CLOCK_COST_NS: AtomicU64 = AtomicU64::new(0);

/// A global allocator that times the calls of another one, while a span is running on the thread.
///
/// Every call is timed, or one in `sample_every`, which then counts that many times: cheaper, right in the mean over many
/// requests, and wrong for the one request that met a single long call. The cost of reading the clock is taken off. With 0
/// it is off, and costs one load and a branch a call. It never allocates, locks or panics by itself.
///
/// ```
/// use std::alloc::System;
/// use tailspan::TimingAllocator;
///
/// #[global_allocator]
/// static ALLOCATOR: TimingAllocator<System> = TimingAllocator::new(System);
/// ```
#[derive(Debug)]
pub struct TimingAllocator<A = System> {
    inner: A,
    sample_every: AtomicU32,
}

impl<A> TimingAllocator<A> {
    /// Times every call of `inner`.
    pub const fn new(inner: A) -> Self {
        Self::sampled(inner, 1)
    }

    /// Times one call in `sample_every` of `inner`, in the mean: 1 all of them, 0 none.
    pub const fn sampled(inner: A, sample_every: u32) -> Self {
        Self {
            inner,
            sample_every: AtomicU32::new(sample_every),
        }
    }

    /// Changes the sampling while the process runs, for example from a settings file.
    ///
    /// After 0 spans carry no allocator time; a thread meets a new distance at its next sample.
    pub fn set_sample_every(&self, sample_every: u32) {
        if sample_every == 0 {
            IN_USE.store(false, Ordering::Relaxed);
        }
        self.sample_every.store(sample_every, Ordering::Relaxed);
    }

    #[inline]
    fn timed<R>(&self, call: impl FnOnce() -> R) -> R {
        let every = self.sample_every.load(Ordering::Relaxed);
        if every == 0 || !is_due(every) {
            return call();
        }
        let start = clock::now_ns();
        let result = call();
        add_sample(clock::now_ns().saturating_sub(start), every);
        result
    }
}

#[inline]
fn is_due(every: u32) -> bool {
    if !TIMED.try_with(Cell::get).unwrap_or(false) {
        return false;
    }
    UNTIL_SAMPLE
        .try_with(|until| {
            let left = until.get().saturating_sub(1);
            until.set(if left == 0 { random_distance(every) } else { left });
            left == 0
        })
        .unwrap_or(false)
}

/// 1 to 2 x `every` - 1, `every` in the mean. A fixed distance would meet the rhythm of a loop that allocates and frees,
/// and time only one of the two.
fn random_distance(every: u32) -> u32 {
    let random = RANDOM
        .try_with(|state| {
            let mut x = state.get();
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            state.set(x);
            x
        })
        .unwrap_or(0);
    let span = u64::from(every) * 2 - 1;
    // The high part of a product: a range without a division.
    let distance = 1 + ((u64::from(random) * span) >> 32);
    u32::try_from(distance).unwrap_or(every)
}

#[cold]
fn note_in_use() {
    IN_USE.store(true, Ordering::Relaxed);
}

fn add_sample(ns: u64, every: u32) {
    if !IN_USE.load(Ordering::Relaxed) {
        note_in_use();
    }
    let own = ns.saturating_sub(CLOCK_COST_NS.load(Ordering::Relaxed));
    let _ = TOTAL_NS.try_with(|total| total.set(total.get().wrapping_add(own.saturating_mul(u64::from(every)))));
}

/// Samples weigh `sample_every` times this thread's time in the allocator; wraps.
pub(crate) fn thread_total_ns() -> u64 {
    TOTAL_NS.try_with(Cell::get).unwrap_or(0)
}

/// Allocations outside spans belong to no request and are not timed.
pub(crate) fn set_thread_timed(timed: bool) {
    let _ = TIMED.try_with(|cell| cell.set(timed));
}

pub(crate) fn in_use() -> bool {
    IN_USE.load(Ordering::Relaxed)
}

/// Measures what a timed call adds to itself, the median of some empty ones, and finds out whether calls are timed.
pub(crate) fn calibrate() {
    let mut costs = [0_u64; 101];
    for cost in &mut costs {
        let start = clock::now_ns();
        *cost = clock::now_ns().saturating_sub(start);
    }
    costs.sort_unstable();
    CLOCK_COST_NS.store(costs[costs.len() / 2], Ordering::Relaxed);
    let was_timed = TIMED.replace(true);
    UNTIL_SAMPLE.set(1);
    drop(std::hint::black_box(Box::new(0_u64)));
    TIMED.set(was_timed);
}

// SAFETY: every method hands its arguments unchanged to the same method of `inner` and returns its answer unchanged, so
// `inner` upholds the contract for both. What runs around the call reads clocks and cells: no allocation, no unwinding.
unsafe impl<A: GlobalAlloc> GlobalAlloc for TimingAllocator<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller promises for `layout` what `inner` asks.
        self.timed(|| unsafe { self.inner.alloc(layout) })
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller promises for `layout` what `inner` asks.
        self.timed(|| unsafe { self.inner.alloc_zeroed(layout) })
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: `ptr` came from this allocator with `layout`, and this allocator's blocks are those of `inner`.
        self.timed(|| unsafe { self.inner.dealloc(ptr, layout) });
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as in `dealloc`, and the caller promises for `new_size` what `inner` asks.
        self.timed(|| unsafe { self.inner.realloc(ptr, layout, new_size) })
    }
}
