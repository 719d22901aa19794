//! Lists and counts of jobs, for the dashboard and the admin API.

use pilotlight_core::ids::RunnerId;
use pilotlight_core::job::{Job, Status};
use pilotlight_core::time::Timestamp;
use rusqlite::{Connection, params};

use super::counters;
use super::jobs::{self, select_jobs};
use crate::columns::{StoredStatus, millis_of_time};
use crate::error::Error;
use crate::job_row::JobRow;
use crate::records::{Counts, JobFilter};

/// See [`crate::ReadStore::jobs`].
pub(super) fn jobs(db: &Connection, filter: JobFilter, now: Timestamp) -> Result<(Vec<Job>, u64), Error> {
    let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
    let counts = by_status(db, now)?;
    let Some(status) = filter.status else {
        let newest = jobs::all(db, select_jobs!("ORDER BY seq DESC LIMIT ?1"), [limit])?;
        return Ok((only_jobs(newest), counts.iter().sum()));
    };
    let mut newest = Vec::new();
    for stored_status in
        StoredStatus::ALL.into_iter().filter(|stored_status| stored_status.status() == status)
    {
        newest.extend(rows_with_status(db, stored_status, limit, now)?);
    }
    if status == Status::Expired {
        newest.extend(overdue(db, limit, now)?);
    }
    newest.sort_by_key(|stored| std::cmp::Reverse(stored.seq));
    newest.truncate(filter.limit);
    Ok((only_jobs(newest), counts[index_of(status)]))
}

fn only_jobs(stored: Vec<JobRow>) -> Vec<Job> {
    stored.into_iter().map(|stored| stored.job).collect()
}

fn rows_with_status(
    db: &Connection,
    stored_status: StoredStatus,
    limit: i64,
    now: Timestamp,
) -> Result<Vec<JobRow>, Error> {
    let sql = select_jobs!(
        "INDEXED BY jobs_by_phase WHERE phase = ?1 AND (phase <> 5 OR until_at IS NULL OR until_at > ?2) \
         ORDER BY seq DESC LIMIT ?3"
    );
    jobs::all(db, sql, params![stored_status.number(), millis_of_time(now), limit])
}

/// Completed jobs whose result has expired and that no sweep has marked yet. There are few.
fn overdue(db: &Connection, limit: i64, now: Timestamp) -> Result<Vec<JobRow>, Error> {
    let sql =
        select_jobs!("INDEXED BY jobs_valid WHERE phase = 5 AND until_at <= ?1 ORDER BY seq DESC LIMIT ?2");
    jobs::all(db, sql, params![millis_of_time(now), limit])
}

/// See [`crate::ReadStore::counts`].
pub(super) fn counts(db: &Connection, active_since: Timestamp, now: Timestamp) -> Result<Counts, Error> {
    let count = |sql: &str, since: Option<i64>| {
        let mut read = db.prepare_cached(sql)?;
        read.query_row(rusqlite::params_from_iter(since), |row| Ok(jobs::count(row)))?
    };
    Ok(Counts {
        jobs: by_status(db, now)?,
        runners: count("SELECT count(*) FROM runners", None)?,
        active_runners: count(
            "SELECT count(*) FROM runners WHERE seen_at > ?1",
            Some(millis_of_time(active_since)),
        )?,
    })
}

/// How many jobs have each status, in the order of [`Status::ALL`].
fn by_status(db: &Connection, now: Timestamp) -> Result<[u64; 6], Error> {
    let jobs_by_stored_status = counters::by_status(db)?;
    let mut counts = [0; 6];
    for stored_status in StoredStatus::ALL {
        counts[index_of(stored_status.status())] +=
            jobs_by_stored_status[counters::status_index(stored_status)];
    }
    let mut read = db.prepare_cached(
        "SELECT count(*) FROM jobs INDEXED BY jobs_valid WHERE phase = 5 AND until_at <= ?1",
    )?;
    let overdue = read.query_row([millis_of_time(now)], |row| Ok(jobs::count(row)))??;
    counts[index_of(Status::Completed)] -= overdue;
    counts[index_of(Status::Expired)] += overdue;
    Ok(counts)
}

fn index_of(status: Status) -> usize {
    Status::ALL.iter().position(|it| *it == status).expect("`ALL` has every status")
}

/// See [`crate::ReadStore::jobs_of_runner`].
pub(super) fn jobs_of_runner(db: &Connection, runner: &RunnerId, at_most: usize) -> Result<Vec<Job>, Error> {
    let limit = i64::try_from(at_most).unwrap_or(i64::MAX);
    let sql = select_jobs!("INDEXED BY jobs_by_runner WHERE runner = ?1 ORDER BY seq DESC LIMIT ?2");
    jobs::all(db, sql, params![runner.as_str(), limit]).map(only_jobs)
}
