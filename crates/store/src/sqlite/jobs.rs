//! Reads, inserts, updates and deletes rows of `jobs`. The changes of the counters are computed here and in
//! `queue::promote`.

use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::job::{Job, JobId};
use pilotlight_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Params, params};

use super::tx::SqliteTx;
use crate::columns::{JobColumns, StoredStatus, columns, number};
use crate::error::Error;
use crate::job_row::{JobBytes, JobRow, length};
use crate::write_plan::WritePlan;

/// A `SELECT` of the columns of a [`JobRow`], optionally followed by more columns.
macro_rules! select_jobs {
    ($rest:literal) => {
        concat!(
            "SELECT ",
            crate::columns::columns!(),
            ", seq, ended_at, input_bytes, output_bytes, console_bytes FROM jobs ",
            $rest
        )
    };
    ($more:literal, $rest:literal) => {
        concat!(
            "SELECT ",
            crate::columns::columns!(),
            ", seq, ended_at, input_bytes, output_bytes, console_bytes, ",
            $more,
            " FROM jobs ",
            $rest
        )
    };
}
pub(super) use select_jobs;

pub(super) fn by_id(db: &Connection, id: JobId) -> Result<Option<JobRow>, Error> {
    one(db, select_jobs!("WHERE id = ?1"), [id.as_bytes()])
}

pub(super) fn by_seq(db: &Connection, seq: i64) -> Result<Option<JobRow>, Error> {
    one(db, select_jobs!("WHERE seq = ?1"), [seq])
}

/// The current job of a cache key: the one that equal submissions find.
pub(super) fn current(db: &Connection, key: CacheKey) -> Result<Option<JobRow>, Error> {
    let sql = select_jobs!("INDEXED BY jobs_current WHERE cache_key = ?1 AND is_current = 1");
    one(db, sql, [key.as_bytes()])
}

pub(super) fn one(db: &Connection, sql: &str, params: impl Params) -> Result<Option<JobRow>, Error> {
    db.prepare_cached(sql)?.query_row(params, |row| Ok(job_row(row))).optional()?.transpose()
}

pub(super) fn all(db: &Connection, sql: &str, params: impl Params) -> Result<Vec<JobRow>, Error> {
    let mut read = db.prepare_cached(sql)?;
    let rows = read.query_and_then(params, job_row)?;
    rows.collect()
}

pub(super) fn job_row(row: &rusqlite::Row<'_>) -> Result<JobRow, Error> {
    let columns = job_columns(row)?;
    Ok(JobRow {
        status: StoredStatus::from_number(columns.phase)?,
        job: columns.into_job()?,
        seq: row.get(25)?,
        ended_at: row.get(26)?,
        bytes: JobBytes { input: row.get(27)?, output: row.get(28)?, console: row.get(29)? },
    })
}

fn job_columns(row: &rusqlite::Row<'_>) -> Result<JobColumns, Error> {
    Ok(JobColumns {
        id: row.get(0)?,
        job_type: row.get(1)?,
        cache_key: row.get(2)?,
        is_current: row.get(3)?,
        priority: row.get(4)?,
        run_at: row.get(5)?,
        max_attempts: row.get(6)?,
        retry_backoff_ms: row.get(7)?,
        ttl_ms: row.get(8)?,
        callers: row.get(9)?,
        created_at: row.get(10)?,
        updated_at: row.get(11)?,
        ready_at: row.get(12)?,
        attempts: row.get(13)?,
        losses: row.get(14)?,
        lease: row.get(15)?,
        phase: row.get(16)?,
        runner: row.get(17)?,
        held_at: row.get(18)?,
        heard_at: row.get(19)?,
        progress_current: row.get(20)?,
        progress_total: row.get(21)?,
        until_at: row.get(22)?,
        fingerprint: row.get(23)?,
        failure: row.get(24)?,
    })
}

