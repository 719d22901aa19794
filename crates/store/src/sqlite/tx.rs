//! What a verb that writes has in its hands: the transaction, the rules, and what it changes in the sums.

use std::cell::Cell;

use rusqlite::Connection;

use super::counters::{Delta, Sums};
use crate::error::Error;
use crate::records::Settings;

pub(super) struct Tx<'a> {
    pub(super) db: &'a Connection,
    pub(super) settings: &'a Settings,
    /// What this verb changes in the sums; dropped with it when it fails.
    pub(super) delta: Delta,
    /// The sums as they were when the transaction began, once somebody asked: they are written at its end.
    pub(super) initial_sums: &'a Cell<Option<Sums>>,
    /// What the verbs before it in the same transaction changed in the sums.
    pub(super) batch_sums: Sums,
}

impl Tx<'_> {
    /// What bounds are held against, as this verb sees it.
    pub(super) fn sums(&self) -> Result<Sums, Error> {
        let initial = match self.initial_sums.get() {
            Some(sums) => sums,
            None => super::counters::sums(self.db)?,
        };
        self.initial_sums.set(Some(initial));
        Ok(initial.plus(self.batch_sums).plus(self.delta.sums))
    }
}
