//! Results that are looked at from time to time.

use pilotlight_core::job::JobId;
use pilotlight_core::time::Timestamp;

use super::failure::Failure;
use super::link::Link;
use super::tx::{Write, given};
use super::verb::{Done, Verb};
use super::{payloads, statements};
use crate::records::JobRecord;
use crate::row::time;

/// See [`crate::Store::due_for_validation`].
pub(super) struct Unchecked<'a> {
    pub(super) types: Vec<&'a [u8]>,
    pub(super) before: Timestamp,
    pub(super) at_most: i64,
}

impl Verb for Unchecked<'_> {
    type Output = Vec<JobRecord>;
    const WRITES: bool = false;

    async fn run(&self, link: Link) -> Result<Done<Vec<JobRecord>>, Failure> {
        let before = time(self.before);
        let rows = link.ask(statements::UNCHECKED, &[&self.types, &before, &self.at_most]).await?;
        link.done();
        payloads::all_found(&rows).map(Done::nothing_new)
    }
}

/// See [`crate::Store::mark_validated`].
pub(super) struct Checked {
    pub(super) id: JobId,
    pub(super) now: Timestamp,
}

impl Verb for Checked {
    type Output = ();

    async fn run(&self, link: Link) -> Result<Done<()>, Failure> {
        let given = given![self.id.as_bytes().to_vec(), time(self.now)];
        link.write(&Write { statement: statements::CHECKED, given }).await?;
        Ok(Done::nothing_new(()))
    }
}
