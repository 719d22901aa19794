//! `/api/admin`: the API for operators, to list, read, recompute and delete jobs, and to list runners
//! (`docs/protocols/jobs.md`).

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use hyper::StatusCode;
use pilotlight_core::ids::RunnerId;
use pilotlight_core::job::{CacheMode, Job, JobId, State as JobState, Status};
use pilotlight_core::limits::{DEFAULT_LIST_LIMIT, MAX_LIST_LIMIT, MAX_RUNNER_JOBS, RUNNER_ACTIVE_WINDOW};
use pilotlight_core::time::{Timestamp, millis};
use pilotlight_store::{Counts, Error, JobFilter, JobRecord, NewJob, Runner};
use pilotlight_wire::jobs;
use pilotlight_wire::jobs_admin::{
    self as wire, AdminStats, BatchDelete, BatchDeleteResponse, DeleteResponse, JobCounts, JobDetails,
    JobRow, RunnerCounts, RunnerDetails,
};
use pilotlight_wire::warm_start::ErrorBody;

use crate::http::error::{ApiError, Reply};
use crate::http::fields::Field;
use crate::http::headers;
use crate::http::json_body::JsonBody;
use crate::jobs::JobService;
use crate::jobs::http::callers::{job_not_found, submit_result};
use crate::jobs::http::extract::{JobIdPath, QueryPairs};
use crate::jobs::http::{JobsState, response};

/// `GET /api/admin/jobs`: lists jobs, the newest first.
#[utoipa::path(get, path = "/api/admin/jobs", tag = "admin",
    params(
        ("status" = Option<pilotlight_wire::jobs::Status>, Query, description = "Only jobs with this status."),
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 1000, description = "Maximum number of jobs; 100 when missing.")),
    responses((status = OK, description = "Jobs, the newest first.", body = wire::JobList)))]
pub(crate) async fn list(State(state): State<Arc<JobsState>>, query: QueryPairs) -> Result<Reply, ApiError> {
    let (filter, now) = (job_filter(&query)?, state.jobs.now());
    let (jobs, total) = state.jobs.reads().jobs(filter, now).await?;
    let jobs = jobs.iter().map(|job| row(job, now)).collect();
    Ok(Reply::json(StatusCode::OK, &wire::JobList { jobs, total }))
}

fn job_filter(query: &QueryPairs) -> Result<JobFilter, ApiError> {
    let status = query.one("status")?.map(|text| {
        let status = Status::ALL.into_iter().find(|status| status.as_str() == text);
        status.ok_or_else(|| {
            let known = Status::ALL.map(Status::as_str).join(", ");
            headers::invalid("status", format_args!("is not one of {known}"))
        })
    });
    let limit = query.one("limit")?.map_or(Ok(DEFAULT_LIST_LIMIT), |text| {
        let limit = text.parse().ok().filter(|limit| (1..=MAX_LIST_LIMIT).contains(limit));
        let why = format_args!("is not a whole number from 1 to {MAX_LIST_LIMIT}");
        limit.ok_or_else(|| headers::invalid("limit", why))
    });
    Ok(JobFilter { status: status.transpose()?, limit: limit? })
}

/// `GET /api/admin/jobs/{id}`: returns every field of the job.
#[utoipa::path(get, path = "/api/admin/jobs/{id}", tag = "admin", params(("id" = String, Path, format = "uuid", description = "The job's id.")),
    responses(
        (status = OK, description = "Every field of the job.", body = JobDetails),
        (status = NOT_FOUND, description = "There is no such job.", body = ErrorBody)))]
pub(crate) async fn job(
    State(state): State<Arc<JobsState>>,
    JobIdPath(id): JobIdPath,
) -> Result<Reply, ApiError> {
    let id = id.ok_or_else(job_not_found)?;
    let store = state.jobs.reads();
    let record = store.job(id).await?.ok_or_else(job_not_found)?;
    let input = store.input(id).await?.ok_or_else(job_not_found)?;
    Ok(Reply::json(StatusCode::OK, &details(record, input, state.jobs.now())?))
}

