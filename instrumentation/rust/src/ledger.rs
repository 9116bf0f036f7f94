//! What one span's own time went to.
//!
//! ```text
//! span    |=================================================|
//! child         |=======|                                        covered: the child's, never booked here
//! entered |#####|       |##|                    |####|           busy = processing + allocator
//! waiting                  |.........|                           queue_wait: inside a `queue_wait` future
//! woken                              |::::::::::|                scheduling: woken, not yet polled
//! ```
//!
//! Time is integrated by state, and `settled` only moves forward, so every nanosecond is booked at most once and the
//! four sums can never exceed the span's self time. The ledger reads no clock: moments come in as numbers.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::watch;

/// Shared between the span, the threads that enter it, and the queues its requests stand in.
#[derive(Debug)]
pub(crate) struct Ledger(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    /// All time before this moment is booked or given up.
    settled: u64,
    entered: u32,
    open_children: u32,
    queues: u32,
    gap: Gap,
    busy: u64,
    /// Neither running nor in a queue, what is scheduling taken out.
    idle: u64,
    allocator: u64,
    preempted: u64,
    scheduling: u64,
    unwatched: u64,
    queue_wait: u64,
    ever_entered: bool,
    observed: bool,
    held_across_await: bool,
}

/// The idle time just before the span was last entered, as far as its task was not being polled either: the only time a
/// wake-up may still be charged to.
#[derive(Debug, Default)]
struct Gap {
    from: u64,
    /// What lies between here and the end of the gap is claimed.
    claimed_from: u64,
    /// Up to here it is claimed how late its wake-up may have been.
    asked_until: u64,
    booked_as_queue: bool,
}

/// What a wake-up claims of a gap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claim {
    /// From the wake-up on.
    pub(crate) scheduling: u64,
    /// Before it: it may have been as late.
    pub(crate) unwatched: u64,
}

impl Claim {
    pub(crate) fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

impl std::ops::AddAssign for Claim {
    fn add_assign(&mut self, other: Self) {
        self.scheduling += other.scheduling;
        self.unwatched += other.unwatched;
    }
}

/// The poll of an observed future in which a span is entered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Polled {
    pub(crate) woken: Woken,
    /// From here on the task was running, whichever span it was in. In the far future when nobody asked.
    pub(crate) begun: u64,
}

/// A wake-up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Woken {
    /// 0: there was none.
    pub(crate) at: u64,
    /// Since when it may have been due.
    pub(crate) due: u64,
}

impl Woken {
    /// How long of a wait that it ended nobody had time for what was waited for: up to it, since it may have been due, and before
    /// that, when another task of the process may have stood in the way (the one that sends the request, say).
    fn unwatched_within(self, from: u64, to: u64) -> u64 {
        let due = self.due.clamp(from, from.max(to));
        to.saturating_sub(due) + watch::unwatched_within(from, due)
    }
}

/// Nanoseconds of a span's own self time: the time in which none of its child spans was open.
///
/// A field is `None` when nothing could have measured it: the span was in no observed future, or allocations are not
/// timed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpanTimes {
    /// Waiting for a turn inside [`queue_wait`](crate::queue_wait) and the wrappers built on it.
    pub queue_wait_ns: Option<u64>,
    /// Ready to run and not running: woken (or spawned) and not yet polled, and, where it is
    /// [watched](crate::SpanLayer::with_preemption), polled on a thread that the kernel kept waiting.
    pub scheduling_ns: Option<u64>,
    /// Waiting while no worker had time for what it waited for: the wait was longer for it by at most this much. It is part of
    /// no other amount. `None` when there was none, or workers are not [watched](crate::watch_workers).
    pub unwatched_ns: Option<u64>,
    /// Waiting for something else: a peer, a timer. `None` when workers are not watched, because the wait may then have been
    /// lateness that nobody noticed.
    pub blocked_ns: Option<u64>,
    /// The same before the span, of one without a parent in the process: by at most this much what it answers was there
    /// before it. It is no part of the span. Exactly so where arrivals are [stamped](crate::Stamped).
    pub unwatched_before_ns: Option<u64>,
    /// In the allocator, while the span was running.
    pub allocator_ns: Option<u64>,
    /// Running, without the time in the allocator.
    pub processing_ns: Option<u64>,
}

impl SpanTimes {
    /// Of a span that stands for a peer: what its task ran meanwhile is part of what the call costs.
    pub(crate) fn of_call(self) -> Self {
        Self {
            allocator_ns: None,
            processing_ns: None,
            ..self
        }
    }
}

impl Book {
    fn settle(&mut self, now: u64) {
        let elapsed = now.saturating_sub(self.settled);
        if self.open_children == 0 {
            if self.entered > 0 {
                self.busy += elapsed;
            } else if self.queues > 0 {
                self.queue_wait += elapsed;
            } else {
                self.idle += elapsed;
            }
        }
        self.settled = self.settled.max(now);
    }