/// Inserts a new job with its parameters; returns its `seq`.
pub(super) fn insert(tx: &mut SqliteTx<'_>, job: &Job, input: &str, now: Timestamp) -> Result<i64, Error> {
    if job.is_current {
        clear_current(tx, job.key)?;
    }
    let row = JobColumns::from_job(job, now);
    // A new job is not assigned to a runner and has not ended, so the other columns are NULL.
    tx.db
        .prepare_cached(concat!(
            "INSERT INTO jobs (",
            columns!(),
            ", input_bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, \
             NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, ?18)"
        ))?
        .execute(params![
            row.id,
            row.job_type,
            row.cache_key,
            row.is_current,
            row.priority,
            row.run_at,
            row.max_attempts,
            row.retry_backoff_ms,
            row.ttl_ms,
            row.callers,
            row.created_at,
            row.updated_at,
            row.ready_at,
            row.attempts,
            row.losses,
            row.lease,
            row.phase,
            length(input),
        ])?;
    let seq = tx.db.last_insert_rowid();
    tx.db.prepare_cached("INSERT INTO inputs (job, input) VALUES (?1, ?2)")?.execute(params![seq, input])?;
    let bytes = JobBytes { input: length(input), ..JobBytes::default() };
    tx.counter_changes.add_job(&job.job_type, StoredStatus::of_job(job, now), bytes);
    Ok(seq)
}

/// Updates the row of a changed job.
pub(super) fn update(tx: &mut SqliteTx<'_>, plan: &WritePlan<'_>) -> Result<(), Error> {
    let WritePlan { before, row, status, bytes, .. } = plan;
    if plan.replaced.is_some() {
        clear_current(tx, plan.job.key)?;
    }
    if *status == before.status && matches!(status, StoredStatus::InProgress) && *bytes == before.bytes {
        write_heartbeat(tx, before.seq, row)?;
    } else {
        write_row(tx, before.seq, row, plan.ended_at, *bytes)?;
    }
    tx.counter_changes.move_job(&plan.job.job_type, (before.status, before.bytes), (*status, *bytes));
    Ok(())
}

/// Updates only the columns that a heartbeat changes. Most writes are heartbeats; this one touches a single index.
fn write_heartbeat(tx: &SqliteTx<'_>, seq: i64, row: &JobColumns) -> Result<(), Error> {
    let mut write = tx.db.prepare_cached(
        "UPDATE jobs SET updated_at = ?2, heard_at = ?3, progress_current = ?4, progress_total = ?5, callers = ?6, \
         run_at = ?7, ready_at = ?8, priority = ?9 WHERE seq = ?1",
    )?;
    write.execute(params![
        seq,
        row.updated_at,
        row.heard_at,
        row.progress_current,
        row.progress_total,
        row.callers,
        row.run_at,
        row.ready_at,
        row.priority,
    ])?;
    Ok(())
}

fn write_row(
    tx: &SqliteTx<'_>,
    seq: i64,
    row: &JobColumns,
    ended_at: Option<i64>,
    bytes: JobBytes,
) -> Result<(), Error> {
    let mut write = tx.db.prepare_cached(
        "UPDATE jobs SET is_current = ?2, priority = ?3, run_at = ?4, callers = ?5, updated_at = ?6, ready_at = ?7, \
         attempts = ?8, losses = ?9, lease = ?10, phase = ?11, runner = ?12, held_at = ?13, heard_at = ?14, \
         progress_current = ?15, progress_total = ?16, until_at = ?17, fingerprint = ?18, failure = ?19, \
         ended_at = ?20, output_bytes = ?21, console_bytes = ?22 WHERE seq = ?1",
    )?;
    write.execute(params![
        seq,
        row.is_current,
        row.priority,
        row.run_at,
        row.callers,
        row.updated_at,
        row.ready_at,
        row.attempts,
        row.losses,
        row.lease,
        row.phase,
        row.runner,
        row.held_at,
        row.heard_at,
        row.progress_current,
        row.progress_total,
        row.until_at,
        row.fingerprint,
        row.failure,
        ended_at,
        bytes.output,
        bytes.console,
    ])?;
    Ok(())
}

/// Makes the current job of this cache key, if any, no longer current.
fn clear_current(tx: &SqliteTx<'_>, key: CacheKey) -> Result<(), Error> {
    let mut write = tx.db.prepare_cached(
        "UPDATE jobs INDEXED BY jobs_current SET is_current = 0 WHERE cache_key = ?1 AND is_current = 1",
    )?;
    write.execute([key.as_bytes()])?;
    Ok(())
}

/// Deletes a job; its parameters, output, console and idempotency keys are deleted by cascade.
pub(super) fn delete(tx: &mut SqliteTx<'_>, job_row: &JobRow) -> Result<(), Error> {
    tx.db.prepare_cached("DELETE FROM jobs WHERE seq = ?1")?.execute([job_row.seq])?;
    tx.counter_changes.remove_job(&job_row.job.job_type, job_row.status, job_row.bytes);
    Ok(())
}

/// A count in the first column.
pub(super) fn count(row: &rusqlite::Row<'_>) -> Result<u64, Error> {
    number(row.get(0)?, "count")
}
