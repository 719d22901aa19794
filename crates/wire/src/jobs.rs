//! Requests and responses of the callers' API, `/api/jobs`. Times are epoch milliseconds. The fields of requests stay
//! raw JSON here, so that the code that parses them can name an invalid field. Unknown fields are ignored.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType};
use utoipa::openapi::{RefOr, Type};
use utoipa::{PartialSchema, ToSchema};

/// Body of `POST /api/jobs/check`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(example = json!({ "job_type": "hello_world", "input_params": { "name": "World", "processing_time": 1 } }))]
pub struct Check<'a> {
    /// The type of the job.
    #[serde(borrow)]
    #[schema(value_type = String, required = true, nullable = false, min_length = 1, max_length = 256,
        pattern = r"^[^\x00]*[^\s\x00][^\x00]*$")]
    pub job_type: Option<&'a RawValue>,
    /// At most 100 KiB. The order of keys and the spelling of numbers do not matter.
    #[serde(borrow)]
    #[schema(value_type = Structured, required = true, nullable = false)]
    pub input_params: Option<&'a RawValue>,
    /// Ours: the version of the job's code. Jobs with different versions are never equal.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 256, pattern = r"^[^\x00]*[^\s\x00][^\x00]*$")]
    pub code_version: Option<&'a RawValue>,
}

/// Body of `POST /api/jobs/submit`. All fields except the first two are ours.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(example = json!({ "job_type": "hello_world", "input_params": { "name": "World", "processing_time": 1 } }))]
pub struct Submit<'a> {
    /// The type of the job.
    #[serde(borrow)]
    #[schema(value_type = String, required = true, nullable = false, min_length = 1, max_length = 256,
        pattern = r"^[^\x00]*[^\s\x00][^\x00]*$")]
    pub job_type: Option<&'a RawValue>,
    /// At most 100 KiB. The order of keys and the spelling of numbers do not matter.
    #[serde(borrow)]
    #[schema(value_type = Structured, required = true, nullable = false)]
    pub input_params: Option<&'a RawValue>,
    /// The version of the job's code. Jobs with different versions are never equal.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 256, pattern = r"^[^\x00]*[^\s\x00][^\x00]*$")]
    pub code_version: Option<&'a RawValue>,
    /// Whether to execute the job again in any case; the new result replaces the existing one.
    #[serde(borrow)]
    #[schema(value_type = Option<bool>)]
    pub fresh: Option<&'a RawValue>,
    /// Jobs with a higher priority are executed first; 0 when missing.
    #[serde(borrow)]
    #[schema(value_type = Option<i32>, minimum = -2_147_483_648_i64, maximum = 2_147_483_647_i64)]
    pub priority: Option<&'a RawValue>,
    /// The job is not executed before this time.
    #[serde(borrow)]
    #[schema(value_type = Option<u64>, maximum = 9_007_199_254_740_991_u64)]
    pub run_at: Option<&'a RawValue>,
    /// Number of attempts until a failure is final; 1 when missing.
    #[serde(borrow)]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 100)]
    pub max_attempts: Option<&'a RawValue>,
    /// The backoff after the first failed attempt; it doubles after each further one. 0 when missing.
    #[serde(borrow)]
    #[schema(value_type = Option<u64>, maximum = 86_400_000_u64)]
    pub retry_backoff_ms: Option<&'a RawValue>,
    /// How long the result stays valid; without limit when missing.
    #[serde(borrow)]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 315_360_000_000_u64)]
    pub ttl_ms: Option<&'a RawValue>,
}

/// JSON that is an object or an array, as it was sent: parameters and results.
#[derive(Debug, Clone, Copy)]
pub struct Structured;

impl ToSchema for Structured {}

impl PartialSchema for Structured {
    fn schema() -> RefOr<Schema> {
        let either = SchemaType::from_iter([Type::Object, Type::Array]);
        let description = "An object or an array, passed on byte for byte.";
        ObjectBuilder::new().schema_type(either).description(Some(description)).into()
    }
}

/// A name in a list, at most 256 bytes long.
#[derive(Debug, Clone, Copy)]
pub struct Name;

impl ToSchema for Name {}

impl PartialSchema for Name {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(256));
        text.pattern(Some(r"^[^\x00]*[^\s\x00][^\x00]*$")).into()
    }
}

/// The status of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The job waits for a runner.
    Pending,
    /// A runner has the job.
    Claimed,
    /// A runner has the job and has sent a heartbeat.
    InProgress,
    /// The job has a result.
    Completed,
    /// The job failed.
    Failed,
    /// The job had a result, which is no longer valid.
    Expired,
}

/// The result of a completed job.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct JobResult {
    /// The result as the runner sent it.
    #[schema(value_type = Structured)]
    pub output_data: Box<RawValue>,
    /// The console output of the job's command.
    pub console_output: String,
}

/// The progress of a job, in the runner's own numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// Number of completed steps.
    pub current: u64,
    /// Number of all steps.
    pub total: u64,
}

/// Response of `POST /api/jobs/check`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Checked)]
pub struct CheckResponse {
    /// Whether an equal job exists.
    pub exists: bool,
    /// The job's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub job_id: Option<String>,
    /// The job's status.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub status: Option<Status>,
    /// A description of the status for users.
    pub message: String,
    /// The result, when the job completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub result: Option<JobResult>,
    /// The error message, when the job failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<String>,
}

/// Response of `POST /api/jobs/submit`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Submitted)]
pub struct SubmitResponse {
    /// The job's id.
    pub job_id: String,
    /// The job's status.
    pub status: Status,
    /// A description of the status for users.
    pub message: String,
    /// The result, when the job completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub result: Option<JobResult>,
    /// The error message, when the job failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<String>,
}

/// Response of `GET /api/jobs/{id}`, and event `status` of `GET /api/jobs/{id}/events`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// The job's id.
    pub job_id: String,
    /// The job's status.
    pub status: Status,
    /// The type of the job.
    pub job_type: String,
    /// When it was submitted.
    pub created_at: u64,
    /// When the job last changed.
    pub updated_at: u64,
    /// The progress, while the job is executed and when its runner reported one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub progress: Option<Progress>,
    /// The result, when the job completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub result: Option<JobResult>,
    /// The error message, when the job failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<String>,
}

/// Event `console` of `GET /api/jobs/{id}/events`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Console<'a> {
    /// Whether `text` replaces all earlier console text; otherwise it is appended to it.
    pub is_whole: bool,
    /// Console output of the job's command.
    pub text: Cow<'a, str>,
}

/// Response of `POST /api/jobs/{id}/cancel`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Cancelled)]
pub struct CancelResponse {
    /// Whether the request was accepted; a job that has ended cannot be cancelled.
    pub success: bool,
    /// The job's status after the request.
    pub status: Status,
    /// A description for users: other callers may still wait for the job.
    pub message: String,
}

/// One event of `GET /api/jobs/{id}/events`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// `status`, `progress` or `console`.
    pub event: String,
    /// JSON: the job, its progress, or new console text.
    pub data: String,
}
