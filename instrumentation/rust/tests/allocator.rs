//! Time in the allocator, against an allocator that keeps its own books.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::time::{Duration, Instant};

use common::{closed, current_thread, install, ms, times};
use tailspan::{Observe as _, TimingAllocator};
use tracing::{Instrument as _, info_span};

/// Takes its time where the test asks for it, and says how much it took.
struct Slow;

const SLOW_NS: u64 = 1_500;

thread_local! {
    static SLOWED: Cell<bool> = const { Cell::new(false) };
    static TRUE_NS: Cell<u64> = const { Cell::new(0) };
}

fn slowly<R>(call: impl FnOnce() -> R) -> R {
    if !SLOWED.get() {
        return call();
    }
    let start = Instant::now();
    let result = call();
    while start.elapsed() < Duration::from_nanos(SLOW_NS) {
        std::hint::spin_loop();
    }
    TRUE_NS.set(TRUE_NS.get() + start.elapsed().as_nanos() as u64);
    result
}

// SAFETY: every method is `System`'s.
unsafe impl GlobalAlloc for Slow {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is what `System` asks.
        slowly(|| unsafe { System.alloc(layout) })
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is what `System` asks.
        slowly(|| unsafe { System.dealloc(ptr, layout) });
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's promise is what `System` asks.
        slowly(|| unsafe { System.realloc(ptr, layout, new_size) })
    }
}

#[global_allocator]
static ALLOCATOR: TimingAllocator<Slow> = TimingAllocator::new(Slow);

/// Allocates and frees in a fixed rhythm, which a fixed sampling distance would fall in with. Milliseconds: in the
/// allocator, and in all.
fn storm(rounds: u64) -> (f64, f64) {
    TRUE_NS.set(0);
    SLOWED.set(true);
    let start = Instant::now();
    for round in 0..rounds {
        drop(black_box(Box::new(round)));
    }
    let all = start.elapsed();
    SLOWED.set(false);
    (TRUE_NS.get() as f64 / 1e6, all.as_secs_f64() * 1e3)
}

/// Milliseconds measured and true, of a storm in which the thread kept its processor: when it is taken away, one call
/// lasts a thousand times longer, and sampling meets it or not.
fn calm_storm() -> (f64, f64) {
    const ROUNDS: u64 = 200;
    let calm_ms = 2.0 * ROUNDS as f64 * SLOW_NS as f64 / 1e6 * 1.2;
    for _ in 0..1_000 {
        let (mut truth, mut all) = (0.0, 0.0);
        let request = async { (truth, all) = storm(ROUNDS) };
        current_thread().block_on(request.instrument(info_span!("storm")).tailspan());
        let times = *closed("storm").last().unwrap();
        if truth < calm_ms && all < 1.5 * calm_ms {
            assert!(ms(times.allocator_ns) + ms(times.processing_ns) >= all, "{times:?}");
            return (ms(times.allocator_ns), truth);
        }
    }
    panic!("the machine is too busy to test sampling");
}

/// One test: sampling is a setting of the process.
#[test]
fn an_allocation_storm_is_allocator_time_whatever_the_sampling() {
    install();
    for every in [1, 4, 16] {
        ALLOCATOR.set_sample_every(every);
        let storms: Vec<_> = (0..50).map(|_| calm_storm()).collect();
        let measured: f64 = storms.iter().map(|(measured, _)| measured).sum();
        let truth: f64 = storms.iter().map(|(_, truth)| truth).sum();
        assert!(
            (measured / truth - 1.0).abs() < 0.2,
            "1 in {every}: {measured} ms measured, {truth} ms true"
        );
    }

    ALLOCATOR.set_sample_every(1);
    let mut truth = 0.0;
    current_thread().block_on(
        async {
            async { truth = storm(5_000).0 }
                .instrument(info_span!("storming child"))
                .await;
        }
        .instrument(info_span!("calm parent"))
        .tailspan(),
    );
    assert!(
        ms(times("storming child").allocator_ns) > 0.9 * truth,
        "a child's allocations are the child's"
    );
    assert!(ms(times("calm parent").allocator_ns) < 0.1 * truth);

    ALLOCATOR.set_sample_every(0);
    let calm = async {
        storm(100);
    };
    current_thread().block_on(calm.instrument(info_span!("off")).tailspan());
    assert_eq!(times("off").allocator_ns, None, "what is off measures nothing, not 0");
}
