//! `jobs.types.NAME.*`: settings of one job type.
//!
//! These keys can be set only in the file: a job type may contain characters that a variable's name cannot.

use std::collections::BTreeMap;

use pilotlight_core::ids::JobType;
use serde::{Deserialize, Deserializer};

use crate::config::key::KeySpec;
use crate::config::secret::Secret;
use crate::config::value_type::ValueType;

/// The settings of one job type.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobTypeSettings {
    /// The URL that receives webhooks about jobs of this type.
    pub webhook_url: Option<String>,
    /// The secret that signs these webhooks (HMAC-SHA-256).
    pub webhook_secret: Option<Secret>,
    /// The events that are delivered as webhooks.
    pub webhook_events: Vec<WebhookEvent>,
    /// JSON pointer to a URL in the result; a cached result is valid only while that URL still answers.
    pub check_url: Option<String>,
    /// JSON pointer to a time in the result; a cached result is valid only while that time is in the future.
    pub check_time: Option<String>,
    /// The only hosts to which a result's URL may point.
    pub check_hosts: Vec<String>,
}

/// An event that can be delivered as a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WebhookEvent {
    /// A job was submitted.
    Created,
    /// The job completed with a result.
    Completed,
    /// The job failed and will not be retried.
    Failed,
}

impl JobTypeSettings {
    /// Keys that are set without another key that they need: pairs of the key and the missing one.
    pub(super) fn missing_companions(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let (url, secret) = (self.webhook_url.is_some(), self.webhook_secret.is_some());
        let (check, hosts) = (self.check_url.is_some(), !self.check_hosts.is_empty());
        [
            (url && !secret, "webhook_url", "webhook_secret"),
            (secret && !url, "webhook_secret", "webhook_url"),
            (check && !hosts, "check_url", "check_hosts"),
            (hosts && !check, "check_hosts", "check_url"),
        ]
        .into_iter()
        .filter_map(|(missing, key, other)| missing.then_some((key, other)))
    }
}

/// Deserializes the tables by job type. The names were validated when the file was read.
pub(super) fn by_type<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<JobType, JobTypeSettings>, D::Error> {
    let named = BTreeMap::<String, JobTypeSettings>::deserialize(from)?;
    let typed = |(name, settings): (String, _)| {
        JobType::parse(&name).map(|name| (name, settings)).map_err(serde::de::Error::custom)
    };
    named.into_iter().map(typed).collect()
}

/// The keys of each job type, named like the struct's fields; the full key has `jobs.types.NAME.` before the name.
pub(super) const KEYS: &[KeySpec] = &[
    KeySpec::new(
        "webhook_url",
        "none",
        ValueType::NoneOrUrl,
        "URL that receives a signed `POST` for each event of a job of this type; needs `webhook_secret`",
    ),
    KeySpec::new(
        "webhook_secret",
        "none",
        ValueType::NoneOrSecret,
        "secret that signs these requests (HMAC-SHA-256)",
    )
    .secret(),
    KeySpec::new(
        "webhook_events",
        "created,completed,failed",
        ValueType::SomeOf(&["created", "completed", "failed"]),
        "events that are delivered to `webhook_url`",
    ),
    KeySpec::new(
        "check_url",
        "none",
        ValueType::NoneOrPointer,
        "JSON pointer to a URL in the result; a cached result is valid only while that URL still answers; needs `check_hosts`",
    ),
    KeySpec::new(
        "check_time",
        "none",
        ValueType::NoneOrPointer,
        "JSON pointer to a time in the result; a cached result is valid only while that time is in the future",
    ),
    KeySpec::new(
        "check_hosts",
        "",
        ValueType::ListOfHosts,
        "the only hosts to which the URL of `check_url` may point",
    ),
];
