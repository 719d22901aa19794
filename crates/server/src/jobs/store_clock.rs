//! The time of jobs: the database's clock, so that several instances agree on it, however their own clocks are set.
//! Between two measurements of `clock_sync`, it is the local clock plus the measured offset.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use pilotlight_core::clock_offset::ClockOffset;
use pilotlight_core::time::Timestamp;

/// How many milliseconds the store's clock is ahead of the local clock; 0 until it is measured.
#[derive(Debug, Default)]
pub(super) struct StoreClock(AtomicI64);

impl StoreClock {
    /// The store's time at a local time.
    pub(super) fn to_store_time(&self, local_time: Timestamp) -> Timestamp {
        ClockOffset::from_millis(self.0.load(Relaxed)).apply(local_time)
    }

    /// Sets the measured offset.
    pub(super) fn set(&self, offset: ClockOffset) {
        self.0.store(offset.as_millis(), Relaxed);
    }
}
