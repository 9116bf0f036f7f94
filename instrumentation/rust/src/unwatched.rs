//! In the place of `watch.rs` where there is no tokio, and so no workers to watch.

pub(crate) fn was_busy(_: u64, _: u64) {}

pub(crate) fn due_since(now: u64) -> u64 {
    now
}

pub(crate) fn unwatched_within(_: u64, _: u64) -> u64 {
    0
}

pub(crate) fn is_watched() -> bool {
    false
}
