//! What futures are wrapped in: truth, and the companion library that is measured against it.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::serve::Listener;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tracing::{Instrument, Span};

use crate::companion;
use crate::settings::Level;

/// The listener whose connections tell truth when a request arrived.
pub struct Door {
    listener: TcpListener,
    level: Level,
}

impl Door {
    pub fn new(listener: TcpListener, level: Level) -> io::Result<Self> {
        truth::stamp_arrivals(&listener)?;
        Ok(Self { listener, level })
    }
}

impl Listener for Door {
    type Io = companion::Connection<truth::Stamped>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        (
            companion::connection(self.level, truth::Stamped(stream)),
            address,
        )
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

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
