//! `/api/runner`: what runners of jobs say. Each call but the registration names its runner, and is a sign of life.

pub mod word;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use hyper::StatusCode;
use pilotlight_core::ids::JobType;
use pilotlight_core::job::{Event, Fingerprint};
use pilotlight_core::limits::{ID_BYTES, MAX_AVAILABLE_JOBS, MAX_RUNNER_TYPES};
use pilotlight_store::{Handed, Payload, Said};
use pilotlight_wire::runner::{self, Available, AvailableJob, Claimed, ClaimedJob, Registered, Verified};

use super::asked::{Named, Pairs, Speaker};
use super::convert;
use super::envelope::Envelope;
use super::error::{Refusal, Reply};
use super::fields::Field;
use super::jobs::tell;
use super::router::Handles;
use super::sizes::Sizes;
use word::{Fence, Spoken};

/// `POST /api/runner/register`: a new runner.
#[utoipa::path(post, path = "/api/runner/register", tag = "runner", request_body = runner::Register,
    responses((status = CREATED, description = "Its identity.", body = Registered)))]
pub async fn register(State(handles): State<Arc<Handles>>, body: Body) -> Result<Reply, Refusal> {
    let at_most = Sizes::body(MAX_RUNNER_TYPES * ID_BYTES);
    let envelope = Envelope::read(&handles.room, body, at_most).await?;
    let (name, capabilities) = presented(&envelope.fields()?)?;
    let runner = handles.jobs().register(name, capabilities).await?;
    let message = "send this id as X-Runner-ID from now on".to_owned();
    Ok(Reply::json(StatusCode::CREATED, &Registered { runner_id: runner.id.to_string(), message }))
}

fn presented(register: &runner::Register<'_>) -> Result<(String, Vec<String>), Refusal> {
    let name = Field::new("name", register.name);
    let capabilities = Field::new("capabilities", register.capabilities);
    let types = capabilities.names(MAX_RUNNER_TYPES)?.ok_or_else(|| capabilities.missing())?;
    Ok((name.name()?.ok_or_else(|| name.missing())?, types))
}

/// `GET /api/runner/verify`: whether the runner is registered.
#[utoipa::path(get, path = "/api/runner/verify", tag = "runner",
    responses(
        (status = OK, description = "It is registered.", body = Verified),
        (status = NOT_FOUND, description = "It is not.", body = Verified)))]
pub async fn verify(State(handles): State<Arc<Handles>>, Speaker(runner): Speaker) -> Result<Reply, Refusal> {
    let runner = handles.jobs().store().runner(&runner).await?;
    let verified =
        |exists, runner_name, message: &str| Verified { exists, runner_name, message: message.to_owned() };
    Ok(match runner {
        Some(runner) => {
            Reply::json(StatusCode::OK, &verified(true, Some(runner.name), "the runner is registered"))
        }
        None => Reply::json(StatusCode::NOT_FOUND, &verified(false, None, "no runner registered by this id")),
    })
}

/// `GET /api/runner/jobs/available`: jobs that may be claimed.
#[utoipa::path(get, path = "/api/runner/jobs/available", tag = "runner",
    params(("types[]" = Option<Vec<pilotlight_wire::jobs::Name>>, Query, description = "Types of jobs that the runner can do.")),
    responses((status = OK, description = "Jobs that may be claimed.", body = Available)))]
pub async fn available(
    State(handles): State<Arc<Handles>>,
    _: Speaker,
    query: Pairs,
) -> Result<Reply, Refusal> {
    let types = types(&query, MAX_RUNNER_TYPES)?;
    let jobs = handles.jobs().store().available(&types, MAX_AVAILABLE_JOBS, handles.jobs().now()).await?;
    let jobs: Result<_, Refusal> = jobs.into_iter().map(on_offer).collect();
    Ok(Reply::json(StatusCode::OK, &Available { jobs: jobs? }))
}

