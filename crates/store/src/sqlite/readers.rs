//! Read-only connections. Each sees committed data only, and never waits for the writer.
//!
//! Short reads run on the calling thread: a cached read is two descents of a B-tree in memory. Measured: 3 us of
//! processor time on the calling thread, 7 to 29 us through `spawn_blocking`. Long reads (lists, counts) run on a
//! blocking thread and have connections of their own, so that a short read never waits for a long one.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use rusqlite::Connection;

use super::open;
use crate::error::Error;

#[derive(Debug)]
pub(super) struct Readers {
    connections: Vec<Mutex<Connection>>,
    next: AtomicUsize,
}

impl Readers {
    pub(super) fn open(folder: &Path, count: usize) -> Result<Self, Error> {
        let connections =
            (0..count).map(|_| open::reader(folder).map(Mutex::new)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { connections, next: AtomicUsize::new(0) })
    }

    /// Runs a read of one statement.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        read(&self.connection())
    }

    /// Runs a read of several statements that see the same snapshot.
    pub(super) fn read_snapshot<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let db = self.connection();
        let snapshot = db.unchecked_transaction()?;
        read(&snapshot)
    }

    /// A free connection; waits for one when all are in use.
    fn connection(&self) -> MutexGuard<'_, Connection> {
        let first = self.next.fetch_add(1, Relaxed) % self.connections.len();
        let (late, early) = self.connections.split_at(first);
        for connection in early.iter().chain(late) {
            match connection.try_lock() {
                Ok(free) => return free,
                Err(TryLockError::Poisoned(free)) => return free.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.connections[first].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
