//! Applies an event to a job: reads the job, lets `core::job` decide, and writes the result.

use pilotlight_core::job::{EndedAttempt, Event, Job, JobId, Transition};
use pilotlight_core::time::Timestamp;

use super::jobs;
use super::payloads;
use super::tx::SqliteTx;
use super::webhooks;
use crate::error::Error;
use crate::job_row::{JobRow, OutputOutcome};
use crate::records::{AppliedEvent, EventOutcome, RunnerOutput, WebhookTrigger};

/// See [`crate::Store::apply_event`].
pub(super) fn apply_event(
    tx: &mut SqliteTx<'_>,
    id: JobId,
    event: &Event,
    runner_output: &RunnerOutput,
    now: Timestamp,
) -> Result<EventOutcome, Error> {
    match jobs::by_id(tx.db, id)? {
        Some(before) => apply_to_row(tx, &before, event, runner_output, now),
        None => Ok(EventOutcome::UnknownJob),
    }
}

/// Applies an event to a job that was read in this transaction.
pub(super) fn apply_to_row(
    tx: &mut SqliteTx<'_>,
    before: &JobRow,
    event: &Event,
    runner_output: &RunnerOutput,
    now: Timestamp,
) -> Result<EventOutcome, Error> {
    let mut job = before.job.clone();
    let transition = match job.handle(event, &tx.settings.policy, now) {
        Ok(transition) => transition,
        Err(rejected) => return Ok(EventOutcome::Rejected(rejected, job)),
    };
    if transition == Transition::Unchanged {
        return Ok(EventOutcome::Applied(AppliedEvent { transition, job, ended_attempt: None }));
    }
    if transition == Transition::Completed && !job.is_current {
        let current = jobs::current(tx.db, job.key)?;
        job.update_current(current.as_ref().map(|current| (&current.job, current.order_to(before))), now);
    }
    let bytes = match payloads::store_output(tx, before, &job, transition, runner_output)? {
        OutputOutcome::Stored(bytes) => bytes,
        OutputOutcome::ConsoleFull => return Ok(EventOutcome::ConsoleFull),
    };
    jobs::update(tx, before, &job, bytes, now)?;
    enqueue_webhook(tx, &job, transition, now)?;
    let ended_attempt = EndedAttempt::between(&before.job, &job);
    Ok(EventOutcome::Applied(AppliedEvent { transition, job, ended_attempt }))
}

fn enqueue_webhook(
    tx: &SqliteTx<'_>,
    job: &Job,
    transition: Transition,
    now: Timestamp,
) -> Result<(), Error> {
    match transition {
        Transition::Completed => webhooks::enqueue(tx, job, WebhookTrigger::Completed, now),
        Transition::Failed => webhooks::enqueue(tx, job, WebhookTrigger::Failed, now),
        Transition::Unchanged
        | Transition::Dispatched
        | Transition::Claimed
        | Transition::Heartbeat
        | Transition::Queued
        | Transition::CallerLeft
        | Transition::Expired => Ok(()),
    }
}
