use std::cell::{Cell, RefCell};
use std::sync::Arc;

use tracing::Subscriber;
use tracing::span::{Attributes, Id};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::clock::now_ns;
use crate::record::{Run, SpanRecord};
use crate::{alloc, arrival};

/// Notes when each span ran on which thread. Add it to the registry before the OpenTelemetry layer: layers that
/// were added first hear of a span's end first, and the processor needs the record by then.
pub struct TruthLayer;

struct Frame {
    id: Id,
    record: Arc<SpanRecord>,
    since: u64,
    allocator_since: u64,
}

thread_local! {
    /// Spans entered on this thread, outermost first. Only the last one runs; time is never counted twice.
    static ENTERED: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
    static CLOSING: Cell<Option<Arc<SpanRecord>>> = const { Cell::new(None) };
}

/// The record of the innermost span entered on this thread.
pub(crate) fn current() -> Option<Arc<SpanRecord>> {
    ENTERED.with_borrow(|entered| entered.last().map(|frame| frame.record.clone()))
}

/// The record of the span that this thread is closing right now.
pub(crate) fn take_closing() -> Option<Arc<SpanRecord>> {
    CLOSING.take()
}

impl Frame {
    fn pause(&mut self, now: u64) {
        let allocator_now = alloc::spent_ns();
        self.record.add_run(Run {
            start: self.since,
            end: now,
            allocator_ns: allocator_now - self.allocator_since,
        });
    }

    fn resume(&mut self, now: u64) {
        self.since = now;
        self.allocator_since = alloc::spent_ns();
    }
}

impl<S> Layer<S> for TruthLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, _: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let parent = span
            .parent()
            .and_then(|parent| parent.extensions().get::<Arc<SpanRecord>>().cloned());
        let arrived = if parent.is_none() {
            arrival::take()
        } else {
            None
        };
        let record = Arc::new(SpanRecord::new(now_ns(), parent, arrived));
        span.extensions_mut().insert(record);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let Some(record) = span.extensions().get::<Arc<SpanRecord>>().cloned() else {
            return;
        };
        let now = now_ns();
        ENTERED.with_borrow_mut(|entered| {
            if let Some(outer) = entered.last_mut() {
                outer.pause(now);
            }
            entered.push(Frame {
                id: id.clone(),
                record,
                since: now,
                allocator_since: alloc::spent_ns(),
            });
        });
        alloc::set_runs_span(true);
    }

    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        let now = now_ns();
        let idle = ENTERED.with_borrow_mut(|entered| {
            let Some(at) = entered.iter().rposition(|frame| frame.id == *id) else {
                return entered.is_empty();
            };
            let was_running = at + 1 == entered.len();
            let mut frame = entered.remove(at);
            if was_running {
                frame.pause(now);
                if let Some(outer) = entered.last_mut() {
                    outer.resume(now);
                }
            }
            entered.is_empty()
        });
        alloc::set_runs_span(!idle);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let record = context
            .span(&id)
            .and_then(|span| span.extensions_mut().remove::<Arc<SpanRecord>>());
        CLOSING.set(record);
    }
}
