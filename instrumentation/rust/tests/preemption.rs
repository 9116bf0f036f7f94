//! Time for which the kernel takes the processor away, against the kernel's own count.
#![cfg(target_os = "linux")]

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{current_thread, ms};
use tailspan::{Observe as _, SpanLayer};
use tracing::{Instrument as _, info_span};
use tracing_subscriber::prelude::*;

fn waited_ns() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn waiting_for_a_processor_is_scheduling() {
    let Some(_) = waited_ns() else {
        eprintln!("this kernel does not count run queue delays: nothing to test");
        return;
    };
    let closed = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let layer = SpanLayer::with_sink({
        let closed = std::sync::Arc::clone(&closed);
        move |_, times| closed.lock().unwrap().push(times)
    });
    tracing_subscriber::registry().with(layer.with_preemption()).init();

    let stop = AtomicBool::new(false);
    // Milliseconds of waiting and in all, just inside of the span and just outside.
    let (mut truth, mut all, mut most, mut around) = (0.0, 0.0, 0.0, 0.0);
    std::thread::scope(|scope| {
        // Twice as many as there are processors: this thread gets a third of one.
        let rivals = 2 * std::thread::available_parallelism().map_or(2, usize::from);
        for _ in 0..rivals {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let work = async {
            let (start, before) = (Instant::now(), waited_ns().unwrap());
            while waited_ns().unwrap() - before < 60_000_000 && start.elapsed() < Duration::from_secs(10) {
                std::hint::spin_loop();
            }
            truth = (waited_ns().unwrap() - before) as f64 / 1e6;
            all = start.elapsed().as_secs_f64() * 1e3;
        };
        let (start, before) = (Instant::now(), waited_ns().unwrap());
        current_thread().block_on(work.instrument(info_span!("preempted")).tailspan());
        most = (waited_ns().unwrap() - before) as f64 / 1e6;
        around = start.elapsed().as_secs_f64() * 1e3;
        stop.store(true, Ordering::Relaxed);
    });

    assert!(truth >= 60.0, "{truth} ms waited");
    let times = closed.lock().unwrap()[0];
    let (scheduling, processing) = (ms(times.scheduling_ns), ms(times.processing_ns));
    assert!(
        (truth - 2.0..=most + 2.0).contains(&scheduling),
        "{scheduling} ms of {truth} to {most} ms"
    );
    assert!(scheduling + processing >= all, "{times:?} of {all} ms");
    assert!(
        processing <= around - truth + 2.0,
        "{times:?} of {around} ms, {truth} ms waited"
    );
}
