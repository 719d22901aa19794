//! The queue of pending webhook calls (table `hooks`). A call is inserted in the transaction of the change that it
//! reports.

use std::time::Duration;

use pilotlight_core::ids::JobType;
use pilotlight_core::job::{Job, JobId};
use pilotlight_core::time::Timestamp;
use tokio_postgres::Row as PgRow;

use super::column_values::{column, text};
use super::connection::StoreConnection;
use super::failure::Failure;
use super::operation::{Committed, StoreOperation};
use super::queries::limit;
use super::statements;
use super::tx::PgTx;
use super::write_statement::{WriteStatement, owned_params};
use crate::columns::{corrupt_column, millis_of_time, number, time_from_millis};
use crate::error::Error;
use crate::records::{Settings, WebhookCall, WebhookCallId, WebhookTrigger};

/// Inserts a webhook call for this event.
pub(super) fn enqueue(tx: &mut PgTx, job: &Job, event: WebhookTrigger, now: Timestamp) {
    let (id, job_type) = (job.id.as_bytes().to_vec(), job.job_type.as_str().as_bytes().to_vec());
    tx.write(
        statements::INSERT_WEBHOOK,
        owned_params![id, job_type, trigger_number(event), millis_of_time(now)],
    );
}

/// See [`crate::WebhookStore::claim_webhooks`].
pub(super) struct ClaimWebhooks<'a> {
    pub(super) capacity: &'a [(JobType, usize)],
    pub(super) lease: Duration,
    pub(super) now: Timestamp,
}

impl StoreOperation for ClaimWebhooks<'_> {
    type Output = Vec<WebhookCall>;

    async fn run(&self, connection: StoreConnection) -> Result<Committed<Vec<WebhookCall>>, Failure> {
        let types: Vec<_> = self.capacity.iter().map(|(job_type, _)| job_type.as_str().as_bytes()).collect();
        let capacity: Vec<_> = self.capacity.iter().map(|(_, at_most)| limit(*at_most)).collect();
        let until = millis_of_time(self.now.after(self.lease));
        let rows = connection
            .query(statements::CLAIM_WEBHOOKS, &[&millis_of_time(self.now), &until, &types, &capacity])
            .await?;
        connection.release();
        let calls = rows.iter().map(read_call).collect::<Result<Vec<_>, _>>();
        calls.map(Committed::without_notifications).map_err(Failure::permanent)
    }
}

fn read_call(row: &PgRow) -> Result<WebhookCall, Error> {
    let id: Vec<u8> = column(row, 1)?;
    Ok(WebhookCall {
        id: WebhookCallId(column(row, 0)?),
        job: JobId::from_bytes(id.try_into().map_err(|_| corrupt_column("job"))?),
        job_type: JobType::parse(&text(row, 2)?).map_err(|_| corrupt_column("job_type"))?,
        event: trigger(column(row, 3)?)?,
        at: time_from_millis(column(row, 4)?, "at")?,
        failures: number(column(row, 5)?, "failures")?,
    })
}

/// See [`crate::WebhookStore::ack_webhook`].
pub(super) struct AckWebhook {
    pub(super) id: WebhookCallId,
}

impl StoreOperation for AckWebhook {
    type Output = ();

    async fn run(&self, connection: StoreConnection) -> Result<Committed<()>, Failure> {
        connection
            .write(&WriteStatement {
                statement: statements::DELETE_WEBHOOK,
                params: owned_params![self.id.0],
            })
            .await?;
        Ok(Committed::without_notifications(()))
    }
}

/// See [`crate::WebhookStore::retry_webhook`].
pub(super) struct RetryWebhook {
    pub(super) id: WebhookCallId,
    pub(super) retry_at: Timestamp,
}

impl StoreOperation for RetryWebhook {
    type Output = ();

    async fn run(&self, connection: StoreConnection) -> Result<Committed<()>, Failure> {
        let params = owned_params![self.id.0, millis_of_time(self.retry_at)];
        connection.write(&WriteStatement { statement: statements::RETRY_WEBHOOK, params }).await?;
        Ok(Committed::without_notifications(()))
    }
}

/// See [`crate::WebhookStore::drop_webhooks`].
pub(super) struct DropWebhooks<'a> {
    pub(super) settings: &'a Settings,
    pub(super) before: Timestamp,
    pub(super) at_most: i64,
}

impl StoreOperation for DropWebhooks<'_> {
    type Output = u64;

    async fn run(&self, connection: StoreConnection) -> Result<Committed<u64>, Failure> {
        let webhook_types: Vec<_> =
            self.settings.webhook_types.iter().map(|it| it.as_str().as_bytes().to_vec()).collect();
        let params = owned_params![webhook_types, millis_of_time(self.before), self.at_most];
        let dropped =
            connection.write(&WriteStatement { statement: statements::DROP_WEBHOOKS, params }).await?;
        Ok(Committed::without_notifications(dropped))
    }
}

const fn trigger_number(event: WebhookTrigger) -> i16 {
    match event {
        WebhookTrigger::Created => 0,
        WebhookTrigger::Completed => 1,
        WebhookTrigger::Failed => 2,
    }
}

fn trigger(number: i16) -> Result<WebhookTrigger, Error> {
    let known = [WebhookTrigger::Created, WebhookTrigger::Completed, WebhookTrigger::Failed];
    known.into_iter().find(|event| trigger_number(*event) == number).ok_or_else(|| corrupt_column("event"))
}
