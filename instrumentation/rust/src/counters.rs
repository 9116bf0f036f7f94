//! What the crate could not measure or hand on, so that missing evidence has a reason.

use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) static SPANS: AtomicU64 = AtomicU64::new(0);
pub(crate) static SPANS_WITHOUT_OPENTELEMETRY: AtomicU64 = AtomicU64::new(0);
pub(crate) static SPANS_HELD_ACROSS_AWAIT: AtomicU64 = AtomicU64::new(0);
pub(crate) static AMBIGUOUS_WAKES: AtomicU64 = AtomicU64::new(0);

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Process-wide counts since the start; see [`counters`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Spans that closed with times to hand on.
    pub spans: u64,
    /// Of these, spans for which no OpenTelemetry span was found. When all are: the OpenTelemetry layer was added before
    /// [`SpanLayer`](crate::SpanLayer) and not after it, or it is of a release line whose feature is off.
    pub spans_without_opentelemetry: u64,
    /// Spans without times because an `enter()` guard was held across an `.await`, which `tracing` warns of: such a span
    /// counts what other tasks do on the thread.
    pub spans_held_across_await: u64,
    /// Polls that resumed several spans at once (`join!`), so that nobody can tell which of them was woken; the delay is
    /// in no span's `scheduling`. Observing the branches by themselves tells.
    pub ambiguous_wakes: u64,
}

/// What could not be measured or handed on, for a service's own metrics or a look when attributes are missing.
pub fn counters() -> Counters {
    Counters {
        spans: SPANS.load(Ordering::Relaxed),
        spans_without_opentelemetry: SPANS_WITHOUT_OPENTELEMETRY.load(Ordering::Relaxed),
        spans_held_across_await: SPANS_HELD_ACROSS_AWAIT.load(Ordering::Relaxed),
        ambiguous_wakes: AMBIGUOUS_WAKES.load(Ordering::Relaxed),
    }
}
