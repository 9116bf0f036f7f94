use std::sync::atomic::{AtomicU64, Ordering};

static STATE: AtomicU64 = AtomicU64::new(0);

/// SplitMix64 from a fixed seed. Which request draws which number hangs on the order of their arrival.
pub fn roll(below: u64) -> u64 {
    let mut z = STATE
        .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
        .wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) % below
}

pub fn between(low: u64, high: u64) -> u64 {
    low + roll(high - low + 1)
}

/// True in `share` of 100 draws.
pub fn chance(share: u64) -> bool {
    roll(100) < share
}
