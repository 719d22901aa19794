//! Sends webhooks for the job types that have one. The store records a webhook in the transaction that changes the
//! job, and deletes it after the receiver answered 2xx; until then it is retried with growing pauses. Delivery is at
//! least once. Each type has its own limit of concurrent webhooks, so a receiver that hangs does not delay the
//! others. The wire format is in docs/protocols/webhooks.md.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use pilotlight_core::ids::JobType;
use pilotlight_core::limits::{
    MAX_UNCONFIGURED_WEBHOOK_AGE, MAX_WEBHOOK_ATTEMPTS, MAX_WEBHOOKS_PER_TYPE, WEBHOOK_DROP_BATCH,
    WEBHOOK_FIRST_BACKOFF, WEBHOOK_LEASE, WEBHOOK_TIMEOUT,
};
use pilotlight_core::retry::{self, AfterFailure};
use pilotlight_core::time::Timestamp;
use pilotlight_store::{Error, WebhookCall, WebhookTrigger};
use pilotlight_wire::webhooks::{DELIVERY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, WebhookBody};
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::background::TaskResults;
use crate::jobs::service::JobService;

/// The webhook of one job type.
#[derive(Debug, Clone)]
pub(crate) struct WebhookTarget {
    /// The URL of the receiver.
    pub url: reqwest::Url,
    /// The key that signs the requests.
    pub key: hmac::Key,
    /// The events that are sent.
    pub events: Vec<WebhookTrigger>,
}

/// The webhooks of all types, and the client that sends them.
#[derive(Debug)]
pub(crate) struct Webhooks {
    client: Client,
    targets: HashMap<JobType, WebhookTarget>,
    /// Per type, the permits for more concurrent webhooks.
    permits: HashMap<JobType, Arc<Semaphore>>,
}

/// How often the store is queried without a wake-up: for webhooks whose pause is over, and those that other instances
/// left.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The outcome of one attempt.
#[derive(Debug)]
enum AttemptOutcome {
    /// The receiver answered 2xx.
    Delivered,
    /// The type has no webhook for this event.
    NotConfigured,
    /// The attempt failed, for this reason.
    Failed(String),
}

impl Webhooks {
    /// Webhooks to these targets, sent by a client that is built from `base`.
    ///
    /// # Errors
    /// When the client cannot be built.
    pub(crate) fn new(
        base: ClientBuilder,
        targets: HashMap<JobType, WebhookTarget>,
    ) -> reqwest::Result<Self> {
        // A redirected POST mostly arrives without its body, and the new address may answer 2xx all the same.
        let client = base.redirect(Policy::none()).timeout(WEBHOOK_TIMEOUT).build()?;
        let permits =
            |job_type: &JobType| (job_type.clone(), Arc::new(Semaphore::new(MAX_WEBHOOKS_PER_TYPE)));
        Ok(Self { client, permits: targets.keys().map(permits).collect(), targets })
    }

    /// How many permits of each type are free.
    fn free_permits(&self) -> HashMap<JobType, usize> {
        self.permits
            .iter()
            .map(|(job_type, permits)| (job_type.clone(), permits.available_permits()))
            .collect()
    }

    fn take_permit(&self, job_type: &JobType) -> Option<OwnedSemaphorePermit> {
        Arc::clone(self.permits.get(job_type)?).try_acquire_owned().ok()
    }

    async fn attempt(&self, call: &WebhookCall, now: Timestamp) -> AttemptOutcome {
        let target = self.targets.get(&call.job_type).filter(|target| target.events.contains(&call.event));
        match target {
            Some(target) => self
                .post(target, call, now)
                .await
                .map_or_else(AttemptOutcome::Failed, |()| AttemptOutcome::Delivered),
            None => AttemptOutcome::NotConfigured,
        }
    }

    async fn post(&self, target: &WebhookTarget, call: &WebhookCall, now: Timestamp) -> Result<(), String> {
        let body = body(call);
        let request = self
            .client
            .post(target.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(TIMESTAMP_HEADER, now.as_millis())
            .header(DELIVERY_HEADER, call.id.0)
            .header(SIGNATURE_HEADER, signature(&target.key, now, &body));
        let response = request.body(body).send().await.map_err(|error| reason(&error.without_url()))?;
        if response.status().is_success() {
            Ok(())
        } else {
            Err(format!("the receiver answered {}", response.status()))
        }
    }
}

/// The root cause: reqwest's own text only says that the request failed.
fn reason(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .last()
        .map_or_else(String::new, ToString::to_string)
}

fn body(call: &WebhookCall) -> String {
    let event = match call.event {
        WebhookTrigger::Created => "job.created",
        WebhookTrigger::Completed => "job.completed",
        WebhookTrigger::Failed => "job.failed",
    };
    let webhook_body = WebhookBody {
        event: event.into(),
        job_id: call.job.to_string(),
        job_type: call.job_type.to_string(),
        at: call.at.as_millis(),
    };
    serde_json::to_string(&webhook_body).expect("wire types have string keys and finite numbers")
}

fn signature(key: &hmac::Key, at: Timestamp, body: &str) -> String {
    let tag = hmac::sign(key, format!("{}.{body}", at.as_millis()).as_bytes());
    tag.as_ref().iter().fold(String::from("sha256="), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
        text
    })
}

