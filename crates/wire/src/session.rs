//! Signing in on the dashboard page: `GET|POST|DELETE /api/session`.

use serde::{Deserialize, Serialize};

/// Body of `POST /api/session`.
#[derive(Deserialize)]
pub struct SignInRequest {
    /// The admin key.
    pub key: String,
}

/// Response of all three requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Whether the dashboard needs a key.
    pub key: KeyRequirement,
    /// Whether this browser has an open session.
    pub signed_in: bool,
    /// The CSRF token that every changing request must send in `x-csrf-token`.
    pub csrf: Option<String>,
}

/// Whether the dashboard needs a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyRequirement {
    /// Keys are configured.
    Needed,
    /// No keys are configured: only callers on this machine have access.
    NotNeeded,
}
