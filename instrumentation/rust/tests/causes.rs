//! Each cause of a slow request, made on purpose, shows as its own phase. The machine may be busy, so every amount is held
//! between moments that the test took itself, just outside and just inside of what is measured.

mod common;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{burn, closed, current_thread, install, ms, times, workers};
use tailspan::sync::{Semaphore, mpsc};
use tailspan::{Observe as _, QueuePlace, queue_wait, spawn_observed};
use tokio::sync::{Notify, oneshot};
use tracing::{Instrument as _, info_span};

const LONG: Duration = Duration::from_millis(60);

/// The clocks may differ by a little.
const SLACK: Duration = Duration::from_micros(200);

fn assert_between(ns: Option<u64>, least: Duration, most: Duration) {
    let amount = Duration::from_nanos(ns.expect("measured"));
    assert!(
        least <= amount + SLACK && amount <= most + SLACK,
        "{amount:?} is not between {least:?} and {most:?}"
    );
}

#[test]
fn a_busy_loop_is_processing() {
    install();
    let body = async { burn(LONG) };
    current_thread().block_on(body.instrument(info_span!("busy_loop")).tailspan());
    let times = times("busy_loop");
    assert!(ms(times.processing_ns) >= 60.0, "{times:?}");
    assert_eq!((times.scheduling_ns, times.queue_wait_ns), (Some(0), Some(0)));
    assert_eq!(times.allocator_ns, None, "no timing allocator is installed");
}

#[test]
fn a_blocked_worker_is_scheduling_of_whoever_was_woken_meanwhile() {
    install();
    current_thread().block_on(async {
        let (wake, woken) = oneshot::channel::<()>();
        let spawned = Instant::now();
        let victim = spawn_observed(
            async {
                woken.await.unwrap();
                Instant::now()
            }
            .instrument(info_span!("victim_woken")),
        );
        tokio::task::yield_now().await;
        let first_poll = spawned.elapsed();
        let waking = std::thread::spawn(|| {
            let before = Instant::now();
            wake.send(()).unwrap();
            (before, Instant::now())
        });
        let (before_wake, after_wake) = waking.join().unwrap(); // blocks the worker, as does what follows
        burn(LONG);
        let blocked = after_wake.elapsed();
        let resumed = victim.await.unwrap();
        let times = times("victim_woken");
        assert_between(times.scheduling_ns, blocked, resumed - before_wake + first_poll);
        assert_eq!(times.queue_wait_ns, Some(0));
    });
}

#[test]
fn a_spawned_task_that_no_worker_takes_is_scheduling() {
    install();
    current_thread().block_on(async {
        let victim = spawn_observed(async {}.instrument(info_span!("victim_spawned")));
        burn(LONG);
        victim.await.unwrap();
    });
    assert!(ms(times("victim_spawned").scheduling_ns) >= 60.0);
}

#[test]
fn a_future_that_is_awaited_late_was_not_waiting_to_run() {
    install();
    current_thread().block_on(async {
        let lazy = async {}.instrument(info_span!("lazy")).tailspan();
        burn(LONG);
        lazy.await;
    });
    assert_eq!(times("lazy").scheduling_ns, Some(0));
}

#[test]
fn a_span_made_in_the_poll_that_enters_it_late_was_not_waiting_to_run() {
    install();
    current_thread().block_on(async {
        let made_late = async {
            let span = info_span!("made_late");
            burn(LONG);
            async {}.instrument(span).await;
        };
        spawn_observed(made_late).await.unwrap();
    });
    assert_eq!(times("made_late").scheduling_ns, Some(0));
}

#[test]
fn a_task_that_yields_waits_for_its_next_turn() {
    install();
    current_thread().block_on(async {
        let polite = spawn_observed(tokio::task::yield_now().instrument(info_span!("polite")));
        tokio::task::yield_now().await; // polite runs and yields
        burn(LONG);
        polite.await.unwrap();
    });
    assert!(ms(times("polite").scheduling_ns) >= 60.0);
}

