//! The dashboard's data: `GET /api/dashboard`. Times are epoch milliseconds.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The query: which page of the history, and how long a page is.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct PageQuery {
    /// From 1; the first when missing.
    pub page: Option<u64>,
    /// At most 100, which is also the default.
    pub limit: Option<u64>,
}

/// The whole answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dashboard {
    /// Waiting runners, the longest wait first.
    pub runners: Vec<WaitingRunner>,
    /// Runners that have a run.
    pub executing_runners: Vec<ExecutingRunner>,
    /// Offers, the newest first.
    pub recent_matches: Vec<OfferSummary>,
    /// Where in the history this page is.
    pub pagination: Pagination,
    /// Settings in force.
    pub config: Config,
    /// Counts.
    pub stats: WarmStartStats,
    /// When this was read.
    pub timestamp: u64,
}

/// A runner and what fits it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunnerInfo {
    /// Its deployment.
    pub deployment_id: Arc<str>,
    /// Its deployment's version.
    pub deployment_version: Arc<str>,
    /// Processors.
    pub machine_cpu: f64,
    /// Memory in GB.
    pub machine_memory: f64,
    /// Its identity.
    pub controller_id: Arc<str>,
    /// Its node.
    pub worker_instance_name: Arc<str>,
}

/// A runner that waits.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitingRunner {
    /// Who.
    #[serde(flatten)]
    pub runner: RunnerInfo,
    /// When it began to poll.
    pub connected_at: u64,
    /// How long ago that was.
    pub waiting_duration_ms: u64,
}

/// A runner that has a run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutingRunner {
    /// Who.
    #[serde(flatten)]
    pub runner: RunnerInfo,
    /// The run it has.
    pub run_id: Arc<str>,
    /// When it got it.
    pub matched_at: u64,
    /// How long ago that was.
    pub executing_duration_ms: u64,
}

/// An offer that has ended.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OfferSummary {
    /// The run.
    pub run_id: Arc<str>,
    /// Who got it; empty when nobody did.
    pub controller_id: Arc<str>,
    /// Its node; empty when nobody got it.
    pub worker_instance_name: Arc<str>,
    /// `deployment:version`
    pub deployment_key: String,
    /// Processors.
    pub machine_cpu: f64,
    /// Memory in GB.
    pub machine_memory: f64,
    /// When the supervisor was answered.
    pub matched_at: u64,
    /// How long the runner had waited; 0 when nobody got it.
    pub wait_duration_ms: u64,
    /// Whether a runner got it, as far as is known by now.
    pub success: bool,
    /// Ours: `acknowledged`, `unread`, `unconfirmed` or `cold`.
    pub delivery: &'static str,
    /// Ours: microseconds from the offer to its answer.
    pub answered_in_us: u64,
    /// Ours: polls that the run was dispatched to.
    pub dispatches: u8,
}

/// Where in the history a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pagination {
    /// From 1.
    pub page: u64,
    /// Entries on a page.
    pub limit: u64,
    /// Entries in all.
    pub total_matches: u64,
    /// Pages in all.
    pub total_pages: u64,
    /// Whether an older page exists.
    pub has_next_page: bool,
    /// Whether a newer page exists.
    pub has_prev_page: bool,
}

/// Settings in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// As told to runners.
    pub connection_timeout_ms: u64,
    /// As told to runners.
    pub keepalive_ms: u64,
    /// Where the service listens.
    pub port: u16,
    /// Where the service listens.
    pub host: String,
}

/// Counts; those of offers since the start or the last clearing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WarmStartStats {
    /// Waiting.
    pub total_runners: usize,
    /// Executing.
    pub total_executing_runners: usize,
    /// Deployments with a waiting runner.
    pub total_deployments: usize,
    /// Offers remembered.
    pub recent_matches_count: usize,
    /// Runs that went to a waiting runner.
    pub warm_starts: u64,
    /// Runs that did not.
    pub cold_starts: u64,
    /// Both.
    pub total_matches: u64,
}

/// Answer of `DELETE /api/dashboard`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ClearResponse {
    /// Always true.
    pub success: bool,
}
