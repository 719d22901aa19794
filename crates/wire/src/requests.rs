//! Requests of `/api/jobs` and `/api/runner` as our own clients write them: typed, where the service's twins in
//! [`crate::jobs`] and [`crate::runner`] keep JSON to name the field that is wrong. Times are epoch milliseconds.

use serde::Serialize;
use serde_json::value::RawValue;

/// Body of `POST /api/jobs/submit`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct SubmitRequest<'a> {
    /// What kind of work it is.
    pub job_type: &'a str,
    /// An object or an array, passed on byte for byte.
    pub input_params: &'a RawValue,
    /// What else the caller wishes.
    #[serde(flatten)]
    pub options: SubmitOptions<'a>,
}

/// What a caller may wish for besides; the default wishes for nothing.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct SubmitOptions<'a> {
    /// A part of what makes two jobs the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_version: Option<&'a str>,
    /// Compute it again, whatever is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fresh: Option<bool>,
    /// Higher ones go first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// Not before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_at: Option<u64>,
    /// Tries before a failure is final.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// The pause after the first failed try.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_backoff_ms: Option<u64>,
    /// How long the result stays valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
}

/// Body of `POST /api/jobs/check`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct CheckRequest<'a> {
    /// What kind of work it is.
    pub job_type: &'a str,
    /// An object or an array.
    pub input_params: &'a RawValue,
    /// A part of what makes two jobs the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_version: Option<&'a str>,
}

/// Body of `POST /api/admin/jobs/batch-delete`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct BatchDeleteRequest<'a> {
    /// Names of jobs.
    pub job_ids: &'a [&'a str],
}

/// Body of `POST /api/runner/register`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct RegisterRequest<'a> {
    /// What the runner calls itself.
    pub name: &'a str,
    /// The types of jobs that it can do.
    pub capabilities: &'a [String],
}

/// What a runner says of a job that it was given: body of `start`, `heartbeat`, `complete` and `error`. The default says
/// nothing but the lease.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct JobReport<'a> {
    /// The right to execute.
    pub lease: u64,
    /// Steps done; comes together with the total.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress_current: Option<u64>,
    /// Steps in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress_total: Option<u64>,
    /// All that the job's command wrote so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub console_output: Option<&'a str>,
    /// What it wrote since the last heartbeat, in place of all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub console_append: Option<&'a str>,
    /// The result, with `complete`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_data: Option<&'a RawValue>,
    /// Why there is no result, with `error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_are_not_set_are_not_written() {
        let input = serde_json::from_str("{ \"a\": 1.0 }").unwrap();
        let mut submission =
            SubmitRequest { job_type: "t", input_params: input, options: SubmitOptions::default() };
        let json = |submission: &SubmitRequest<'_>| serde_json::to_string(submission).unwrap();
        assert_eq!(json(&submission), r#"{"job_type":"t","input_params":{ "a": 1.0 }}"#);
        submission.options.priority = Some(-1);
        assert_eq!(json(&submission), r#"{"job_type":"t","input_params":{ "a": 1.0 },"priority":-1}"#);
    }

    #[test]
    fn a_report_has_its_lease_and_what_is_set() {
        let report = JobReport { lease: 7, console_append: Some("a\n"), ..JobReport::default() };
        assert_eq!(serde_json::to_string(&report).unwrap(), r#"{"lease":7,"console_append":"a\n"}"#);
    }
}
