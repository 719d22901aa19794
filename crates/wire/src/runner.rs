//! Requests and responses of the runners' API, `/api/runner`. Times are epoch milliseconds. The fields of requests stay
//! raw JSON here, so that the code that parses them can name an invalid field. Unknown fields are ignored.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::jobs::{Name, Structured};

/// The header with the runner's id. Every request except the registration must have it.
pub const RUNNER_ID_HEADER: &str = "x-runner-id";

/// Body of `POST /api/runner/register`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(example = json!({ "name": "lab-1", "capabilities": ["hello_world"] }))]
pub struct Register<'a> {
    /// The name that the runner gives itself.
    #[serde(borrow)]
    #[schema(value_type = String, required = true, nullable = false, min_length = 1, max_length = 256,
        pattern = r"^[^\x00]*[^\s\x00][^\x00]*$")]
    pub name: Option<&'a RawValue>,
    /// The job types that the runner can execute; at most 1,000, of at most 256 bytes each.
    #[serde(borrow)]
    #[schema(value_type = Vec<Name>, required = true, nullable = false, max_items = 1000)]
    pub capabilities: Option<&'a RawValue>,
}

/// Response of `POST /api/runner/register`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Registered)]
pub struct RegisterResponse {
    /// The value of the header `X-Runner-ID` in all further requests of the runner.
    pub runner_id: String,
    /// A description for users.
    pub message: String,
}

/// Response of `GET /api/runner/verify`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Verified)]
pub struct VerifyResponse {
    /// Whether the runner is registered.
    pub exists: bool,
    /// The name that the runner gave itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub runner_name: Option<String>,
    /// A description for users.
    pub message: String,
}

/// Response of `GET /api/runner/jobs/available`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Available)]
pub struct AvailableJobs {
    /// Jobs that may be claimed, the oldest first, at most 50.
    pub jobs: Vec<AvailableJob>,
}

/// A job that may be claimed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AvailableJob {
    /// The job's id.
    pub job_id: String,
    /// The type of the job.
    pub job_type: String,
    /// The parameters as the caller sent them.
    #[schema(value_type = Structured)]
    pub input_params: Box<RawValue>,
    /// When it was submitted.
    pub created_at: u64,
}

/// Response of `POST /api/runner/jobs/{id}/claim`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Claimed)]
pub struct ClaimResponse {
    /// Whether the runner has the job now.
    pub success: bool,
    /// A description for users.
    pub message: String,
    /// The job, when the runner has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub job: Option<ClaimedJob>,
}

/// A job to execute.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ClaimedJob {
    /// The job's id.
    pub job_id: String,
    /// The type of the job.
    pub job_type: String,
    /// The parameters as the caller sent them.
    #[schema(value_type = Structured)]
    pub input_params: Box<RawValue>,
}

/// Response of `GET /api/runner/jobs/next`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Next)]
pub struct NextResponse {
    /// The job, which the runner has the lease for.
    pub job: NextJob,
}

/// A job to execute, with its lease.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct NextJob {
    /// The job's id.
    pub job_id: String,
    /// The type of the job.
    pub job_type: String,
    /// The parameters as the caller sent them.
    #[schema(value_type = Structured)]
    pub input_params: Box<RawValue>,
    /// The number of this attempt, from 1.
    pub attempt: u32,
    /// The number of the lease; it is sent with every report about the job.
    pub lease: u64,
    /// After this many milliseconds without a heartbeat another runner gets the job.
    pub lease_ms: u64,
}

/// Body of `POST /api/runner/jobs/{id}/start`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(example = json!({ "lease": 1 }))]
pub struct Start<'a> {
    /// The number of the lease.
    #[serde(borrow)]
    #[schema(value_type = u64, required = true, nullable = false, minimum = 1,
        maximum = 9_007_199_254_740_991_u64)]
    pub lease: Option<&'a RawValue>,
}

/// Body of `POST /api/runner/jobs/{id}/heartbeat`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(example = json!({ "progress_current": 1, "progress_total": 2, "console_output": "half" }))]
pub struct Heartbeat<'a> {
    /// Number of completed steps; sent together with the total.
    #[serde(borrow)]
    #[schema(value_type = Option<u64>, maximum = 9_007_199_254_740_991_u64)]
    pub progress_current: Option<&'a RawValue>,
    /// Number of all steps.
    #[serde(borrow)]
    #[schema(value_type = Option<u64>, maximum = 9_007_199_254_740_991_u64)]
    pub progress_total: Option<&'a RawValue>,
    /// The whole console output of the job's command so far; at most 1 MiB.
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    pub console_output: Option<&'a RawValue>,
    /// Ours: the console output since the last heartbeat, instead of the whole output.
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    pub console_append: Option<&'a RawValue>,
    /// Ours: the number of the lease; native runners always send it.
    #[serde(borrow)]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    pub lease: Option<&'a RawValue>,
}

/// Body of `POST /api/runner/jobs/{id}/complete`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(example = json!({ "output_data": { "message": "Hello, World!" }, "console_output": "done" }))]
pub struct Complete<'a> {
    /// The result; at most 500 KiB.
    #[serde(borrow)]
    #[schema(value_type = Structured, required = true, nullable = false)]
    pub output_data: Option<&'a RawValue>,
    /// The whole console output of the job's command; at most 1 MiB.
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    pub console_output: Option<&'a RawValue>,
    /// Ours: the console output since the last heartbeat, instead of the whole output.
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    pub console_append: Option<&'a RawValue>,
    /// Ours: the number of the lease; native runners always send it.
    #[serde(borrow)]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    pub lease: Option<&'a RawValue>,
}

/// Body of `POST /api/runner/jobs/{id}/error`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(example = json!({ "error_message": "no memory", "console_output": "" }))]
pub struct Fail<'a> {
    /// The error message; at most 10 KiB.
    #[serde(borrow)]
    #[schema(value_type = String, required = true, nullable = false)]
    pub error_message: Option<&'a RawValue>,
    /// The whole console output of the job's command; at most 1 MiB.
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    pub console_output: Option<&'a RawValue>,
    /// Ours: the console output since the last heartbeat, instead of the whole output.
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    pub console_append: Option<&'a RawValue>,
    /// Ours: the number of the lease; native runners always send it.
    #[serde(borrow)]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    pub lease: Option<&'a RawValue>,
}

/// Response to a report about a job: `start`, `heartbeat`, `complete` or `error`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobReportResponse {
    /// Whether the report was accepted.
    pub success: bool,
    /// A description for users.
    pub message: String,
    /// Ours: true when the job was cancelled, so that the runner can stop the execution.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub cancelled: Option<bool>,
}
