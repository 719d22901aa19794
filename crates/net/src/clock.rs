//! The only clock of the service: converts the machine's time into the `Moment`s and `Timestamp`s that deciding code
//! gets as arguments.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pilotlight_core::time::{Moment, Timestamp, micros, millis};

/// Measures time since the service started.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    /// Starts the clock: now is moment 0.
    #[must_use]
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// The current moment.
    #[must_use]
    pub fn now(self) -> Moment {
        Moment::from_micros(micros(self.started.elapsed()))
    }

    /// A moment as the time since 1970, by the wall clock as it is set now.
    #[must_use]
    pub fn epoch(self, moment: Moment) -> Duration {
        let now = self.now();
        (since_1970() + moment.since(now)).saturating_sub(now.since(moment))
    }

    /// Like [`Clock::epoch`], in milliseconds.
    #[must_use]
    pub fn epoch_ms(self, moment: Moment) -> u64 {
        millis(self.epoch(moment))
    }

    /// The current time of the wall clock.
    #[must_use]
    pub fn wall_time(self) -> Timestamp {
        Timestamp::from_millis(millis(since_1970()))
    }

    /// Waits until a moment.
    pub async fn sleep_until(self, moment: Moment) {
        let at = self.started + Duration::from_micros(moment.as_micros());
        tokio::time::sleep_until(at.into()).await;
    }
}

/// The time since 1970 by the wall clock as it is set now.
fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
