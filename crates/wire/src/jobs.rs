//! What callers of jobs say and hear: `/api/jobs`. Times are epoch milliseconds. Fields of requests stay JSON here, so
//! that whoever reads them can name the one that is wrong; unknown ones are left out.

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
    /// What kind of work it is.
    #[serde(borrow)]
    #[schema(value_type = String, required = true, nullable = false, min_length = 1, max_length = 256,
        pattern = r"^[^\x00]*[^\s\x00][^\x00]*$")]
    pub job_type: Option<&'a RawValue>,
    /// At most 100 KiB. The order of keys and the spelling of numbers do not matter.
    #[serde(borrow)]
    #[schema(value_type = Structured, required = true, nullable = false)]
    pub input_params: Option<&'a RawValue>,
    /// Ours: a part of what makes two jobs the same.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 256, pattern = r"^[^\x00]*[^\s\x00][^\x00]*$")]
    pub code_version: Option<&'a RawValue>,
}

/// Body of `POST /api/jobs/submit`. All but the first two fields are ours.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(example = json!({ "job_type": "hello_world", "input_params": { "name": "World", "processing_time": 1 } }))]
pub struct Submit<'a> {
    /// What kind of work it is.
    #[serde(borrow)]
    #[schema(value_type = String, required = true, nullable = false, min_length = 1, max_length = 256,
        pattern = r"^[^\x00]*[^\s\x00][^\x00]*$")]
    pub job_type: Option<&'a RawValue>,
    /// At most 100 KiB. The order of keys and the spelling of numbers do not matter.
    #[serde(borrow)]
    #[schema(value_type = Structured, required = true, nullable = false)]
    pub input_params: Option<&'a RawValue>,
    /// A part of what makes two jobs the same.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 256, pattern = r"^[^\x00]*[^\s\x00][^\x00]*$")]
    pub code_version: Option<&'a RawValue>,
    /// Compute it again, whatever is known; the new result replaces the known one.
    #[serde(borrow)]
    #[schema(value_type = Option<bool>)]
    pub fresh: Option<&'a RawValue>,
    /// Higher ones go first; 0 when missing.
    #[serde(borrow)]
    #[schema(value_type = Option<i32>, minimum = -2_147_483_648_i64, maximum = 2_147_483_647_i64)]
    pub priority: Option<&'a RawValue>,
    /// Not before this time.
    #[serde(borrow)]
    #[schema(value_type = Option<u64>, maximum = 9_007_199_254_740_991_u64)]
    pub run_at: Option<&'a RawValue>,
    /// Tries before a failure is final; 1 when missing.
    #[serde(borrow)]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 100)]
    pub max_attempts: Option<&'a RawValue>,
    /// The pause after the first failed try; each further one doubles it. 0 when missing.
    #[serde(borrow)]
    #[schema(value_type = Option<u64>, maximum = 86_400_000_u64)]
    pub retry_backoff_ms: Option<&'a RawValue>,
    /// How long the result stays valid; for ever when missing.
    #[serde(borrow)]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 315_360_000_000_u64)]
    pub ttl_ms: Option<&'a RawValue>,
}

/// JSON that is an object or an array, as somebody wrote it: parameters and results.
#[derive(Debug, Clone, Copy)]
pub struct Structured;

impl ToSchema for Structured {}

impl PartialSchema for Structured {
    fn schema() -> RefOr<Schema> {
        let either = SchemaType::from_iter([Type::Object, Type::Array]);
        let tells = "An object or an array, passed on byte for byte.";
        ObjectBuilder::new().schema_type(either).description(Some(tells)).into()
    }
}

/// A name in a list: at most 256 bytes.
#[derive(Debug, Clone, Copy)]
pub struct Name;

impl ToSchema for Name {}

impl PartialSchema for Name {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(256));
        text.pattern(Some(r"^[^\x00]*[^\s\x00][^\x00]*$")).into()
    }
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It waits for a runner.
    Pending,
    /// A runner has it.
    Claimed,
    /// A runner has it and was heard of.
    InProgress,
    /// It has a result.
    Completed,
    /// It failed.
    Failed,
    /// It had a result, which is not valid any more.
    Expired,
}

/// What a job ended with.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct JobResult {
    /// As its runner wrote it.
    #[schema(value_type = Structured)]
    pub output_data: Box<RawValue>,
    /// What its command wrote.
    pub console_output: String,
}

/// How far a runner is, in its own numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// Steps done.
    pub current: u64,
    /// Steps in all.
    pub total: u64,
}

/// Answer of `POST /api/jobs/check`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Checked)]
pub struct CheckResponse {
    /// Whether such a job is known.
    pub exists: bool,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub job_id: Option<String>,
    /// Where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub status: Option<Status>,
    /// What that means, for people.
    pub message: String,
    /// Of a completed one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub result: Option<JobResult>,
    /// Of a failed one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<String>,
}

/// Answer of `POST /api/jobs/submit`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Submitted)]
pub struct SubmitResponse {
    /// The job's name.
    pub job_id: String,
    /// Where it stands.
    pub status: Status,
    /// What that means, for people.
    pub message: String,
    /// Of a completed one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub result: Option<JobResult>,
    /// Of a failed one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<String>,
}

/// Answer of `GET /api/jobs/{id}`, and event `status` of `GET /api/jobs/{id}/events`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Its name.
    pub job_id: String,
    /// Where it stands.
    pub status: Status,
    /// What kind of work it is.
    pub job_type: String,
    /// When it was submitted.
    pub created_at: u64,
    /// When something of it last changed.
    pub updated_at: u64,
    /// Of one that is executed, when its runner said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub progress: Option<Progress>,
    /// Of a completed one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub result: Option<JobResult>,
    /// Of a failed one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<String>,
}

/// Event `console` of `GET /api/jobs/{id}/events`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Console<'a> {
    /// Whether this stands in place of all that was told before; otherwise it comes after it.
    pub is_whole: bool,
    /// What the job's command wrote.
    pub text: Cow<'a, str>,
}

/// Answer of `POST /api/jobs/{id}/cancel`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Cancelled)]
pub struct CancelResponse {
    /// Whether it was taken: a job that has ended cannot be cancelled.
    pub success: bool,
    /// Where the job stands now.
    pub status: Status,
    /// What that means, for people: others may still want it.
    pub message: String,
}

/// One event of `GET /api/jobs/{id}/events`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// `status`, `progress` or `console`.
    pub event: String,
    /// JSON: the job, its progress, or what its command wrote since.
    pub data: String,
}