/// The types that a runner asks for.
///
/// # Errors
/// One of them cannot be a type, or they are too many.
pub fn types(query: &Pairs, at_most: usize) -> Result<Vec<JobType>, Refusal> {
    let parse = |text| JobType::parse(text).map_err(|why| convert::bad("types[]", why));
    let types: Vec<_> = query.all("types[]").map(parse).collect::<Result<_, _>>()?;
    if types.len() > at_most {
        return Err(convert::bad("types[]", format_args!("is there more than {at_most} times")));
    }
    Ok(types)
}

fn on_offer(Handed { job, input }: Handed) -> Result<AvailableJob, Refusal> {
    Ok(AvailableJob {
        job_id: job.id.to_string(),
        job_type: job.job_type.to_string(),
        input_params: tell::json(input)?,
        created_at: job.created_at.as_millis(),
    })
}

/// `POST /api/runner/jobs/{id}/claim`: the runner takes the job and executes it.
#[utoipa::path(post, path = "/api/runner/jobs/{id}/claim", tag = "runner", params(("id" = String, Path, format = "uuid", description = "The job's name.")),
    responses(
        (status = OK, description = "It is this runner's.", body = Claimed),
        (status = CONFLICT, description = "It is not to be had.", body = Claimed)))]
pub async fn claim(
    State(handles): State<Arc<Handles>>,
    Speaker(runner): Speaker,
    Named(id): Named,
) -> Result<Reply, Refusal> {
    let Some(id) = id else { return Ok(not_claimed(word::UNKNOWN)) };
    // Read before it is anybody's, so that nobody has a job without its parameters.
    let Some(input) = handles.jobs().store().input(id).await? else { return Ok(not_claimed(word::UNKNOWN)) };
    let input_params = tell::json(input)?;
    Ok(match handles.jobs().say(id, Event::Claim { runner }, Payload::default()).await? {
        Said::Taken(answer) => {
            let job_type = answer.job.job_type.to_string();
            let job = Some(ClaimedJob { job_id: id.to_string(), job_type, input_params });
            let message = "the job is this runner's".to_owned();
            Reply::json(StatusCode::OK, &Claimed { success: true, message, job })
        }
        Said::Refused(why, _) => not_claimed(&why.to_string()),
        Said::Unknown | Said::ConsoleFull => not_claimed(word::UNKNOWN),
    })
}

fn not_claimed(why: &str) -> Reply {
    Reply::json(StatusCode::CONFLICT, &Claimed { success: false, message: why.to_owned(), job: None })
}

/// `POST /api/runner/jobs/{id}/start`: the runner that the job was handed to begins to execute it.
#[utoipa::path(post, path = "/api/runner/jobs/{id}/start", tag = "runner", params(("id" = String, Path, format = "uuid", description = "The job's name.")),
    request_body = runner::Start,
    responses(
        (status = OK, description = "It is to be executed.", body = runner::Heard),
        (status = CONFLICT, description = "It is not: the lease is not in force.", body = runner::Heard)))]
pub async fn start(
    State(handles): State<Arc<Handles>>,
    Speaker(runner): Speaker,
    Named(id): Named,
    body: Body,
) -> Result<Reply, Refusal> {
    let envelope = Envelope::read(&handles.room, body, Sizes::body(0)).await?;
    let runner::Start { lease } = envelope.fields()?;
    let (word, fence) = word::of(runner, lease)?;
    if fence == Fence::None {
        return Err(Field::new("lease", lease).missing());
    }
    word::say(&handles, Spoken { id, event: Event::Start(word), payload: Payload::default(), fence }).await
}

/// `POST /api/runner/jobs/{id}/heartbeat`: the runner is alive.
#[utoipa::path(post, path = "/api/runner/jobs/{id}/heartbeat", tag = "runner", params(("id" = String, Path, format = "uuid", description = "The job's name.")),
    request_body = runner::Heartbeat,
    responses(
        (status = OK, description = "It is remembered.", body = runner::Heard),
        (status = BAD_REQUEST, description = "The job is not this runner's.", body = runner::Heard),
        (status = CONFLICT, description = "The lease is not in force.", body = runner::Heard)))]
