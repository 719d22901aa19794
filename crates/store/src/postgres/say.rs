//! Words about jobs: the job is read, `core::job` decides, and what follows is written.

use pilotlight_core::job::{Change, Event, JobId};
use pilotlight_core::time::Epoch;

use super::failure::Failure;
use super::jobs;
use super::link::Link;
use super::payloads::{self, Kept};
use super::tx::Tx;
use super::verb::{Done, Verb};
use super::{hooks, statements};
use crate::records::{Answer, HookEvent, Payload, Said, Settings};
use crate::stored::Stored;

/// See [`crate::Store::say`].
pub(super) struct Say<'a> {
    pub(super) id: JobId,
    pub(super) event: &'a Event,
    pub(super) payload: &'a Payload,
    pub(super) settings: &'a Settings,
    pub(super) now: Epoch,
}

impl Verb for Say<'_> {
    type Answer = Said;

    async fn run(&self, link: Link) -> Result<Done<Said>, Failure> {
        let (mut tx, rows) = Tx::begin(link, statements::LOCK, &[&self.id.as_bytes().as_slice()]).await?;
        let said = match jobs::one(&rows)? {
            Some(before) => say_of(&mut tx, &before, (self.event, self.payload), self.settings, self.now),
            None => Said::Unknown,
        };
        // What was prepared before a console turned out to be full is not written.
        if matches!(said, Said::ConsoleFull) {
            tx.leave().await?;
            return Ok(Done::nothing_new(said));
        }
        Ok(Done { answer: said, tidings: tx.end().await? })
    }
}

/// The same of a job whose row is locked by this transaction.
pub(super) fn say_of(
    tx: &mut Tx,
    before: &Stored,
    (event, payload): (&Event, &Payload),
    settings: &Settings,
    now: Epoch,
) -> Said {
    let mut job = before.job.clone();
    let change = match job.handle(event, &settings.rules, now) {
        Ok(change) => change,
        Err(refused) => return Said::Refused(refused, job),
    };
    if change == Change::Nothing {
        return Said::Taken(Answer { change, job });
    }
    let bytes = match payloads::keep(tx, before, (&job, change), payload, settings.limits) {
        Kept::Yes(bytes) => bytes,
        Kept::ConsoleFull => return Said::ConsoleFull,
    };
    jobs::update(tx, before, &job, bytes, now);
    if let Some(event) = told(change) {
        hooks::note(tx, &job, event, settings, now);
    }
    Said::Taken(Answer { change, job })
}

const fn told(change: Change) -> Option<HookEvent> {
    match change {
        Change::Completed => Some(HookEvent::Completed),
        Change::Failed => Some(HookEvent::Failed),
        Change::Nothing
        | Change::Dispatched
        | Change::Claimed
        | Change::Heard
        | Change::Queued
        | Change::Left
        | Change::Expired => None,
    }
}
