use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// The system allocator with a stopwatch. Every call that a thread makes while it runs a span is timed (none is
/// sampled); the cost of reading the clock, measured at the start, is taken off each.
///
/// Page faults of fresh memory happen at the first touch, outside the allocator, and count as processing.
pub struct TimingAllocator;

thread_local! {
    static RUNS_SPAN: Cell<bool> = const { Cell::new(false) };
    static SPENT_NS: Cell<u64> = const { Cell::new(0) };
}

static CLOCK_COST_NS: AtomicU64 = AtomicU64::new(0);

pub(crate) fn spent_ns() -> u64 {
    SPENT_NS.get()
}

pub(crate) fn set_runs_span(runs: bool) {
    RUNS_SPAN.set(runs);
}

pub(crate) fn calibrate() {
    let cost = (0..1000)
        .map(|_| Instant::now().elapsed().as_nanos() as u64)
        .min();
    CLOCK_COST_NS.store(cost.unwrap_or(0), Ordering::Relaxed);
}

fn timed<T>(call: impl FnOnce() -> T) -> T {
    if !RUNS_SPAN.get() {
        return call();
    }
    let start = Instant::now();
    let result = call();
    let took = start.elapsed().as_nanos() as u64;
    let cost = CLOCK_COST_NS.load(Ordering::Relaxed);
    SPENT_NS.set(SPENT_NS.get() + took.saturating_sub(cost));
    result
}

// SAFETY: every call goes to the system allocator unchanged; the bookkeeping neither allocates nor unwinds.
unsafe impl GlobalAlloc for TimingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        timed(|| unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        timed(|| unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        timed(|| unsafe { System.dealloc(pointer, layout) });
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        timed(|| unsafe { System.realloc(pointer, layout, size) })
    }
}
