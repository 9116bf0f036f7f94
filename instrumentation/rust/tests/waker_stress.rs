//! Wakers of observed futures, cloned, woken and dropped from many threads at once.

mod common;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use common::{closed, install, workers};
use tailspan::{Observe as _, spawn_observed};
use tracing::{Instrument as _, info_span};

const THREADS: u64 = 4;
const TOKENS_PER_THREAD: u64 = 20_000;

/// Tokens to take, and every waker that was ever left for more.
#[derive(Default)]
struct Stall {
    tokens: AtomicU64,
    newest: Mutex<Option<Waker>>,
    stale: Mutex<Vec<Waker>>,
}

impl Stall {
    fn give(&self, round: u64) {
        self.tokens.fetch_add(1, Ordering::SeqCst);
        let newest = self.newest.lock().unwrap().clone();
        if let Some(waker) = newest {
            match round % 3 {
                0 => waker.wake(),
                1 => waker.wake_by_ref(),
                _ => {
                    waker.wake_by_ref();
                    waker.wake(); // twice
                }
            }
        }
        if round.is_multiple_of(64) {
            let stale = std::mem::take(&mut *self.stale.lock().unwrap());
            stale.into_iter().take(3).for_each(Waker::wake);
        }
    }

    /// Ready when every token was taken; a lost wake-up leaves it pending for ever.
    fn take_all(self: Arc<Self>) -> impl Future<Output = u64> {
        let mut taken = 0;
        poll_fn(move |context| {
            {
                let mut newest = self.newest.lock().unwrap();
                if let Some(old) = newest.replace(context.waker().clone()) {
                    self.stale.lock().unwrap().push(old);
                }
            }
            taken += self.tokens.swap(0, Ordering::SeqCst);
            if taken.is_multiple_of(7) {
                context.waker().wake_by_ref(); // during the poll
            }
            if taken == THREADS * TOKENS_PER_THREAD {
                Poll::Ready(taken)
            } else {
                Poll::Pending
            }
        })
    }
}

fn giving_threads(stall: &Arc<Stall>) -> Vec<thread::JoinHandle<()>> {
    (0..THREADS)
        .map(|offset| {
            let stall = Arc::clone(stall);
            thread::spawn(move || (0..TOKENS_PER_THREAD).for_each(|round| stall.give(round + offset)))
        })
        .collect()
}

#[test]
fn no_wake_up_is_lost_and_no_time_is_made_up() {
    install();
    let stall = Arc::new(Stall::default());
    let started = std::time::Instant::now();
    workers(2).block_on(async {
        let task = spawn_observed(Arc::clone(&stall).take_all().instrument(info_span!("stress")));
        let threads = giving_threads(&stall);
        let all = tokio::time::timeout(Duration::from_secs(60), task).await;
        assert_eq!(all.expect("a wake-up was lost").unwrap(), THREADS * TOKENS_PER_THREAD);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    let times = closed("stress")[0];
    let sum = times.scheduling_ns.unwrap() + times.processing_ns.unwrap() + times.queue_wait_ns.unwrap();
    assert!(Duration::from_nanos(sum) <= started.elapsed());
    assert!(times.scheduling_ns.unwrap() > 0);
    drop(std::mem::take(&mut *stall.newest.lock().unwrap()));
    drop(std::mem::take(&mut *stall.stale.lock().unwrap()));
    assert_eq!(Arc::strong_count(&stall), 1);
}

/// One future, polled by two tasks in turns, as a future behind a lock or in a `Vec` may be.
#[test]
fn a_future_that_moves_between_tasks_is_woken_where_it_was_polled_last() {
    install();
    let stall = Arc::new(Stall::default());
    workers(2).block_on(async {
        let future: Pin<Box<dyn Future<Output = u64> + Send>> = Box::pin(
            Arc::clone(&stall)
                .take_all()
                .instrument(info_span!("moving"))
                .tailspan(),
        );
        let threads = giving_threads(&stall);
        let mut future = Some(future);
        let mut all = None;
        while let Some(mut moving) = future.take() {
            let hop = tokio::spawn(async move {
                let mut polls = 0;
                let done = poll_fn(|context| {
                    polls += 1;
                    match moving.as_mut().poll(context) {
                        Poll::Ready(all) => Poll::Ready(Some(all)),
                        Poll::Pending if polls == 50 => Poll::Ready(None),
                        Poll::Pending => Poll::Pending,
                    }
                })
                .await;
                (moving, done)
            });
            let (moved, done) = tokio::time::timeout(Duration::from_secs(60), hop)
                .await
                .expect("a wake-up was lost")
                .unwrap();
            all = done;
            if all.is_none() {
                future = Some(moved);
            }
        }
        assert_eq!(all, Some(THREADS * TOKENS_PER_THREAD));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    assert_eq!(closed("moving").len(), 1);
}
