//! `/api/runner`: the API for runners that execute jobs (`docs/protocols/jobs.md`). Every call except the registration
//! names its runner in `X-Runner-ID` and records that the runner was seen.

use std::sync::Arc;

use axum::extract::{Request, State};
use hyper::StatusCode;
use pilotlight_core::ids::JobType;
use pilotlight_core::job::{Event, Fingerprint};
use pilotlight_core::limits::{MAX_AVAILABLE_JOBS, MAX_RUNNER_TYPES};
use pilotlight_store::{EventOutcome, LeasedJob, RunnerOutput};
use pilotlight_wire::runner::{
    self, AvailableJob, AvailableJobs, ClaimResponse, ClaimedJob, RegisterResponse, VerifyResponse,
};

use crate::http::error::{ApiError, Reply};
use crate::http::fields::Field;
use crate::http::headers;
use crate::http::json_body::JsonBody;
use crate::jobs::http::extract::{CallingRunner, JobIdPath, QueryPairs, RunnerIdHeader};
use crate::jobs::http::runner_event::{self, LeasePresence, RunnerEvent};
use crate::jobs::http::{JobsState, response};

/// `POST /api/runner/register`: registers a new runner.
#[utoipa::path(post, path = "/api/runner/register", tag = "runner", request_body = runner::Register,
    responses((status = CREATED, description = "The id of the new runner.", body = RegisterResponse)))]
pub(super) async fn register(
    State(state): State<Arc<JobsState>>,
    request: Request,
) -> Result<Reply, ApiError> {
    let json_body = JsonBody::read(&state.edge, request).await?;
    let (name, capabilities) = registration(&json_body.fields()?)?;
    let runner = state.jobs.register(name, capabilities).await?;
    let message = "send this id as X-Runner-ID with every call".to_owned();
    Ok(Reply::json(StatusCode::CREATED, &RegisterResponse { runner_id: runner.id.to_string(), message }))
}

fn registration(register: &runner::Register<'_>) -> Result<(String, Vec<String>), ApiError> {
    let name = Field::new("name", register.name);
    let capabilities = Field::new("capabilities", register.capabilities);
    let types = capabilities.names(MAX_RUNNER_TYPES)?.ok_or_else(|| capabilities.missing())?;
    Ok((name.name()?.ok_or_else(|| name.missing())?, types))
}

/// `GET /api/runner/verify`: checks whether the runner is registered.
#[utoipa::path(get, path = "/api/runner/verify", tag = "runner", params(RunnerIdHeader),
    responses(
        (status = OK, description = "The runner is registered.", body = VerifyResponse),
        (status = NOT_FOUND, description = "The runner is not registered.", body = VerifyResponse)))]
pub(super) async fn verify(
    State(state): State<Arc<JobsState>>,
    CallingRunner(runner): CallingRunner,
) -> Result<Reply, ApiError> {
    let runner = state.jobs.reads().runner(&runner).await?;
    let verified = |exists, runner_name, message: &str| VerifyResponse {
        exists,
        runner_name,
        message: message.to_owned(),
    };
    Ok(match runner {
        Some(runner) => {
            Reply::json(StatusCode::OK, &verified(true, Some(runner.name), "the runner is registered"))
        }
        None => {
            Reply::json(StatusCode::NOT_FOUND, &verified(false, None, "no runner is registered with this id"))
        }
    })
}

/// `GET /api/runner/jobs/available`: lists jobs that the runner may claim, the oldest first.
#[utoipa::path(get, path = "/api/runner/jobs/available", tag = "runner",
    params(("types[]" = Option<Vec<pilotlight_wire::jobs::Name>>, Query, description = "Job types that the runner can execute; without any, no job is listed."), RunnerIdHeader),
    responses((status = OK, description = "Jobs that the runner may claim, at most 50.", body = AvailableJobs)))]
pub(super) async fn available(
    State(state): State<Arc<JobsState>>,
    _: CallingRunner,
    query: QueryPairs,
) -> Result<Reply, ApiError> {
    let types = types(&query, MAX_RUNNER_TYPES)?;
    let jobs = state.jobs.reads().available(&types, MAX_AVAILABLE_JOBS, state.jobs.now()).await?;
    let jobs: Result<_, ApiError> = jobs.into_iter().map(available_job).collect();
    Ok(Reply::json(StatusCode::OK, &AvailableJobs { jobs: jobs? }))
}

