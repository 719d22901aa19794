//! Chance for the spacing of load. Nothing a test asserts depends on it.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// A number from 0 to `below` - 1.
pub(crate) fn number(below: u64) -> u64 {
    RandomState::new().hash_one(below) % below
}

/// A time from nothing to `below`.
pub(crate) fn time(below: Duration) -> Duration {
    Duration::from_nanos(number(below.as_nanos().try_into().expect("a short time")))
}
