//! `/api/jobs`: the API for callers that submit jobs (`docs/protocols/jobs.md`). A submission whose result is known is
//! answered at once; with `wait_ms` the response waits for the end of a job that is under way.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use hyper::StatusCode;
use pilotlight_core::job::{CancelScope, Event, JobId, Transition};
use pilotlight_store::{EventOutcome, JobRecord, RunnerOutput, SubmitOutcome};
use pilotlight_wire::jobs;
use pilotlight_wire::warm_start::ErrorBody;

use crate::http::body::BodyLimit;
use crate::http::error::{ApiError, Reply};
use crate::http::headers;
use crate::http::json_body::JsonBody;
use crate::jobs::http::extract::{JobIdPath, QueryPairs};
use crate::jobs::http::{JobsState, request, response};
use crate::telemetry::job_span::SubmissionTrace;

/// `POST /api/jobs/check`: checks whether such a job is known. Changes nothing.
#[utoipa::path(post, path = "/api/jobs/check", tag = "jobs", request_body = jobs::Check,
    responses((status = OK, description = "Whether the job is known, with its status and result.", body = jobs::CheckResponse)))]
pub(super) async fn check(State(state): State<Arc<JobsState>>, request: Request) -> Result<Reply, ApiError> {
    let json_body = JsonBody::read(&state.edge, request).await?;
    let key = request::key(&json_body, state.content_limits)?;
    drop(json_body);
    let (record, now) = (state.jobs.reads().lookup(key).await?, state.jobs.now());
    let record = record.filter(|record| record.job.is_known(now));
    let checked = record.map(|record| response::checked(record, now)).transpose()?;
    Ok(Reply::json(StatusCode::OK, &checked.unwrap_or_else(response::unknown_job)))
}

/// `POST /api/jobs/submit`: returns the result when it is known, else the job that computes it.
#[utoipa::path(post, path = "/api/jobs/submit", tag = "jobs", request_body = jobs::Submit,
    params(("wait_ms" = Option<u64>, Query, maximum = 600_000, description = "Ours: how long to wait for the job's end, in milliseconds; 0 when missing."),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 256,
            description = "Ours: makes the submission safe to repeat: the same submission with the same key is the same job.")),
    responses(
        (status = CREATED, description = "The submission created a new job.", body = jobs::SubmitResponse),
        (status = OK, description = "The job was already known: its result, its failure, or the equal job under way.", body = jobs::SubmitResponse),
        (status = CONFLICT, description = "The Idempotency-Key was used for a different submission.", body = ErrorBody)))]
pub(super) async fn submit(
    State(state): State<Arc<JobsState>>,
    query: QueryPairs,
    request: Request,
) -> Result<Reply, ApiError> {
    let mut trace = state.jobs.begin_submission(|| headers::trace_parent(request.headers()));
    let reply = submit_traced(&state, query, request, &mut trace).await;
    if reply.is_err() {
        trace.refused();
    }
    reply
}

async fn submit_traced(
    state: &JobsState,
    query: QueryPairs,
    request: Request,
    trace: &mut SubmissionTrace,
) -> Result<Reply, ApiError> {
    let wait = query.wait()?;
    let (parts, body) = request.into_parts();
    let json_body = JsonBody::read_body(&state.edge, BodyLimit::of(&parts.extensions), body).await?;
    let mut new = request::submission(&json_body, &parts.headers, state)?;
    new.id = new.id.with_sampled(trace.is_sampled());
    let submitted = state.jobs.submit(new).await?;
    trace.submitted(&submitted);
    // The body holds a part of the body budget until it is dropped. The store has the job now, and a caller that waits
    // must not hold that part.
    drop((json_body, parts));
    let (status, record) = submit_result(submitted)?;
    let record = wait_for_end(state, record, wait).await?;
    Ok(Reply::json(status, &response::submitted(record, state.jobs.now())?))
}

