//! [`tokio::sync::mpsc`] whose waits are `queue_wait` of the span that sends.

use std::task::{Context, Poll};

use tokio::sync::mpsc;
pub use tokio::sync::mpsc::error;
use tokio::sync::mpsc::error::{SendError, TryRecvError, TrySendError};

use crate::{QueuePlace, queue_wait};

/// A bounded channel; see [`tokio::sync::mpsc::channel`].
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = mpsc::channel(capacity);
    (Sender(sender), Receiver(receiver))
}

#[derive(Debug)]
struct Envelope<T> {
    value: T,
    /// Given up when the receiver takes the value.
    _place: QueuePlace,
}

/// See [`tokio::sync::mpsc::Sender`].
#[derive(Debug)]
pub struct Sender<T>(mpsc::Sender<Envelope<T>>);

/// See [`tokio::sync::mpsc::Receiver`]. Waiting for something to receive is idleness, not a queue: it is not booked.
#[derive(Debug)]
pub struct Receiver<T>(mpsc::Receiver<Envelope<T>>);

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Sender<T> {
    /// Sends; waiting for room in the channel is `queue_wait`.
    pub async fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.deliver(value, false).await
    }

    /// Sends a job whose result the caller is going to await: besides the wait for room, the span's idle time is
    /// `queue_wait` until the receiver takes the job.
    pub async fn send_job(&self, job: T) -> Result<(), SendError<T>> {
        self.deliver(job, true).await
    }

    async fn deliver(&self, value: T, awaited: bool) -> Result<(), SendError<T>> {
        let Ok(room) = queue_wait(self.0.reserve()).await else {
            return Err(SendError(value));
        };
        let place = if awaited {
            QueuePlace::take()
        } else {
            QueuePlace::default()
        };
        room.send(Envelope { value, _place: place });
        Ok(())
    }

    /// See [`tokio::sync::mpsc::Sender::try_send`].
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let envelope = Envelope {
            value,
            _place: QueuePlace::default(),
        };
        self.0.try_send(envelope).map_err(|error| match error {
            TrySendError::Full(envelope) => TrySendError::Full(envelope.value),
            TrySendError::Closed(envelope) => TrySendError::Closed(envelope.value),
        })
    }

    /// See [`tokio::sync::mpsc::Sender::is_closed`].
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// See [`tokio::sync::mpsc::Sender::capacity`].
    pub fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl<T> Receiver<T> {
    /// See [`tokio::sync::mpsc::Receiver::recv`].
    pub async fn recv(&mut self) -> Option<T> {
        self.0.recv().await.map(|envelope| envelope.value)
    }

    /// See [`tokio::sync::mpsc::Receiver::try_recv`].
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.0.try_recv().map(|envelope| envelope.value)
    }

    /// See [`tokio::sync::mpsc::Receiver::poll_recv`].
    pub fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.0
            .poll_recv(context)
            .map(|received| received.map(|envelope| envelope.value))
    }

    /// See [`tokio::sync::mpsc::Receiver::close`].
    pub fn close(&mut self) {
        self.0.close();
    }

    /// See [`tokio::sync::mpsc::Receiver::len`].
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// See [`tokio::sync::mpsc::Receiver::is_empty`].
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
