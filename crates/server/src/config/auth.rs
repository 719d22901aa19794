//! `auth.*`: the API keys that the service accepts.

use serde::Deserialize;

use crate::config::key::{self, KeySpec};
use crate::config::secret::Secret;
use crate::config::value_type::ValueType;

/// The API keys that the service accepts. Each list may have several keys, so that keys can be replaced one at a time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// Keys for operators. If no list has a key, only requests from this machine are allowed instead.
    pub admin_keys: Vec<Secret>,
    /// Keys for job runners.
    pub runner_keys: Vec<Secret>,
    /// Keys for callers that submit jobs. If any list has a key, `/api/jobs`, `/api/runner` and `/api/admin` require
    /// one.
    pub submit_keys: Vec<Secret>,
}

impl Default for AuthConfig {
    fn default() -> Self {
        key::defaults("auth", KEYS)
    }
}

pub(super) const KEYS: &[KeySpec] = &[
    KeySpec::new(
        "auth.admin_keys",
        "",
        ValueType::ListOfSecrets,
        "API keys for operators: the dashboard, `/metrics` and `/api/admin`; if no key of any kind is set, these answer requests from this machine only",
    )
    .legacy("ADMIN_API_KEY")
    .secret(),
    KeySpec::new(
        "auth.runner_keys",
        "",
        ValueType::ListOfSecrets,
        "API keys for job runners: `/api/runner` and the `GET` requests of `/api/admin`",
    )
    .legacy("RUNNER_API_KEY")
    .secret(),
    KeySpec::new(
        "auth.submit_keys",
        "",
        ValueType::ListOfSecrets,
        "API keys for callers that submit jobs: `/api/jobs`; if a key of any kind is set, all of `/api/jobs`, \
         `/api/runner` and `/api/admin` require keys",
    )
    .legacy("SUBMIT_API_KEY")
    .secret(),
];
