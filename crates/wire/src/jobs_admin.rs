//! What operators ask about jobs and their runners: `/api/admin`. Times are epoch milliseconds.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::jobs::{Name, Progress, Status, Structured};

/// Answer of `GET /api/admin/jobs`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Jobs)]
pub struct JobList {
    /// The newest first.
    pub jobs: Vec<JobRow>,
    /// How many there are of that status.
    pub total: u64,
}

/// A job in a list.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct JobRow {
    /// Its name.
    pub job_id: String,
    /// What kind of work it is.
    pub job_type: String,
    /// Where it stands.
    pub status: Status,
    /// When it was submitted.
    pub created_at: u64,
    /// When something of it last changed.
    pub updated_at: u64,
    /// The runner that has or had it.
    #[schema(required = true)]
    pub claimed_by: Option<String>,
}

/// Answer of `GET /api/admin/jobs/{id}`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct JobDetails {
    /// What lists tell of it.
    #[serde(flatten)]
    pub row: JobRow,
    /// As the caller wrote them.
    #[schema(value_type = Structured)]
    pub input_params: Box<RawValue>,
    /// Since when its runner has or had it.
    #[schema(required = true)]
    pub claimed_at: Option<u64>,
    /// When its runner was last heard of, while it is executed.
    #[schema(required = true)]
    pub last_heartbeat: Option<u64>,
    /// How far its runner is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub progress: Option<Progress>,
    /// What its command wrote so far.
    pub console_output: String,
    /// The result.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Structured, required = false, nullable = false)]
    pub output_data: Option<Box<RawValue>>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error_message: Option<String>,
    /// Ours: when it ended, as far as that is known: not of results that turned out not to be valid any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ended_at: Option<u64>,
    /// Ours: how long its runner had it until it completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub took_ms: Option<u64>,
    /// Ours: until when its result is valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub valid_until: Option<u64>,
    /// Ours: while it waits, when it may be executed next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ready_at: Option<u64>,
    /// Ours: higher ones go first.
    pub priority: i32,
    /// Ours: not to be executed before.
    pub run_at: u64,
    /// Ours: tries used, the one under way included.
    pub attempts: u32,
    /// Ours: tries before a failure is final.
    pub max_attempts: u32,
    /// Ours: tries that were lost and do not count.
    pub losses: u32,
    /// Ours: submissions that wait for it and were not cancelled.
    pub callers: u32,
}

/// Answer of `DELETE /api/admin/jobs/{id}`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Deleted)]
pub struct DeleteResponse {
    /// Always true.
    pub success: bool,
    /// For people.
    pub message: String,
}

/// Body of `POST /api/admin/jobs/batch-delete`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(example = json!({ "job_ids": ["0192f0c1-5a3e-7b1c-9d2e-4f5a6b7c8d9e"] }))]
pub struct BatchDelete<'a> {
    /// Names of jobs.
    #[serde(borrow)]
    #[schema(value_type = Vec<Name>, required = true, nullable = false, min_items = 1, max_items = 1000)]
    pub job_ids: Option<&'a RawValue>,
}

/// Its answer.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = BatchDeleted)]
pub struct BatchDeleteResponse {
    /// Whether all of them are gone.
    pub success: bool,
    /// How many are.
    pub deleted: usize,
    /// Names that no job had.
    pub failed: Vec<String>,
    /// For people.
    pub message: String,
}

/// Answer of `GET /api/admin/runners`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Runners)]
pub struct RunnerList {
    /// The last seen first, at most 1,000.
    pub runners: Vec<RunnerRow>,
    /// Registered runners.
    pub total: u64,
}

/// A runner.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Runner)]
pub struct RunnerRow {
    /// Its identity.
    pub runner_id: String,
    /// What it calls itself.
    pub name: String,
    /// The types of jobs that it can do.
    pub capabilities: Vec<String>,
    /// When it last asked for anything.
    pub last_seen: u64,
    /// Whether that was within the last 5 minutes.
    pub is_active: bool,
}

/// Answer of `GET /api/admin/runners/{id}`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RunnerDetails {
    /// What lists tell of it.
    #[serde(flatten)]
    pub runner: RunnerRow,
    /// When it registered.
    pub registered_at: u64,
    /// The last 100 jobs that it has or had, the newest first.
    pub jobs: Vec<JobRow>,
}

/// Answer of `GET /api/admin/stats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Stats)]
pub struct AdminStats {
    /// Jobs by status.
    pub jobs: JobCounts,
    /// Runners.
    pub runners: RunnerCounts,
}

/// Jobs by status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobCounts {
    /// They wait for a runner.
    pub pending: u64,
    /// A runner has them.
    pub claimed: u64,
    /// A runner has them and was heard of.
    pub in_progress: u64,
    /// They have a result.
    pub completed: u64,
    /// They failed.
    pub failed: u64,
    /// They had a result, which is not valid any more.
    pub expired: u64,
    /// All of them.
    pub total: u64,
}

/// Runners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunnerCounts {
    /// Registered runners.
    pub total: u64,
    /// Those that were seen within the last 5 minutes.
    pub active: u64,
}
