//! Tells others of jobs, as their types are configured. What is to be told stands in the store beside the job; it is
//! struck out once it was heard, and tried again with a growing pause until then. So it is told at least once. Each type
//! has a share of its own of what is on its way: a target that hangs keeps no other waiting.

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
use pilotlight_core::retry;
use pilotlight_core::time::Timestamp;
use pilotlight_store::{Error, WebhookCall, WebhookTrigger};
use pilotlight_wire::webhooks::{DELIVERY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, WebhookBody};
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::service::JobService;

/// Where a type's jobs are told of.
#[derive(Debug, Clone)]
pub struct WebhookTarget {
    /// Who is told.
    pub url: reqwest::Url,
    /// What the telling is signed with.
    pub key: hmac::Key,
    /// Of what.
    pub events: Vec<WebhookTrigger>,
}

/// Everybody who is told.
#[derive(Debug)]
pub struct Webhooks {
    client: Client,
    targets: HashMap<JobType, WebhookTarget>,
    /// Of each type, room for more on their way.
    permits: HashMap<JobType, Arc<Semaphore>>,
}

/// Looked for without a nudge: tellings whose pause is over, and what other instances left.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// What became of a try.
#[derive(Debug)]
enum AttemptOutcome {
    /// It was heard.
    Delivered,
    /// Nobody wants to know.
    NotConfigured,
    /// It was not heard, for this reason.
    Failed(String),
}

impl Webhooks {
    /// Tells these, by a client that `base` leads to.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn new(base: ClientBuilder, targets: HashMap<JobType, WebhookTarget>) -> reqwest::Result<Self> {
        // Whoever is led elsewhere mostly arrives without the body, and what is there says yes all the same.
        let client = base.redirect(Policy::none()).timeout(WEBHOOK_TIMEOUT).build()?;
        let permits =
            |job_type: &JobType| (job_type.clone(), Arc::new(Semaphore::new(MAX_WEBHOOKS_PER_TYPE)));
        Ok(Self { client, permits: targets.keys().map(permits).collect(), targets })
    }

    /// How much room each type has.
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
            Err(format!("it answered {}", response.status()))
        }
    }
}

/// What was behind it: the error itself says only that there was one.
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
    /// Tells others what stands in the store to be told, until dropped.
    pub async fn run_webhooks(self: Arc<Self>, webhooks: Webhooks) {
        let webhooks = Arc::new(webhooks);
        let mut attempts = JoinSet::new();
        let mut was_ok = true;
        loop {
            while attempts.try_join_next().is_some() {}
            let result = self.send_due(&webhooks, &mut attempts).await;
            if let (Err(error), true) = (&result, was_ok) {
                tracing::warn!(%error, "failed to look for webhooks to send; trying on");
            }
            was_ok = result.is_ok();
            let may_be_more = result.is_ok_and(|may_be_more| may_be_more);
            tokio::select! {
                () = self.webhook_wake.notified() => {}
                Some(_) = attempts.join_next(), if may_be_more => {}
                () = sleep(POLL_INTERVAL) => {}
            }
        }
    }

    /// Returns whether there may be more than there was room for.
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
        // As it was when the store was asked: room that was given back since says nothing.
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
            tracing::warn!(%error, job = %call.job, "failed to remember what became of a webhook; it is sent again");
        }
    }

    /// Forgets what nobody is told of any more, as types lose their webhooks, until dropped. A process that has just begun
    /// may be configured by mistake, or before the others are.
    pub async fn run_webhook_cleanup(self: Arc<Self>) {
        loop {
            sleep(MAX_UNCONFIGURED_WEBHOOK_AGE).await;
            match self.drop_unconfigured().await {
                Ok(0) => {}
                Ok(count) => {
                    self.metrics.dropped_webhooks.inc_by(count);
                    tracing::warn!(count, "dropped webhooks of types that have none configured any more");
                }
                Err(error) => {
                    tracing::warn!(%error, "failed to look for webhooks that nobody wants; trying on")
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
        let failures = call.failures + 1;
        match outcome {
            AttemptOutcome::Delivered => {
                self.metrics.webhooks_delivered.inc();
                self.store.ack_webhook(call.id).await
            }
            AttemptOutcome::NotConfigured => self.store.ack_webhook(call.id).await,
            AttemptOutcome::Failed(why) if failures >= MAX_WEBHOOK_ATTEMPTS => {
                self.metrics.abandoned_webhooks.inc();
                tracing::warn!(job = %call.job, why, "gave up on a webhook");
                self.store.ack_webhook(call.id).await
            }
            AttemptOutcome::Failed(why) => {
                self.metrics.failed_webhook_attempts.inc();
                tracing::debug!(job = %call.job, why, "failed to send a webhook; trying again later");
                let retry_at = self.now().after(retry::backoff(WEBHOOK_FIRST_BACKOFF, failures));
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
        // As `printf '1700000000000.{}' | openssl dgst -sha256 -hmac secret` says.
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
        let signed = signature(&key, Timestamp::from_millis(1_700_000_000_000), "{}");
        assert_eq!(signed, "sha256=8399216d111287e3bb28e25c0f4f31dffdf831c68c9ee2b96c2f67c9b81d341b");
    }
}
