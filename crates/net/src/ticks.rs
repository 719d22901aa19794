//! Deadlines that are counted in ticks, a few per second. A request then needs neither a timer nor a clock read; an end
//! that is half a second late is harmless.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Precise enough for deadlines of seconds, and for detecting resets soon.
pub(super) const TICK: Duration = Duration::from_millis(250);

/// Ticks after which idle connections end when the service stops.
pub(super) const IDLE_TICKS: u32 = 2;

const NEVER: u64 = u64::MAX;

/// The tick counter, and the end of idle connections.
#[derive(Debug)]
pub(super) struct Ticks {
    count: AtomicU64,
    // The tick from which on idle connections end; `NEVER` until the service stops.
    idle_until: AtomicU64,
}

/// One connection's deadline.
#[derive(Debug, Default)]
pub(super) struct Deadline {
    at: AtomicU64,
    // The connection waits for its next request, and no byte of that request has come yet.
    idle: AtomicBool,
}

const NONE: u64 = 0;
const PASSED: u64 = u64::MAX;

impl Default for Ticks {
    fn default() -> Self {
        Self { count: AtomicU64::new(0), idle_until: AtomicU64::new(NEVER) }
    }
}

impl Ticks {
    /// Advances the counter; must be called every [`TICK`].
    pub(super) fn advance(&self) {
        self.count.fetch_add(1, Ordering::AcqRel);
    }

    /// Ends all idle connections after [`IDLE_TICKS`].
    pub(super) fn stop(&self) {
        self.idle_until.store(self.now() + u64::from(IDLE_TICKS), Ordering::Release);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.idle_until.load(Ordering::Acquire) != NEVER
    }

    fn now(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    fn idle_ends(&self) -> bool {
        self.now() >= self.idle_until.load(Ordering::Acquire)
    }
}

impl Deadline {
    /// Sets the deadline to `within` from now.
    pub(super) fn set(&self, ticks: &Ticks, within: Duration) {
        // One tick more, because the current tick may be nearly over: a deadline never passes too early.
        let count = within.as_millis().div_ceil(TICK.as_millis()) as u64 + 1;
        self.at.store(ticks.now() + count, Ordering::Release);
    }

    /// Records whether the connection waits for a request of which no byte has come.
    pub(super) fn set_idle(&self, idle: bool) {
        self.idle.store(idle, Ordering::Release);
    }

    /// Removes the deadline.
    pub(super) fn clear(&self) {
        self.at.store(NONE, Ordering::Release);
    }

    /// Whether a deadline was set and has passed.
    pub(super) fn is_passed(&self) -> bool {
        self.at.load(Ordering::Acquire) == PASSED
    }

    /// Marks the deadline as passed if it is due, or if the connection is idle and idle connections end. Returns
    /// whether it was marked by this call.
    pub(super) fn pass_if_over(&self, ticks: &Ticks) -> bool {
        let is_ending = ticks.idle_ends() && self.idle.load(Ordering::Acquire);
        self.pass_if_due(if is_ending { PASSED - 1 } else { ticks.now() })
    }

    fn pass_if_due(&self, now: u64) -> bool {
        let due = |at: u64| (at != NONE && at != PASSED && at <= now).then_some(PASSED);
        self.at.fetch_update(Ordering::AcqRel, Ordering::Acquire, due).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_passes_once_and_only_when_there_is_one() {
        let deadline = Deadline::default();
        assert!(!deadline.pass_if_due(PASSED - 1));
        deadline.at.store(5, Ordering::Release);
        assert!(!deadline.pass_if_due(4));
        assert!(deadline.pass_if_due(5));
        assert!(deadline.is_passed());
        assert!(!deadline.pass_if_due(6));
        deadline.clear();
        assert!(!deadline.is_passed());
    }
}
