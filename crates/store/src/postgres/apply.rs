//! Words about jobs: the job is read, `core::job` decides, and what follows is written.

use pilotlight_core::job::{Event, JobId, Transition};
use pilotlight_core::time::Timestamp;

use super::connection::StoreConnection;
use super::failure::Failure;
use super::jobs;
use super::operation::{Committed, StoreOperation};
use super::payloads::{self, StoreOutcome};
use super::tx::Tx;
use super::{statements, webhooks};
use crate::job_row::JobRow;
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
            Tx::begin(connection, statements::LOCK_JOB, &[&self.id.as_bytes().as_slice()]).await?;
        let outcome = match jobs::one(&rows)? {
            Some(before) => {
                let current = self.lock_current(&tx, &before).await?;
                let read = LockedJob { before: &before, current: current.as_ref() };
                apply_to_row(&mut tx, read, (self.event, self.runner_output), self.settings, self.now)
            }
            None => EventOutcome::UnknownJob,
        };
        // What was prepared before a console turned out to be full is not written.
        if matches!(outcome, EventOutcome::ConsoleFull) {
            tx.rollback().await?;
            return Ok(Committed::without_notifications(outcome));
        }
        Ok(Committed { value: outcome, notifications: tx.commit().await? })
    }
}

impl ApplyEvent<'_> {
    /// The current job of this one's key, locked, when this one may be about to take its place. Most jobs are that
    /// themselves.
    async fn lock_current(&self, tx: &Tx, before: &JobRow) -> Result<Option<JobRow>, Failure> {
        if before.job.is_current || before.job.has_ended() || !matches!(self.event, Event::Complete { .. }) {
            return Ok(None);
        }
        let key = before.job.key.as_bytes().as_slice();
        for _ in 0..LOCK_ATTEMPTS {
            if let Some(current) = jobs::one(&tx.query(statements::LOCK_CURRENT, &[&key]).await?)? {
                return Ok(Some(current));
            }
        }
        // There is none, or another one comes up this very moment: then the index refuses two, and all is tried again.
        Ok(None)
    }
}

/// Whoever steps down while it is waited for is not found, and has a successor: it is looked for again.
const LOCK_ATTEMPTS: u32 = 2;

/// What was read of a job, and is locked by this transaction.
#[derive(Clone, Copy)]
pub(super) struct LockedJob<'a> {
    pub(super) before: &'a JobRow,
    /// The current job of its key, when it may be about to take its place.
    pub(super) current: Option<&'a JobRow>,
}

impl<'a> LockedJob<'a> {
    /// A job that is not about to complete.
    pub(super) const fn only(before: &'a JobRow) -> Self {
        Self { before, current: None }
    }
}

/// The same of a job that was read in this transaction.
pub(super) fn apply_to_row(
    tx: &mut Tx,
    LockedJob { before, current }: LockedJob<'_>,
    (event, runner_output): (&Event, &RunnerOutput),
    settings: &Settings,
    now: Timestamp,
) -> EventOutcome {
    let mut job = before.job.clone();
    let transition = match job.handle(event, &settings.policy, now) {
        Ok(transition) => transition,
        Err(refused) => return EventOutcome::Rejected(refused, job),
    };
    if transition == Transition::Unchanged {
        return EventOutcome::Applied(AppliedEvent { transition, job });
    }
    let bytes = match payloads::store_output(tx, before, (&job, transition), runner_output, settings.limits) {
        StoreOutcome::Stored(bytes) => bytes,
        StoreOutcome::ConsoleFull => return EventOutcome::ConsoleFull,
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
    EventOutcome::Applied(AppliedEvent { transition, job })
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
