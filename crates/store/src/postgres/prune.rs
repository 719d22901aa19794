//! Deletes jobs: those beyond the retention time or size, and those that an operator names.

use pilotlight_core::job::JobId;
use pilotlight_core::time::Timestamp;
use tokio_postgres::Row as PgRow;

use super::column_values::column;
use super::connection::StoreConnection;
use super::failure::Failure;
use super::operation::{Committed, StoreOperation};
use super::queries::limit;
use super::tx::PgTx;
use super::{jobs, statements};
use crate::columns::{corrupt_column, number, time_from_millis};
use crate::job_row::JobRow;
use crate::records::{PruneStats, Retention};

/// See [`crate::JobStore::prune`].
pub(super) struct Prune {
    pub(super) retention: Retention,
    pub(super) now: Timestamp,
}

impl StoreOperation for Prune {
    type Output = PruneStats;

    async fn run(&self, connection: StoreConnection) -> Result<Committed<PruneStats>, Failure> {
        connection.query(statements::DELETE_EMPTY_COUNTERS, &[]).await?;
        let (mut tx, oldest) =
            PgTx::begin(connection, statements::LOCK_OLDEST, &[&limit(self.retention.at_most)]).await?;
        let bytes = sum(&tx.query(statements::ENDED_BYTES, &[]).await?)?;
        let to_prune = self.jobs_to_prune(jobs::all(&oldest)?, bytes).map_err(Failure::permanent)?;
        let pruned_bytes: i64 = to_prune.iter().map(|job| job.bytes.sum()).sum();
        jobs::delete(&mut tx, &to_prune);
        let bytes = number(pruned_bytes, "bytes").map_err(Failure::permanent)?;
        let jobs = u64::try_from(to_prune.len()).unwrap_or(u64::MAX);
        Ok(Committed { notifications: tx.commit().await?, value: PruneStats { jobs, bytes } })
    }
}

impl Prune {
    /// Selects the jobs to delete from `oldest`, the jobs that ended first.
    fn jobs_to_prune(
        &self,
        oldest: Vec<JobRow>,
        ended_bytes: u64,
    ) -> Result<Vec<JobRow>, crate::error::Error> {
        let mut remaining_bytes = ended_bytes;
        let mut jobs_to_prune = Vec::new();
        for job in oldest {
            let exceeds_max_bytes =
                self.retention.max_bytes > 0 && remaining_bytes > self.retention.max_bytes;
            if !exceeds_max_bytes && !self.is_old(&job)? {
                break;
            }
            remaining_bytes = remaining_bytes.saturating_sub(number(job.bytes.sum(), "bytes")?);
            jobs_to_prune.push(job);
        }
        Ok(jobs_to_prune)
    }

    fn is_old(&self, job: &JobRow) -> Result<bool, crate::error::Error> {
        let ended_at = time_from_millis(job.ended_at.ok_or_else(|| corrupt_column("ended_at"))?, "ended_at")?;
        Ok(self.now.since(ended_at) >= self.retention.keep_for)
    }
}

/// See [`crate::JobStore::stored_bytes`].
pub(super) struct ReadStoredBytes;

impl StoreOperation for ReadStoredBytes {
    type Output = u64;
    const WRITES: bool = false;

    async fn run(&self, connection: StoreConnection) -> Result<Committed<u64>, Failure> {
        let rows = connection.query(statements::BYTES, &[]).await?;
        connection.release();
        sum(&rows).map(Committed::without_notifications)
    }
}

fn sum(rows: &[PgRow]) -> Result<u64, Failure> {
    let Some(row) = rows.first() else { return Ok(0) };
    column(row, 0).and_then(|stored: i64| number(stored, "bytes")).map_err(Failure::permanent)
}

/// See [`crate::JobStore::delete`].
pub(super) struct Delete<'a> {
    pub(super) ids: &'a [JobId],
}

impl StoreOperation for Delete<'_> {
    type Output = Vec<JobId>;

    async fn run(&self, connection: StoreConnection) -> Result<Committed<Vec<JobId>>, Failure> {
        let ids: Vec<&[u8]> = self.ids.iter().map(|id| id.as_bytes().as_slice()).collect();
        let (mut tx, rows) = PgTx::begin(connection, statements::LOCK_SEVERAL, &[&ids]).await?;
        let found = jobs::all(&rows)?;
        jobs::delete(&mut tx, &found);
        let notifications = tx.commit().await?;
        let exists = |id: &&JobId| found.iter().any(|stored| stored.job.id == **id);
        Ok(Committed { value: deduplicated(self.ids.iter().filter(exists)), notifications })
    }
}

/// The ids without repetitions.
fn deduplicated<'a>(ids: impl Iterator<Item = &'a JobId>) -> Vec<JobId> {
    let mut seen = std::collections::HashSet::new();
    ids.filter(|id| seen.insert(**id)).copied().collect()
}
