//! Onto the OpenTelemetry span, by whichever release line of `tracing-opentelemetry` the service uses.

use tracing::{Dispatch, Subscriber};
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::ledger::SpanTimes;

/// Attribute keys; a value is an integer, nanoseconds of the span's self time.
pub mod attribute {
    /// Waiting for a turn.
    pub const QUEUE_WAIT_NS: &str = "tailspan.queue_wait_ns";
    /// Ready to run but not running.
    pub const SCHEDULING_NS: &str = "tailspan.scheduling_ns";
    /// Waiting for what nothing measured: a peer, a timer.
    pub const BLOCKED_NS: &str = "tailspan.blocked_ns";
    /// Waiting while no worker had time for what was waited for: at most so much of it was scheduling.
    pub const UNWATCHED_NS: &str = "tailspan.unwatched_ns";
    /// As much before the span, of one without a parent in the process.
    pub const UNWATCHED_BEFORE_NS: &str = "tailspan.unwatched_before_ns";
    /// In the allocator.
    pub const ALLOCATOR_NS: &str = "tailspan.allocator_ns";
    /// Running, without the allocator.
    pub const PROCESSING_NS: &str = "tailspan.processing_ns";
}

/// Present amounts only, as the signed integers that OpenTelemetry has.
#[allow(dead_code, reason = "no release line may be switched on")]
fn amounts(times: SpanTimes) -> impl Iterator<Item = (&'static str, i64)> {
    [
        (attribute::QUEUE_WAIT_NS, times.queue_wait_ns),
        (attribute::SCHEDULING_NS, times.scheduling_ns),
        (attribute::BLOCKED_NS, times.blocked_ns),
        (attribute::UNWATCHED_NS, times.unwatched_ns),
        (attribute::UNWATCHED_BEFORE_NS, times.unwatched_before_ns),
        (attribute::ALLOCATOR_NS, times.allocator_ns),
        (attribute::PROCESSING_NS, times.processing_ns),
    ]
    .into_iter()
    .filter_map(|(key, ns)| Some((key, i64::try_from(ns?).unwrap_or(i64::MAX))))
}

/// The release lines differ in nothing here but the crate that the types are of.
#[allow(unused_macros, reason = "no release line may be switched on")]
macro_rules! set {
    ($found:ident, $opentelemetry:ident, $context:expr, $times:expr) => {
        if let Some(context) = $context {
            use $opentelemetry::trace::TraceContextExt as _;
            let span = context.span();
            if span.is_recording() {
                span.set_attributes(amounts($times).map(|(key, ns)| $opentelemetry::KeyValue::new(key, ns)));
            }
            $found = true;
        }
    };
}

/// `true` when an OpenTelemetry span was found, recording or not.
#[allow(unused_variables, unused_mut, reason = "no release line may be switched on")]
pub(crate) fn set_attributes<S>(span: &SpanRef<'_, S>, dispatch: &Dispatch, times: SpanTimes) -> bool
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    let mut found = false;
    #[cfg(feature = "opentelemetry")]
    {
        let context = tracing_opentelemetry::get_otel_context(&span.id(), dispatch);
        set!(found, opentelemetry, context, times);
    }
    #[cfg(feature = "tracing-opentelemetry-0-33")]
    {
        let context = tracing_opentelemetry_0_33::get_otel_context(&span.id(), dispatch);
        set!(found, opentelemetry_0_32, context, times);
    }
    #[cfg(feature = "tracing-opentelemetry-0-32")]
    {
        let context = tracing_opentelemetry_0_32::get_otel_context(&mut span.extensions_mut(), dispatch);
        set!(found, opentelemetry_0_31, context, times);
    }
    found
}
