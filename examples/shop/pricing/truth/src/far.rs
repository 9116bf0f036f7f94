use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::arrival;
use crate::clock::now_ns;
use crate::layer::current;
use crate::record::SpanRecord;
use crate::recording;

/// Calls under way whose far side tells when it took and answered them; more are not watched.
const WATCHED_MAX: usize = 16_384;

thread_local! {
    /// Made on this thread and not yet written.
    static ANSWERS: RefCell<Vec<Arc<SpanRecord>>> = const { RefCell::new(Vec::new()) };
}

static WATCHED: Mutex<Option<HashMap<u64, Arc<SpanRecord>>>> = Mutex::new(None);

fn watched() -> MutexGuard<'static, Option<HashMap<u64, Arc<SpanRecord>>>> {
    WATCHED
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The current span is a call under this OpenTelemetry span id, and the far side runs in this process.
///
/// A stalled runtime does not look at its sockets, so the wake-up itself is late; only the far side knows since
/// when the answer was there.
pub fn watch_far_side(span_id: u64) {
    if !recording() {
        return;
    }
    let Some(record) = current() else { return };
    let mut watched = watched();
    let calls = watched.get_or_insert_default();
    if calls.len() < WATCHED_MAX {
        record.timeline().far_id = Some(span_id);
        calls.insert(span_id, record);
    }
}

/// From the poll that read the request. On a [`Stamped`](crate::Stamped) connection it is when the kernel had it: the far side's
/// own thread may be late in taking it, and that is no lateness of the caller.
pub fn far_received(span_id: u64) {
    let received = arrival::take().unwrap_or_else(now_ns);
    if let Some(record) = find(span_id) {
        record.timeline().far.received = Some(received);
    }
}

/// The answer is made. It is there when it has been written to the connection, by this thread, a moment later or much: until then
/// the far side is slow, not the caller late.
pub fn far_answered(span_id: u64) {
    if let Some(record) = find(span_id) {
        ANSWERS.with_borrow_mut(|answers| answers.push(record));
    }
}

/// Something was written to a connection on this thread.
pub(crate) fn written() {
    ANSWERS.with_borrow_mut(|answers| {
        for record in answers.drain(..) {
            record.timeline().far.answered = Some(now_ns());
        }
    });
}

pub(crate) fn forget_far_side(span_id: u64) {
    if let Some(calls) = watched().as_mut() {
        calls.remove(&span_id);
    }
}

fn find(span_id: u64) -> Option<Arc<SpanRecord>> {
    watched().as_ref()?.get(&span_id).cloned()
}
