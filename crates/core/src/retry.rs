//! Decides whether there is a next attempt, and how long to wait before it.

use std::time::Duration;

use crate::limits::MAX_RETRY_BACKOFF;
use crate::time::Timestamp;

/// The backoff after `failures` failed attempts: `first` after one failure, and twice as long after each further one,
/// up to [`MAX_RETRY_BACKOFF`]. A `first` that is longer than this cap stays as it is.
#[must_use]
pub fn backoff(first: Duration, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(u32::BITS - 1);
    let longer = first.checked_mul(1 << doublings).unwrap_or(Duration::MAX);
    longer.min(MAX_RETRY_BACKOFF).max(first)
}

/// What follows a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterFailure {
    /// Another attempt at this time.
    RetryAt(Timestamp),
    /// This was the last attempt.
    GiveUp,
}

/// What follows the failed attempt number `failures` of at most `max_attempts`.
#[must_use]
pub fn after_failure(failures: u32, max_attempts: u32, first: Duration, now: Timestamp) -> AfterFailure {
    if failures >= max_attempts {
        return AfterFailure::GiveUp;
    }
    AfterFailure::RetryAt(now.after(backoff(first, failures)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_attempt_is_followed_by_none() {
        let (first, now) = (Duration::from_secs(10), Timestamp::from_millis(1_000));
        for (failures, follows) in [
            (1, AfterFailure::RetryAt(Timestamp::from_millis(11_000))),
            (2, AfterFailure::RetryAt(Timestamp::from_millis(21_000))),
            (3, AfterFailure::GiveUp),
            (4, AfterFailure::GiveUp),
        ] {
            assert_eq!(after_failure(failures, 3, first, now), follows, "{failures}");
        }
    }

    #[test]
    fn each_further_failure_doubles_the_backoff_up_to_a_cap() {
        let first = Duration::from_secs(10);
        for (failures, seconds) in
            [(0, 10), (1, 10), (2, 20), (3, 40), (9, 2560), (10, 3600), (u32::MAX, 3600)]
        {
            assert_eq!(backoff(first, failures), Duration::from_secs(seconds), "{failures}");
        }
        assert_eq!(backoff(Duration::ZERO, 7), Duration::ZERO);
        assert_eq!(backoff(Duration::from_secs(7200), 3), Duration::from_secs(7200));
        assert_eq!(backoff(Duration::MAX, 3), Duration::MAX);
    }
}
