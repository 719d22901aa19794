//! Words about jobs: the job is read, `core::job` decides, and what follows is written.

use pilotlight_core::job::{Event, Job, JobId, Transition};
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
    let transition = match job.handle(event, &tx.settings.policy, now) {
        Ok(transition) => transition,
        Err(refused) => return Ok(Said::Rejected(refused, job)),
    };
    if transition == Transition::Unchanged {
        return Ok(Said::Taken(Answer { transition, job }));
    }
    if transition == Transition::Completed && !job.is_current {
        let current = jobs::current(tx.db, job.key)?;
        job.update_current(current.as_ref().map(|current| (&current.job, current.order_to(before))), now);
    }
    let bytes = match payloads::keep(tx, before, &job, transition, payload)? {
        Kept::Yes(bytes) => bytes,
        Kept::ConsoleFull => return Ok(Said::ConsoleFull),
    };
    jobs::update(tx, before, &job, bytes, now)?;
    tell(tx, &job, transition, now)?;
    Ok(Said::Taken(Answer { transition, job }))
}

fn tell(tx: &Tx<'_>, job: &Job, transition: Transition, now: Timestamp) -> Result<(), Error> {
    match transition {
        Transition::Completed => hooks::note(tx, job, HookEvent::Completed, now),
        Transition::Failed => hooks::note(tx, job, HookEvent::Failed, now),
        Transition::Unchanged
        | Transition::Dispatched
        | Transition::Claimed
        | Transition::Heartbeat
        | Transition::Queued
        | Transition::CallerLeft
        | Transition::Expired => Ok(()),
    }
}
