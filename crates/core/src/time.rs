//! Two time lines: the service's own, which only goes forward, and the wall clock's, for what is remembered. Their truth is the caller's clock; nothing here reads one.

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

    /// This moment and `wait` more; the end of time when that is out of range.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(micros(wait)))
    }

    /// How long ago `earlier` was; zero when it was not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// A point in time that outlives the service: milliseconds since 1970, by the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The last moment that every database and every JSON reader can hold exactly (2^53 - 1).
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

    /// This moment and `wait` more.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self::from_millis(self.0.saturating_add(millis(wait)))
    }

    /// This moment and `wait` less.
    #[must_use]
    pub fn before(self, wait: Duration) -> Self {
        Self(self.0.saturating_sub(millis(wait)))
    }

    /// How long ago `earlier` was; zero when it was not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// A time in whole milliseconds; those that no number holds are as long as can be.
#[must_use]
pub fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The same in whole microseconds.
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
