//! Waiting for a turn.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::clock;
use crate::ledger::Ledger;
use crate::thread;

/// Books the time in which `turn` is pending as `queue_wait` of the span that awaits it.
///
/// For everything whose wait is a wait for a turn: a connection pool, a rate limit, a lock, a bounded worker pool. It
/// counts in an observed future, inside a span; from its wake-up on the time is scheduling.
///
/// ```
/// # async fn example(permits: &tokio::sync::Semaphore) {
/// let permit = tailspan::queue_wait(permits.acquire()).await;
/// # drop(permit);
/// # }
/// ```
pub fn queue_wait<F: Future>(turn: F) -> QueueWait<F> {
    QueueWait {
        inner: turn,
        place: QueuePlace::default(),
    }
}

pin_project! {
    /// A future whose pending time is `queue_wait`; made by [`queue_wait`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct QueueWait<F> {
        #[pin]
        inner: F,
        place: QueuePlace,
    }
}

impl<F: Future> Future for QueueWait<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = this.inner.poll(context);
        if result.is_ready() {
            this.place.leave();
        } else if this.place.0.is_none() {
            *this.place = QueuePlace::take();
        }
        result
    }
}

/// A place in a queue, for the span that waits: while it exists, that span's idle time is `queue_wait`.
///
/// For work handed to others, where no future of the waiting side is the queue: put it into the job, and drop it when the
/// job's turn has come. Only the span that awaits the job's result should take one, since its idle time from here to the
/// drop is said to be this queue's.
///
/// ```
/// use tailspan::QueuePlace;
///
/// struct Job {
///     place: QueuePlace,
/// }
///
/// let job = Job { place: QueuePlace::take() }; // in the request
/// drop(job.place); // in the worker, before it starts
/// ```
#[derive(Debug, Default)]
#[must_use = "a place that is dropped at once stands for no waiting"]
pub struct QueuePlace(Option<Arc<Ledger>>);

impl QueuePlace {
    /// A place for the span running now; outside spans or observed futures it does nothing.
    pub fn take() -> Self {
        let ledger = thread::observed_span();
        if let Some(ledger) = &ledger {
            ledger.queue_entered(clock::now_ns());
        }
        Self(ledger)
    }

    fn leave(&mut self) {
        if let Some(ledger) = self.0.take() {
            ledger.queue_left(clock::now_ns());
        }
    }
}

impl Drop for QueuePlace {
    fn drop(&mut self) {
        self.leave();
    }
}