#[test]
fn a_semaphore_is_queue_wait_up_to_the_permit_and_scheduling_after_it() {
    install();
    current_thread().block_on(async {
        let semaphore = Semaphore::new(1);
        let permit = semaphore.acquire_owned().await.unwrap();
        let before_queueing = Instant::now();
        let waiting = spawn_observed({
            let semaphore = semaphore.clone();
            async move { drop(semaphore.acquire().await.unwrap()) }.instrument(info_span!("queued"))
        });
        tokio::task::yield_now().await; // it stands in the queue now
        let queueing = Instant::now();
        let releasing = std::thread::spawn(move || {
            std::thread::sleep(LONG);
            let before = Instant::now();
            drop(permit);
            (before, Instant::now())
        });
        let (before_release, released) = releasing.join().unwrap();
        burn(LONG);
        let blocked = released.elapsed();
        waiting.await.unwrap();
        let resumed = Instant::now();
        let times = times("queued");
        assert_between(
            times.queue_wait_ns,
            before_release - queueing,
            released - before_queueing,
        );
        let first_poll = queueing - before_queueing;
        assert_between(times.scheduling_ns, blocked, resumed - before_release + first_poll);
    });
}

#[test]
fn a_free_semaphore_is_no_wait_and_a_wait_given_up_counts_as_far_as_it_went() {
    install();
    current_thread().block_on(async {
        let semaphore = Semaphore::new(1);
        async { drop(semaphore.acquire().await.unwrap()) }
            .instrument(info_span!("free"))
            .tailspan()
            .await;
        let held = semaphore.acquire().await.unwrap();
        let mut gave_up_after = Duration::ZERO;
        let start = Instant::now();
        let patience = async {
            assert!(tokio::time::timeout(LONG, semaphore.acquire_many(1)).await.is_err());
            gave_up_after = start.elapsed();
            tokio::time::sleep(LONG).await;
        };
        patience.instrument(info_span!("gave_up")).tailspan().await;
        drop(held);
        let times = times("gave_up");
        let least = LONG.saturating_sub(Duration::from_nanos(times.processing_ns.unwrap()));
        // The sleep after it is no queue.
        assert_between(times.queue_wait_ns, least, gave_up_after);
    });
    assert_eq!(times("free").queue_wait_ns, Some(0));
}

#[test]
fn a_full_channel_is_queue_wait_of_the_sender() {
    install();
    current_thread().block_on(async {
        let (sender, mut receiver) = mpsc::channel(1);
        sender.send(1).await.unwrap();
        let before_queueing = Instant::now();
        let sending = spawn_observed(async move { sender.send(2).await.unwrap() }.instrument(info_span!("full")));
        tokio::task::yield_now().await;
        let queueing = Instant::now();
        tokio::time::sleep(LONG).await;
        let before_receiving = Instant::now();
        assert_eq!(receiver.recv().await, Some(1));
        let received = Instant::now();
        assert_eq!(receiver.recv().await, Some(2));
        sending.await.unwrap();
        assert_between(
            times("full").queue_wait_ns,
            before_receiving - queueing,
            received - before_queueing,
        );
    });
}

#[test]
fn a_job_in_a_channel_is_queue_wait_until_a_worker_takes_it() {
    install();
    current_thread().block_on(async {
        let (sender, mut receiver) = mpsc::channel(8);
        let before_queueing = Instant::now();
        let request = spawn_observed(
            async move {
                let (answer, answered) = oneshot::channel::<()>();
                sender.send_job(answer).await.unwrap();
                answered.await.unwrap();
            }
            .instrument(info_span!("job")),
        );
        tokio::task::yield_now().await;
        let queueing = Instant::now();
        tokio::time::sleep(LONG).await;
        let before_taking = Instant::now();
        let answer = receiver.recv().await.unwrap();
        let taken = Instant::now();
        tokio::time::sleep(LONG).await; // the job itself: no queue
        answer.send(()).unwrap();
        request.await.unwrap();
        assert_between(
            times("job").queue_wait_ns,
            before_taking - queueing,
            taken - before_queueing,
        );
    });
}

