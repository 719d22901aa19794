//! `auth.*`: the keys that callers show.

use serde::Deserialize;

use super::key::{self, KeySpec};
use super::secret::Secret;
use super::value_type::ValueType;

/// The keys that callers show; several of a kind make it possible to change them one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// For operators. Empty, and without the others, this machine is the boundary.
    pub admin_keys: Vec<Secret>,
    /// For runners of jobs.
    pub runner_keys: Vec<Secret>,
    /// For callers that submit jobs. With any key at all, `/api/jobs`, `/api/runner` and `/api/admin` need keys.
    pub submit_keys: Vec<Secret>,
}

impl Default for AuthConfig {
    fn default() -> Self {
        key::defaults("auth")
    }
}

pub(super) const KEYS: &[KeySpec] = &[
    KeySpec::new(
        "auth.admin_keys",
        "",
        ValueType::ListOfSecrets,
        "keys of operators, for the dashboard, `/metrics` and `/api/admin`; without any key these answer this machine only",
    )
    .legacy("ADMIN_API_KEY")
    .secret(),
    KeySpec::new(
        "auth.runner_keys",
        "",
        ValueType::ListOfSecrets,
        "keys of runners of jobs, for `/api/runner` and what `GET /api/admin` answers",
    )
    .legacy("RUNNER_API_KEY")
    .secret(),
    KeySpec::new(
        "auth.submit_keys",
        "",
        ValueType::ListOfSecrets,
        "keys of callers that submit jobs, for `/api/jobs`; with any key of any kind all of `/api/jobs`, `/api/runner` and \
         `/api/admin` need keys",
    )
    .legacy("SUBMIT_API_KEY")
    .secret(),
];
