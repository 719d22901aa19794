//! Requests of `/api/jobs` and `/api/runner` as our own clients send them. Their fields are typed; the service parses
//! the same requests into [`crate::jobs`] and [`crate::runner`], where the fields stay raw JSON so that it can name an
//! invalid field. Times are epoch milliseconds.

use serde::Serialize;
use serde_json::value::RawValue;

/// Body of `POST /api/jobs/submit`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct SubmitRequest<'a> {
    /// The type of the job.
    pub job_type: &'a str,
    /// An object or an array, passed on byte for byte.
    pub input_params: &'a RawValue,
    /// Further options.
    #[serde(flatten)]
    pub options: SubmitOptions<'a>,
}

/// Options of a submission. By default none is set.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct SubmitOptions<'a> {
    /// The version of the job's code. Jobs with different versions are never equal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_version: Option<&'a str>,
    /// Whether to execute the job again in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fresh: Option<bool>,
    /// Jobs with a higher priority are executed first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// The job is not executed before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_at: Option<u64>,
    /// Number of attempts until a failure is final.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// The backoff after the first failed attempt, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_backoff_ms: Option<u64>,
    /// How long the result stays valid, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
}

/// Body of `POST /api/jobs/check`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct CheckRequest<'a> {
    /// The type of the job.
    pub job_type: &'a str,
    /// An object or an array.
    pub input_params: &'a RawValue,
    /// The version of the job's code. Jobs with different versions are never equal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_version: Option<&'a str>,
}

/// Body of `POST /api/admin/jobs/batch-delete`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct BatchDeleteRequest<'a> {
    /// The ids of the jobs.
    pub job_ids: &'a [&'a str],
}

/// Body of `POST /api/runner/register`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct RegisterRequest<'a> {
    /// The name that the runner gives itself.
    pub name: &'a str,
    /// The job types that the runner can execute.
    pub capabilities: &'a [String],
}

/// A runner's report about a job that it has: body of `start`, `heartbeat`, `complete` and `error`. By default only the
/// lease is set.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct JobReport<'a> {
    /// The number of the lease, which gives the right to execute the job.
    pub lease: u64,
    /// Number of completed steps; sent together with the total.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress_current: Option<u64>,
    /// Number of all steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress_total: Option<u64>,
    /// The whole console output of the job's command so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub console_output: Option<&'a str>,
    /// The console output since the last heartbeat, instead of the whole output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub console_append: Option<&'a str>,
    /// The result; sent with `complete`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_data: Option<&'a RawValue>,
    /// The error message; sent with `error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_are_not_set_are_not_sent() {
        let input = serde_json::from_str("{ \"a\": 1.0 }").unwrap();
        let mut submission =
            SubmitRequest { job_type: "t", input_params: input, options: SubmitOptions::default() };
        let json = |submission: &SubmitRequest<'_>| serde_json::to_string(submission).unwrap();
        assert_eq!(json(&submission), r#"{"job_type":"t","input_params":{ "a": 1.0 }}"#);
        submission.options.priority = Some(-1);
        assert_eq!(json(&submission), r#"{"job_type":"t","input_params":{ "a": 1.0 },"priority":-1}"#);
    }

    #[test]
    fn a_report_has_its_lease_and_the_fields_that_are_set() {
        let report = JobReport { lease: 7, console_append: Some("a\n"), ..JobReport::default() };
        assert_eq!(serde_json::to_string(&report).unwrap(), r#"{"lease":7,"console_append":"a\n"}"#);
    }
}
