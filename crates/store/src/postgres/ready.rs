//! Jobs that wait for runners.

use pilotlight_core::ids::{JobType, RunnerId};
use pilotlight_core::job::Event;
use pilotlight_core::time::Timestamp;

use super::failure::Failure;
use super::jobs::{self, column};
use super::link::Link;
use super::say::{Read, say_of};
use super::tidings::Tidings;
use super::tx::Tx;
use super::verb::{Done, Verb};
use super::{payloads, statements, tally};
use crate::records::{Backlog, EventOutcome, LeasedJob, RunnerOutput, Settings};
use crate::row::{Phase, epoch, time};

/// Of each type so many come into question at first: usually one of them is not being taken by somebody else.
const FEW: i64 = 8;
/// More than there are connections to the database: one of these is not being taken.
const MANY: i64 = 1_000;

/// See [`crate::Store::dispatch`].
pub(super) struct Dispatch<'a> {
    pub(super) types: Vec<&'a [u8]>,
    pub(super) runner: &'a RunnerId,
    pub(super) settings: &'a Settings,
    pub(super) now: Timestamp,
}

/// As a statement takes them.
pub(super) fn names(types: &[JobType]) -> Vec<&[u8]> {
    types.iter().map(|job_type| job_type.as_str().as_bytes()).collect()
}

impl Verb for Dispatch<'_> {
    type Output = Option<LeasedJob>;

    async fn run(&self, link: Link) -> Result<Done<Option<LeasedJob>>, Failure> {
        let now = time(self.now);
        let (mut tx, mut rows) = Tx::begin(link, statements::LOCK_NEXT, &[&self.types, &now, &FEW]).await?;
        if rows.is_empty() {
            rows = tx.ask(statements::LOCK_NEXT, &[&self.types, &now, &MANY]).await?;
        }
        let Some(next) = rows.first() else {
            tx.leave().await?;
            return Ok(Done::nothing_new(None));
        };
        let (before, handed) = (jobs::stored(next)?, payloads::handed(next)?);
        let event = Event::Dispatch { runner: self.runner.clone() };
        let read = Read::only(&before);
        let said = say_of(&mut tx, read, (&event, &RunnerOutput::default()), self.settings, self.now);
        let answer = match said {
            EventOutcome::Applied(answer) => Some(LeasedJob { job: answer.job, ..handed }),
            EventOutcome::Rejected(..) | EventOutcome::ConsoleFull | EventOutcome::UnknownJob => None,
        };
        Ok(Done { tidings: tx.end().await?, answer })
    }
}

/// See [`crate::Store::available`].
pub(super) struct Available<'a> {
    pub(super) types: Vec<&'a [u8]>,
    pub(super) at_most: i64,
    pub(super) now: Timestamp,
}

impl Verb for Available<'_> {
    type Output = Vec<LeasedJob>;
    const WRITES: bool = false;

    async fn run(&self, link: Link) -> Result<Done<Vec<LeasedJob>>, Failure> {
        let rows = link.ask(statements::AVAILABLE, &[&self.types, &time(self.now), &self.at_most]).await?;
        link.done();
        rows.iter().map(payloads::handed).collect::<Result<_, _>>().map(Done::nothing_new)
    }
}

/// See [`crate::Store::backlog`].
pub(super) struct LookAtBacklog {
    pub(super) now: Timestamp,
}

impl Verb for LookAtBacklog {
    type Output = Backlog;

    async fn run(&self, link: Link) -> Result<Done<Backlog>, Failure> {
        let tidings = promote(&link, self.now).await?;
        let phase = jobs::small(Phase::Ready.number());
        let ready = tally::by_type(&link.ask(statements::TALLIES_OF_PHASE, &[&phase]).await?)?;
        let waiting = tally::waiting(&link.ask(statements::WAITING, &[]).await?)?;
        let next = link.ask(statements::NEXT_RIPE, &[]).await?;
        link.done();
        let next: Option<i64> = match next.first() {
            Some(row) => column(row, 0).map_err(Failure::for_good)?,
            None => None,
        };
        let next_at = next.map(|at| epoch(at, "ready_at")).transpose().map_err(Failure::for_good)?;
        Ok(Done { answer: Backlog { ready, usage: waiting, next_at }, tidings })
    }
}

async fn promote(link: &Link, now: Timestamp) -> Result<Tidings, Failure> {
    let rows = link.ask(statements::PROMOTE, &[&time(now)]).await?;
    let mut tidings = Tidings::default();
    for row in &rows {
        let job_type = jobs::text(row, 0).map_err(Failure::for_good)?;
        // What is no type is found by whoever reads the job.
        if let Ok(job_type) = JobType::parse(&job_type) {
            tidings.ready(job_type);
        }
    }
    Ok(tidings)
}
