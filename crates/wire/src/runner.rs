//! What runners of jobs say and hear: `/api/runner`. Times are epoch milliseconds. Fields of requests stay JSON here,
//! so that whoever reads them can name the one that is wrong; unknown ones are left out.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::jobs::{Name, Structured};

/// Names the runner. Required on all calls but the registration.
pub const RUNNER_ID_HEADER: &str = "x-runner-id";

/// Body of `POST /api/runner/register`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(example = json!({ "name": "lab-1", "capabilities": ["hello_world"] }))]
pub struct Register<'a> {
    /// What the runner calls itself.
    #[serde(borrow)]
    #[schema(value_type = String, required = true, nullable = false, min_length = 1, max_length = 256,
        pattern = r"^[^\x00]*[^\s\x00][^\x00]*$")]
    pub name: Option<&'a RawValue>,
    /// The types of jobs that it can do; at most 1,000, of at most 256 bytes each.
    #[serde(borrow)]
    #[schema(value_type = Vec<Name>, required = true, nullable = false, max_items = 1000)]
    pub capabilities: Option<&'a RawValue>,
}

/// Its answer.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Registered)]
pub struct RegisterResponse {
    /// What the runner sends as `X-Runner-ID` from now on.
    pub runner_id: String,
    /// For people.
    pub message: String,
}

/// Answer of `GET /api/runner/verify`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Verified)]
pub struct VerifyResponse {
    /// Whether it is registered.
    pub exists: bool,
    /// What it called itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub runner_name: Option<String>,
    /// For people.
    pub message: String,
}

/// Answer of `GET /api/runner/jobs/available`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Available)]
pub struct AvailableJobs {
    /// Jobs that may be claimed, the oldest first, at most 50.
    pub jobs: Vec<AvailableJob>,
}

/// A job that may be claimed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AvailableJob {
    /// Its name.
    pub job_id: String,
    /// What kind of work it is.
    pub job_type: String,
    /// As the caller wrote them.
    #[schema(value_type = Structured)]
    pub input_params: Box<RawValue>,
    /// When it was submitted.
    pub created_at: u64,
}

/// Answer of `POST /api/runner/jobs/{id}/claim`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Claimed)]
pub struct ClaimResponse {
    /// Whether it is this runner's now.
    pub success: bool,
    /// For people.
    pub message: String,
    /// The job, when it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub job: Option<ClaimedJob>,
}

/// A job to execute.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ClaimedJob {
    /// Its name.
    pub job_id: String,
    /// What kind of work it is.
    pub job_type: String,
    /// As the caller wrote them.
    #[schema(value_type = Structured)]
    pub input_params: Box<RawValue>,
}

/// Answer of `GET /api/runner/jobs/next`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Next)]
pub struct NextResponse {
    /// The job, already this runner's.
    pub job: NextJob,
}

/// A job to execute, with the right to do so.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct NextJob {
    /// Its name.
    pub job_id: String,
    /// What kind of work it is.
    pub job_type: String,
    /// As the caller wrote them.
    #[schema(value_type = Structured)]
    pub input_params: Box<RawValue>,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// Sent along with every word about the job.
    pub lease: u64,
    /// After so many milliseconds without a heartbeat the job is given to another.
    pub lease_ms: u64,
}

/// Body of `POST /api/runner/jobs/{id}/start`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(example = json!({ "lease": 1 }))]
pub struct Start<'a> {
    /// The right to execute.
    #[serde(borrow)]
    #[schema(value_type = u64, required = true, nullable = false, minimum = 1,
        maximum = 9_007_199_254_740_991_u64)]
    pub lease: Option<&'a RawValue>,
}

/// Body of `POST /api/runner/jobs/{id}/heartbeat`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(example = json!({ "progress_current": 1, "progress_total": 2, "console_output": "half" }))]
pub struct Heartbeat<'a> {
    /// Steps done; comes together with the total.
    #[serde(borrow)]
    #[schema(value_type = Option<u64>, maximum = 9_007_199_254_740_991_u64)]
    pub progress_current: Option<&'a RawValue>,
    /// Steps in all.
    #[serde(borrow)]
    #[schema(value_type = Option<u64>, maximum = 9_007_199_254_740_991_u64)]
    pub progress_total: Option<&'a RawValue>,
    /// All that the job's command wrote so far; at most 1 MiB.
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    pub console_output: Option<&'a RawValue>,
    /// Ours: what it wrote since the last heartbeat, in place of all of it.
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    pub console_append: Option<&'a RawValue>,
    /// Ours: the right to execute; native runners always send it.
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
    /// All that the job's command wrote; at most 1 MiB.
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    pub console_output: Option<&'a RawValue>,
    /// Ours: what it wrote since the last heartbeat, in place of all of it.
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    pub console_append: Option<&'a RawValue>,
    /// Ours: the right to execute; native runners always send it.
    #[serde(borrow)]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    pub lease: Option<&'a RawValue>,
}

/// Body of `POST /api/runner/jobs/{id}/error`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(example = json!({ "error_message": "no memory", "console_output": "" }))]
pub struct Fail<'a> {
    /// Why there is no result; at most 10 KiB.
    #[serde(borrow)]
    #[schema(value_type = String, required = true, nullable = false)]
    pub error_message: Option<&'a RawValue>,
    /// All that the job's command wrote; at most 1 MiB.
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    pub console_output: Option<&'a RawValue>,
    /// Ours: what it wrote since the last heartbeat, in place of all of it.
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    pub console_append: Option<&'a RawValue>,
    /// Ours: the right to execute; native runners always send it.
    #[serde(borrow)]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    pub lease: Option<&'a RawValue>,
}

/// Answer to a word about a job: start, heartbeat, complete, error.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobReportResponse {
    /// Whether it was taken.
    pub success: bool,
    /// For people.
    pub message: String,
    /// Ours: true when nobody wants the job any more, and the runner need not go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub cancelled: Option<bool>,
}
