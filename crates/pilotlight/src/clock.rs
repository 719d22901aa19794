//! The one clock: it turns the machine's time into the moments that deciding code is given.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pilotlight_core::time::Moment;

/// The time line that began when the service started.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    /// Begins now.
    #[must_use]
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// The present moment.
    #[must_use]
    pub fn now(self) -> Moment {
        Moment::from_micros(micros(self.started.elapsed()))
    }

    /// A moment in epoch milliseconds, by the wall clock as it is set now.
    #[must_use]
    pub fn epoch_ms(self, moment: Moment) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let moment = i128::from(moment.as_micros()) - i128::from(self.now().as_micros());
        let epoch = i128::try_from(now.as_micros()).unwrap_or(i128::MAX).saturating_add(moment) / 1000;
        u64::try_from(epoch).unwrap_or(0)
    }

    /// Waits until that moment.
    pub async fn sleep_until(self, moment: Moment) {
        let at = self.started + Duration::from_micros(moment.as_micros());
        tokio::time::sleep_until(at.into()).await;
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
