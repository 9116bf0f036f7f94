//! What futures are wrapped in: truth, and the companion library that is measured against it.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinHandle;
use tracing::{Instrument, Span};

use crate::companion;

/// The body of a span's future.
pub fn body<F: Future>(future: F) -> impl Future<Output = F::Output> {
    truth::within(future)
}

/// A task with a span of its own.
pub fn spawn<F>(span: Span, future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    companion::spawn(truth::spawned(future).instrument(span))
}

/// A wait for a pool slot.
pub fn pool_wait<F: Future>(turn: F) -> impl Future<Output = F::Output> {
    truth::queued(companion::pool_wait(turn))
}

pub async fn sleep(pause: Duration) {
    let deadline = truth::now_ns() + pause.as_nanos() as u64;
    truth::until(deadline, tokio::time::sleep(pause)).await;
}
