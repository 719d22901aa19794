//! The deadline by which each connection's peer must have sent the bytes that are due. One task checks all
//! connections a few times a second, and deadlines are counted in these ticks. A request then needs neither a timer
//! nor a clock read; an end that is half a second late is harmless.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use slab::Slab;

use super::conn::Conn;

/// Precise enough for deadlines of seconds, and for detecting resets soon.
pub(super) const TICK: Duration = Duration::from_millis(250);

/// Ticks after which idle connections end when the service stops.
pub(super) const IDLE_TICKS: u32 = 2;

const NEVER: u64 = u64::MAX;

/// All open connections, each with its deadline, and the tick counter.
#[derive(Debug)]
pub struct Deadlines {
    ticks: AtomicU64,
    conns: Mutex<Slab<Weak<Conn>>>,
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

impl Default for Deadlines {
    fn default() -> Self {
        Self { ticks: AtomicU64::new(0), conns: Mutex::default(), idle_until: AtomicU64::new(NEVER) }
    }
}

impl Deadlines {
    /// Registers a connection until the returned registration is dropped.
    pub(super) fn register(self: &Arc<Self>, conn: &Arc<Conn>) -> Registration {
        let index = self.lock().insert(Arc::downgrade(conn));
        Registration { deadlines: Arc::clone(self), index }
    }

    /// Ends all idle connections after [`IDLE_TICKS`]. A request may already be on its way to us; it is still
    /// answered, with `connection: close`.
    pub(super) fn stop(&self) {
        self.idle_until.store(self.ticks.load(Ordering::Acquire) + u64::from(IDLE_TICKS), Ordering::Release);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.idle_until.load(Ordering::Acquire) != NEVER
    }

    /// Advances the tick counter and ends the connections whose deadline has passed; must be called every [`TICK`].
    pub fn tick(&self) {
        self.ticks.fetch_add(1, Ordering::AcqRel);
        self.end_overdue();
    }

    fn end_overdue(&self) {
        let now = self.ticks.load(Ordering::Acquire);
        let idle_ends = now >= self.idle_until.load(Ordering::Acquire);
        let conns = self.lock();
        for conn in conns.iter().filter_map(|(_, conn)| conn.upgrade()) {
            let deadline = conn.deadline();
            let is_ending = idle_ends && deadline.idle.load(Ordering::Acquire);
            if deadline.pass_if_due(if is_ending { PASSED - 1 } else { now }) {
                conn.shutdown_read();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Weak<Conn>>> {
        self.conns.lock().expect("nothing panics under this lock")
    }
}

impl Deadline {
    /// Sets the deadline to `within` from now.
    pub(super) fn set(&self, deadlines: &Deadlines, within: Duration) {
        // One tick more, because the current tick may be nearly over: a deadline never passes too early.
        let ticks = within.as_millis().div_ceil(TICK.as_millis()) as u64 + 1;
        self.at.store(deadlines.ticks.load(Ordering::Acquire) + ticks, Ordering::Release);
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

    fn pass_if_due(&self, now: u64) -> bool {
        let due = |at: u64| (at != NONE && at != PASSED && at <= now).then_some(PASSED);
        self.at.fetch_update(Ordering::AcqRel, Ordering::Acquire, due).is_ok()
    }
}

/// The registration of a connection, until dropped.
pub(super) struct Registration {
    deadlines: Arc<Deadlines>,
    index: usize,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.deadlines.lock().remove(self.index);
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
