//! The queue of pending webhook calls (table `hooks`). A call is inserted in the transaction of the change that it
//! reports.

use std::time::Duration;

use pilotlight_core::ids::JobType;
use pilotlight_core::job::{Job, JobId};
use pilotlight_core::time::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::tx::SqliteTx;
use crate::columns::{corrupt_column, millis_of_time, number, time_from_millis};
use crate::error::Error;
use crate::records::{WebhookCall, WebhookCallId, WebhookTrigger};

/// Inserts a webhook call for this event.
pub(super) fn enqueue(
    tx: &SqliteTx<'_>,
    job: &Job,
    event: WebhookTrigger,
    now: Timestamp,
) -> Result<(), Error> {
    tx.db
        .prepare_cached("INSERT INTO hooks (job, job_type, event, at, due_at) VALUES (?1, ?2, ?3, ?4, ?4)")?
        .execute(params![
            job.id.as_bytes(),
            job.job_type.as_str(),
            trigger_number(event),
            millis_of_time(now)
        ])?;
    Ok(())
}

/// See [`crate::WebhookStore::claim_webhooks`].
pub(super) fn claim_webhooks(
    tx: &SqliteTx<'_>,
    capacity: &[(JobType, usize)],
    lease: Duration,
    now: Timestamp,
) -> Result<Vec<WebhookCall>, Error> {
    let mut claim = tx.db.prepare_cached(
        "UPDATE hooks SET due_at = ?2 WHERE id IN (SELECT id FROM hooks INDEXED BY hooks_due \
         WHERE job_type = ?4 AND due_at <= ?1 ORDER BY due_at, id LIMIT ?3) \
         RETURNING id, job, job_type, event, at, failures",
    )?;
    let (now, until) = (millis_of_time(now), millis_of_time(now.after(lease)));
    let mut calls = Vec::new();
    for (job_type, at_most) in capacity {
        let rows =
            claim.query_and_then(params![now, until, limit(*at_most), job_type.as_str()], read_call)?;
        calls.extend(rows.collect::<Result<Vec<_>, _>>()?);
    }
    calls.sort_by_key(|call| call.id);
    Ok(calls)
}

fn limit(at_most: usize) -> i64 {
    i64::try_from(at_most).unwrap_or(i64::MAX)
}

fn read_call(row: &rusqlite::Row<'_>) -> Result<WebhookCall, Error> {
    let job_type: String = row.get(2)?;
    Ok(WebhookCall {
        id: WebhookCallId(row.get(0)?),
        job: JobId::from_bytes(row.get(1)?),
        job_type: JobType::parse(&job_type).map_err(|_| corrupt_column("job_type"))?,
        event: trigger(row.get(3)?)?,
        at: time_from_millis(row.get(4)?, "at")?,
        failures: number(row.get(5)?, "failures")?,
    })
}

/// See [`crate::WebhookStore::ack_webhook`].
pub(super) fn ack_webhook(tx: &SqliteTx<'_>, id: WebhookCallId) -> Result<(), Error> {
    tx.db.prepare_cached("DELETE FROM hooks WHERE id = ?1")?.execute([id.0])?;
    Ok(())
}

/// See [`crate::WebhookStore::retry_webhook`].
pub(super) fn retry_webhook(tx: &SqliteTx<'_>, id: WebhookCallId, retry_at: Timestamp) -> Result<(), Error> {
    tx.db
        .prepare_cached("UPDATE hooks SET failures = failures + 1, due_at = ?2 WHERE id = ?1")?
        .execute(params![id.0, millis_of_time(retry_at)])?;
    Ok(())
}

/// See [`crate::WebhookStore::drop_webhooks`].
pub(super) fn drop_webhooks(tx: &SqliteTx<'_>, before: Timestamp, at_most: usize) -> Result<u64, Error> {
    let mut delete = tx.db.prepare_cached(
        "DELETE FROM hooks WHERE id IN (SELECT id FROM hooks INDEXED BY hooks_due \
         WHERE job_type = ?1 AND due_at < ?2 LIMIT ?3)",
    )?;
    let mut dropped = 0;
    let mut job_type = next_type(tx, "")?;
    while let Some(name) = job_type {
        if dropped < at_most && !JobType::parse(&name).is_ok_and(|it| tx.settings.webhook_types.contains(&it))
        {
            dropped += delete.execute(params![name, millis_of_time(before), limit(at_most - dropped)])?;
        }
        job_type = next_type(tx, &name)?;
    }
    Ok(u64::try_from(dropped).unwrap_or(u64::MAX))
}

/// The next job type with pending calls, in alphabetical order. Each step is one index lookup, however many calls a
/// type has.
fn next_type(tx: &SqliteTx<'_>, after: &str) -> Result<Option<String>, Error> {
    let mut find = tx.db.prepare_cached(
        "SELECT job_type FROM hooks INDEXED BY hooks_due WHERE job_type > ?1 ORDER BY job_type LIMIT 1",
    )?;
    Ok(find.query_row([after], |row| row.get(0)).optional()?)
}

const fn trigger_number(event: WebhookTrigger) -> i64 {
    match event {
        WebhookTrigger::Created => 0,
        WebhookTrigger::Completed => 1,
        WebhookTrigger::Failed => 2,
    }
}

fn trigger(number: i64) -> Result<WebhookTrigger, Error> {
    let known = [WebhookTrigger::Created, WebhookTrigger::Completed, WebhookTrigger::Failed];
    known.into_iter().find(|event| trigger_number(*event) == number).ok_or_else(|| corrupt_column("event"))
}
