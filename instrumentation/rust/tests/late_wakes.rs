//! A wake-up that nobody could give in time: the span says by how much it may have been late.

mod common;

use std::time::{Duration, Instant};

use common::{install, times};
use tailspan::spawn_observed;
use tokio::runtime::{Builder, Runtime};
use tracing::{Instrument as _, info_span};

const WORKERS: usize = 2;
const DUE_AFTER: Duration = Duration::from_millis(5);
const BLOCKED_FOR: Duration = Duration::from_millis(80);

fn watched() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(WORKERS).enable_time();
    tailspan::watch_workers(&mut builder).build().unwrap()
}

/// In a test of its own process: workers are watched for the whole process.
#[test]
fn a_timer_that_no_worker_looked_at_was_late_by_at_most_the_time_in_which_all_of_them_were_blocked() {
    install();
    let runtime = watched();
    let wait = |name: &'static str| {
        let span = if name == "disturbed" {
            info_span!("disturbed")
        } else {
            info_span!("alone")
        };
        spawn_observed(tokio::time::sleep(DUE_AFTER).instrument(span))
    };
    let (outside_alone, outside) = runtime.block_on(async {
        // Workers that have never parked are not known yet.
        tokio::time::sleep(DUE_AFTER).await;
        let started = Instant::now();
        wait("alone").await.unwrap();
        let alone = started.elapsed();
        let started = Instant::now();
        let waiting = wait("disturbed");
        let blocking: Vec<_> = (0..WORKERS)
            .map(|_| tokio::spawn(async { std::thread::sleep(BLOCKED_FOR) }))
            .collect();
        waiting.await.unwrap();
        for one in blocking {
            one.await.unwrap();
        }
        (alone, started.elapsed())
    });
    let unwatched = Duration::from_nanos(times("disturbed").unwatched_ns.expect("all workers were blocked"));
    // Both were blocked from a moment on that only they know, and the timer was due soon after.
    assert!(unwatched >= BLOCKED_FOR / 2, "{unwatched:?}");
    assert!(unwatched <= outside, "{unwatched:?} of {outside:?}");
    let late = Duration::from_nanos(times("alone").unwatched_ns.unwrap_or(0));
    assert!(
        late <= outside_alone - DUE_AFTER,
        "{late:?} of {outside_alone:?}: no worker was late, at most the kernel"
    );
}
