//! Signing in on the page: `GET|POST|DELETE /api/session`.

use serde::{Deserialize, Serialize};

/// Body of `POST /api/session`.
#[derive(Deserialize)]
pub struct SignInRequest {
    /// The admin key.
    pub key: String,
}

/// Answer of all three.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Whether a key is needed at all.
    pub key: KeyRequirement,
    /// Whether this browser may go on.
    pub signed_in: bool,
    /// What every change carries in `x-csrf-token`.
    pub csrf: Option<String>,
}

/// Whether keys are configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyRequirement {
    /// They are.
    Needed,
    /// They are not: the machine is the boundary.
    NotNeeded,
}
