//! How late a wake-up may be. Tokio looks at sockets and timers while a worker is parked, and what a worker then has to do it
//! does one after the other: a task that passes a wake-up on to a request may itself have waited, and nobody says so.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::runtime::Builder;

use crate::clock;
use crate::run_queue::Count;

/// Shorter stretches are a worker's usual turn.
const LEAST_NS: u64 = 200_000;
/// Stretches with less between them are one: what was ready in the first was not seen to between them. One that ended longer
/// before a wake-up did not delay it.
const PASSED_ON_WITHIN_NS: u64 = 500_000;
/// After a long one that is a quarter of it: what gathered in it is seen to one by one, and takes as long as workers are busy anyway.
const SEEN_TO_SHARE: u64 = 4;

/// How many stretches are remembered: at least 50 ms of a process whose workers never park.
const REMEMBERED: usize = 256;

static WATCHED: AtomicBool = AtomicBool::new(false);
static WORKERS: Workers = Workers(AtomicU64::new(0));
static UNWATCHED: Latest = Latest {
    from: AtomicU64::new(0),
    to: AtomicU64::new(0),
};
static STRETCHES: Mutex<Stretches> = Mutex::new(Stretches(VecDeque::new()));

thread_local! {
    static WORKER: RefCell<Worker> = const { RefCell::new(Worker::new()) };
}

/// Watches the workers of the runtime that `builder` builds: when none of them looked at sockets and timers, all being busy,
/// blocked, or kept from the processor by the kernel, and for how long each was busy with requests. Spans that waited meanwhile
/// say so (`tailspan.unwatched_ns`): their waits were over, or what they wait for was begun, later by at most that much. What a
/// span waited for otherwise is then known to be no lateness of this process (`tailspan.blocked_ns`).
///
/// It uses the builder's `on_thread_park` and `on_thread_unpark`, of which a runtime has one each. Watch one runtime of a
/// process, the one that serves.
///
/// ```
/// let mut builder = tokio::runtime::Builder::new_multi_thread();
/// let runtime = tailspan::watch_workers(&mut builder).enable_all().build();
/// # drop(runtime);
/// ```
pub fn watch_workers(builder: &mut Builder) -> &mut Builder {
    clock::prepare();
    WATCHED.store(true, Ordering::Relaxed);
    builder.on_thread_park(parks).on_thread_unpark(unparks)
}

/// A thread of a watched runtime, from the first time that it parks.
struct Worker {
    parked: bool,
    parked_at: u64,
    /// How long it had waited for a processor when it parked.
    delay_ns: u64,
    count: Option<Count>,
    is_worker: bool,
    busy: Stretch,
}

impl Worker {
    const fn new() -> Self {
        Self {
            parked: false,
            parked_at: 0,
            delay_ns: 0,
            count: None,
            is_worker: false,
            busy: Stretch { from: 0, to: 0 },
        }
    }

    fn read_delay(&mut self) -> u64 {
        self.count.get_or_insert_with(Count::open).read().unwrap_or(0)
    }

    /// Since when the kernel has kept it from the processor after a sleep that is over now.
    fn kept_since(&mut self, now: u64) -> u64 {
        // A short sleep cannot have ended late by much, and the count need not be read.
        if now.saturating_sub(self.parked_at) < LEAST_NS {
            return now;
        }
        let late = self.read_delay().saturating_sub(self.delay_ns);
        now - late.min(now - self.parked_at)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    from: u64,
    to: u64,
}

impl Stretch {
    /// With one that came after it; where the two are apart, only that one.
    fn followed_by(self, next: Self) -> Self {
        Self {
            from: self.led_up_to(next.from),
            to: next.to,
        }
    }

    /// Since when a wake-up at `now` may have been due.
    fn led_up_to(self, now: u64) -> u64 {
        let seen_to_within = PASSED_ON_WITHIN_NS.max(self.length() / SEEN_TO_SHARE);
        if self.to > 0 && now.saturating_sub(self.to) <= seen_to_within {
            self.from.min(now)
        } else {
            now
        }
    }

