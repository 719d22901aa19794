//! Ends the connections whose peer did not send in time the bytes that are due. One task checks all connections a few
//! times a second; `ticks` counts the deadlines.

use std::sync::{Arc, Mutex, MutexGuard, Weak};

use slab::Slab;

use super::conn::Conn;
use super::ticks::Ticks;

/// All open connections, each with its deadline, and the tick counter.
#[derive(Debug, Default)]
pub struct Deadlines {
    ticks: Arc<Ticks>,
    conns: Mutex<Slab<Weak<Conn>>>,
}

impl Deadlines {
    /// The tick counter, in which all connections count their deadlines.
    pub(super) const fn ticks(&self) -> &Arc<Ticks> {
        &self.ticks
    }

    /// Registers a connection until the returned registration is dropped.
    pub(super) fn register(self: &Arc<Self>, conn: &Arc<Conn>) -> Registration {
        let index = self.lock().insert(Arc::downgrade(conn));
        Registration { deadlines: Arc::clone(self), index }
    }

    /// Ends all idle connections after `IDLE_TICKS`. A request may already be on its way to
    /// us; it is still answered, with `connection: close`.
    pub(super) fn stop(&self) {
        self.ticks.stop();
    }

    /// Advances the tick counter and ends the connections whose deadline has passed; must be called every
    /// `TICK`.
    pub fn tick(&self) {
        self.ticks.advance();
        self.end_overdue();
    }

    fn end_overdue(&self) {
        let conns = self.lock();
        for conn in conns.iter().filter_map(|(_, conn)| conn.upgrade()) {
            if conn.deadline().pass_if_over(&self.ticks) {
                conn.shutdown_read();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Weak<Conn>>> {
        self.conns.lock().expect("nothing panics under this lock")
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