#[test]
fn any_wait_for_a_turn_and_any_place_in_a_queue_can_be_said_to_be_one() {
    install();
    let mut queued = Duration::ZERO;
    current_thread().block_on(
        async {
            let start = Instant::now();
            queue_wait(tokio::time::sleep(LONG)).await;
            let place = QueuePlace::take();
            tokio::time::sleep(LONG).await;
            drop(place);
            queued = start.elapsed();
            tokio::time::sleep(LONG).await;
        }
        .instrument(info_span!("own_queue"))
        .tailspan(),
    );
    let times = times("own_queue");
    let elsewhere = Duration::from_nanos(times.processing_ns.unwrap() + times.scheduling_ns.unwrap());
    assert_between(times.queue_wait_ns, (2 * LONG).saturating_sub(elsewhere), queued);
}

#[test]
fn a_childs_time_is_the_childs_whether_it_runs_waits_or_queues() {
    install();
    let (mut inside, mut around) = (Duration::ZERO, Duration::ZERO);
    current_thread().block_on(async {
        let child = async {
            let start = Instant::now();
            burn(LONG);
            queue_wait(tokio::time::sleep(LONG)).await;
            tokio::task::yield_now().await;
            inside = start.elapsed();
        };
        let start = Instant::now();
        async {
            burn(LONG);
            child.instrument(info_span!("nested_child")).tailspan().await;
        }
        .instrument(info_span!("nested_parent"))
        .tailspan()
        .await;
        around = start.elapsed();
    });
    let (parent, child) = (times("nested_parent"), times("nested_child"));
    assert!(ms(child.processing_ns) >= 60.0, "{child:?}");
    assert!(ms(child.queue_wait_ns) > 0.0, "{child:?}");
    assert_between(parent.processing_ns, LONG, around - inside);
    assert_eq!((parent.queue_wait_ns, parent.scheduling_ns), (Some(0), Some(0)));
}

#[test]
fn children_need_no_wrapping_of_their_own() {
    install();
    current_thread().block_on(async {
        let wake = Arc::new(Notify::new());
        let spawned = Instant::now();
        let request = spawn_observed({
            let wake = Arc::clone(&wake);
            async move { wake.notified().instrument(info_span!("plain_child")).await }
                .instrument(info_span!("plain_parent"))
        });
        tokio::task::yield_now().await;
        let first_poll = spawned.elapsed();
        wake.notify_one();
        burn(LONG);
        request.await.unwrap();
        assert!(ms(times("plain_child").scheduling_ns) >= 60.0);
        assert_between(times("plain_parent").scheduling_ns, Duration::ZERO, first_poll);
    });
}

/// Two futures in one observed task; the right one is woken, the worker blocked, and later the left one is woken. Returns
/// the most that the left one can have waited. Twice, since `join!` begins each poll with another branch.
fn wake_right_then_left<L, R>(left: impl Fn(Arc<Notify>) -> L, right: impl Fn(Arc<Notify>) -> R) -> Duration
where
    L: Future<Output = ()>,
    R: Future<Output = ()>,
{
    let polls = [false, true].map(|left_first| wake_in_order(left_first, &left, &right));
    polls[0].max(polls[1])
}

fn wake_in_order<L, R>(left_first: bool, left: impl Fn(Arc<Notify>) -> L, right: impl Fn(Arc<Notify>) -> R) -> Duration
where
    L: Future<Output = ()>,
    R: Future<Output = ()>,
{
    install();
    let (wake_left, wake_right) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (left, right) = (left(Arc::clone(&wake_left)), right(Arc::clone(&wake_right)));
    current_thread().block_on(async {
        let both = async {
            if left_first {
                tokio::join!(left, right);
            } else {
                tokio::join!(right, left);
            }
        }
        .tailspan();
        let disturb = async {
            tokio::task::yield_now().await;
            wake_right.notify_one();
            burn(LONG);
            tokio::task::yield_now().await;
            let left_woken = Instant::now();
            wake_left.notify_one();
            left_woken
        };
        let (_, left_woken) = tokio::join!(both, disturb);
        left_woken.elapsed()
    })
}

