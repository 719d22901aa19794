//! Words about jobs: the job is read, `core::job` decides, and what follows is written.

use pilotlight_core::job::{Event, JobId, Transition};
use pilotlight_core::time::Timestamp;

use super::failure::Failure;
use super::jobs;
use super::link::Link;
use super::payloads::{self, Kept};
use super::tx::Tx;
use super::verb::{Done, Verb};
use super::{hooks, statements};
use crate::records::{AppliedEvent, EventOutcome, RunnerOutput, Settings, WebhookTrigger};
use crate::stored::Stored;

/// See [`crate::Store::apply_event`].
pub(super) struct Say<'a> {
    pub(super) id: JobId,
    pub(super) event: &'a Event,
    pub(super) payload: &'a RunnerOutput,
    pub(super) settings: &'a Settings,
    pub(super) now: Timestamp,
}

impl Verb for Say<'_> {
    type Output = EventOutcome;

    async fn run(&self, link: Link) -> Result<Done<EventOutcome>, Failure> {
        let (mut tx, rows) = Tx::begin(link, statements::LOCK, &[&self.id.as_bytes().as_slice()]).await?;
        let said = match jobs::one(&rows)? {
            Some(before) => {
                let current = self.current_beside(&tx, &before).await?;
                let read = Read { before: &before, current: current.as_ref() };
                say_of(&mut tx, read, (self.event, self.payload), self.settings, self.now)
            }
            None => EventOutcome::UnknownJob,
        };
        // What was prepared before a console turned out to be full is not written.
        if matches!(said, EventOutcome::ConsoleFull) {
            tx.leave().await?;
            return Ok(Done::nothing_new(said));
        }
        Ok(Done { answer: said, tidings: tx.end().await? })
    }
}

impl Say<'_> {
    /// The current job of this one's key, locked, when this one may be about to take its place. Most jobs are that
    /// themselves.
    async fn current_beside(&self, tx: &Tx, before: &Stored) -> Result<Option<Stored>, Failure> {
        if before.job.is_current || before.job.has_ended() || !matches!(self.event, Event::Complete { .. }) {
            return Ok(None);
        }
        let key = before.job.key.as_bytes().as_slice();
        for _ in 0..LOOKS {
            if let Some(current) = jobs::one(&tx.ask(statements::LOCK_CURRENT, &[&key]).await?)? {
                return Ok(Some(current));
            }
        }
        // There is none, or another one comes up this very moment: then the index refuses two, and all is tried again.
        Ok(None)
    }
}

/// Whoever steps down while it is waited for is not found, and has a successor: it is looked for again.
const LOOKS: u32 = 2;

/// What was read of a job, and is locked by this transaction.
#[derive(Clone, Copy)]
pub(super) struct Read<'a> {
    pub(super) before: &'a Stored,
    /// The current job of its key, when it may be about to take its place.
    pub(super) current: Option<&'a Stored>,
}

impl<'a> Read<'a> {
    /// A job that is not about to complete.
    pub(super) const fn only(before: &'a Stored) -> Self {
        Self { before, current: None }
    }
}

/// The same of a job that was read in this transaction.
pub(super) fn say_of(
    tx: &mut Tx,
    Read { before, current }: Read<'_>,
    (event, payload): (&Event, &RunnerOutput),
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
    let bytes = match payloads::keep(tx, before, (&job, transition), payload, settings.limits) {
        Kept::Yes(bytes) => bytes,
        Kept::ConsoleFull => return EventOutcome::ConsoleFull,
    };
    if transition == Transition::Completed && !before.job.is_current {
        job.update_current(current.map(|current| (&current.job, current.order_to(before))), now);
        if let Some(current) = current.filter(|_| job.is_current) {
            jobs::step_down(tx, current);
        }
    }
    jobs::update(tx, before, &job, bytes, now);
    if let Some(event) = told(transition) {
        hooks::note(tx, &job, event, settings, now);
    }
    EventOutcome::Applied(AppliedEvent { transition, job })
}

const fn told(transition: Transition) -> Option<WebhookTrigger> {
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
