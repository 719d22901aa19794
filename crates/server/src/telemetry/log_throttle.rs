//! Throttles a log message that could repeat very often, for example while the store does not answer. It is logged at
//! most once a second, with the number of suppressed messages.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The minimum time between two logged messages.
const INTERVAL: Duration = Duration::from_secs(1);

/// The throttle of one log message.
#[derive(Debug)]
pub(crate) struct LogThrottle(Mutex<ThrottleState>);

#[derive(Debug)]
struct ThrottleState {
    last: Option<Instant>,
    suppressed: u64,
}

impl LogThrottle {
    /// A throttle that has not logged yet.
    #[must_use]
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(ThrottleState { last: None, suppressed: 0 }))
    }

    /// Whether to log the message now. Returns the number of messages suppressed since the last logged one, or `None`
    /// to suppress this one, which is then counted.
    pub(crate) fn allow(&self) -> Option<u64> {
        self.0.lock().expect("nothing panics under this lock").allow_at(Instant::now())
    }
}

impl Default for LogThrottle {
    fn default() -> Self {
        Self::new()
    }
}

impl ThrottleState {
    fn allow_at(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) < INTERVAL) {
            self.suppressed += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_a_second_is_allowed_and_the_others_are_counted() {
        let mut state = ThrottleState { last: None, suppressed: 0 };
        let began = Instant::now();
        let mut at = |millis| state.allow_at(began + Duration::from_millis(millis));
        assert_eq!([at(0), at(1), at(999)], [Some(0), None, None]);
        assert_eq!([at(1000), at(1001)], [Some(2), None]);
        assert_eq!([at(9000), at(9001)], [Some(1), None]);
    }
}