pub async fn heartbeat(
    State(handles): State<Arc<Handles>>,
    Speaker(runner): Speaker,
    Named(id): Named,
    body: Body,
) -> Result<Reply, Refusal> {
    let sizes = handles.sizes;
    let envelope = Envelope::read(&handles.room, body, Sizes::body(sizes.console)).await?;
    let heartbeat: runner::Heartbeat<'_> = envelope.fields()?;
    let (word, fence) = word::of(runner, heartbeat.lease)?;
    let progress = word::progress(heartbeat.progress_current, heartbeat.progress_total)?;
    let console = word::console(heartbeat.console_output, heartbeat.console_append, sizes)?;
    let payload = Payload { console, ..Payload::default() };
    word::say(&handles, Spoken { id, event: Event::Heartbeat { word, progress }, payload, fence }).await
}

/// `POST /api/runner/jobs/{id}/complete`: the runner has the result.
#[utoipa::path(post, path = "/api/runner/jobs/{id}/complete", tag = "runner", params(("id" = String, Path, format = "uuid", description = "The job's name.")),
    request_body = runner::Complete,
    responses(
        (status = OK, description = "It is remembered.", body = runner::Heard),
        (status = BAD_REQUEST, description = "The job is not this runner's.", body = runner::Heard),
        (status = CONFLICT, description = "The lease is not in force.", body = runner::Heard)))]
pub async fn complete(
    State(handles): State<Arc<Handles>>,
    Speaker(runner): Speaker,
    Named(id): Named,
    body: Body,
) -> Result<Reply, Refusal> {
    let sizes = handles.sizes;
    let at_most = Sizes::body(sizes.output + sizes.console);
    let envelope = Envelope::read(&handles.room, body, at_most).await?;
    let complete: runner::Complete<'_> = envelope.fields()?;
    let (word, fence) = word::of(runner, complete.lease)?;
    let field = Field::new("output_data", complete.output_data);
    let output = field.object(sizes.output)?.ok_or_else(|| field.missing())?;
    let console = word::console(complete.console_output, complete.console_append, sizes)?;
    let result = Fingerprint::of_json(output);
    let payload = Payload { console, output: Some(output.to_owned()), error: None };
    word::say(&handles, Spoken { id, event: Event::Complete { word, result }, payload, fence }).await
}

/// `POST /api/runner/jobs/{id}/error`: the runner could not do it.
#[utoipa::path(post, path = "/api/runner/jobs/{id}/error", tag = "runner", params(("id" = String, Path, format = "uuid", description = "The job's name.")),
    request_body = runner::Fail,
    responses(
        (status = OK, description = "It is remembered.", body = runner::Heard),
        (status = BAD_REQUEST, description = "The job is not this runner's.", body = runner::Heard),
        (status = CONFLICT, description = "The lease is not in force.", body = runner::Heard)))]
pub async fn fail(
    State(handles): State<Arc<Handles>>,
    Speaker(runner): Speaker,
    Named(id): Named,
    body: Body,
) -> Result<Reply, Refusal> {
    let sizes = handles.sizes;
    let at_most = Sizes::body(sizes.error + sizes.console);
    let envelope = Envelope::read(&handles.room, body, at_most).await?;
    let fail: runner::Fail<'_> = envelope.fields()?;
    let (word, fence) = word::of(runner, fail.lease)?;
    let field = Field::new("error_message", fail.error_message);
    let error = field.prose(sizes.error)?.ok_or_else(|| field.missing())?;
    let console = word::console(fail.console_output, fail.console_append, sizes)?;
    let report = Fingerprint::of_text(&error);
    let payload = Payload { console, output: None, error: Some(error) };
    word::say(&handles, Spoken { id, event: Event::Fail { word, report }, payload, fence }).await
}
