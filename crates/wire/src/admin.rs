//! Pilotlight's own administrative requests.

use serde::{Deserialize, Serialize};

/// Body of `POST /api/admin/retire`: selects the runners that match every given name. At least one name is required.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetireRequest {
    /// The friendly id of a deployment.
    #[serde(default)]
    pub deployment: Option<String>,
    /// The version of a deployment.
    #[serde(default)]
    pub version: Option<String>,
    /// The id of a runner.
    #[serde(default)]
    pub runner: Option<String>,
    /// How long polls of these runners are refused, in milliseconds; one hour when missing.
    #[serde(default)]
    pub for_ms: Option<u64>,
}

/// Response of `POST /api/admin/retire`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetireResponse {
    /// Number of waiting runners that were told to exit.
    pub retired: usize,
    /// Until when further polls of these runners are refused, in epoch milliseconds.
    pub until: u64,
}

/// Response of `GET /api/admin/background`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackgroundTasks {
    /// The background tasks of the process, by capability.
    pub tasks: Vec<BackgroundTask>,
}

/// A background task and the result of its last run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackgroundTask {
    /// The capability that it belongs to.
    pub capability: String,
    /// Its name, unique within the capability.
    pub name: String,
    /// What it does, in one line.
    pub description: String,
    /// When the last run ended, in epoch milliseconds; missing before the first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_run_at: Option<u64>,
    /// What the last run did; missing when it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_result: Option<String>,
    /// Why the last run failed; missing when it succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}
