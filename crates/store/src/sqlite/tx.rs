//! What a verb that writes has in its hands: the transaction, the rules, and what it changes in the sums.

use rusqlite::Connection;

use super::tally::{Delta, Sums};
use crate::error::Error;
use crate::records::Settings;

pub(super) struct Tx<'a> {
    pub(super) db: &'a Connection,
    pub(super) settings: &'a Settings,
    /// What this verb changes in the sums; dropped with it when it fails.
    pub(super) delta: Delta,
    /// What the verbs before it in the same transaction changed in the sums.
    pub(super) sums_before: Sums,
}

impl Tx<'_> {
    /// What bounds are held against, as this verb sees it.
    pub(super) fn sums(&self) -> Result<Sums, Error> {
        Ok(super::tally::sums(self.db)?.plus(self.sums_before).plus(self.delta.sums))
    }
}