#[test]
fn beside_each_other_in_one_task_nobody_gets_what_may_be_the_others() {
    let most = wake_right_then_left(
        |wake| async move { wake.notified().await }.instrument(info_span!("left_plain")),
        |wake| async move { wake.notified().await }.instrument(info_span!("right_plain")),
    );
    assert_eq!(closed("left_plain").len(), 2);
    for left in closed("left_plain") {
        assert_between(left.scheduling_ns, Duration::ZERO, most);
    }
}

#[test]
fn beside_each_other_in_one_task_observed_branches_know_who_was_woken() {
    let most = wake_right_then_left(
        |wake| {
            async move { wake.notified().await }
                .instrument(info_span!("left_observed"))
                .tailspan()
        },
        |wake| {
            async move { wake.notified().await }
                .instrument(info_span!("right_observed"))
                .tailspan()
        },
    );
    for left in closed("left_observed") {
        assert_between(left.scheduling_ns, Duration::ZERO, most);
    }
    assert_eq!(closed("right_observed").len(), 2);
    for right in closed("right_observed") {
        assert!(ms(right.scheduling_ns) >= 60.0, "{right:?}");
    }
}

#[test]
fn an_observed_branch_inside_its_span_knows_better_than_the_task_around_it() {
    let most = wake_right_then_left(
        |wake| {
            async move { wake.notified().await }
                .tailspan()
                .instrument(info_span!("left_inside"))
        },
        |wake| {
            async move { wake.notified().await }
                .tailspan()
                .instrument(info_span!("right_inside"))
        },
    );
    for left in closed("left_inside") {
        assert_between(left.scheduling_ns, Duration::ZERO, most);
    }
    assert_eq!(closed("right_inside").len(), 2);
    for right in closed("right_inside") {
        assert!(ms(right.scheduling_ns) >= 60.0, "{right:?}");
    }
}

#[test]
fn the_span_may_be_around_the_observed_future_too() {
    install();
    current_thread().block_on(async {
        let notify = Arc::new(Notify::new());
        let task = tokio::spawn({
            let notify = Arc::clone(&notify);
            async move { notify.notified().await }
                .tailspan()
                .instrument(info_span!("span_around"))
        });
        tokio::task::yield_now().await;
        notify.notify_one();
        burn(LONG);
        task.await.unwrap();
    });
    assert!(ms(times("span_around").scheduling_ns) >= 60.0);
}

#[test]
fn work_moved_to_another_thread_is_processing_of_the_span_it_enters() {
    install();
    let start = Instant::now();
    workers(1).block_on(async {
        let span = info_span!("blocking_pool");
        let blocking = span.clone();
        async {
            tokio::task::spawn_blocking(move || blocking.in_scope(|| burn(LONG)))
                .await
                .unwrap()
        }
        .instrument(span)
        .tailspan()
        .await;
    });
    assert_between(times("blocking_pool").processing_ns, LONG, start.elapsed());
}

#[test]
fn a_guard_held_across_an_await_is_said_to_be_unknown_not_counted() {
    install();
    let before = tailspan::counters().spans_held_across_await;
    current_thread().block_on(async {
        let misuse = async {
            let _guard = info_span!("held_guard").entered();
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let others = async {
            tokio::task::yield_now().await;
            burn(LONG);
        };
        tokio::join!(misuse.tailspan(), others);
    });
    assert!(closed("held_guard").is_empty());
    assert_eq!(tailspan::counters().spans_held_across_await, before + 1);
}
