//! Jobs as rows: reading, adding, writing back, forgetting. The sums follow here, and nowhere else.

use pilotlight_core::job::Job;
use pilotlight_core::time::Timestamp;
use tokio_postgres::Row as Columns;

use super::failure::Failure;
use super::statements;
use super::tx::{Tx, given};
use crate::error::Error;
use crate::records::NewJob;
use crate::row::{Phase, Row, damaged, time};
use crate::stored::{Bytes, Stored};

/// The only one of these.
pub(super) fn one(rows: &[Columns]) -> Result<Option<Stored>, Failure> {
    rows.first().map(stored).transpose()
}

/// All of these.
pub(super) fn all(rows: &[Columns]) -> Result<Vec<Stored>, Failure> {
    rows.iter().map(stored).collect()
}

/// All of these, without what only the store knows.
pub(super) fn only_jobs(rows: &[Columns]) -> Result<Vec<Job>, Failure> {
    rows.iter().map(|row| stored(row).map(|stored| stored.job)).collect()
}

pub(super) fn stored(row: &Columns) -> Result<Stored, Failure> {
    let read = || {
        let flat = flat(row)?;
        Ok::<_, Error>(Stored {
            phase: Phase::from_number(flat.phase)?,
            job: flat.job()?,
            seq: column(row, 25)?,
            ended_at: column(row, 26)?,
            bytes: Bytes { input: column(row, 27)?, output: column(row, 28)?, console: column(row, 29)? },
        })
    };
    read().map_err(Failure::for_good)
}

fn flat(row: &Columns) -> Result<Row, Error> {
    let small = |at| column::<Option<i16>>(row, at).map(|number| number.map(i64::from));
    Ok(Row {
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
        phase: small(16)?.ok_or_else(|| damaged("phase"))?,
        runner: maybe_text(row, 17)?,
        held_at: column(row, 18)?,
        heard_at: column(row, 19)?,
        progress_current: column(row, 20)?,
        progress_total: column(row, 21)?,
        until_at: column(row, 22)?,
        fingerprint: column(row, 23)?,
        failure: small(24)?,
    })
}

/// A column of the type that it must have.
pub(super) fn column<'a, T: tokio_postgres::types::FromSql<'a>>(
    row: &'a Columns,
    at: usize,
) -> Result<T, Error> {
    row.try_get(at).map_err(|_| damaged(row.columns().get(at).map_or("column", |column| column.name())))
}

/// A text that is stored as bytes.
pub(super) fn text(row: &Columns, at: usize) -> Result<String, Error> {
    maybe_text(row, at)?
        .ok_or_else(|| damaged(row.columns().get(at).map_or("column", |column| column.name())))
}

/// The same, where there may be none.
pub(super) fn maybe_text(row: &Columns, at: usize) -> Result<Option<String>, Error> {
    let Some(bytes) = column::<Option<Vec<u8>>>(row, at)? else { return Ok(None) };
    let text = String::from_utf8(bytes);
    text.map(Some).map_err(|_| damaged(row.columns().get(at).map_or("column", |column| column.name())))
}

/// Who else is told of a new job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hooked {
    Yes,
    No,
}

/// Adds a job with all that belongs to it, where nobody else is current. The one statement follows the sums too.
pub(super) fn insert(tx: &mut Tx, job: &Job, new: &NewJob, hooked: Hooked, now: Timestamp) {
    let row = Row::of(job, now);
    tx.write(
        statements::INSERT,
        given![
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
            small(row.phase),
            new.input.clone().into_bytes(),
            new.idempotency_key.map(|key| key.0.to_vec()),
            hooked == Hooked::Yes,
        ],
    );
    tx.tidings.ready(job.job_type.clone());
}

/// Writes back what became of a job.
pub(super) fn update(tx: &mut Tx, before: &Stored, after: &Job, bytes: Bytes, now: Timestamp) {
    let row = Row::of(after, now);
    let phase = Phase::of(after, now);
    let ended_at = after.has_ended().then(|| before.ended_at.unwrap_or_else(|| time(now)));
    tx.write(
        statements::UPDATE,
        given![
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
            small(row.phase),
            row.runner.map(String::into_bytes),
            row.held_at,
            row.heard_at,
            row.progress_current,
            row.progress_total,
            row.until_at,
            row.fingerprint,
            row.failure.map(small),
            ended_at,
            bytes.output,
            bytes.console,
        ],
    );
    tx.delta.moves(&after.job_type, (before.phase, before.bytes), (phase, bytes));
    tx.tidings.changed(after.id);
    if matches!(phase, Phase::Ready | Phase::Delayed) {
        tx.tidings.ready(after.job_type.clone());
    }
}

/// The current job of its key, which was read and locked, is not any more.
pub(super) fn step_down(tx: &mut Tx, current: &Stored) {
    tx.write(statements::STEP_DOWN, given![current.seq]);
}

/// Forgets jobs and all that belongs to them.
pub(super) fn delete(tx: &mut Tx, jobs: &[Stored]) {
    if jobs.is_empty() {
        return;
    }
    tx.write(statements::DELETE, given![jobs.iter().map(|it| it.seq).collect::<Vec<_>>()]);
    for stored in jobs {
        tx.delta.leaves(&stored.job.job_type, stored.phase, stored.bytes);
        tx.tidings.changed(stored.job.id);
    }
}

/// A phase or a failure as it is stored.
pub(super) fn small(number: i64) -> i16 {
    i16::try_from(number).expect("phases and failures have small numbers")
}
