//! The queue: dispatches ready jobs, makes delayed jobs ready, and reports what waits.

use pilotlight_core::ids::{JobType, RunnerId};
use pilotlight_core::job::Event;
use pilotlight_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::jobs::{self, job_row, select_jobs};
use super::tx::SqliteTx;
use super::{apply, counters, payloads};
use crate::columns::{StoredStatus, corrupt_column, millis_of_time, time_from_millis};
use crate::error::Error;
use crate::job_row::{JOB_ROW_COLUMNS, JobBytes};
use crate::records::{Backlog, EventOutcome, LeasedJob, RunnerOutput};
use crate::write_plan::EventWithOutput;

/// Delayed jobs that become ready in one transaction. If more are due, `Backlog::next_at` is in the past and the caller
/// asks again.
const PROMOTE_BATCH: i64 = 10_000;

/// See [`crate::JobStore::dispatch`].
pub(super) fn dispatch(
    tx: &mut SqliteTx<'_>,
    types: &[JobType],
    runner: &RunnerId,
    now: Timestamp,
) -> Result<Option<LeasedJob>, Error> {
    let Some(seq) = next(tx.db, types, now)? else { return Ok(None) };
    let before = jobs::by_seq(tx.db, seq)?.ok_or_else(|| corrupt_column("seq"))?;
    let event = Event::Dispatch { runner: runner.clone() };
    let dispatch = EventWithOutput { event: &event, runner_output: &RunnerOutput::default() };
    match apply::apply_to_row(tx, &before, dispatch, now)? {
        EventOutcome::Applied(applied) => {
            let input = payloads::input_of(tx.db, seq)?;
            Ok(Some(LeasedJob { job: applied.job, input }))
        }
        EventOutcome::Rejected(..) | EventOutcome::ConsoleFull | EventOutcome::UnknownJob => Ok(None),
    }
}

/// The `seq` of the next job: of the first job of each type, the one with the highest priority, then the lowest `seq`.
fn next(db: &Connection, types: &[JobType], now: Timestamp) -> Result<Option<i64>, Error> {
    let mut best: Option<(i64, i64)> = None;
    for job_type in types {
        let first = first_of(db, job_type, now)?;
        best = best.max(first.map(|(priority, seq)| (priority, -seq)));
    }
    Ok(best.map(|(_, seq)| -seq))
}

fn first_of(db: &Connection, job_type: &JobType, now: Timestamp) -> Result<Option<(i64, i64)>, Error> {
    let mut read = db.prepare_cached(
        "SELECT priority, seq FROM jobs INDEXED BY jobs_ready \
         WHERE phase = 0 AND job_type = ?1 AND ready_at <= ?2 ORDER BY priority DESC, seq LIMIT 1",
    )?;
    let first =
        read.query_row(params![job_type.as_str(), millis_of_time(now)], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(first.optional()?)
}

/// See [`crate::ReadStore::available`].
pub(super) fn available(
    db: &Connection,
    types: &[JobType],
    at_most: usize,
    now: Timestamp,
) -> Result<Vec<LeasedJob>, Error> {
    let mut ready = Vec::new();
    for job_type in types {
        ready.extend(ready_of(db, job_type, at_most, now)?);
    }
    ready.sort_by_key(|(seq, _)| *seq);
    ready.dedup_by_key(|(seq, _)| *seq);
    Ok(ready.into_iter().take(at_most).map(|(_, leased)| leased).collect())
}

fn ready_of(
    db: &Connection,
    job_type: &JobType,
    at_most: usize,
    now: Timestamp,
) -> Result<Vec<(i64, LeasedJob)>, Error> {
    let mut read = db.prepare_cached(select_jobs!(
        "input",
        "INDEXED BY jobs_available JOIN inputs ON job = seq \
         WHERE phase = 0 AND job_type = ?1 AND ready_at <= ?2 ORDER BY seq LIMIT ?3"
    ))?;
    let at_most = i64::try_from(at_most).unwrap_or(i64::MAX);
    let rows = read.query_and_then(params![job_type.as_str(), millis_of_time(now), at_most], |row| {
        let job_row = job_row(row)?;
        Ok::<_, Error>((job_row.seq, LeasedJob { job: job_row.job, input: row.get(JOB_ROW_COLUMNS)? }))
    })?;
    rows.collect()
}

/// Whether a delayed job is due.
pub(super) fn is_overdue(db: &Connection, now: Timestamp) -> Result<bool, Error> {
    Ok(next_at(db)?.is_some_and(|at| at <= now))
}

/// Makes due delayed jobs ready, at most [`PROMOTE_BATCH`].
pub(super) fn promote(tx: &mut SqliteTx<'_>, now: Timestamp) -> Result<(), Error> {
    let mut write = tx.db.prepare_cached(
        "UPDATE jobs SET phase = 0 WHERE seq IN (SELECT seq FROM jobs INDEXED BY jobs_delayed \
         WHERE phase = 1 AND ready_at <= ?1 ORDER BY ready_at LIMIT ?2) RETURNING job_type",
    )?;
    let mut promoted = write.query(params![millis_of_time(now), PROMOTE_BATCH])?;
    while let Some(row) = promoted.next()? {
        let job_type = JobType::parse(row.get_ref(0)?.as_str().map_err(|_| corrupt_column("job_type"))?);
        let job_type = job_type.map_err(|_| corrupt_column("job_type"))?;
        // Both statuses count as waiting, so the job's size changes no sum.
        let bytes = JobBytes::default();
        tx.counter_changes.move_job(&job_type, (StoredStatus::Delayed, bytes), (StoredStatus::Ready, bytes));
    }
    Ok(())
}

/// See [`crate::JobStore::backlog`].
pub(super) fn backlog(db: &Connection) -> Result<Backlog, Error> {
    let mut ready = Vec::new();
    for (job_type, jobs) in counters::by_type(db, StoredStatus::Ready)? {
        let job_type = JobType::parse(&job_type).map_err(|_| corrupt_column("job_type"))?;
        ready.push((job_type, u64::try_from(jobs).map_err(|_| corrupt_column("jobs"))?));
    }
    Ok(Backlog { ready, usage: counters::sums(db)?.usage()?, next_at: next_at(db)? })
}

fn next_at(db: &Connection) -> Result<Option<Timestamp>, Error> {
    let mut read = db.prepare_cached(
        "SELECT ready_at FROM jobs INDEXED BY jobs_delayed WHERE phase = 1 ORDER BY ready_at LIMIT 1",
    )?;
    let next: Option<i64> = read.query_row([], |row| row.get(0)).optional()?;
    next.map(|at| time_from_millis(at, "ready_at")).transpose()
}
