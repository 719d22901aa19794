//! The dashboard's data: `GET /api/dashboard`. Times are epoch milliseconds.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Query parameters: the page of the history, and its size.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct PageQuery {
    /// The page number, from 1; the first page when missing.
    pub page: Option<u64>,
    /// The page size, at most 100; 100 when missing.
    pub limit: Option<u64>,
}

/// Response of `GET /api/dashboard`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dashboard {
    /// Waiting runners, the longest wait first.
    pub runners: Vec<WaitingRunner>,
    /// Runners that execute a run.
    pub executing_runners: Vec<ExecutingRunner>,
    /// Offers, the newest first.
    pub recent_matches: Vec<OfferSummary>,
    /// The position of this page in the history.
    pub pagination: Pagination,
    /// The settings in use.
    pub config: Config,
    /// Counters.
    pub stats: WarmStartStats,
    /// When the data was read.
    pub timestamp: u64,
}

/// A runner, and the deployment and machine of its pool.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunnerInfo {
    /// The runner's deployment.
    pub deployment_id: Arc<str>,
    /// The version of the deployment.
    pub deployment_version: Arc<str>,
    /// Number of processors.
    pub machine_cpu: f64,
    /// Memory in GB.
    pub machine_memory: f64,
    /// The runner's id.
    pub controller_id: Arc<str>,
    /// The runner's node.
    pub worker_instance_name: Arc<str>,
}

/// A runner with a parked poll.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitingRunner {
    /// The runner.
    #[serde(flatten)]
    pub runner: RunnerInfo,
    /// When its poll was parked.
    pub connected_at: u64,
    /// How long the poll has been parked.
    pub waiting_duration_ms: u64,
}

/// A runner that executes a run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutingRunner {
    /// The runner.
    #[serde(flatten)]
    pub runner: RunnerInfo,
    /// The run.
    pub run_id: Arc<str>,
    /// When the runner got the run.
    pub matched_at: u64,
    /// How long the runner has had the run.
    pub executing_duration_ms: u64,
}

/// An offer that has ended.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OfferSummary {
    /// The run.
    pub run_id: Arc<str>,
    /// The runner that got the run; empty when none did.
    pub controller_id: Arc<str>,
    /// The node of the runner; empty when no runner got the run.
    pub worker_instance_name: Arc<str>,
    /// The deployment and its version, as `deployment:version`.
    pub deployment_key: String,
    /// Number of processors.
    pub machine_cpu: f64,
    /// Memory in GB.
    pub machine_memory: f64,
    /// When the supervisor was answered.
    pub matched_at: u64,
    /// How long the runner had waited; 0 when no runner got the run.
    pub wait_duration_ms: u64,
    /// Whether a runner got the run, as far as is known by now.
    pub success: bool,
    /// Ours: the outcome, `acknowledged`, `unread`, `unconfirmed` or `cold`.
    pub delivery: &'static str,
    /// Ours: microseconds from the offer to its answer.
    pub answered_in_us: u64,
    /// Ours: number of polls that the run was dispatched to.
    pub dispatches: u8,
}

/// The position of a page in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pagination {
    /// The page number, from 1.
    pub page: u64,
    /// Number of offers on a page.
    pub limit: u64,
    /// Number of all offers in the history.
    pub total_matches: u64,
    /// Number of all pages.
    pub total_pages: u64,
    /// Whether an older page exists.
    pub has_next_page: bool,
    /// Whether a newer page exists.
    pub has_prev_page: bool,
}

/// The settings in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// The connection timeout that `GET /connect` returns.
    pub connection_timeout_ms: u64,
    /// The keep-alive time that `GET /connect` returns.
    pub keepalive_ms: u64,
    /// The port that the service listens on.
    pub port: u16,
    /// The address that the service listens on.
    pub host: String,
}

/// Counters. Those of offers count since the start, or since the history was last cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WarmStartStats {
    /// Number of runners with a parked poll.
    pub total_runners: usize,
    /// Number of runners that execute a run.
    pub total_executing_runners: usize,
    /// Number of deployments with a waiting runner.
    pub total_deployments: usize,
    /// Number of offers in the history.
    pub recent_matches_count: usize,
    /// Runs that a waiting runner got.
    pub warm_starts: u64,
    /// Runs that had to be cold-started.
    pub cold_starts: u64,
    /// Warm and cold starts together.
    pub total_matches: u64,
}

/// Response of `DELETE /api/dashboard`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ClearResponse {
    /// Always true.
    pub success: bool,
}
