//! The context of a writing operation: the transaction, the settings, and the operation's changes of the counters.

use std::cell::Cell;

use rusqlite::Connection;

use super::counters::{SqliteCounterChanges, Sums};
use crate::error::Error;
use crate::records::Settings;

pub(super) struct SqliteTx<'a> {
    pub(super) db: &'a Connection,
    pub(super) settings: &'a Settings,
    /// The operation's changes of the counters; discarded when the operation fails.
    pub(super) counter_changes: SqliteCounterChanges,
    /// The sums at the beginning of the transaction, cached at the first read: changes are written only at its end.
    pub(super) initial_sums: &'a Cell<Option<Sums>>,
    /// The changes of the sums by earlier operations in the same transaction.
    pub(super) batch_sums: Sums,
}

impl SqliteTx<'_> {
    /// The sums that limits are compared with, including all changes of this transaction so far.
    pub(super) fn sums(&self) -> Result<Sums, Error> {
        let initial = match self.initial_sums.get() {
            Some(sums) => sums,
            None => super::counters::sums(self.db)?,
        };
        self.initial_sums.set(Some(initial));
        Ok(initial.plus(self.batch_sums).plus(self.counter_changes.sums))
    }
}
