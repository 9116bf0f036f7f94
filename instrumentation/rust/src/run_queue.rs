//! How long the kernel has kept this thread waiting for a processor, as Linux counts it by thread.

use std::sync::atomic::{AtomicBool, Ordering};

static WATCHED: AtomicBool = AtomicBool::new(false);

/// What runs for less is not looked at, so that a thread reads the count about once a millisecond at most. The kernel takes
/// a processor away for some milliseconds.
const LOOK_AFTER_NS: u64 = 1_000_000;

/// For the life of the process: threads ask at every event.
pub(crate) fn watch() {
    WATCHED.store(true, Ordering::Relaxed);
}

/// A thread's last look at its count.
pub(crate) struct RunQueue {
    looked_at: u64,
    delay_ns: u64,
    last_event: u64,
    count: Option<Count>,
}

impl RunQueue {
    pub(crate) const fn new() -> Self {
        Self {
            looked_at: 0,
            delay_ns: 0,
            last_event: 0,
            count: None,
        }
    }

    /// At least how long of the time since the last event the thread waited for a processor.
    #[inline]
    pub(crate) fn waited_until(&mut self, now: u64) -> u64 {
        if !WATCHED.load(Ordering::Relaxed) {
            return 0;
        }
        let since = std::mem::replace(&mut self.last_event, now);
        if now.saturating_sub(self.looked_at) < LOOK_AFTER_NS {
            return 0;
        }
        self.look(since, now)
    }

    #[cold]
    fn look(&mut self, since: u64, now: u64) -> u64 {
        match self.count.get_or_insert_with(Count::open).read() {
            Some(delay_ns) => self.settle(delay_ns, since, now),
            None => 0,
        }
    }

    fn settle(&mut self, delay_ns: u64, since: u64, now: u64) -> u64 {
        let first = self.looked_at == 0;
        let waited = delay_ns.saturating_sub(self.delay_ns);
        // From the last look to the last event the thread may have waited too: that much is not this event's.
        let older = since.saturating_sub(self.looked_at);
        self.delay_ns = delay_ns;
        self.looked_at = now;
        if first {
            return 0;
        }
        waited.saturating_sub(older).min(now.saturating_sub(since))
    }
}

#[cfg(target_os = "linux")]
pub(crate) struct Count(Option<std::fs::File>);

#[cfg(target_os = "linux")]
impl Count {
    /// One file a thread, open as long as the thread lives.
    pub(crate) fn open() -> Self {
        Self(std::fs::File::open("/proc/thread-self/schedstat").ok())
    }

    /// The second of three numbers: nanoseconds on a run queue.
    pub(crate) fn read(&self) -> Option<u64> {
        use std::os::unix::fs::FileExt as _;

        let mut text = [0; 96];
        let length = self.0.as_ref()?.read_at(&mut text, 0).ok()?;
        let text = std::str::from_utf8(text.get(..length)?).ok()?;
        text.split_ascii_whitespace().nth(1)?.parse().ok()
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) struct Count;

#[cfg(not(target_os = "linux"))]
impl Count {
    pub(crate) fn open() -> Self {
        Self
    }

    pub(crate) fn read(&self) -> Option<u64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A thread that last looked at 1,000 with a delay of 500, and had its last event at `last_event`.
    fn waited(last_event: u64, now: u64, delay_ns: u64) -> u64 {
        let mut queue = RunQueue {
            looked_at: 1_000,
            delay_ns: 500,
            last_event,
            count: None,
        };
        queue.settle(delay_ns, last_event, now)
    }

    #[test]
    fn what_was_waited_since_the_last_look_is_the_events_less_what_may_be_older() {
        assert_eq!(waited(1_000, 9_000, 3_500), 3_000);
        assert_eq!(waited(2_000, 9_000, 3_500), 2_000);
        assert_eq!(waited(5_000, 9_000, 3_500), 0);
        assert_eq!(waited(1_000, 2_000, 9_999), 1_000, "never more than the time there was");
        assert_eq!(waited(1_000, 2_000, 0), 0, "a count that goes back");
    }
}
