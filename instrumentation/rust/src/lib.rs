#![doc = include_str!("../README.md")]

mod alloc;
#[cfg_attr(not(all(feature = "net", target_os = "linux")), path = "no_arrival.rs")]
mod arrival;
mod clock;
mod counters;
mod kind;
mod layer;
mod ledger;
mod observed;
mod otel;
mod queue;
mod run_queue;
#[cfg(feature = "tokio")]
mod spawn;
#[cfg(feature = "tokio")]
pub mod sync;
mod thread;
#[cfg(feature = "tower")]
mod tower;
#[cfg_attr(not(feature = "tokio"), path = "unwatched.rs")]
mod watch;

pub use crate::alloc::TimingAllocator;
#[cfg(all(feature = "net", target_os = "linux"))]
pub use crate::arrival::{Stamped, stamp_arrivals};
pub use crate::counters::{Counters, counters};
pub use crate::layer::{SpanLayer, layer};
pub use crate::ledger::SpanTimes;
pub use crate::observed::{Observe, Observed};
pub use crate::otel::attribute;
pub use crate::queue::{QueuePlace, QueueWait, queue_wait};
#[cfg(feature = "tokio")]
pub use crate::spawn::spawn_observed;
#[cfg(feature = "tower")]
pub use crate::tower::{ObservedService, RequestLayer};
#[cfg(feature = "tokio")]
pub use crate::watch::watch_workers;
