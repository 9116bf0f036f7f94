//! The `tracing` layer: keeps a ledger for every span and hands its times on when the span closes.

use std::fmt;
use std::sync::{Arc, OnceLock};

use tracing::dispatcher::WeakDispatch;
use tracing::span::{Attributes, Id};
use tracing::{Dispatch, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::ledger::{Ledger, SpanTimes};
use crate::{alloc, clock, counters, kind, run_queue, thread};

type Sink<S> = dyn Fn(&SpanRef<'_, S>, SpanTimes) + Send + Sync;

/// A [`tracing_subscriber::Layer`] that knows of every span what its own time went to.
///
/// It must be added **before** the OpenTelemetry layer: layers are told of a span's end in the order in which they were
/// added, and the attributes have to be there when the OpenTelemetry layer ends its span. Give both the same filter: a
/// child span that only this layer sees would take time from its parent and show it nowhere.
///
/// ```
/// # #[cfg(feature = "opentelemetry")] {
/// use tracing_subscriber::prelude::*;
///
/// # let tracer = opentelemetry::trace::noop::NoopTracer::new();
/// let subscriber = tracing_subscriber::registry()
///     .with(tailspan::layer())
///     .with(tracing_opentelemetry::layer().with_tracer(tracer));
/// # drop(subscriber);
/// # }
/// ```
pub struct SpanLayer<S> {
    sink: Option<Box<Sink<S>>>,
    dispatch: OnceLock<WeakDispatch>,
}

/// A [`SpanLayer`] that writes `tailspan.*_ns` attributes to the OpenTelemetry span, as integers.
pub fn layer<S>() -> SpanLayer<S>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    SpanLayer::new(None)
}

impl<S> SpanLayer<S>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    fn new(sink: Option<Box<Sink<S>>>) -> Self {
        // Ahead of the first request, which should not pay for it.
        clock::prepare();
        alloc::calibrate();
        Self {
            sink,
            dispatch: OnceLock::new(),
        }
    }

    /// Hands the times of every closed span to `sink` instead of to OpenTelemetry.
    ///
    /// `sink` runs while the span closes: it should be short, and spans or events of its own are a reentrant call.
    pub fn with_sink(sink: impl Fn(&SpanRef<'_, S>, SpanTimes) + Send + Sync + 'static) -> Self {
        Self::new(Some(Box::new(sink)))
    }

    /// Also takes the time in which the kernel kept a running span's thread waiting for a processor (other processes, CPU
    /// limits) out of `processing` and books it as `scheduling`, from about a millisecond on.
    ///
    /// On Linux, by `/proc/thread-self/schedstat`: each thread that runs spans holds it open, and reads it about once a
    /// millisecond at most. Elsewhere it changes nothing. It is a setting of the process.
    #[must_use]
    pub fn with_preemption(self) -> Self {
        run_queue::watch();
        self
    }

    fn hand_on(&self, span: &SpanRef<'_, S>, times: SpanTimes, of_call: bool) {
        counters::count(&counters::SPANS);
        if let Some(sink) = &self.sink {
            return sink(span, times);
        }
        let times = if of_call { times.of_call() } else { times };
        let dispatch = self.dispatch.get().and_then(WeakDispatch::upgrade);
        if !dispatch.is_some_and(|dispatch| crate::otel::set_attributes(span, &dispatch, times)) {
            counters::count(&counters::SPANS_WITHOUT_OPENTELEMETRY);
        }
    }
}

impl<S> fmt::Debug for SpanLayer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpanLayer").finish_non_exhaustive()
    }
}

/// In a span's extensions.
struct SpanLedger {
    own: Arc<Ledger>,
    parent: Option<Arc<Ledger>>,
    /// Nanoseconds by which what it answers may have been there before it.
    unwatched_before: Option<u64>,
    /// It stands for a peer.
    of_call: bool,
}

fn ledger_of<S>(span: &SpanRef<'_, S>) -> Option<Arc<Ledger>>
where
    S: for<'lookup> LookupSpan<'lookup>,
{
    span.extensions()
        .get::<SpanLedger>()
        .map(|ledger| Arc::clone(&ledger.own))
}

impl<S> Layer<S> for SpanLayer<S>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        let _ = self.dispatch.set(dispatch.downgrade());
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let parent = span.parent().as_ref().and_then(ledger_of);
        if let Some(parent) = &parent {
            thread::child_changes(parent, Ledger::child_opened);
        }
        let unwatched_before = if parent.is_none() {
            thread::unwatched_until_now()
        } else {
            None
        };
        let own = Arc::new(Ledger::new(clock::now_ns()));
        span.extensions_mut().replace(SpanLedger {
            own,
            parent,
            unwatched_before,
            of_call: kind::is_call(attributes),
        });
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        let ledger = context.span(id).as_ref().and_then(ledger_of);
        if let Some(ledger) = ledger {
            thread::span_entered(id.into_u64(), ledger);
        }
    }

    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        thread::span_exited(id.into_u64());
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        // Taken out in a statement of its own: what follows must not hold the extensions.
        let ledger = span.extensions_mut().remove::<SpanLedger>();
        let Some(SpanLedger {
            own: ledger,
            parent,
            unwatched_before,
            of_call,
        }) = ledger
        else {
            return;
        };
        thread::span_closed(&ledger);
        // First: the exported span ended when it was last left, and what it takes to hand it on is its parent's time.
        if let Some(parent) = &parent {
            thread::child_changes(parent, Ledger::child_closed);
        }
        if let Some(mut times) = ledger.times(alloc::in_use()) {
            times.unwatched_before_ns = unwatched_before;
            self.hand_on(&span, times, of_call);
        } else if ledger.held_across_await() {
            counters::count(&counters::SPANS_HELD_ACROSS_AWAIT);
        }
    }
}
