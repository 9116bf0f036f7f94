//! Waits that the process itself made longer, unnoticed by the task that waits: the span says by how much at most.

mod common;

use std::convert::Infallible;
use std::time::{Duration, Instant};

use common::{install, times};
use tailspan::{RequestLayer, spawn_observed};
use tokio::runtime::{Builder, Runtime};
use tower::{Service as _, ServiceBuilder, ServiceExt as _, service_fn};
use tracing::{Instrument as _, info_span};

const WORKERS: usize = 2;
const DUE_AFTER: Duration = Duration::from_millis(5);
const BLOCKED_FOR: Duration = Duration::from_millis(80);

fn watched() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(WORKERS).enable_time();
    tailspan::watch_workers(&mut builder).build().unwrap()
}

fn block_all() -> Vec<tokio::task::JoinHandle<()>> {
    (0..WORKERS)
        .map(|_| tokio::spawn(async { std::thread::sleep(BLOCKED_FOR) }))
        .collect()
}

/// Until the stall is over for long enough that the next one is not taken for a part of it.
async fn all_of(blocking: Vec<tokio::task::JoinHandle<()>>) {
    for one in blocking {
        one.await.unwrap();
    }
    tokio::time::sleep(BLOCKED_FOR / 2).await;
}

fn told(ns: Option<u64>) -> Duration {
    Duration::from_nanos(ns.expect("workers are watched"))
}

/// One test: workers are watched for the whole process.
#[test]
fn what_nobody_had_time_for_while_all_workers_were_blocked_is_told_and_bounded() {
    install();
    watched().block_on(async {
        // Workers that have never parked are not known yet.
        tokio::time::sleep(DUE_AFTER).await;
        a_timer_alone_is_not_late().await;
        a_timer_that_no_worker_looked_at().await;
        a_helper_that_no_worker_ran().await;
        a_request_whose_arrival_no_worker_saw().await;
    });
}

async fn a_timer_alone_is_not_late() {
    let started = Instant::now();
    let waiting = tokio::time::sleep(DUE_AFTER).instrument(info_span!("alone"));
    spawn_observed(waiting).await.unwrap();
    let outside = started.elapsed();
    let alone = times("alone");
    let late = Duration::from_nanos(alone.unwatched_ns.unwrap_or(0));
    assert!(
        late <= outside - DUE_AFTER,
        "{late:?} of {outside:?}: no worker was late, at most the kernel"
    );
    assert!(told(alone.blocked_ns) <= outside - late, "{alone:?} of {outside:?}");
}

async fn a_timer_that_no_worker_looked_at() {
    let started = Instant::now();
    let waiting = spawn_observed(tokio::time::sleep(DUE_AFTER).instrument(info_span!("disturbed")));
    let blocking = block_all();
    waiting.await.unwrap();
    all_of(blocking).await;
    let outside = started.elapsed();
    let disturbed = times("disturbed");
    let unwatched = told(disturbed.unwatched_ns);
    // Both were blocked from a moment on that only they know, and the timer was due soon after.
    assert!(unwatched >= BLOCKED_FOR / 2, "{unwatched:?}");
    assert!(
        unwatched + told(disturbed.blocked_ns) <= outside,
        "{disturbed:?} of {outside:?}"
    );
}

/// The stall is long over when the answer comes, and delayed it all the same.
async fn a_helper_that_no_worker_ran() {
    let (answer, answered) = tokio::sync::oneshot::channel();
    let started = Instant::now();
    let waiting = spawn_observed(async { answered.await.unwrap() }.instrument(info_span!("helped")));
    let blocking = block_all();
    // Not a worker: they take the blocking tasks meanwhile.
    std::thread::sleep(DUE_AFTER);
    let helper = tokio::spawn(async {
        tokio::time::sleep(4 * DUE_AFTER).await;
        answer.send(()).unwrap();
    });
    waiting.await.unwrap();
    helper.await.unwrap();
    all_of(blocking).await;
    let outside = started.elapsed();
    let unwatched = told(times("helped").unwatched_ns);
    assert!(unwatched >= BLOCKED_FOR / 2, "{unwatched:?}");
    assert!(unwatched <= outside, "{unwatched:?} of {outside:?}");
}

/// As a server has it: a task of the connection calls the service, and the span is made in the request's own future.
async fn a_request_whose_arrival_no_worker_saw() {
    let answer = service_fn(|()| async {
        let _request = info_span!(parent: None, "request").entered();
        Ok::<_, Infallible>(())
    });
    let mut service = ServiceBuilder::new().layer(RequestLayer::new()).service(answer);
    let connection = tokio::spawn(async move {
        tokio::time::sleep(DUE_AFTER).await;
        service.ready().await.unwrap().call(()).await.unwrap();
    });
    let blocking = block_all();
    connection.await.unwrap();
    all_of(blocking).await;
    let before = told(times("request").unwatched_before_ns);
    // It is a bound: an earlier stall that the kernel brought about may be in it.
    assert!(before >= BLOCKED_FOR / 2, "{before:?}");
}