    fn length(self) -> u64 {
        self.to.saturating_sub(self.from)
    }

    fn is_short(self) -> bool {
        self.length() < LEAST_NS
    }
}

/// The latest stretches without anybody looking, in order and disjoint.
struct Stretches(VecDeque<Stretch>);

impl Stretches {
    /// They are added as they end.
    fn add(&mut self, mut stretch: Stretch) {
        while self.0.back().is_some_and(|last| last.from >= stretch.from) {
            self.0.pop_back();
        }
        if let Some(last) = self.0.back() {
            stretch.from = stretch.from.max(last.to);
        }
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(stretch);
    }

    fn within(&self, from: u64, to: u64) -> u64 {
        self.0
            .iter()
            .rev()
            .take_while(|stretch| stretch.to > from)
            .map(|stretch| stretch.to.min(to).saturating_sub(stretch.from.max(from)))
            .sum()
    }
}

fn stretches() -> MutexGuard<'static, Stretches> {
    STRETCHES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The latest stretch without anybody looking; the two words are read apart, and a reader that meets a change sees a stretch
/// that is too short or has not ended, never one that was not.
struct Latest {
    from: AtomicU64,
    to: AtomicU64,
}

impl Latest {
    fn read(&self) -> Stretch {
        let to = self.to.load(Ordering::Acquire);
        let from = self.from.load(Ordering::Acquire);
        Stretch { from: from.min(to), to }
    }

    fn note(&self, stretch: Stretch) {
        let all = self.read().followed_by(stretch);
        self.to.store(0, Ordering::Release);
        self.from.store(all.from, Ordering::Release);
        self.to.store(all.to, Ordering::Release);
    }
}

fn note(stretch: Stretch) {
    if !stretch.is_short() {
        UNWATCHED.note(stretch);
        stretches().add(stretch);
    }
}

fn with<R>(f: impl FnOnce(&mut Worker) -> R) -> Option<R> {
    WORKER
        .try_with(|worker| worker.try_borrow_mut().ok().map(|mut worker| f(&mut worker)))
        .ok()
        .flatten()
}

fn parks() {
    let now = clock::now_ns();
    if let Some(since) = WORKERS.park().filter(|since| *since > 0) {
        note(Stretch { from: since, to: now });
    }
    with(|worker| {
        worker.is_worker = true;
        worker.parked = true;
        worker.parked_at = now;
        worker.delay_ns = worker.read_delay();
    });
}

fn unparks() {
    let now = clock::now_ns();
    WORKERS.unpark(now);
    with(|worker| {
        worker.parked = false;
        let from = worker.kept_since(now);
        note(Stretch { from, to: now });
    });
}

/// This thread ran spans from one moment to another: what else it had to do waited.
pub(crate) fn was_busy(from: u64, to: u64) {
    let stretch = Stretch { from, to };
    if stretch.is_short() {
        return;
    }
    with(|worker| {
        if worker.is_worker {
            worker.busy = worker.busy.followed_by(stretch);
        }
    });
}

/// Since when a wake-up that comes now, on this thread and from no request's own code, may have been due; `now` when it is not late.
pub(crate) fn due_since(now: u64) -> u64 {
    with(|worker| {
        if !worker.is_worker {
            return now;
        }
        let unwatched = UNWATCHED.read().led_up_to(now);
        let own = if worker.parked {
            worker.kept_since(now)
        } else {
            worker.busy.led_up_to(now)
        };
        unwatched.min(own)
    })
    .unwrap_or(now)
}

/// For how long between two moments nobody looked.
pub(crate) fn unwatched_within(from: u64, to: u64) -> u64 {
    if to.saturating_sub(from) < LEAST_NS || UNWATCHED.to.load(Ordering::Acquire) <= from {
        return 0;
    }
    stretches().within(from, to)
}

/// Whether workers are watched at all.
pub(crate) fn is_watched() -> bool {
    WATCHED.load(Ordering::Relaxed)
}

/// How many workers are parked, and since when none is: one word, so that both change at once.
struct Workers(AtomicU64);

/// Since when none is, in units of 256 ns, stands above this many bits for the number of the parked.
const PARKED_BITS: u32 = 14;
const PARKED_MASK: u64 = (1 << PARKED_BITS) - 1;
const UNIT_BITS: u32 = 8;

impl Workers {
    /// Since when no worker was parked, from the first that parks.
    fn park(&self) -> Option<u64> {
        let before = self.0.fetch_add(1, Ordering::AcqRel);
        (before & PARKED_MASK == 0).then_some((before >> PARKED_BITS) << UNIT_BITS)
    }

