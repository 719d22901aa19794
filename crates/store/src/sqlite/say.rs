//! Words about jobs: the job is read, `core::job` decides, and what follows is written.

use pilotlight_core::job::{Event, Job, JobId, Transition};
use pilotlight_core::time::Timestamp;

use super::hooks;
use super::jobs;
use super::payloads::{self, Kept};
use super::tx::Tx;
use crate::error::Error;
use crate::records::{AppliedEvent, EventOutcome, RunnerOutput, WebhookTrigger};
use crate::stored::Stored;

/// See [`crate::Store::apply_event`].
pub(super) fn say(
    tx: &mut Tx<'_>,
    id: JobId,
    event: &Event,
    payload: &RunnerOutput,
    now: Timestamp,
) -> Result<EventOutcome, Error> {
    match jobs::by_id(tx.db, id)? {
        Some(before) => say_of(tx, &before, event, payload, now),
        None => Ok(EventOutcome::UnknownJob),
    }
}

/// The same of a job that was read in this transaction.
pub(super) fn say_of(
    tx: &mut Tx<'_>,
    before: &Stored,
    event: &Event,
    payload: &RunnerOutput,
    now: Timestamp,
) -> Result<EventOutcome, Error> {
    let mut job = before.job.clone();
    let transition = match job.handle(event, &tx.settings.policy, now) {
        Ok(transition) => transition,
        Err(refused) => return Ok(EventOutcome::Rejected(refused, job)),
    };
    if transition == Transition::Unchanged {
        return Ok(EventOutcome::Applied(AppliedEvent { transition, job }));
    }
    if transition == Transition::Completed && !job.is_current {
        let current = jobs::current(tx.db, job.key)?;
        job.update_current(current.as_ref().map(|current| (&current.job, current.order_to(before))), now);
    }
    let bytes = match payloads::keep(tx, before, &job, transition, payload)? {
        Kept::Yes(bytes) => bytes,
        Kept::ConsoleFull => return Ok(EventOutcome::ConsoleFull),
    };
    jobs::update(tx, before, &job, bytes, now)?;
    tell(tx, &job, transition, now)?;
    Ok(EventOutcome::Applied(AppliedEvent { transition, job }))
}

fn tell(tx: &Tx<'_>, job: &Job, transition: Transition, now: Timestamp) -> Result<(), Error> {
    match transition {
        Transition::Completed => hooks::note(tx, job, WebhookTrigger::Completed, now),
        Transition::Failed => hooks::note(tx, job, WebhookTrigger::Failed, now),
        Transition::Unchanged
        | Transition::Dispatched
        | Transition::Claimed
        | Transition::Heartbeat
        | Transition::Queued
        | Transition::CallerLeft
        | Transition::Expired => Ok(()),
    }
}
