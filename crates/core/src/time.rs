//! The service's own monotonic time line. Its truth is the caller's clock; nothing here reads one.

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

fn micros(wait: Duration) -> u64 {
    u64::try_from(wait.as_micros()).unwrap_or(u64::MAX)
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
