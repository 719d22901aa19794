//! `jobs.types.NAME.*`: what is special about jobs of one type. These are said in the file only: what a type is called can
//! be no part of a variable's name.

use std::collections::BTreeMap;

use pilotlight_core::ids::JobType;
use serde::{Deserialize, Deserializer};

use super::key::KeySpec;
use super::secret::Secret;
use super::value_type::ValueType;

/// What is special about jobs of one type.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobTypeSettings {
    /// Who is told of its jobs.
    pub webhook_url: Option<String>,
    /// What signs the telling.
    pub webhook_secret: Option<Secret>,
    /// Of what.
    pub webhook_events: Vec<WebhookEvent>,
    /// Where in a result an URL stands that must still answer (a JSON pointer).
    pub check_url: Option<String>,
    /// Where in a result a time stands that must lie in the future (a JSON pointer).
    pub check_time: Option<String>,
    /// The only hosts that are asked.
    pub check_hosts: Vec<String>,
}

/// What somebody is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WebhookEvent {
    /// A job was submitted.
    Created,
    /// It has its result.
    Completed,
    /// It failed for good.
    Failed,
}

impl JobTypeSettings {
    /// Keys that mean nothing without another, with that other.
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

/// The names were checked where they were read.
pub(super) fn by_type<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<JobType, JobTypeSettings>, D::Error> {
    let named = BTreeMap::<String, JobTypeSettings>::deserialize(from)?;
    let typed = |(name, settings): (String, _)| {
        JobType::parse(&name).map(|name| (name, settings)).map_err(serde::de::Error::custom)
    };
    named.into_iter().map(typed).collect()
}

/// Where they stand in the file.
pub(super) const SECTION: &str = "jobs.types";

/// The rows of each type. Their names are those of fields: the type stands before them.
pub(super) const KEYS: &[KeySpec] = &[
    KeySpec::new(
        "webhook_url",
        "none",
        ValueType::NoneOrUrl,
        "who is told of its jobs, by a signed `POST`; needs `webhook_secret`",
    ),
    KeySpec::new("webhook_secret", "none", ValueType::NoneOrSecret, "what signs that (HMAC-SHA-256)")
        .secret(),
    KeySpec::new(
        "webhook_events",
        "created,completed,failed",
        ValueType::SomeOf(&["created", "completed", "failed"]),
        "of what",
    ),
    KeySpec::new(
        "check_url",
        "none",
        ValueType::NoneOrPointer,
        "where in a result an URL stands that must still answer for the result to be valid; needs `check_hosts`",
    ),
    KeySpec::new(
        "check_time",
        "none",
        ValueType::NoneOrPointer,
        "where in a result a time stands that must lie in the future for the result to be valid",
    ),
    KeySpec::new("check_hosts", "", ValueType::ListOfHosts, "the only hosts that such URLs may name"),
];
