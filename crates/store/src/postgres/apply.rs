//! Applies an event to a job: reads and locks the job, lets `core::job` decide, and writes the result.

use pilotlight_core::job::{EndedAttempt, Event, JobId, Transition};
use pilotlight_core::time::Timestamp;

use super::connection::StoreConnection;
use super::failure::Failure;
use super::jobs;
use super::operation::{Committed, StoreOperation};
use super::payloads;
use super::tx::PgTx;
use super::{statements, webhooks};
use crate::job_row::{JobRow, OutputOutcome};
use crate::records::{AppliedEvent, EventOutcome, RunnerOutput, Settings, WebhookTrigger};

/// See [`crate::Store::apply_event`].
pub(super) struct ApplyEvent<'a> {
    pub(super) id: JobId,
    pub(super) event: &'a Event,
    pub(super) runner_output: &'a RunnerOutput,
    pub(super) settings: &'a Settings,
    pub(super) now: Timestamp,
}

impl StoreOperation for ApplyEvent<'_> {
    type Output = EventOutcome;

    async fn run(&self, connection: StoreConnection) -> Result<Committed<EventOutcome>, Failure> {
        let (mut tx, rows) =
            PgTx::begin(connection, statements::LOCK_JOB, &[&self.id.as_bytes().as_slice()]).await?;
        let outcome = match jobs::one(&rows)? {
            Some(before) => {
                let current = self.lock_current(&tx, &before).await?;
                let read = LockedJob { before: &before, current: current.as_ref() };
                apply_to_row(&mut tx, read, (self.event, self.runner_output), self.settings, self.now)
            }
            None => EventOutcome::UnknownJob,
        };
        // Writes that were collected before the console limit was found exceeded must not be sent.
        if matches!(outcome, EventOutcome::ConsoleFull) {
            tx.rollback().await?;
            return Ok(Committed::without_notifications(outcome));
        }
        Ok(Committed { value: outcome, notifications: tx.commit().await? })
    }
}

impl ApplyEvent<'_> {
    /// Locks the current job of this job's cache key, if this event may replace it by this job. Most jobs are the
    /// current one themselves and need no second lock.
    async fn lock_current(&self, tx: &PgTx, before: &JobRow) -> Result<Option<JobRow>, Failure> {
        if before.job.is_current || before.job.has_ended() || !matches!(self.event, Event::Complete { .. }) {
            return Ok(None);
        }
        let key = before.job.key.as_bytes().as_slice();
        for _ in 0..LOCK_ATTEMPTS {
            if let Some(current) = jobs::one(&tx.query(statements::LOCK_CURRENT, &[&key]).await?)? {
                return Ok(Some(current));
            }
        }
        // There is no current job. If another one becomes current right now, the unique index rejects the second one
        // and the operation is retried.
        Ok(None)
    }
}

/// Attempts to lock the current job. A job that stops being current while its lock is awaited is not returned; the next
/// attempt finds its successor.
const LOCK_ATTEMPTS: u32 = 2;

/// A job that this transaction has read and locked.
#[derive(Clone, Copy)]
pub(super) struct LockedJob<'a> {
    pub(super) before: &'a JobRow,
    /// The current job of its cache key, if this job may replace it.
    pub(super) current: Option<&'a JobRow>,
}

impl<'a> LockedJob<'a> {
    /// A job whose event cannot complete it.
    pub(super) const fn only(before: &'a JobRow) -> Self {
        Self { before, current: None }
    }
}

/// Applies an event to a locked job, and collects the writes in `tx`.
pub(super) fn apply_to_row(
    tx: &mut PgTx,
    LockedJob { before, current }: LockedJob<'_>,
    (event, runner_output): (&Event, &RunnerOutput),
    settings: &Settings,
    now: Timestamp,
) -> EventOutcome {
    let mut job = before.job.clone();
    let transition = match job.handle(event, &settings.policy, now) {
        Ok(transition) => transition,
        Err(rejected) => return EventOutcome::Rejected(rejected, job),
    };
    if transition == Transition::Unchanged {
        return EventOutcome::Applied(AppliedEvent { transition, job, ended_attempt: None });
    }
    let bytes = match payloads::store_output(tx, before, (&job, transition), runner_output, settings.limits) {
        OutputOutcome::Stored(bytes) => bytes,
        OutputOutcome::ConsoleFull => return EventOutcome::ConsoleFull,
    };
    if transition == Transition::Completed && !before.job.is_current {
        job.update_current(current.map(|current| (&current.job, current.order_to(before))), now);
        if let Some(current) = current.filter(|_| job.is_current) {
            jobs::clear_current(tx, current);
        }
    }
    jobs::update(tx, before, &job, bytes, now);
    if let Some(event) = webhook_trigger(transition) {
        webhooks::enqueue(tx, &job, event, settings, now);
    }
    let ended_attempt = EndedAttempt::between(&before.job, &job);
    EventOutcome::Applied(AppliedEvent { transition, job, ended_attempt })
}

const fn webhook_trigger(transition: Transition) -> Option<WebhookTrigger> {
    match transition {
        Transition::Completed => Some(WebhookTrigger::Completed),
        Transition::Failed => Some(WebhookTrigger::Failed),
        Transition::Unchanged
        | Transition::Dispatched
        | Transition::Claimed
        | Transition::Heartbeat
        | Transition::Queued
        | Transition::CallerLeft
        | Transition::Expired => None,
    }
}