fn details(record: JobRecord, input: String, now: Timestamp) -> Result<JobDetails, ApiError> {
    let (error_message, JobRecord { job, output: end }) = (response::error(&record), record);
    let end = end.unwrap_or_default();
    Ok(JobDetails {
        row: row(&job, now),
        input_params: response::json(input)?,
        claimed_at: job.assignment().map(|assignment| assignment.since.as_millis()),
        last_heartbeat: last_heartbeat_at(&job).map(Timestamp::as_millis),
        progress: response::progress(&job),
        console_output: end.console,
        output_data: end.result.map(response::json).transpose()?,
        error_message,
        ended_at: job.ended_at().map(Timestamp::as_millis),
        took_ms: job.execution_time().map(millis),
        valid_until: valid_until(&job).map(Timestamp::as_millis),
        ready_at: (job.state == JobState::Pending).then_some(job.ready_at.as_millis()),
        priority: job.options.priority,
        run_at: job.options.run_at.as_millis(),
        attempts: job.attempts,
        max_attempts: job.options.max_attempts,
        losses: job.lost_attempts,
        callers: job.callers,
    })
}

fn row(job: &Job, now: Timestamp) -> JobRow {
    JobRow {
        job_id: job.id.to_string(),
        job_type: job.job_type.to_string(),
        status: response::status(job.status(now)),
        created_at: job.created_at.as_millis(),
        updated_at: job.updated_at.as_millis(),
        claimed_by: job.assignment().map(|assignment| assignment.runner.to_string()),
    }
}

const fn last_heartbeat_at(job: &Job) -> Option<Timestamp> {
    match &job.state {
        JobState::Running(running) if running.has_heartbeat => Some(running.last_seen_at),
        JobState::Running(_)
        | JobState::Pending
        | JobState::Dispatching { .. }
        | JobState::Completed { .. }
        | JobState::Failed { .. } => None,
    }
}

const fn valid_until(job: &Job) -> Option<Timestamp> {
    match &job.state {
        JobState::Completed { until, .. } => *until,
        JobState::Pending | JobState::Dispatching { .. } | JobState::Running(_) | JobState::Failed { .. } => {
            None
        }
    }
}

/// `POST /api/admin/jobs/{id}/again`: computes the job again with the same parameters, even when its result is known.
#[utoipa::path(post, path = "/api/admin/jobs/{id}/again", tag = "admin", params(("id" = String, Path, format = "uuid", description = "The job's id.")),
    responses(
        (status = CREATED, description = "Ours: a new job with the same parameters, code version and options, whose \
            result replaces the known one.", body = jobs::SubmitResponse),
        (status = NOT_FOUND, description = "There is no such job.", body = ErrorBody)))]
pub(crate) async fn again(
    State(state): State<Arc<JobsState>>,
    JobIdPath(id): JobIdPath,
) -> Result<Reply, ApiError> {
    let (id, jobs) = (id.ok_or_else(job_not_found)?, &state.jobs);
    let JobRecord { job, .. } = jobs.reads().job(id).await?.ok_or_else(job_not_found)?;
    let input = jobs.reads().input(id).await?.ok_or_else(job_not_found)?;
    let options = job.options.from_now(jobs.now());
    let (job_type, key, cache_mode) = (job.job_type, job.key, CacheMode::Recompute);
    let new = NewJob { id: jobs.new_id(), job_type, key, input, options, cache_mode, idempotency_key: None };
    let (status, record) = submit_result(jobs.submit(new).await?)?;
    Ok(Reply::json(status, &response::submitted(record, jobs.now())?))
}

/// `DELETE /api/admin/jobs/{id}`: deletes the job, whatever its status is.
#[utoipa::path(delete, path = "/api/admin/jobs/{id}", tag = "admin", params(("id" = String, Path, format = "uuid", description = "The job's id.")),
    responses(
        (status = OK, description = "The job is deleted.", body = DeleteResponse),
        (status = NOT_FOUND, description = "There is no such job.", body = ErrorBody)))]
pub(crate) async fn delete(
    State(state): State<Arc<JobsState>>,
    JobIdPath(id): JobIdPath,
) -> Result<Reply, ApiError> {
    let id = id.ok_or_else(job_not_found)?;
    if state.jobs.delete(&[id]).await?.is_empty() {
        return Err(job_not_found());
    }
    Ok(Reply::json(
        StatusCode::OK,
        &DeleteResponse { success: true, message: "the job is deleted".to_owned() },
    ))
}

/// `POST /api/admin/jobs/batch-delete`: deletes several jobs.
#[utoipa::path(post, path = "/api/admin/jobs/batch-delete", tag = "admin", request_body = BatchDelete,
    responses((status = OK, description = "The jobs that existed are deleted; `failed` lists the others.", body = BatchDeleteResponse)))]
