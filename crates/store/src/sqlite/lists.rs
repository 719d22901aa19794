//! Lists and counts, for people.

use pilotlight_core::ids::RunnerId;
use pilotlight_core::job::{Job, Status};
use pilotlight_core::time::Timestamp;
use rusqlite::{Connection, params};

use super::jobs::{self, select_jobs};
use super::tally;
use crate::error::Error;
use crate::records::{Counts, JobFilter};
use crate::row::{Phase, time};
use crate::stored::Stored;

/// See [`crate::Store::jobs`].
pub(super) fn jobs(db: &Connection, wanted: JobFilter, now: Timestamp) -> Result<(Vec<Job>, u64), Error> {
    let limit = i64::try_from(wanted.limit).unwrap_or(i64::MAX);
    let counts = by_status(db, now)?;
    let Some(status) = wanted.status else {
        let newest = jobs::all(db, select_jobs!("ORDER BY seq DESC LIMIT ?1"), [limit])?;
        return Ok((only_jobs(newest), counts.iter().sum()));
    };
    let mut newest = Vec::new();
    for phase in Phase::ALL.into_iter().filter(|phase| phase.status() == status) {
        newest.extend(in_phase(db, phase, limit, now)?);
    }
    if status == Status::Expired {
        newest.extend(over(db, limit, now)?);
    }
    newest.sort_by_key(|stored| std::cmp::Reverse(stored.seq));
    newest.truncate(wanted.limit);
    Ok((only_jobs(newest), counts[place(status)]))
}

fn only_jobs(stored: Vec<Stored>) -> Vec<Job> {
    stored.into_iter().map(|stored| stored.job).collect()
}

fn in_phase(db: &Connection, phase: Phase, limit: i64, now: Timestamp) -> Result<Vec<Stored>, Error> {
    let sql = select_jobs!(
        "INDEXED BY jobs_by_phase WHERE phase = ?1 AND (phase <> 5 OR until_at IS NULL OR until_at > ?2) \
         ORDER BY seq DESC LIMIT ?3"
    );
    jobs::all(db, sql, params![phase.number(), time(now), limit])
}

/// Results whose time is over and that no sweep has marked yet: few.
fn over(db: &Connection, limit: i64, now: Timestamp) -> Result<Vec<Stored>, Error> {
    let sql =
        select_jobs!("INDEXED BY jobs_valid WHERE phase = 5 AND until_at <= ?1 ORDER BY seq DESC LIMIT ?2");
    jobs::all(db, sql, params![time(now), limit])
}

/// See [`crate::Store::counts`].
pub(super) fn counts(db: &Connection, active_since: Timestamp, now: Timestamp) -> Result<Counts, Error> {
    let count = |sql: &str, since: Option<i64>| {
        let mut read = db.prepare_cached(sql)?;
        read.query_row(rusqlite::params_from_iter(since), |row| Ok(jobs::count(row)))?
    };
    Ok(Counts {
        jobs: by_status(db, now)?,
        runners: count("SELECT count(*) FROM runners", None)?,
        active_runners: count("SELECT count(*) FROM runners WHERE seen_at > ?1", Some(time(active_since)))?,
    })
}

/// How many jobs have each status, in the order of [`Status::ALL`].
fn by_status(db: &Connection, now: Timestamp) -> Result<[u64; 6], Error> {
    let by_phase = tally::by_phase(db)?;
    let mut counts = [0; 6];
    for phase in Phase::ALL {
        counts[place(phase.status())] += by_phase[tally::index(phase)];
    }
    let mut read = db.prepare_cached(
        "SELECT count(*) FROM jobs INDEXED BY jobs_valid WHERE phase = 5 AND until_at <= ?1",
    )?;
    let over = read.query_row([time(now)], |row| Ok(jobs::count(row)))??;
    counts[place(Status::Completed)] -= over;
    counts[place(Status::Expired)] += over;
    Ok(counts)
}

fn place(status: Status) -> usize {
    Status::ALL.iter().position(|it| *it == status).expect("`ALL` has every status")
}

/// See [`crate::Store::jobs_of_runner`].
pub(super) fn jobs_of(db: &Connection, runner: &RunnerId, at_most: usize) -> Result<Vec<Job>, Error> {
    let limit = i64::try_from(at_most).unwrap_or(i64::MAX);
    let sql = select_jobs!("INDEXED BY jobs_by_runner WHERE runner = ?1 ORDER BY seq DESC LIMIT ?2");
    jobs::all(db, sql, params![runner.as_str(), limit]).map(only_jobs)
}
