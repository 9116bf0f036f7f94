use std::future::Future;

use tokio::task::JoinHandle;

use crate::observed::Observed;

/// [`tokio::spawn`] of an observed future: from here to its first poll is scheduling of the first span it enters.
///
/// Like `tokio::spawn` it enters no span by itself, so instrument the future first:
///
/// ```
/// # async fn price() {}
/// # async fn example() {
/// use tracing::Instrument as _;
///
/// let task = tailspan::spawn_observed(price().instrument(tracing::info_span!("price")));
/// # let _ = task.await;
/// # }
/// ```
///
/// # Panics
///
/// Outside a tokio runtime, as `tokio::spawn` does.
#[track_caller]
pub fn spawn_observed<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(Observed::due_now(future))
}
