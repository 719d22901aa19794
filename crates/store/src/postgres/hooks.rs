//! What others are still to be told. A telling is written in the transaction of what it tells.

use std::time::Duration;

use pilotlight_core::ids::JobType;
use pilotlight_core::job::{Job, JobId};
use pilotlight_core::time::Timestamp;
use tokio_postgres::Row as Columns;

use super::failure::Failure;
use super::jobs::{column, text};
use super::link::Link;
use super::lists::limit;
use super::statements;
use super::tx::{Tx, Write, given};
use super::verb::{Done, Verb};
use crate::error::Error;
use crate::records::{Settings, WebhookCall, WebhookCallId, WebhookTrigger};
use crate::row::{damaged, epoch, number, time};

/// Notes that this is to be told, where somebody wants to know.
pub(super) fn note(tx: &mut Tx, job: &Job, event: WebhookTrigger, settings: &Settings, now: Timestamp) {
    if settings.webhook_types.contains(&job.job_type) {
        let (id, job_type) = (job.id.as_bytes().to_vec(), job.job_type.as_str().as_bytes().to_vec());
        tx.write(statements::ADD_HOOK, given![id, job_type, event_number(event), time(now)]);
    }
}

/// See [`crate::Store::claim_webhooks`].
pub(super) struct HookCalls<'a> {
    pub(super) room: &'a [(JobType, usize)],
    pub(super) lease: Duration,
    pub(super) now: Timestamp,
}

impl Verb for HookCalls<'_> {
    type Output = Vec<WebhookCall>;

    async fn run(&self, link: Link) -> Result<Done<Vec<WebhookCall>>, Failure> {
        let types: Vec<_> = self.room.iter().map(|(job_type, _)| job_type.as_str().as_bytes()).collect();
        let room: Vec<_> = self.room.iter().map(|(_, at_most)| limit(*at_most)).collect();
        let until = time(self.now.after(self.lease));
        let rows = link.ask(statements::LEASE_HOOKS, &[&time(self.now), &until, &types, &room]).await?;
        link.done();
        let calls = rows.iter().map(call).collect::<Result<Vec<_>, _>>();
        calls.map(Done::nothing_new).map_err(Failure::for_good)
    }
}

fn call(row: &Columns) -> Result<WebhookCall, Error> {
    let id: Vec<u8> = column(row, 1)?;
    Ok(WebhookCall {
        id: WebhookCallId(column(row, 0)?),
        job: JobId::from_bytes(id.try_into().map_err(|_| damaged("job"))?),
        job_type: JobType::parse(&text(row, 2)?).map_err(|_| damaged("job_type"))?,
        event: event(column(row, 3)?)?,
        at: epoch(column(row, 4)?, "at")?,
        failures: number(column(row, 5)?, "failures")?,
    })
}

/// See [`crate::Store::ack_webhook`].
pub(super) struct HookDone {
    pub(super) id: WebhookCallId,
}

impl Verb for HookDone {
    type Output = ();

    async fn run(&self, link: Link) -> Result<Done<()>, Failure> {
        link.write(&Write { statement: statements::END_HOOK, given: given![self.id.0] }).await?;
        Ok(Done::nothing_new(()))
    }
}

/// See [`crate::Store::retry_webhook`].
pub(super) struct HookFailed {
    pub(super) id: WebhookCallId,
    pub(super) again_at: Timestamp,
}

impl Verb for HookFailed {
    type Output = ();

    async fn run(&self, link: Link) -> Result<Done<()>, Failure> {
        let given = given![self.id.0, time(self.again_at)];
        link.write(&Write { statement: statements::DELAY_HOOK, given }).await?;
        Ok(Done::nothing_new(()))
    }
}

/// See [`crate::Store::drop_webhooks`].
pub(super) struct DropHooks<'a> {
    pub(super) settings: &'a Settings,
    pub(super) before: Timestamp,
    pub(super) at_most: i64,
}

impl Verb for DropHooks<'_> {
    type Output = u64;

    async fn run(&self, link: Link) -> Result<Done<u64>, Failure> {
        let hooked: Vec<_> =
            self.settings.webhook_types.iter().map(|it| it.as_str().as_bytes().to_vec()).collect();
        let given = given![hooked, time(self.before), self.at_most];
        let dropped = link.write(&Write { statement: statements::DROP_HOOKS, given }).await?;
        Ok(Done::nothing_new(dropped))
    }
}

const fn event_number(event: WebhookTrigger) -> i16 {
    match event {
        WebhookTrigger::Created => 0,
        WebhookTrigger::Completed => 1,
        WebhookTrigger::Failed => 2,
    }
}

fn event(number: i16) -> Result<WebhookTrigger, Error> {
    let known = [WebhookTrigger::Created, WebhookTrigger::Completed, WebhookTrigger::Failed];
    known.into_iter().find(|event| event_number(*event) == number).ok_or_else(|| damaged("event"))
}
