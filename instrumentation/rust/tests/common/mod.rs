//! What the tests of one binary share: a subscriber that keeps the times of every closed span by its name.
#![allow(dead_code, reason = "not every test binary uses all of it")]

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use tailspan::{SpanLayer, SpanTimes};
use tracing_subscriber::prelude::*;

static CLOSED: LazyLock<Mutex<HashMap<String, Vec<SpanTimes>>>> = LazyLock::new(|| {
    let layer = SpanLayer::with_sink(|span, times| {
        CLOSED
            .lock()
            .unwrap()
            .entry(span.name().to_owned())
            .or_default()
            .push(times);
    });
    tracing_subscriber::registry().with(layer).init();
    Mutex::default()
});

/// Installs the subscriber for the whole process, once.
pub(crate) fn install() {
    drop(CLOSED.lock());
}

/// All closed spans of that name so far, in the order of closing.
pub(crate) fn closed(name: &str) -> Vec<SpanTimes> {
    CLOSED.lock().unwrap().get(name).cloned().unwrap_or_default()
}

/// The one closed span of that name.
pub(crate) fn times(name: &str) -> SpanTimes {
    let all = closed(name);
    assert_eq!(all.len(), 1, "spans named {name}");
    all[0]
}

pub(crate) fn burn(how_long: Duration) {
    let start = Instant::now();
    while start.elapsed() < how_long {
        std::hint::spin_loop();
    }
}

pub(crate) fn ms(ns: Option<u64>) -> f64 {
    ns.expect("measured") as f64 / 1e6
}

pub(crate) fn current_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

pub(crate) fn workers(count: usize) -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(count)
        .enable_all()
        .build()
        .unwrap()
}