impl JobService {
    /// Sends the webhooks that are due in the store, until dropped.
    pub(crate) async fn run_webhooks(self: Arc<Self>, webhooks: Webhooks, results: TaskResults) {
        let webhooks = Arc::new(webhooks);
        let mut attempts = JoinSet::new();
        let mut was_ok = true;
        loop {
            while attempts.try_join_next().is_some() {}
            let result = self.send_due(&webhooks, &mut attempts).await;
            if let (Err(error), true) = (&result, was_ok) {
                tracing::warn!(%error, "failed to claim webhooks; retrying");
            }
            was_ok = result.is_ok();
            results.record(result.as_ref().map(|_| "claimed the webhooks that are due"));
            let may_be_more = result.is_ok_and(|may_be_more| may_be_more);
            tokio::select! {
                () = self.webhook_wake.notified() => {}
                Some(_) = attempts.join_next(), if may_be_more => {}
                () = sleep(POLL_INTERVAL) => {}
            }
        }
    }

    /// Claims and sends due webhooks. Returns whether a type may have more than it had permits for.
    async fn send_due(
        self: &Arc<Self>,
        webhooks: &Arc<Webhooks>,
        attempts: &mut JoinSet<()>,
    ) -> Result<bool, Error> {
        let mut free = webhooks.free_permits();
        let types: Vec<_> = free
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(job_type, count)| (job_type.clone(), *count))
            .collect();
        if types.is_empty() {
            return Ok(true);
        }
        for call in self.store.claim_webhooks(&types, WEBHOOK_LEASE, self.now()).await? {
            if let Some(remaining) = free.get_mut(&call.job_type) {
                *remaining = remaining.saturating_sub(1);
            }
            let permit = webhooks.take_permit(&call.job_type);
            attempts.spawn(Arc::clone(self).attempt_webhook(Arc::clone(webhooks), call, permit));
        }
        // Counted as of the claim: a permit that was released since then does not mean that the store has no more.
        Ok(free.values().any(|remaining| *remaining == 0))
    }

    async fn attempt_webhook(
        self: Arc<Self>,
        webhooks: Arc<Webhooks>,
        call: WebhookCall,
        _permit: Option<OwnedSemaphorePermit>,
    ) {
        let outcome = webhooks.attempt(&call, self.now()).await;
        if let Err(error) = self.record_attempt(&call, outcome).await {
            tracing::warn!(%error, job = %call.job, "failed to record the outcome of a webhook; it is sent again");
        }
    }

    /// Deletes webhooks of types that no longer have one configured, until dropped. The first deletion is after a
    /// while: a new process may be misconfigured, or may be configured before the other instances are.
    pub(crate) async fn run_webhook_cleanup(self: Arc<Self>, results: TaskResults) {
        loop {
            sleep(MAX_UNCONFIGURED_WEBHOOK_AGE).await;
            let dropped = self.drop_unconfigured().await;
            results.record(dropped.as_ref().map(|count| format!("dropped {count} webhooks")));
            match dropped {
                Ok(0) => {}
                Ok(count) => {
                    self.metrics.dropped_webhooks.inc_by(count);
                    tracing::warn!(count, "dropped webhooks of job types without a configured webhook");
                }
                Err(error) => {
                    tracing::warn!(%error, "failed to drop webhooks without a configured receiver; retrying")
                }
            }
        }
    }

    async fn drop_unconfigured(&self) -> Result<u64, Error> {
        let before = self.now().before(MAX_UNCONFIGURED_WEBHOOK_AGE);
        let mut total = 0;
        loop {
            let dropped = self.store.drop_webhooks(before, WEBHOOK_DROP_BATCH).await?;
            total += dropped;
            if dropped < WEBHOOK_DROP_BATCH as u64 {
                return Ok(total);
            }
        }
    }

    async fn record_attempt(&self, call: &WebhookCall, outcome: AttemptOutcome) -> Result<(), Error> {
        match outcome {
            AttemptOutcome::Delivered => {
                self.metrics.webhooks_delivered.inc();
                self.store.ack_webhook(call.id).await
            }
            AttemptOutcome::NotConfigured => self.store.ack_webhook(call.id).await,
            AttemptOutcome::Failed(why) => self.record_failed_attempt(call, &why).await,
        }
    }

    async fn record_failed_attempt(&self, call: &WebhookCall, why: &str) -> Result<(), Error> {
        let failures = call.failures + 1;
        match retry::after_failure(failures, MAX_WEBHOOK_ATTEMPTS, WEBHOOK_FIRST_BACKOFF, self.now()) {
            AfterFailure::GiveUp => {
                self.metrics.abandoned_webhooks.inc();
                tracing::warn!(job = %call.job, why, "gave up on a webhook");
                self.store.ack_webhook(call.id).await
            }
            AfterFailure::RetryAt(retry_at) => {
                self.metrics.failed_webhook_attempts.inc();
                tracing::debug!(job = %call.job, why, "failed to send a webhook; retrying later");
                self.store.retry_webhook(call.id, retry_at).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_hmac_of_time_and_body() {
        // From `printf '1700000000000.{}' | openssl dgst -sha256 -hmac secret`.
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
        let signed = signature(&key, Timestamp::from_millis(1_700_000_000_000), "{}");
        assert_eq!(signed, "sha256=8399216d111287e3bb28e25c0f4f31dffdf831c68c9ee2b96c2f67c9b81d341b");
    }
}
