//! What a verb that writes has in its hands: the transaction, the rules, and what it changes in the sums.

use std::cell::Cell;

use rusqlite::Connection;

use super::tally::{Delta, Sums};
use crate::error::Error;
use crate::records::Settings;

pub(super) struct Tx<'a> {
    pub(super) db: &'a Connection,
    pub(super) settings: &'a Settings,
    /// What this verb changes in the sums; dropped with it when it fails.
    pub(super) delta: Delta,
    /// The sums as they were when the transaction began, once somebody asked: they are written at its end.
    pub(super) sums_at_first: &'a Cell<Option<Sums>>,
    /// What the verbs before it in the same transaction changed in the sums.
    pub(super) sums_before: Sums,
}

impl Tx<'_> {
    /// What bounds are held against, as this verb sees it.
    pub(super) fn sums(&self) -> Result<Sums, Error> {
        let at_first = match self.sums_at_first.get() {
            Some(sums) => sums,
            None => super::tally::sums(self.db)?,
        };
        self.sums_at_first.set(Some(at_first));
        Ok(at_first.plus(self.sums_before).plus(self.delta.sums))
    }
}
