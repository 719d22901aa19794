//! Finds results that are due for validation, and stores when a result was validated.

use pilotlight_core::job::JobId;
use pilotlight_core::time::Timestamp;

use super::connection::StoreConnection;
use super::failure::Failure;
use super::operation::{Committed, StoreOperation};
use super::write_statement::{WriteStatement, owned_params};
use super::{payloads, statements};
use crate::columns::millis_of_time;
use crate::records::JobRecord;

/// See [`crate::JobStore::due_for_validation`].
pub(super) struct DueForValidation<'a> {
    pub(super) types: Vec<&'a [u8]>,
    pub(super) before: Timestamp,
    pub(super) at_most: i64,
}

impl StoreOperation for DueForValidation<'_> {
    type Output = Vec<JobRecord>;
    const WRITES: bool = false;

    async fn run(&self, connection: StoreConnection) -> Result<Committed<Vec<JobRecord>>, Failure> {
        let before = millis_of_time(self.before);
        let rows =
            connection.query(statements::DUE_FOR_VALIDATION, &[&self.types, &before, &self.at_most]).await?;
        connection.release();
        payloads::all_records(&rows).map(Committed::without_notifications)
    }
}

/// See [`crate::JobStore::mark_validated`].
pub(super) struct MarkValidated {
    pub(super) id: JobId,
    pub(super) now: Timestamp,
}

impl StoreOperation for MarkValidated {
    type Output = ();

    async fn run(&self, connection: StoreConnection) -> Result<Committed<()>, Failure> {
        let params = owned_params![self.id.as_bytes().to_vec(), millis_of_time(self.now)];
        connection.write(&WriteStatement { statement: statements::MARK_VALIDATED, params }).await?;
        Ok(Committed::without_notifications(()))
    }
}
