//! Nanoseconds on a monotonic clock, as integers that fit an atomic.
//!
//! A poll reads the clock about three times, and where the operating system's clock costs 25 to 100 ns that would be most
//! of what observing costs. So the processor's time stamp counter is read directly where Linux itself trusts it to be
//! constant and the same on all processors, with its rate measured once; everywhere else it is `Instant`.

use std::sync::LazyLock;
use std::time::Instant;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Nanoseconds since the first use in this process, never 0: 0 stands for "no such moment" wherever moments are kept.
#[inline]
pub(crate) fn now_ns() -> u64 {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    if let Some(counter) = counter::COUNTER.get() {
        return counter.now_ns();
    }
    os_now_ns()
}

fn os_now_ns() -> u64 {
    u64::try_from(START.elapsed().as_nanos())
        .unwrap_or(u64::MAX)
        .saturating_add(1)
}

/// Measures the counter's rate, if there is a counter to trust; sleeps for some milliseconds the first time.
///
/// Moments from before and after are on one scale, so nothing needs to wait for this.
pub(crate) fn prepare() {
    LazyLock::force(&START);
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    counter::prepare();
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod counter {
    use std::sync::{Mutex, OnceLock, PoisonError};
    use std::time::Duration;

    /// With some 100 ns of error at either end, the rate is right to about 20 in a million.
    const MEASURED_FOR: Duration = Duration::from_millis(10);

    pub(super) static COUNTER: OnceLock<Counter> = OnceLock::new();

    pub(super) struct Counter {
        base_ticks: u64,
        base_ns: u64,
        /// Nanoseconds a tick, times 2^32.
        rate: u64,
    }

    impl Counter {
        #[inline]
        pub(super) fn now_ns(&self) -> u64 {
            // A processor whose counter is a little behind reads as the base, not as the far future.
            let ticks = u128::from(ticks().saturating_sub(self.base_ticks));
            let ns = (ticks * u128::from(self.rate)) >> 32;
            self.base_ns + ns as u64
        }
    }

    #[inline]
    fn ticks() -> u64 {
        // SAFETY: every x86_64 processor has the instruction; Linux lets user code use it unless a process asks
        // otherwise (PR_SET_TSC), and `Instant` would fault there just the same.
        unsafe { core::arch::x86_64::_rdtsc() }
    }

    pub(super) fn prepare() {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        if COUNTER.get().is_some() || !trusted() {
            return;
        }
        let (first_ticks, first_ns) = both_clocks();
        std::thread::sleep(MEASURED_FOR);
        let (base_ticks, base_ns) = both_clocks();
        let ticks = u128::from(base_ticks.saturating_sub(first_ticks));
        let ns = u128::from(base_ns.saturating_sub(first_ns));
        // Counters run at 0.5 to 10 ticks a nanosecond; anything else was no constant counter.
        if let Some(rate) = (ns << 32).checked_div(ticks).and_then(|rate| u64::try_from(rate).ok())
            && (1 << 28..1 << 33).contains(&rate)
        {
            let _ = COUNTER.set(Counter {
                base_ticks,
                base_ns,
                rate,
            });
        }
    }

    /// Whether the kernel keeps its own time by the counter, which it does after having checked it.
    fn trusted() -> bool {
        std::fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource")
            .is_ok_and(|source| source.trim() == "tsc")
    }

    /// Both clocks at nearly one moment: of some tries the one least disturbed.
    fn both_clocks() -> (u64, u64) {
        let tries = (0..16).map(|_| {
            let before = ticks();
            let ns = super::os_now_ns();
            let after = ticks();
            (
                after.wrapping_sub(before),
                before.wrapping_add(after.wrapping_sub(before) / 2),
                ns,
            )
        });
        let best = tries.min_by_key(|(width, ..)| *width);
        best.map_or((0, 0), |(_, ticks, ns)| (ticks, ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn it_keeps_pace_with_the_operating_systems_clock() {
        prepare();
        let (instant, ours) = (Instant::now(), now_ns());
        std::thread::sleep(Duration::from_millis(50));
        let ours = Duration::from_nanos(now_ns() - ours);
        let theirs = instant.elapsed();
        // Between the two readings the thread may lose its processor, ours is only ever the shorter by that.
        assert!(
            ours >= Duration::from_millis(50) - Duration::from_micros(50),
            "{ours:?} of {theirs:?}"
        );
        assert!(ours <= theirs + Duration::from_micros(50), "{ours:?} of {theirs:?}");
    }

    #[test]
    fn moments_from_before_and_after_the_preparation_are_on_one_scale() {
        let before = os_now_ns();
        prepare();
        let after = now_ns();
        assert!(before > 0);
        assert!(after + 5_000 >= before);
        assert!(after - before < 10_000_000_000);
    }

    #[test]
    fn it_does_not_go_back_on_one_thread() {
        prepare();
        let mut last = 0;
        for _ in 0..100_000 {
            let now = now_ns();
            assert!(now >= last);
            last = now;
        }
    }
}
