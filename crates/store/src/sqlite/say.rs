//! Words about jobs: the job is read, `core::job` decides, and what follows is written.

use pilotlight_core::job::{Change, Event, Job, JobId};
use pilotlight_core::time::Timestamp;

use super::hooks;
use super::jobs;
use super::payloads::{self, Kept};
use super::tx::Tx;
use crate::error::Error;
use crate::records::{Answer, HookEvent, Payload, Said};
use crate::stored::Stored;

/// See [`crate::Store::say`].
pub(super) fn say(
    tx: &mut Tx<'_>,
    id: JobId,
    event: &Event,
    payload: &Payload,
    now: Timestamp,
) -> Result<Said, Error> {
    match jobs::by_id(tx.db, id)? {
        Some(before) => say_of(tx, &before, event, payload, now),
        None => Ok(Said::Unknown),
    }
}

/// The same of a job that was read in this transaction.
pub(super) fn say_of(
    tx: &mut Tx<'_>,
    before: &Stored,
    event: &Event,
    payload: &Payload,
    now: Timestamp,
) -> Result<Said, Error> {
    let mut job = before.job.clone();
    let change = match job.handle(event, &tx.settings.rules, now) {
        Ok(change) => change,
        Err(refused) => return Ok(Said::Refused(refused, job)),
    };
    if change == Change::Nothing {
        return Ok(Said::Taken(Answer { change, job }));
    }
    if change == Change::Completed && !job.is_current {
        let current = jobs::current(tx.db, job.key)?;
        job.settle(current.as_ref().map(|current| (&current.job, current.came(before))), now);
    }
    let bytes = match payloads::keep(tx, before, &job, change, payload)? {
        Kept::Yes(bytes) => bytes,
        Kept::ConsoleFull => return Ok(Said::ConsoleFull),
    };
    jobs::update(tx, before, &job, bytes, now)?;
    tell(tx, &job, change, now)?;
    Ok(Said::Taken(Answer { change, job }))
}

fn tell(tx: &Tx<'_>, job: &Job, change: Change, now: Timestamp) -> Result<(), Error> {
    match change {
        Change::Completed => hooks::note(tx, job, HookEvent::Completed, now),
        Change::Failed => hooks::note(tx, job, HookEvent::Failed, now),
        Change::Nothing
        | Change::Dispatched
        | Change::Claimed
        | Change::Heard
        | Change::Queued
        | Change::Left
        | Change::Expired => Ok(()),
    }
}
