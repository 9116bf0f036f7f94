use std::hint::black_box;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

const JSON_BYTES_MAX: usize = 1 << 20;

static STARTED: OnceLock<Instant> = OnceLock::new();
static SLOW_UNTIL_MS: AtomicU64 = AtomicU64::new(0);
static CALLS: AtomicU64 = AtomicU64::new(0);

pub struct Order {
    pub cents: i64,
}

/// Marshalling: the caller's bytes become the library's values.
pub fn read(json: &[u8]) -> Option<Order> {
    if json.len() > JSON_BYTES_MAX {
        return None;
    }
    if now_ms() < SLOW_UNTIL_MS.load(Ordering::Relaxed) {
        read_over_and_over(json);
    }
    let value: Value = serde_json::from_slice(json).ok()?;
    Some(Order {
        cents: value.get("cents")?.as_i64()?,
    })
}

pub fn marshal_slowly_for(ms: i64) {
    let until = now_ms().saturating_add(u64::try_from(ms).unwrap_or(0));
    SLOW_UNTIL_MS.store(until, Ordering::Relaxed);
}

/// As a boundary does that copies and checks each nested value anew: 12 to 30 ms of it.
fn read_over_and_over(json: &[u8]) {
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let time = Duration::from_millis(12 + call * 7 % 19);
    let start = Instant::now();
    while start.elapsed() < time {
        black_box(serde_json::from_slice::<Value>(black_box(json)).is_ok());
    }
}

fn now_ms() -> u64 {
    STARTED.get_or_init(Instant::now).elapsed().as_millis() as u64
}
