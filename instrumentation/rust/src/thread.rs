//! What a thread is doing: which spans are entered on it, and which observed future it is polling.

use std::cell::RefCell;
use std::sync::Arc;

use crate::counters;
use crate::ledger::{Claim, Ledger, Polled, Woken};
use crate::run_queue::RunQueue;
use crate::{alloc, arrival, clock, watch};

thread_local! {
    static THREAD: RefCell<Thread> = const { RefCell::new(Thread {
        entered: Vec::new(),
        turn: None,
        allocator_seen: 0,
        running_since: 0,
        run_queue: RunQueue::new(),
    }) };
}

struct Thread {
    entered: Vec<Entered>,
    /// The innermost observed poll under way.
    turn: Option<Turn>,
    /// The thread's allocator time that is already booked.
    allocator_seen: u64,
    /// When the first of the spans was entered.
    running_since: u64,
    run_queue: RunQueue,
}

struct Entered {
    id: u64,
    ledger: Arc<Ledger>,
}

/// One poll of an observed future.
struct Turn {
    polled: Polled,
    resumed: Resumed,
    entered_before: usize,
}

/// Whom the wake-up was for. The first span found idle is it, unless this poll resumes a second one (`join!` polls
/// every branch, whichever was woken): then nobody can tell, and nothing is booked. A span that the poll brought to its
/// end was surely woken, and no other is.
enum Resumed {
    Nobody,
    One(Arc<Ledger>, Claim),
    Several,
    Ended,
}

impl Turn {
    fn offer(&mut self, ledger: &Arc<Ledger>, claim: Claim) {
        if claim.is_nothing() {
            return;
        }
        match &mut self.resumed {
            Resumed::Nobody => self.resumed = Resumed::One(Arc::clone(ledger), claim),
            Resumed::One(one, booked) if Arc::ptr_eq(one, ledger) => *booked += claim,
            Resumed::One(..) => {
                counters::count(&counters::AMBIGUOUS_WAKES);
                self.resumed = Resumed::Several;
            }
            Resumed::Several | Resumed::Ended => {}
        }
    }

    fn settle(&mut self) {
        if let Resumed::One(ledger, claim) = std::mem::replace(&mut self.resumed, Resumed::Nobody) {
            ledger.book_claim(claim);
        }
    }

    /// A future inside `ledger`'s span is observed by itself and knows better whether the span was woken.
    fn give_back(&mut self, ledger: &Arc<Ledger>) {
        if let Resumed::One(one, claim) = &self.resumed
            && Arc::ptr_eq(one, ledger)
        {
            one.unclaim(*claim);
            self.resumed = Resumed::Nobody;
        }
    }
}

impl Thread {
    /// Books what the thread knows of the time since its last event to the span that was running in it. Before every
    /// change of a ledger: it belongs to the state that ends now.
    fn flush(&mut self, now: u64) {
        let total = alloc::thread_total_ns();
        let allocator = total.wrapping_sub(self.allocator_seen);
        self.allocator_seen = total;
        let preempted = self.run_queue.waited_until(now);
        let Some(top) = self.entered.last() else { return };
        if allocator > 0 {
            top.ledger.book_allocator(allocator);
        }
        if preempted > 0 {
            top.ledger.book_preempted(preempted);
        }
    }

    fn top(&self) -> Option<&Arc<Ledger>> {
        self.entered.last().map(|entered| &entered.ledger)
    }
}

/// `None` while the thread is being torn down, or from within one of these functions.
fn with<R>(f: impl FnOnce(&mut Thread) -> R) -> Option<R> {
    THREAD
        .try_with(|thread| thread.try_borrow_mut().ok().map(|mut thread| f(&mut thread)))
        .ok()
        .flatten()
}

pub(crate) fn span_entered(id: u64, ledger: Arc<Ledger>) {
    with(|thread| {
        let now = clock::now_ns();
        thread.flush(now);
        let polled = thread.turn.as_ref().map(|turn| turn.polled);
        let claim = ledger.enter(now, polled);
        if let Some(turn) = &mut thread.turn {
            turn.offer(&ledger, claim);
        }
        if thread.entered.is_empty() {
            thread.running_since = now;
        }
        thread.entered.push(Entered { id, ledger });
        alloc::set_thread_timed(true);
    });
}

