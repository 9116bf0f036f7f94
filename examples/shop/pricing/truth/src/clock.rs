use std::time::{SystemTime, UNIX_EPOCH};

/// The clock that spans are stamped with, so that truth can be cut at a span's own edges.
pub fn now_ns() -> u64 {
    to_ns(SystemTime::now())
}

pub(crate) fn to_ns(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as u64)
}
