use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use pin_project_lite::pin_project;

use crate::clock::now_ns;
use crate::layer::current;
use crate::record::{SpanRecord, Wait, Waiting};
use crate::recording;

/// Wraps the body of a span's future: it must be polled with the span entered.
pub fn within<F: Future>(inner: F) -> Within<F> {
    Within::new(inner, false)
}

/// As [`within`], for the body of a task that was handed to the runtime when its span was made: until the first
/// poll the task was ready to run and did not.
pub fn spawned<F: Future>(inner: F) -> Within<F> {
    Within::new(inner, true)
}

/// Waits inside `inner` are for a worker, a pool slot or a semaphore.
pub fn queued<F: Future>(inner: F) -> Labelled<F> {
    Labelled {
        inner,
        waiting: Waiting::Queue,
        ready_by: None,
    }
}

/// Waits inside `inner` are over at `ready_by` (Unix nanoseconds) at the latest, whenever the task is woken: a timer.
pub fn until<F: Future>(ready_by: u64, inner: F) -> Labelled<F> {
    Labelled {
        inner,
        waiting: Waiting::Unsaid,
        ready_by: Some(ready_by),
    }
}

pin_project! {
    /// See [`within`].
    pub struct Within<F> {
        #[pin]
        inner: F,
        spawned: bool,
        watch: Option<Watch>,
    }
}

struct Watch {
    record: Arc<SpanRecord>,
    note: Arc<WakeNote>,
    waker: Waker,
}

/// A waker that remembers when it was first called since the last poll.
struct WakeNote {
    woken: AtomicU64,
    outer: Mutex<Waker>,
}

impl WakeNote {
    fn follow(&self, waker: &Waker) {
        let mut outer = self.lock();
        if !outer.will_wake(waker) {
            outer.clone_from(waker);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waker> {
        self.outer
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn take_woken(&self) -> Option<u64> {
        match self.woken.swap(0, Ordering::AcqRel) {
            0 => None,
            woken => Some(woken),
        }
    }
}

impl Wake for WakeNote {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Only the first call since the last poll counts; a later one finds the note taken.
        let _ = self
            .woken
            .compare_exchange(0, now_ns(), Ordering::AcqRel, Ordering::Relaxed);
        let outer = self.lock().clone();
        outer.wake();
    }
}

impl<F> Within<F> {
    fn new(inner: F, spawned: bool) -> Self {
        Self {
            inner,
            spawned,
            watch: None,
        }
    }
}

impl Watch {
    fn start(waker: &Waker, spawned: bool) -> Option<Self> {
        let record = current()?;
        if spawned {
            record.timeline().add_wait(Wait {
                start: record.created,
                end: now_ns(),
                ready: record.created,
                waiting: Waiting::Unsaid,
            });
        }
        let note = Arc::new(WakeNote {
            woken: AtomicU64::new(0),
            outer: Mutex::new(waker.clone()),
        });
        let waker = Waker::from(note.clone());
        Some(Self {
            record,
            note,
            waker,
        })
    }
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if !recording() {
            return this.inner.poll(context);
        }
        if this.watch.is_none() {
            *this.watch = Watch::start(context.waker(), *this.spawned);
        }
        let Some(watch) = this.watch else {
            return this.inner.poll(context);
        };
        watch.note.follow(context.waker());
        let woken = watch.note.take_woken();
        watch.record.timeline().close_wait(now_ns(), woken);
        let polled = this.inner.poll(&mut Context::from_waker(&watch.waker));
        if polled.is_pending() {
            watch.record.timeline().open_wait(now_ns());
        }
        polled
    }
}

pin_project! {
    /// See [`queued`] and [`until`].
    pub struct Labelled<F> {
        #[pin]
        inner: F,
        waiting: Waiting,
        ready_by: Option<u64>,
    }
}

impl<F: Future> Future for Labelled<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let polled = this.inner.poll(context);
        if polled.is_pending()
            && recording()
            && let Some(record) = current()
        {
            record.timeline().say(*this.waiting, *this.ready_by);
        }
        polled
    }
}
