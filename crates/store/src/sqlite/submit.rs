//! Submissions and lookups: a submission creates a job, joins an equal job under way, or finds an ended one.

use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::job::{Admission, Job, JobId, Submission, admit};
use pilotlight_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::payloads::{self, select_record};
use super::tx::SqliteTx;
use super::{jobs, webhooks};
use crate::error::Error;
use crate::job_row::JobRow;
use crate::records::{IdempotencyKey, JobRecord, NewJob, SubmitOutcome, WebhookTrigger};
use crate::write_plan::WritePlan;

/// See [`crate::JobStore::submit`].
pub(super) fn submit(tx: &mut SqliteTx<'_>, new: NewJob, now: Timestamp) -> Result<SubmitOutcome, Error> {
    if let Some(outcome) = find_by_idempotency_key(tx.db, &new)? {
        return Ok(outcome);
    }
    let current = jobs::current(tx.db, new.key)?;
    match admit(current.as_ref().map(|current| &current.job), new.cache_mode, &new.options, now) {
        Admission::New { is_current } => create(tx, new, is_current, now),
        Admission::Joined(job) => join(tx, current, *job, new.idempotency_key, now),
        Admission::Cached => {
            let record = lookup(tx.db, new.key)?;
            record
                .map(SubmitOutcome::Existing)
                .ok_or_else(|| Error::Corrupt("the current job of a cache key is missing".to_owned()))
        }
    }
}

fn create(
    tx: &mut SqliteTx<'_>,
    new: NewJob,
    is_current: bool,
    now: Timestamp,
) -> Result<SubmitOutcome, Error> {
    if tx.settings.queue_limits.is_bounded()
        && let Err(full) = tx.settings.queue_limits.check(tx.sums()?.usage()?)
    {
        return Ok(SubmitOutcome::QueueFull(full));
    }
    let submission =
        Submission { id: new.id, job_type: new.job_type, key: new.key, options: new.options, is_current };
    let job = Job::new(submission, now);
    let seq = jobs::insert(tx, &job, &new.input, now)?;
    store_idempotency_key(tx, new.idempotency_key, seq)?;
    if tx.settings.webhook_types.contains(&job.job_type) {
        webhooks::enqueue(tx, &job, WebhookTrigger::Created, now)?;
    }
    Ok(SubmitOutcome::New(job))
}

fn join(
    tx: &mut SqliteTx<'_>,
    current: Option<JobRow>,
    job: Job,
    idempotency: Option<IdempotencyKey>,
    now: Timestamp,
) -> Result<SubmitOutcome, Error> {
    let current = current.expect("only a current job is joined");
    let plan = WritePlan::of_join(&current, job, now);
    jobs::update(tx, &plan)?;
    store_idempotency_key(tx, idempotency, current.seq)?;
    Ok(SubmitOutcome::Existing(JobRecord { job: plan.job, output: None }))
}

/// The outcome of a repeated `Idempotency-Key`; `None` when the key is new.
fn find_by_idempotency_key(db: &Connection, new: &NewJob) -> Result<Option<SubmitOutcome>, Error> {
    let Some(idempotency) = new.idempotency_key else { return Ok(None) };
    let mut read = db.prepare_cached("SELECT job FROM idempotency WHERE key = ?1")?;
    let seq: Option<i64> = read.query_row([&idempotency.0], |row| row.get(0)).optional()?;
    let Some(seq) = seq else { return Ok(None) };
    let record =
        payloads::record(db, select_record!("LEFT JOIN outputs ON job = seq WHERE seq = ?1"), [seq])?;
    let record =
        record.ok_or_else(|| Error::Corrupt("the job of an idempotency key is missing".to_owned()))?;
    Ok(Some(if record.job.key == new.key {
        SubmitOutcome::Existing(only_if_ended(record))
    } else {
        SubmitOutcome::Conflict
    }))
}

fn store_idempotency_key(
    tx: &SqliteTx<'_>,
    idempotency: Option<IdempotencyKey>,
    seq: i64,
) -> Result<(), Error> {
    if let Some(idempotency) = idempotency {
        tx.db
            .prepare_cached("INSERT INTO idempotency (key, job) VALUES (?1, ?2)")?
            .execute(params![idempotency.0, seq])?;
    }
    Ok(())
}

/// See [`crate::ReadStore::lookup`].
pub(super) fn lookup(db: &Connection, key: CacheKey) -> Result<Option<JobRecord>, Error> {
    let sql = select_record!(
        "INDEXED BY jobs_current LEFT JOIN outputs ON job = seq WHERE cache_key = ?1 AND is_current = 1"
    );
    Ok(payloads::record(db, sql, [key.as_bytes()])?.map(only_if_ended))
}

/// See [`crate::ReadStore::job`].
pub(super) fn job(db: &Connection, id: JobId) -> Result<Option<JobRecord>, Error> {
    payloads::record(db, select_record!("LEFT JOIN outputs ON job = seq WHERE id = ?1"), [id.as_bytes()])
}

/// Removes the output of a job that has not ended.
fn only_if_ended(mut record: JobRecord) -> JobRecord {
    record.output = record.output.filter(|_| record.job.has_ended());
    record
}
