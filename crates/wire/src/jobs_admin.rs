//! Requests and responses about jobs and runners for operators, `/api/admin`. Times are epoch milliseconds.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::jobs::{Name, Progress, Status, Structured};

/// Response of `GET /api/admin/jobs`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Jobs)]
pub struct JobList {
    /// The jobs, the newest first.
    pub jobs: Vec<JobRow>,
    /// Number of all jobs with the requested status.
    pub total: u64,
}

/// A job in a list.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct JobRow {
    /// The job's id.
    pub job_id: String,
    /// The type of the job.
    pub job_type: String,
    /// The job's status.
    pub status: Status,
    /// When it was submitted.
    pub created_at: u64,
    /// When the job last changed.
    pub updated_at: u64,
    /// The runner that has the job, or had it last.
    #[schema(required = true)]
    pub claimed_by: Option<String>,
}

/// Response of `GET /api/admin/jobs/{id}`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct JobDetails {
    /// The fields that lists have too.
    #[serde(flatten)]
    pub row: JobRow,
    /// The parameters as the caller sent them.
    #[schema(value_type = Structured)]
    pub input_params: Box<RawValue>,
    /// When the runner got the job.
    #[schema(required = true)]
    pub claimed_at: Option<u64>,
    /// When the runner last sent a request for the job, while it executes the job.
    #[schema(required = true)]
    pub last_heartbeat: Option<u64>,
    /// The latest progress.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub progress: Option<Progress>,
    /// The console output of the job's command so far.
    pub console_output: String,
    /// The result.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Structured, required = false, nullable = false)]
    pub output_data: Option<Box<RawValue>>,
    /// The error message, when the job failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error_message: Option<String>,
    /// Ours: when the job ended; missing when its result is no longer valid, because the time is then unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ended_at: Option<u64>,
    /// Ours: how long the last runner took to execute the job, when it completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub took_ms: Option<u64>,
    /// Ours: until when the result is valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub valid_until: Option<u64>,
    /// Ours: the earliest time of the next execution, while the job waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ready_at: Option<u64>,
    /// Ours: jobs with a higher priority are executed first.
    pub priority: i32,
    /// Ours: the job is not executed before this time.
    pub run_at: u64,
    /// Ours: number of attempts, including the current one.
    pub attempts: u32,
    /// Ours: number of attempts until a failure is final.
    pub max_attempts: u32,
    /// Ours: number of lost attempts, which do not count as attempts.
    pub losses: u32,
    /// Ours: number of submissions that wait for the job and were not cancelled.
    pub callers: u32,
}

/// Response of `DELETE /api/admin/jobs/{id}`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Deleted)]
pub struct DeleteResponse {
    /// Always true.
    pub success: bool,
    /// A description for users.
    pub message: String,
}

/// Body of `POST /api/admin/jobs/batch-delete`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(example = json!({ "job_ids": ["0192f0c1-5a3e-7b1c-9d2e-4f5a6b7c8d9e"] }))]
pub struct BatchDelete<'a> {
    /// The ids of the jobs.
    #[serde(borrow)]
    #[schema(value_type = Vec<Name>, required = true, nullable = false, min_items = 1, max_items = 1000)]
    pub job_ids: Option<&'a RawValue>,
}

/// Response of `POST /api/admin/jobs/batch-delete`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = BatchDeleted)]
pub struct BatchDeleteResponse {
    /// Whether all of the jobs were deleted.
    pub success: bool,
    /// Number of deleted jobs.
    pub deleted: usize,
    /// The ids that no job has.
    pub failed: Vec<String>,
    /// A description for users.
    pub message: String,
}

/// Response of `GET /api/admin/runners`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Runners)]
pub struct RunnerList {
    /// The runners that were seen last first, at most 1,000.
    pub runners: Vec<RunnerRow>,
    /// Number of registered runners.
    pub total: u64,
}

/// A runner.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Runner)]
pub struct RunnerRow {
    /// The runner's id.
    pub runner_id: String,
    /// The name that the runner gave itself.
    pub name: String,
    /// The job types that the runner can execute.
    pub capabilities: Vec<String>,
    /// When the runner last sent a request.
    pub last_seen: u64,
    /// Whether the last request was within the last 5 minutes.
    pub is_active: bool,
}

/// Response of `GET /api/admin/runners/{id}`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RunnerDetails {
    /// The fields that lists have too.
    #[serde(flatten)]
    pub runner: RunnerRow,
    /// When the runner registered.
    pub registered_at: u64,
    /// The last 100 jobs that the runner has or had, the newest first.
    pub jobs: Vec<JobRow>,
}

/// Response of `GET /api/admin/stats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Stats)]
pub struct AdminStats {
    /// Number of jobs by status.
    pub jobs: JobCounts,
    /// Number of runners.
    pub runners: RunnerCounts,
}

/// Number of jobs by status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobCounts {
    /// Jobs that wait for a runner.
    pub pending: u64,
    /// Jobs that a runner has.
    pub claimed: u64,
    /// Jobs whose runner has sent a heartbeat.
    pub in_progress: u64,
    /// Jobs that have a result.
    pub completed: u64,
    /// Jobs that failed.
    pub failed: u64,
    /// Jobs whose result is no longer valid.
    pub expired: u64,
    /// All jobs.
    pub total: u64,
}

/// Number of runners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunnerCounts {
    /// Registered runners.
    pub total: u64,
    /// Runners that were seen within the last 5 minutes.
    pub active: u64,
}
