//! Reads of a single job, of a job's parameters, and of the database's clock. None of them locks.

use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::job::JobId;
use pilotlight_core::time::Timestamp;

use super::column_values::{column, text};
use super::connection::StoreConnection;
use super::failure::Failure;
use super::operation::{Committed, StoreOperation};
use super::payloads::{self, only_if_ended};
use super::statements;
use crate::columns::{corrupt_column, time_from_millis};
use crate::records::JobRecord;

/// See [`crate::Store::clock`].
pub(super) struct ReadClock;

impl StoreOperation for ReadClock {
    type Output = Timestamp;
    const WRITES: bool = false;

    async fn run(&self, connection: StoreConnection) -> Result<Committed<Timestamp>, Failure> {
        let rows = connection.query(statements::CLOCK, &[]).await?;
        connection.release();
        let row = rows.first().ok_or_else(|| Failure::permanent(corrupt_column("clock")))?;
        let now = column(row, 0).and_then(|now: i64| time_from_millis(now, "clock"));
        now.map(Committed::without_notifications).map_err(Failure::permanent)
    }
}

/// See [`crate::ReadStore::lookup`].
pub(super) struct Lookup {
    pub(super) key: CacheKey,
}

impl StoreOperation for Lookup {
    type Output = Option<JobRecord>;
    const WRITES: bool = false;

    async fn run(&self, connection: StoreConnection) -> Result<Committed<Option<JobRecord>>, Failure> {
        let rows = connection.query(statements::FIND_CURRENT, &[&self.key.as_bytes().as_slice()]).await?;
        connection.release();
        Ok(Committed::without_notifications(payloads::record(&rows)?.map(only_if_ended)))
    }
}

/// See [`crate::ReadStore::job`].
pub(super) struct FindJob {
    pub(super) id: JobId,
}

impl StoreOperation for FindJob {
    type Output = Option<JobRecord>;
    const WRITES: bool = false;

    async fn run(&self, connection: StoreConnection) -> Result<Committed<Option<JobRecord>>, Failure> {
        let rows = connection.query(statements::FIND_JOB, &[&self.id.as_bytes().as_slice()]).await?;
        connection.release();
        Ok(Committed::without_notifications(payloads::record(&rows)?))
    }
}

/// See [`crate::ReadStore::input`].
pub(super) struct ReadInput {
    pub(super) id: JobId,
}

impl StoreOperation for ReadInput {
    type Output = Option<String>;
    const WRITES: bool = false;

    async fn run(&self, connection: StoreConnection) -> Result<Committed<Option<String>>, Failure> {
        let rows = connection.query(statements::INPUT, &[&self.id.as_bytes().as_slice()]).await?;
        connection.release();
        let input = rows.first().map(|row| text(row, 0)).transpose();
        input.map(Committed::without_notifications).map_err(Failure::permanent)
    }
}