pub(crate) fn span_exited(id: u64) {
    with(|thread| {
        let now = clock::now_ns();
        thread.flush(now);
        // From the top: guards dropped out of order are rare, and the innermost enter of a span is the one that ends.
        let Some(at) = thread.entered.iter().rposition(|entered| entered.id == id) else {
            return;
        };
        let exited = thread.entered.remove(at);
        exited.ledger.exit(now);
        if thread.entered.is_empty() {
            watch::was_busy(thread.running_since, now);
        }
        alloc::set_thread_timed(!thread.entered.is_empty());
    });
}

/// The span closes, maybe within the poll that its wake-up led to: its scheduling time is handed on now or never.
pub(crate) fn span_closed(ledger: &Arc<Ledger>) {
    with(|thread| {
        thread.flush(clock::now_ns());
        if let Some(turn) = &mut thread.turn
            && matches!(&turn.resumed, Resumed::One(one, _) if Arc::ptr_eq(one, ledger))
        {
            turn.settle();
            turn.resumed = Resumed::Ended;
        }
    });
}

/// A child of `parent` opens or closes, which may be running on this thread.
pub(crate) fn child_changes(parent: &Ledger, change: fn(&Ledger, u64)) {
    let now = clock::now_ns();
    with(|thread| thread.flush(now));
    change(parent, now);
}

/// The span running here, if an observed future is being polled.
pub(crate) fn observed_span() -> Option<Arc<Ledger>> {
    with(|thread| {
        thread.turn.as_ref()?;
        thread.top().cloned()
    })
    .flatten()
}

/// A wake-up of an observed future, now. One from another's poll comes from where its reason is; one from a task that nobody
/// observes, or from the runtime itself, may be late.
pub(crate) fn woken_now() -> Woken {
    let at = clock::now_ns();
    let from_a_poll = with(|thread| thread.turn.is_some()).unwrap_or(true);
    let due = if from_a_poll { at } else { watch::due_since(at) };
    Woken { at, due }
}

/// How late a request may be that begins now on this thread: since it arrived, as the kernel says, or else since what led to this
/// poll may have been due. `None` where nobody knows.
pub(crate) fn unwatched_until_now() -> Option<u64> {
    let now = clock::now_ns();
    if let Some(arrived) = arrival::take() {
        return Some(now.saturating_sub(arrived));
    }
    if !watch::is_watched() {
        return None;
    }
    let woken = with(|thread| thread.turn.as_ref().map(|turn| turn.polled.woken)).flatten();
    let due = match woken {
        Some(Woken { at: 0, .. }) => now,
        Some(Woken { due, .. }) => due,
        None => watch::due_since(now),
    };
    Some(now.saturating_sub(due))
}

/// One poll of an observed future, from creation to drop.
pub(crate) struct TurnGuard {
    outer: Option<Turn>,
    begun: bool,
}

impl TurnGuard {
    pub(crate) fn begin(woken: Woken) -> Self {
        let outer = with(|thread| {
            let mut turn = Turn {
                polled: Polled {
                    woken,
                    // Without a wake-up nothing is claimed up to here, and the clock need not be read.
                    begun: if woken.at == 0 { u64::MAX } else { clock::now_ns() },
                },
                resumed: Resumed::Nobody,
                entered_before: thread.entered.len(),
            };
            // The span may be around the future and not in it: `future.tailspan().instrument(span)`.
            if let Some(around) = thread.entered.last().map(|entered| Arc::clone(&entered.ledger)) {
                if let Some(outer) = &mut thread.turn {
                    outer.give_back(&around);
                }
                turn.offer(&around, around.claim(woken));
            }
            thread.turn.replace(turn)
        });
        Self {
            begun: outer.is_some(),
            outer: outer.flatten(),
        }
    }
}

impl Drop for TurnGuard {
    fn drop(&mut self) {
        if !self.begun {
            return;
        }
        let outer = self.outer.take();
        with(|thread| {
            let Some(mut turn) = std::mem::replace(&mut thread.turn, outer) else {
                return;
            };
            turn.settle();
            if thread.entered.len() > turn.entered_before {
                thread.flush(clock::now_ns());
                for left in thread.entered.drain(turn.entered_before..) {
                    left.ledger.mark_held_across_await();
                }
                alloc::set_thread_timed(!thread.entered.is_empty());
            }
        });
    }
}

#[cfg(test)]
pub(crate) fn woken_of_this_turn() -> Option<u64> {
    with(|thread| thread.turn.as_ref().map(|turn| turn.polled.woken.at)).flatten()
}
