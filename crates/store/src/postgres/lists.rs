//! Lists and counts, for people.

use pilotlight_core::ids::RunnerId;
use pilotlight_core::job::{Job, Status};
use pilotlight_core::time::Timestamp;
use tokio_postgres::Row as Columns;

use super::failure::Failure;
use super::jobs::{column, only_jobs, small};
use super::link::Link;
use super::verb::{Done, Verb};
use super::{statements, tally};
use crate::records::{Counts, JobFilter};
use crate::row::{Phase, number, time};

/// As many as a statement can be asked for.
pub(super) fn limit(at_most: usize) -> i64 {
    i64::try_from(at_most).unwrap_or(i64::MAX)
}

/// See [`crate::Store::jobs`].
pub(super) struct Jobs {
    pub(super) wanted: JobFilter,
    pub(super) now: Timestamp,
}

impl Verb for Jobs {
    type Output = (Vec<Job>, u64);
    const WRITES: bool = false;

    async fn run(&self, link: Link) -> Result<Done<Self::Output>, Failure> {
        let counts = by_status(&link, self.now).await?;
        let (limit, now) = (limit(self.wanted.limit), time(self.now));
        let (rows, total) = match self.wanted.status {
            None => (link.ask(statements::LIST, &[&limit]).await?, counts.iter().sum()),
            Some(status) => (self.of_status(&link, status, limit, now).await?, counts[place(status)]),
        };
        link.done();
        Ok(Done::nothing_new((only_jobs(&rows)?, total)))
    }
}

impl Jobs {
    async fn of_status(
        &self,
        link: &Link,
        status: Status,
        limit: i64,
        now: i64,
    ) -> Result<Vec<Columns>, Failure> {
        match status {
            Status::Completed => link.ask(statements::LIST_COMPLETED, &[&limit, &now]).await,
            Status::Expired => link.ask(statements::LIST_EXPIRED, &[&limit, &now]).await,
            Status::Pending | Status::Claimed | Status::InProgress | Status::Failed => {
                let phases = Phase::ALL.into_iter().filter(|phase| phase.status() == status);
                let phases: Vec<i16> = phases.map(|phase| small(phase.number())).collect();
                link.ask(statements::LIST_PHASES, &[&phases, &limit]).await
            }
        }
    }
}

/// See [`crate::Store::counts`].
pub(super) struct Count {
    pub(super) active_since: Timestamp,
    pub(super) now: Timestamp,
}

impl Verb for Count {
    type Output = Counts;
    const WRITES: bool = false;

    async fn run(&self, link: Link) -> Result<Done<Counts>, Failure> {
        let jobs = by_status(&link, self.now).await?;
        let rows = link.ask(statements::COUNT_RUNNERS, &[&time(self.active_since)]).await?;
        link.done();
        Ok(Done::nothing_new(Counts { jobs, runners: count(&rows, 0)?, active_runners: count(&rows, 1)? }))
    }
}

/// How many jobs have each status, in the order of [`Status::ALL`].
async fn by_status(link: &Link, now: Timestamp) -> Result<[u64; 6], Failure> {
    let by_phase = tally::by_phase(&link.ask(statements::TALLIES, &[]).await?)?;
    let mut counts = [0; 6];
    for phase in Phase::ALL {
        counts[place(phase.status())] += by_phase[tally::index(phase)];
    }
    // The two are read one after the other: a job that is marked between them is counted once.
    let over = count(&link.ask(statements::COUNT_OVER, &[&time(now)]).await?, 0)?;
    let over = over.min(counts[place(Status::Completed)]);
    counts[place(Status::Completed)] -= over;
    counts[place(Status::Expired)] += over;
    Ok(counts)
}

fn place(status: Status) -> usize {
    Status::ALL.iter().position(|it| *it == status).expect("`ALL` has every status")
}

/// A count in the only row.
pub(super) fn count(rows: &[Columns], at: usize) -> Result<u64, Failure> {
    let Some(row) = rows.first() else { return Ok(0) };
    column(row, at).and_then(|stored: i64| number(stored, "count")).map_err(Failure::for_good)
}

/// See [`crate::Store::jobs_of_runner`].
pub(super) struct JobsOf<'a> {
    pub(super) runner: &'a RunnerId,
    pub(super) at_most: i64,
}

impl Verb for JobsOf<'_> {
    type Output = Vec<Job>;
    const WRITES: bool = false;

    async fn run(&self, link: Link) -> Result<Done<Vec<Job>>, Failure> {
        let runner = self.runner.as_str().as_bytes();
        let rows = link.ask(statements::LIST_OF_RUNNER, &[&runner, &self.at_most]).await?;
        link.done();
        only_jobs(&rows).map(Done::nothing_new)
    }
}