    /// Takes the part of the last gap after `woken` out of the books, for the caller to book as scheduling.
    fn claim(&mut self, woken: Woken) -> Claim {
        self.observed = true;
        if woken.at == 0 {
            return Claim::default();
        }
        let from = woken.at.max(self.gap.from);
        let scheduling = self.gap.claimed_from.saturating_sub(from);
        self.gap.claimed_from -= scheduling;
        if self.gap.booked_as_queue {
            self.queue_wait -= scheduling;
            // Turns are passed on by those who had them: no socket had to be looked at.
            return Claim {
                scheduling,
                unwatched: 0,
            };
        }
        self.idle -= scheduling;
        let until = woken.at.min(self.gap.claimed_from);
        let unwatched = woken.unwatched_within(self.gap.asked_until, until);
        self.gap.asked_until = self.gap.asked_until.max(until);
        Claim { scheduling, unwatched }
    }
}

impl Ledger {
    pub(crate) fn new(created: u64) -> Self {
        Self(Mutex::new(Book {
            settled: created,
            ..Book::default()
        }))
    }

    // Nothing below can panic between two related writes, so a poisoned book is still a consistent one.
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The span starts running on a thread, in a poll of an observed future or outside of any.
    /// Returns what the wake-up claims of the idle time before; see [`Ledger::claim`].
    pub(crate) fn enter(&self, now: u64, polled: Option<Polled>) -> Claim {
        let mut book = self.book();
        if book.entered == 0 {
            let idle_and_leaf = book.open_children == 0;
            let from = book.settled;
            let until = polled.map_or(now, |polled| polled.begun.min(now)).max(from);
            // From there to now the task was running, though not yet in this span: neither idle nor in a queue.
            book.settle(until);
            book.settled = book.settled.max(now);
            let from = if idle_and_leaf { from } else { until };
            book.gap = Gap {
                from,
                asked_until: from,
                claimed_from: until,
                booked_as_queue: idle_and_leaf && book.queues > 0,
            };
        } else {
            book.settle(now);
        }
        book.entered += 1;
        book.ever_entered = true;
        polled.map_or_else(Claim::default, |polled| book.claim(polled.woken))
    }

    pub(crate) fn exit(&self, now: u64) {
        let mut book = self.book();
        book.settle(now);
        book.entered = book.entered.saturating_sub(1);
    }

    pub(crate) fn child_opened(&self, now: u64) {
        let mut book = self.book();
        book.settle(now);
        book.open_children += 1;
    }

    pub(crate) fn child_closed(&self, now: u64) {
        let mut book = self.book();
        book.settle(now);
        book.open_children = book.open_children.saturating_sub(1);
    }

    pub(crate) fn queue_entered(&self, now: u64) {
        let mut book = self.book();
        book.settle(now);
        book.queues += 1;
    }

    pub(crate) fn queue_left(&self, now: u64) {
        let mut book = self.book();
        book.settle(now);
        book.queues = book.queues.saturating_sub(1);
    }

    /// What a wake-up at `woken` claims of the idle time before the span was last entered. The amount is in no book
    /// until it is given to [`Ledger::book_claim`] or back to [`Ledger::unclaim`].
    pub(crate) fn claim(&self, woken: Woken) -> Claim {
        self.book().claim(woken)
    }

    /// Undoes the latest [`Ledger::claim`] since the span was last entered.
    pub(crate) fn unclaim(&self, claim: Claim) {
        let mut book = self.book();
        book.gap.claimed_from += claim.scheduling;
        book.gap.asked_until = book.gap.from;
        if book.gap.booked_as_queue {
            book.queue_wait += claim.scheduling;
        } else {
            book.idle += claim.scheduling;
        }
    }

    pub(crate) fn book_claim(&self, claim: Claim) {
        let mut book = self.book();
        book.scheduling += claim.scheduling;
        book.unwatched += claim.unwatched;
    }

    /// Time a thread spent in the allocator since its last event, all of it with this span running there.
    pub(crate) fn book_allocator(&self, amount: u64) {
        let mut book = self.book();
        if book.open_children == 0 && book.entered > 0 {
            book.allocator += amount;
        }
    }

    /// Time a thread waited for a processor since its last event, all of it with this span running there.
    pub(crate) fn book_preempted(&self, amount: u64) {
        let mut book = self.book();
        if book.open_children == 0 && book.entered > 0 {
            book.preempted += amount;
        }
    }

    /// The span was left entered while its task was not running: what it counts since is not its own.
    pub(crate) fn mark_held_across_await(&self) {
        self.book().held_across_await = true;
    }

    pub(crate) fn held_across_await(&self) -> bool {
        self.book().held_across_await
    }

    /// `None` when the span never ran, or its running time cannot be told.
    pub(crate) fn times(&self, allocations_timed: bool) -> Option<SpanTimes> {
        let book = self.book();
        if !book.ever_entered || book.held_across_await {
            return None;
        }
        // Sampled allocations are multiplied up, and on a short span one of them can stand for more than all it ran.
        let allocator = book.allocator.min(book.busy);
        let preempted = book.preempted.min(book.busy - allocator);
        Some(SpanTimes {
            queue_wait_ns: book.observed.then_some(book.queue_wait),
            scheduling_ns: (book.observed || preempted > 0).then_some(book.scheduling + preempted),
            unwatched_before_ns: None,
            unwatched_ns: (book.unwatched > 0).then_some(book.unwatched),
            blocked_ns: (book.observed && watch::is_watched()).then_some(book.idle.saturating_sub(book.unwatched)),
            allocator_ns: allocations_timed.then_some(allocator),
            processing_ns: Some(book.busy - allocator - preempted),
        })
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
