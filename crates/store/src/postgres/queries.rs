//! Lists and counts of jobs, for the dashboard and the admin API.

use pilotlight_core::ids::RunnerId;
use pilotlight_core::job::{Job, Status};
use pilotlight_core::time::Timestamp;
use tokio_postgres::Row as PgRow;

use super::column_values::{column, small_int};
use super::connection::StoreConnection;
use super::failure::Failure;
use super::jobs::only_jobs;
use super::operation::{Committed, StoreOperation};
use super::{counters, statements};
use crate::columns::{StoredStatus, millis_of_time, number};
use crate::records::{Counts, JobFilter};

/// A maximum number of rows as a statement parameter.
pub(super) fn limit(at_most: usize) -> i64 {
    i64::try_from(at_most).unwrap_or(i64::MAX)
}

/// See [`crate::ReadStore::jobs`].
pub(super) struct ListJobs {
    pub(super) filter: JobFilter,
    pub(super) now: Timestamp,
}

impl StoreOperation for ListJobs {
    type Output = (Vec<Job>, u64);
    const WRITES: bool = false;

    async fn run(&self, connection: StoreConnection) -> Result<Committed<Self::Output>, Failure> {
        let counts = by_status(&connection, self.now).await?;
        let (limit, now) = (limit(self.filter.limit), millis_of_time(self.now));
        let (rows, total) = match self.filter.status {
            None => (connection.query(statements::LIST, &[&limit]).await?, counts.iter().sum()),
            Some(status) => {
                (self.of_status(&connection, status, limit, now).await?, counts[index_of(status)])
            }
        };
        connection.release();
        Ok(Committed::without_notifications((only_jobs(&rows)?, total)))
    }
}

impl ListJobs {
    async fn of_status(
        &self,
        connection: &StoreConnection,
        status: Status,
        limit: i64,
        now: i64,
    ) -> Result<Vec<PgRow>, Failure> {
        match status {
            Status::Completed => connection.query(statements::LIST_COMPLETED, &[&limit, &now]).await,
            Status::Expired => connection.query(statements::LIST_EXPIRED, &[&limit, &now]).await,
            Status::Pending | Status::Claimed | Status::InProgress | Status::Failed => {
                let stored_statuses =
                    StoredStatus::ALL.into_iter().filter(|stored_status| stored_status.status() == status);
                let stored_statuses: Vec<i16> =
                    stored_statuses.map(|stored_status| small_int(stored_status.number())).collect();
                connection.query(statements::LIST_BY_STATUS, &[&stored_statuses, &limit]).await
            }
        }
    }
}

/// See [`crate::ReadStore::counts`].
pub(super) struct ReadCounts {
    pub(super) active_since: Timestamp,
    pub(super) now: Timestamp,
}

impl StoreOperation for ReadCounts {
    type Output = Counts;
    const WRITES: bool = false;

    async fn run(&self, connection: StoreConnection) -> Result<Committed<Counts>, Failure> {
        let jobs = by_status(&connection, self.now).await?;
        let rows = connection.query(statements::COUNT_RUNNERS, &[&millis_of_time(self.active_since)]).await?;
        connection.release();
        Ok(Committed::without_notifications(Counts {
            jobs,
            runners: count(&rows, 0)?,
            active_runners: count(&rows, 1)?,
        }))
    }
}

/// How many jobs have each status, in the order of [`Status::ALL`].
async fn by_status(connection: &StoreConnection, now: Timestamp) -> Result<[u64; 6], Failure> {
    let jobs_by_stored_status =
        counters::by_status(&connection.query(statements::COUNTS_BY_STATUS, &[]).await?)?;
    let mut counts = [0; 6];
    for stored_status in StoredStatus::ALL {
        counts[index_of(stored_status.status())] +=
            jobs_by_stored_status[counters::status_index(stored_status)];
    }
    // The two queries see different snapshots. A sweep between them may mark jobs, so the difference must not be
    // negative.
    let overdue = count(&connection.query(statements::COUNT_OVERDUE, &[&millis_of_time(now)]).await?, 0)?;
    let overdue = overdue.min(counts[index_of(Status::Completed)]);
    counts[index_of(Status::Completed)] -= overdue;
    counts[index_of(Status::Expired)] += overdue;
    Ok(counts)
}

fn index_of(status: Status) -> usize {
    Status::ALL.iter().position(|it| *it == status).expect("`ALL` has every status")
}

/// A count in the first row; 0 when there is no row.
pub(super) fn count(rows: &[PgRow], at: usize) -> Result<u64, Failure> {
    let Some(row) = rows.first() else { return Ok(0) };
    column(row, at).and_then(|stored: i64| number(stored, "count")).map_err(Failure::permanent)
}

/// See [`crate::ReadStore::jobs_of_runner`].
pub(super) struct JobsOfRunner<'a> {
    pub(super) runner: &'a RunnerId,
    pub(super) at_most: i64,
}

impl StoreOperation for JobsOfRunner<'_> {
    type Output = Vec<Job>;
    const WRITES: bool = false;

    async fn run(&self, connection: StoreConnection) -> Result<Committed<Vec<Job>>, Failure> {
        let runner = self.runner.as_str().as_bytes();
        let rows = connection.query(statements::LIST_OF_RUNNER, &[&runner, &self.at_most]).await?;
        connection.release();
        only_jobs(&rows).map(Committed::without_notifications)
    }
}