pub(crate) async fn batch_delete(
    State(state): State<Arc<JobsState>>,
    request: Request,
) -> Result<Reply, ApiError> {
    let json_body = JsonBody::read(&state.edge, request).await?;
    let texts = ids(&json_body.fields()?)?;
    drop(json_body);
    let parsed = |text: &String| text.parse::<JobId>().ok();
    let ids: Vec<JobId> = texts.iter().filter_map(parsed).collect();
    let deleted = if ids.is_empty() { Vec::new() } else { state.jobs.delete(&ids).await? };
    let is_not_deleted = |text: &String| parsed(text).is_none_or(|id| !deleted.contains(&id));
    let failed: Vec<String> = texts.into_iter().filter(is_not_deleted).collect();
    let message = format!("{} deleted, {} not found", deleted.len(), failed.len());
    let answer = BatchDeleteResponse { success: failed.is_empty(), deleted: deleted.len(), failed, message };
    Ok(Reply::json(StatusCode::OK, &answer))
}

fn ids(request: &BatchDelete<'_>) -> Result<Vec<String>, ApiError> {
    let field = Field::new("job_ids", request.job_ids);
    let texts = field.names(MAX_LIST_LIMIT)?.ok_or_else(|| field.missing())?;
    if texts.is_empty() { Err(field.invalid("is empty")) } else { Ok(texts) }
}

/// `GET /api/admin/runners`: lists runners, the last seen first.
#[utoipa::path(get, path = "/api/admin/runners", tag = "admin",
    responses((status = OK, description = "Runners, the last seen first.", body = wire::RunnerList)))]
pub(crate) async fn runners(State(state): State<Arc<JobsState>>) -> Result<Reply, ApiError> {
    let (runners, total) = state.jobs.reads().runners(MAX_LIST_LIMIT).await?;
    let now = state.jobs.now();
    let runners = runners.into_iter().map(|runner| runner_row(runner, now)).collect();
    Ok(Reply::json(StatusCode::OK, &wire::RunnerList { runners, total }))
}

/// `GET /api/admin/runners/{id}`: returns the runner and its last jobs.
#[utoipa::path(get, path = "/api/admin/runners/{id}", tag = "admin",
    params(("id" = String, Path, description = "The runner's id.")),
    responses(
        (status = OK, description = "The runner and its last jobs.", body = RunnerDetails),
        (status = NOT_FOUND, description = "There is no such runner.", body = ErrorBody)))]
pub(crate) async fn runner(
    State(state): State<Arc<JobsState>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Reply, ApiError> {
    let id = id.ok().and_then(|Path(id)| RunnerId::parse(&id).ok()).ok_or_else(no_runner)?;
    let (store, now) = (state.jobs.reads(), state.jobs.now());
    let runner = store.runner(&id).await?.ok_or_else(no_runner)?;
    let jobs = store.jobs_of_runner(&id, MAX_RUNNER_JOBS).await?;
    let details = RunnerDetails {
        registered_at: runner.registered_at.as_millis(),
        runner: runner_row(runner, now),
        jobs: jobs.iter().map(|job| row(job, now)).collect(),
    };
    Ok(Reply::json(StatusCode::OK, &details))
}

fn no_runner() -> ApiError {
    ApiError::not_found("no runner is registered with this id")
}

fn runner_row(runner: Runner, now: Timestamp) -> wire::RunnerRow {
    wire::RunnerRow {
        runner_id: runner.id.to_string(),
        name: runner.name,
        capabilities: runner.capabilities,
        last_seen: runner.seen_at.as_millis(),
        is_active: runner.seen_at > now.before(RUNNER_ACTIVE_WINDOW),
    }
}

/// `GET /api/admin/stats`: counts jobs by status, and runners.
#[utoipa::path(get, path = "/api/admin/stats", tag = "admin",
    responses((status = OK, description = "The number of jobs by status, and of runners.", body = AdminStats)))]
pub(crate) async fn stats(State(state): State<Arc<JobsState>>) -> Result<Reply, ApiError> {
    Ok(Reply::json(StatusCode::OK, &count(&state.jobs).await?))
}

/// Counts jobs by status, and runners.
///
/// # Errors
/// When the store cannot be read.
pub(crate) async fn count(jobs: &JobService) -> Result<AdminStats, Error> {
    let now = jobs.now();
    Ok(stats_from_counts(jobs.reads().counts(now.before(RUNNER_ACTIVE_WINDOW), now).await?))
}

/// Converts the store's counts, whose jobs are in the order of [`Status::ALL`].
fn stats_from_counts(counts: Counts) -> AdminStats {
    let [pending, claimed, in_progress, completed, failed, expired] = counts.jobs;
    let total = counts.jobs.iter().sum();
    let jobs = JobCounts { pending, claimed, in_progress, completed, failed, expired, total };
    AdminStats { jobs, runners: RunnerCounts { total: counts.runners, active: counts.active_runners } }
}