/// `GET /api/jobs/{id}`: returns the job's status.
#[utoipa::path(get, path = "/api/jobs/{id}", tag = "jobs", params(("id" = String, Path, format = "uuid", description = "The job's id."), ("wait_ms" = Option<u64>, Query, maximum = 600_000, description = "Ours: how long to wait for the job's end, in milliseconds; 0 when missing.")),
    responses(
        (status = OK, description = "The job's status, with its progress, result or error.", body = jobs::Job),
        (status = NOT_FOUND, description = "There is no such job.", body = ErrorBody)))]
pub(super) async fn status(
    State(state): State<Arc<JobsState>>,
    JobIdPath(id): JobIdPath,
    query: QueryPairs,
) -> Result<Reply, ApiError> {
    let (id, wait) = (require_id(id)?, query.wait()?);
    let record = state.jobs.reads().job(id).await?.ok_or_else(job_not_found)?;
    let record = wait_for_end(&state, record, wait).await?;
    Ok(Reply::json(StatusCode::OK, &response::job(record, state.jobs.now())?))
}

/// `POST /api/jobs/{id}/cancel`: takes back one submission of the job. The last one's cancel ends the job.
#[utoipa::path(post, path = "/api/jobs/{id}/cancel", tag = "jobs", params(("id" = String, Path, format = "uuid", description = "The job's id.")),
    responses(
        (status = OK, description = "One submission is taken back; when it was the last one, the job has ended.", body = jobs::CancelResponse),
        (status = CONFLICT, description = "The job has already ended.", body = jobs::CancelResponse),
        (status = NOT_FOUND, description = "There is no such job.", body = ErrorBody)))]
pub(super) async fn cancel(
    State(state): State<Arc<JobsState>>,
    JobIdPath(id): JobIdPath,
) -> Result<Reply, ApiError> {
    let outcome = state
        .jobs
        .apply_event(require_id(id)?, Event::Cancel(CancelScope::OneCaller), RunnerOutput::default())
        .await?;
    let (status, job, message) = match outcome {
        EventOutcome::Applied(applied) if applied.transition == Transition::CallerLeft => (
            StatusCode::OK,
            applied.job,
            "this submission is cancelled; other callers still wait for the job".to_owned(),
        ),
        EventOutcome::Applied(applied) => (StatusCode::OK, applied.job, "the job is cancelled".to_owned()),
        EventOutcome::Rejected(why, job) => (StatusCode::CONFLICT, job, why.to_string()),
        EventOutcome::UnknownJob | EventOutcome::ConsoleFull => return Err(job_not_found()),
    };
    let (success, now) = (status == StatusCode::OK, state.jobs.now());
    let cancelled = jobs::CancelResponse { success, status: response::status(job.status(now)), message };
    Ok(Reply::json(status, &cancelled))
}

/// The HTTP status and the job of a submission.
///
/// # Errors
/// 409 when the idempotency key was used for a different submission, 503 when too many jobs wait.
pub(super) fn submit_result(submitted: SubmitOutcome) -> Result<(StatusCode, JobRecord), ApiError> {
    match submitted {
        SubmitOutcome::New(job) => Ok((StatusCode::CREATED, JobRecord { job, output: None })),
        SubmitOutcome::Existing(record) => Ok((StatusCode::OK, record)),
        SubmitOutcome::Conflict => Err(idempotency_conflict()),
        SubmitOutcome::QueueFull(full) => Err(ApiError::unavailable(full.to_string())),
    }
}

/// Waits until the job has ended, at most `wait`, and returns its record as it is then.
async fn wait_for_end(state: &JobsState, record: JobRecord, wait: Duration) -> Result<JobRecord, ApiError> {
    if wait.is_zero() || record.job.has_ended() {
        return Ok(record);
    }
    let id = record.job.id;
    drop(record);
    state.jobs.wait_ended(id, wait).await?.ok_or_else(job_not_found)
}

fn require_id(id: Option<JobId>) -> Result<JobId, ApiError> {
    id.ok_or_else(job_not_found)
}

/// The 404 for an id that no job has.
#[must_use]
pub(super) fn job_not_found() -> ApiError {
    ApiError::not_found("there is no such job; it may have been deleted, or its retention time is over")
}

fn idempotency_conflict() -> ApiError {
    ApiError::conflict("this Idempotency-Key was used for a different submission; use a new key")
}