/// The job types in the query's `types[]`, at most `at_most`.
///
/// # Errors
/// One of them is not a valid type, or there are too many.
pub(super) fn types(query: &QueryPairs, at_most: usize) -> Result<Vec<JobType>, ApiError> {
    let parse = |text| JobType::parse(text).map_err(|why| headers::invalid("types[]", why));
    let types: Vec<_> = query.all("types[]").map(parse).collect::<Result<_, _>>()?;
    if types.len() > at_most {
        return Err(headers::invalid("types[]", format_args!("is given more than {at_most} times")));
    }
    Ok(types)
}

fn available_job(LeasedJob { job, input }: LeasedJob) -> Result<AvailableJob, ApiError> {
    Ok(AvailableJob {
        job_id: job.id.to_string(),
        job_type: job.job_type.to_string(),
        input_params: response::json(input)?,
        created_at: job.created_at.as_millis(),
    })
}

/// `POST /api/runner/jobs/{id}/claim`: assigns the job to the runner, which executes it.
#[utoipa::path(post, path = "/api/runner/jobs/{id}/claim", tag = "runner", params(("id" = String, Path, format = "uuid", description = "The job's id."), RunnerIdHeader),
    responses(
        (status = OK, description = "The job is assigned to this runner.", body = ClaimResponse),
        (status = CONFLICT, description = "The job is not available, or does not exist; `message` says why.", body = ClaimResponse)))]
pub(super) async fn claim(
    State(state): State<Arc<JobsState>>,
    CallingRunner(runner): CallingRunner,
    JobIdPath(id): JobIdPath,
) -> Result<Reply, ApiError> {
    let Some(id) = id else { return Ok(not_claimed(runner_event::UNKNOWN_JOB)) };
    // Read before the claim, so that no runner gets a job whose parameters cannot be read.
    let Some(input) = state.jobs.reads().input(id).await? else {
        return Ok(not_claimed(runner_event::UNKNOWN_JOB));
    };
    let input_params = response::json(input)?;
    Ok(match state.jobs.apply_event(id, Event::Claim { runner }, RunnerOutput::default()).await? {
        EventOutcome::Applied(applied) => {
            let job_type = applied.job.job_type.to_string();
            let job = Some(ClaimedJob { job_id: id.to_string(), job_type, input_params });
            let message = "the job is assigned to this runner".to_owned();
            Reply::json(StatusCode::OK, &ClaimResponse { success: true, message, job })
        }
        EventOutcome::Rejected(why, _) => not_claimed(&why.to_string()),
        EventOutcome::UnknownJob | EventOutcome::ConsoleFull => not_claimed(runner_event::UNKNOWN_JOB),
    })
}

fn not_claimed(why: &str) -> Reply {
    Reply::json(StatusCode::CONFLICT, &ClaimResponse { success: false, message: why.to_owned(), job: None })
}

/// `POST /api/runner/jobs/{id}/start`: reports that the runner got the job and begins to execute it.
#[utoipa::path(post, path = "/api/runner/jobs/{id}/start", tag = "runner", params(("id" = String, Path, format = "uuid", description = "The job's id."), RunnerIdHeader),
    request_body = runner::Start,
    responses(
        (status = OK, description = "Execute the job.", body = runner::JobReportResponse),
        (status = CONFLICT, description = "Do not execute the job: the lease is not in force.", body = runner::JobReportResponse)))]
pub(super) async fn start(
    State(state): State<Arc<JobsState>>,
    CallingRunner(runner): CallingRunner,
    JobIdPath(id): JobIdPath,
    request: Request,
) -> Result<Reply, ApiError> {
    let json_body = JsonBody::read(&state.edge, request).await?;
    let runner::Start { lease } = json_body.fields()?;
    let (lease_claim, lease_presence) = runner_event::lease_claim(runner, lease)?;
    if lease_presence == LeasePresence::Absent {
        return Err(Field::new("lease", lease).missing());
    }
    runner_event::apply(
        &state,
        RunnerEvent {
            id,
            event: Event::Start(lease_claim),
            payload: RunnerOutput::default(),
            lease_presence,
        },
    )
    .await
}

/// `POST /api/runner/jobs/{id}/heartbeat`: reports that the runner still executes the job.
#[utoipa::path(post, path = "/api/runner/jobs/{id}/heartbeat", tag = "runner", params(("id" = String, Path, format = "uuid", description = "The job's id."), RunnerIdHeader),
    request_body = runner::Heartbeat,
    responses(
        (status = OK, description = "The report is stored.", body = runner::JobReportResponse),
        (status = BAD_REQUEST, description = "The job is not assigned to this runner.", body = runner::JobReportResponse),
        (status = CONFLICT, description = "The lease is not in force.", body = runner::JobReportResponse)))]
