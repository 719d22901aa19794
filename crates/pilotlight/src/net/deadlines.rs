//! When each connection must have sent what is expected of it. Looked at a few times a second rather than timed
//! one by one: a request then costs no timer, and being late by half a second changes nothing for anybody.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use slab::Slab;

use super::conn::Conn;

/// All connections whose server left a deadline with them.
#[derive(Debug)]
pub struct Deadlines {
    started: Instant,
    conns: Mutex<Slab<Weak<Conn>>>,
    stopping: AtomicBool,
}

/// One connection's deadline.
#[derive(Debug, Default)]
pub(super) struct Deadline {
    at: AtomicU64,
    // Nothing is under way: the connection waits for a request of which nothing has come yet.
    idle: AtomicBool,
}

const NONE: u64 = 0;
const PASSED: u64 = u64::MAX;

impl Deadlines {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { started: Instant::now(), conns: Mutex::default(), stopping: AtomicBool::new(false) })
    }

    /// Watches a connection until what is returned is dropped.
    pub(super) fn watch(self: &Arc<Self>, conn: &Arc<Conn>) -> Watched {
        let slot = self.lock().insert(Arc::downgrade(conn));
        Watched { deadlines: Arc::clone(self), slot }
    }

    /// Ends every connection on which nothing is under way, now and from now on.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.look();
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Ends the connections whose deadline has passed; to be called a few times a second.
    pub fn look(&self) {
        let (now, stopping) = (self.now(), self.is_stopping());
        let conns = self.lock();
        for conn in conns.iter().filter_map(|(_, conn)| conn.upgrade()) {
            let deadline = conn.deadline();
            let over = stopping && deadline.idle.load(Ordering::Acquire);
            if deadline.pass(if over { PASSED - 1 } else { now }) {
                conn.end_reading();
            }
        }
    }

    fn now(&self) -> u64 {
        micros(self.started.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Weak<Conn>>> {
        self.conns.lock().expect("nothing panics under this lock")
    }
}

impl Deadline {
    /// From now on it is `within` from now.
    pub(super) fn set(&self, deadlines: &Deadlines, within: Duration) {
        self.at.store(deadlines.now().saturating_add(micros(within)), Ordering::Release);
    }

    /// Says whether anything is under way.
    pub(super) fn set_idle(&self, idle: bool) {
        self.idle.store(idle, Ordering::Release);
    }

    /// There is none.
    pub(super) fn clear(&self) {
        self.at.store(NONE, Ordering::Release);
    }

    /// Whether it was there and passed.
    pub(super) fn has_passed(&self) -> bool {
        self.at.load(Ordering::Acquire) == PASSED
    }

    fn pass(&self, now: u64) -> bool {
        let due = |at: u64| (at != NONE && at != PASSED && at <= now).then_some(PASSED);
        self.at.fetch_update(Ordering::AcqRel, Ordering::Acquire, due).is_ok()
    }
}

/// A connection that is watched.
pub(super) struct Watched {
    deadlines: Arc<Deadlines>,
    slot: usize,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.deadlines.lock().remove(self.slot);
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(PASSED - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_passes_once_and_only_when_there_is_one() {
        let deadline = Deadline::default();
        assert!(!deadline.pass(PASSED - 1));
        deadline.at.store(5, Ordering::Release);
        assert!(!deadline.pass(4));
        assert!(deadline.pass(5));
        assert!(deadline.has_passed());
        assert!(!deadline.pass(6));
        deadline.clear();
        assert!(!deadline.has_passed());
    }
}
