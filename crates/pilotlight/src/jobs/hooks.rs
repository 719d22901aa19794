//! Tells others of jobs, as their types are configured. What is to be told stands in the store beside the job; it is
//! struck out once it was heard, and tried again with a growing pause until then. So it is told at least once.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use pilotlight_core::ids::JobType;
use pilotlight_core::limits::{HOOK_TRIES, HOOK_WITHIN, HOOKS_AT_A_TIME};
use pilotlight_core::retry;
use pilotlight_core::time::Epoch;
use pilotlight_store::{Error, HookCall, HookEvent};
use pilotlight_wire::hooks::{DELIVERY, Hook, SIGNATURE, TIMESTAMP};
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::driver::Jobs;

/// Where a type's jobs are told of.
#[derive(Debug, Clone)]
pub struct Target {
    /// Who is told.
    pub url: reqwest::Url,
    /// What the telling is signed with.
    pub key: hmac::Key,
    /// Of what.
    pub events: Vec<HookEvent>,
}

/// Everybody who is told.
#[derive(Debug)]
pub struct Hooks {
    client: Client,
    targets: HashMap<JobType, Target>,
}

/// The pause after the first try in vain.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// Looked for without a nudge, for what other instances left.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A telling is nobody else's for this long; longer than a try.
const LEASE: Duration = Duration::from_secs(60);

impl Hooks {
    /// Tells these.
    #[must_use]
    pub const fn new(client: Client, targets: HashMap<JobType, Target>) -> Self {
        Self { client, targets }
    }

    async fn call(&self, call: &HookCall, now: Epoch) -> Result<(), String> {
        let Some(target) =
            self.targets.get(&call.job_type).filter(|target| target.events.contains(&call.event))
        else {
            // Nobody wants to know any more.
            return Ok(());
        };
        let body = body(call);
        let request = self
            .client
            .post(target.url.clone())
            .timeout(HOOK_WITHIN)
            .header(CONTENT_TYPE, "application/json")
            .header(TIMESTAMP, now.as_millis())
            .header(DELIVERY, call.id.0)
            .header(SIGNATURE, signature(&target.key, now, &body));
        let answer = request.body(body).send().await.map_err(|error| error.without_url().to_string())?;
        if answer.status().is_success() { Ok(()) } else { Err(format!("it answered {}", answer.status())) }
    }
}

fn body(call: &HookCall) -> String {
    let event = match call.event {
        HookEvent::Created => "job.created",
        HookEvent::Completed => "job.completed",
        HookEvent::Failed => "job.failed",
    };
    let hook = Hook {
        event: event.into(),
        job_id: call.job.to_string(),
        job_type: call.job_type.to_string(),
        at: call.at.as_millis(),
    };
    serde_json::to_string(&hook).expect("wire types have string keys and finite numbers")
}

fn signature(key: &hmac::Key, at: Epoch, body: &str) -> String {
    let tag = hmac::sign(key, format!("{}.{body}", at.as_millis()).as_bytes());
    tag.as_ref().iter().fold(String::from("sha256="), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
        text
    })
}

impl Jobs {
    /// Tells others what stands in the store to be told, until dropped.
    pub async fn tell(self: Arc<Self>, hooks: Hooks) {
        let hooks = Arc::new(hooks);
        loop {
            match self.tell_some(&hooks).await {
                Ok(told) if told == HOOKS_AT_A_TIME => {}
                Ok(_) => _ = timeout(LOOK_EVERY, self.hooks.notified()).await,
                Err(error) => {
                    tracing::warn!(%error, "failed to look for webhooks to send; trying on");
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
        }
    }

    async fn tell_some(self: &Arc<Self>, hooks: &Arc<Hooks>) -> Result<usize, Error> {
        let calls = self.store.hook_calls(HOOKS_AT_A_TIME, LEASE, self.now()).await?;
        let count = calls.len();
        let mut tries = JoinSet::new();
        for call in calls {
            tries.spawn(Arc::clone(self).try_to_tell(Arc::clone(hooks), call));
        }
        while let Some(tried) = tries.join_next().await {
            tried.expect("a try does not panic")?;
        }
        Ok(count)
    }

    async fn try_to_tell(self: Arc<Self>, hooks: Arc<Hooks>, call: HookCall) -> Result<(), Error> {
        let failures = call.failures + 1;
        match hooks.call(&call, self.now()).await {
            Ok(()) => {
                self.metrics.hooks_heard.inc();
                self.store.hook_done(call.id).await
            }
            Err(why) if failures >= HOOK_TRIES => {
                self.metrics.hooks_given_up.inc();
                tracing::warn!(job = %call.job, why, "gave up on a webhook");
                self.store.hook_done(call.id).await
            }
            Err(why) => {
                self.metrics.hooks_failed.inc();
                tracing::debug!(job = %call.job, why, "failed to send a webhook; trying again later");
                let again_at = self.now().after(retry::pause(FIRST_PAUSE, failures));
                self.store.hook_failed(call.id, again_at).await
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
        let signed = signature(&key, Epoch::from_millis(1_700_000_000_000), "{}");
        assert_eq!(signed, "sha256=8399216d111287e3bb28e25c0f4f31dffdf831c68c9ee2b96c2f67c9b81d341b");
    }
}
