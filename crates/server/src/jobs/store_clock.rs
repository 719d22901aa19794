//! The time of jobs: the database's clock, so that several instances agree on it, however their own clocks are set.
//! The offset between both clocks is measured periodically; in between, the local clock plus the offset is used.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use pilotlight_core::clock_offset::{ClockOffset, ClockSample};
use pilotlight_core::limits::{CLOCK_SAMPLE_INTERVAL, REPORTED_CLOCK_OFFSET_MS};
use pilotlight_core::time::Timestamp;
use pilotlight_store::Error;
use tokio::time::sleep;

use crate::background::TaskResults;
use crate::jobs::service::JobService;

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

impl JobService {
    /// Measures the store's clock and uses its time from now on. Returns the offset; `None` when the store has no
    /// clock of its own.
    ///
    /// # Errors
    /// When the store's clock cannot be read.
    pub(crate) async fn sync_clock(&self, known: Option<ClockOffset>) -> Result<Option<ClockOffset>, Error> {
        let (requested_at, started_at) = (self.clock.wall_time(), self.clock.now());
        let Some(store_time) = self.store.clock().await? else { return Ok(None) };
        let round_trip = self.clock.now().since(started_at);
        let offset =
            ClockOffset::updated(known, &ClockSample { requested_at, round_trip, remote_time: store_time });
        self.store_clock.set(offset);
        if offset.as_millis().abs_diff(known.unwrap_or_default().as_millis()) >= REPORTED_CLOCK_OFFSET_MS {
            let ahead_ms = offset.as_millis();
            tracing::info!(
                ahead_ms,
                "the database's clock differs from this machine's; jobs use the database's time"
            );
        }
        Ok(Some(offset))
    }

    /// Measures the store's clock periodically, until dropped.
    pub(crate) async fn run_clock_sync(
        self: Arc<Self>,
        mut known: Option<ClockOffset>,
        results: TaskResults,
    ) {
        loop {
            sleep(CLOCK_SAMPLE_INTERVAL).await;
            let measured = self.sync_clock(known).await;
            results.record(measured.as_ref().map(|offset| {
                format!("the database's clock is {} ms ahead", offset.unwrap_or_default().as_millis())
            }));
            match measured {
                Ok(offset) => known = offset,
                // The known offset stays in use. A failing store is logged by the tasks that need it.
                Err(error) => tracing::debug!(%error, "failed to read the database's clock"),
            }
        }
    }
}