pub(super) async fn heartbeat(
    State(state): State<Arc<JobsState>>,
    CallingRunner(runner): CallingRunner,
    JobIdPath(id): JobIdPath,
    request: Request,
) -> Result<Reply, ApiError> {
    let content_limits = state.content_limits;
    let json_body = JsonBody::read(&state.edge, request).await?;
    let heartbeat: runner::Heartbeat<'_> = json_body.fields()?;
    let (lease_claim, lease_presence) = runner_event::lease_claim(runner, heartbeat.lease)?;
    let progress = runner_event::progress(heartbeat.progress_current, heartbeat.progress_total)?;
    let console = runner_event::console(heartbeat.console_output, heartbeat.console_append, content_limits)?;
    let payload = RunnerOutput { console, ..RunnerOutput::default() };
    runner_event::apply(
        &state,
        RunnerEvent { id, event: Event::Heartbeat { lease_claim, progress }, payload, lease_presence },
    )
    .await
}

/// `POST /api/runner/jobs/{id}/complete`: reports the job's result.
#[utoipa::path(post, path = "/api/runner/jobs/{id}/complete", tag = "runner", params(("id" = String, Path, format = "uuid", description = "The job's id."), RunnerIdHeader),
    request_body = runner::Complete,
    responses(
        (status = OK, description = "The report is stored.", body = runner::JobReportResponse),
        (status = BAD_REQUEST, description = "The job is not assigned to this runner.", body = runner::JobReportResponse),
        (status = CONFLICT, description = "The lease is not in force.", body = runner::JobReportResponse)))]
pub(super) async fn complete(
    State(state): State<Arc<JobsState>>,
    CallingRunner(runner): CallingRunner,
    JobIdPath(id): JobIdPath,
    request: Request,
) -> Result<Reply, ApiError> {
    let content_limits = state.content_limits;
    let json_body = JsonBody::read(&state.edge, request).await?;
    let complete: runner::Complete<'_> = json_body.fields()?;
    let (lease_claim, lease_presence) = runner_event::lease_claim(runner, complete.lease)?;
    let field = Field::new("output_data", complete.output_data);
    let output = field.object(content_limits.output)?.ok_or_else(|| field.missing())?;
    let console = runner_event::console(complete.console_output, complete.console_append, content_limits)?;
    let result = Fingerprint::of_json(output);
    let payload = RunnerOutput { console, result: Some(output.to_owned()), error: None };
    runner_event::apply(
        &state,
        RunnerEvent { id, event: Event::Complete { lease_claim, result }, payload, lease_presence },
    )
    .await
}

/// `POST /api/runner/jobs/{id}/error`: reports that the job failed.
#[utoipa::path(post, path = "/api/runner/jobs/{id}/error", tag = "runner", params(("id" = String, Path, format = "uuid", description = "The job's id."), RunnerIdHeader),
    request_body = runner::Fail,
    responses(
        (status = OK, description = "The report is stored.", body = runner::JobReportResponse),
        (status = BAD_REQUEST, description = "The job is not assigned to this runner.", body = runner::JobReportResponse),
        (status = CONFLICT, description = "The lease is not in force.", body = runner::JobReportResponse)))]
pub(super) async fn fail(
    State(state): State<Arc<JobsState>>,
    CallingRunner(runner): CallingRunner,
    JobIdPath(id): JobIdPath,
    request: Request,
) -> Result<Reply, ApiError> {
    let content_limits = state.content_limits;
    let json_body = JsonBody::read(&state.edge, request).await?;
    let fail: runner::Fail<'_> = json_body.fields()?;
    let (lease_claim, lease_presence) = runner_event::lease_claim(runner, fail.lease)?;
    let field = Field::new("error_message", fail.error_message);
    let error = field.lossy_text(content_limits.error)?.ok_or_else(|| field.missing())?;
    let console = runner_event::console(fail.console_output, fail.console_append, content_limits)?;
    let report = Fingerprint::of_text(&error);
    let payload = RunnerOutput { console, result: None, error: Some(error) };
    runner_event::apply(
        &state,
        RunnerEvent { id, event: Event::Fail { lease_claim, report }, payload, lease_presence },
    )
    .await
}
