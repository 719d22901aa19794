//! Deletes jobs: those beyond the retention time or size, and those that an operator names.

use pilotlight_core::job::JobId;
use pilotlight_core::time::Timestamp;
use rusqlite::Connection;

use super::jobs::{self, select_jobs};
use super::tx::SqliteTx;
use crate::columns::{corrupt_column, number, time_from_millis};
use crate::error::Error;
use crate::job_row::JobRow;
use crate::records::{PruneStats, Retention};

/// See [`crate::JobStore::prune`].
pub(super) fn prune(
    tx: &mut SqliteTx<'_>,
    retention: Retention,
    now: Timestamp,
) -> Result<PruneStats, Error> {
    let mut pruned = PruneStats::default();
    for _ in 0..retention.at_most {
        let Some(oldest) = first_ended(tx.db)? else { break };
        if !(is_old(&oldest, retention, now)? || exceeds_max_bytes(tx, retention)?) {
            break;
        }
        jobs::delete(tx, &oldest)?;
        pruned.jobs += 1;
        pruned.bytes += number::<u64>(oldest.bytes.sum(), "bytes")?;
    }
    Ok(pruned)
}

fn first_ended(db: &Connection) -> Result<Option<JobRow>, Error> {
    let sql = select_jobs!("INDEXED BY jobs_ended WHERE ended_at IS NOT NULL ORDER BY ended_at, seq LIMIT 1");
    jobs::one(db, sql, [])
}

fn is_old(job: &JobRow, retention: Retention, now: Timestamp) -> Result<bool, Error> {
    let ended_at = time_from_millis(job.ended_at.ok_or_else(|| corrupt_column("ended_at"))?, "ended_at")?;
    Ok(now.since(ended_at) >= retention.keep_for)
}

fn exceeds_max_bytes(tx: &SqliteTx<'_>, retention: Retention) -> Result<bool, Error> {
    Ok(retention.max_bytes > 0 && number::<u64>(tx.sums()?.ended_bytes, "bytes")? > retention.max_bytes)
}

/// See [`crate::JobStore::delete`].
pub(super) fn delete(tx: &mut SqliteTx<'_>, ids: &[JobId]) -> Result<Vec<JobId>, Error> {
    let mut deleted = Vec::new();
    for id in ids {
        if let Some(job) = jobs::by_id(tx.db, *id)? {
            jobs::delete(tx, &job)?;
            deleted.push(*id);
        }
    }
    Ok(deleted)
}
