//! Seeded random numbers for the times of requests and of faults. The seed is printed, so that a failed run can be
//! repeated with `PILOTLIGHT_TEST_SEED=<number>`.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The step of the generator `SplitMix64`.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

static STATE: LazyLock<AtomicU64> = LazyLock::new(|| {
    let configured = std::env::var("PILOTLIGHT_TEST_SEED").ok();
    let seed = configured.map_or_else(
        || RandomState::new().hash_one(0),
        |text| text.parse().expect("PILOTLIGHT_TEST_SEED is a number"),
    );
    println!("PILOTLIGHT_TEST_SEED={seed}");
    AtomicU64::new(seed)
});

/// A number from 0 to `below` - 1.
pub fn number(below: u64) -> u64 {
    let mut mixed = STATE.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % below
}

/// A time from zero to `below`.
pub fn time(below: Duration) -> Duration {
    Duration::from_nanos(number(below.as_nanos().try_into().expect("a short time")))
}
