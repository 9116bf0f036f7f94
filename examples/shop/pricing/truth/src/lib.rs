//! What really happened to every span of this process, written beside the spans.
//!
//! Four observers feed one record per span:
//!
//! - [`TruthLayer`] sees spans entered and left, so it knows when each one ran on a thread, and asks the
//!   [`TimingAllocator`] how much of that run went into the allocator;
//! - [`within`] (or [`spawned`]) wraps the future of a span and hands it a waker that notes when it was
//!   called, so the time between waking and being polled is known;
//! - [`Stamped`] connections know when a request was in the kernel, long before its span where the runtime stood still;
//! - [`queued`] and [`until`] say what a pending future waits for.
//!
//! When a span ends, [`Truth::processor`] hands its record to a writer thread, which folds it into phases of
//! the span's own time (its interval minus the union of its children) and writes one line.

mod alloc;
mod arrival;
mod clock;
mod far;
mod fold;
mod future;
mod layer;
mod record;
mod sink;

pub use alloc::TimingAllocator;
pub use arrival::{Stamped, stamp_arrivals};
pub use clock::now_ns;
pub use far::{far_answered, far_received, watch_far_side};
pub use future::{Labelled, Within, queued, spawned, until, within};
pub use layer::TruthLayer;
pub use record::Waiting;
pub use sink::{StallNotes, Truth, TruthProcessor};

use std::sync::atomic::{AtomicBool, Ordering};

static RECORDING: AtomicBool = AtomicBool::new(false);

pub(crate) fn recording() -> bool {
    RECORDING.load(Ordering::Relaxed)
}

pub(crate) fn start_recording() {
    alloc::calibrate();
    RECORDING.store(true, Ordering::Relaxed);
}
