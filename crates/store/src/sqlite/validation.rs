//! Finds results that are due for validation, and stores when a result was validated.

use pilotlight_core::ids::JobType;
use pilotlight_core::job::JobId;
use pilotlight_core::time::Timestamp;
use rusqlite::{Connection, params};

use super::payloads::{self, select_record};
use super::tx::SqliteTx;
use crate::columns::millis_of_time;
use crate::error::Error;
use crate::records::JobRecord;

/// See [`crate::JobStore::due_for_validation`].
pub(super) fn due_for_validation(
    db: &Connection,
    types: &[JobType],
    before: Timestamp,
    at_most: usize,
) -> Result<Vec<JobRecord>, Error> {
    let mut records = Vec::new();
    for job_type in types {
        let remaining = i64::try_from(at_most - records.len()).unwrap_or(i64::MAX);
        let sql = select_record!(
            "INDEXED BY jobs_unchecked LEFT JOIN outputs ON job = seq \
             WHERE phase = 5 AND is_current = 1 AND job_type = ?1 AND checked_at < ?2 ORDER BY checked_at LIMIT ?3"
        );
        records.extend(payloads::all_records(
            db,
            sql,
            params![job_type.as_str(), millis_of_time(before), remaining],
        )?);
    }
    Ok(records)
}

/// See [`crate::JobStore::mark_validated`].
pub(super) fn mark_validated(tx: &SqliteTx<'_>, id: JobId, now: Timestamp) -> Result<(), Error> {
    tx.db
        .prepare_cached("UPDATE jobs SET checked_at = ?2 WHERE id = ?1")?
        .execute(params![id.as_bytes(), millis_of_time(now)])?;
    Ok(())
}
