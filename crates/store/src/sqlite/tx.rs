//! What a verb that writes has in its hands: the transaction, the rules, and what it changes in the sums.

use rusqlite::Connection;

use super::tally::Delta;
use crate::error::Error;
use crate::records::Settings;

pub(super) struct Tx<'a> {
    pub(super) db: &'a Connection,
    pub(super) settings: &'a Settings,
    /// What this verb changes in the sums; dropped with it when it fails.
    pub(super) delta: Delta,
    /// What the verbs before it in the same transaction changed in the sum of bytes.
    pub(super) bytes_before: i64,
}

impl Tx<'_> {
    /// Bytes of parameters, results and consoles of all jobs, as this verb sees them.
    pub(super) fn bytes(&self) -> Result<i64, Error> {
        Ok(super::tally::bytes(self.db)? + self.bytes_before + self.delta.bytes)
    }
}
