//! The queue: dispatches ready jobs, makes delayed jobs ready, and reports what waits.

use pilotlight_core::ids::{JobType, RunnerId};
use pilotlight_core::job::Event;
use pilotlight_core::time::Timestamp;

use super::apply::apply_to_row;
use super::column_values::{column, small_int, text};
use super::connection::StoreConnection;
use super::failure::Failure;
use super::notifications::Notifications;
use super::operation::{Committed, StoreOperation};
use super::tx::PgTx;
use super::{counters, jobs, payloads, statements};
use crate::columns::{StoredStatus, millis_of_time, time_from_millis};
use crate::records::{Backlog, EventOutcome, LeasedJob, RunnerOutput, Settings};
use crate::write_plan::{EventWithOutput, ReadJob};

/// Candidates of each job type in the first query: usually another transaction has locked fewer than these.
const FEW_CANDIDATES: i64 = 8;
/// Candidates in the second query: more than there are connections to the database, so not all can be locked.
const MANY_CANDIDATES: i64 = 1_000;

/// See [`crate::JobStore::dispatch`].
pub(super) struct Dispatch<'a> {
    pub(super) types: Vec<&'a [u8]>,
    pub(super) runner: &'a RunnerId,
    pub(super) settings: &'a Settings,
    pub(super) now: Timestamp,
}

/// Job types as a statement parameter.
pub(super) fn type_names(types: &[JobType]) -> Vec<&[u8]> {
    types.iter().map(|job_type| job_type.as_str().as_bytes()).collect()
}

impl StoreOperation for Dispatch<'_> {
    type Output = Option<LeasedJob>;

    async fn run(&self, connection: StoreConnection) -> Result<Committed<Option<LeasedJob>>, Failure> {
        let now = millis_of_time(self.now);
        let (mut tx, mut rows) =
            PgTx::begin(connection, statements::LOCK_NEXT, &[&self.types, &now, &FEW_CANDIDATES]).await?;
        if rows.is_empty() {
            rows = tx.query(statements::LOCK_NEXT, &[&self.types, &now, &MANY_CANDIDATES]).await?;
        }
        let Some(next) = rows.first() else {
            tx.rollback().await?;
            return Ok(Committed::without_notifications(None));
        };
        let (before, leased) = (jobs::job_row(next)?, payloads::leased_job(next)?);
        let event = Event::Dispatch { runner: self.runner.clone() };
        let dispatch = EventWithOutput { event: &event, runner_output: &RunnerOutput::default() };
        let outcome = apply_to_row(&mut tx, ReadJob::only(&before), dispatch, self.settings, self.now);
        let applied = match outcome {
            EventOutcome::Applied(applied) => Some(LeasedJob { job: applied.job, ..leased }),
            EventOutcome::Rejected(..) | EventOutcome::ConsoleFull | EventOutcome::UnknownJob => None,
        };
        Ok(Committed { notifications: tx.commit().await?, value: applied })
    }
}

/// See [`crate::ReadStore::available`].
pub(super) struct ListAvailable<'a> {
    pub(super) types: Vec<&'a [u8]>,
    pub(super) at_most: i64,
    pub(super) now: Timestamp,
}

impl StoreOperation for ListAvailable<'_> {
    type Output = Vec<LeasedJob>;
    const WRITES: bool = false;

    async fn run(&self, connection: StoreConnection) -> Result<Committed<Vec<LeasedJob>>, Failure> {
        let rows = connection
            .query(statements::AVAILABLE, &[&self.types, &millis_of_time(self.now), &self.at_most])
            .await?;
        connection.release();
        rows.iter().map(payloads::leased_job).collect::<Result<_, _>>().map(Committed::without_notifications)
    }
}

/// See [`crate::JobStore::backlog`].
pub(super) struct ReadBacklog {
    pub(super) now: Timestamp,
}

impl StoreOperation for ReadBacklog {
    type Output = Backlog;

    async fn run(&self, connection: StoreConnection) -> Result<Committed<Backlog>, Failure> {
        let notifications = promote(&connection, self.now).await?;
        let phase = small_int(StoredStatus::Ready.number());
        let ready = counters::by_type(&connection.query(statements::COUNTS_BY_TYPE, &[&phase]).await?)?;
        let waiting = counters::usage(&connection.query(statements::QUEUE_USAGE, &[]).await?)?;
        let next = connection.query(statements::NEXT_DELAYED, &[]).await?;
        connection.release();
        let next: Option<i64> = match next.first() {
            Some(row) => column(row, 0).map_err(Failure::permanent)?,
            None => None,
        };
        let next_at =
            next.map(|at| time_from_millis(at, "ready_at")).transpose().map_err(Failure::permanent)?;
        Ok(Committed { value: Backlog { ready, usage: waiting, next_at }, notifications })
    }
}

/// Makes due delayed jobs ready; returns the notifications of their types.
async fn promote(connection: &StoreConnection, now: Timestamp) -> Result<Notifications, Failure> {
    let rows = connection.query(statements::PROMOTE, &[&millis_of_time(now)]).await?;
    let mut notifications = Notifications::default();
    for row in &rows {
        let job_type = text(row, 0).map_err(Failure::permanent)?;
        // An invalid type is reported as corrupt when the job is read.
        if let Ok(job_type) = JobType::parse(&job_type) {
            notifications.add_ready_type(job_type);
        }
    }
    Ok(notifications)
}
