//! Builds the responses about a job from its stored record.

use pilotlight_core::job::{Failure, Job, State, Status};
use pilotlight_core::time::Timestamp;
use pilotlight_store::{Error, JobOutput, JobRecord};
use pilotlight_wire::jobs::{self, CheckResponse, JobResult, Progress, SubmitResponse};
use serde_json::value::RawValue;

use crate::http::error::ApiError;

/// The response to a check when no such job is known.
#[must_use]
pub(super) fn unknown_job() -> CheckResponse {
    let message =
        "no such job is known: it was never submitted, or its outcome is no longer stored".to_owned();
    CheckResponse { exists: false, job_id: None, status: None, message, result: None, error: None }
}

/// The response to a check when the job is known.
///
/// # Errors
/// The stored result is not valid JSON.
pub(super) fn checked(record: JobRecord, now: Timestamp) -> Result<CheckResponse, ApiError> {
    let SubmitResponse { job_id, status, message, result, error } = submitted(record, now)?;
    Ok(CheckResponse { exists: true, job_id: Some(job_id), status: Some(status), message, result, error })
}

/// The response to a submission.
///
/// # Errors
/// The stored result is not valid JSON.
pub(super) fn submitted(record: JobRecord, now: Timestamp) -> Result<SubmitResponse, ApiError> {
    let status = record.job.status(now);
    Ok(SubmitResponse {
        job_id: record.job.id.to_string(),
        status: self::status(status),
        message: message(status).to_owned(),
        error: error(&record),
        result: job_result(status, record.output)?,
    })
}

/// The job's status, with its progress, result or error.
///
/// # Errors
/// The stored result is not valid JSON.
pub(super) fn job(record: JobRecord, now: Timestamp) -> Result<jobs::Job, ApiError> {
    let (job, status) = (&record.job, record.job.status(now));
    Ok(jobs::Job {
        job_id: job.id.to_string(),
        status: self::status(status),
        job_type: job.job_type.to_string(),
        created_at: job.created_at.as_millis(),
        updated_at: job.updated_at.as_millis(),
        progress: progress(job),
        error: error(&record),
        result: job_result(status, record.output)?,
    })
}

/// The status as the wire type.
#[must_use]
pub(super) const fn status(status: Status) -> jobs::Status {
    match status {
        Status::Pending => jobs::Status::Pending,
        Status::Claimed => jobs::Status::Claimed,
        Status::InProgress => jobs::Status::InProgress,
        Status::Completed => jobs::Status::Completed,
        Status::Failed => jobs::Status::Failed,
        Status::Expired => jobs::Status::Expired,
    }
}

const fn message(status: Status) -> &'static str {
    match status {
        Status::Pending => "the job waits for a runner",
        Status::Claimed => "a runner has the job",
        Status::InProgress => "a runner executes the job",
        Status::Completed => "the job has its result",
        Status::Failed => "the job failed",
        Status::Expired => "the job's result is no longer valid; the next submission computes it again",
    }
}

/// The progress that the runner reported for a running job.
#[must_use]
pub(super) fn progress(job: &Job) -> Option<Progress> {
    let State::Running(running) = &job.state else { return None };
    running.progress.map(|progress| Progress { current: progress.current, total: progress.total })
}

/// Why the job failed; `None` for a job that did not.
#[must_use]
pub(super) fn error(record: &JobRecord) -> Option<String> {
    let State::Failed { reason, .. } = &record.job.state else { return None };
    let reported = record.output.as_ref().and_then(|end| end.error.clone());
    Some(match reason {
        Failure::Error => reported.unwrap_or_else(|| "the runner gave no reason".to_owned()),
        Failure::Lost => {
            let lost_attempts = record.job.lost_attempts;
            format!(
                "the job was lost: its runners sent no heartbeat ({lost_attempts} times in all); submit it again"
            )
        }
        Failure::Cancelled => "cancelled".to_owned(),
    })
}

/// The result of a completed job, while it is valid.
fn job_result(status: Status, end: Option<JobOutput>) -> Result<Option<JobResult>, ApiError> {
    let (Status::Completed, Some(JobOutput { result: Some(output), error: _, console })) = (status, end)
    else {
        return Ok(None);
    };
    Ok(Some(JobResult { output_data: json(output)?, console_output: console }))
}

/// Stored JSON as a raw value.
///
/// # Errors
/// The text is not valid JSON: the store is corrupt.
pub(super) fn json(text: String) -> Result<Box<RawValue>, ApiError> {
    RawValue::from_string(text)
        .map_err(|_| ApiError::from(Error::Corrupt("a stored JSON value is not valid JSON".into())))
}
