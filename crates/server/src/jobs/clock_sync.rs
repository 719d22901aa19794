//! Measures periodically how far the database's clock is ahead of the local clock, for the time of jobs.

use std::sync::Arc;

use pilotlight_core::clock_offset::{ClockOffset, ClockSample};
use pilotlight_core::limits::{CLOCK_SAMPLE_INTERVAL, REPORTED_CLOCK_OFFSET_MS};
use pilotlight_store::Error;
use tokio::time::sleep;

use crate::background::TaskResults;
use crate::jobs::service::JobService;

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
