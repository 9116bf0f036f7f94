//! A future that notes when it was woken.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use pin_project_lite::pin_project;

use crate::ledger::Woken;
use crate::thread::{self, TurnGuard};

/// [`tailspan`](Observe::tailspan) for every future.
pub trait Observe: Future + Sized {
    /// Notes when this future is woken and when it is polled, for the spans that are entered in its polls.
    ///
    /// One is enough for a task: the spans inside share it. Futures that run beside each other in one task (`join!`,
    /// `select!`) should each be observed, else a wake-up cannot be told to be one's or the other's.
    ///
    /// ```
    /// use tailspan::Observe as _;
    /// use tracing::Instrument as _;
    ///
    /// # async fn work() {}
    /// let observed = work().instrument(tracing::info_span!("work")).tailspan();
    /// # drop(observed);
    /// ```
    fn tailspan(self) -> Observed<Self> {
        Observed::new(self, Woken::default())
    }
}

impl<F: Future> Observe for F {}

pin_project! {
    /// A future whose wake-ups and polls are noted; made by [`Observe::tailspan`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Observed<F> {
        #[pin]
        inner: F,
        waker: Option<NotingWaker>,
        // Until there is a waker to note it: what makes the first poll due.
        due: Woken,
    }
}

impl<F> Observed<F> {
    fn new(inner: F, due: Woken) -> Self {
        Self {
            inner,
            waker: None,
            due,
        }
    }

    /// For futures that somebody has promised to poll at once: from now to the first poll is scheduling. A future that
    /// is only made, to be awaited later, is not waiting to run.
    #[cfg(any(feature = "tokio", feature = "tower"))]
    pub(crate) fn due_now(inner: F) -> Self {
        Self::new(inner, thread::woken_now())
    }
}

impl<F: Future> Future for Observed<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut woken = std::mem::take(this.due);
        if let Some(waker) = this.waker.as_ref() {
            woken = waker.note.take();
        }
        let waker = match this.waker {
            Some(waker) if waker.note.task.will_wake(context.waker()) => waker,
            // The first poll, or the future was moved to another task: wakers of the old one may still be about, and only
            // the newest has to wake.
            waker => waker.insert(NotingWaker::new(context.waker())),
        };
        let _turn = TurnGuard::begin(woken);
        this.inner.poll(&mut Context::from_waker(&waker.waker))
    }
}

#[derive(Debug)]
struct NotingWaker {
    note: Arc<WakeNote>,
    /// Of `note`, made once, so that the futures inside see the same waker at every poll.
    waker: Waker,
}

impl NotingWaker {
    fn new(task: &Waker) -> Self {
        let note = Arc::new(WakeNote {
            task: task.clone(),
            woken: AtomicU64::new(0),
            due: AtomicU64::new(0),
        });
        Self {
            waker: Waker::from(Arc::clone(&note)),
            note,
        }
    }
}

/// The task's waker never changes, so that waking takes no lock; a moved future gets a new note.
#[derive(Debug)]
struct WakeNote {
    task: Waker,
    /// The first wake-up since the last poll began, or 0.
    woken: AtomicU64,
    /// Since when it may have been due.
    due: AtomicU64,
}

impl WakeNote {
    /// A wake-up before the poll begins is answered by it; one after, even while it runs, asks for the next.
    fn take(&self) -> Woken {
        if self.woken.load(Ordering::Relaxed) == 0 {
            return Woken::default();
        }
        let at = self.woken.swap(0, Ordering::Acquire);
        Woken {
            at,
            due: self.due.load(Ordering::Relaxed),
        }
    }
}

// The moment is a number on its own, and the executor's own wake-to-poll ordering carries it; it brings `due` along. Of two
// wake-ups at once the one's moment may meet the other's `due`, which is as good.
impl Wake for WakeNote {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.woken.load(Ordering::Relaxed) == 0 {
            let Woken { at, due } = thread::woken_now();
            self.due.store(due, Ordering::Relaxed);
            let _ = self.woken.compare_exchange(0, at, Ordering::Release, Ordering::Relaxed);
        }
        self.task.wake_by_ref();
    }
}

#[cfg(test)]
#[path = "observed_tests.rs"]
mod tests;
