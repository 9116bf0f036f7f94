//! What observing costs: nanoseconds a poll, a span and an allocation, with and without.
//!
//! `cargo bench --bench poll`. CPU time of the thread, so that other processes take little part in it. Every figure is the
//! median of pairs that are measured in turns, so that a machine whose speed changes changes both; the interval is the
//! middle half of the pairs.

use std::alloc::System;
use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tailspan::{Observe as _, TimingAllocator};
use tracing::{Dispatch, Instrument as _, dispatcher, info_span};
use tracing_subscriber::prelude::*;

const PAIRS: usize = 201;
const POLLS: usize = 5_000;
const SPANS: usize = 500;
const ALLOCATIONS: usize = 10_000;

#[global_allocator]
static ALLOCATOR: TimingAllocator<System> = TimingAllocator::sampled(System, 0);

fn cpu_ns() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a timespec that may be written to.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(result, 0);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Counts wake-ups, so that none can be optimized away.
struct Task(AtomicUsize);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Leaves its waker, as I/O does, and is pending.
async fn pending_until(stored: &std::cell::RefCell<Option<Waker>>) {
    poll_fn(|context| -> Poll<()> {
        let mut stored = stored.borrow_mut();
        if !stored.as_ref().is_some_and(|old| old.will_wake(context.waker())) {
            *stored = Some(context.waker().clone());
        }
        Poll::Pending
    })
    .await;
}

/// Nanoseconds for each turn of: somebody wakes, the executor polls.
fn polls(mut future: Pin<&mut dyn Future<Output = ()>>, stored: &std::cell::RefCell<Option<Waker>>) -> f64 {
    let task = Arc::new(Task(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&task));
    let mut context = Context::from_waker(&waker);
    let _ = future.as_mut().poll(&mut context);
    let start = cpu_ns();
    for _ in 0..POLLS {
        if let Some(waker) = stored.borrow().as_ref() {
            waker.wake_by_ref();
        }
        let _ = black_box(future.as_mut().poll(&mut context));
    }
    let took = cpu_ns() - start;
    assert_eq!(task.0.load(Ordering::Relaxed), POLLS);
    took / POLLS as f64
}

fn polls_without_span(observed: bool) -> f64 {
    let stored = std::cell::RefCell::new(None);
    if observed {
        polls(pin!(pending_until(&stored).tailspan()), &stored)
    } else {
        polls(pin!(pending_until(&stored)), &stored)
    }
}

fn polls_in_span(dispatch: &Dispatch, observed: bool) -> f64 {
    dispatcher::with_default(dispatch, || {
        let stored = std::cell::RefCell::new(None);
        let future = pending_until(&stored).instrument(info_span!("request"));
        if observed {
            polls(pin!(future.tailspan()), &stored)
        } else {
            polls(pin!(future), &stored)
        }
    })
}

/// A span that is made, entered and closed under a parent that is running.
fn spans(dispatch: &Dispatch) -> f64 {
    dispatcher::with_default(dispatch, || {
        let parent = info_span!("parent").entered();
        let start = cpu_ns();
        for _ in 0..SPANS {
            info_span!("child").in_scope(|| black_box(()));
        }
        let took = cpu_ns() - start;
        drop(parent);
        took / SPANS as f64
    })
}

/// An allocation and its release, inside a span.
fn allocations(dispatch: &Dispatch, sample_every: u32) -> f64 {
    ALLOCATOR.set_sample_every(sample_every);
    let took = dispatcher::with_default(dispatch, || {
        info_span!("allocating").in_scope(|| {
            let start = cpu_ns();
            for _ in 0..ALLOCATIONS {
                drop(black_box(Box::new([0_u8; 64])));
            }
            cpu_ns() - start
        })
    });
    ALLOCATOR.set_sample_every(0);
    took / ALLOCATIONS as f64
}

fn report(what: &str, mut without: impl FnMut() -> f64, mut with: impl FnMut() -> f64) {
    let mut pairs: Vec<(f64, f64)> = (0..PAIRS).map(|_| (without(), with())).collect();
    let mut quartiles = |value: &dyn Fn(&(f64, f64)) -> f64| {
        pairs.sort_by(|a, b| value(a).total_cmp(&value(b)));
        [PAIRS / 4, PAIRS / 2, PAIRS - 1 - PAIRS / 4].map(|at| value(&pairs[at]))
    };
    let (before, after) = (quartiles(&|pair| pair.0)[1], quartiles(&|pair| pair.1)[1]);
    let [low, middle, high] = quartiles(&|pair| pair.1 - pair.0);
    println!("{what:<58} {before:>8.1} {after:>8.1} {middle:>8.1}   [{low:.1}, {high:.1}]");
}

fn main() {
    let plain = Dispatch::new(tracing_subscriber::registry());
    let tailspan = Dispatch::new(
        tracing_subscriber::registry().with(tailspan::SpanLayer::with_sink(|_, times| {
            black_box(times);
        })),
    );
    let provider = SdkTracerProvider::builder().build();
    let tracer = provider.tracer("bench");
    let exporting = tracing_opentelemetry::layer().with_tracer(tracer.clone());
    let otel = Dispatch::new(tracing_subscriber::registry().with(exporting));
    let exporting = tracing_opentelemetry::layer().with_tracer(tracer);
    let both = Dispatch::new(tracing_subscriber::registry().with(tailspan::layer()).with(exporting));

    println!(
        "{:<58} {:>8} {:>8} {:>8}   middle half",
        "nanoseconds", "without", "with", "cost"
    );
    report(
        "a wake-up and a poll, no span",
        || polls_without_span(false),
        || polls_without_span(true),
    );
    report(
        "a wake-up and a poll in a span, registry only",
        || polls_in_span(&plain, false),
        || polls_in_span(&tailspan, true),
    );
    report(
        "a wake-up and a poll in a span, exported by OpenTelemetry",
        || polls_in_span(&otel, false),
        || polls_in_span(&both, true),
    );
    report("a span, registry only", || spans(&plain), || spans(&tailspan));
    report("a span, exported by OpenTelemetry", || spans(&otel), || spans(&both));
    // For the rest of the process; reading the kernel's count is spread over the polls of a millisecond.
    let watching = tailspan::layer().with_preemption();
    let exporting = tracing_opentelemetry::layer().with_tracer(provider.tracer("bench"));
    let watching = Dispatch::new(tracing_subscriber::registry().with(watching).with(exporting));
    report(
        "the same poll, exported, with preemption watched",
        || polls_in_span(&otel, false),
        || polls_in_span(&watching, true),
    );
    for every in [1, 8, 64] {
        report(
            &format!("an allocation and its release, 1 call in {every} timed"),
            || allocations(&tailspan, 0),
            || allocations(&tailspan, every),
        );
    }
}
