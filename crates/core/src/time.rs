//! Two kinds of time: the service's own time, which never goes back, and wall-clock time for stored data. The caller's
//! clock provides the values; nothing here reads a clock.

use std::time::Duration;

/// A point in time: microseconds since the service started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(u64);

impl Moment {
    /// The moment `micros` microseconds after the start.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The moment `millis` milliseconds after the start.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// Microseconds since the start.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// This moment plus `wait`; the latest possible moment when the sum is out of range.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(micros(wait)))
    }

    /// Time since `earlier`; zero when `earlier` is later than this moment.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// A point in time that is valid across restarts: milliseconds since 1970, by the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The latest timestamp that every database and every JSON parser represents exactly (2^53 - 1).
    pub const LAST: Self = Self((1 << 53) - 1);

    /// The moment `millis` milliseconds after 1970; [`Timestamp::LAST`] at most.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        if millis < Self::LAST.0 { Self(millis) } else { Self::LAST }
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This timestamp plus `wait`; at most [`Timestamp::LAST`].
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self::from_millis(self.0.saturating_add(millis(wait)))
    }

    /// This timestamp minus `wait`; at least 1970.
    #[must_use]
    pub fn before(self, wait: Duration) -> Self {
        Self(self.0.saturating_sub(millis(wait)))
    }

    /// Time since `earlier`; zero when `earlier` is later than this timestamp.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// A duration in whole milliseconds; `u64::MAX` when it is out of range.
#[must_use]
pub fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A duration in whole microseconds; `u64::MAX` when it is out of range.
#[must_use]
pub fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_never_wraps() {
        let now = Moment::from_millis(5);
        assert_eq!(now.after(Duration::from_millis(2)), Moment::from_millis(7));
        assert_eq!(now.after(Duration::MAX), Moment::from_micros(u64::MAX));
        assert_eq!(now.since(Moment::from_millis(9)), Duration::ZERO);
    }
}
