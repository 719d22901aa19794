//! `GET /api/runner/jobs/next`: a runner waits for a job (`docs/protocols/jobs.md`). The job in the response is already
//! leased to the runner. The response is watched until the runner's kernel acknowledges it; otherwise the lease is
//! void.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::body::Body as _;
use pilotlight_core::job_matcher::TypeSet;
use pilotlight_core::limits::MAX_TYPES_PER_POLL;
use pilotlight_core::time::millis;
use pilotlight_net::conn::Conn;
use pilotlight_store::LeasedJob;
use pilotlight_wire::runner::{NextJob, NextResponse};
use tokio::time::{Instant, sleep_until};

use crate::http::close::CloseConnection;
use crate::http::error::{ApiError, Reply};
use crate::jobs::http::extract::{CallingRunner, QueryPairs, RunnerIdHeader};
use crate::jobs::http::{JobsState, response, runners};
use crate::jobs::{JobParkOutcome, JobPollOutcome, OutgoingJob};

/// `GET /api/runner/jobs/next`: waits for a job, at most `wait_ms`.
#[utoipa::path(get, path = "/api/runner/jobs/next", tag = "runner",
    params(
        ("types[]" = Vec<pilotlight_wire::jobs::Name>, Query, description = "Job types that the runner can execute."),
        ("wait_ms" = Option<u64>, Query, maximum = 600_000, description = "How long to wait for a job, in milliseconds; 0 when missing."), RunnerIdHeader),
    responses(
        (status = OK, description = "A job, leased to this runner. Send `start` before you execute it.", body = NextResponse),
        (status = NO_CONTENT, description = "No job came within the time.")))]
pub(super) async fn next(
    State(state): State<Arc<JobsState>>,
    Extension(conn): Extension<Arc<Conn>>,
    CallingRunner(runner): CallingRunner,
    pairs: QueryPairs,
    request: Request,
) -> Response {
    let params =
        runners::types(&pairs, MAX_TYPES_PER_POLL).and_then(|types| Ok((TypeSet::new(types), pairs.wait()?)));
    let (types, wait) = match params {
        Ok(params) => params,
        Err(error) => return error.into_response(),
    };
    if !request.body().is_end_stream() {
        // With an unread body in the socket, the service could not see that the client closes the connection.
        return ApiError::bad_request("a poll must not have a body").into_response();
    }
    drop(request);
    let deadline = Instant::now() + wait;
    loop {
        let mut parked = match state.jobs.park(&types, &runner, &conn) {
            JobParkOutcome::Parked(parked) => parked,
            JobParkOutcome::Closed => return CloseConnection::response(),
        };
        let outcome = tokio::select! {
            outcome = parked.outcome() => outcome,
            () = conn.peer_closed() => None,
            () = sleep_until(deadline) => {
                if parked.leave() {
                    return StatusCode::NO_CONTENT.into_response();
                }
                parked.outcome().await
            }
        };
        return match outcome {
            Some(JobPollOutcome::Job(outgoing)) => hand_over(&state, &conn, *outgoing),
            Some(JobPollOutcome::NoJob) => continue,
            Some(JobPollOutcome::Unavailable) => {
                ApiError::unavailable("the store does not answer; poll again").into_response()
            }
            None => CloseConnection::response(),
        };
    }
}

/// Sends the job to the runner. Dropping `written` before the acknowledgement makes the lease void, and the job goes to
/// the next poll.
fn hand_over(state: &JobsState, conn: &Conn, outgoing: OutgoingJob) -> Response {
    let OutgoingJob { leased, written } = outgoing;
    match next_response(leased, state.jobs.lease_timeout()) {
        Ok(next_response) => {
            let reply = Reply::json(StatusCode::OK, &next_response);
            conn.watch_response(reply.body.len(), state.jobs.ack_mode().into(), written);
            reply.into_response()
        }
        Err(error) => error.into_response(),
    }
}

fn next_response(leased: LeasedJob, lease: Duration) -> Result<NextResponse, ApiError> {
    let LeasedJob { job, input } = leased;
    Ok(NextResponse {
        job: NextJob {
            job_id: job.id.to_string(),
            job_type: job.job_type.to_string(),
            input_params: response::json(input)?,
            // The attempt that begins when the runner sends `start`.
            attempt: job.attempts + 1,
            lease: job.lease.number(),
            lease_ms: millis(lease),
        },
    })
}
