use std::sync::Arc;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, SemaphorePermit, TryAcquireError};

use crate::queue_wait;

/// [`tokio::sync::Semaphore`] whose waits for a permit are `queue_wait` of the waiting span.
///
/// Permits are tokio's own. It is shared by cloning; what is not here is on [`tokio`](Self::tokio).
#[derive(Clone, Debug)]
pub struct Semaphore(Arc<tokio::sync::Semaphore>);

impl Semaphore {
    /// With this many permits at first.
    pub fn new(permits: usize) -> Self {
        tokio::sync::Semaphore::new(permits).into()
    }

    /// See [`tokio::sync::Semaphore::acquire`].
    pub async fn acquire(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        queue_wait(self.0.acquire()).await
    }

    /// See [`tokio::sync::Semaphore::acquire_many`].
    pub async fn acquire_many(&self, permits: u32) -> Result<SemaphorePermit<'_>, AcquireError> {
        queue_wait(self.0.acquire_many(permits)).await
    }

    /// See [`tokio::sync::Semaphore::acquire_owned`].
    pub async fn acquire_owned(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        queue_wait(Arc::clone(&self.0).acquire_owned()).await
    }

    /// See [`tokio::sync::Semaphore::acquire_many_owned`].
    pub async fn acquire_many_owned(&self, permits: u32) -> Result<OwnedSemaphorePermit, AcquireError> {
        queue_wait(Arc::clone(&self.0).acquire_many_owned(permits)).await
    }

    /// See [`tokio::sync::Semaphore::try_acquire`].
    pub fn try_acquire(&self) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.0.try_acquire()
    }

    /// See [`tokio::sync::Semaphore::try_acquire_owned`].
    pub fn try_acquire_owned(&self) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        Arc::clone(&self.0).try_acquire_owned()
    }

    /// See [`tokio::sync::Semaphore::available_permits`].
    pub fn available_permits(&self) -> usize {
        self.0.available_permits()
    }

    /// See [`tokio::sync::Semaphore::add_permits`].
    pub fn add_permits(&self, permits: usize) {
        self.0.add_permits(permits);
    }

    /// See [`tokio::sync::Semaphore::close`].
    pub fn close(&self) {
        self.0.close();
    }

    /// See [`tokio::sync::Semaphore::is_closed`].
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// The semaphore inside.
    pub fn tokio(&self) -> &Arc<tokio::sync::Semaphore> {
        &self.0
    }
}

impl From<tokio::sync::Semaphore> for Semaphore {
    fn from(semaphore: tokio::sync::Semaphore) -> Self {
        Self(Arc::new(semaphore))
    }
}

impl From<Arc<tokio::sync::Semaphore>> for Semaphore {
    fn from(semaphore: Arc<tokio::sync::Semaphore>) -> Self {
        Self(semaphore)
    }
}
