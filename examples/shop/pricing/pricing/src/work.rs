//! Work on the processor.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::dice::between;

pub fn burn(time: Duration) {
    let start = Instant::now();
    let mut value = 1u64;
    while start.elapsed() < time {
        for _ in 0..200 {
            value = black_box(
                value
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1),
            );
        }
    }
}

/// Allocates and frees blocks from a page to two megabytes, so that the heap grows and shrinks all the time and often
/// asks the kernel, without touching them.
pub fn allocate(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        let blocks: Vec<Vec<u8>> = (0..64)
            .map(|_| Vec::with_capacity(1 << between(12, 21)))
            .collect();
        black_box(&blocks);
    }
}
