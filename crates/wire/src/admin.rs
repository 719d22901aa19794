//! Our own administrative calls.

use serde::{Deserialize, Serialize};

/// Body of `POST /api/admin/retire`: runners that every given name fits. At least one name is needed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetireRequest {
    /// A deployment's friendly id.
    #[serde(default)]
    pub deployment: Option<String>,
    /// A deployment's version.
    #[serde(default)]
    pub version: Option<String>,
    /// A runner's identity.
    #[serde(default)]
    pub runner: Option<String>,
    /// How long runners that come back are turned away, in milliseconds; an hour when missing.
    #[serde(default)]
    pub for_ms: Option<u64>,
}

/// Its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetireResponse {
    /// Waiting runners that were told to exit.
    pub retired: usize,
    /// Until when others are told so when they come back, in epoch milliseconds.
    pub until: u64,
}
