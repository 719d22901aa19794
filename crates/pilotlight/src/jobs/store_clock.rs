//! The time by which jobs are judged: the database's, where several instances share one, however their own clocks are set.
//! It is looked at again and again; in between our own clock goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use pilotlight_core::clock_offset::{ClockOffset, ClockSample};
use pilotlight_core::limits::{CLOCK_SAMPLE_INTERVAL, REPORTED_CLOCK_OFFSET_MS};
use pilotlight_core::time::Timestamp;
use pilotlight_store::Error;
use tokio::time::sleep;

use super::service::JobService;

/// How far the store's clock is ahead of ours, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct StoreClock(AtomicI64);

impl StoreClock {
    /// The store's time when our clock says this.
    pub(super) fn to_store_time(&self, local_time: Timestamp) -> Timestamp {
        ClockOffset::from_millis(self.0.load(Relaxed)).apply(local_time)
    }

    /// This is known now.
    pub(super) fn set(&self, offset: ClockOffset) {
        self.0.store(offset.as_millis(), Relaxed);
    }
}

impl JobService {
    /// Goes by the store's clock from now on. Returns how far that is ahead; `None` when it has none of its own.
    ///
    /// # Errors
    /// When the store does not say.
    pub async fn sync_clock(&self, known: Option<ClockOffset>) -> Result<Option<ClockOffset>, Error> {
        let (requested_at, started_at) = (self.clock.wall_time(), self.clock.now());
        let Some(store_time) = self.store.clock().await? else { return Ok(None) };
        let round_trip = self.clock.now().since(started_at);
        let offset =
            ClockOffset::updated(known, &ClockSample { requested_at, round_trip, remote_time: store_time });
        self.store_clock.set(offset);
        if offset.as_millis().abs_diff(known.unwrap_or_default().as_millis()) >= REPORTED_CLOCK_OFFSET_MS {
            let ahead_ms = offset.as_millis();
            tracing::info!(ahead_ms, "the database's clock is not ours; jobs go by the database's");
        }
        Ok(Some(offset))
    }

    /// Goes on doing so, until dropped.
    pub async fn run_clock_sync(self: Arc<Self>, mut known: Option<ClockOffset>) {
        loop {
            sleep(CLOCK_SAMPLE_INTERVAL).await;
            match self.sync_clock(known).await {
                Ok(offset) => known = offset,
                // What is known holds on; who needs the store now says that it does not answer.
                Err(error) => tracing::debug!(%error, "failed to look at the database's clock"),
            }
        }
    }
}
