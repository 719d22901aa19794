//! Reads, inserts, updates and deletes rows of `jobs`, and collects the changes of the counters and the notifications.

use pilotlight_core::job::Job;
use pilotlight_core::time::Timestamp;
use tokio_postgres::Row as PgRow;

use super::column_values::{column, maybe_text, small_int, text};
use super::failure::Failure;
use super::statements;
use super::tx::PgTx;
use super::write_statement::owned_params;
use crate::columns::{JobColumns, StoredStatus, corrupt_column};
use crate::error::Error;
use crate::job_row::{JobBytes, JobRow};
use crate::records::NewJob;
use crate::write_plan::WritePlan;

/// The job of the first row, if any.
pub(super) fn one(rows: &[PgRow]) -> Result<Option<JobRow>, Failure> {
    rows.first().map(job_row).transpose()
}

/// The jobs of all rows.
pub(super) fn all(rows: &[PgRow]) -> Result<Vec<JobRow>, Failure> {
    rows.iter().map(job_row).collect()
}

/// The jobs of all rows, without the columns that only the store uses.
pub(super) fn only_jobs(rows: &[PgRow]) -> Result<Vec<Job>, Failure> {
    rows.iter().map(|row| job_row(row).map(|job_row| job_row.job)).collect()
}

pub(super) fn job_row(row: &PgRow) -> Result<JobRow, Failure> {
    let read = || {
        let columns = job_columns(row)?;
        Ok::<_, Error>(JobRow {
            status: StoredStatus::from_number(columns.phase)?,
            job: columns.into_job()?,
            seq: column(row, 25)?,
            ended_at: column(row, 26)?,
            bytes: JobBytes { input: column(row, 27)?, output: column(row, 28)?, console: column(row, 29)? },
        })
    };
    read().map_err(Failure::permanent)
}

fn job_columns(row: &PgRow) -> Result<JobColumns, Error> {
    let small_int = |at| column::<Option<i16>>(row, at).map(|number| number.map(i64::from));
    Ok(JobColumns {
        id: column(row, 0)?,
        job_type: text(row, 1)?,
        cache_key: column(row, 2)?,
        is_current: column(row, 3)?,
        priority: column(row, 4)?,
        run_at: column(row, 5)?,
        max_attempts: column(row, 6)?,
        retry_backoff_ms: column(row, 7)?,
        ttl_ms: column(row, 8)?,
        callers: column(row, 9)?,
        created_at: column(row, 10)?,
        updated_at: column(row, 11)?,
        ready_at: column(row, 12)?,
        attempts: column(row, 13)?,
        losses: column(row, 14)?,
        lease: column(row, 15)?,
        phase: small_int(16)?.ok_or_else(|| corrupt_column("phase"))?,
        runner: maybe_text(row, 17)?,
        held_at: column(row, 18)?,
        heard_at: column(row, 19)?,
        progress_current: column(row, 20)?,
        progress_total: column(row, 21)?,
        until_at: column(row, 22)?,
        fingerprint: column(row, 23)?,
        failure: small_int(24)?,
    })
}

/// Whether a new job needs a webhook call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WebhookNeeded {
    Yes,
    No,
}

/// Inserts a new job with its parameters, idempotency key and webhook call, unless its cache key has a current job. The
/// same statement updates the counters.
pub(super) fn insert(tx: &mut PgTx, job: &Job, new: &NewJob, webhook: WebhookNeeded, now: Timestamp) {
    let row = JobColumns::from_job(job, now);
    tx.write(
        statements::INSERT,
        owned_params![
            row.id,
            row.job_type.into_bytes(),
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
            small_int(row.phase),
            new.input.clone().into_bytes(),
            new.idempotency_key.map(|key| key.0.to_vec()),
            webhook == WebhookNeeded::Yes,
        ],
    );
    tx.notifications.add_ready_type(job.job_type.clone());
}

/// Updates the row of a changed job.
pub(super) fn update(tx: &mut PgTx, plan: &WritePlan<'_>) {
    let WritePlan { before, job, row, status, bytes, .. } = plan;
    if let Some(replaced) = plan.replaced {
        clear_current(tx, replaced);
    }
    tx.write(
        statements::UPDATE,
        owned_params![
            before.seq,
            row.is_current,
            row.priority,
            row.run_at,
            row.callers,
            row.updated_at,
            row.ready_at,
            row.attempts,
            row.losses,
            row.lease,
            small_int(row.phase),
            row.runner.clone().map(String::into_bytes),
            row.held_at,
            row.heard_at,
            row.progress_current,
            row.progress_total,
            row.until_at,
            row.fingerprint.clone(),
            row.failure.map(small_int),
            plan.ended_at,
            bytes.output,
            bytes.console,
        ],
    );
    tx.counter_changes.move_job(&job.job_type, (before.status, before.bytes), (*status, *bytes));
    tx.notifications.add_changed_job(job.id);
    if matches!(status, StoredStatus::Ready | StoredStatus::Delayed) {
        tx.notifications.add_ready_type(job.job_type.clone());
    }
}

/// Makes a locked current job no longer current.
pub(super) fn clear_current(tx: &mut PgTx, current: &JobRow) {
    tx.write(statements::CLEAR_CURRENT, owned_params![current.seq]);
}

/// Deletes jobs; their parameters, outputs, consoles and idempotency keys are deleted by cascade.
pub(super) fn delete(tx: &mut PgTx, jobs: &[JobRow]) {
    if jobs.is_empty() {
        return;
    }
    tx.write(statements::DELETE, owned_params![jobs.iter().map(|it| it.seq).collect::<Vec<_>>()]);
    for job_row in jobs {
        tx.counter_changes.remove_job(&job_row.job.job_type, job_row.status, job_row.bytes);
        tx.notifications.add_changed_job(job_row.job.id);
    }
}
