//! Connections whose server is done, but whose last response may still turn out unread. They are checked for a reset
//! a few times a second, for `UNREAD_WINDOW` and up to `MAX_RESET_WATCHED_CONNS` connections. Above that the oldest
//! is dropped, and a later reset of it goes unnoticed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use pilotlight_core::limits::{MAX_RESET_WATCHED_CONNS, UNREAD_WINDOW};

use super::conn::Conn;

/// The connections that are checked for a reset.
#[derive(Debug, Default)]
pub struct ResetWatch {
    conns: Mutex<VecDeque<Arc<Conn>>>,
}

impl ResetWatch {
    /// Adds a connection if the peer has not yet used or reset it since its last watched response.
    pub(super) fn watch(&self, conn: &Arc<Conn>) {
        if conn.unread_since().is_none() {
            return;
        }
        let mut conns = self.lock();
        if conns.len() == MAX_RESET_WATCHED_CONNS {
            conns.pop_front();
        }
        conns.push_back(Arc::clone(conn));
    }

    /// Checks all connections; must be called a few times a second.
    pub fn check_all(&self) {
        let conns = std::mem::take(&mut *self.lock());
        let undecided = conns.into_iter().filter(|conn| !is_decided(conn)).collect::<Vec<_>>();
        self.lock().extend(undecided);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Arc<Conn>>> {
        self.conns.lock().expect("nothing panics under this lock")
    }
}

/// Whether the check is over. A reset leaves its error on the socket; an ordinary close leaves none.
fn is_decided(conn: &Conn) -> bool {
    let was_reset = conn
        .stream()
        .take_error()
        .is_ok_and(|error| error.is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
    if was_reset {
        conn.mark_reset();
        return true;
    }
    let closed = conn.state().is_none_or(|state| state.is_closed);
    closed || conn.unread_since().is_none_or(|since| since.elapsed() > UNREAD_WINDOW)
}