    fn unpark(&self, now: u64) {
        let since = (now >> UNIT_BITS) << PARKED_BITS;
        // Of the others nobody asks since when: the number alone counts.
        let _ = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |word| match word & PARKED_MASK {
                0 => None,
                1 => Some(since),
                _ => Some(word - 1),
            });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const LONG: Stretch = Stretch {
        from: 10 * MS,
        to: 20 * MS,
    };

    #[test]
    fn a_wake_up_right_after_a_stretch_may_have_been_due_since_it_began() {
        assert_eq!(LONG.led_up_to(20 * MS), 10 * MS);
        assert_eq!(LONG.led_up_to(20 * MS + 400_000), 10 * MS);
        assert_eq!(LONG.led_up_to(22 * MS), 10 * MS, "there was much to see to");
        assert_eq!(LONG.led_up_to(23 * MS), 23 * MS, "somebody had looked by then");
        let short = Stretch {
            from: 19 * MS,
            to: 20 * MS,
        };
        assert_eq!(short.led_up_to(21 * MS), 21 * MS);
    }

    #[test]
    fn stretches_with_next_to_nothing_between_them_are_one() {
        let next = Stretch {
            from: 20 * MS + 100,
            to: 30 * MS,
        };
        assert_eq!(
            LONG.followed_by(next),
            Stretch {
                from: 10 * MS,
                to: 30 * MS
            }
        );
        let later = Stretch {
            from: 25 * MS,
            to: 30 * MS,
        };
        assert_eq!(LONG.followed_by(later), later);
    }

    #[test]
    fn a_wait_hears_of_every_stretch_that_fell_into_it() {
        let mut stretches = Stretches(VecDeque::new());
        for (from, to) in [(10, 20), (30, 40), (38, 50), (60, 70), (55, 80)] {
            stretches.add(Stretch { from, to });
        }
        assert_eq!(
            stretches.within(0, 100),
            10 + 20 + 25,
            "time that two of them cover counts once"
        );
        assert_eq!(stretches.within(15, 35), 5 + 5);
        assert_eq!(stretches.within(80, 100), 0);
    }

    #[test]
    fn stretches_are_forgotten_oldest_first() {
        let mut stretches = Stretches(VecDeque::new());
        for at in 0..2 * REMEMBERED as u64 {
            stretches.add(Stretch {
                from: 2 * at,
                to: 2 * at + 1,
            });
        }
        assert_eq!(stretches.within(0, u64::MAX), REMEMBERED as u64);
    }

    #[test]
    fn a_worker_that_never_parked_is_none_of_the_watched() {
        was_busy(0, 10 * MS);
        assert_eq!(due_since(10 * MS), 10 * MS);
    }

    #[test]
    fn the_first_worker_that_parks_hears_since_when_none_was() {
        let workers = Workers(AtomicU64::new(0));
        assert_eq!(workers.park(), Some(0), "the runtime starts");
        assert_eq!(workers.park(), None);
        workers.unpark(7 << 20);
        workers.unpark(9 << 20);
        assert_eq!(workers.park(), Some(9 << 20));
        assert_eq!(workers.park(), None);
    }
}
