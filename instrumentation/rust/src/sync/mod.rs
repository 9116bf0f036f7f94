//! `tokio::sync` with the waits booked: [`Semaphore`] and [`mpsc`].

pub mod mpsc;
mod semaphore;

pub use semaphore::Semaphore;
