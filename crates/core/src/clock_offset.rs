//! Estimates how far another clock is ahead of the local clock, so that instances on several machines use one time:
//! that of their shared database. The remote clock is read at an unknown moment within the round trip, so the
//! uncertainty is half the round-trip time. A sample with a long round trip, or one that agrees with the known offset
//! within its uncertainty, changes nothing.

use std::time::Duration;

use crate::limits::MAX_CLOCK_SAMPLE_ROUND_TRIP;
use crate::time::{Timestamp, millis};

/// How many milliseconds the other clock is ahead of the local clock; negative when it is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClockOffset(i64);

/// One reading of the other clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockSample {
    /// When the reading was requested, by the local clock.
    pub requested_at: Timestamp,
    /// Time between the request and the response.
    pub round_trip: Duration,
    /// The other clock's time in the response.
    pub remote_time: Timestamp,
}

impl ClockOffset {
    /// An offset of this many milliseconds.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The offset in milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The offset after a new sample. The first sample is used even when its round trip is long, because no better
    /// value is known.
    #[must_use]
    pub fn updated(known: Option<Self>, sample: &ClockSample) -> Self {
        let measured = sample.offset();
        match known {
            Some(known)
                if sample.round_trip > MAX_CLOCK_SAMPLE_ROUND_TRIP
                    || sample.is_consistent_with(known, measured) =>
            {
                known
            }
            Some(_) | None => measured,
        }
    }

    /// The other clock's time at this local time.
    #[must_use]
    pub fn apply(self, local: Timestamp) -> Timestamp {
        Timestamp::from_millis(local.as_millis().saturating_add_signed(self.0))
    }
}

impl ClockSample {
    fn offset(&self) -> ClockOffset {
        let local = self.requested_at.after(self.round_trip / 2).as_millis();
        // Both are below 2^53.
        ClockOffset(self.remote_time.as_millis().cast_signed() - local.cast_signed())
    }

    /// Whether the sample agrees with the known offset within its uncertainty. The 2 ms are for the fractions of a
    /// millisecond that both clocks cut off.
    fn is_consistent_with(&self, known: ClockOffset, measured: ClockOffset) -> bool {
        known.0.abs_diff(measured.0) <= millis(self.round_trip / 2) + 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sample of a clock that is ahead by `ahead_ms` and is read `read_after` ms after the request.
    fn sample(ahead_ms: i64, took: u64, read_after: u64) -> ClockSample {
        let asked_at = Timestamp::from_millis(1_700_000_000_000);
        let remote = ClockOffset(ahead_ms).apply(asked_at.after(Duration::from_millis(read_after)));
        ClockSample { requested_at: asked_at, round_trip: Duration::from_millis(took), remote_time: remote }
    }

    #[test]
    fn the_error_is_at_most_half_the_round_trip() {
        for ahead_ms in [-3_600_000, -2500, -1, 0, 1, 700, 86_400_000] {
            for (took, read_after) in [(0, 0), (1, 0), (1, 1), (20, 3), (200, 0), (200, 200), (9000, 9000)] {
                let ClockOffset(known) = ClockOffset::updated(None, &sample(ahead_ms, took, read_after));
                assert!(known.abs_diff(ahead_ms) <= took / 2 + 1, "{ahead_ms} {took} {read_after}: {known}");
            }
        }
    }

    #[test]
    fn a_slow_sample_is_used_only_as_the_first() {
        let long = sample(500, 5000, 2500);
        assert_eq!(ClockOffset::updated(None, &long), ClockOffset(500));
        assert_eq!(ClockOffset::updated(Some(ClockOffset(7)), &long), ClockOffset(7));
    }

    #[test]
    fn samples_within_the_uncertainty_change_nothing() {
        let mut known = ClockOffset::updated(None, &sample(100, 2, 1));
        for (took, read_after) in [(40, 0), (40, 40), (3, 3), (100, 90), (1, 0)] {
            known = ClockOffset::updated(Some(known), &sample(100, took, read_after));
            assert_eq!(known, ClockOffset(100), "{took} {read_after}");
        }
    }

    #[test]
    fn a_clock_step_is_followed() {
        let known = ClockOffset::updated(Some(ClockOffset(100)), &sample(-4000, 2, 1));
        assert_eq!(known, ClockOffset(-4000));
        assert_eq!(ClockOffset::updated(Some(known), &sample(100, 2, 1)), ClockOffset(100));
    }

    #[test]
    fn instances_whose_clocks_are_hours_apart_agree_on_the_time() {
        let remote = Timestamp::from_millis(1_700_000_000_000);
        let shared_time = |ahead_ms: i64, took: u64, read_after: u64| {
            let own = |at: Timestamp| ClockOffset(-ahead_ms).apply(at);
            let (took, read_after) = (Duration::from_millis(took), Duration::from_millis(read_after));
            let sample = ClockSample {
                requested_at: own(remote.before(read_after)),
                round_trip: took,
                remote_time: remote,
            };
            let later = remote.after(Duration::from_secs(3));
            ClockOffset::updated(None, &sample).apply(own(later)).as_millis()
        };
        let fast = shared_time(-7_200_000, 200, 180);
        let slow = shared_time(7_200_000, 30, 2);
        assert!(fast.abs_diff(slow) < 120, "{fast} {slow}");
    }

    #[test]
    fn no_time_is_before_1970() {
        assert_eq!(ClockOffset(-5).apply(Timestamp::from_millis(3)), Timestamp::from_millis(0));
        assert_eq!(ClockOffset(i64::MAX).apply(Timestamp::LAST), Timestamp::LAST);
    }
}
